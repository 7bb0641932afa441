//! What must hold for any bytes. Used by the fuzzers, and by a test over their corpus.
#![allow(dead_code, reason = "each fuzzer uses one of them")]

use peakdrill_bottleneck::TraceClass;
use peakdrill_collector::Limits;
use peakdrill_collector::fold::Fold;
use peakdrill_collector::journal::SegmentReader;
use peakdrill_collector::otlp::{Format, Texts, decode_metrics, decode_traces};
use peakdrill_collector::record::Event;

const RECV_NS: i64 = 1_700_000_000_000_000_000;

/// Decodes requests of both kinds in both forms; what is usable is folded, and taken in twice changes nothing.
pub(crate) fn decode(bytes: &[u8]) {
    for format in [Format::Protobuf, Format::Json] {
        let _ = decode_metrics(bytes, format);
        let Ok(decoded) = decode_traces(bytes, format, RECV_NS, &mut Texts::default()) else { continue };
        assert!(
            decoded.items.iter().all(|span| span.trace != 0 && span.id != 0 && span.end_ns >= span.start_ns)
        );
        let mut fold = Fold::new(Limits::default());
        fold.event(Event::Origin(RECV_NS), RECV_NS, &[]);
        let classes: Vec<_> =
            decoded.items.first().map(|span| (span.trace, TraceClass::Mine)).into_iter().collect();
        fold.event(Event::Spans(decoded.clone()), RECV_NS, &classes);
        fold.settle();
        let once = fold.cells().clone();
        fold.event(Event::Spans(decoded), RECV_NS, &classes);
        fold.settle();
        assert!(once == *fold.cells(), "the same spans again changed the cells");
    }
}

/// Reads a segment of a journal, and decodes and folds what is in it.
pub(crate) fn journal(bytes: &[u8]) {
    let mut fold = Fold::new(Limits::default());
    for block in SegmentReader::new(bytes, 0).flatten() {
        for record in &block.records {
            let _ = fold.record(record);
        }
    }
    fold.settle();
}
