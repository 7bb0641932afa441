use std::sync::Arc;

use peakdrill_drill_model::verdict::NodeKind;
use peakdrill_trace_model::{Messaging, Peer, PeerKind, SpanKind};

use super::*;
use crate::cells::{Cells, EdgeCell, NodeCell};
use crate::key::{LOAD, NodeKey};

pub(super) const MS: i64 = 1_000_000;
pub(super) const S: i64 = 1_000_000_000;

pub(crate) fn span(id: u64, parent: u64, kind: SpanKind, service: &str, from_ms: i64, to_ms: i64) -> Span {
    Span {
        trace: 7,
        id,
        parent,
        op: "op".into(),
        start_ns: S + from_ms * MS,
        end_ns: S + to_ms * MS,
        ..Span::bare(kind, service)
    }
}

pub(super) fn to(mut span: Span, node: &str, kind: PeerKind) -> Span {
    span.peer = Some(Peer { node: node.into(), kind });
    span
}

pub(super) fn row(from_ms: i64, to_ms: i64) -> RootRow {
    RootRow {
        trace: 7,
        span: 100,
        step: 3,
        phase: 0,
        intended_ns: S + from_ms * MS,
        sent_ns: S + from_ms * MS,
        done_ns: S + to_ms * MS,
        error: None,
        status: 200,
        sampled: true,
    }
}

pub(super) fn fold(spans: &[Span], row: Option<&RootRow>) -> Cells {
    let mut cells = Cells::default();
    cells.apply(&contribute(spans, row, TraceClass::Mine, 0));
    cells
}

pub(super) fn edge(cells: &Cells, from: &str, to: &str) -> EdgeCell {
    let mut sum = EdgeCell::default();
    let of = cells.edges.iter().filter(|((e, _), _)| &*e.from == from && &*e.to.name == to);
    of.flat_map(|(_, seconds)| seconds.values()).for_each(|cell| crate::cells::Cell::add(&mut sum, cell));
    sum
}

fn node(cells: &Cells, name: &str, kind: NodeKind) -> NodeCell {
    let mut sum = NodeCell::default();
    let key = (NodeKey { name: name.into(), kind }, TraceClass::Mine);
    let seconds = cells.nodes.get(&key).into_iter().flat_map(|seconds| seconds.values());
    seconds.for_each(|cell| crate::cells::Cell::add(&mut sum, cell));
    sum
}

fn path_ms(cells: &Cells, name: &str) -> (i64, i64, i64, i64) {
    let of = cells.paths.iter().filter(|((_, _, n), _)| &*n.name == name).flat_map(|(_, s)| s.values());
    of.fold((0, 0, 0, 0), |(own, gap, wait, flow), c| {
        (own + c.self_ns / MS, gap + c.gap_ns / MS, wait + c.wait_ns / MS, flow + c.flow_ns / MS)
    })
}

#[test]
fn a_hundred_thousand_calls_within_one_do_not_hang() {
    let call =
        |id: u64, parent| to(span(id, parent, SpanKind::Client, "front", 0, 90), "db", PeerKind::Database);
    let mut spans = vec![span(1, 100_001, SpanKind::Server, "front", 0, 100), call(2, 1)];
    spans.extend((3..=100_000).map(|id| call(id, 2)));
    let calls = edge(&fold(&spans, None), "front", "db");
    assert_eq!((calls.calls, calls.attempts), (1, 99_998));
}

