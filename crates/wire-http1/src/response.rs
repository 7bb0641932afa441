//! Responses, from bytes however they are cut.

use std::mem::MaybeUninit;

use httparse::{Header, Status};

use crate::chunked::Chunked;
use crate::error::Error;
use crate::fields::{Fields, NameLengths};
use crate::framing::{Framing, Length, Method, framing};

/// Fields of one head, or of one trailer section, at most.
pub const FIELDS_MAX: usize = 100;
/// Informational responses (1xx) before a final one, at most.
pub const INFORMATIONAL_MAX: u32 = 16;
/// Room that a decoder keeps for a head in parts, in bytes.
const KEPT_BYTES: usize = 1024;

/// What a response may measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest head, in bytes.
    pub head_bytes: usize,
    /// Longest body, in bytes, without its coding.
    pub body_bytes: u64,
}

/// Takes what a decoder finds, in order: one head, then the parts of its body.
pub trait Sink {
    /// The head of the final response. Informational ones are not told.
    fn head(&mut self, status: u16, fields: Fields<'_>);
    /// A part of the body, without its coding.
    fn body(&mut self, part: &[u8]);
}

/// How far a response is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// All bytes were taken, and there have to be more, or the connection's end.
    More,
    /// It is whole.
    Done {
        /// How many of the bytes belonged to it. What is behind them was not asked for.
        used: usize,
        /// Whether another request may follow on the connection.
        reusable: bool,
    },
    /// It agrees to switch protocols ([`Method::Upgrade`]): only its head was told.
    Switched {
        /// How many of the bytes belonged to it. What is behind them is of the other protocol.
        used: usize,
    },
}

/// Decodes the responses of one connection, one after the other.
#[derive(Debug)]
pub struct ResponseDecoder {
    limits: Limits,
    method: Method,
    state: State,
    /// A head that came in parts.
    partial: Vec<u8>,
    /// Blank lines before the head, in bytes.
    blank: usize,
    informational: u32,
    reusable: bool,
}

#[derive(Debug)]
enum State {
    Head,
    /// So many bytes of the body are still to come.
    Bytes(u64),
    Chunked(Chunked),
    /// So many bytes may still come.
    UntilClose(u64),
    /// What comes is of another protocol.
    Switched,
}

/// What one look at a head found.
enum Look {
    Partial,
    /// An informational response of so many bytes.
    Informational(usize),
    /// A final one.
    Final {
        used: usize,
        status: u16,
        framing: Framing,
    },
    /// One that switches protocols, as was asked for.
    Switched {
        used: usize,
        lengths: NameLengths,
    },
}

