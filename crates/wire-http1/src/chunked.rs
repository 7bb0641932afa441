//! The chunked transfer coding (RFC 9112, 7.1).

use crate::error::Error;
use crate::response::{FIELDS_MAX, Sink};

/// Bytes of chunk extensions in one body, at most.
const EXTENSIONS_MAX_BYTES: u32 = 16 * 1024;
/// Zeros before a size and white space behind it, at most, in bytes: each line but the last is followed by data.
const PADDING_MAX_BYTES: u32 = 1024;
/// Bytes of the trailer section, at most.
const TRAILER_MAX_BYTES: usize = 16 * 1024;

/// Takes a chunked body apart.
#[derive(Debug)]
pub(crate) struct Chunked {
    /// Longest body, in bytes, and what of that is left behind the chunks that were announced.
    limit: u64,
    left: u64,
    state: State,
    /// Of the chunk: while its size is read, what is known of it; then what is left.
    size: u64,
    extension_bytes: u32,
    /// Of the size line that is read.
    padding_bytes: u32,
    /// The trailer section so far.
    trailer: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first digit of a size.
    Start,
    Size,
    /// White space after a size.
    Space,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the beginning of a trailer field's line, or of the last line.
    LineStart,
    /// In a trailer field's line.
    Line,
    LineLf,
    EndLf,
    End,
}

impl Chunked {
    /// At the beginning of a body of at most so many bytes.
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit,
            left: limit,
            state: State::Start,
            size: 0,
            extension_bytes: 0,
            padding_bytes: 0,
            trailer: Vec::new(),
        }
    }

    /// Takes bytes, hands data to the sink; tells how many bytes were taken, and whether the body is whole. It takes
    /// all unless it is whole before.
    pub(crate) fn feed(&mut self, input: &[u8], sink: &mut impl Sink) -> Result<(usize, bool), Error> {
        let mut at = 0;
        while self.state != State::End {
            let Some(rest) = input.get(at..).filter(|rest| !rest.is_empty()) else { break };
            if self.state == State::Data {
                let part = rest.get(..usize::try_from(self.size).unwrap_or(usize::MAX)).unwrap_or(rest);
                sink.body(part);
                self.size -= part.len() as u64;
                at += part.len();
                if self.size == 0 {
                    self.state = State::DataCr;
                }
            } else if let Some(byte) = rest.first() {
                self.state = self.step(*byte)?;
                at += 1;
            }
        }
        Ok((at, self.state == State::End))
    }

    /// What the connection's end would cut through.
    pub(crate) fn place(&self) -> &'static str {
        match self.state {
            State::Data | State::DataCr | State::DataLf => "within a chunk",
            State::LineStart | State::Line | State::LineLf | State::EndLf | State::End => {
                "within the trailer section"
            }
            _ => "before the last chunk",
        }
    }

    fn step(&mut self, byte: u8) -> Result<State, Error> {
        match (self.state, byte) {
            (State::Start | State::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.digit(byte),
            (State::Size | State::Space, b' ' | b'\t') => self.padding(State::Space),
            (State::Size | State::Space, b';') => Ok(State::Extension),
            (State::Size | State::Space | State::Extension, b'\r') => Ok(State::SizeLf),
            (State::Extension, byte) if byte != b'\n' => self.extension(),
            (State::SizeLf, b'\n') if self.size == 0 => Ok(State::LineStart),
            (State::SizeLf, b'\n') => self.announced(),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => {
                self.padding_bytes = 0;
                Ok(State::Start)
            }
            (State::LineStart, b'\r') => Ok(State::EndLf),
            (State::Line, b'\r') => self.trailer(byte, State::LineLf),
            (State::LineStart | State::Line, byte) => self.trailer(byte, State::Line),
            (State::LineLf, b'\n') => self.trailer(byte, State::LineStart),
            (State::EndLf, b'\n') => self.end(),
            (State::Start | State::Size | State::Space, _) => Err(Error::Chunk("a size is not a number")),
            (State::DataCr | State::DataLf, _) => Err(Error::Chunk("data goes on after its size")),
            _ => Err(Error::Chunk("a line does not end in CR LF")),
        }
    }

    fn digit(&mut self, byte: u8) -> Result<State, Error> {
        let value = (byte as char).to_digit(16).unwrap_or(0);
        let more = self.size.checked_mul(16).and_then(|size| size.checked_add(u64::from(value)));
        self.size = more.ok_or(Error::Chunk("a size is too large a number"))?;
        // Zeros before a number are no part of it, and the last chunk's size has one.
        if self.size == 0 { self.padding(State::Size) } else { Ok(State::Size) }
    }

    fn announced(&mut self) -> Result<State, Error> {
        self.left = self.left.checked_sub(self.size).ok_or(Error::BodyTooLarge(self.limit))?;
        Ok(State::Data)
    }

    fn padding(&mut self, next: State) -> Result<State, Error> {
        self.padding_bytes += 1;
        if self.padding_bytes > PADDING_MAX_BYTES {
            return Err(Error::Chunk("a size line is too long"));
        }
        Ok(next)
    }

    fn extension(&mut self) -> Result<State, Error> {
        self.extension_bytes += 1;
        if self.extension_bytes >= EXTENSIONS_MAX_BYTES {
            return Err(Error::Chunk("its extensions are too long"));
        }
        Ok(State::Extension)
    }

    fn trailer(&mut self, byte: u8, next: State) -> Result<State, Error> {
        self.trailer.push(byte);
        if self.trailer.len() >= TRAILER_MAX_BYTES {
            return Err(Error::HeadTooLarge("the trailer section is too long"));
        }
        Ok(next)
    }

    /// Trailer fields are not told, but have to be fields.
    fn end(&mut self) -> Result<State, Error> {
        if !self.trailer.is_empty() {
            self.trailer.extend_from_slice(b"\r\n");
            let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
            match httparse::parse_headers(&self.trailer, &mut fields) {
                Ok(httparse::Status::Complete(_)) => {}
                Ok(httparse::Status::Partial) => return Err(Error::Chunk("a trailer field is no field")),
                Err(httparse::Error::TooManyHeaders) => {
                    return Err(Error::HeadTooLarge("there are too many trailer fields"));
                }
                Err(_) => return Err(Error::Chunk("a trailer field is no field")),
            }
        }
        Ok(State::End)
    }
}
