//! Completions: counted, judged, and the journey moved on.

use std::collections::VecDeque;

use peakdrill_drill_model::frame::RootRow;
use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_timebase::{Clock as _, MonoNs};
use slab::Slab;

use super::{COMPLETIONS_PER_FLUSH, COMPLETIONS_PER_TURN_MAX, Shard};
use crate::answer::Answer;
use crate::batch::Sample;
use crate::cookies::TooMuch;
use crate::driver::{Completion, Driver, ExchangeId, NotSent, Passed};
use crate::extract::{Fault, Reply, Verdict};
use crate::grpc;
use crate::json::Found;
use crate::program::{Program, WsCode};
use crate::recorder::{End, Place};
use crate::sample;
use crate::session::{Current, Session};
use crate::tagging::refusal;

/// What is said of a request that no connection was free for.
const ALL_BUSY: &str = "all connections were busy for as long as opening one may take";

/// The status of an answer that grants an upgrade.
const SWITCHED: u16 = 101;

/// A request that ended, for the books.
struct Closing {
    current: Current,
    phase: u16,
    at: MonoNs,
    fault: Option<Fault>,
    acked: Option<bool>,
    answer: Option<Answer>,
}

fn under_way(sessions: &mut Slab<Session>, id: ExchangeId) -> Option<(&mut Session, Current)> {
    let session = sessions.get_mut(id.key as usize)?;
    let current = session.current.filter(|current| current.id == id)?;
    Some((session, current))
}

impl<D: Driver> Shard<D> {
    pub(super) fn settle(&mut self) {
        for turn in 1..=COMPLETIONS_PER_TURN_MAX {
            if turn % COMPLETIONS_PER_FLUSH == 0 {
                self.parts.driver.flush();
            }
            match self.parts.driver.next() {
                None => return,
                Some(Completion::Sent { id, at }) => self.on_sent(id, at),
                Some(Completion::Done { id, at, result }) => self.done(id, at, result),
                Some(Completion::Passed { id, passed }) => self.passed(id, passed),
                Some(Completion::NotSent { id, at, why: NotSent::NoConnection }) => self.unserved(id, at),
                Some(Completion::NotSent { id, at, why: NotSent::Expired | NotSent::Stopped }) => {
                    self.not_sent(id, at, ErrorClass::Cancelled);
                }
            }
        }
    }

    /// The session of an exchange, if that is still the one under way.
    fn session_of(&mut self, id: ExchangeId) -> Option<(&mut Session, Current)> {
        under_way(&mut self.sessions, id)
    }

    pub(super) fn on_sent(&mut self, id: ExchangeId, at: MonoNs) {
        let Some((session, current)) = self.session_of(id) else {
            return;
        };
        session.current = Some(Current { sent: Some(at), ..current });
        let place = Place { intended: current.intended, phase: session.phase, step: Some(current.step) };
        self.mark_started(id.key as usize);
        let lateness = current.submitted.since(current.intended);
        self.recorder.sent(place, lateness, Some(at.since(current.submitted)));
        let limit = self.parts.program.requests.get(current.request).map_or(0, |code| code.timeout_ns);
        let deadline = (at.plus(limit), id);
        match self.deadlines.iter_mut().find(|(known, _)| *known == limit) {
            Some((_, list)) => list.push_back(deadline),
            None => self.deadlines.push((limit, [deadline].into())),
        }
    }

    /// Counts messages that a step passed over.
    fn passed(&mut self, id: ExchangeId, passed: Passed) {
        if let Some((session, current)) = self.session_of(id) {
            let place = Place { intended: current.intended, phase: session.phase, step: Some(current.step) };
            self.recorder.passed(place, passed);
        }
    }

    /// Ends requests whose limit was over at `read_up_to`, the time up to which answers were read. They are found within
    /// a tick.
    pub(super) fn time_out(&mut self, read_up_to: MonoNs, now: MonoNs) {
        let over = |(_, list): &(u64, VecDeque<(MonoNs, ExchangeId)>)| {
            list.front().is_some_and(|(at, _)| *at <= read_up_to)
        };
        // An answer that came in time may be on its way through here.
        if self.deadlines.iter().any(over) {
            self.settle_all();
        }
        for k in 0..self.deadlines.len() {
            while let Some((at, id)) = self.deadlines.get(k).and_then(|(_, list)| list.front().copied()) {
                let open = self.session_of(id).is_some();
                if open && at > read_up_to {
                    break;
                }
                if let Some((_, list)) = self.deadlines.get_mut(k) {
                    list.pop_front();
                }
                if open {
                    let passed = self.parts.driver.cancel(id);
                    self.passed(id, passed);
                    let detail = match passed.over {
                        0 => "no full answer in time".to_owned(),
                        over => format!("none of {over} messages that came in time was the answer"),
                    };
                    self.done(id, now, Err(Fault { class: ErrorClass::Timeout, detail }));
                }
            }
        }
    }

