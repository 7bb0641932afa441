mod handed;
mod late;
mod ledger;
mod names;
mod properties;

use std::sync::Arc;

use peakdrill_trace_model::{Link, Peer, PeerKind, SpanKey, SpanKind};

use super::*;
use crate::otlp::Decoded;

const T: i64 = 1_700_000_000_000_000_000;
const MS: i64 = 1_000_000;

fn span(trace: u128, id: u64, parent: u64, kind: SpanKind, service: &str, at_ms: (i64, i64)) -> Span {
    Span {
        trace,
        id,
        parent,
        op: Arc::from("GET /a"),
        start_ns: T + at_ms.0 * MS,
        end_ns: T + at_ms.1 * MS,
        status: 200,
        key: (trace % 3 == 1).then(|| SpanKey::of(&format!("item {}", trace % 4)).map(Box::new)).flatten(),
        ..Span::bare(kind, service)
    }
}

/// A request through two services and a database, from `start_ms` on.
fn journey(trace: u128, start_ms: i64) -> Vec<Span> {
    let at = |from: i64, to: i64| (start_ms + from, start_ms + to);
    let mut query = span(trace, 4, 3, SpanKind::Client, "order", at(20, 60));
    query.peer = Some(Peer { node: Arc::from("order-db"), kind: PeerKind::Database });
    vec![
        span(trace, 1, 0, SpanKind::Server, "gateway", at(0, 100)),
        span(trace, 2, 1, SpanKind::Client, "gateway", at(5, 95)),
        span(trace, 3, 2, SpanKind::Server, "order", at(10, 90)),
        query,
    ]
}

fn root(trace: u128, start_ms: i64) -> RootRow {
    RootRow {
        trace,
        span: 9,
        step: 0,
        phase: 0,
        intended_ns: T + (start_ms - 1) * MS,
        sent_ns: T + start_ms * MS,
        done_ns: T + (start_ms + 101) * MS,
        error: None,
        status: 200,
        sampled: true,
    }
}

fn spans_event(spans: Vec<Span>) -> Event {
    Event::Spans(Decoded { items: spans, ..Decoded::default() })
}

fn fold(limits: Limits) -> Fold {
    let mut fold = Fold::new(limits);
    fold.event(Event::Origin(T), T, &[]);
    fold
}

fn take(fold: &mut Fold, spans: Vec<Span>, classes: &[(u128, TraceClass)]) {
    let recv_ns = spans.iter().map(|span| span.end_ns).max().unwrap_or(T) + MS;
    fold.event(spans_event(spans), recv_ns, classes);
}

fn bytes(fold: &mut Fold) -> Vec<u8> {
    fold.settle();
    serde_json::to_vec(fold.cells()).unwrap()
}

fn folded(events: Vec<(Event, Vec<(u128, TraceClass)>)>, settle_each: bool) -> Vec<u8> {
    let mut fold = Fold::new(Limits::default());
    for (event, classes) in events {
        fold.event(event, T + 1_000 * MS, &classes);
        if settle_each {
            fold.settle();
        }
    }
    bytes(&mut fold)
}

#[test]
fn a_journey_is_folded() {
    let mut fold = fold(Limits::default());
    take(&mut fold, journey(1, 0), &[(1, TraceClass::Mine)]);
    fold.event(Event::Roots(vec![root(1, 0)]), T, &[]);
    fold.settle();
    assert!(!fold.cells().is_empty());
    assert!(
        fold.cells()
            .edges
            .keys()
            .any(|(edge, class)| { &*edge.to.name == "order-db" && *class == TraceClass::Mine })
    );
    assert_eq!(fold.newest_end_ns(), Some(T + 100 * MS));
    assert_eq!(fold.trace(1), journey(1, 0));
}

#[test]
fn nothing_is_folded_before_the_start_is_known() {
    let mut fold = Fold::new(Limits::default());
    take(&mut fold, journey(1, 0), &[]);
    fold.settle();
    assert!(fold.cells().is_empty());
    assert_eq!(fold.folded(), Folded::default(), "what came before is not told as waiting");
    fold.event(Event::Origin(T), T, &[]);
    fold.event(Event::Origin(T + 5), T, &[]);
    fold.settle();
    assert_eq!(fold.folded(), Folded::default(), "the start itself is nothing that was sent");
    assert!(!fold.cells().is_empty());
    assert_eq!(fold.counters().get(counter::ORIGIN_CHANGED), 1);
    assert_eq!(fold.origin_ns(), Some(T));
}

