//! A shard: one thread, its own part of the arrivals, its own connections, no lock shared with another.

mod flow;
mod report;
mod settle;

pub use report::LAST_BATCH_WAIT_MS;
pub(crate) use settle::judge;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::task::Poll;

use peakdrill_timebase::{Clock as _, MonoNs, NS_PER_MS, NS_PER_S, OsClock};
use slab::Slab;

use crate::arrivals::{Arrival, Stream, UserPhase};
use crate::batch::{BATCH_EVERY_MS, Batch};
use crate::control::Control;
use crate::driver::{Driver, ExchangeId};
use crate::json::Found;
use crate::pacer::{Alarm, ECONOMY_QUANTUM_NS, Pacing, SPIN_NS};
use crate::program::{Program, Scratch};
use crate::recorder::Recorder;
use crate::sample::Picker;
use crate::session::{Session, Spare};
use crate::tagging::Stamper;

/// How often flags, time limits and waiting requests are looked at, in milliseconds.
pub const TICK_MS: u64 = 10;
/// An arrival that is later than this is missed: the engine is overloaded, in nanoseconds.
pub const OVERDUE_MAX_NS: u64 = NS_PER_S;
/// How long a request may be over its limit while there is always more to read before its answer could be known not to
/// be there, in nanoseconds.
const READ_BEHIND_MAX_NS: u64 = NS_PER_S;
/// Arrivals that are started before connections get their turn.
const ARRIVALS_PER_TURN_MAX: usize = 64;
/// Turns of the driver in which the answers of a burst are read before any is dealt with, at most.
const BURST_TURNS_MAX: u32 = 64;
/// Completions that are settled before the clock is looked at again.
const COMPLETIONS_PER_TURN_MAX: usize = 256;
/// Pause of a closed-loop user whose journey could not be sent, in milliseconds.
const USER_PAUSE_MS: u64 = 100;

/// What a shard is made of.
pub(crate) struct Parts<D> {
    pub(crate) shard: usize,
    pub(crate) shards: usize,
    pub(crate) program: Arc<Program>,
    pub(crate) control: Arc<Control>,
    pub(crate) clock: OsClock,
    pub(crate) start_at: MonoNs,
    pub(crate) pacing: Pacing,
    pub(crate) max_in_flight: usize,
    pub(crate) arrivals: Stream,
    pub(crate) user_phases: Vec<UserPhase>,
    pub(crate) driver: D,
    pub(crate) stamper: Stamper,
    pub(crate) steps: usize,
    pub(crate) out: SyncSender<Batch>,
}

/// A shard at work.
pub(crate) struct Shard<D> {
    parts: Parts<D>,
    next_arrival: Option<Arrival>,
    users: Vec<Users>,
    sessions: Slab<Session>,
    timers: BinaryHeap<Reverse<Timer>>,
    /// Requests under way by their limit, each list in order of its deadlines.
    deadlines: Vec<(u64, VecDeque<(MonoNs, ExchangeId)>)>,
    recorder: Recorder,
    picker: Picker,
    /// Room for what a request is made of.
    scratch: Scratch,
    /// Room for what stands in the body of an answer.
    found: Found,
    spare: Spare,
    next_seq: u32,
    stopping: bool,
    tick_at: MonoNs,
    batch_at: MonoNs,
    arrivals_at: MonoNs,
    /// All that had arrived by then was read.
    read_up_to: MonoNs,
    overdue_ns: u64,
    batches_lost: u64,
}

/// The users of a closed-loop phase on this shard.
#[derive(Debug)]
struct Users {
    phase: UserPhase,
    /// Users that start a journey at the next turn.
    free: u32,
    /// Journeys begun so far.
    begun: u64,
}

/// Something that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Timer {
    at: MonoNs,
    wake: Wake,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wake {
    /// A session's pause is over; its place and birth.
    Session(usize, u32),
    /// The users of this closed-loop phase begin.
    Users(usize),
    /// One user of this closed-loop phase goes on.
    User(usize),
}

/// What a shard did, over its whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShardReport {
    /// Which one.
    pub shard: usize,
    /// Processor time of its thread, in nanoseconds.
    pub cpu_ns: u64,
    /// Time from the start of the load to its end, in nanoseconds.
    pub wall_ns: u64,
    /// Journeys that the schedule held (closed loop: that were begun).
    pub intended: u64,
    /// Of these, started.
    pub started: u64,
    /// Of these, missed.
    pub missed: u64,
    /// Requests sent.
    pub sent: u64,
    /// Requests that ended.
    pub completed: u64,
    /// Of these, errors.
    pub errors: u64,
    /// Connections opened.
    pub connections_opened: u64,
    /// Batches that were never taken.
    pub batches_lost: u64,
}