#[test]
fn what_failed_is_kept_apart_and_so_is_what_was_refused() {
    let call = |id, to_ms, status: u16| {
        let call = span(id, 1, SpanKind::Client, "front", id as i64, to_ms);
        Span {
            status,
            error: status >= 400,
            op: format!("op {id}").into(),
            ..to(call, "db", PeerKind::Database)
        }
    };
    let spans = [
        span(1, 100, SpanKind::Server, "front", 0, 100),
        call(2, 12, 200),
        call(3, 4, 429),
        call(4, 5, 503),
        call(5, 25, 500),
    ];
    let found = edge(&fold(&spans, Some(&row(0, 100))), "front", "db");
    assert_eq!((found.calls, found.errors, found.refused), (4, 3, 2));
    assert_eq!((found.latency.count(), found.failed.count()), (4, 3));
    assert!((found.failed.sum_ns() / 1_000_000 - 22).abs() <= 1, "{}", found.failed.sum_ns());
    // One span for both attempts: the called side says how each ended.
    let again = [
        span(1, 100, SpanKind::Server, "front", 0, 100),
        to(span(2, 1, SpanKind::Client, "front", 10, 90), "back", PeerKind::Service),
        Span { status: 429, ..span(3, 2, SpanKind::Server, "back", 11, 13) },
        Span { status: 200, ..span(4, 2, SpanKind::Server, "back", 40, 80) },
    ];
    let found = edge(&fold(&again, Some(&row(0, 100))), "front", "back");
    assert_eq!((found.calls, found.attempts, found.errors, found.refused), (1, 2, 0, 1));
    assert_eq!(found.failed.sum_ns() / 1_000_000, 2);
    // What the generator was told of the first service.
    let refused = RootRow { error: Some(ErrorClass::Grpc(8)), status: 0, ..row(0, 2) };
    let found = edge(&fold(&[span(1, 100, SpanKind::Server, "front", 0, 1)], Some(&refused)), LOAD, "front");
    assert_eq!((found.errors, found.refused, found.failed.count()), (1, 1, 1));
}

#[test]
fn time_goes_to_the_deepest_node_and_the_rest_to_the_gap() {
    let spans = [
        span(1, 100, SpanKind::Server, "front", 10, 90),
        to(span(2, 1, SpanKind::Client, "front", 20, 80), "back", PeerKind::Service),
        // Its clock is five minutes off: only its duration counts.
        span(3, 2, SpanKind::Server, "back", 300_000, 300_045),
        to(span(4, 3, SpanKind::Client, "back", 300_010, 300_040), "db", PeerKind::Database),
    ];
    let cells = fold(&spans, Some(&row(0, 100)));
    assert_eq!(path_ms(&cells, "front"), (20, 20, 0, 0));
    assert_eq!(path_ms(&cells, "back"), (15, 15, 0, 0));
    assert_eq!(path_ms(&cells, "db"), (30, 0, 0, 0));
    let back = node(&cells, "back", NodeKind::Service);
    assert_eq!((back.ops, back.own_ns / MS, back.busy_ns / MS), (1, 30, 45));
    let call = edge(&cells, "front", "back");
    assert_eq!(
        (call.calls, call.attempts, call.paired, call.gap_ns / MS, call.cp_ns / MS),
        (1, 1, 1, 15, 30)
    );
    assert_eq!(edge(&cells, LOAD, "front").gap_ns / MS, 20);
}

#[test]
fn parallel_calls_are_not_added_up() {
    let spans = [
        span(1, 100, SpanKind::Server, "front", 0, 100),
        to(span(2, 1, SpanKind::Client, "front", 10, 50), "short", PeerKind::Database),
        to(span(3, 1, SpanKind::Client, "front", 10, 90), "long", PeerKind::Database),
    ];
    let cells = fold(&spans, Some(&row(0, 100)));
    assert_eq!(path_ms(&cells, "front").0, 20);
    assert_eq!((path_ms(&cells, "short").0, path_ms(&cells, "long").0), (0, 80));
    assert_eq!(node(&cells, "front", NodeKind::Service).own_ns / MS, 20);
}

