//! Answers: heads, bodies, trailers.

use peakdrill_wire_http1::Method;

use super::streams::{Answer, Stream};
use super::{CONNECTION_WINDOW_BYTES, Connection, How, STREAM_WINDOW_BYTES};
use crate::error::{Code, Error};
use crate::frame::{Header, flag, kind, put_number, unpadded};
use crate::head::Section;
use crate::sink::Sink;

/// Informational answers (1xx) before a final one, at most.
pub const INFORMATIONAL_MAX: u32 = 16;
/// Frames in which one header block may go on, at most.
pub const CONTINUATIONS_MAX: u32 = 64;
/// How many times as long as a head a header block may be: one that is read tells whose head was too long.
const BLOCK_TIMES_MAX: usize = 4;

/// A header block that has begun.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) stream: u32,
    ends: bool,
    bytes: Vec<u8>,
    continuations: u32,
}

impl<S: Sink> Connection<S> {
    pub(super) fn headers(&mut self, header: Header, payload: &[u8]) -> Result<(), Error> {
        if !self.is_ours(header.stream) {
            return Err(Error::protocol("a head of a stream that nobody began"));
        }
        let padding = Error::protocol("more padding than payload");
        let mut block = unpadded(header, payload).ok_or(padding)?;
        if header.has(flag::PRIORITY) {
            block = block.get(5..).ok_or(Error::size("a head without its priority"))?;
        }
        let ends = header.has(flag::END_STREAM);
        if header.has(flag::END_HEADERS) {
            return self.section(header.stream, ends, block);
        }
        self.block = Some(Block { stream: header.stream, ends, bytes: block.to_vec(), continuations: 0 });
        Ok(())
    }

    pub(super) fn continuation(&mut self, header: Header, payload: &[u8]) -> Result<(), Error> {
        let Some(mut block) = self.block.take() else { return Ok(()) };
        block.continuations += 1;
        block.bytes.extend_from_slice(payload);
        let longest = self.limits.head_bytes.saturating_mul(BLOCK_TIMES_MAX);
        if block.continuations > CONTINUATIONS_MAX || block.bytes.len() > longest {
            return Err(Error::HeadTooLarge("a header block does not end"));
        }
        if header.has(flag::END_HEADERS) {
            return self.section(block.stream, block.ends, &block.bytes);
        }
        self.block = Some(block);
        Ok(())
    }

    /// A whole header block: it is read whatever becomes of it, since the table depends on it.
    fn section(&mut self, id: u32, ends: bool, block: &[u8]) -> Result<(), Error> {
        self.section.clear(self.limits.head_bytes);
        let section = &mut self.section;
        let read = self.decoder.decode(block, |name, value| section.field(name, value));
        read.map_err(|error| Error::compression(error.0))?;
        let Some(stream) = self.streams.get_mut(id) else { return self.idle_frame() };
        self.idle_frames = 0;
        let taken = self.section.check().and_then(|()| match stream.answer {
            Answer::Head(informational) => {
                head(stream, informational, &self.section, ends, self.limits.body_bytes)
            }
            Answer::Body { left, .. } => trailers(stream, left, &self.section, ends),
        });
        self.settle(id, ends, taken);
        Ok(())
    }

    pub(super) fn data(&mut self, header: Header, payload: &[u8]) -> Result<(), Error> {
        let length = payload.len() as u32;
        let overrun = Error::flow("more than the window allows");
        self.receive_window = self.receive_window.checked_sub(length).ok_or(overrun)?;
        if self.receive_window < CONNECTION_WINDOW_BYTES / 2 {
            let taken = CONNECTION_WINDOW_BYTES - self.receive_window;
            put_number(&mut self.out, kind::WINDOW_UPDATE, 0, taken);
            self.receive_window = CONNECTION_WINDOW_BYTES;
        }
        let data = unpadded(header, payload).ok_or(Error::protocol("more padding than payload"))?;
        let id = header.stream;
        let ends = header.has(flag::END_STREAM);
        let Some(stream) = self.streams.get_mut(id) else { return self.of_a_closed_stream(header) };
        stream.receive_window = stream.receive_window.checked_sub(length).ok_or(overrun)?;
        if stream.receive_window < STREAM_WINDOW_BYTES / 2 && !ends {
            put_number(&mut self.out, kind::WINDOW_UPDATE, id, STREAM_WINDOW_BYTES - stream.receive_window);
            stream.receive_window = STREAM_WINDOW_BYTES;
        }
        let taken = body(stream, data, self.limits.body_bytes);
        let taken = if ends { taken.and_then(|()| whole(stream)) } else { taken };
        self.settle(id, ends, taken);
        if data.is_empty() && !ends {
            return self.idle_frame();
        }
        self.idle_frames = 0;
        Ok(())
    }

