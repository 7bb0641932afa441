//! Every decision, counted.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use peakdrill_drill_model::ledger::{LedgerRow, Outcome};
use peakdrill_shadow_tag::{Class, RunId};

/// Most rows of the ledger that name a resource each. Beyond them, and up to [`SPARE_ROWS_MAX`] more, a run still gets
/// what the proof of its isolation stands on. Together below the 2,000 attribute sets that an OpenTelemetry instrument
/// keeps apart.
pub const LEDGER_ROWS_MAX: usize = ROWS_WITHOUT_RUN_MAX + ROWS_OF_RUNS_MAX;
/// Most rows without a run, by resource; what comes after goes to the resource `other`. Live traffic of many tables and
/// hosts must not take the rows of runs.
const ROWS_WITHOUT_RUN_MAX: usize = 500;
/// Most rows of runs, by run and resource. When they are full, closed runs give up theirs; what comes after goes to the
/// resource `other` of its run.
const ROWS_OF_RUNS_MAX: usize = 1_000;
/// Most rows beyond: the ways in, lost tags, leaks, and `other`. Runs after these are counted without their name.
const SPARE_ROWS_MAX: usize = 400;
const OTHER: &str = "other";
/// What the ledger calls requests that come in.
pub(crate) const INGRESS: &str = "ingress";
/// What the ledger calls messages that are taken from a queue.
pub(crate) const MESSAGE: &str = "message";

type Key = (Option<RunId>, Arc<str>, Outcome);

/// Counts since the start of the service.
#[derive(Debug)]
pub(crate) struct Ledger {
    rows: RwLock<Rows>,
    other: Arc<str>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { rows: RwLock::default(), other: Arc::from(OTHER) }
    }
}

#[derive(Debug, Default)]
struct Rows {
    counters: HashMap<Key, AtomicU64>,
    /// How many of them have a run.
    of_runs: usize,
}

pub(crate) fn run_of(class: &Class) -> Option<RunId> {
    match class {
        Class::Shadow(shadow) => Some(shadow.run),
        Class::Live | Class::Unknown => None,
    }
}

/// Whether the proof of isolation stands on the row, so that it keeps its name while there is any room.
fn is_proof((_, resource, outcome): &Key) -> bool {
    matches!(outcome, Outcome::TagLost | Outcome::Leak) || matches!(&**resource, INGRESS | MESSAGE | OTHER)
}

impl Rows {
    fn add(&self, key: &Key) -> bool {
        let counter = self.counters.get(key);
        counter.map(|counter| counter.fetch_add(1, Ordering::Relaxed)).is_some()
    }

    fn has_room(&self, key: &Key) -> bool {
        if is_proof(key) {
            return self.counters.len() < LEDGER_ROWS_MAX + SPARE_ROWS_MAX;
        }
        match key.0 {
            Some(_) => self.of_runs < ROWS_OF_RUNS_MAX,
            None => self.counters.len() - self.of_runs < ROWS_WITHOUT_RUN_MAX,
        }
    }

    /// Drops the rows of runs that are over, but for the one that is counted just now.
    fn drop_closed(&mut self, counted: RunId, is_over: impl Fn(RunId) -> bool) {
        self.counters.retain(|(run, ..), _| run.is_none_or(|run| run == counted || !is_over(run)));
        self.of_runs = self.counters.keys().filter(|(run, ..)| run.is_some()).count();
    }

    /// Begins a row, or goes on with one.
    fn begin(&mut self, key: Key) {
        let of_run = key.0.is_some();
        let before = self.counters.len();
        self.counters.entry(key).or_default().fetch_add(1, Ordering::Relaxed);
        self.of_runs += usize::from(of_run && self.counters.len() > before);
    }
}

impl Ledger {
    fn read(&self) -> RwLockReadGuard<'_, Rows> {
        // Counters hold no invariant that a panic could break.
        self.rows.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one decision. `is_over` tells whether a run is closed; it is asked only when the rows are full.
    pub(crate) fn count(
        &self,
        class: &Class,
        resource: impl Into<Arc<str>>,
        outcome: Outcome,
        is_over: impl Fn(RunId) -> bool,
    ) {
        let run = run_of(class);
        let key = (run, resource.into(), outcome);
        let folded = || (run, Arc::clone(&self.other), outcome);
        {
            let rows = self.read();
            if rows.add(&key) || (!rows.has_room(&key) && rows.add(&folded())) {
                return;
            }
        }
        let folded = folded();
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(run) = run
            && !rows.has_room(&key)
        {
            rows.drop_closed(run, is_over);
        }
        let key = if rows.counters.contains_key(&key) || rows.has_room(&key) {
            key
        } else if rows.counters.contains_key(&folded) || rows.has_room(&folded) {
            folded
        } else {
            // At most one row for each outcome, beyond all limits.
            (None, folded.1, outcome)
        };
        rows.begin(key);
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
        let mut rows: Vec<_> = self.read().counters.iter().map(row).collect();
        rows.sort_by(|a, b| (&a.run, &a.resource, a.outcome).cmp(&(&b.run, &b.resource, b.outcome)));
        rows
    }
}

