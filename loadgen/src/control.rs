//! What the outside tells the shards.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use peakdrill_drill_model::timeline::Change;

/// Most changes of the schedule of one run.
pub const CHANGES_MAX: usize = 10_000;

/// Flags that every shard looks at, at least every [`crate::shard::TICK_MS`].
#[derive(Debug, Default)]
pub(crate) struct Control {
    go: AtomicBool,
    stop: AtomicBool,
    cut: AtomicBool,
    failed: Mutex<Option<String>>,
    changes: Mutex<Vec<Change>>,
    /// How many there are: looked at before every arrival.
    changed: AtomicUsize,
}

impl Control {
    pub(crate) fn go(&self) {
        self.go.store(true, Ordering::Release);
    }

    pub(crate) fn may_go(&self) -> bool {
        self.go.load(Ordering::Acquire)
    }

    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// Also lets shards go that wait for the start, so that they end.
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::Release);
        self.stop();
        self.go();
    }

    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    /// Adds a change of the schedule; whether there was room.
    pub(crate) fn change(&self, change: Change) -> bool {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if changes.len() == CHANGES_MAX {
            return false;
        }
        changes.push(change);
        self.changed.store(changes.len(), Ordering::SeqCst);
        true
    }

    /// How many changes there were.
    pub(crate) fn changed(&self) -> usize {
        self.changed.load(Ordering::SeqCst)
    }

    /// The changes from a number on, in order.
    pub(crate) fn changes(&self, from: usize) -> Vec<Change> {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.get(from..).unwrap_or_default().to_vec()
    }

    /// Ends the run as failed. The first reason stays.
    pub(crate) fn fail(&self, because: String) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.get_or_insert(because);
        self.stop();
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
