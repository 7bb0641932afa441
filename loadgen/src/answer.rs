//! A whole answer, as far as it is needed.

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

/// Status, field lines and body. It is filled while the answer is read.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The field lines, behind them the body or its beginning, and behind that the lines of trailer fields.
    bytes: Vec<u8>,
    fields: usize,
    lengths: NameLengths,
    /// Where the trailer fields begin, if there are any.
    trailers: Option<usize>,
    /// Whether the whole body is kept.
    keep_body: bool,
}

impl Answer {
    /// An answer still to be read, into a buffer that is empty.
    pub(crate) fn new(buffer: Vec<u8>, keep_body: bool) -> Self {
        Self { bytes: buffer, keep_body, ..Self::default() }
    }

    pub(crate) fn fields(&self) -> Fields<'_> {
        Fields::known(self.bytes.get(..self.fields).unwrap_or_default(), self.lengths)
    }

    /// The body, or its beginning.
    pub(crate) fn content(&self) -> &[u8] {
        self.bytes.get(self.fields..self.trailers.unwrap_or(self.bytes.len())).unwrap_or_default()
    }

    /// The trailer section, which comes over HTTP/2 alone.
    pub(crate) fn trailers(&self) -> Fields<'_> {
        let lines = self.trailers.and_then(|at| self.bytes.get(at..));
        Fields::new(lines.unwrap_or_default())
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
        let room = BODY_START_BYTES.saturating_sub(self.content().len());
        let part = if self.keep_body { part } else { part.get(..room).unwrap_or(part) };
        self.bytes.extend_from_slice(part);
    }
}

impl peakdrill_wire_http2::Sink for Answer {
    fn trailers(&mut self, fields: Fields<'_>) {
        self.trailers = Some(self.bytes.len());
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
            let mut answer = Answer::new(Vec::new(), keep_body);
            answer.head(200, Fields::new(b"a: b\r\n"));
            (0..3).for_each(|_| answer.body(&[b'x'; 300]));
            assert_eq!((answer.status, answer.fields().get("A")), (200, Some(&b"b"[..])));
            assert_eq!(answer.content(), vec![b'x'; kept]);
        }
    }

    #[test]
    fn trailers_are_kept_apart_from_the_body() {
        let mut answer = Answer::new(Vec::new(), true);
        answer.head(200, Fields::new(b"a: b\r\n"));
        answer.body(b"body");
        assert_eq!(answer.trailers().as_bytes(), b"");
        peakdrill_wire_http2::Sink::trailers(&mut answer, Fields::new(b"grpc-status: 0\r\n"));
        assert_eq!((answer.content(), answer.fields().as_bytes()), (&b"body"[..], &b"a: b\r\n"[..]));
        assert_eq!(answer.trailers().get("grpc-status"), Some(&b"0"[..]));
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