#[test]
fn where_much_changed_it_is_folded_with_the_next_view() {
    let mut fold = fold(Limits::default());
    let few: Vec<_> = (1..=2_000).flat_map(|trace| journey(trace, 0)).collect();
    take(&mut fold, few, &[]);
    assert!(!fold.refresh() && !fold.cells().is_empty());
    let (cells, folded_ns) = (fold.cells().clone(), fold.folded().newest_ns);
    assert_eq!(folded_ns, Some(T + 101 * MS));
    let many: Vec<_> = (2_001..=4_001).flat_map(|trace| journey(trace, 10)).collect();
    take(&mut fold, many, &[]);
    assert!(fold.refresh());
    assert_eq!((fold.cells(), fold.folded().newest_ns), (&cells, folded_ns));
    take(&mut fold, journey(5_000, 20), &[]);
    assert_eq!(fold.folded().waiting_ns, Some(T + 111 * MS));
    assert!(!fold.refresh());
    let folded = fold.folded();
    assert_eq!((folded.newest_ns, folded.first_ns), (Some(T + 121 * MS), Some(T + 111 * MS)));
    assert_eq!(folded.waiting_ns, None);
    let ops = |cells: &Cells| {
        cells.nodes.values().flat_map(|seconds| seconds.values()).map(|cell| cell.ops).sum::<i64>()
    };
    assert_eq!(ops(fold.cells()), 4_002 * 3);
}

#[test]
fn a_span_that_comes_again_changes_nothing() {
    let mut once = fold(Limits::default());
    take(&mut once, journey(1, 0), &[]);
    let mut twice = fold(Limits::default());
    take(&mut twice, journey(1, 0), &[]);
    twice.settle();
    take(&mut twice, journey(1, 0), &[]);
    assert_eq!(bytes(&mut once), bytes(&mut twice));
    assert_eq!(twice.counters().get(counter::DUPLICATES), 4);
    // One span id on both sides of a call is two spans.
    let shared =
        vec![span(2, 1, 0, SpanKind::Client, "a", (0, 9)), span(2, 1, 0, SpanKind::Server, "b", (1, 8))];
    take(&mut twice, shared, &[]);
    assert_eq!(twice.trace(2).len(), 2);
}

#[test]
fn cycles_are_counted_and_end() {
    let mut fold = fold(Limits::default());
    let ring = |id, parent| span(1, id, parent, SpanKind::Internal, "a", (0, 5));
    take(&mut fold, vec![ring(1, 3), ring(2, 1), ring(3, 2), ring(4, 3), ring(5, 5), ring(6, 99)], &[]);
    fold.settle();
    assert_eq!(fold.counters().get(counter::CYCLES), 3);
}

#[test]
fn a_huge_trace_is_cut_at_its_limit_in_any_order() {
    let limits = Limits { spans_per_trace_max: 1_000, ..Limits::default() };
    let all: Vec<_> = (1..=5_000).map(|id| span(1, id, id - 1, SpanKind::Internal, "a", (0, 5))).collect();
    let mut forward = fold(limits.clone());
    all.chunks(700).for_each(|part| take(&mut forward, part.to_vec(), &[]));
    let mut backward = fold(limits);
    all.chunks(300).rev().for_each(|part| take(&mut backward, part.to_vec(), &[]));
    assert_eq!(bytes(&mut forward), bytes(&mut backward));
    assert_eq!(forward.trace(1), all[..1_000]);
    assert_eq!(forward.counters().get(counter::OVER_TRACE_LIMIT), 4_000);
}

#[test]
fn more_than_a_hundred_thousand_spans_do_not_hang() {
    let mut fold = fold(Limits::default());
    let all: Vec<_> = (1..=120_000).map(|id| span(1, id, id - 1, SpanKind::Internal, "a", (0, 5))).collect();
    all.chunks(500).for_each(|part| take(&mut fold, part.to_vec(), &[]));
    fold.settle();
    assert_eq!(fold.trace(1).len(), 100_000);
    assert_eq!(fold.counters().get(counter::OVER_TRACE_LIMIT), 20_000);
    // The smallest id last: each span takes the place of the one before it. And all of them within one call.
    let call = |id: u64| span(2, id, u64::from(id > 1), SpanKind::Client, "a", (0, 5));
    let mut turned: Vec<_> = (1..=100_000).map(call).collect();
    turned.rotate_left(1);
    take(&mut fold, turned.clone(), &[]);
    fold.settle();
    turned.rotate_right(1);
    assert_eq!(fold.trace(2), turned);
    // Of a hundred thousand entries, and a hundred thousand followers of one trace.
    let entry = |id: u64| span(3, id, 0, SpanKind::Server, "b", (0, id as i64));
    take(&mut fold, (1..=100_000).map(entry).collect(), &[]);
    assert_eq!(fold.recent_live("b", "GET /a").map(|spans| spans.len()), Some(100_000));
    let follower = |trace: u128| {
        let mut span = span(trace, 1, 0, SpanKind::Consumer, "mail", (0, 5));
        span.links.push(Link { trace: 4, span: 1 });
        span
    };
    take(&mut fold, (10..100_010).map(follower).collect(), &[]);
    fold.event(Event::Roots(vec![root(4, 0)]), T, &[]);
    assert!([10, 100_009].into_iter().all(|id| fold.class_of(id) == TraceClass::Mine));
}

