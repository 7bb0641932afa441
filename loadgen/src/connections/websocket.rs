//! WebSocket over one connection that belongs to a journey (RFC 6455): what is heard, kept, passed over and answered.

use std::collections::VecDeque;
use std::io;

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_timebase::MonoNs;
use peakdrill_wire_http1::Sink as _;
use peakdrill_wire_ws::{
    Close, Decoder, Error, GOING_AWAY, Kind, NORMAL, Sink, put_close, put_message, put_pong,
};

use super::connection::Writing;
use super::talk::Turn;
use crate::answer::Answer;
use crate::driver::{Completion, ExchangeId, NotSent, Opening, Owner, Passed};
use crate::extract::Fault;
use crate::message::{Awaited, Message, Met};

/// Longest message that is taken, in bytes.
pub const WS_MESSAGE_MAX_BYTES: usize = 4 << 20;
/// Messages that are kept while no step waits, at most.
pub const WS_KEPT_MAX: usize = 256;
/// The same in bytes; the newest is kept whatever its length.
pub const WS_KEPT_MAX_BYTES: usize = 64 * 1024;
/// Messages that one step passes over, at most.
pub const WS_PASSED_MAX: u32 = 10_000;
/// The same in bytes.
pub const WS_PASSED_MAX_BYTES: u64 = 64 << 20;

/// What is said over a WebSocket.
pub(super) struct WebSocket {
    decoder: Decoder,
    not_after_unix_s: u64,
    /// Whether those who look for it by its owner know it.
    pub(super) known: bool,
    ears: Ears,
    /// A message that is to be written, or was taken out to be, and the answer of one that ends with that.
    unsent: Option<(ExchangeId, Vec<u8>, Option<Answer>)>,
    /// The journey is over: the peer has to close.
    leaving: bool,
}

/// What takes in messages.
struct Ears {
    owner: Owner,
    keeps: bool,
    waiting: Option<Waiting>,
    /// What came while no step waited, the oldest first.
    kept: VecDeque<Vec<u8>>,
    kept_bytes: usize,
    passed: Passed,
    /// The payload of the last ping that is not answered yet.
    ping: Option<Vec<u8>>,
    /// The code of a close frame to be sent.
    goodbye: Option<u16>,
    /// Why it is over.
    over: Option<Fault>,
}

/// A step that waits.
struct Waiting {
    id: ExchangeId,
    awaited: Awaited,
    answer: Answer,
    /// Messages that it has passed over itself, and their bytes.
    over: u32,
    bytes: u64,
}

/// Ears while something is heard.
struct Hearing<'a> {
    ears: &'a mut Ears,
    at: MonoNs,
    told: &'a mut VecDeque<Completion>,
}

impl Waiting {
    fn new(id: ExchangeId, awaited: Awaited, answer: Answer) -> Self {
        Self { id, awaited, answer, over: 0, bytes: 0 }
    }
}

impl WebSocket {
    pub(super) fn new(opening: Opening) -> Self {
        let Opening { owner, keeps, not_after_unix_s, .. } = opening;
        Self {
            decoder: Decoder::new(WS_MESSAGE_MAX_BYTES),
            not_after_unix_s,
            known: false,
            ears: Ears {
                owner,
                keeps,
                waiting: None,
                kept: VecDeque::new(),
                kept_bytes: 0,
                passed: Passed::default(),
                ping: None,
                goodbye: None,
                over: None,
            },
            unsent: None,
            leaving: false,
        }
    }

    pub(super) fn owner(&self) -> Owner {
        self.ears.owner
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving
    }

    pub(super) fn is_idle(&self) -> bool {
        self.ears.waiting.is_none() && self.unsent.is_none()
    }

    pub(super) fn carries(&self, id: ExchangeId) -> bool {
        self.ears.waiting.as_ref().is_some_and(|waiting| waiting.id == id)
            || self.unsent.as_ref().is_some_and(|(unsent, ..)| *unsent == id)
    }

    pub(super) fn received(&mut self, bytes: &[u8], at: MonoNs, told: &mut VecDeque<Completion>) -> Turn {
        let Self { decoder, ears, .. } = self;
        let mut hearing = Hearing { ears, at, told };
        if let Err(error) = decoder.feed(bytes, &mut hearing) {
            ears.end(fault(error), at, told);
            self.end_unsent(at, told);
            return Turn { freed: false, open: false };
        }
        self.end_unsent(at, told);
        // A peer that closes gets an answer to that when the connection is closed, unless it has answered itself.
        if self.leaving && self.ears.over.is_some() {
            self.ears.goodbye = None;
        }
        Turn { freed: self.has_out(), open: self.ears.over.is_none() }
    }

    pub(super) fn ended(
        &mut self,
        broken: Option<&io::Error>,
        at: MonoNs,
        told: &mut VecDeque<Completion>,
    ) -> Turn {
        let detail = broken.map_or("the connection ended without a close frame".into(), ToString::to_string);
        let fault = Fault { class: ErrorClass::Closed, detail };
        self.ears.end(fault, at, told);
        self.end_unsent(at, told);
        Turn { freed: false, open: false }
    }

