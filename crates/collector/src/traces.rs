//! Traces that no drill made: files of OTLP JSON lines, as exporters write them.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use peakdrill_bottleneck::{Cells, TraceClass};

use crate::counters::{Counters, counter};
use crate::fold::Fold;
use crate::limits::{DECODED_BYTES_MAX, Limits};
use crate::otlp::{self, Format, Texts};
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

/// Folds lines of OTLP JSON (each an `ExportTraceServiceRequest`, or `TracesData`). All traces count as mine, the
/// roots are the root spans, and seconds count from the earliest span. A line that cannot be decoded is counted
/// ([`counter::BAD_LINES`]); empty lines are passed over.
///
/// # Errors
/// When the input cannot be read, or a line is longer than a request may be.
pub fn fold_traces(input: impl BufRead) -> io::Result<(Arc<Cells>, Counters)> {
    fold_all([input])
}

/// As [`fold_traces`], over several files as if they were one.
///
/// # Errors
/// As for [`fold_traces`].
pub fn fold_all<R: BufRead>(inputs: impl IntoIterator<Item = R>) -> io::Result<(Arc<Cells>, Counters)> {
    // Nothing is sealed by time: lines are in no order of time.
    let mut fold = Fold::new(Limits { horizon_ns: i64::MAX, ..Limits::default() });
    let mut bad_lines = 0;
    let mut texts = Texts::default();
    let mut line = Vec::new();
    for mut input in inputs {
        while read_line(&mut input, &mut line)? {
            let text = line.trim_ascii();
            if text.is_empty() {
                continue;
            }
            match otlp::decode_traces(text, Format::Json, i64::MAX, &mut texts) {
                Ok(decoded) => {
                    let mut classes: Vec<_> =
                        decoded.items.iter().map(|span| (span.trace, TraceClass::Mine)).collect();
                    classes.sort_unstable();
                    classes.dedup();
                    fold.event(Event::Spans(decoded), i64::MAX, &classes);
                    // What is sealed for want of room has to be filed under some second.
                    if fold.is_half_full() {
                        fold.origin_from_spans();
                    }
                }
                Err(_) => bad_lines += 1,
            }
        }
    }
    fold.origin_from_spans();
    fold.settle();
    let mut counters = fold.counters();
    counters.add(counter::BAD_LINES, bad_lines);
    Ok((Arc::new(fold.cells().clone()), counters))
}

fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let read = input.by_ref().take(DECODED_BYTES_MAX as u64 + 1).read_until(b'\n', line)?;
    if read > DECODED_BYTES_MAX {
        let why = format!("a line is longer than {DECODED_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok(read > 0)
}