#[test]
fn what_is_sealed_comes_into_the_cells_though_nobody_looks() {
    let limits = Limits { open_traces_max: 10, late_traces_max: 0, ..Limits::default() };
    let (mut unseen, mut seen) = (fold(limits.clone()), fold(limits));
    for trace in 1..=15_000 {
        take(&mut unseen, journey(trace, 0), &[]);
        take(&mut seen, journey(trace, 0), &[]);
        if trace % 1_000 == 0 {
            seen.settle();
        }
    }
    assert!(!unseen.cells().is_empty());
    assert_eq!(bytes(&mut unseen), bytes(&mut seen));
    // The same of what comes late, spans and rows.
    for fold in [&mut unseen, &mut seen] {
        let late =
            (0..FILED_MAX as u64 / 2).map(|id| span(1, 10 + id, 2, SpanKind::Server, "late", (10, 90)));
        take(fold, late.collect(), &[]);
        let rows = (0..FILED_MAX as i64 / 2).map(|at| root(1, at % 100));
        fold.event(Event::Roots(rows.collect()), T, &[]);
    }
    let is_late = |fold: &Fold| fold.cells().nodes.keys().any(|(node, _)| &*node.name == "late");
    assert!(is_late(&unseen));
    assert_eq!(bytes(&mut unseen), bytes(&mut seen));
}

#[test]
fn a_span_at_the_end_of_time_seals_nothing_where_time_seals_nothing() {
    let mut fold = fold(Limits { horizon_ns: i64::MAX, ..Limits::default() });
    let mut last = span(9, 1, 0, SpanKind::Server, "a", (0, 5));
    (last.start_ns, last.end_ns) = (i64::MAX - MS, i64::MAX);
    for spans in [vec![last], journey(1, 0)[..2].to_vec(), journey(1, 0)[2..].to_vec()] {
        fold.event(spans_event(spans), i64::MAX, &[]);
    }
    let counters = fold.counters();
    assert_eq!(
        (counters.get(counter::OPEN), counters.get(counter::SEALED), counters.get(counter::LATE)),
        (2, 0, 0)
    );
}

#[test]
fn a_trace_takes_the_class_of_what_it_links_to() {
    let consumer = |trace, linked| {
        let mut span = span(trace, 1, 0, SpanKind::Consumer, "mail", (50, 60));
        span.links.push(Link { trace: linked, span: 1 });
        vec![span]
    };
    // 3 links to 2, which links to 1, which has a row: in every order of arrival.
    let events = [
        (spans_event(consumer(3, 2)), vec![]),
        (spans_event(consumer(2, 1)), vec![]),
        (Event::Roots(vec![root(1, 0)]), vec![]),
        (Event::Origin(T), vec![]),
        (spans_event(journey(1, 0)), vec![]),
    ];
    let first = folded(events.to_vec(), false);
    for turn in 0..events.len() {
        let mut turned = events.to_vec();
        turned.rotate_left(turn);
        assert_eq!(folded(turned, true), first, "{turn}");
    }
    let mut fold = fold(Limits::default());
    events.into_iter().for_each(|(event, classes)| fold.event(event, T, &classes));
    assert!([1, 2, 3].into_iter().all(|id| fold.class_of(id) == TraceClass::Mine));
    take(&mut fold, journey(4, 0), &[(4, TraceClass::OtherRun)]);
    take(&mut fold, consumer(5, 4), &[]);
    take(&mut fold, consumer(6, 77), &[(77, TraceClass::Mine)]);
    assert_eq!(fold.class_of(5), TraceClass::OtherRun);
    assert_eq!(fold.class_of(6), TraceClass::Mine);
}