impl<D: Driver> Shard<D> {
    pub(crate) fn new(mut parts: Parts<D>) -> Self {
        let (start_at, shard, shards) = (parts.start_at, parts.shard, parts.shards);
        let share = |users: u32| {
            let (users, shard, shards) = (users as usize, shard, shards);
            (users / shards + usize::from(shard < users % shards)) as u32
        };
        let users = |phase: &UserPhase| Users { phase: *phase, free: share(phase.users), begun: 0 };
        let users: Vec<Users> = parts.user_phases.iter().map(users).collect();
        let begin = |(k, users): (usize, &Users)| {
            Reverse(Timer { at: start_at.plus(users.phase.start_ns), wake: Wake::Users(k) })
        };
        Self {
            timers: users.iter().enumerate().map(begin).collect(),
            users,
            next_arrival: parts.arrivals.next(),
            sessions: Slab::new(),
            deadlines: Vec::new(),
            recorder: Recorder::new(start_at),
            picker: Picker::new(parts.steps),
            scratch: Scratch::default(),
            found: Found::default(),
            spare: Spare::default(),
            next_seq: 0,
            stopping: false,
            tick_at: MonoNs(0),
            batch_at: parts.clock.mono().plus(BATCH_EVERY_MS * NS_PER_MS),
            arrivals_at: MonoNs(0),
            read_up_to: MonoNs(0),
            overdue_ns: 0,
            batches_lost: 0,
            parts,
        }
    }

    /// Runs the load to its end.
    pub(crate) async fn run(mut self, mut alarm: Alarm) -> ShardReport {
        loop {
            let now = self.parts.clock.mono();
            self.obey(now);
            self.settle();
            self.fire_timers(now);
            self.fire_users(now);
            self.fire_arrivals(now);
            if now >= self.tick_at {
                self.tick(now);
            }
            if self.is_over(now) {
                return self.finish().await;
            }
            self.wait(&mut alarm).await;
        }
    }

    fn obey(&mut self, now: MonoNs) {
        if !self.stopping && self.parts.control.stopped() {
            self.stopping = true;
            self.miss_what_is_due(now);
            self.next_arrival = None;
            self.parts.driver.withdraw(now);
            self.end_thinkers(now);
        }
        if self.stopping && self.parts.control.is_cut() && !self.sessions.is_empty() {
            self.cut();
        }
    }

    fn tick(&mut self, now: MonoNs) {
        self.tick_at = now.plus(TICK_MS * NS_PER_MS);
        let known = MonoNs(now.0.saturating_sub(READ_BEHIND_MAX_NS)).max(self.read_up_to);
        self.time_out(now.min(known), now);
        self.parts.driver.tick(now);
        if now >= self.batch_at {
            self.batch_at = now.plus(BATCH_EVERY_MS * NS_PER_MS);
            self.tell(now, false);
        }
    }

    fn is_over(&self, now: MonoNs) -> bool {
        let users_over = |users: &Users| now >= self.parts.start_at.plus(users.phase.end_ns);
        self.next_arrival.is_none()
            && self.sessions.is_empty()
            && (self.stopping || self.users.iter().all(users_over))
    }

    /// The time at which something is due, not counting completions.
    fn due(&self, now: MonoNs) -> MonoNs {
        let mut due = self.tick_at;
        if self.users.iter().any(|users| self.may_begin(users, now)) {
            return now;
        }
        if let Some(Reverse(timer)) = self.timers.peek() {
            due = due.min(timer.at);
        }
        if let Some(arrival) = &self.next_arrival {
            let at = self.parts.start_at.plus(arrival.at_ns);
            due = due.min(match self.parts.pacing {
                Pacing::Precise => at,
                Pacing::Economy => at.max(self.arrivals_at.plus(ECONOMY_QUANTUM_NS)),
            });
        }
        due
    }

    /// Waits until something is due or has completed.
    async fn wait(&mut self, alarm: &mut Alarm) {
        let began = self.parts.clock.mono();
        let due = self.due(began);
        let precise = self.parts.pacing == Pacing::Precise;
        let (mut turns, mut polled) = (0, false);
        let mut read_up_to = None;
        poll_fn(|cx| {
            self.parts.driver.turn(cx);
            turns += 1;
            if polled && self.parts.driver.all_read() {
                read_up_to = Some(began);
            }
            let left = due.since(self.parts.clock.mono());
            // Many answers at once are all read, and so timed, before any is dealt with. What is due is not put off by it.
            let burst = self.parts.driver.has_turns() && turns < BURST_TURNS_MAX && left > 0;
            // What has arrived is looked for before the next round even when that is due already.
            if !burst && (self.parts.driver.has_next() || left == 0 && polled) {
                return Poll::Ready(());
            }
            let first = !std::mem::replace(&mut polled, true);
            if burst || left == 0 && first || precise && left <= SPIN_NS {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let early = if precise { SPIN_NS } else { 0 };
            if alarm.poll_at(MonoNs(due.0.saturating_sub(early)), cx).is_ready() {
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await;
        self.read_up_to = read_up_to.unwrap_or(self.read_up_to);
    }
}

#[cfg(test)]
mod tests;
