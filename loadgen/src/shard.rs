//! A shard: one thread, its own part of the arrivals, its own connections, no lock shared with another.

mod flow;
mod report;
mod settle;

pub use report::LAST_BATCH_WAIT_MS;
pub(crate) use settle::{judge, opened};

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::task::Poll;

use peakdrill_drill_model::plan::Pacing;
use peakdrill_timebase::{Clock as _, MonoNs, NS_PER_MS, NS_PER_S, OsClock};
use slab::Slab;

use crate::alarm::Alarm;
use crate::arrivals::{Arrival, Stream, UserPhase};
use crate::batch::{BATCH_EVERY_MS, Batch};
use crate::control::Control;
use crate::driver::{Driver, ExchangeId};
use crate::json::Found;
use crate::pacer::Pacer;
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
/// Completions that are settled before what they led to is sent.
const COMPLETIONS_PER_FLUSH: usize = 16;
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
    /// Changes of the schedule that were followed.
    heeded: usize,
    tick_at: MonoNs,
    batch_at: MonoNs,
    /// When all that was due was started.
    fired_at: MonoNs,
    pacer: Pacer,
    /// Processor time and arrivals when the pacing was reviewed last, and when that was.
    reviewed: (u64, u64, MonoNs),
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
            heeded: 0,
            tick_at: MonoNs(0),
            batch_at: parts.clock.mono().plus(BATCH_EVERY_MS * NS_PER_MS),
            fired_at: MonoNs(0),
            pacer: Pacer::new(parts.pacing),
            reviewed: (0, 0, MonoNs(0)),
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
            self.fire_users(now);
            self.fire_due(now);
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
        if self.parts.control.changed() != self.heeded {
            self.heed();
        }
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
        // The rest takes a while, and what was handed over counts as sent.
        self.parts.driver.flush();
        if let Some(because) = self.parts.driver.failure() {
            self.parts.control.fail(because);
        }
        self.pacer.fit_lead(TICK_MS * NS_PER_MS + now.since(self.tick_at));
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
            && !self.parts.driver.is_leaving()
            && (self.stopping || self.users.iter().all(users_over))
    }

    /// The time at which something is due, not counting completions, and how long before it is to be polled for.
    fn due(&self, now: MonoNs) -> (MonoNs, u64) {
        if self.users.iter().any(|users| self.may_begin(users, now)) {
            return (now, 0);
        }
        let timer = self.timers.peek().map(|Reverse(timer)| timer.at);
        let arrival = self.next_arrival.as_ref().map(|arrival| self.parts.start_at.plus(arrival.at_ns));
        let start = timer.into_iter().chain(arrival).min();
        let start = start.map(|at| at.max(self.fired_at.plus(self.pacer.quantum_ns())));
        match start.filter(|at| *at < self.tick_at) {
            Some(at) => (at, self.pacer.lead_ns()),
            None => (self.tick_at, 0),
        }
    }

    /// Waits until something is due or has completed.
    async fn wait(&mut self, alarm: &mut Alarm) {
        let (due, lead) = self.due(self.parts.clock.mono());
        let mut polled = Polled::default();
        if self.parts.driver.is_alone() {
            self.wait_alone(due, lead, &mut polled);
        } else {
            self.wait_in_runtime(due, lead, alarm, &mut polled).await;
        }
        self.read_up_to = polled.read_up_to.unwrap_or(self.read_up_to);
        if let Some(since) = polled.since {
            self.pacer.has_polled(self.parts.clock.mono().min(due).since(since));
        }
    }

    /// The same while the thread has nothing else to do: the driver itself sleeps, for the sockets alone.
    fn wait_alone(&mut self, due: MonoNs, lead: u64, polled: &mut Polled) {
        let (patience, slack) = (self.pacer.patience_ns(), self.pacer.slack_ns());
        let driver = &mut self.parts.driver;
        let mut now = self.parts.clock.mono();
        loop {
            let left = due.since(now);
            if 0 < left && left <= lead {
                polled.since.get_or_insert(now);
            }
            // What has arrived is looked for before the next round even when that is due already.
            let sleeps = left > lead && !driver.has_next() && !goes_on(driver, patience);
            driver.wait(if sleeps { left - lead + slack } else { 0 }, patience);
            if driver.all_read() {
                polled.read_up_to = Some(now);
            }
            polled.turns += 1;
            now = self.parts.clock.mono();
            let over = now >= due;
            // Many answers at once are all read, and so timed, before any is dealt with. What is due is not put off by it.
            let burst = goes_on(driver, patience) && polled.turns < BURST_TURNS_MAX && !over;
            if !burst && (driver.has_next() || over || !driver.is_alone()) {
                return;
            }
        }
    }

    /// The same while connections are being opened, or some are in TLS.
    async fn wait_in_runtime(&mut self, due: MonoNs, lead: u64, alarm: &mut Alarm, polled: &mut Polled) {
        let began = self.parts.clock.mono();
        poll_fn(|cx| {
            self.parts.driver.turn(cx);
            polled.turns += 1;
            let first = polled.turns == 1;
            if !first && self.parts.driver.all_read() {
                polled.read_up_to = Some(began);
            }
            let now = self.parts.clock.mono();
            let left = due.since(now);
            let burst = self.parts.driver.has_turns() && polled.turns < BURST_TURNS_MAX && left > 0;
            if !burst && (self.parts.driver.has_next() || left == 0 && !first) {
                return Poll::Ready(());
            }
            if !burst && 0 < left && left <= lead {
                polled.since.get_or_insert(now);
            }
            if burst || left == 0 || left <= lead {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if alarm.poll_at(MonoNs(due.0.saturating_sub(lead)), cx).is_ready() {
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await;
    }
}

/// Whether there is more to be read at once. With some patience single answers that come meanwhile can wait for the next
/// time; where many came, the rest of the burst is read before any of it is dealt with.
fn goes_on(driver: &impl Driver, patience: u64) -> bool {
    driver.has_turns() && (patience == 0 || driver.moved_many())
}

/// What came of waiting.
#[derive(Debug, Default)]
struct Polled {
    turns: u32,
    /// Since when it was polled for what is due.
    since: Option<MonoNs>,
    /// All that had arrived by then was read.
    read_up_to: Option<MonoNs>,
}

#[cfg(test)]
mod tests;