#[test]
fn attempts_of_one_call_are_one_call() {
    let resent = |id, from, to_ms, resend| {
        let mut span = to(span(id, 1, SpanKind::Client, "front", from, to_ms), "bank", PeerKind::Service);
        span.resend = resend;
        span.error = resend == 0;
        span
    };
    let http = [span(1, 100, SpanKind::Server, "front", 0, 100), resent(2, 10, 20, 0), resent(3, 30, 40, 1)];
    let framed = [
        span(1, 100, SpanKind::Server, "front", 0, 100),
        span(2, 1, SpanKind::Client, "front", 10, 40),
        to(span(3, 2, SpanKind::Client, "front", 10, 20), "bank", PeerKind::Service),
        to(span(4, 2, SpanKind::Client, "front", 30, 40), "bank", PeerKind::Service),
    ];
    for spans in [&http[..], &framed[..]] {
        let call = edge(&fold(spans, Some(&row(0, 100))), "front", "bank");
        assert_eq!((call.calls, call.attempts), (1, 2));
    }
    let hedged = [
        span(1, 100, SpanKind::Server, "front", 0, 100),
        to(span(2, 1, SpanKind::Client, "front", 10, 90), "back", PeerKind::Service),
        span(3, 2, SpanKind::Server, "back", 10, 40),
        span(4, 2, SpanKind::Server, "back", 50, 90),
    ];
    let cells = fold(&hedged, Some(&row(0, 100)));
    let call = edge(&cells, "front", "back");
    assert_eq!((call.calls, call.attempts), (1, 2));
    assert_eq!(path_ms(&cells, "back"), (70, 0, 0, 0), "both attempts were waited for");
    assert_eq!(path_ms(&cells, "front"), (30, 0, 0, 0), "the pause between them is the caller's");
}

#[test]
fn attempts_do_not_count_each_others_time() {
    let spans = [
        span(1, 100, SpanKind::Server, "front", 0, 100),
        to(span(2, 1, SpanKind::Client, "front", 10, 90), "back", PeerKind::Service),
        Span { error: true, ..span(3, 2, SpanKind::Server, "back", 12, 40) },
        span(4, 2, SpanKind::Server, "back", 45, 85),
    ];
    let cells = fold(&spans, Some(&row(0, 100)));
    // 80 ms of the call, less 28 ms and 40 ms of the attempts and 5 ms between them.
    let call = edge(&cells, "front", "back");
    assert_eq!((call.calls, call.attempts, call.paired, call.gap_ns / MS), (1, 2, 1, 7));
    let back = node(&cells, "back", NodeKind::Service);
    assert_eq!((back.ops, back.done, back.arrived), (2, 2, 2));
    assert_eq!((back.busy_ns / MS, back.own_ns / MS), (68, 75), "no more than the call lasted");
    assert_eq!(path_ms(&cells, "back"), (68, 7, 0, 0));
    // The same by the generator's own request.
    let entries = [
        Span { error: true, ..span(1, 100, SpanKind::Server, "front", 0, 30) },
        span(2, 100, SpanKind::Server, "front", 40, 90),
    ];
    let cells = fold(&entries, Some(&row(0, 100)));
    assert_eq!(node(&cells, "front", NodeKind::Service).own_ns / MS, 100);
    assert_eq!(edge(&cells, LOAD, "front").gap_ns / MS, 20);
}

#[test]
fn what_comes_late_is_calls_and_operations_alone() {
    let mut consumer = to(span(5, 9, SpanKind::Consumer, "worker", 60, 70), "queue", PeerKind::Queue);
    consumer.messaging = Some(Messaging::Process);
    let spans = [
        span(1, 8, SpanKind::Server, "back", 10, 50),
        to(span(2, 1, SpanKind::Client, "back", 20, 40), "db", PeerKind::Database),
        span(4, 0, SpanKind::Server, "front", 0, 90),
        consumer,
    ];
    let mut cells = Cells::default();
    let mut sums = Sums::default();
    sums.add_late(&Filed { spans: &spans, root: None, class: TraceClass::Mine, tagged: false, origin_ns: 0 });
    cells.take_in(&mut sums);
    assert!(cells.roots.is_empty() && cells.paths.is_empty() && cells.visits.is_empty());
    assert!(cells.entries.is_empty() && cells.telemetry.values().all(|t| t.orphans == 0));
    assert_eq!(edge(&cells, "back", "db").calls, 1);
    assert_eq!((edge(&cells, "unknown", "back").calls, edge(&cells, "unknown", "front").calls), (1, 1));
    let back = node(&cells, "back", NodeKind::Service);
    assert_eq!((back.done, back.ops, back.own_ns / MS), (1, 1, 20));
}

