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
/// After a wait that was cut short by that, nothing is held before so few answers came in one go: many that never end
/// are no burst, and to hold them again and again would delay the journeys' next steps.
const CALM: usize = 32;
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
    /// The longest time was over before the burst was.
    endless: bool,
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
            self.held.borrow_mut().endless &= self.read.get() > CALM;
            self.read.set(0);
        }
    }

    /// An answer, or the beginning of one, was read at this time. Whether its connection has to wait, because many
    /// arrive at once and the others have to be read first; its task is then woken later.
    pub(crate) fn hold(&self, cx: &Context<'_>, at: MonoNs) -> bool {
        self.read.set(self.read.get() + 1);
        let mut held = self.held.borrow_mut();
        if self.read.get() <= HELD_FROM || held.endless {
            return false;
        }
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
        if now.since(held.last) < QUIET_NS {
            if now.since(held.since) < HELD_MAX_NS {
                return;
            }
            held.endless = true;
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
    #[test]
    fn answers_that_never_end_are_held_once_until_it_is_calm_again() {
        let hub = Hub::default();
        let cx = Context::from_waker(Waker::noop());
        let burst = |at| (0..HELD_FROM + 10).filter(|_| hub.hold(&cx, MonoNs(at))).count();
        let let_go = |at| {
            while hub.holds() {
                hub.release(MonoNs(at));
            }
            hub.begin_turn();
        };
        assert_eq!(burst(0), 10);
        assert!(hub.hold(&cx, MonoNs(HELD_MAX_NS)), "they still arrive");
        let_go(HELD_MAX_NS);
        assert_eq!(burst(HELD_MAX_NS), 0);
        hub.begin_turn();
        assert_eq!(burst(HELD_MAX_NS), 0);
        hub.begin_turn();
        hub.begin_turn();
        assert_eq!(burst(HELD_MAX_NS), 10, "nothing was read in the turn before");
    }
}