#[test]
fn a_late_server_span_that_cannot_wait_is_a_call_and_no_request() {
    let limits = Limits { horizon_ns: 1_000 * MS, late_traces_max: 0, ..Limits::default() };
    let mut sealing = fold(limits);
    let mut spans = journey(1, 0);
    let server = spans.remove(2);
    take(&mut sealing, spans, &[(1, TraceClass::Mine)]);
    sealing.event(Event::Roots(vec![root(1, 0)]), T, &[]);
    take(&mut sealing, journey(2, 5_000), &[(2, TraceClass::Mine)]);
    sealing.settle();
    let before = sealing.cells().clone();
    take(&mut sealing, vec![server], &[]);
    let counted = |name| sealing.counters().get(name);
    assert_eq!((counted(counter::LATE), counted(counter::LATE_OVER_LIMIT)), (1, 1));
    sealing.settle();
    let after = sealing.cells();
    assert_eq!((&after.roots, &after.paths, &after.visits), (&before.roots, &before.paths, &before.visits));
    assert_eq!((&after.entries, &after.telemetry), (&before.entries, &before.telemetry));
    let calls = |cells: &Cells| {
        let to_order = cells
            .edges
            .iter()
            .filter(|((edge, class), _)| &*edge.to.name == "order" && *class == TraceClass::Mine);
        to_order.flat_map(|(_, seconds)| seconds.values()).map(|cell| cell.calls).sum::<i64>()
    };
    assert_eq!(calls(after) - calls(&before), 1);
}

#[test]
fn a_host_whose_clock_is_behind_has_its_traces_put_together() {
    let mut fold = fold(Limits { horizon_ns: 1_000 * MS, ..Limits::default() });
    take(&mut fold, journey(1, 60_000), &[]);
    // Half a minute behind; the spans of a trace come one by one.
    let recv_ns = T + 60_200 * MS;
    for span in journey(2, 30_000) {
        fold.event(spans_event(vec![span]), recv_ns, &[]);
    }
    fold.event(Event::Roots(vec![root(2, 30_000)]), recv_ns, &[]);
    assert_eq!((fold.counters().get(counter::SEALED), fold.counters().get(counter::LATE)), (0, 0));
    assert_eq!(fold.trace(2).len(), 4);
    // It is sealed all the same when nothing comes for it any more.
    take(&mut fold, journey(3, 65_000), &[]);
    assert_eq!((fold.counters().get(counter::SEALED), fold.trace(2).len()), (2, 0));
}

#[test]
fn the_version_tells_whether_the_cells_changed() {
    let mut fold = fold(Limits::default());
    take(&mut fold, journey(1, 0), &[]);
    fold.settle();
    let (version, before) = (fold.cells_version(), fold.cells().clone());
    take(&mut fold, journey(1, 0), &[]);
    fold.settle();
    assert_eq!((fold.cells_version(), fold.cells()), (version, &before));
    fold.event(Event::Roots(vec![root(1, 0)]), T, &[]);
    fold.settle();
    assert!(fold.cells_version() > version && *fold.cells() != before);
}

#[test]
fn a_copy_of_the_cells_shares_the_seconds_that_did_not_change() {
    let mut fold = fold(Limits::default());
    take(&mut fold, [journey(1, 0), journey(2, 7_000)].concat(), &[]);
    fold.settle();
    let copy = fold.cells().clone();
    let bytes_before = serde_json::to_vec(&copy).unwrap();
    take(&mut fold, journey(3, 7_100), &[]);
    fold.settle();
    let shared = |second: i64| {
        let both = copy
            .nodes
            .iter()
            .map(|(key, seconds)| (seconds.get(&second), fold.cells().nodes[key].get(&second)));
        both.filter_map(|(a, b)| Some(Arc::ptr_eq(a?, b?))).collect::<Vec<_>>()
    };
    assert!(!shared(0).is_empty() && shared(0).iter().all(|same| *same));
    assert!(!shared(7).is_empty() && shared(7).iter().all(|same| !same));
    assert_eq!(serde_json::to_vec(&copy).unwrap(), bytes_before);
}

#[test]
fn an_old_trace_is_sealed_and_its_late_spans_are_counted() {
    let mut sealing = fold(Limits { horizon_ns: 1_000 * MS, ..Limits::default() });
    take(&mut sealing, journey(1, 0), &[(1, TraceClass::Mine)]);
    let before = bytes(&mut sealing);
    take(&mut sealing, journey(2, 5_000), &[]);
    assert_eq!((sealing.counters().get(counter::SEALED), sealing.trace(1).len()), (1, 0));
    let mut open = fold(Limits::default());
    take(&mut open, journey(1, 0), &[(1, TraceClass::Mine)]);
    take(&mut open, journey(2, 5_000), &[]);
    // Sealing changes no figure.
    assert_eq!(bytes(&mut sealing), bytes(&mut open));
    assert_ne!(bytes(&mut open), before);
    take(&mut sealing, vec![span(1, 7, 3, SpanKind::Client, "order", (30, 40))], &[]);
    assert_eq!(sealing.counters().get(counter::LATE), 1);
    sealing.event(Event::Roots(vec![root(1, 0)]), T, &[]);
    assert_eq!(sealing.counters().get(counter::ROOTS_LATE), 1);
}