    /// What was to be written will not be, once it is over.
    fn end_unsent(&mut self, at: MonoNs, told: &mut VecDeque<Completion>) {
        if let Some(fault) = self.ears.over.clone() {
            self.give_up_unsent(fault, at, told);
        }
    }

    /// What is not written yet never will be: its step ends with that, unless it has ended already.
    fn give_up_unsent(&mut self, fault: Fault, at: MonoNs, told: &mut VecDeque<Completion>) {
        let Some((id, _, answer)) = self.unsent.take() else { return };
        let waited = self.ears.waiting.take_if(|waiting| waiting.id == id).is_some();
        if waited {
            self.ears.tell_passed(id, told);
        }
        if waited || answer.is_some() {
            told.push_back(Completion::Done { id, at, result: Err(fault) });
        }
    }

    /// The load was stopped: what is not written yet is not to be.
    pub(super) fn withdraw(&mut self, at: MonoNs, told: &mut VecDeque<Completion>) {
        self.give_up_unsent(cancelled("the load was stopped before it could be written"), at, told);
    }

    /// A step sends a message or waits for one. `answer` is where its answer goes.
    pub(super) fn say(
        &mut self,
        message: Message,
        answer: Answer,
        (at, now_unix_s): (MonoNs, u64),
        mask: [u8; 4],
        told: &mut VecDeque<Completion>,
    ) {
        let Message { id, payload, wanted, .. } = message;
        if payload.is_some() && now_unix_s >= self.not_after_unix_s {
            return told.push_back(Completion::NotSent { id, at, why: NotSent::Expired });
        }
        if let (Some(_), Some(fault)) = (&payload, &self.ears.over) {
            return told.push_back(Completion::Done { id, at, result: Err(fault.clone()) });
        }
        // What is queued here is handed over: a peer that does not read may hold it up, and its time runs meanwhile.
        told.push_back(Completion::Sent { id, at });
        if let Some((kind, payload)) = payload {
            self.ears.pass_over_kept();
            let mut frame = Vec::with_capacity(payload.len() + FRAME_HEAD_MAX_BYTES);
            put_message(&mut frame, kind, &payload, mask);
            match wanted {
                Some(awaited) => {
                    self.unsent = Some((id, frame, None));
                    self.ears.waiting = Some(Waiting::new(id, awaited, answer));
                }
                None => self.unsent = Some((id, frame, Some(answer))),
            }
            return;
        }
        match wanted {
            Some(awaited) => {
                self.ears.waiting = Some(Waiting::new(id, awaited, answer));
                self.ears.look_through_kept(at, told);
            }
            None => told.push_back(Completion::Done { id, at, result: Ok(answer) }),
        }
    }

    /// The step that waits does so no more; what it had passed over.
    pub(super) fn cancel(&mut self) -> Passed {
        self.ears.waiting = None;
        self.unsent = None;
        std::mem::take(&mut self.ears.passed)
    }

    /// The journey is over: says goodbye, and waits for the peer to close.
    pub(super) fn leave(&mut self) {
        self.leaving = true;
        self.unsent = None;
        self.ears.waiting = None;
        self.ears.keeps = false;
        self.ears.kept = VecDeque::new();
        self.ears.goodbye = Some(NORMAL);
    }

    /// Whether something is to be written, or those who look for it do not know it yet.
    pub(super) fn has_out(&self) -> bool {
        let unsent = self.unsent.as_ref().is_some_and(|(_, frame, _)| !frame.is_empty());
        unsent || self.ears.ping.is_some() || self.ears.goodbye.is_some() || !self.known
    }

    /// What is to be written; `mask` gives a mask for each frame. Of a message whose token has run out nothing is.
    pub(super) fn take_out(
        &mut self,
        (at, now_unix_s): (MonoNs, u64),
        mut mask: impl FnMut() -> [u8; 4],
        told: &mut VecDeque<Completion>,
    ) -> Vec<u8> {
        if now_unix_s >= self.not_after_unix_s {
            self.give_up_unsent(cancelled("its token ran out before it could be written"), at, told);
        }
        let frame = self.unsent.as_mut().map(|(_, frame, _)| std::mem::take(frame));
        let mut out = frame.unwrap_or_default();
        if let Some(payload) = self.ears.ping.take() {
            put_pong(&mut out, &payload, mask());
        }
        if let Some(code) = self.ears.goodbye.take() {
            put_close(&mut out, code, mask());
        }
        out
    }

    /// What was taken out was handed to the socket; how far it is. A message without an answer ends with that.
    pub(super) fn handed(&mut self, writing: Writing, at: MonoNs, told: &mut VecDeque<Completion>) {
        if let Some((id, _, Some(answer))) = self.unsent.take_if(|(_, frame, _)| frame.is_empty()) {
            let failed = || Fault { class: ErrorClass::Closed, detail: "it could not be written".into() };
            let result = if writing == Writing::Failed { Err(failed()) } else { Ok(answer) };
            told.push_back(Completion::Done { id, at, result });
        }
    }
}

