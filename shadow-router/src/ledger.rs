//! Every decision, counted.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use peakdrill_drill_model::ledger::{LedgerRow, Outcome};
use peakdrill_shadow_tag::{Class, RunId};

/// Most rows of the ledger, of runs × resources × outcomes. What comes after goes to the resource `other`. Below the
/// 2,000 attribute sets that an OpenTelemetry instrument keeps apart.
pub const LEDGER_ROWS_MAX: usize = 1_500;
/// Most rows of the resource `other`; runs after these are counted without their name.
const OTHER_ROWS_MAX: usize = 200;
const OTHER: &str = "other";

type Key = (Option<RunId>, Arc<str>, Outcome);

/// Counts since the start of the service.
#[derive(Debug, Default)]
pub(crate) struct Ledger(RwLock<HashMap<Key, AtomicU64>>);

pub(crate) fn run_of(class: &Class) -> Option<RunId> {
    match class {
        Class::Shadow(shadow) => Some(shadow.run),
        Class::Live | Class::Unknown => None,
    }
}

impl Ledger {
    fn read(&self) -> RwLockReadGuard<'_, HashMap<Key, AtomicU64>> {
        // Counters hold no invariant that a panic could break.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count(&self, class: &Class, resource: impl Into<Arc<str>>, outcome: Outcome) {
        let key = (run_of(class), resource.into(), outcome);
        if let Some(counter) = self.read().get(&key) {
            counter.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut rows = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let key = match rows.len() {
            _ if rows.contains_key(&key) => key,
            0..LEDGER_ROWS_MAX => key,
            len if len < LEDGER_ROWS_MAX + OTHER_ROWS_MAX => (key.0, OTHER.into(), outcome),
            _ => (None, OTHER.into(), outcome),
        };
        rows.entry(key).or_default().fetch_add(1, Ordering::Relaxed);
    }

    /// All counts, sorted.
    pub(crate) fn snapshot(&self, service: &str) -> Vec<LedgerRow> {
        let row = |((run, resource, outcome), count): (&Key, &AtomicU64)| LedgerRow {
            service: service.to_owned(),
            run: run.map(|run| run.to_string()).unwrap_or_default(),
            resource: resource.to_string(),
            outcome: *outcome,
            count: count.load(Ordering::Relaxed),
        };
        let mut rows: Vec<_> = self.read().iter().map(row).collect();
        rows.sort_by(|a, b| (&a.run, &a.resource, a.outcome).cmp(&(&b.run, &b.resource, b.outcome)));
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::{LEDGER_ROWS_MAX, Ledger, Outcome};
    use peakdrill_shadow_tag::Class;

    #[test]
    fn rows_are_bounded_and_no_count_is_lost() {
        let ledger = Ledger::default();
        let resources = LEDGER_ROWS_MAX + 500;
        for n in 0..resources {
            ledger.count(&Class::Live, format!("t{n}"), Outcome::LiveRead);
            ledger.count(&Class::Live, format!("t{n}"), Outcome::LiveRead);
        }
        let rows = ledger.snapshot("s");
        assert_eq!(rows.len(), LEDGER_ROWS_MAX + 1);
        assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), 2 * resources as u64);
        assert_eq!(rows.iter().find(|row| row.resource == "other").unwrap().count, 1_000);
    }
}
