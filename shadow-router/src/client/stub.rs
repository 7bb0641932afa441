//! A stub: a third party of known latency, and of limited concurrency where one is set.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use peakdrill_shadow_rules::{STUB_LATENCY_MAX_NS, Stub};
use tokio::time::Instant;

use super::Response;

/// Longest time from a call to its stub's answer; a call that would wait longer for a slot is shed.
pub const STUB_WAIT_MAX: Duration = Duration::from_nanos(STUB_LATENCY_MAX_NS);
/// Most calls that wait for one stub's answer at once where it has no slots; more are shed. As many as the most slots
/// that a rule may give it.
pub const STUB_SLEEPING_MAX: usize = 65_536;

/// One stubbed host.
#[derive(Debug)]
pub(super) struct StubServer {
    status: StatusCode,
    body: Bytes,
    median_ns: f64,
    sigma: f64,
    state: Mutex<State>,
    /// How many calls wait for their answer.
    sleeping: AtomicUsize,
}

#[derive(Debug)]
struct State {
    /// When each slot is free again; `None` where any number of calls is served at once.
    free: Option<Vec<Instant>>,
    chance: Chance,
}

impl StubServer {
    pub(super) fn new(stub: &Stub, slots: Option<NonZeroU32>, seed: u64) -> Self {
        let free = slots.map(|slots| vec![Instant::now(); slots.get() as usize]);
        Self {
            status: StatusCode::from_u16(stub.status).unwrap_or(StatusCode::BAD_GATEWAY),
            body: Bytes::from(stub.body.clone()),
            median_ns: stub.latency_median_ns as f64,
            sigma: stub.latency_sigma,
            state: Mutex::new(State { free, chance: Chance(seed) }),
            sleeping: AtomicUsize::new(0),
        }
    }

    /// Takes a call, to be answered when the stub's latency, and the wait for a slot before it, is over; `None` when
    /// too many calls wait already.
    pub(super) fn take(self: &Arc<Self>) -> Option<Answer> {
        let mut answer = Answer { due: Instant::now(), server: Arc::clone(self) };
        // Counted from here on; an answer that is dropped, waited for or not, is counted no more.
        let before = self.sleeping.fetch_add(1, Ordering::Relaxed);
        answer.due = self.reserve(answer.due, before)?;
        Some(answer)
    }

    /// Takes a slot, and tells when the answer is due. A slot's next call begins when its last was due, and not when
    /// some timer fired, so that late timers do not lower what the stub serves.
    fn reserve(&self, now: Instant, sleeping: usize) -> Option<Instant> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let latency =
            Duration::from_nanos((self.median_ns * (self.sigma * state.chance.normal()).exp()) as u64);
        let Some(free) = state.free.as_mut() else {
            return (sleeping < STUB_SLEEPING_MAX).then(|| now + latency.min(STUB_WAIT_MAX));
        };
        let slot = free.iter_mut().min()?;
        let due = now.max(*slot) + latency.min(STUB_WAIT_MAX);
        if due.duration_since(now) > STUB_WAIT_MAX {
            return None;
        }
        *slot = due;
        Some(due)
    }
}

/// An answer on its way.
#[derive(Debug)]
pub(super) struct Answer {
    due: Instant,
    server: Arc<StubServer>,
}

impl Answer {
    /// Waits until it is due.
    pub(super) async fn wait(self) -> Response {
        tokio::time::sleep_until(self.due).await;
        Response::mock(self.server.status, self.server.body.clone())
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.server.sleeping.fetch_sub(1, Ordering::Relaxed);
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014), and from it normal numbers by the transform of Box and Muller.
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in (0, 1].
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let (radius, angle) = (self.uniform(), self.uniform());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(sigma: f64, slots: u32) -> StubServer {
        let stub = Stub {
            host: "bank".to_owned(),
            status: 200,
            latency_median_ns: 80_000_000,
            latency_sigma: sigma,
            body: String::new(),
            slots: None,
        };
        StubServer::new(&stub, NonZeroU32::new(slots), 7)
    }

    #[test]
    fn the_latency_has_the_median_and_the_spread() {
        let (server, now) = (server(0.4, 0), Instant::now());
        let mut all: Vec<f64> =
            (0..20_001).map(|_| (server.reserve(now, 0).unwrap() - now).as_secs_f64()).collect();
        all.sort_by(f64::total_cmp);
        assert!((all[10_000] / 0.08 - 1.0).abs() < 0.02, "{}", all[10_000]);
        // The 84.13 % quantile of a lognormal is median * e^sigma.
        assert!((all[16_827] / (0.08 * 0.4_f64.exp()) - 1.0).abs() < 0.03, "{}", all[16_827]);
    }

    #[test]
    fn slots_make_a_queue_and_its_end_is_bounded() {
        let server = server(0.0, 2);
        let now = Instant::now();
        let due = |n: u32| Duration::from_millis(80) * n;
        let first: Vec<_> = (0..4).map(|_| server.reserve(now, 0).unwrap() - now).collect();
        let late = |n: usize| first[n].saturating_sub(due([1, 1, 2, 2][n]));
        assert!((0..4).all(|n| late(n) < Duration::from_millis(5)), "{first:?}");
        let mut served = 4;
        while server.reserve(now, 0).is_some() {
            served += 1;
        }
        assert_eq!(served, 2 * (STUB_WAIT_MAX.as_millis() as usize / 80));
    }
    #[test]
    fn without_slots_there_is_an_end_to_the_calls_that_wait() {
        let server = Arc::new(server(0.0, 0));
        let mut waiting: Vec<_> = (0..STUB_SLEEPING_MAX).map(|_| server.take().unwrap()).collect();
        assert!(server.take().is_none());
        // A call that is given up makes room for one.
        waiting.pop();
        waiting.push(server.take().unwrap());
        assert!(server.take().is_none());
        drop(waiting);
        assert_eq!(server.sleeping.load(Ordering::Relaxed), 0);
    }
}