#[test]
fn a_message_waits_in_the_queue_and_not_in_the_request() {
    let mut consumer = to(span(3, 2, SpanKind::Consumer, "worker", 250, 280), "other-name", PeerKind::Queue);
    consumer.messaging = Some(Messaging::Process);
    let spans = [
        span(1, 100, SpanKind::Server, "front", 0, 60),
        to(span(2, 1, SpanKind::Producer, "front", 40, 50), "queue", PeerKind::Queue),
        consumer,
        to(span(4, 3, SpanKind::Client, "worker", 255, 265), "db", PeerKind::Database),
    ];
    let cells = fold(&spans, Some(&row(0, 60)));
    assert_eq!(path_ms(&cells, "queue"), (10, 0, 200, 20));
    assert_eq!(path_ms(&cells, "db"), (0, 0, 0, 10));
    let queue = node(&cells, "queue", NodeKind::Queue);
    assert_eq!((queue.arrived, queue.done, queue.queued_ns / MS, queue.own_ns / MS), (1, 1, 200, 220));
    assert_eq!(edge(&cells, "queue", "worker").calls, 1);
}

#[test]
fn what_the_client_gave_up_is_not_done() {
    let given_up = RootRow { error: Some(ErrorClass::Timeout), status: 0, ..row(0, 1_000) };
    let server = span(1, 100, SpanKind::Server, "front", 0, 1_002);
    let cut = node(&fold(std::slice::from_ref(&server), Some(&given_up)), "front", NodeKind::Service);
    assert_eq!((cut.done, cut.abandoned), (0, 1));
    // Its work went on to its own end.
    let finished =
        node(&fold(&[Span { status: 200, ..server }], Some(&given_up)), "front", NodeKind::Service);
    assert_eq!((finished.done, finished.abandoned), (1, 0));
}

#[test]
fn errors_are_charged_where_they_began() {
    let failed = |s: Span| Span { error: true, ..s };
    let spans = [
        failed(span(1, 100, SpanKind::Server, "front", 0, 100)),
        failed(to(span(2, 1, SpanKind::Client, "front", 20, 80), "back", PeerKind::Service)),
        failed(span(3, 2, SpanKind::Server, "back", 30, 70)),
    ];
    let cells = fold(&spans, Some(&row(0, 100)));
    assert_eq!(node(&cells, "front", NodeKind::Service).origin_errors, 0);
    assert_eq!(node(&cells, "back", NodeKind::Service).origin_errors, 1);
}

#[test]
fn a_missing_entry_counts_as_untraced() {
    let spans = [span(3, 2, SpanKind::Server, "back", 30, 70)];
    let cells = fold(&spans, Some(&row(0, 100)));
    let root = cells.roots.values().flat_map(|s| s.values()).find(|c| c.count == 1).unwrap();
    assert_eq!((root.ok, root.ok_traced, root.pathed), (1, 0, 0));
    assert_eq!(cells.telemetry[&Arc::<str>::from("back")].orphans, 1);
    assert!(cells.paths.is_empty());
}

#[test]
fn what_begins_elsewhere_misses_no_caller() {
    // A browser's two calls, whose own spans go elsewhere.
    let spans = [span(3, 1, SpanKind::Server, "back", 30, 70), span(4, 2, SpanKind::Server, "back", 80, 90)];
    assert!(fold(&spans, None).telemetry.values().all(|t| t.orphans == 0));
    assert_eq!(fold(&spans, Some(&row(0, 100))).telemetry[&Arc::<str>::from("back")].orphans, 2);
}

