//! Where connections leave their completions for the shard, and wait while many answers arrive at once.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::task::{Context, Waker};

use peakdrill_timebase::{MonoNs, NS_PER_MS, NS_PER_US};

use crate::driver::Completion;

/// Answers read in one go from which on further ones are only read, and so timed, at first.
const HELD_FROM: usize = 128;
/// The burst is over when nothing was read for so long, in nanoseconds.
const QUIET_NS: u64 = 100 * NS_PER_US;
/// Longest time for which answers are held, in nanoseconds.
const HELD_MAX_NS: u64 = 50 * NS_PER_MS;
/// Answers that are let go at once: few, so that what arrives meanwhile is read soon.
const RELEASED_AT_ONCE: usize = 32;

/// A queue within one thread. It holds at most two completions per exchange in flight.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    queue: RefCell<VecDeque<Completion>>,
    waker: RefCell<Option<Waker>>,
    /// Answers read since the shard began to wait.
    read: Cell<usize>,
    held: RefCell<Held>,
}

/// Connections whose answers were read, and wait to be understood: at most one per exchange in flight.
#[derive(Debug, Default)]
struct Held {
    wakers: VecDeque<Waker>,
    since: MonoNs,
    last: MonoNs,
}

impl Hub {
    /// Adds a completion and wakes the shard.
    pub(crate) fn push(&self, completion: Completion) {
        self.push_quietly(completion);
        self.wake();
    }

    /// Adds a completion that can wait until the shard is awake anyway.
    pub(crate) fn push_quietly(&self, completion: Completion) {
        self.queue.borrow_mut().push_back(completion);
    }

    pub(crate) fn next(&self) -> Option<Completion> {
        self.queue.borrow_mut().pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.borrow().len()
    }

    /// Wakes this task at the next [`Self::push`] or [`Self::hold`].
    pub(crate) fn register(&self, cx: &Context<'_>) {
        *self.waker.borrow_mut() = Some(cx.waker().clone());
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// The shard begins to wait.
    pub(crate) fn begin_turn(&self) {
        if !self.holds() {
            self.read.set(0);
        }
    }

    /// An answer, or the beginning of one, was read at this time. Whether its connection has to wait, because many
    /// arrive at once and the others have to be read first; its task is then woken later.
    pub(crate) fn hold(&self, cx: &Context<'_>, at: MonoNs) -> bool {
        self.read.set(self.read.get() + 1);
        if self.read.get() <= HELD_FROM {
            return false;
        }
        let mut held = self.held.borrow_mut();
        held.last = at;
        if held.wakers.is_empty() {
            held.since = at;
        }
        held.wakers.push_back(cx.waker().clone());
        drop(held);
        self.wake();
        true
    }

    pub(crate) fn holds(&self) -> bool {
        !self.held.borrow().wakers.is_empty()
    }

    /// Lets some go, if nothing more arrives or they were held for long enough.
    pub(crate) fn release(&self, now: MonoNs) {
        let mut held = self.held.borrow_mut();
        if now.since(held.last) < QUIET_NS && now.since(held.since) < HELD_MAX_NS {
            return;
        }
        let some = held.wakers.len().min(RELEASED_AT_ONCE);
        held.wakers.drain(..some).for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = NS_PER_MS;

    #[test]
    fn few_answers_are_never_held() {
        let hub = Hub::default();
        let cx = Context::from_waker(Waker::noop());
        for turn in 0..10 {
            hub.begin_turn();
            assert!((0..HELD_FROM).all(|_| !hub.hold(&cx, MonoNs(turn))));
        }
        assert!(!hub.holds());
    }

    #[test]
    fn a_burst_is_held_until_it_is_over_and_then_let_go_bit_by_bit() {
        let hub = Hub::default();
        let cx = Context::from_waker(Waker::noop());
        let count = || hub.held.borrow().wakers.len();
        let held = (0..HELD_FROM + 100).filter(|_| hub.hold(&cx, MonoNs(MS))).count();
        assert_eq!(held, 100);
        assert_eq!(count(), 100);
        hub.release(MonoNs(MS + QUIET_NS - 1));
        assert_eq!(count(), 100);
        hub.release(MonoNs(MS + QUIET_NS));
        assert_eq!(count(), 100 - RELEASED_AT_ONCE);
        // One more arrives: it is read first.
        assert!(hub.hold(&cx, MonoNs(2 * MS)));
        hub.release(MonoNs(2 * MS));
        assert_eq!(count(), 101 - RELEASED_AT_ONCE);
        hub.begin_turn();
        assert!(hub.hold(&cx, MonoNs(2 * MS)), "the burst is not over because the shard had something to do");
        // However many arrive, none is held for ever.
        let late = MonoNs(MS + HELD_MAX_NS);
        assert!(hub.hold(&cx, late));
        while hub.holds() {
            hub.release(late);
        }
        hub.begin_turn();
        assert!(!hub.hold(&cx, late));
    }
}