#[test]
fn what_is_open_is_bounded() {
    let mut fold = fold(Limits { open_traces_max: 10, sealed_ids_max: 5, ..Limits::default() });
    (1..=30).for_each(|trace| take(&mut fold, journey(trace, trace as i64), &[]));
    let counters = fold.counters();
    assert_eq!((counters.get(counter::OPEN), counters.get(counter::SEALED_EARLY)), (10, 20));
    assert_eq!(counters.get(counter::SEALED_FORGOTTEN), 15);
    let mut by_spans = Fold::new(Limits { open_spans_max: 8, ..Limits::default() });
    (1..=3).for_each(|trace| take(&mut by_spans, journey(trace, 0), &[]));
    assert_eq!(by_spans.counters().get(counter::DROPPED_BEFORE_ORIGIN), 1);
}

#[test]
fn one_row_counts_whatever_the_order() {
    let (early, late) = (root(1, 0), root(1, 700));
    let events = |rows: [RootRow; 2]| {
        let rows = rows.map(|row| (Event::Roots(vec![row]), vec![]));
        rows.into_iter().chain([(Event::Origin(T), vec![])]).collect::<Vec<_>>()
    };
    assert_eq!(folded(events([early, late]), false), folded(events([late, early]), true));
}

#[test]
fn the_newest_complete_live_trace_is_found() {
    let mut fold = fold(Limits::default());
    assert_eq!(fold.recent_live("gateway", "GET /a"), None);
    take(&mut fold, journey(1, 0), &[]);
    take(&mut fold, journey(2, 500), &[]);
    take(&mut fold, journey(3, 600), &[(3, TraceClass::Mine)]);
    let found = |fold: &Fold| fold.recent_live("gateway", "GET /a").map(|spans| spans[0].trace);
    assert_eq!(found(&fold), Some(2));
    take(&mut fold, journey(4, 4_000), &[]);
    // The newest may still be on its way.
    assert_eq!(found(&fold), Some(2));
    assert_eq!(fold.recent_live("order", "GET /a"), None);
}

#[test]
fn rows_of_requests_without_spans_open_no_trace() {
    let row = |trace| RootRow { sampled: false, ..root(trace, 0) };
    let limits = Limits { open_traces_max: 10, ..Limits::default() };
    let mut before = Fold::new(limits.clone());
    before.event(Event::Roots((1..=12).map(row).collect()), T, &[]);
    assert_eq!(before.counters().get(counter::DROPPED_BEFORE_ORIGIN), 2);
    before.event(Event::Origin(T), T, &[]);
    let mut after = fold(limits);
    after.event(Event::Roots((1..=10).map(row).collect()), T, &[]);
    assert_eq!(bytes(&mut before), bytes(&mut after));
    let counters = after.counters();
    assert_eq!((counters.get(counter::OPEN), counters.get(counter::SEALED_EARLY)), (0, 0));
    assert_eq!((counters.get(counter::ROOTS), counters.get(counter::ROOTS_UNSAMPLED)), (10, 10));
    // Spans that nobody asked for are a trace of their own, in either order.
    let spans = (spans_event(journey(1, 0)), vec![(1, TraceClass::Mine)]);
    let events = [(Event::Origin(T), vec![]), spans, (Event::Roots(vec![row(1)]), vec![])];
    let mut turned = events.to_vec();
    turned.rotate_left(2);
    assert_eq!(folded(events.to_vec(), false), folded(turned, true));
}

#[test]
fn rows_that_come_again_and_links_beyond_the_limit_are_counted() {
    let mut fold = fold(Limits { links_max: 2, ..Limits::default() });
    fold.event(Event::Roots(vec![root(1, 0), root(1, 0), root(2, 0)]), T, &[]);
    assert_eq!((fold.counters().get(counter::ROOTS), fold.counters().get(counter::ROOTS_DUPLICATED)), (3, 1));
    for linked in 10..15 {
        let mut follower = span(20 + linked, 1, 0, SpanKind::Consumer, "mail", (0, 5));
        follower.links.push(Link { trace: linked, span: 1 });
        take(&mut fold, vec![follower], &[]);
    }
    assert_eq!(fold.counters().get(counter::LINKS_OVER_LIMIT), 3);
}
