//! HTTP/2 over one connection: many exchanges at a time.

use std::io;

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_timebase::MonoNs;
use peakdrill_wire_http1::Fields;
use peakdrill_wire_http2::{self as wire, Ended, Error, How, Limits, Request};

use super::talk::{Told, Turn};
use crate::answer::{Answer, BODY_MAX_BYTES, Buffers, HEAD_MAX_BYTES, Wanted};
use crate::driver::{Completion, ExchangeId, Submission};
use crate::extract::Fault;

/// How often one request may come back unprocessed, at most.
const RETURNED_MAX: u8 = 8;
/// Largest buffer for what is sent that a connection keeps, in bytes.
const SPARE_MAX_BYTES: usize = 64 * 1024;

/// The exchanges on a connection.
pub(super) struct Http2 {
    connection: wire::Connection<Exchange>,
    /// Memory for what is sent next.
    spare: Vec<u8>,
    /// The Unix second from which what began since the last hand-over must not be sent.
    not_after_unix_s: u64,
}

/// One exchange: its answer, and what is needed to send it over another connection.
struct Exchange {
    id: ExchangeId,
    answer: Answer,
    target: usize,
    wanted: Wanted,
    not_after_unix_s: u64,
    returned: u8,
}

impl peakdrill_wire_http1::Sink for Exchange {
    fn head(&mut self, status: u16, fields: Fields<'_>) {
        self.answer.head(status, fields);
    }

    fn body(&mut self, part: &[u8]) {
        self.answer.body(part);
    }
}

impl wire::Sink for Exchange {
    fn trailers(&mut self, fields: Fields<'_>) {
        wire::Sink::trailers(&mut self.answer, fields);
    }
}

impl Http2 {
    /// At the beginning of a connection that carries so many exchanges at a time, at most.
    pub(super) fn new(streams: u32) -> Self {
        let limits = Limits { head_bytes: HEAD_MAX_BYTES, body_bytes: BODY_MAX_BYTES, streams };
        Self { connection: wire::Connection::new(limits), spare: Vec::new(), not_after_unix_s: u64::MAX }
    }

    /// Whether the peer has begun as a server of HTTP/2.
    pub(super) fn is_greeted(&self) -> bool {
        self.connection.is_greeted()
    }

    /// The first bytes of the peer.
    pub(super) fn greet(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.connection.receive(bytes).map_err(|error| fault(error, None))
    }

    pub(super) fn has_room(&self) -> bool {
        self.connection.has_room()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.connection.is_closing()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.connection.under_way() == 0
    }

    pub(super) fn carries(&self, id: ExchangeId) -> bool {
        self.connection.sinks().any(|exchange| exchange.id == id)
    }

    pub(super) fn has_out(&self) -> bool {
        self.connection.has_out()
    }

    /// Takes requests back whose token has run out before they were handed over, and what began beside them. Whether
    /// there were any.
    pub(super) fn recall_expired(&mut self, now_unix_s: u64, at: MonoNs, told: &mut Told) -> bool {
        let expired = self.not_after_unix_s <= now_unix_s;
        if expired {
            self.not_after_unix_s = u64::MAX;
            self.connection.recall();
            self.tell(at, told, None);
        }
        expired
    }

    /// No request leaves any more: what is left to be sent says why the connection ends.
    pub(super) fn withhold(&mut self) {
        self.connection.withhold();
    }

    pub(super) fn take_out(&mut self) -> Vec<u8> {
        self.not_after_unix_s = u64::MAX;
        self.connection.take_out(std::mem::take(&mut self.spare))
    }

    /// Takes the memory of what was sent back.
    pub(super) fn give(&mut self, mut buffer: Vec<u8>, buffers: &mut Buffers) {
        if self.spare.capacity() == 0 && buffer.capacity() <= SPARE_MAX_BYTES {
            buffer.clear();
            self.spare = buffer;
        } else {
            buffers.give(buffer);
        }
    }

    /// A request is put among what is to be sent; without room it comes back.
    pub(super) fn begin(&mut self, job: Submission, answer: Answer) -> Result<(), Submission> {
        let Submission { id, target, wire, head_bytes, method, wanted, not_after_unix_s, returned, .. } = job;
        let exchange = Exchange { id, answer, target, wanted, not_after_unix_s, returned };
        let request = Request { bytes: wire, head_bytes, method };
        self.not_after_unix_s = self.not_after_unix_s.min(not_after_unix_s);
        self.connection
            .open(request, exchange)
            .map_err(|(request, exchange)| exchange.into_job(request, returned))
    }

    /// Gives up one exchange.
    pub(super) fn cancel(&mut self, id: ExchangeId, buffers: &mut Buffers) {
        if let Some(ended) = self.connection.cancel(|exchange| exchange.id == id) {
            buffers.give(ended.request.bytes);
            buffers.give(ended.sink.answer.into_buffer());
        }
    }

