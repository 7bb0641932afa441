//! Who reads the table of runs, and since when they know what it says.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A hop that asked within this time is expected to ask again.
const STILL_THERE: Duration = Duration::from_secs(3);
/// Hops that are kept track of; of more, the rest is not waited for.
const HEARERS_MAX: usize = 1_024;

/// When each hop, by its connection, last read the table.
#[derive(Debug, Default)]
pub(crate) struct Hearers {
    asked: Mutex<HashMap<SocketAddr, Instant>>,
    changed: Condvar,
}

impl Hearers {
    /// A hop was given the table as it is at `at`.
    pub(crate) fn heard(&self, hop: SocketAddr, at: Instant) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() >= HEARERS_MAX {
            asked.retain(|_, last| at.duration_since(*last) < STILL_THERE);
        }
        if asked.len() < HEARERS_MAX || asked.contains_key(&hop) {
            asked.insert(hop, at);
        }
        self.changed.notify_all();
    }

    /// Waits until every hop that was there has read the table as it is since `since`, at most for `limit`. Whether
    /// all have.
    pub(crate) fn all_heard(&self, since: Instant, limit: Duration) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let late = |last: &&Instant| **last < since && since.duration_since(**last) < STILL_THERE;
            if asked.values().find(late).is_none() {
                return true;
            }
            let Some(left) =
                (since + limit).checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
            else {
                return false;
            };
            let waited = self.changed.wait_timeout(asked, left);
            asked = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn hop(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn only_hops_that_are_there_are_waited_for() {
        let hearers = Hearers::default();
        let now = Instant::now() + STILL_THERE * 2;
        assert!(hearers.all_heard(now, Duration::ZERO), "nobody reads");
        hearers.heard(hop(1), now - STILL_THERE);
        assert!(hearers.all_heard(now, Duration::ZERO), "gone");
        hearers.heard(hop(1), now - Duration::from_secs(1));
        hearers.heard(hop(2), now);
        assert!(
            !hearers.all_heard(now - Duration::from_millis(500), Duration::ZERO),
            "one has not read it yet"
        );
    }

    #[test]
    fn the_last_to_read_ends_the_wait() {
        let hearers = Arc::new(Hearers::default());
        let since = Instant::now();
        hearers.heard(hop(1), since.checked_sub(Duration::from_secs(1)).unwrap_or(since));
        let other = Arc::clone(&hearers);
        let reads = std::thread::spawn(move || other.heard(hop(1), Instant::now()));
        assert!(hearers.all_heard(since, Duration::from_secs(20)));
        reads.join().unwrap();
    }
}
