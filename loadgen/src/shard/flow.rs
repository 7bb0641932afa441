//! Journeys: begun when they are due, moved from step to step, ended.

use std::cmp::Reverse;

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_timebase::{Clock as _, MonoNs, NS_PER_MS};
use peakdrill_wire_ws::key_of;

use super::{ARRIVALS_PER_TURN_MAX, OVERDUE_MAX_NS, Parts, Shard, Timer, USER_PAUSE_MS, Users, Wake};
use crate::arrivals::USERS_INDEX_BITS;
use crate::driver::{Driver, ExchangeId};
use crate::extract::Fault;
use crate::program::{Unwritten, WsCode};
use crate::recorder::{End, Place};
use crate::session::{Current, Exhausted, Next, Session, prepare};
use crate::tagging::Ids;

/// A journey that is due.
struct Due {
    index: u64,
    phase: u16,
    intended: MonoNs,
    user: Option<usize>,
}

/// How much of what was due has been started.
enum Fired {
    /// All of it: so many.
    All(usize),
    /// As much as may be at once; there may be more.
    Some,
}

impl<D: Driver> Shard<D> {
    /// Starts what is due, once in a quantum.
    pub(super) fn fire_due(&mut self, now: MonoNs) {
        if now < self.fired_at.plus(self.pacer.quantum_ns()) {
            return;
        }
        let (timers, arrivals) = (self.fire_timers(now), self.fire_arrivals(now));
        if let (Fired::All(a), Fired::All(b)) = (timers, arrivals)
            && a + b > 0
        {
            self.fired_at = now;
        }
    }

    fn fire_arrivals(&mut self, now: MonoNs) -> Fired {
        for k in 0..ARRIVALS_PER_TURN_MAX {
            let Some(arrival) = self.next_arrival else {
                return Fired::All(k);
            };
            let intended = self.parts.start_at.plus(arrival.at_ns);
            // Read anew for each: starting the ones before it took time.
            let now = self.parts.clock.mono().max(now);
            if intended > now {
                return Fired::All(k);
            }
            // Looked at after the clock: a change whose instant is not in the future any more is seen here.
            if self.parts.control.changed() != self.heeded {
                self.heed();
                continue;
            }
            self.next_arrival = self.parts.arrivals.next();
            self.begin(Due { index: arrival.index, phase: arrival.phase, intended, user: None }, now);
        }
        Fired::Some
    }

    /// Follows the changes of the schedule: the arrival that was looked up is looked up anew.
    pub(super) fn heed(&mut self) {
        for change in self.parts.control.changes(self.heeded) {
            self.heeded += 1;
            if let Err(error) = self.parts.arrivals.change(&change) {
                // Not what the other shards send any more.
                self.parts.control.fail(error.to_string());
                continue;
            }
            if !self.stopping {
                self.next_arrival = self.parts.arrivals.next();
            }
            self.move_users();
        }
    }

    /// Takes over where the closed-loop phases lie now.
    fn move_users(&mut self) {
        for (k, users) in self.users.iter_mut().enumerate() {
            let Some(phase) = self.parts.arrivals.user_phase(users.phase.phase) else { continue };
            if phase.start_ns != users.phase.start_ns {
                let at = self.parts.start_at.plus(phase.start_ns);
                self.timers.push(Reverse(Timer { at, wake: Wake::Users(k) }));
            }
            users.phase = phase;
        }
    }

    /// Counts the arrivals that were due when the load was stopped, and that nothing starts any more. Else the load
    /// would look as if all of it had been sent up to its end.
    pub(super) fn miss_what_is_due(&mut self, now: MonoNs) {
        while let Some(arrival) = self.next_arrival {
            let intended = self.parts.start_at.plus(arrival.at_ns);
            if intended > now {
                return;
            }
            self.next_arrival = self.parts.arrivals.next();
            let place = Place { intended, phase: arrival.phase, step: None };
            self.recorder.intended(place);
            self.recorder.missed(place);
            self.overdue_ns = self.overdue_ns.max(now.since(intended));
        }
    }

    /// Pauses that are over, up to a limit: what has arrived is read in between.
    fn fire_timers(&mut self, now: MonoNs) -> Fired {
        for k in 0..ARRIVALS_PER_TURN_MAX {
            let Some(Reverse(timer)) = self.timers.peek().copied().filter(|Reverse(timer)| timer.at <= now)
            else {
                return Fired::All(k);
            };
            self.timers.pop();
            match timer.wake {
                Wake::Session(key, birth) => {
                    if self.sessions.get(key).is_some_and(|session| session.birth == birth) {
                        self.advance(key, timer.at, now);
                    }
                }
                // Users begin by being free; this only woke the shard.
                Wake::Users(_) => {}
                Wake::User(k) => self.free_user(k),
            }
        }
        Fired::Some
    }

