//! Who is served when: pure arithmetic.

use peakdrill_timebase::{MonoNs, NS_PER_S};

use super::service_times::ServiceTimes;

/// Longest line in front of a node, in nanoseconds of waiting. Whoever would wait longer is turned away.
pub(crate) const WAIT_MAX_NS: u64 = 120 * NS_PER_S;

/// The line in front of the node is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the line is longer than {} s", WAIT_MAX_NS / NS_PER_S)]
pub(crate) struct Overloaded;

/// When a job is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Booking {
    /// When its slot is free for it.
    pub(crate) start: MonoNs,
    /// When it is done.
    pub(crate) deadline: MonoNs,
}

/// First come, first served, by m servers.
#[derive(Debug)]
pub(super) struct Book {
    free_at: Vec<MonoNs>,
    times: ServiceTimes,
}

impl Book {
    pub(super) fn new(slots: usize, times: ServiceTimes) -> Self {
        Self { free_at: vec![MonoNs::default(); slots.max(1)], times }
    }

    pub(super) fn book(&mut self, now: MonoNs) -> Result<Booking, Overloaded> {
        let slot = self.free_at.iter_mut().min().ok_or(Overloaded)?;
        let start = now.max(*slot);
        if start.since(now) > WAIT_MAX_NS {
            return Err(Overloaded);
        }
        let deadline = start.plus(self.times.next_ns());
        *slot = deadline;
        Ok(Booking { start, deadline })
    }
}

#[cfg(test)]
mod tests {
    use peakdrill_timebase::{MonoNs, NS_PER_MS, NS_PER_S};

    use super::super::service_times::{BLOCK, ServiceTimes};
    use super::{Book, Overloaded, WAIT_MAX_NS};

    #[test]
    fn an_idle_node_serves_at_once_and_a_busy_one_in_order() {
        let mut book = Book::new(2, ServiceTimes::new(50 * NS_PER_MS, 1));
        let now = MonoNs(NS_PER_S);
        let [first, second, third] = [0, 1, 2].map(|_| book.book(now).unwrap());
        assert_eq!((first.start, second.start), (now, now));
        assert_eq!(third.start, first.deadline.min(second.deadline));
        let later = MonoNs(10 * NS_PER_S);
        assert_eq!(book.book(later).unwrap().start, later);
    }

    #[test]
    fn throughput_is_slots_over_service_time() {
        let (slots, mean_ns) = (5, 50 * NS_PER_MS);
        let mut book = Book::new(slots, ServiceTimes::new(mean_ns, 7));
        let jobs = BLOCK as u64 * 10;
        let last = (0..jobs).map(|_| book.book(MonoNs(0)).unwrap().deadline).max().unwrap();
        let per_s = jobs as f64 * 1e9 / last.0 as f64;
        assert!((per_s / 100.0 - 1.0).abs() < 0.02, "{per_s}");
    }

    #[test]
    fn the_line_has_an_end() {
        let mut book = Book::new(1, ServiceTimes::new(NS_PER_S, 1));
        let admitted = (0..1_000).take_while(|_| book.book(MonoNs(0)).is_ok()).count() as u64;
        assert!(admitted.abs_diff(WAIT_MAX_NS / NS_PER_S) <= 10, "{admitted}");
        assert_eq!(book.book(MonoNs(0)), Err(Overloaded));
        assert!(book.book(MonoNs(WAIT_MAX_NS)).is_ok());
    }
}
