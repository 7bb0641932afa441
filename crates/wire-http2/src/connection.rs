//! The client's side of one connection.

mod answers;
mod control;
mod sending;
mod streams;

use std::collections::VecDeque;

use peakdrill_wire_http1::Method;

use crate::error::{Code, Error};
use crate::frame::{self, HEADER_BYTES, Header, PAYLOAD_MAX_BYTES, flag, kind};
use crate::head::Section;
use crate::hpack::Decoder;
use crate::settings::{self, Peer, WINDOW_AT_FIRST};
use crate::sink::Sink;
use answers::Block;
pub use answers::{CONTINUATIONS_MAX, INFORMATIONAL_MAX};
pub use control::IDLE_FRAMES_MAX;
pub use sending::OUT_MAX_BYTES;
use streams::{Stream, Streams};

/// Bytes that a peer may send on one stream before it hears that they were taken.
pub const STREAM_WINDOW_BYTES: u32 = 16 * 1024 * 1024;
/// The same for the whole connection.
pub const CONNECTION_WINDOW_BYTES: u32 = 64 * 1024 * 1024;
/// Most streams that one connection may be asked to carry at a time.
pub const STREAMS_MAX: u32 = 10_000;
/// The last stream that a connection can have.
const STREAM_LAST: u32 = 0x7fff_ffff;
/// Room that is kept for a frame in parts, in bytes.
const KEPT_BYTES: usize = 1024;

/// What answers may measure, and how many may be under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest head, in bytes, with 32 for each field.
    pub head_bytes: usize,
    /// Longest body, in bytes.
    pub body_bytes: u64,
    /// Most streams at a time, at most [`STREAMS_MAX`]; a peer may allow fewer.
    pub streams: u32,
}

/// A request as it goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The header block, which uses no dynamic table, and the body behind it.
    pub bytes: Vec<u8>,
    /// How many of these bytes are the header block's.
    pub head_bytes: usize,
    /// What its answer depends on.
    pub method: Method,
}

/// An exchange that is over.
#[derive(Debug)]
pub struct Ended<S> {
    /// Who took the answer.
    pub sink: S,
    /// The request.
    pub request: Request,
    /// How it ended.
    pub how: How,
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The answer is whole.
    Answered,
    /// There is none, or no whole one.
    Failed(Error),
    /// The peer has not looked at the request, or it never left: to send it again is no repetition.
    Unprocessed,
}

/// A connection, seen by the client. It has no socket: what arrived is put in, and what is to be sent is taken out.
///
/// `S` takes one answer each.
#[derive(Debug)]
pub struct Connection<S> {
    limits: Limits,
    peer: Peer,
    /// The peer's first frame has come.
    greeted: bool,
    decoder: Decoder,
    section: Section,
    /// A header block that goes on in further frames.
    block: Option<Block>,
    streams: Streams<S>,
    ended: VecDeque<Ended<S>>,
    /// A frame of which a part has come.
    partial: Vec<u8>,
    out: Vec<u8>,
    /// The next stream; what `out` begins with; what was handed over last began with.
    next: u32,
    out_from: u32,
    handed_from: u32,
    /// Streams with more to send, waiting for windows or for room in `out`.
    unsent: VecDeque<u32>,
    send_window: i64,
    receive_window: u32,
    /// The peer takes nothing new.
    gone_away: Option<Code>,
    over: bool,
    /// The next header block must say that our table is empty.
    forget: bool,
    idle_frames: u32,
}