    fn free_user(&mut self, k: usize) {
        if let Some(users) = self.users.get_mut(k) {
            users.free += 1;
        }
    }

    /// Whether users of a closed-loop phase are free to begin.
    pub(super) fn may_begin(&self, users: &Users, now: MonoNs) -> bool {
        let at = |ns| self.parts.start_at.plus(ns);
        users.free > 0 && !self.stopping && now >= at(users.phase.start_ns) && now < at(users.phase.end_ns)
    }

    /// Free users start their next journeys, up to a limit: what has arrived is read in between.
    pub(super) fn fire_users(&mut self, now: MonoNs) {
        for k in 0..self.users.len() {
            if !self.users.get(k).is_some_and(|users| self.may_begin(users, now)) {
                continue;
            }
            let Some(users) = self.users.get_mut(k) else {
                return;
            };
            let starting = users.free.min(ARRIVALS_PER_TURN_MAX as u32);
            users.free -= starting;
            let (first, phase) = (users.begun, users.phase.phase);
            users.begun += u64::from(starting);
            let base = (u64::from(phase) + 1) << USERS_INDEX_BITS;
            for n in first..first + u64::from(starting) {
                let index = base + n * self.parts.shards as u64 + self.parts.shard as u64;
                self.begin(Due { index, phase, intended: now, user: Some(k) }, now);
            }
        }
    }

    fn begin(&mut self, due: Due, now: MonoNs) {
        let place = Place { intended: due.intended, phase: due.phase, step: None };
        self.recorder.intended(place);
        let lateness_ns = now.since(due.intended);
        self.overdue_ns = self.overdue_ns.max(lateness_ns);
        let open = due.user.is_none();
        if open && (lateness_ns > OVERDUE_MAX_NS || self.sessions.len() >= self.parts.max_in_flight) {
            return self.recorder.missed(place);
        }
        let journey = self.parts.program.journey_of(due.phase, due.index);
        let Some(code) = self.parts.program.journeys.get(journey) else {
            return self.recorder.missed(place);
        };
        let mut memory = self.spare.take();
        if let Err(exhausted) = prepare(&mut memory, &self.parts.program.feeders, code, due.index) {
            if let Exhausted::Fail(feeder) = exhausted {
                self.parts.control.fail(format!("feeder `{feeder}` has no row left"));
            }
            self.spare.give(memory);
            self.recorder.missed(place);
            return self.pause_user(due.user, now);
        }
        self.next_seq = self.next_seq.wrapping_add(1);
        let key = self.sessions.insert(Session {
            index: due.index,
            journey,
            phase: due.phase,
            intended: due.intended,
            lateness_ns,
            pc: 0,
            turn: 0,
            memory,
            user: due.user,
            started: false,
            current: None,
            birth: self.next_seq,
            connections: 0,
            opened_for: None,
        });
        self.advance(key, due.intended, now);
    }

