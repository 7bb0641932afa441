//! What the outside tells the shards.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Flags that every shard looks at, at least every [`crate::shard::TICK_MS`].
#[derive(Debug, Default)]
pub(crate) struct Control {
    go: AtomicBool,
    stop: AtomicBool,
    cut: AtomicBool,
    failed: Mutex<Option<String>>,
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
