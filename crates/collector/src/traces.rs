//! Traces that no drill made: files of OTLP JSON lines, as exporters write them, and of Jaeger's and Zipkin's JSON.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use peakdrill_bottleneck::{Cells, TraceClass};
use peakdrill_trace_model::Span;

use crate::counters::{Counters, counter};
use crate::fold::Fold;
use crate::interop::decode_any;
use crate::limits::{DOCUMENT_BYTES_MAX, Limits};
use crate::otlp::{Decoded, Texts};
use crate::record::Event;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// A zstd frame may ask for a window of 2 to this power: archives are made with `--long`.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Opens a file of traces: plain, gzip or zstd, told by its first bytes.
///
/// # Errors
/// When the first bytes cannot be read.
pub fn open_traces<'a>(bytes: impl Read + 'a) -> io::Result<Box<dyn BufRead + 'a>> {
    let mut reader = BufReader::new(bytes);
    let start = reader.fill_buf()?;
    if start.starts_with(GZIP_MAGIC) {
        return Ok(Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(reader))));
    }
    if start.starts_with(ZSTD_MAGIC) {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(reader)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
        return Ok(Box::new(BufReader::new(decoder)));
    }
    Ok(Box::new(reader))
}

/// Folds traces: lines of JSON, or one document over several lines; each an OTLP `ExportTraceServiceRequest` (or
/// `TracesData`), or what Jaeger or Zipkin write ([`decode_any`]). All traces count as mine, the roots are the root spans,
/// and seconds count from the earliest span. A line that cannot be decoded is counted ([`counter::BAD_LINES`]); empty
/// lines are passed over.
///
/// # Errors
/// When the input cannot be read, or a line or document is larger than [`DOCUMENT_BYTES_MAX`].
pub fn fold_traces(input: impl BufRead) -> io::Result<(Arc<Cells>, Counters)> {
    fold_all([input])
}

/// As [`fold_traces`], over several files as if they were one.
///
/// # Errors
/// As for [`fold_traces`].
pub fn fold_all<R: BufRead>(inputs: impl IntoIterator<Item = R>) -> io::Result<(Arc<Cells>, Counters)> {
    let mut fold = TraceFold::default();
    for input in inputs {
        fold.file(input)?;
    }
    Ok(fold.finish())
}

/// Files of traces on their way into cells, one after the other, as if they were one: see [`fold_traces`].
pub struct TraceFold {
    fold: Fold,
    texts: Texts,
    bad_lines: u64,
}

impl Default for TraceFold {
    fn default() -> Self {
        // Nothing is sealed by time: lines are in no order of time. And what was read may be read but once.
        let limits = Limits { horizon_ns: i64::MAX, late_traces_max: 0, ..Limits::default() };
        let fold = Fold::new(limits);
        Self { fold, texts: Texts::default(), bad_lines: 0 }
    }
}

impl TraceFold {
    /// What was counted up to now.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut counters = self.fold.counters();
        counters.add(counter::BAD_LINES, self.bad_lines);
        counters
    }

    /// The cells of all files, and what was counted.
    #[must_use]
    pub fn finish(mut self) -> (Arc<Cells>, Counters) {
        self.fold.origin_from_spans();
        self.fold.settle();
        (Arc::new(self.fold.cells().clone()), self.counters())
    }

    /// Takes a file.
    ///
    /// # Errors
    /// As for [`fold_traces`].
    pub fn file(&mut self, mut input: impl BufRead) -> io::Result<()> {
        let mut line = Vec::new();
        let mut first = true;
        while read_line(&mut input, &mut line)? {
            let text = line.trim_ascii();
            if text.is_empty() {
                continue;
            }
            // A document that is written for people begins with a line that ends in the middle.
            if std::mem::take(&mut first) && is_open(text) {
                return self.document(&mut input, line);
            }
            self.line(text);
        }
        Ok(())
    }

    /// A document over several lines; lines, when it is none.
    fn document(&mut self, input: &mut impl BufRead, mut bytes: Vec<u8>) -> io::Result<()> {
        let left = (DOCUMENT_BYTES_MAX + 1).saturating_sub(bytes.len());
        input.by_ref().take(left as u64).read_to_end(&mut bytes)?;
        if bytes.len() > DOCUMENT_BYTES_MAX {
            return Err(too_large());
        }
        match decode_any(bytes.trim_ascii(), &mut self.texts) {
            Ok(decoded) => self.take(decoded),
            Err(_) => {
                bytes
                    .split(|byte| *byte == b'\n')
                    .map(<[u8]>::trim_ascii)
                    .filter(|line| !line.is_empty())
                    .for_each(|line| self.line(line));
            }
        }
        Ok(())
    }

    fn line(&mut self, text: &[u8]) {
        match decode_any(text, &mut self.texts) {
            Ok(decoded) => self.take(decoded),
            Err(_) => self.bad_lines += 1,
        }
    }

    fn take(&mut self, mut decoded: Decoded<Span>) {
        // Whose they are nobody knows: keys of live users have no place in a result.
        decoded.items.iter_mut().for_each(|span| span.key = None);
        let mut classes: Vec<_> = decoded.items.iter().map(|span| (span.trace, TraceClass::Mine)).collect();
        classes.sort_unstable();
        classes.dedup();
        self.fold.event(Event::Spans(decoded), i64::MAX, &classes);
        // What is sealed for want of room has to be filed under some second.
        if self.fold.is_half_full() {
            self.fold.origin_from_spans();
        }
    }
}

/// Whether a text is the beginning of JSON that goes on.
fn is_open(text: &[u8]) -> bool {
    serde_json::from_slice::<&serde_json::value::RawValue>(text).is_err_and(|error| error.is_eof())
}

fn too_large() -> io::Error {
    let why = format!(
        "a line, or a document over several lines, is larger than {DOCUMENT_BYTES_MAX} bytes: split it"
    );
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let read = input.by_ref().take(DOCUMENT_BYTES_MAX as u64 + 1).read_until(b'\n', line)?;
    if read > DOCUMENT_BYTES_MAX {
        return Err(too_large());
    }
    Ok(read > 0)
}
