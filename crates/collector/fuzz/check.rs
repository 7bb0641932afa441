//! What must hold for any bytes. Used by the fuzzers, and by a test over their corpus.
#![allow(dead_code, reason = "each fuzzer uses one of them")]

use std::convert::Infallible;

use peakdrill_bottleneck::{Cells, TraceClass};
use peakdrill_collector::Limits;
use peakdrill_collector::fold::Fold;
use peakdrill_collector::interop::decode_any;
use peakdrill_collector::journal::SegmentReader;
use peakdrill_collector::otlp::{Decoded, Format, Texts, decode_metrics, decode_traces};
use peakdrill_collector::record::Event;
use peakdrill_drill_model::frame::RootRow;
use peakdrill_trace_model::{Link, Messaging, Peer, PeerKind, Span, SpanKey, SpanKind};

const RECV_NS: i64 = 1_700_000_000_000_000_000;

/// Decodes requests of both kinds in both forms; what is usable is folded, and taken in twice changes nothing.
pub(crate) fn decode(bytes: &[u8]) {
    if let Ok(decoded) = decode_any(bytes, &mut Texts::default()) {
        assert!(
            decoded.items.iter().all(|span| span.trace != 0 && span.id != 0 && span.end_ns >= span.start_ns)
        );
    }
    for format in [Format::Protobuf, Format::Json] {
        metrics(bytes, format);
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

/// Resources that are taken in twice, or the other way round, are the same.
fn metrics(bytes: &[u8], format: Format) {
    let Ok(decoded) = decode_metrics(bytes, format, RECV_NS) else { return };
    let mut reversed = decoded.clone();
    reversed.items.reverse();
    let cells = |events: Vec<Event>| {
        let mut fold = Fold::new(Limits::default());
        fold.event(Event::Origin(RECV_NS), RECV_NS, &[]);
        events.into_iter().for_each(|event| fold.event(event, RECV_NS, &[]));
        fold.settle();
        fold.cells().clone()
    };
    let once = cells(vec![Event::Metrics(decoded.clone())]);
    assert!(
        once == cells(vec![Event::Metrics(reversed), Event::Metrics(decoded)]),
        "order or repetition matters"
    );
}

/// Reads a segment of a journal, and decodes and folds what is in it.
pub(crate) fn journal(bytes: &[u8]) {
    let (mut fold, mut texts) = (Fold::new(Limits::default()), Texts::default());
    let records: Vec<_> = SegmentReader::new(bytes, 0).flatten().flat_map(|block| block.records).collect();
    for record in &records {
        match record.event(&mut texts) {
            Ok(event) => fold.event(event, record.recv_ns, &record.classes),
            Err(_) => fold.pass_over(),
        }
    }
    fold.settle();
    let read = fold.amend(|amendment| {
        records.iter().for_each(|record| amendment.record(record));
        Ok::<_, Infallible>(())
    });
    assert_eq!(read, Ok(true), "the records are the same");
}

/// Bytes that make one span.
const SPAN_BYTES: usize = 8;

/// Spans of few traces, ids and services, so that they meet; and rows of some of the traces.
fn spans_and_rows(bytes: &[u8]) -> (Vec<Span>, Vec<RootRow>) {
    let (mut spans, mut rows) = (Vec::new(), Vec::new());
    for part in bytes.chunks_exact(SPAN_BYTES) {
        let &[ids, parent, what, who, start, length, flags, more] = part else { continue };
        let trace = 1 + u128::from(ids >> 6);
        let start_ns = RECV_NS - 60_000_000_000 + i64::from(start) * 40_000_000;
        let end_ns = start_ns + i64::from(length) * i64::from(more) * 100_000;
        let kind =
            [SpanKind::Internal, SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer];
        let messaging = [Messaging::Send, Messaging::Receive, Messaging::Process, Messaging::Settle];
        let peer = [PeerKind::Service, PeerKind::Database, PeerKind::Cache, PeerKind::Queue];
        let node = |number: u8| format!("n{number}").into();
        spans.push(Span {
            trace,
            id: 1 + u64::from(ids & 0x3f),
            parent: u64::from(parent & 0x3f),
            instance: node(who >> 6),
            op: format!("op {}", who >> 2 & 3).into(),
            start_ns,
            end_ns,
            error: flags & 1 != 0,
            status: if flags & 2 == 0 { 200 } else { 503 },
            peer: (flags & 4 != 0)
                .then(|| Peer { node: node(more & 3), kind: peer[usize::from(more >> 2 & 3)] }),
            messaging: (flags & 8 != 0).then(|| messaging[usize::from(more >> 4 & 3)]),
            resend: u16::from(flags >> 4 & 1),
            message: u64::from(more >> 5),
            partition: (flags & 16 != 0).then(|| u16::from(more >> 6)),
            key: (flags & 3 == 0).then(|| SpanKey::of(&format!("key {}", more & 7)).map(Box::new)).flatten(),
            mocked: flags & 32 != 0,
            links: (flags & 64 != 0)
                .then(|| Link { trace, span: 1 + u64::from(more & 0x3f) })
                .into_iter()
                .collect(),
            ..Span::bare(kind[usize::from(what) % kind.len()], node(who & 3))
        });
        if flags & 128 != 0 {
            rows.push(RootRow {
                trace,
                span: u64::from(parent & 0x3f),
                step: u16::from(more & 3),
                phase: 0,
                intended_ns: start_ns,
                sent_ns: start_ns + i64::from(more),
                done_ns: end_ns,
                error: None,
                status: 200,
                sampled: more & 64 == 0,
            });
        }
    }
    (spans, rows)
}

fn fold_of(limits: Limits, batches: &[Vec<Span>], rows: &[RootRow], settle_each: bool) -> Cells {
    let mut fold = Fold::new(limits);
    let origin = Event::Origin(RECV_NS - 60_000_000_000);
    let rows = rows.iter().map(|row| Event::Roots(vec![*row]));
    let spans = |batch: &Vec<Span>| Event::Spans(Decoded { items: batch.clone(), ..Decoded::default() });
    let events: Vec<_> = std::iter::once(origin).chain(rows).chain(batches.iter().map(spans)).collect();
    // One trace is listed, in every record.
    let classes = [(2, TraceClass::Mine)];
    for event in &events {
        fold.event(event.clone(), RECV_NS, &classes);
        if settle_each {
            fold.settle();
        }
    }
    let read = fold.amend(|amendment| {
        events.iter().for_each(|event| amendment.event(event));
        Ok::<_, Infallible>(())
    });
    assert_eq!(read, Ok(true), "the events are the same");
    fold.settle();
    fold.cells().clone()
}

/// Puts traces together, whatever is wrong with them: in one go, backwards in pieces, and split over shards they come to
/// the same; and so does sealing them early.
pub(crate) fn assemble(bytes: &[u8]) {
    let (spans, rows) = spans_and_rows(bytes);
    let expected = fold_of(Limits::default(), std::slice::from_ref(&spans), &rows, false);
    let backwards: Vec<Span> = spans.iter().rev().cloned().collect();
    let pieces: Vec<Vec<Span>> = backwards.chunks(3).map(<[Span]>::to_vec).collect();
    let rows_backwards: Vec<RootRow> = rows.iter().rev().copied().collect();
    assert!(
        fold_of(Limits::default(), &pieces, &rows_backwards, true) == expected,
        "the order changed the cells"
    );
    let mut sum = Cells::default();
    for shard in 0..2 {
        let spans: Vec<Span> = spans.iter().filter(|span| span.trace % 2 == shard).cloned().collect();
        let rows: Vec<RootRow> = rows.iter().filter(|row| row.trace % 2 == shard).copied().collect();
        sum.merge(&fold_of(Limits::default(), &[spans], &rows, false));
    }
    assert!(sum == expected, "splitting changed the cells");
    let short = Limits { spans_per_trace_max: 5, ..Limits::default() };
    let narrow = Limits { horizon_ns: 1_000_000_000, open_spans_max: 9, ..short.clone() };
    assert!(
        fold_of(narrow, &pieces, &rows, false) == fold_of(short, &pieces, &rows, false),
        "what came late is not where it belongs"
    );
}