    pub(super) fn received(&mut self, bytes: &[u8], at: MonoNs, told: &mut Told) -> Turn {
        // What is wrong with it is told to each exchange.
        let kept_to = self.connection.receive(bytes).is_ok();
        self.tell(at, told, None);
        Turn { freed: true, open: kept_to && !(self.is_closing() && self.is_idle()) }
    }

    pub(super) fn ended(&mut self, broken: Option<&io::Error>, at: MonoNs, told: &mut Told) -> Turn {
        self.connection.end();
        self.tell(at, told, broken);
        Turn { freed: true, open: false }
    }

    /// Nothing of what was taken out last has left.
    pub(super) fn not_sent(&mut self, at: MonoNs, told: &mut Told) {
        self.connection.not_sent();
        self.tell(at, told, None);
    }

    fn tell(&mut self, at: MonoNs, told: &mut Told, broken: Option<&io::Error>) {
        while let Some(Ended { sink: exchange, request, how }) = self.connection.next_ended() {
            let id = exchange.id;
            let result = match how {
                How::Unprocessed if exchange.returned < RETURNED_MAX => {
                    let returned = exchange.returned + 1;
                    told.back.push(exchange.into_job(request, returned));
                    continue;
                }
                How::Unprocessed => {
                    let detail =
                        format!("refused, or left out by a peer that went away, {RETURNED_MAX} times");
                    Err(Fault { class: ErrorClass::Reset, detail })
                }
                How::Answered => Ok(exchange.answer),
                How::Failed(error) => Err(fault(error, broken)),
            };
            told.buffers.give(request.bytes);
            told.completions.push_back(Completion::Done { id, at, result });
        }
    }
}

impl Exchange {
    fn into_job(self, request: Request, returned: u8) -> Submission {
        let Self { id, target, wanted, not_after_unix_s, .. } = self;
        let Request { bytes: wire, head_bytes, method } = request;
        // Nothing is opened over HTTP/2: the program does not compile that.
        let opening = None;
        Submission { id, target, wire, head_bytes, method, wanted, not_after_unix_s, opening, returned }
    }
}

/// What an exchange failed with. A connection that broke says more than that it ended.
fn fault(error: Error, broken: Option<&io::Error>) -> Fault {
    let class = class(error);
    let ended = matches!(error, Error::Closed | Error::BodyCut);
    let detail = broken.filter(|_| ended).map_or_else(|| error.to_string(), ToString::to_string);
    Fault { class, detail }
}

/// How a fault of the peer is counted.
fn class(error: Error) -> ErrorClass {
    match error {
        Error::Closed | Error::GoneAway(_) => ErrorClass::Closed,
        Error::BodyCut | Error::BodyShort => ErrorClass::BodyShort,
        Error::Reset(_) => ErrorClass::Reset,
        Error::HeadTooLarge(_) => ErrorClass::HeadTooLarge,
        Error::BodyTooLarge(_) => ErrorClass::BodyTooLarge,
        Error::Malformed(_) | Error::Protocol(..) => ErrorClass::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use peakdrill_wire_http1::Method;

    use super::*;

    /// What a server says first, and nothing else.
    const GREETING: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

    fn job(seq: u32, not_after_unix_s: u64) -> Submission {
        Submission {
            id: ExchangeId { key: 0, seq },
            target: 0,
            wire: vec![0x82],
            head_bytes: 1,
            method: Method::Other,
            wanted: Wanted::default(),
            not_after_unix_s,
            opening: None,
            returned: 0,
        }
    }

    /// What waits to be handed over while the peer reads nothing does not leave when its token has run out meanwhile.
    #[test]
    fn a_token_that_runs_out_before_the_hand_over_is_not_sent() {
        let (mut talk, mut told) = (Http2::new(10), Told::default());
        talk.greet(&GREETING).unwrap();
        let _ = talk.take_out();
        for (seq, not_after) in [(1, 20), (2, 10)] {
            talk.begin(job(seq, not_after), Answer::new(Vec::new(), Wanted::default())).unwrap();
        }
        assert!(!talk.recall_expired(9, MonoNs(0), &mut told));
        assert!(talk.recall_expired(10, MonoNs(0), &mut told));
        let back: Vec<_> = told.back.iter().map(|job| (job.id.seq, job.not_after_unix_s)).collect();
        assert_eq!(back, [(1, 20), (2, 10)]);
        assert!(!talk.has_out() && talk.is_idle());
        // What has left is not asked any more.
        talk.begin(job(3, 10), Answer::new(Vec::new(), Wanted::default())).unwrap();
        assert!(!talk.take_out().is_empty());
        assert!(!talk.recall_expired(11, MonoNs(0), &mut told));
    }
}
