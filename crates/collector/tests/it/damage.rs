//! What telemetry looks like in the field: each kind of damage at three levels. Nothing panics, what can be mended is, and
//! what cannot is counted.

mod names;

use std::collections::BTreeSet;
use std::convert::Infallible;

use opentelemetry_proto::tonic::trace::v1::Span;
use peakdrill_bottleneck::{
    AnalysisInput, Cells, ClockKey, Clocks, Offset, TraceClass, analyse, clock_pairs, critical_path,
};
use peakdrill_collector::Limits;
use peakdrill_collector::counters::counter;
use peakdrill_collector::fold::Fold;
use peakdrill_collector::otlp::{Format, Texts, decode_traces};
use peakdrill_collector::record::{Record, RecordKind};
use peakdrill_drill_model::verdict::FindingKind;
use prost::Message;

use crate::support::{MINE, T, journey, request, root, text};

const TRACES: u128 = 60;
const MS: i64 = 1_000_000;
const S: i64 = 1_000 * MS;

type Spans = Vec<(&'static str, Span)>;

/// All spans of the drill, 100 ms between the starts of traces; the first of each came of the generator's request, and
/// the second says whom it calls.
fn clean() -> Spans {
    let mut spans: Spans = (0..TRACES).flat_map(|at| journey(MINE + at, at as i64 * 100)).collect();
    for (_, span) in &mut spans {
        match span.span_id[7] {
            1 => span.parent_span_id = 99_u64.to_be_bytes().to_vec(),
            2 => span.attributes = vec![text("service.peer.name", "order")],
            _ => {}
        }
    }
    spans
}

/// Takes batches with their time of receipt, and a row for each trace. What must hold of any: the critical path of every
/// request that is open is as long as the request, and the same records, taken again in one go, give the same.
fn folded(batches: impl IntoIterator<Item = (Spans, i64)>) -> Fold {
    let rows: Vec<_> = (0..TRACES).map(|at| root(MINE + at, at as i64 * 100)).collect();
    let mut records = vec![Record::origin(T, T), Record::roots(&rows, T).unwrap()];
    records.extend(batches.into_iter().map(|(spans, recv_ns)| record(spans, recv_ns)));
    let (live, replayed) = (taken(&records, true), taken(&records, false));
    assert_eq!(bytes(&live), bytes(&replayed), "live and replayed");
    assert_eq!(live.counters().get(counter::LATE), replayed.counters().get(counter::LATE));
    for row in &rows {
        let path: u64 = critical_path(&live.trace(row.trace), Some(row)).iter().map(|piece| piece.ns).sum();
        assert_eq!(path, (row.done_ns - row.sent_ns).unsigned_abs(), "of {:x}", row.trace);
    }
    live
}

/// Takes records, looked at after each or not, and amends what was sealed by a second reading.
fn taken(records: &[Record], look: bool) -> Fold {
    let mut fold = Fold::new(Limits::default());
    for record in records {
        take(&mut fold, record);
        if look {
            fold.refresh();
        }
    }
    let read = fold.amend(|amendment| {
        records.iter().for_each(|record| amendment.record(record));
        Ok::<_, Infallible>(())
    });
    assert_eq!(read, Ok(true));
    fold.settle();
    fold
}

fn take(fold: &mut Fold, record: &Record) {
    let event = record.event(&mut Texts::default()).unwrap();
    fold.event(event, record.recv_ns, &record.classes);
}

/// A request as it stands in the journal.
fn record(spans: Spans, recv_ns: i64) -> Record {
    record_of(&request(spans).encode_to_vec(), recv_ns)
}

fn record_of(payload: &[u8], recv_ns: i64) -> Record {
    let decoded = decode_traces(payload, Format::Protobuf, recv_ns, &mut Texts::default()).unwrap();
    let class = |trace| match trace / MINE {
        0 => TraceClass::Live,
        1 => TraceClass::Mine,
        _ => TraceClass::OtherRun,
    };
    let mut classes: Vec<_> = decoded.items.iter().map(|span| (span.trace, class(span.trace))).collect();
    classes.retain(|(_, class)| *class != TraceClass::Live);
    classes.sort_unstable();
    classes.dedup();
    let kind = RecordKind::Traces(Format::Protobuf);
    Record { kind, recv_ns, classes, payload: payload.to_vec().into() }
}

const RECV_NS: i64 = T + 7 * S;

fn at_once(spans: Spans) -> Fold {
    folded([(spans, RECV_NS)])
}

/// A number that looks like chance, the same in every run.
fn chance(seed: u64, at: usize) -> u64 {
    let mixed = (seed << 32 ^ at as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33
}

fn bytes(fold: &Fold) -> Vec<u8> {
    serde_json::to_vec(fold.cells()).unwrap()
}

/// Requests, those with a known critical path, and its length, nanoseconds.
fn roots(cells: &Cells) -> (i64, i64, i64) {
    let cells = cells.roots.iter().filter(|((_, class), _)| *class == TraceClass::Mine);
    let all = cells.flat_map(|(_, seconds)| seconds.values());
    all.fold((0, 0, 0), |sum, cell| (sum.0 + cell.count, sum.1 + cell.pathed, sum.2 + cell.cp_ns))
}

/// Names of the nodes that are called, and of operations.
fn names(cells: &Cells) -> (BTreeSet<&str>, BTreeSet<&str>) {
    let edges = cells.edges.keys().map(|(edge, _)| (&*edge.to.name, &*edge.op));
    edges.unzip()
}

#[test]
fn reordered() {
    let expected = bytes(&at_once(clean()));
    for (seed, batch) in [(1, 240), (2, 17), (3, 1)] {
        let mut spans: Vec<_> = clean().into_iter().enumerate().collect();
        spans.sort_by_key(|(at, _)| chance(seed, *at));
        let spans: Spans = spans.into_iter().map(|(_, span)| span).collect();
        let batches = spans.chunks(batch).map(|part| (part.to_vec(), RECV_NS));
        assert_eq!(bytes(&folded(batches)), expected, "{batch}");
    }
}

#[test]
fn delayed() {
    for (delay_s, is_late) in [(1, false), (50, false), (70, true)] {
        let (soon, later): (Vec<_>, Vec<_>) =
            clean().into_iter().enumerate().partition(|(at, _)| !chance(4, *at).is_multiple_of(4));
        let of = |part: Vec<(usize, (&'static str, Span))>| part.into_iter().map(|(_, span)| span).collect();
        // Meanwhile others go on: time is what their spans say.
        let others: Spans = journey(9, delay_s * 1_000);
        let fold = folded([
            (of(soon), RECV_NS),
            (others.clone(), RECV_NS + delay_s * S),
            (of(later), RECV_NS + delay_s * S),
        ]);
        assert_eq!(fold.counters().get(counter::LATE) > 0, is_late, "{delay_s}");
        // What came after the seal is in its trace all the same.
        let at_once = folded([(clean().into_iter().chain(others).collect(), RECV_NS + delay_s * S)]);
        assert_eq!(bytes(&fold), bytes(&at_once), "{delay_s}");
        assert_eq!(roots(fold.cells()).0, TRACES as i64);
    }
}

#[test]
fn duplicated() {
    let expected = bytes(&at_once(clean()));
    for part in [100, 20, 5] {
        let again: Spans = clean()
            .into_iter()
            .enumerate()
            .filter(|(at, _)| chance(5, *at).is_multiple_of(part))
            .map(|(_, s)| s)
            .collect();
        let count = again.len() as u64;
        assert!(count > 0, "one in {part}: nothing comes twice");
        let fold = folded([(clean(), RECV_NS), (again, RECV_NS + S)]);
        assert_eq!(
            (bytes(&fold), fold.counters().get(counter::DUPLICATES)),
            (expected.clone(), count),
            "{part}"
        );
    }
}

/// Every request is still there; what is missing shows where it was expected. A query's span alone is missed by nobody.
fn told_as_missing(kept: Spans) {
    let served = |spans: &Spans| spans.iter().filter(|(_, span)| span.span_id[7] < 4).count();
    let all_served = served(&clean()) == served(&kept);
    let count = kept.len() as u64;
    let fold = at_once(kept);
    assert_eq!(fold.counters().get(counter::SPANS), count);
    let cells = fold.cells();
    let telemetry = cells
        .telemetry
        .values()
        .fold((0, 0, 0), |sum, cell| (sum.0 + cell.expected, sum.1 + cell.received, sum.2 + cell.orphans));
    let without_entry = roots(cells).0 - roots(cells).1;
    assert_eq!(roots(cells).0, TRACES as i64);
    assert!(all_served || telemetry.0 > telemetry.1 || telemetry.2 > 0 || without_entry > 0, "{telemetry:?}");
}

#[test]
fn lost_by_chance() {
    for per_mille in [10, 50, 200] {
        let kept = clean().into_iter().enumerate().filter(|(at, _)| chance(6, *at) % 1_000 >= per_mille);
        told_as_missing(kept.map(|(_, span)| span).collect());
    }
}

#[test]
fn lost_with_the_load() {
    for lost_of_ten in [1, 5, 9] {
        // The queue of an exporter overflows in the second half.
        let from = T + TRACES as i64 * 50 * MS;
        let lost = |at: usize, span: &Span| {
            span.start_time_unix_nano as i64 > from && chance(7, at) % 10 < lost_of_ten
        };
        let kept = clean().into_iter().enumerate().filter(|(at, (_, span))| !lost(*at, span));
        told_as_missing(kept.map(|(_, span)| span).collect());
    }
}

#[test]
fn without_a_service() {
    for part in [4, 2, 1] {
        let lost = |span: &Span| u64::from(span.trace_id[15]) % part == 0;
        told_as_missing(clean().into_iter().filter(|(from, span)| *from != "order" || !lost(span)).collect());
    }
}

#[test]
fn without_roots() {
    for part in [10, 3, 1] {
        let lost = |span: &Span| span.span_id[7] == 1 && u64::from(span.trace_id[15]) % part == 0;
        let kept: Spans = clean().into_iter().filter(|(_, span)| !lost(span)).collect();
        let missing = (clean().len() - kept.len()) as i64;
        let fold = at_once(kept);
        assert_eq!(
            roots(fold.cells()),
            (TRACES as i64, TRACES as i64 - missing, (TRACES as i64 - missing) * 101 * MS)
        );
    }
}

#[test]
fn with_clocks_that_are_wrong() {
    let expected = roots(at_once(clean()).cells());
    for (skew_ms, drift_ppm) in [(1, 0), (-100, 50), (500, 50)] {
        let mut spans = clean();
        for (_, span) in spans.iter_mut().filter(|(from, _)| *from == "order") {
            for time in [&mut span.start_time_unix_nano, &mut span.end_time_unix_nano] {
                let drift = (*time as i64 - T) / 1_000_000 * drift_ppm;
                *time = time.wrapping_add_signed(skew_ms * MS + drift);
            }
        }
        // The path is whole to the nanosecond whatever the clocks say.
        let fold = at_once(spans);
        assert_eq!(roots(fold.cells()), expected, "{skew_ms}");
        // Of a call of 90 ms, 80 ms were at the called service: less than 5 ms to either side is not seen.
        let clock = |service: &str| ClockKey { service: service.into(), instance: "".into() };
        let pairs = clock_pairs(fold.cells());
        let pair = pairs.iter().find(|p| (&p.caller, &p.called) == (&clock("gateway"), &clock("order")));
        let window = pair.unwrap().windows[0];
        // The first request was due before the start of the load.
        assert_eq!((window.second, window.calls), (0, TRACES as i64 - 1));
        let said = analyse(fold.cells(), &AnalysisInput::default()).findings;
        let found: Vec<_> = said.iter().filter(|f| f.kind == FindingKind::ClocksDiffer).collect();
        if skew_ms == 1 {
            assert_eq!((window.offset(), found.len()), (Offset::Agree, 0));
            continue;
        }
        let Offset::Ahead { ns, uncertainty_ns } = window.offset() else { panic!("{window:?}") };
        assert!((-skew_ms * MS - ns).abs() <= uncertainty_ns && uncertainty_ns < 7 * MS, "{window:?}");
        assert_eq!((found.len(), found[0].node.as_str()), (1, "order"), "{found:?}");
        assert!(found[0].text.contains(if skew_ms > 0 { "ms ahead of" } else { "ms behind" }), "{found:?}");
    }
}

#[test]
fn with_clocks_of_several_hosts_under_one_name() {
    for (hosts, inconsistent) in [(1, false), (2, true), (5, true)] {
        let mut spans = clean();
        for (_, span) in spans.iter_mut().filter(|(from, _)| *from == "order") {
            let skew_ns = i64::from(span.trace_id[15] % hosts) * 40 * MS;
            for time in [&mut span.start_time_unix_nano, &mut span.end_time_unix_nano] {
                *time = time.wrapping_add_signed(skew_ns);
            }
        }
        let said = analyse(at_once(spans).cells(), &AnalysisInput::default()).findings;
        let found: Vec<_> = said.iter().map(|finding| finding.kind).collect();
        let expected: &[FindingKind] = if inconsistent { &[FindingKind::ClocksInconsistent] } else { &[] };
        assert_eq!(found, expected, "{hosts}");
    }
}

#[test]
fn with_coarse_clocks() {
    let expected = roots(at_once(clean()).cells());
    for unit_ns in [1_000, 1_000_000, 200_000_000] {
        let mut spans = clean();
        let mut zero = 0;
        for (_, span) in &mut spans {
            span.start_time_unix_nano -= span.start_time_unix_nano % unit_ns;
            span.end_time_unix_nano -= span.end_time_unix_nano % unit_ns;
            zero += u64::from(span.start_time_unix_nano == span.end_time_unix_nano);
        }
        let fold = at_once(spans);
        assert_eq!((roots(fold.cells()), fold.counters().get(counter::ZERO_DURATION)), (expected, zero));
        assert_eq!(zero > 0, unit_ns > 1_000_000);
    }
}

#[test]
fn with_ids_in_names() {
    for prefix in ["/orders/", "/a/b/c/", ""] {
        let mut spans = clean();
        for (at, (_, span)) in spans.iter_mut().enumerate() {
            let id = chance(8, at);
            span.name = format!("GET {prefix}{id:08x}-0000-4000-8000-{id:012x}");
        }
        let fold = at_once(spans);
        assert_eq!(names(fold.cells()).1.len(), 1, "{:?}", names(fold.cells()).1);
    }
}

#[test]
fn with_a_trace_of_a_hundred_thousand_spans() {
    for count in [1_000_u64, 50_000, 110_000] {
        let first = ("gateway", clean().remove(0).1);
        let spans: Spans = (0..count)
            .map(|id| {
                let mut span = first.clone();
                span.1.span_id = (id + 10).to_be_bytes().to_vec();
                span.1.parent_span_id = (id / 3 + 9).to_be_bytes().to_vec();
                span
            })
            .collect();
        let fold = folded([(clean(), RECV_NS), (spans, RECV_NS)]);
        assert_eq!(fold.counters().get(counter::OVER_TRACE_LIMIT), (count + 4).saturating_sub(100_000));
        assert_eq!(roots(fold.cells()).0, TRACES as i64);
    }
}

#[test]
fn with_cycles() {
    for length in [1, 2, 4] {
        let mut spans = clean();
        for (_, span) in &mut spans {
            let id = u64::from(span.span_id[7]);
            if id <= length {
                span.parent_span_id = (id % length + 1).to_be_bytes().to_vec();
            }
        }
        let fold = at_once(spans);
        let name = if length == 1 { counter::SELF_PARENT } else { counter::CYCLES };
        assert_eq!(fold.counters().get(name), TRACES as u64 * length);
        assert_eq!(roots(fold.cells()).0, TRACES as i64);
    }
}

#[test]
fn with_shared_span_ids() {
    let expected = roots(at_once(clean()).cells());
    for part in [10, 2, 1] {
        let mut spans = clean();
        for (_, span) in spans.iter_mut().filter(|(_, span)| u64::from(span.trace_id[15]) % part == 0) {
            // The called side has the id of the calling side, as some libraries do it.
            if span.span_id[7] == 3 {
                span.span_id[7] = 2;
                span.parent_span_id[7] = 1;
            } else if span.span_id[7] == 4 {
                span.parent_span_id[7] = 2;
            }
        }
        let fold = at_once(spans);
        assert_eq!((roots(fold.cells()), fold.counters().get(counter::DUPLICATES)), (expected, 0));
        assert!(names(fold.cells()).0.contains("order-db"));
    }
}

#[test]
fn with_spans_of_other_runs() {
    let expected: Cells = serde_json::from_slice(&bytes(&at_once(clean()))).unwrap();
    for count in [1, 30, 200] {
        let others = (0..count).flat_map(|at| journey(2 * MINE + at, at as i64));
        let fold = at_once(clean().into_iter().chain(others).collect());
        let mut cells = fold.cells().clone();
        assert!(cells.edges.keys().any(|(_, class)| *class == TraceClass::OtherRun));
        cells.edges.retain(|(_, class), _| *class == TraceClass::Mine);
        cells.nodes.retain(|(_, class), _| *class == TraceClass::Mine);
        assert_eq!((cells.edges, cells.nodes), (expected.edges.clone(), expected.nodes.clone()), "{count}");
    }
}

#[test]
fn with_services_that_start_again() {
    // Whose clock it is, and who works, is another one with each instance; all else is the same.
    let without_instances = |mut cells: Cells| {
        cells.clocks = Clocks::default();
        cells.instances.clear();
        cells
    };
    let expected = without_instances(at_once(clean()).cells().clone());
    for restarts in [1, 3, 20] {
        let spans = clean();
        let part = spans.len() / (restarts + 1) + 1;
        let rows: Vec<_> = (0..TRACES).map(|at| root(MINE + at, at as i64 * 100)).collect();
        let mut fold = Fold::new(Limits::default());
        take(&mut fold, &Record::origin(T, T));
        take(&mut fold, &Record::roots(&rows, T).unwrap());
        for (instance, spans) in spans.chunks(part).enumerate() {
            let mut request = request(spans.to_vec());
            for group in &mut request.resource_spans {
                let attributes = &mut group.resource.as_mut().unwrap().attributes;
                attributes.push(text("service.instance.id", &format!("i{instance}")));
            }
            take(&mut fold, &record_of(&request.encode_to_vec(), RECV_NS));
        }
        fold.settle();
        assert_eq!(without_instances(fold.cells().clone()), expected, "{restarts}");
    }
}
