//! What goes out: requests, with as much of their bodies as the peer has room for.

use super::streams::Stream;
use super::{Connection, Ended, How, Request, STREAM_LAST};
use crate::error::{Code, Error};
use crate::frame::{HEADER_BYTES, Header, PAYLOAD_MAX_BYTES, PREFACE, flag, kind, put_number};
use crate::sink::Sink;

/// Bytes that may wait to be handed over before no exchange begins and no body goes on. What the protocol itself has to
/// send may be as much again.
pub const OUT_MAX_BYTES: usize = 256 * 1024;
/// An entry that our table does not have any more: it is of size 0.
const FORGET: u8 = 0x20;

impl<S: Sink> Connection<S> {
    /// Begins an exchange: the request is among what is to be sent.
    ///
    /// # Errors
    /// There is no room for it ([`Self::has_room`]); the request and the sink come back.
    pub fn open(&mut self, request: Request, sink: S) -> Result<(), (Request, S)> {
        if !self.has_room() {
            return Err((request, sink));
        }
        let id = self.next;
        self.next += 2;
        let head = request.bytes.get(..request.head_bytes).unwrap_or(&request.bytes);
        let ends = if head.len() == request.bytes.len() { flag::END_STREAM } else { 0 };
        let forget = std::mem::take(&mut self.forget);
        let (first, rest) = head.split_at_checked(PAYLOAD_MAX_BYTES - 1).unwrap_or((head, &[]));
        let whole = if rest.is_empty() { flag::END_HEADERS } else { 0 };
        let length = first.len() + usize::from(forget);
        Header { length, kind: kind::HEADERS, flags: ends | whole, stream: id }.put(&mut self.out);
        if forget {
            self.out.push(FORGET);
        }
        self.out.extend_from_slice(first);
        let mut parts = rest.chunks(PAYLOAD_MAX_BYTES).peekable();
        while let Some(part) = parts.next() {
            let flags = if parts.peek().is_none() { flag::END_HEADERS } else { 0 };
            Header { length: part.len(), kind: kind::CONTINUATION, flags, stream: id }.put(&mut self.out);
            self.out.extend_from_slice(part);
        }
        let stream = Stream::new(id, sink, request, self.peer.window);
        let more = !stream.is_sent();
        self.streams.insert(stream);
        if more {
            self.unsent.push_back(id);
            self.send_on();
        }
        Ok(())
    }

    /// Whether something is to be sent.
    #[must_use]
    pub fn has_out(&self) -> bool {
        !self.out.is_empty()
    }

    /// Takes out what is to be sent. `room` is an empty buffer for what comes next.
    pub fn take_out(&mut self, room: Vec<u8>) -> Vec<u8> {
        let out = std::mem::replace(&mut self.out, room);
        self.handed_from = std::mem::replace(&mut self.out_from, self.next);
        self.send_on();
        out
    }

    /// What was taken out last did not leave at all, since the connection has ended: what began with it, or later, is
    /// unprocessed. The peer may have answered what began before.
    pub fn not_sent(&mut self) {
        self.gone_away.get_or_insert(Code::NO_ERROR);
        self.out.clear();
        self.unsent.clear();
        self.unprocessed_from(self.handed_from, Error::Closed);
    }

    /// Takes back what was not taken out: requests that began since then end as unprocessed, and nothing of them leaves.
    pub fn recall(&mut self) {
        self.unprocessed_from(self.out_from, Error::Closed);
    }

    /// Takes requests out of what is to be sent, and leaves what says why the connection ends.
    pub fn withhold(&mut self) {
        self.forget_frames(|kind, _| matches!(kind, kind::HEADERS | kind::CONTINUATION | kind::DATA));
    }

    /// Drops frames that were not taken out.
    fn forget_frames(&mut self, drops: impl Fn(u8, u32) -> bool) {
        let mut at = if self.out.starts_with(PREFACE) { PREFACE.len() } else { 0 };
        while let Some(header) = self.out.get(at..).and_then(Header::read) {
            let end = at + HEADER_BYTES + header.length;
            if !drops(header.kind, header.stream) {
                at = end;
                continue;
            }
            if header.kind == kind::DATA {
                self.send_window += header.length as i64;
            }
            // It may have said that our table is empty; saying so again does no harm.
            self.forget |= header.kind == kind::HEADERS;
            self.out.drain(at..end.min(self.out.len()));
        }
    }

    /// Gives up an exchange, of which nothing is told any more. What was not taken out of it does not leave.
    pub fn cancel(&mut self, is_it: impl Fn(&S) -> bool) -> Option<Ended<S>> {
        let id = self.streams.iter().find(|stream| is_it(&stream.sink))?.id;
        let stream = self.streams.remove(id)?;
        if id >= self.out_from {
            self.forget_frames(|_, stream| stream == id);
        } else {
            put_number(&mut self.out, kind::RST_STREAM, id, Code::CANCEL.0);
        }
        Some(stream.into_ended(How::Unprocessed))
    }

    /// Ends the streams from one on, as unprocessed where they can be.
    pub(super) fn unprocessed_from(&mut self, first: u32, error: Error) {
        for id in self.streams.from(first) {
            if let Some(stream) = self.streams.remove(id) {
                let how = stream.unprocessed_or(error);
                self.ended.push_back(stream.into_ended(how));
            }
        }
        let unsent = first.max(self.out_from);
        self.forget_frames(|_, stream| stream >= unsent);
    }

    /// Sends on with bodies, a frame of each in turn, as far as windows and room allow.
    pub(super) fn send_on(&mut self) {
        // Streams whose own window is shut are passed over, and looked at again when one opens.
        let mut shut = 0;
        while shut < self.unsent.len()
            && self.send_window > 0
            && self.out.len() < OUT_MAX_BYTES
            && let Some(id) = self.unsent.pop_front()
        {
            let Some(stream) = self.streams.get_mut(id) else { continue };
            let window = stream.send_window.min(self.send_window).min(PAYLOAD_MAX_BYTES as i64);
            let rest = stream.request.bytes.get(stream.sent..).unwrap_or_default();
            let length = rest.len().min(usize::try_from(window).unwrap_or(0));
            let Some(part) = rest.get(..length).filter(|part| !part.is_empty()) else {
                self.unsent.push_back(id);
                shut += 1;
                continue;
            };
            shut = 0;
            let ends = length == rest.len();
            let flags = if ends { flag::END_STREAM } else { 0 };
            Header { length, kind: kind::DATA, flags, stream: id }.put(&mut self.out);
            self.out.extend_from_slice(part);
            stream.sent += length;
            stream.send_window -= length as i64;
            self.send_window -= length as i64;
            if !ends {
                self.unsent.push_back(id);
            }
        }
    }

    /// Whether a number is one of a stream that was begun.
    pub(super) fn is_ours(&self, id: u32) -> bool {
        id % 2 == 1 && id < self.next && id <= STREAM_LAST
    }
}
