//! Which connections have something to do: their wakers put them on one list, and wake the shard once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// The list. It holds every connection once; one that got a turn out of order may be on it a second time.
#[derive(Debug, Default)]
pub(super) struct Ready(Mutex<List>);

#[derive(Debug, Default)]
struct List {
    keys: Vec<usize>,
    shard: Option<Waker>,
}

/// Puts one connection on the list.
#[derive(Debug)]
pub(super) struct Bell {
    key: usize,
    rung: AtomicBool,
    ready: Arc<Ready>,
}

impl Ready {
    fn list(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection's way onto the list.
    pub(super) fn bell(self: &Arc<Self>, key: usize) -> Arc<Bell> {
        Arc::new(Bell { key, rung: AtomicBool::new(false), ready: Arc::clone(self) })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list().keys.is_empty()
    }

    /// Forgets all of them.
    pub(super) fn clear(&self) {
        self.list().keys.clear();
    }

    /// Exchanges the list for an empty one. This task is woken when something comes onto that.
    pub(super) fn collect(&self, waker: &Waker, keys: &mut Vec<usize>) {
        keys.clear();
        let mut list = self.list();
        if !list.shard.as_ref().is_some_and(|known| known.will_wake(waker)) {
            list.shard = Some(waker.clone());
        }
        std::mem::swap(&mut list.keys, keys);
    }
}

impl Bell {
    /// Whether it was rung since the last [`Self::answer`].
    pub(super) fn is_rung(&self) -> bool {
        self.rung.load(Ordering::Acquire)
    }

    /// The connection gets its turn; from now on it can come onto the list again.
    pub(super) fn answer(&self) {
        self.rung.store(false, Ordering::Release);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            let mut list = self.ready.list();
            list.keys.push(self.key);
            if list.keys.len() == 1
                && let Some(shard) = &list.shard
            {
                shard.wake_by_ref();
            }
        }
    }
}