/// Longest head of a frame that is sent, in bytes.
const FRAME_HEAD_MAX_BYTES: usize = 14;

impl Ears {
    /// It is over: the step that waits ends with that.
    fn end(&mut self, fault: Fault, at: MonoNs, told: &mut VecDeque<Completion>) {
        if self.over.is_some() {
            return;
        }
        if let Some(Waiting { id, .. }) = self.waiting.take() {
            self.tell_passed(id, told);
            told.push_back(Completion::Done { id, at, result: Err(fault.clone()) });
        }
        self.over = Some(fault);
    }

    fn tell_passed(&mut self, id: ExchangeId, told: &mut VecDeque<Completion>) {
        let passed = std::mem::take(&mut self.passed);
        if passed != Passed::default() {
            told.push_back(Completion::Passed { id, passed });
        }
    }

    /// What came before a message was sent is no answer to it.
    fn pass_over_kept(&mut self) {
        self.passed.over = self.passed.over.saturating_add(self.kept.len() as u32);
        self.kept = VecDeque::new();
        self.kept_bytes = 0;
    }

    /// A step waits without having sent: what came before it counts.
    fn look_through_kept(&mut self, at: MonoNs, told: &mut VecDeque<Completion>) {
        while self.waiting.is_some()
            && let Some(payload) = self.kept.pop_front()
        {
            self.kept_bytes -= payload.len();
            self.hear(&payload, at, told);
        }
        if let (Some(Waiting { id, .. }), Some(fault)) = (&self.waiting, &self.over) {
            let (id, fault) = (*id, fault.clone());
            self.waiting = None;
            self.tell_passed(id, told);
            told.push_back(Completion::Done { id, at, result: Err(fault) });
        }
    }

    /// A message for the step that waits, or for one that will.
    fn hear(&mut self, payload: &[u8], at: MonoNs, told: &mut VecDeque<Completion>) {
        let Some(mut waiting) = self.waiting.take() else { return self.keep(payload) };
        match waiting.awaited.meets(payload) {
            Met::Last => {
                waiting.answer.body(payload);
                self.tell_passed(waiting.id, told);
                told.push_back(Completion::Done { id: waiting.id, at, result: Ok(waiting.answer) });
            }
            Met::One => self.waiting = Some(waiting),
            Met::Other => {
                self.passed.over = self.passed.over.saturating_add(1);
                waiting.over += 1;
                waiting.bytes += payload.len() as u64;
                if waiting.over <= WS_PASSED_MAX && waiting.bytes <= WS_PASSED_MAX_BYTES {
                    self.waiting = Some(waiting);
                    return;
                }
                let detail = format!(
                    "none of {} messages ({} bytes) was the one that is waited for",
                    waiting.over, waiting.bytes
                );
                let fault = Fault { class: ErrorClass::WsUnmatched, detail };
                self.tell_passed(waiting.id, told);
                told.push_back(Completion::Done { id: waiting.id, at, result: Err(fault) });
            }
        }
    }

    /// Keeps a message for a step that only waits, or passes it over where there is none. Of too many the oldest go.
    fn keep(&mut self, payload: &[u8]) {
        if !self.keeps {
            self.passed.over = self.passed.over.saturating_add(1);
            return;
        }
        self.kept.push_back(payload.to_vec());
        self.kept_bytes += payload.len();
        while self.kept.len() > 1 && (self.kept.len() > WS_KEPT_MAX || self.kept_bytes > WS_KEPT_MAX_BYTES) {
            self.kept_bytes -= self.kept.pop_front().map_or(0, |oldest| oldest.len());
            self.passed.dropped = self.passed.dropped.saturating_add(1);
        }
    }
}

impl Sink for Hearing<'_> {
    fn message(&mut self, _kind: Kind, payload: &[u8]) {
        self.ears.hear(payload, self.at, self.told);
    }

    fn ping(&mut self, payload: &[u8]) {
        // Of several that are not answered yet, the last one is (RFC 6455, 5.5.3).
        self.ears.ping = Some(payload.to_vec());
    }

    fn close(&mut self, close: Close<'_>) {
        let code = close.code.map_or("without a code".to_owned(), |code| format!("with code {code}"));
        let reason = if close.reason.is_empty() { String::new() } else { format!(": {}", close.reason) };
        let detail = format!("the peer closed it {code}{reason}");
        self.ears.end(Fault { class: ErrorClass::WsClosed, detail }, self.at, self.told);
        self.ears.goodbye = Some(close.code.unwrap_or(GOING_AWAY));
    }
}

fn cancelled(because: &str) -> Fault {
    Fault { class: ErrorClass::Cancelled, detail: because.to_owned() }
}

fn fault(error: Error) -> Fault {
    let class = match error {
        Error::Frame(_) | Error::NotText => ErrorClass::Malformed,
        Error::TooLarge(_) => ErrorClass::BodyTooLarge,
    };
    Fault { class, detail: error.to_string() }
}

#[cfg(test)]
mod tests;