    /// All connections were busy for as long as opening one may take. A journey that has not started is missed. A
    /// request of one under way is one that its user waited for in vain: it fails, and how long it had waited is the
    /// least that its latency can have been. Left out, the slowest requests would be missing from the quantiles.
    fn unserved(&mut self, id: ExchangeId, at: MonoNs) {
        match self.session_of(id).map(|(session, current)| (session.started, current.submitted)) {
            Some((true, submitted)) => {
                let fault = Fault { class: ErrorClass::ConnectTimeout, detail: ALL_BUSY.into() };
                self.conclude(id, at, Err(fault), Some(at.since(submitted)));
            }
            Some((false, _)) => self.not_sent(id, at, ErrorClass::ConnectTimeout),
            None => {}
        }
    }

    /// A request was given up unsent, for a reason that is not the target's.
    pub(super) fn not_sent(&mut self, id: ExchangeId, at: MonoNs, class: ErrorClass) {
        let Some((session, current)) = self.session_of(id) else {
            return;
        };
        session.current = None;
        if session.started {
            let place = Place { intended: current.intended, phase: session.phase, step: Some(current.step) };
            self.recorder.missed(place);
        }
        self.end(id.key as usize, at, Some(class));
    }

    /// A request ended, with an answer or without.
    pub(super) fn done(&mut self, id: ExchangeId, at: MonoNs, result: Result<Answer, Fault>) {
        self.conclude(id, at, result, None);
    }

    /// The same, for one that was never handed over after it had waited so long for a connection.
    fn conclude(
        &mut self,
        id: ExchangeId,
        at: MonoNs,
        result: Result<Answer, Fault>,
        waited_ns: Option<u64>,
    ) {
        let Some((session, current)) = under_way(&mut self.sessions, id) else {
            return;
        };
        session.current = None;
        let (phase, mut ends) = (session.phase, false);
        let (fault, answer) = match result {
            Err(failed) => (Some(failed), None),
            Ok(got) => {
                opened(&self.parts.program, session, &current, got.status);
                let now_unix_s = self.parts.clock.unix_of(at).seconds();
                let judged = judge(&self.parts.program, session, &current, &got, &mut self.found, now_unix_s);
                if let Ok(Verdict { outcome: Some(name), .. }) = judged {
                    let place = Place { intended: current.intended, phase, step: Some(current.step) };
                    self.recorder.outcome(place, name);
                }
                ends = judged.as_ref().is_ok_and(|verdict| verdict.ends);
                (judged.err(), Some(got))
            }
        };
        let code = self.parts.program.requests.get(current.request);
        let tagged = code.is_none_or(|code| !code.is_message());
        let acked = answer.as_ref().filter(|_| tagged);
        let acked = acked.and_then(|got| self.parts.stamper.acked(got.heads(), current.ids.trace));
        if current.sent.is_none() {
            self.mark_started(id.key as usize);
            let place = Place { intended: current.intended, phase, step: Some(current.step) };
            self.recorder.sent(place, current.submitted.since(current.intended), waited_ns);
        }
        let error = fault.as_ref().map(|fault| fault.class);
        self.close(Closing { current, phase, at, fault, acked, answer });
        match error {
            None if ends => self.end(id.key as usize, at, None),
            None => self.advance(id.key as usize, at, at),
            Some(_) => self.end(id.key as usize, at, error),
        }
    }

