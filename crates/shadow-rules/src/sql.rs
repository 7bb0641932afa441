//! SQL statements: what becomes of one, for live and for shadow work.

mod cache;
mod functions;
mod guard;
mod inspect;
mod live;
mod parse;
mod rewrite;
mod shape;
mod sketch;
mod walk;

use std::sync::Arc;

use peakdrill_drill_model::ledger::Outcome;
use peakdrill_shadow_tag::{Class, RunState, Shadow};

pub use cache::{CACHED_SQL_MAX_BYTES, DecisionCache, GENERATION_MAX_ENTRIES};
pub use parse::{NESTED_TOKENS_MAX, SQL_MAX_BYTES};

use crate::mode::Mode;
use crate::refused::{Refused, code};
use crate::rules::SqlRules;

/// A table that a statement touches, and what the ledger counts for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// The table, by its live name.
    pub resource: Arc<str>,
    /// What happens to it.
    pub outcome: Outcome,
}

/// Where a statement of shadow work is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On any connection, which goes back to its pool behind the statement.
    Pool,
    /// In a transaction that the work has begun, and that ends with the connection's return.
    Transaction,
}

/// What becomes of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It runs byte for byte as it came: live work, or unknown work that passes as live.
    AsIs {
        /// What it touches, as far as its first words tell.
        touched: Touched,
    },
    /// It runs as it came: it begins or ends a transaction, or sets something of the session that touches no data.
    Control {
        /// Whether it acts within the running transaction alone: savepoints, `SET LOCAL`, `SET TRANSACTION`.
        local: bool,
    },
    /// This runs in its place.
    Rewritten {
        /// The statement, on shadow data and on what is declared `read_live`.
        sql: Arc<str>,
        /// Whether it writes.
        writes: bool,
        /// Every table that it touches, once per outcome.
        touched: Vec<Touched>,
    },
}

impl Decision {
    /// The statement that runs in place of the original; `None` when the original runs.
    #[must_use]
    pub fn sql(&self) -> Option<&str> {
        match self {
            Self::Rewritten { sql, .. } => Some(sql),
            Self::AsIs { .. } | Self::Control { .. } => None,
        }
    }

    /// Checks that a statement that steers the session leaves nothing behind: a pooled connection would carry an open
    /// transaction, or a setting, on to other work.
    ///
    /// # Errors
    /// [`Refused`] when it would.
    pub fn check_place(&self, place: Place) -> Result<(), Refused> {
        let text = match (self, place) {
            (Self::Control { .. }, Place::Pool) => {
                "on a pooled connection it would be left to other work: begin a transaction with `begin`"
            }
            (Self::Control { local: false }, Place::Transaction) => {
                "a transaction takes savepoints, SET LOCAL and SET TRANSACTION only: end it with `commit` or `rollback`"
            }
            _ => return Ok(()),
        };
        Err(Refused::new(code::UNSAFE_STATEMENT, "sql", text))
    }

    /// What the ledger counts.
    #[must_use]
    pub fn touched(&self) -> &[Touched] {
        match self {
            Self::AsIs { touched } => std::slice::from_ref(touched),
            Self::Control { .. } => &[],
            Self::Rewritten { touched, .. } => touched,
        }
    }
}

/// The two ways a statement can be looked at, once it is clear that the work may do anything at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum As {
    Live,
    Shadow,
}

/// Whether work of this class may touch a store, and as what.
pub(crate) fn admit(class: &Class, mode: Mode) -> Result<As, Refused> {
    match class {
        Class::Live => Ok(As::Live),
        Class::Unknown if mode == Mode::Observe => Ok(As::Live),
        Class::Unknown => Err(crate::http::unstamped("sql")),
        Class::Shadow(Shadow { state: RunState::Closed, .. }) => {
            Err(Refused::new(code::RUN_CLOSED, "sql", "the run is closed"))
        }
        Class::Shadow(_) => Ok(As::Shadow),
    }
}

/// Decides about one statement.
///
/// # Errors
/// [`Refused`] when shadow work would touch what is not declared for it, when it cannot be told what the statement
/// does, when live work names shadow data, or when unknown work comes where the hop enforces.
pub fn decide(rules: &SqlRules, class: &Class, mode: Mode, sql: &str) -> Result<Decision, Refused> {
    decide_as(rules, admit(class, mode)?, sql)
}

pub(crate) fn decide_as(rules: &SqlRules, class: As, sql: &str) -> Result<Decision, Refused> {
    match class {
        As::Live => rules.decide_live(sql),
        As::Shadow => rules.decide_shadow(sql),
    }
}

impl SqlRules {
    /// Decides about a statement of live work.
    ///
    /// # Errors
    /// [`Refused`] when it names shadow data, or has the shadow's name in it and cannot be read.
    pub fn decide_live(&self, sql: &str) -> Result<Decision, Refused> {
        live::check(self, sql)?;
        Ok(Decision::AsIs { touched: sketch::sketch(self.dialect, sql) })
    }

    /// Decides about a statement of shadow work.
    ///
    /// # Errors
    /// [`Refused`] when it is not certain that it reads and writes what is declared only.
    pub fn decide_shadow(&self, sql: &str) -> Result<Decision, Refused> {
        let mut statement = parse::one(self.dialect, sql)?;
        if let Some(local) = shape::control(&statement) {
            return Ok(Decision::Control { local });
        }
        let found = inspect::inspect(self, &statement)?;
        rewrite::rewrite(self, &mut statement, &found)?;
        let rewritten = statement.to_string();
        guard::check(self, &statement, &rewritten)?;
        Ok(Decision::Rewritten {
            sql: rewritten.into(),
            writes: !found.targets.is_empty(),
            touched: found.touched(self.dialect),
        })
    }
}

#[cfg(test)]
mod tests;
