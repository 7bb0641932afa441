//! Decisions that were taken before.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use peakdrill_shadow_tag::Class;
use rustc_hash::FxHashMap;

use super::{As, Decision, admit, decide_as};
use crate::mode::Mode;
use crate::refused::Refused;
use crate::rules::SqlRules;

/// Most statements of one generation and class. Two generations are kept: when the younger one is full, the older
/// one is dropped, so that what is in use stays.
pub const GENERATION_MAX_ENTRIES: usize = 512;
/// Longest statement that is remembered, in bytes.
pub const CACHED_SQL_MAX_BYTES: usize = 8 * 1024;

type Known = Result<Arc<Decision>, Arc<Refused>>;

#[derive(Default)]
struct Generations {
    young: FxHashMap<Box<str>, Known>,
    old: FxHashMap<Box<str>, Known>,
}

impl Generations {
    fn get(&mut self, sql: &str) -> Option<Known> {
        if let Some(known) = self.young.get(sql) {
            return Some(known.clone());
        }
        let (sql, known) = self.old.remove_entry(sql)?;
        self.put(sql, known.clone());
        Some(known)
    }

    fn put(&mut self, sql: Box<str>, known: Known) {
        if self.young.len() >= GENERATION_MAX_ENTRIES {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(sql, known);
    }
}

/// Decides about statements for one store, and remembers what it decided.
pub struct DecisionCache {
    rules: SqlRules,
    live: Mutex<Generations>,
    shadow: Mutex<Generations>,
}

impl DecisionCache {
    /// An empty cache over these rules.
    #[must_use]
    pub fn new(rules: SqlRules) -> Self {
        Self { rules, live: Mutex::default(), shadow: Mutex::default() }
    }

    /// The rules.
    #[must_use]
    pub fn rules(&self) -> &SqlRules {
        &self.rules
    }

    /// As [`decide`](super::decide()).
    ///
    /// # Errors
    /// As [`decide`](super::decide()).
    pub fn decide(&self, class: &Class, mode: Mode, sql: &str) -> Known {
        let class = admit(class, mode).map_err(Arc::new)?;
        let cache = match class {
            As::Live => &self.live,
            As::Shadow => &self.shadow,
        };
        // Entries are whole at all times, so a poisoned lock holds nothing broken.
        if let Some(known) = cache.lock().unwrap_or_else(PoisonError::into_inner).get(sql) {
            return known;
        }
        let known = decide_as(&self.rules, class, sql).map(Arc::new).map_err(Arc::new);
        if sql.len() <= CACHED_SQL_MAX_BYTES {
            cache.lock().unwrap_or_else(PoisonError::into_inner).put(sql.into(), known.clone());
        }
        known
    }
}

impl fmt::Debug for DecisionCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecisionCache").field("rules", &self.rules).finish_non_exhaustive()
    }
}

#[cfg(test)]
impl DecisionCache {
    /// How many statements are remembered, live and shadow.
    pub(super) fn sizes(&self) -> (usize, usize) {
        let size = |cache: &Mutex<Generations>| {
            let cache = cache.lock().unwrap();
            cache.young.len() + cache.old.len()
        };
        (size(&self.live), size(&self.shadow))
    }
}