impl ResponseDecoder {
    /// A decoder for a new connection.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            method: Method::Other,
            state: State::Head,
            partial: Vec::new(),
            blank: 0,
            informational: 0,
            reusable: false,
        }
    }

    /// The next bytes belong to the response to a request of this method.
    pub fn begin(&mut self, method: Method) {
        self.method = method;
        self.state = State::Head;
        self.partial.clear();
        self.partial.shrink_to(KEPT_BYTES);
        self.blank = 0;
        self.informational = 0;
    }

    /// Takes the next bytes of the connection.
    ///
    /// # Errors
    /// [`Error`] when they are no response, or one over the limits. The decoder is then of no further use.
    pub fn feed(&mut self, input: &[u8], sink: &mut impl Sink) -> Result<Progress, Error> {
        let mut at = 0;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            let (used, whole) = match &mut self.state {
                State::Head => {
                    if rest.is_empty() {
                        return Ok(Progress::More);
                    }
                    let used = self.head(rest, sink)?;
                    if matches!(self.state, State::Switched) {
                        return Ok(Progress::Switched { used: at + used });
                    }
                    (used, matches!(self.state, State::Bytes(0)))
                }
                State::Bytes(left) => {
                    let part = rest.get(..usize::try_from(*left).unwrap_or(usize::MAX)).unwrap_or(rest);
                    *left -= part.len() as u64;
                    sink.body(part);
                    (part.len(), *left == 0)
                }
                State::Chunked(chunked) => chunked.feed(rest, sink)?,
                State::UntilClose(left) => {
                    let limit = self.limits.body_bytes;
                    *left = left.checked_sub(rest.len() as u64).ok_or(Error::BodyTooLarge(limit))?;
                    sink.body(rest);
                    (rest.len(), false)
                }
                // Nobody feeds it any more.
                State::Switched => return Ok(Progress::Switched { used: at }),
            };
            at += used;
            if whole {
                return Ok(Progress::Done { used: at, reusable: self.reusable });
            }
            if at >= input.len() {
                return Ok(Progress::More);
            }
        }
    }

    /// The connection has ended.
    ///
    /// # Errors
    /// [`Error`] unless the response is whole by that.
    pub fn finish(&self) -> Result<(), Error> {
        match &self.state {
            State::UntilClose(_) => Ok(()),
            State::Head if self.partial.is_empty() && self.informational == 0 => Err(Error::Closed),
            State::Head => Err(Error::HeadShort),
            State::Bytes(_) => Err(Error::BodyShort("within the body")),
            State::Chunked(chunked) => Err(Error::BodyShort(chunked.place())),
            State::Switched => Ok(()),
        }
    }

    /// Takes the beginning of a head, or all of it; tells how many bytes were taken.
    fn head(&mut self, input: &[u8], sink: &mut impl Sink) -> Result<usize, Error> {
        // A blank line that was cut in two.
        if self.partial == b"\r" && input.first() == Some(&b'\n') {
            self.partial.clear();
            self.blank += 2;
            return too_long(self.blank, self.limits.head_bytes).map(|()| 1);
        }
        if self.partial.is_empty() {
            // Blank lines before the head are passed over (RFC 9112, 2.2), but not for ever.
            let blank = blank_lines(input);
            if blank > 0 {
                self.blank += blank;
                return too_long(self.blank, self.limits.head_bytes).map(|()| blank);
            }
            let look = look(self.method, input, self.limits.head_bytes)?;
            if matches!(look, Look::Partial) {
                self.partial.extend_from_slice(input);
                return Ok(input.len());
            }
            return self.found(look, input, sink);
        }
        let before = self.partial.len();
        let room = self.limits.head_bytes.saturating_sub(before).saturating_add(1);
        let part = input.get(..room).unwrap_or(input);
        self.partial.extend_from_slice(part);
        // Without a line's end there is nothing new to be seen: a head in single bytes is not read again for each.
        if !part.contains(&b'\n') {
            too_long(self.partial.len(), self.limits.head_bytes)?;
            return Ok(part.len());
        }
        let whole = std::mem::take(&mut self.partial);
        let look = look(self.method, &whole, self.limits.head_bytes)?;
        if matches!(look, Look::Partial) {
            self.partial = whole;
            return Ok(part.len());
        }
        let used = self.found(look, &whole, sink)?;
        Ok(used.saturating_sub(before))
    }

    /// A head was found in these bytes; tells how many of them it had.
    fn found(&mut self, look: Look, bytes: &[u8], sink: &mut impl Sink) -> Result<usize, Error> {
        match look {
            Look::Partial => Ok(0),
            Look::Informational(used) => {
                self.informational += 1;
                if self.informational > INFORMATIONAL_MAX {
                    return Err(Error::HeadTooLarge("there are too many informational responses"));
                }
                Ok(used)
            }
            Look::Final { used, status, framing } => {
                let lines = lines(bytes.get(..used).unwrap_or(bytes));
                sink.head(status, Fields::known(lines, framing.lengths));
                self.reusable = framing.reusable;
                let limit = self.limits.body_bytes;
                self.state = match framing.length {
                    Length::Bytes(length) if length > limit => return Err(Error::BodyTooLarge(limit)),
                    Length::Bytes(length) => State::Bytes(length),
                    Length::Chunked => State::Chunked(Chunked::new(limit)),
                    Length::UntilClose => State::UntilClose(limit),
                };
                Ok(used)
            }
            Look::Switched { used, lengths } => {
                let lines = lines(bytes.get(..used).unwrap_or(bytes));
                sink.head(101, Fields::known(lines, lengths));
                self.state = State::Switched;
                Ok(used)
            }
        }
    }
}

/// The length of the blank lines at the beginning.
fn blank_lines(input: &[u8]) -> usize {
    let mut rest = input;
    while let Some(behind) = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")) {
        rest = behind;
    }
    input.len() - rest.len()
}

fn too_long(bytes: usize, limit: usize) -> Result<(), Error> {
    if bytes > limit { Err(Error::HeadTooLarge("the head is too long")) } else { Ok(()) }
}

fn look(method: Method, bytes: &[u8], limit: usize) -> Result<Look, Error> {
    let mut fields: [MaybeUninit<Header<'_>>; FIELDS_MAX] = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut head = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default()
        .parse_response_with_uninit_headers(&mut head, bytes, &mut fields)
        .map_err(|error| match error {
            httparse::Error::TooManyHeaders => Error::HeadTooLarge("the head has too many fields"),
            other => Error::Head(other),
        })?;
    let Status::Complete(used) = parsed else {
        too_long(bytes.len(), limit)?;
        return Ok(Look::Partial);
    };
    too_long(used, limit)?;
    match head.code.unwrap_or(0) {
        0..100 => Err(Error::Framing("the status is no status")),
        101 if method == Method::Upgrade => {
            let mut lengths = NameLengths::default();
            head.headers.iter().for_each(|header| lengths.add(header.name.len()));
            Ok(Look::Switched { used, lengths })
        }
        101 => Err(Error::Switched),
        102..200 | 100 => Ok(Look::Informational(used)),
        status => {
            let framing = framing(method, status, head.version.unwrap_or(0), head.headers)?;
            Ok(Look::Final { used, status, framing })
        }
    }
}

/// The field lines of a head that was found to be one.
fn lines(head: &[u8]) -> &[u8] {
    let line = memchr::memchr(b'\n', head).map_or(head.len(), |end| end + 1);
    let lines = head.get(line..).unwrap_or_default();
    lines.strip_suffix(b"\n").map_or(lines, |lines| lines.strip_suffix(b"\r").unwrap_or(lines))
}
