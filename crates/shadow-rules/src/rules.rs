//! The rules of one service, checked as a whole when they are read.

mod wire;

use rustc_hash::FxHashMap;

use crate::http::Pattern;
use crate::mode::Policy;
use crate::names::{Dialect, TableName};
use crate::refused::{Refused, code};

/// The version of the rules' form.
pub const RULES_VERSION: u32 = 1;
/// Longest text of rules that is read, in bytes.
pub const RULES_MAX_BYTES: usize = 256 * 1024;
/// Most tables of one store.
pub const TABLES_MAX: usize = 1024;
/// Most stubs.
pub const STUBS_MAX: usize = 256;
/// Longest median latency of a stub, in nanoseconds, and longest time from a call to its stub's answer.
pub const STUB_LATENCY_MAX_NS: u64 = 60_000_000_000;
/// Most hosts that are inside.
pub const INTERNAL_HOSTS_MAX: usize = 1024;

/// Why rules are not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// The text is longer than [`RULES_MAX_BYTES`].
    #[error("the rules are longer than {RULES_MAX_BYTES} bytes")]
    TooLong,
    /// The form is not that of rules.
    #[error("the rules cannot be read: {0}")]
    Json(String),
    /// The version is not known.
    #[error("rules of version {0} are not known here")]
    Version(u32),
    /// Something that the language has and this version does not.
    #[error("{0}: not built yet")]
    NotBuilt(String),
    /// A value that rules may not have.
    #[error("{0}")]
    Invalid(String),
}

/// Where shadow rows go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqlMode {
    /// Same schema, other table.
    ShadowTable {
        /// Put before the name.
        prefix: String,
        /// Put after the name.
        suffix: String,
    },
    /// Same table name, other schema.
    ShadowSchema {
        /// The schema.
        schema: String,
    },
}

/// A third party that shadow work meets as a stub.
#[derive(Clone, Debug, PartialEq)]
pub struct Stub {
    /// The host as declared, in lower case, with the port when one was given.
    pub host: String,
    /// Status of the answer.
    pub status: u16,
    /// Median latency, in nanoseconds.
    pub latency_median_ns: u64,
    /// Shape of the lognormal distribution of the latency; 0 for a constant.
    pub latency_sigma: f64,
    /// Body of the answer.
    pub body: String,
    /// How many calls it serves at once; `None` for any number.
    pub slots: Option<u32>,
}

/// The rules of one SQL store. By default nothing is declared, so that all shadow work on it is refused.
#[derive(Clone, Debug)]
pub struct SqlRules {
    pub(crate) dialect: Dialect,
    pub(crate) mode: Option<SqlMode>,
    pub(crate) tables: FxHashMap<String, Policy>,
    pub(crate) others: Policy,
}

impl SqlRules {
    /// A store of which nothing is declared.
    #[must_use]
    pub fn undeclared(dialect: Dialect) -> Self {
        Self { dialect, mode: None, tables: FxHashMap::default(), others: Policy::Deny }
    }

    /// The dialect.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Where shadow rows go; `None` when nothing is declared.
    #[must_use]
    pub fn mode(&self) -> Option<&SqlMode> {
        self.mode.as_ref()
    }

    /// The declared tables with their policies, without `*`, in no order.
    pub fn tables(&self) -> impl Iterator<Item = (&str, Policy)> {
        self.tables.iter().map(|(table, policy)| (table.as_str(), *policy))
    }

    /// The key under which a table of the server's catalog stands in rules (`orders`, `sales.orders`): folded, and without
    /// the schema when it is the default one. `None` when no rule can name it.
    #[must_use]
    pub fn key_of(&self, table: &str) -> Option<String> {
        Some(self.named(table)?.key(self.dialect))
    }

    /// The key of the table that holds the shadow of another one; `None` when that has none: it is a shadow itself, or its
    /// policy is not `shadow`.
    ///
    /// # Errors
    /// When there would have to be one, and statements that need it are refused.
    pub fn shadow_key_of(&self, table: &str) -> Result<Option<String>, Refused> {
        let live = self.named(table).filter(|name| !self.is_shadow(name));
        let live = live.filter(|name| self.policy(name) == Policy::Shadow);
        live.map(|name| Ok(self.shadow_of(&name)?.key(self.dialect))).transpose()
    }

    fn named(&self, table: &str) -> Option<TableName> {
        wire::rule_name(self.dialect, table).ok()
    }

    pub(crate) fn is_declared(&self, key: &str) -> bool {
        self.tables.contains_key(key)
    }

    pub(crate) fn policy(&self, name: &TableName) -> Policy {
        if let Some(policy) = self.tables.get(&name.key(self.dialect)) {
            return *policy;
        }
        let covered = name.in_default_schema(self.dialect) && !self.dialect.is_system(&name.table);
        if covered { self.others } else { Policy::Deny }
    }