#[cfg(test)]
mod tests {
    use peakdrill_shadow_tag::{By, RunState, Shadow};

    use super::*;

    /// What an OpenTelemetry instrument keeps apart.
    const ATTRIBUTE_SETS_MAX: usize = 2_000;

    fn shadow(run: &str) -> Class {
        let (run, env) = (run.parse().unwrap(), "e".parse().unwrap());
        Class::Shadow(Shadow { run, env, state: RunState::Running, by: By::Token })
    }

    fn fill(ledger: &Ledger, class: &Class, resources: usize, is_over: impl Fn(RunId) -> bool) {
        for n in 0..resources {
            ledger.count(class, format!("t{n}"), Outcome::Refused, &is_over);
        }
    }

    fn of(ledger: &Ledger, run: &str, resource: &str) -> Option<u64> {
        let rows = ledger.snapshot("s");
        rows.iter().find(|row| row.run == run && row.resource == resource).map(|row| row.count)
    }

    fn total(ledger: &Ledger) -> u64 {
        ledger.snapshot("s").iter().map(|row| row.count).sum()
    }

    #[test]
    fn live_rows_are_bounded_and_take_none_of_a_runs() {
        let ledger = Ledger::default();
        for _ in 0..2 {
            fill(&ledger, &Class::Live, 3_000, |_| false);
        }
        ledger.count(&Class::Unknown, INGRESS, Outcome::UnknownIn, |_| false);
        assert_eq!(ledger.snapshot("s").len(), ROWS_WITHOUT_RUN_MAX + 2);
        assert_eq!(of(&ledger, "", OTHER), Some(2 * (3_000 - ROWS_WITHOUT_RUN_MAX as u64)));
        assert_eq!(of(&ledger, "", INGRESS), Some(1));
        assert_eq!(total(&ledger), 6_001);
        fill(&ledger, &shadow("r1"), ROWS_OF_RUNS_MAX, |_| false);
        assert_eq!(of(&ledger, "r1", "t999"), Some(1));
        assert_eq!(of(&ledger, "r1", OTHER), None);
    }

    #[test]
    fn closed_runs_give_way_and_running_ones_do_not() {
        let ledger = Ledger::default();
        let closed: RunId = "old".parse().unwrap();
        fill(&ledger, &shadow("old"), 400, |_| false);
        fill(&ledger, &shadow("running"), 700, |_| false);
        assert_eq!(of(&ledger, "running", OTHER), Some(100));
        ledger.count(&shadow("new"), "orders", Outcome::ShadowWrite, |run| run == closed);
        assert_eq!(of(&ledger, "new", "orders"), Some(1));
        assert!(ledger.snapshot("s").iter().all(|row| row.run != "old"));
        assert_eq!(of(&ledger, "running", "t599"), Some(1));
        // What a closed run still does is counted, and forgets nothing of what it did.
        fill(&ledger, &shadow("old"), 500, |run| run == closed);
        ledger.count(&shadow("old"), "t0", Outcome::Refused, |run| run == closed);
        assert_eq!(of(&ledger, "old", "t0"), Some(2));
    }

    #[test]
    fn the_rows_of_the_proof_keep_their_names() {
        let ledger = Ledger::default();
        fill(&ledger, &Class::Live, 600, |_| false);
        for run in ["r1", "r2"] {
            fill(&ledger, &shadow(run), 1_200, |_| false);
        }
        let proof = [
            (INGRESS, Outcome::ShadowIn),
            (INGRESS, Outcome::TagLost),
            (MESSAGE, Outcome::ShadowIn),
            ("orders", Outcome::TagLost),
            ("orders", Outcome::Leak),
        ];
        for run in ["r1", "r2", "r3"] {
            for (resource, outcome) in proof {
                ledger.count(&shadow(run), resource, outcome, |_| false);
            }
        }
        let rows = ledger.snapshot("s");
        for run in ["r1", "r2", "r3"] {
            for (resource, outcome) in proof {
                let row =
                    |row: &&LedgerRow| (&*row.run, &*row.resource, row.outcome) == (run, resource, outcome);
                assert_eq!(
                    rows.iter().find(row).map(|row| row.count),
                    Some(1),
                    "{run} {resource} {outcome:?}"
                );
            }
        }
        assert_eq!(total(&ledger), 600 + 2 * 1_200 + 15);
    }

    #[test]
    fn there_is_an_end_to_rows_and_none_to_counts() {
        let ledger = Ledger::default();
        fill(&ledger, &Class::Live, 600, |_| false);
        for n in 0..500 {
            for outcome in Outcome::ALL {
                ledger.count(&shadow(&format!("r{n}")), format!("t{n}"), outcome.0, |_| false);
            }
        }
        assert!(ledger.snapshot("s").len() < ATTRIBUTE_SETS_MAX, "{}", ledger.snapshot("s").len());
        assert_eq!(total(&ledger), 600 + 500 * Outcome::ALL.len() as u64);
    }
}
