//! A whole answer, as far as it is needed.

use peakdrill_wire_grpc::Frames;
use peakdrill_wire_http1::{Fields, NameLengths, Sink};

/// Longest head of an answer, in bytes.
pub const HEAD_MAX_BYTES: usize = 64 * 1024;
/// Longest body of an answer, in bytes.
pub const BODY_MAX_BYTES: u64 = 16 * 1024 * 1024;
/// How much of a body is kept for samples where it is not needed otherwise, in bytes.
pub const BODY_START_BYTES: usize = 512;
/// Buffers that are kept for the next requests and answers, at most.
const BUFFERS_MAX: usize = 1024;
/// Largest buffer that is kept, in bytes.
const BUFFER_MAX_BYTES: usize = 8 * 1024;

/// What is wanted of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Wanted {
    /// The whole body, and not its beginning alone.
    pub(crate) body: bool,
    /// The body is a row of gRPC messages, which are followed.
    pub(crate) frames: bool,
}

/// Status, field lines, body and trailers. It is filled while the answer is read.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The field lines, behind them the body or its beginning, and behind that the trailers.
    bytes: Vec<u8>,
    fields: usize,
    lengths: NameLengths,
    /// Where the trailers begin, if there are any.
    trailers: Option<usize>,
    trailer_lengths: NameLengths,
    wanted: Wanted,
    frames: Frames,
}

/// The fields of an answer: those of its head, and those behind its body.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Heads<'a> {
    pub(crate) fields: Fields<'a>,
    pub(crate) trailers: Fields<'a>,
}

impl<'a> Heads<'a> {
    /// The first field of that name, wherever it stands.
    pub(crate) fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.fields.get(name).or_else(|| self.trailers.get(name))
    }
}

impl Answer {
    /// An answer still to be read, into a buffer that is empty.
    pub(crate) fn new(buffer: Vec<u8>, wanted: Wanted) -> Self {
        Self { bytes: buffer, wanted, ..Self::default() }
    }

    pub(crate) fn heads(&self) -> Heads<'_> {
        let trailers = self.trailers.and_then(|start| self.bytes.get(start..)).unwrap_or_default();
        Heads { fields: self.fields(), trailers: Fields::known(trailers, self.trailer_lengths) }
    }

    /// The messages, where they are followed.
    pub(crate) fn frames(&self) -> Frames {
        self.frames
    }

    pub(crate) fn fields(&self) -> Fields<'_> {
        Fields::known(self.bytes.get(..self.fields).unwrap_or_default(), self.lengths)
    }

    /// The body, or its beginning.
    pub(crate) fn content(&self) -> &[u8] {
        let end = self.trailers.unwrap_or(self.bytes.len());
        self.bytes.get(self.fields..end).unwrap_or_default()
    }

    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }
}

impl Sink for Answer {
    fn head(&mut self, status: u16, fields: Fields<'_>) {
        self.status = status;
        self.bytes.extend_from_slice(fields.as_bytes());
        self.fields = self.bytes.len();
        self.lengths = fields.lengths();
    }

    fn body(&mut self, part: &[u8]) {
        if self.wanted.frames {
            self.frames.feed(part);
        }
        let room = BODY_START_BYTES.saturating_sub(self.content().len());
        let part = if self.wanted.body { part } else { part.get(..room).unwrap_or(part) };
        self.bytes.extend_from_slice(part);
    }
}

impl peakdrill_wire_http2::Sink for Answer {
    fn trailers(&mut self, fields: Fields<'_>) {
        self.trailers = Some(self.bytes.len());
        self.trailer_lengths = fields.lengths();
        self.bytes.extend_from_slice(fields.as_bytes());
    }
}

/// Buffers that were used, for the next use: a shard in full swing allocates none.
#[derive(Debug, Default)]
pub(crate) struct Buffers(Vec<Vec<u8>>);

impl Buffers {
    /// An empty buffer.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.0.pop().unwrap_or_default()
    }

    pub(crate) fn give(&mut self, mut buffer: Vec<u8>) {
        if self.0.len() < BUFFERS_MAX && buffer.capacity() <= BUFFER_MAX_BYTES {
            buffer.clear();
            self.0.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_body_that_nobody_reads_the_beginning_is_kept() {
        for (keep_body, kept) in [(false, BODY_START_BYTES), (true, 900)] {
            let mut answer = Answer::new(Vec::new(), Wanted { body: keep_body, frames: false });
            answer.head(200, Fields::new(b"a: b\r\n"));
            (0..3).for_each(|_| answer.body(&[b'x'; 300]));
            assert_eq!((answer.status, answer.fields().get("A")), (200, Some(&b"b"[..])));
            assert_eq!(answer.content(), vec![b'x'; kept]);
        }
    }

    #[test]
    fn trailers_are_fields_and_no_part_of_the_body() {
        let mut answer = Answer::new(Vec::new(), Wanted { body: true, frames: true });
        answer.head(200, Fields::new(b"a: b\r\n"));
        answer.body(&[0, 0, 0, 0, 1, 7]);
        peakdrill_wire_http2::Sink::trailers(&mut answer, Fields::new(b"grpc-status: 0\r\na: c\r\n"));
        let heads = answer.heads();
        assert_eq!(
            (heads.get("a"), heads.get("Grpc-Status"), heads.get("c")),
            (Some(&b"b"[..]), Some(&b"0"[..]), None)
        );
        assert_eq!((answer.content(), answer.frames().finish()), (&[0, 0, 0, 0, 1, 7][..], Ok(1)));
    }

    #[test]
    fn buffers_are_used_again_unless_they_are_large() {
        let mut buffers = Buffers::default();
        buffers.give(Vec::with_capacity(BUFFER_MAX_BYTES + 1));
        buffers.give(b"used".to_vec());
        let again = buffers.take();
        assert!(again.is_empty() && again.capacity() > 0);
        assert_eq!(buffers.take().capacity(), 0);
    }
}