    /// The shadow of a table whose policy is `shadow`.
    pub(crate) fn shadow_of(&self, name: &TableName) -> Result<TableName, Refused> {
        let refused = |text: &'static str| Refused::new(code::AMBIGUOUS_NAME, name.to_string(), text);
        let shadow = match &self.mode {
            None => return Err(self.undeclared_table(name)),
            Some(SqlMode::ShadowTable { prefix, suffix }) => {
                TableName { schema: name.schema.clone(), table: format!("{prefix}{}{suffix}", name.table) }
            }
            Some(SqlMode::ShadowSchema { .. }) if !name.in_default_schema(self.dialect) => {
                return Err(refused("tables of two schemas cannot share one shadow schema"));
            }
            Some(SqlMode::ShadowSchema { schema }) => {
                TableName { schema: Some(schema.clone()), table: name.table.clone() }
            }
        };
        if self.dialect.name_fits(&shadow.table) {
            Ok(shadow)
        } else {
            Err(refused("the server would cut the shadow's name off"))
        }
    }

    /// Whether a name is one that shadow rows live under. Told from the name alone, not from how it came about.
    pub(crate) fn is_shadow(&self, name: &TableName) -> bool {
        match &self.mode {
            None => false,
            Some(SqlMode::ShadowSchema { schema }) => name.schema.as_ref() == Some(schema),
            Some(SqlMode::ShadowTable { prefix, suffix }) => {
                let live = name
                    .table
                    .strip_prefix(prefix.as_str())
                    .and_then(|rest| rest.strip_suffix(suffix.as_str()));
                live.filter(|live| !live.is_empty()).is_some_and(|live| {
                    let live = TableName { schema: name.schema.clone(), table: live.to_owned() };
                    self.policy(&live) == Policy::Shadow
                })
            }
        }
    }

    /// Whether a word, folded, is the name of a shadow table, of whatever schema.
    pub(crate) fn is_shadow_word(&self, word: &str) -> bool {
        let Some(SqlMode::ShadowTable { prefix, suffix }) = &self.mode else { return false };
        let live = word.strip_prefix(prefix.as_str()).and_then(|rest| rest.strip_suffix(suffix.as_str()));
        live.filter(|live| !live.is_empty()).is_some_and(|live| {
            let named = |key: &str| key.rsplit_once('.').map_or(key, |(_, table)| table) == live;
            self.others == Policy::Shadow
                || self.tables().any(|(key, policy)| policy == Policy::Shadow && named(key))
        })
    }

    /// The piece of text without which a statement names no shadow data.
    pub(crate) fn shadow_needle(&self) -> Option<&str> {
        match self.mode.as_ref()? {
            SqlMode::ShadowSchema { schema } => Some(schema),
            SqlMode::ShadowTable { prefix, suffix } if prefix.len() >= suffix.len() => Some(prefix),
            SqlMode::ShadowTable { suffix, .. } => Some(suffix),
        }
    }

    pub(crate) fn undeclared_table(&self, name: &TableName) -> Refused {
        let key = name.key(self.dialect);
        Refused::new(code::UNDECLARED, key.clone(), "shadow work may not touch it: no rule declares it")
            .with_rule(format!(
                "isolation.stores[{}].tables: {{ {key}: shadow | read_live }}",
                self.dialect.text()
            ))
    }
}

/// What one service may do during a drill.
#[derive(Clone, Debug)]
pub struct Rules {
    sqlite: SqlRules,
    postgres: SqlRules,
    pub(crate) stubs: Vec<Stub>,
    /// Of the stubs, in the same order.
    pub(crate) stub_hosts: Vec<Pattern>,
    pub(crate) internal_hosts: Vec<Pattern>,
}

impl Default for Rules {
    fn default() -> Self {
        Self::empty()
    }
}

impl Rules {
    /// Rules that declare nothing: shadow work may go nowhere.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            sqlite: SqlRules::undeclared(Dialect::Sqlite),
            postgres: SqlRules::undeclared(Dialect::Postgres),
            stubs: Vec::new(),
            stub_hosts: Vec::new(),
            internal_hosts: Vec::new(),
        }
    }

    /// Reads the rules of one service: the isolation block of a drill, of which the stores of other services are
    /// left out. `{"v":1,"stores":[…],"stubs":[…],"internal_hosts":[…]}`.
    ///
    /// # Errors
    /// [`RulesError`] when anything in it is wrong, that of other services included; nothing is taken then.
    pub fn from_json(text: &str, service: &str) -> Result<Self, RulesError> {
        wire::read(text, service)
    }

    /// The rules of the store of this dialect.
    #[must_use]
    pub fn sql(&self, dialect: Dialect) -> &SqlRules {
        match dialect {
            Dialect::Sqlite => &self.sqlite,
            Dialect::Postgres => &self.postgres,
        }
    }

    /// The declared stubs.
    #[must_use]
    pub fn stubs(&self) -> &[Stub] {
        &self.stubs
    }
}

#[cfg(test)]
mod tests;