    /// Enters a request that ended into the books.
    fn close(&mut self, closing: Closing) {
        let Closing { current, phase, at, fault, acked, answer } = closing;
        let latency_ns = at.since(current.intended);
        let error = fault.as_ref().map(|fault| fault.class);
        let status = answer.as_ref().map_or(0, |answer| answer.status);
        let place = Place { intended: current.intended, phase, step: Some(current.step) };
        let service_ns = current.sent.map(|sent| at.since(sent));
        self.recorder.ended(place, End { latency_ns, service_ns, error, ack_missing: acked == Some(false) });
        let clock = self.parts.clock;
        let unix = |at: MonoNs| clock.unix_of(at).0;
        self.recorder.root(RootRow {
            trace: current.ids.trace,
            span: current.ids.span,
            step: current.step,
            phase,
            intended_ns: unix(current.intended),
            sent_ns: current.sent.map_or(0, unix),
            done_ns: unix(at),
            error,
            status,
            sampled: current.ids.sampled,
        });
        if let Some(kind) = self.picker.wants(current.step, error.is_some(), latency_ns) {
            let secrets = &self.parts.program.secrets;
            let method = self.parts.program.requests.get(current.request).and_then(|code| code.grpc.as_ref());
            let shown = answer.as_ref().map(|answer| sample::answer(answer, method));
            let (head, body) = shown.unwrap_or_default();
            self.picker.put(Sample {
                step: current.step,
                kind,
                trace: current.ids.trace,
                intended_ns: unix(current.intended),
                latency_ns,
                status,
                error,
                detail: secrets
                    .hide(fault.as_ref().map(|fault| sample::detail(&fault.detail)).unwrap_or_default()),
                head: secrets.hide(head),
                body: secrets.hide(body),
            });
        }
        if let Some(answer) = answer {
            self.parts.driver.recycle(answer.into_buffer());
        }
    }

    /// Ends everything under way, unanswered.
    pub(super) fn cut(&mut self) {
        self.settle_all();
        self.parts.driver.abort();
        let at = self.parts.clock.mono();
        let keys: Vec<usize> = self.sessions.iter().map(|(key, _)| key).collect();
        for key in keys {
            let Some(current) = self.sessions.get(key).and_then(|session| session.current) else {
                self.end(key, at, Some(ErrorClass::Cancelled));
                continue;
            };
            if current.sent.is_some() {
                let detail = "the run was cut".to_owned();
                self.done(current.id, at, Err(Fault { class: ErrorClass::Cancelled, detail }));
            } else {
                self.not_sent(current.id, at, ErrorClass::Cancelled);
            }
        }
    }

    /// Settles what has completed already, so that it is not counted as cancelled.
    fn settle_all(&mut self) {
        while self.parts.driver.has_next() {
            self.settle();
        }
    }
}

/// A connection of the journey is open from now on, when this answer says so.
pub(crate) fn opened(program: &Program, session: &mut Session, current: &Current, status: u16) {
    let ws = program.requests.get(current.request).and_then(|code| code.ws.as_ref());
    if let Some(ws) = ws.filter(|ws| ws.opens() && status == SWITCHED) {
        session.connections |= 1 << ws.connection;
        session.opened_for = Some((current.intended, current.submitted));
    }
}

/// Whether an answer is an error; takes what its journey keeps of it. A refusal by the isolation layer is one whatever
/// its status.
pub(crate) fn judge<'p>(
    program: &'p Program,
    session: &mut Session,
    current: &Current,
    answer: &Answer,
    found: &mut Found,
    now_unix_s: i64,
) -> Result<Verdict<'p>, Fault> {
    if let Some(refused) = refusal(answer.heads()) {
        return Err(refused);
    }
    let Some(code) = program.requests.get(current.request) else {
        return Ok(Verdict::default());
    };
    if code.ws.as_ref().is_some_and(WsCode::opens)
        && (..400).contains(&answer.status)
        && answer.status != SWITCHED
    {
        let detail = format!("the upgrade to WebSocket was answered with status {}", answer.status);
        return Err(Fault { class: ErrorClass::WsRefused, detail });
    }
    if let Some(origin) = code.origin() {
        let taken = session.memory.jar.take(origin, answer.fields(), now_unix_s);
        taken.map_err(|TooMuch(detail)| Fault { class: ErrorClass::ExtractFailed, detail })?;
    }
    let mut reply =
        Reply { status: answer.status, heads: answer.heads(), body: answer.content(), ..Reply::default() };
    let Some(method) = &code.grpc else {
        return code.reader.read(&reply, &mut session.memory.kept, found);
    };
    let called = grpc::called(answer)?;
    let messages = grpc::read(method, answer, called, code.reader.needs_body())?;
    (reply.called, reply.body, reply.why_no_json) = (Some(called), &messages.json, &messages.why_none);
    code.reader.read(&reply, &mut session.memory.kept, found).map_err(|fault| match fault.class {
        ErrorClass::Grpc(status) => Fault { detail: grpc::status_text(answer, status), ..fault },
        _ => fault,
    })
}
