//! Limited capacity that is exactly what was planted.
//!
//! A job gets the slot that is free first, and a deadline: the moment that slot was free, or now if that is
//! later, and the job's service time. Deadlines follow from each other and never from when a timer woke up, so
//! that late timers cost a job a millisecond and the node no throughput at all.

mod book;
mod service_times;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use peakdrill_timebase::{Clock as _, MonoNs, OsClock};

pub(crate) use book::{Booking, Overloaded};

use crate::capacity::Capacity;
use book::Book;
use service_times::ServiceTimes;

/// The slots of one node, shared by everyone who wants an operation of it.
#[derive(Debug)]
pub(crate) struct Slots {
    clock: OsClock,
    book: Mutex<Book>,
}

impl Slots {
    pub(crate) fn new(capacity: Capacity, seed: u64, clock: OsClock) -> Self {
        let times = ServiceTimes::new(capacity.mean_ns, seed);
        Self { clock, book: Mutex::new(Book::new(capacity.slots, times)) }
    }

    /// Takes a place in the line, from now on.
    pub(crate) fn book(&self) -> Result<Booking, Overloaded> {
        // The book is whole between any two statements, so a poisoned lock still holds a whole one.
        self.book.lock().unwrap_or_else(PoisonError::into_inner).book(self.clock.mono())
    }

    /// Waits in line and is served.
    pub(crate) async fn serve(&self) -> Result<(), Overloaded> {
        let booking = self.book()?;
        wait_until(&self.clock, booking.deadline).await;
        Ok(())
    }
}

/// Waits until the clock shows this time; at most a timer tick (1 ms) longer.
pub(crate) async fn wait_until(clock: &OsClock, until: MonoNs) {
    let instant = clock.origin() + Duration::from_nanos(until.0);
    tokio::time::sleep_until(instant.into()).await;
}