    /// After a frame of a stream: it goes on, or is over.
    fn settle(&mut self, id: u32, ends: bool, taken: Result<(), Error>) {
        if taken.is_ok() && !ends {
            return;
        }
        let Some(stream) = self.streams.remove(id) else { return };
        if !(ends && stream.is_sent()) {
            let code =
                if matches!(taken, Err(Error::Malformed(_))) { Code::PROTOCOL_ERROR } else { Code::CANCEL };
            put_number(&mut self.out, kind::RST_STREAM, id, code.0);
        }
        let how = taken.map_or_else(How::Failed, |()| How::Answered);
        self.ended.push_back(stream.into_ended(how));
    }
}

/// Takes the head of an answer, or an informational one before it.
fn head<S: Sink>(
    stream: &mut Stream<S>,
    informational: u32,
    section: &Section,
    ends: bool,
    longest: u64,
) -> Result<(), Error> {
    let status = match section.status {
        None => return Err(Error::Malformed("there is no status")),
        Some(101) => return Err(Error::Malformed("protocols switched, which HTTP/2 cannot")),
        Some(100..200) if ends => return Err(Error::Malformed("an informational answer is the last")),
        Some(100..200) if informational >= INFORMATIONAL_MAX => {
            return Err(Error::HeadTooLarge("there are too many informational responses"));
        }
        Some(100..200) => {
            stream.answer = Answer::Head(informational + 1);
            return Ok(());
        }
        Some(status) => status,
    };
    stream.sink.head(status, section.fields());
    let bodiless = stream.request.method == Method::Head || matches!(status, 204 | 304);
    let left = if bodiless { Some(0) } else { section.content_length() };
    stream.answer = Answer::Body { got: 0, left };
    if left.is_some_and(|length| length > longest) {
        return Err(Error::BodyTooLarge(longest));
    }
    if ends { whole(stream) } else { Ok(()) }
}

fn trailers<S: Sink>(
    stream: &mut Stream<S>,
    left: Option<u64>,
    section: &Section,
    ends: bool,
) -> Result<(), Error> {
    if !ends || section.status.is_some() {
        return Err(Error::Malformed("a second head"));
    }
    if left.is_some_and(|left| left > 0) {
        return Err(Error::BodyShort);
    }
    stream.sink.trailers(section.fields());
    Ok(())
}

fn body<S: Sink>(stream: &mut Stream<S>, data: &[u8], longest: u64) -> Result<(), Error> {
    let Answer::Body { got, left } = stream.answer else {
        return Err(Error::Malformed("a body before its head"));
    };
    let length = data.len() as u64;
    let left = match left.map(|left| left.checked_sub(length)) {
        Some(None) => return Err(Error::Malformed("the body is longer than its head allows")),
        Some(left) => left,
        None => None,
    };
    let got = got + length;
    if got > longest {
        return Err(Error::BodyTooLarge(longest));
    }
    stream.answer = Answer::Body { got, left };
    if !data.is_empty() {
        stream.sink.body(data);
    }
    Ok(())
}

/// The stream ended: whether the answer did, too.
fn whole<S>(stream: &Stream<S>) -> Result<(), Error> {
    match stream.answer {
        Answer::Head(_) => Err(Error::Malformed("the stream ended without a head")),
        Answer::Body { left: Some(1..), .. } => Err(Error::BodyShort),
        Answer::Body { .. } => Ok(()),
    }
}