impl<S: Sink> Connection<S> {
    /// A new connection. What has to be sent first is there to be taken out.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let mut out = frame::PREFACE.to_vec();
        let parameters = [
            (settings::ENABLE_PUSH, 0),
            (settings::INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES),
            (settings::MAX_HEADER_LIST_SIZE, u32::try_from(limits.head_bytes).unwrap_or(u32::MAX)),
        ];
        Header { length: parameters.len() * 6, kind: kind::SETTINGS, flags: 0, stream: 0 }.put(&mut out);
        settings::put(&mut out, &parameters);
        frame::put_number(&mut out, kind::WINDOW_UPDATE, 0, CONNECTION_WINDOW_BYTES - WINDOW_AT_FIRST as u32);
        Self {
            limits: Limits { streams: limits.streams.min(STREAMS_MAX), ..limits },
            peer: Peer::default(),
            greeted: false,
            decoder: Decoder::new(),
            section: Section::default(),
            block: None,
            streams: Streams::new(),
            ended: VecDeque::new(),
            partial: Vec::new(),
            out,
            next: 1,
            out_from: 1,
            handed_from: 1,
            unsent: VecDeque::new(),
            send_window: WINDOW_AT_FIRST,
            receive_window: CONNECTION_WINDOW_BYTES,
            gone_away: None,
            over: false,
            forget: false,
            idle_frames: 0,
        }
    }

    /// Whether the peer has begun as a server of HTTP/2 does: with its settings.
    #[must_use]
    pub fn is_greeted(&self) -> bool {
        self.greeted
    }

    /// Whether another exchange can begin now.
    #[must_use]
    pub fn has_room(&self) -> bool {
        !self.is_closing()
            && self.streams.len() < self.limits.streams.min(self.peer.streams) as usize
            && self.out.len() < OUT_MAX_BYTES
    }

    /// Whether no exchange will begin any more: when none is under way, the connection can be closed.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.over || self.gone_away.is_some() || self.next > STREAM_LAST
    }

    /// How many exchanges are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.streams.len()
    }

    /// The sinks of the exchanges under way.
    pub fn sinks(&self) -> impl Iterator<Item = &S> {
        self.streams.iter().map(|stream| &stream.sink)
    }

    /// An exchange that has ended, in their order.
    pub fn next_ended(&mut self) -> Option<Ended<S>> {
        self.ended.pop_front()
    }

    /// Takes what was received, however it is cut.
    ///
    /// # Errors
    /// When the peer does not keep to the protocol. All exchanges have failed then; what is left to be sent tells the
    /// peer why, and the connection is to be closed.
    pub fn receive(&mut self, input: &[u8]) -> Result<(), Error> {
        if self.over {
            return Ok(());
        }
        let result = self.take_in(input);
        if let Err(error) = result {
            self.over = true;
            self.recall();
            let code = match error {
                Error::Protocol(code, _) => code,
                _ => Code::ENHANCE_YOUR_CALM,
            };
            Header { length: 8, kind: kind::GOAWAY, flags: 0, stream: 0 }.put(&mut self.out);
            self.out.extend_from_slice(&[0; 4]);
            self.out.extend_from_slice(&code.0.to_be_bytes());
            self.end_all(|_| How::Failed(error));
        }
        result
    }

    /// The connection has ended: nothing more comes. What never left is unprocessed.
    pub fn end(&mut self) {
        self.over = true;
        let (out_from, gone_away) = (self.out_from, self.gone_away);
        self.end_all(|stream| {
            let error = match gone_away {
                _ if stream.has_head() => Error::BodyCut,
                Some(code) if code != Code::NO_ERROR => Error::GoneAway(code),
                _ => Error::Closed,
            };
            if stream.id >= out_from { stream.unprocessed_or(error) } else { How::Failed(error) }
        });
    }

    fn end_all(&mut self, how: impl Fn(&Stream<S>) -> How) {
        for stream in self.streams.drain() {
            let how = how(&stream);
            self.ended.push_back(stream.into_ended(how));
        }
    }

    fn take_in(&mut self, mut input: &[u8]) -> Result<(), Error> {
        while !self.partial.is_empty() {
            let known = Header::read(&self.partial);
            let whole = HEADER_BYTES + known.map_or(0, |header| header.length);
            let missing = whole.saturating_sub(self.partial.len());
            let (part, rest) = input.split_at_checked(missing).unwrap_or((input, &[]));
            self.partial.extend_from_slice(part);
            input = rest;
            let Some(header) = Header::read(&self.partial) else { return Ok(()) };
            if known.is_none() {
                self.check(header)?;
            }
            if self.partial.len() < HEADER_BYTES + header.length {
                if input.is_empty() {
                    return Ok(());
                }
                continue;
            }
            let mut frame = std::mem::take(&mut self.partial);
            self.frame(header, frame.get(HEADER_BYTES..).unwrap_or_default())?;
            frame.clear();
            frame.shrink_to(KEPT_BYTES);
            self.partial = frame;
        }
        while let Some(header) = Header::read(input) {
            self.check(header)?;
            let Some((frame, rest)) = input.split_at_checked(HEADER_BYTES + header.length) else { break };
            self.frame(header, frame.get(HEADER_BYTES..).unwrap_or_default())?;
            input = rest;
        }
        self.partial.extend_from_slice(input);
        Ok(())
    }

    /// What a frame's header alone shows.
    fn check(&self, header: Header) -> Result<(), Error> {
        if !self.greeted && (header.kind != kind::SETTINGS || header.has(flag::ACK)) {
            return Err(Error::protocol("its first frame is not SETTINGS"));
        }
        if header.length > PAYLOAD_MAX_BYTES {
            return Err(Error::size("a frame is longer than allowed"));
        }
        let goes_on = self.block.as_ref().map(|block| block.stream);
        if goes_on.is_some() != (header.kind == kind::CONTINUATION)
            || goes_on.is_some_and(|stream| stream != header.stream)
        {
            return Err(Error::protocol("a header block is not continued, or there is none to be"));
        }
        Ok(())
    }

    fn frame(&mut self, header: Header, payload: &[u8]) -> Result<(), Error> {
        match header.kind {
            kind::DATA => self.data(header, payload),
            kind::HEADERS => self.headers(header, payload),
            kind::CONTINUATION => self.continuation(header, payload),
            kind::SETTINGS => self.settings(header, payload),
            kind::WINDOW_UPDATE => self.window_update(header, payload),
            kind::RST_STREAM => self.reset_by_peer(header, payload),
            kind::PING => self.ping(header, payload),
            kind::GOAWAY => self.go_away(header, payload),
            kind::PUSH_PROMISE => Err(Error::protocol("a push that nobody allowed")),
            kind::PRIORITY if header.length != 5 => Err(Error::size("PRIORITY of a length that is none")),
            // Priorities mean nothing to a client, and frames of unknown kinds nothing at all.
            _ => self.idle_frame(),
        }
    }
}