    /// Moves a session on from a point in time: the end of its last step or pause, or its intended start. `now` is that
    /// or later.
    pub(super) fn advance(&mut self, key: usize, from: MonoNs, now: MonoNs) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        if self.stopping && session.started {
            return self.end(key, from, Some(ErrorClass::Cancelled));
        }
        match session.step(&self.parts.program) {
            Next::Request(request) => self.send(key, request, from, now),
            Next::Think(ns) => {
                session.opened_for = None;
                let wake = Wake::Session(key, session.birth);
                self.timers.push(Reverse(Timer { at: from.plus(ns), wake }));
            }
            Next::End => {
                self.mark_started(key);
                self.end(key, from, None);
            }
        }
    }

    /// Writes, tags and submits a request. `now` need not be read anew: what is due is checked when it is sent.
    fn send(&mut self, key: usize, request: usize, intended: MonoNs, now: MonoNs) {
        let Parts { program, stamper, driver, clock, .. } = &mut self.parts;
        let (Some(session), Some(code)) = (self.sessions.get_mut(key), program.requests.get(request)) else {
            return;
        };
        self.next_seq = self.next_seq.wrapping_add(1);
        let id = ExchangeId { key: key as u32, seq: self.next_seq };
        let ids = Ids::NONE;
        let current = Current { id, request, step: code.step, ids, intended, submitted: now, sent: None };
        session.current = Some(current);
        if code.is_message() {
            return self.say(key, current, now);
        }
        let mut wire = driver.buffer();
        let nonce = code.ws.as_ref().map(|_| key_of(stamper.nonce()));
        let owner = code.ws.as_ref().map(|ws| session.owner(key, ws.connection));
        let (values, jar) = session.values(program, clock.unix_of(now));
        let written = code.write((&values, jar), stamper, &mut wire, &mut self.scratch, nonce.as_ref());
        let written = match written {
            Ok(written) => written,
            Err(why) => {
                driver.recycle(wire);
                return self.unwritten(id, now, why);
            }
        };
        let submission = code.submission(id, &written, wire, owner.zip(nonce.as_ref()));
        let submitted = driver.submit(submission);
        session.current = Some(Current { ids: written.ids, submitted: submitted.at, ..current });
        if submitted.sent {
            self.on_sent(id, submitted.at);
        }
    }

    /// Sends a message over a connection of the journey, or waits for one. Where that was opened for it, it has waited
    /// since its own start.
    fn say(&mut self, key: usize, current: Current, now: MonoNs) {
        let Parts { program, stamper, driver, clock, .. } = &mut self.parts;
        let (Some(session), Some(code)) = (self.sessions.get_mut(key), program.requests.get(current.request))
        else {
            return;
        };
        let opened_for = session.opened_for.take();
        let (intended, begun) = opened_for.unwrap_or((current.intended, now));
        let ids = stamper.unsent_ids();
        session.current = Some(Current { ids, intended, submitted: begun, ..current });
        let unix = clock.unix_of(now);
        let sends = code.ws.as_ref().is_some_and(WsCode::sends);
        if sends && stamper.may_send(unix.seconds().max(0).unsigned_abs()).is_err() {
            return self.unwritten(current.id, now, Unwritten::NoToken);
        }
        let owner = session.owner(key, code.ws.as_ref().map_or(0, |ws| ws.connection));
        let payload = driver.buffer();
        let (values, _) = session.values(program, unix);
        match code.message((current.id, owner), &values, payload, &mut self.scratch) {
            Ok(Some(message)) => {
                let submitted = driver.say(message).at;
                let submitted = if opened_for.is_some() { begun } else { submitted };
                session.current = Some(Current { ids, intended, submitted, ..current });
            }
            Ok(None) => {}
            Err(why) => self.unwritten(current.id, now, why),
        }
    }

    fn unwritten(&mut self, id: ExchangeId, at: MonoNs, why: Unwritten) {
        match why {
            Unwritten::Unfilled(detail) => {
                // Nothing was sent whose answer would hold a closed-loop user back.
                let user = self.sessions.get_mut(id.key as usize).and_then(|session| session.user.take());
                self.done(id, at, Err(Fault { class: ErrorClass::ExtractFailed, detail }));
                self.pause_user(user, at);
            }
            Unwritten::NoToken => self.not_sent(id, at, ErrorClass::Cancelled),
        }
    }

    /// Counts a journey as started, once.
    pub(super) fn mark_started(&mut self, key: usize) {
        let Some(session) = self.sessions.get_mut(key).filter(|session| !session.started) else {
            return;
        };
        session.started = true;
        let place = Place { intended: session.intended, phase: session.phase, step: None };
        self.recorder.started(place, session.lateness_ns);
    }

    /// Ends a journey.
    pub(super) fn end(&mut self, key: usize, at: MonoNs, error: Option<ErrorClass>) {
        let Some(session) = self.sessions.try_remove(key) else {
            return;
        };
        self.parts.driver.leave(key as u32, session.birth, session.connections);
        let place = Place { intended: session.intended, phase: session.phase, step: None };
        if session.started {
            let latency_ns = at.since(session.intended);
            self.recorder.ended(place, End { latency_ns, service_ns: None, error, ack_missing: false });
        } else {
            self.recorder.missed(place);
        }
        let unreachable = matches!(
            error,
            Some(ErrorClass::Dns | ErrorClass::Connect | ErrorClass::ConnectRefused | ErrorClass::Tls)
        );
        match session.user {
            Some(_) if unreachable || !session.started => self.pause_user(session.user, at),
            Some(k) => self.free_user(k),
            None => {}
        }
        self.spare.give(session.memory);
    }

    /// A user that cannot send tries again a little later: without an answer nothing else would hold it back.
    fn pause_user(&mut self, user: Option<usize>, now: MonoNs) {
        if let Some(k) = user {
            let at = now.plus(USER_PAUSE_MS * NS_PER_MS);
            self.timers.push(Reverse(Timer { at, wake: Wake::User(k) }));
        }
    }

    /// Ends the journeys that are in a pause.
    pub(super) fn end_thinkers(&mut self, now: MonoNs) {
        let pausing = self.sessions.iter().filter(|(_, session)| session.current.is_none());
        let keys: Vec<usize> = pausing.map(|(key, _)| key).collect();
        keys.into_iter().for_each(|key| self.end(key, now, Some(ErrorClass::Cancelled)));
    }
}
