//! Messages, from bytes however they are cut.

use crate::close::Close;
use crate::error::Error;
use crate::frame::{HEAD_MAX_BYTES, Head, Kind, Opcode, head_length, read_head};

/// Room for messages in parts that a connection keeps between them, in bytes.
const KEPT_BYTES: usize = 1024;

/// Takes what a decoder finds, in order.
pub trait Sink {
    /// A whole message.
    fn message(&mut self, kind: Kind, payload: &[u8]);
    /// A ping: a pong with the same payload answers it.
    fn ping(&mut self, payload: &[u8]);
    /// A close frame: nothing of what comes after it is told.
    fn close(&mut self, close: Close<'_>);
}

/// Decodes what a server sends over one connection.
///
/// A message that comes in one frame and one read is handed on as a slice of the bytes that were read; others are put
/// together. A connection that waits holds no memory beside this.
#[derive(Debug)]
pub struct Decoder {
    /// Longest message, in bytes.
    limit: usize,
    /// A head that came in parts.
    head: [u8; HEAD_MAX_BYTES],
    head_filled: u8,
    /// The frame whose payload is being read, and how much of it is still to come.
    frame: Option<(Head, u64)>,
    /// The message whose frames are being read.
    open: Option<Kind>,
    /// What has come of it.
    message: Vec<u8>,
    /// What has come of a control frame.
    control: Vec<u8>,
    closed: bool,
}

impl Decoder {
    /// A decoder for a new connection, with the longest message that is taken, in bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            head: [0; HEAD_MAX_BYTES],
            head_filled: 0,
            frame: None,
            open: None,
            message: Vec::new(),
            control: Vec::new(),
            closed: false,
        }
    }

    /// Takes the next bytes of the connection.
    ///
    /// # Errors
    /// [`Error`] when they break the protocol, or a message is over the limit. The decoder is then of no further use.
    pub fn feed(&mut self, mut input: &[u8], sink: &mut impl Sink) -> Result<(), Error> {
        while !self.closed {
            let (head, left) = match self.frame {
                Some(frame) => frame,
                None => match self.head(&mut input)? {
                    Some(head) => (head, head.length),
                    None => return Ok(()),
                },
            };
            let take = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
            let (part, rest) = input.split_at(take);
            input = rest;
            let left = left - take as u64;
            if left > 0 {
                self.frame = Some((head, left));
                let room = if head.opcode.is_control() { &mut self.control } else { &mut self.message };
                room.extend_from_slice(part);
                return Ok(());
            }
            self.frame = None;
            self.whole(head, part, sink)?;
        }
        Ok(())
    }

    /// Takes the head of the next frame, or its beginning.
    fn head(&mut self, input: &mut &[u8]) -> Result<Option<Head>, Error> {
        let mut wanted = 2;
        loop {
            let filled = usize::from(self.head_filled);
            if let Some([_, second]) = self.head.first_chunk::<2>().filter(|_| filled >= 2) {
                wanted = head_length(*second);
            }
            if filled >= wanted {
                break;
            }
            let Some((byte, rest)) = input.split_first() else { return Ok(None) };
            if let Some(slot) = self.head.get_mut(filled) {
                *slot = *byte;
            }
            self.head_filled += 1;
            *input = rest;
        }
        self.head_filled = 0;
        let head = read_head(self.head.get(..wanted).unwrap_or_default())?;
        match (head.opcode, self.open) {
            (Opcode::Continuation, None) => return Err(Error::Frame("it continues no message")),
            (Opcode::First(_), Some(_)) => return Err(Error::Frame("a message begins within another one")),
            (Opcode::First(kind), None) => self.open = Some(kind),
            _ => {}
        }
        let all = head.length.saturating_add(self.message.len() as u64);
        if !head.opcode.is_control() && all > self.limit as u64 {
            return Err(Error::TooLarge(self.limit));
        }
        Ok(Some(head))
    }

    /// A frame is whole; `part` is what of its payload was not put aside.
    fn whole(&mut self, head: Head, part: &[u8], sink: &mut impl Sink) -> Result<(), Error> {
        if head.opcode.is_control() {
            let aside = std::mem::take(&mut self.control);
            let joined = if aside.is_empty() { aside } else { [aside.as_slice(), part].concat() };
            let payload = if joined.is_empty() { part } else { &joined };
            match head.opcode {
                Opcode::Ping => sink.ping(payload),
                Opcode::Close => {
                    self.closed = true;
                    sink.close(Close::read(payload)?);
                }
                _ => {}
            }
            return Ok(());
        }
        if !head.last || !self.message.is_empty() {
            self.message.extend_from_slice(part);
        }
        if !head.last {
            return Ok(());
        }
        let kind = self.open.take().unwrap_or(Kind::Binary);
        let payload = if self.message.is_empty() { part } else { &self.message };
        if kind == Kind::Text && std::str::from_utf8(payload).is_err() {
            return Err(Error::NotText);
        }
        sink.message(kind, payload);
        self.message.clear();
        self.message.shrink_to(KEPT_BYTES);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
