//! Bytes that may be held between the receivers and the fold.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// How long a request waits for room before it is refused: a burst passes, and a client that is told to try again
/// stays away for a second.
const ROOM_WAIT: Duration = Duration::from_millis(200);
/// Of the budget, the part that requests may ask for which wait for room.
const WAITING_PART: usize = 4;
/// Of that, the part that one is counted as at most: a large one may wait as well, and small ones beside it.
const LARGEST_PART: usize = 2;

/// Bytes that may wait between the receivers and the fold, those of requests that are not whole yet included.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicUsize,
    max: usize,
    /// The most that was used at any time.
    most: AtomicUsize,
    /// Bytes that requests wait for.
    waiting: AtomicUsize,
    given_back: Notify,
    /// Somebody waits for room: requests that take their time give way.
    wanted: Notify,
}

impl Budget {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        let zero = || AtomicUsize::new(0);
        let (used, most, waiting) = (zero(), zero(), zero());
        Arc::new(Self { used, max, most, waiting, given_back: Notify::new(), wanted: Notify::new() })
    }

    /// The most that was used at any time.
    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::Acquire)
    }

    /// A charge of nothing, to grow.
    pub(crate) fn nothing(self: &Arc<Self>) -> Charge {
        Charge { budget: Arc::clone(self), bytes: 0 }
    }

    /// A part of the budget; `None` when there is no room.
    pub(crate) fn charge(self: &Arc<Self>, bytes: usize) -> Option<Charge> {
        let mut charge = self.nothing();
        charge.grow(bytes).then_some(charge)
    }

    /// For what must not be refused: it leaves less to the receivers.
    pub(crate) fn charge_always(self: &Arc<Self>, bytes: usize) -> Charge {
        let before = self.used.fetch_add(bytes, Ordering::AcqRel);
        self.most.fetch_max(before + bytes, Ordering::AcqRel);
        Charge { budget: Arc::clone(self), bytes }
    }

    /// Ends when somebody waits for room.
    pub(crate) async fn wanted(&self) {
        self.wanted.notified().await;
    }
}

/// A request that waits for room, counted until it is dropped: its client may go away meanwhile.
struct Waits<'a> {
    budget: &'a Budget,
    bytes: usize,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.budget.waiting.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// A part of the budget, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Charge {
    /// Bytes that it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes more; false when there is no room. One request always fits, however small the budget is, and nothing always does.
    pub(crate) fn grow(&mut self, more: usize) -> bool {
        if more == 0 {
            return true;
        }
        let (own, max) = (self.bytes, self.budget.max);
        let fits = |used: usize| (used == own || used + more <= max).then_some(used + more);
        let Ok(before) = self.budget.used.try_update(Ordering::AcqRel, Ordering::Acquire, fits) else {
            return false;
        };
        self.budget.most.fetch_max(before + more, Ordering::AcqRel);
        self.bytes += more;
        true
    }

    /// As [`Self::grow`], when there is room within [`ROOM_WAIT`] and not too much waits already.
    pub(crate) async fn grow_soon(&mut self, more: usize) -> bool {
        if self.grow(more) {
            return true;
        }
        let budget = Arc::clone(&self.budget);
        // Also where it may not wait: who has taken long gives way to the next.
        budget.wanted.notify_waiters();
        let most = budget.max / WAITING_PART;
        let counted = more.min(most / LARGEST_PART);
        let may_wait = |waiting: usize| (waiting + counted <= most).then_some(waiting + counted);
        if budget.waiting.try_update(Ordering::AcqRel, Ordering::Acquire, may_wait).is_err() {
            return false;
        }
        let _waits = Waits { budget: &budget, bytes: counted };
        let room = async {
            loop {
                let given_back = budget.given_back.notified();
                if self.grow(more) {
                    return;
                }
                given_back.await;
            }
        };
        tokio::time::timeout(ROOM_WAIT, room).await.is_ok()
    }

    /// Gives back what is over so many bytes.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let over = self.bytes.saturating_sub(bytes);
        if over > 0 {
            self.bytes -= over;
            self.budget.used.fetch_sub(over, Ordering::AcqRel);
            self.budget.given_back.notify_waiters();
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn charge_soon(budget: &Arc<Budget>, bytes: usize) -> Option<Charge> {
        let mut charge = budget.nothing();
        charge.grow_soon(bytes).await.then_some(charge)
    }

    #[tokio::test]
    async fn a_request_waits_for_room_but_not_for_ever() {
        let budget = Budget::new(100);
        let first = budget.charge(90).unwrap();
        let waiting = tokio::spawn({
            let budget = Arc::clone(&budget);
            async move { charge_soon(&budget, 80).await.is_some() }
        });
        while budget.waiting.load(Ordering::Acquire) == 0 {
            tokio::task::yield_now().await;
        }
        // However much it is: beside it there is room for another, but for a quarter of the budget in all.
        let beside = Waits { budget: &budget, bytes: 10 };
        budget.waiting.fetch_add(10, Ordering::AcqRel);
        assert!(charge_soon(&budget, 20).await.is_none());
        drop(beside);
        drop(first);
        assert!(waiting.await.unwrap());
        let again = budget.charge(90).unwrap();
        assert!(charge_soon(&budget, 20).await.is_none(), "the time is over");
        drop(again);
        let held = [&budget.used, &budget.waiting].map(|bytes| bytes.load(Ordering::Acquire));
        assert_eq!((held, budget.most()), ([0, 0], 90));
    }

    #[test]
    fn who_asks_for_nothing_gets_it_though_the_budget_is_passed() {
        let budget = Budget::new(100);
        let mut first = budget.charge(10).unwrap();
        let _always = budget.charge_always(200);
        assert!(first.grow(0) && !first.grow(1));
    }

    #[test]
    fn a_charge_grows_within_the_budget_and_one_alone_always_does() {
        let budget = Budget::new(100);
        let mut alone = budget.charge(150).unwrap();
        assert!(alone.grow(50) && budget.charge(1).is_none());
        alone.shrink_to(60);
        let mut other = budget.charge(30).unwrap();
        assert!(!other.grow(11) && other.grow(10) && !alone.grow(1));
        drop(alone);
        assert!(other.grow(1_000) && other.bytes() == 1_040);
        drop(other);
        assert_eq!(budget.used.load(Ordering::Acquire), 0);
    }
}