#[test]
fn a_message_whose_producer_sends_nothing_misses_its_caller() {
    let consumer = |parent| {
        let span = to(span(3, parent, SpanKind::Consumer, "worker", 250, 280), "queue", PeerKind::Queue);
        Span { messaging: Some(Messaging::Process), ..span }
    };
    let orphans = |parent| {
        let cells =
            fold(&[span(1, 100, SpanKind::Server, "front", 0, 60), consumer(parent)], Some(&row(0, 60)));
        assert_eq!(edge(&cells, "queue", "worker").calls, 1, "whatever it misses");
        cells.telemetry.get(&Arc::<str>::from("worker")).map_or(0, |t| t.orphans)
    };
    assert_eq!((orphans(2), orphans(0), orphans(1)), (1, 0, 0), "unknown, none, known");
}

#[test]
fn busy_time_is_cut_at_the_bounds_of_seconds() {
    let spans = [span(1, 100, SpanKind::Server, "front", -300, 1_200)];
    let cells = fold(&spans, Some(&row(-300, 1_200)));
    let key = (NodeKey { name: "front".into(), kind: NodeKind::Service }, TraceClass::Mine);
    let busy: Vec<(i64, i64)> = cells.nodes[&key].iter().map(|(s, c)| (*s, c.busy_ns / MS)).collect();
    assert_eq!(busy, [(0, 300), (1, 1_000), (2, 200)]);
}

#[test]
fn requests_that_nobody_asked_spans_of_are_not_missing_any() {
    let unsampled = RootRow { sampled: false, ..row(0, 100) };
    let root = |cells: &Cells| {
        let count = |c: &&Arc<crate::cells::RootCell>| c.count == 1;
        let found = cells.roots.values().flat_map(|s| s.values()).find(count).unwrap();
        (found.ok, found.ok_traced, found.unsampled, found.ok_unsampled)
    };
    assert_eq!(root(&fold(&[], Some(&unsampled))), (1, 0, 1, 1));
    assert_eq!(root(&fold(&[], Some(&row(0, 100)))), (1, 0, 0, 0), "asked for, and lost");
    let failed = RootRow { error: Some(ErrorClass::Timeout), ..unsampled };
    assert_eq!(root(&fold(&[], Some(&failed))), (0, 0, 1, 0));
    // A service that sends them all the same is as good as one that was asked.
    let spans = [span(1, 100, SpanKind::Server, "front", 0, 90)];
    assert_eq!(root(&fold(&spans, Some(&unsampled))), (1, 1, 0, 0));
}

#[test]
fn a_call_bounds_how_far_clocks_are_apart_and_takes_it_back() {
    let spans = [
        span(1, 100, SpanKind::Server, "front", 0, 90),
        to(span(2, 1, SpanKind::Client, "front", 20, 80), "back", PeerKind::Service),
        // Half a second behind.
        span(3, 2, SpanKind::Server, "back", -470, -430),
    ];
    let class = TraceClass::Mine;
    let filed = Filed { spans: &spans, root: Some(&row(0, 100)), class, tagged: true, origin_ns: 0 };
    let (mut cells, mut sums) = (Cells::default(), Sums::default());
    sums.add(&filed);
    cells.take_in(&mut sums);
    let clock = |service: &str| crate::ClockKey { service: service.into(), instance: "".into() };
    let of = |caller: &str, called: &str| {
        let seconds = &cells.clocks.pairs()[&(clock(caller), clock(called))];
        let cell = &seconds[&0];
        let ms =
            |h: &peakdrill_latency::Sparse| h.quantile(1.0).map(|ns| (ns as f64 / MS as f64).round() as i64);
        (cell.calls, ms(&cell.least_below), ms(&cell.least_above), ms(&cell.most_below), ms(&cell.most_above))
    };
    assert_eq!(of("front", "back"), (1, None, Some(490), None, Some(510)));
    assert_eq!(of("load", "front"), (1, None, Some(0), None, Some(10)));
    // Given up, or failed: nothing is known.
    let longer = [spans[0].clone(), spans[1].clone(), span(3, 2, SpanKind::Server, "back", 0, 100)];
    let given_up = fold(&longer, Some(&row(0, 100)));
    assert!(!given_up.clocks.pairs().keys().any(|(caller, _)| *caller.service == *"front"));
    sums.take_back(&filed);
    cells.take_in(&mut sums);
    assert!(cells.is_empty(), "{cells:?}");
}
