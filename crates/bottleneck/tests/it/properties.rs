//! What holds for every trace, damaged ones included.

use std::sync::Arc;

use peakdrill_bottleneck::{Cells, Filed, LOOP_CALLS, Sums, TraceClass, contribute, critical_path};
use peakdrill_drill_model::frame::RootRow;
use peakdrill_trace_model::{Link, Messaging, Peer, PeerKind, Span, SpanKey, SpanKind};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

/// Whose a trace is, and whether its own tag says so.
const WHOSE: [(TraceClass, bool); 4] =
    [(TraceClass::Mine, true), (TraceClass::Mine, true), (TraceClass::Mine, false), (TraceClass::Live, true)];

fn any_kind() -> impl Strategy<Value = SpanKind> {
    prop_oneof![
        Just(SpanKind::Internal),
        Just(SpanKind::Server),
        Just(SpanKind::Client),
        Just(SpanKind::Producer),
        Just(SpanKind::Consumer),
    ]
}

fn any_peer() -> impl Strategy<Value = Option<Peer>> {
    let kind = prop_oneof![
        Just(PeerKind::Service),
        Just(PeerKind::Database),
        Just(PeerKind::Cache),
        Just(PeerKind::Queue)
    ];
    prop::option::of((0..4_u8, kind).prop_map(|(n, kind)| Peer { node: format!("p{n}").into(), kind }))
}

fn any_messaging() -> impl Strategy<Value = Option<Messaging>> {
    prop_oneof![
        4 => Just(None),
        1 => Just(Some(Messaging::Send)),
        1 => Just(Some(Messaging::Process)),
        1 => Just(Some(Messaging::Receive)),
    ]
}

fn any_time() -> impl Strategy<Value = i64> {
    prop_oneof![20 => 0..5_000_000_000_i64, 1 => any::<i64>()]
}

/// Ids from a small set: shared ids, cycles, self parents and orphans come by themselves.
fn any_span() -> impl Strategy<Value = Span> {
    let times = (any_time(), any_time(), any::<bool>());
    let ids = (0..8_u64, 0..8_u64, 0..3_u8, any_kind());
    (ids, times, any_peer(), any_messaging(), any::<bool>(), 0..3_u16, prop::option::of(0..8_u64)).prop_map(
        |((id, parent, service, kind), (a, b, ordered), peer, messaging, error, resend, link)| Span {
            trace: 1,
            id,
            parent,
            op: "op".into(),
            start_ns: if ordered { a.min(b) } else { a },
            end_ns: if ordered { a.max(b) } else { b },
            error,
            peer,
            messaging,
            resend,
            message: u64::from(resend),
            partition: (resend == 1).then_some(u16::from(service)),
            key: (resend == 2).then(|| SpanKey::of(&format!("key {id}")).map(Box::new)).flatten(),
            links: link.map(|span| Link { trace: 1, span }).into_iter().collect(),
            ..Span::bare(kind, format!("s{service}"))
        },
    )
}

fn any_row() -> impl Strategy<Value = RootRow> {
    (0..8_u64, any_time(), 0..3_000_000_000_i64).prop_map(|(span, sent, length)| RootRow {
        trace: 1,
        span,
        step: 0,
        phase: 0,
        intended_ns: sent,
        sent_ns: sent,
        done_ns: sent.saturating_add(length),
        error: None,
        status: 200,
        sampled: span % 2 == 0,
    })
}

/// The same call some times, one after the other or nearly so, within one of the spans that can make calls where there are any.
#[derive(Debug, Clone)]
struct Repeated {
    call: Span,
    calls: usize,
    long_ns: i64,
    pause_ns: i64,
    within: Index,
}

impl Repeated {
    fn among(&self, spans: &[Span]) -> Vec<Span> {
        let can_call = |span: &&Span| span.kind != SpanKind::Client && span.id != 0;
        let callers: Vec<&Span> = spans.iter().filter(can_call).collect();
        let within = (!callers.is_empty()).then(|| *self.within.get(&callers));
        let parent = within.map_or(self.call.parent, |span| span.id);
        let service = within.map_or(&self.call.service, |span| &span.service);
        let start = within.map_or(0, |span| span.start_ns.clamp(0, 5_000_000_000));
        let call = |i: usize| {
            let start_ns = start + i as i64 * (self.long_ns + self.pause_ns);
            let end_ns = start_ns + self.long_ns;
            let service = Arc::clone(service);
            Span { id: 8 + i as u64, parent, service, start_ns, end_ns, ..self.call.clone() }
        };
        (0..self.calls).map(call).collect()
    }
}

fn any_repeated() -> impl Strategy<Value = Repeated> {
    // What says of which thing it is, and what does not.
    let called = prop_oneof![
        3 => Just((PeerKind::Database, "SELECT price")),
        3 => Just((PeerKind::Service, "GET /prices/{id}")),
        1 => Just((PeerKind::Cache, "GET price")),
    ];
    let failed = prop::bool::weighted(0.1);
    let calls = prop_oneof![1 => 0..LOOP_CALLS, 3 => LOOP_CALLS..2 * LOOP_CALLS];
    let times = (1..400_000_000_i64, prop_oneof![1 => Just(-1), 4 => 0..3_i64]);
    (any_span(), called, failed, calls, times, any::<Index>()).prop_map(
        |(span, (kind, op), error, calls, (long_ns, pause_ns), within)| {
            let peer = Some(Peer { node: "p0".into(), kind });
            let made = Span { kind: SpanKind::Client, messaging: None, resend: 0, peer, ..span };
            Repeated { call: Span { op: op.into(), error, ..made }, calls, long_ns, pause_ns, within }
        },
    )
}

fn any_trace() -> impl Strategy<Value = (Vec<Span>, Option<RootRow>)> {
    let spans =
        (prop::collection::vec(any_span(), 0..24), any_repeated()).prop_map(|(mut spans, repeated)| {
            spans.extend(repeated.among(&spans));
            spans
        });
    (spans, prop::option::of(any_row()))
}

/// Otherwise what holds for loops would hold for none.
#[test]
fn some_traces_have_loops() {
    let (mut runner, any) = (TestRunner::deterministic(), any_trace());
    let mut has_loop = || {
        let (spans, row) = any.new_tree(&mut runner).unwrap().current();
        let mut cells = Cells::default();
        cells.apply(&contribute(&spans, row.as_ref(), TraceClass::Mine, 0));
        !cells.loops.is_empty()
    };
    let loops = (0..200).filter(|_| has_loop()).count();
    assert!(loops >= 20, "{loops} of 200");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_critical_path_is_as_long_as_the_request((spans, row) in any_trace()) {
        let path: u64 = critical_path(&spans, row.as_ref()).iter().map(|s| s.ns).sum();
        let clamp = |t: i64| t.clamp(0, i64::MAX / 2);
        if let Some(row) = row {
            let start = clamp(if row.sent_ns > 0 { row.sent_ns } else { row.intended_ns });
            prop_assert_eq!(path, (clamp(row.done_ns).max(start) - start).unsigned_abs());
        } else if path > 0 {
            let durations = spans.iter().map(|s| (clamp(s.end_ns).max(clamp(s.start_ns)) - clamp(s.start_ns)).unsigned_abs());
            prop_assert!(durations.clone().any(|d| d == path), "one span is the root");
        }
    }

    #[test]
    fn the_order_of_spans_does_not_matter(
        ((spans, row), shuffled) in any_trace().prop_flat_map(|(spans, row)| {
            (Just((spans.clone(), row)), Just(spans).prop_shuffle())
        })
    ) {
        let of = |spans: &[Span]| contribute(spans, row.as_ref(), TraceClass::Mine, 0);
        prop_assert_eq!(of(&spans), of(&shuffled));
        prop_assert_eq!(critical_path(&spans, row.as_ref()), critical_path(&shuffled, row.as_ref()));
    }

    #[test]
    fn a_loop_takes_no_more_than_its_request((spans, row) in any_trace()) {
        let mut cells = Cells::default();
        cells.apply(&contribute(&spans, row.as_ref(), TraceClass::Mine, 0));
        for cell in cells.loops.values() {
            prop_assert!(cell.requests == 1 && cell.loops >= 1 && cell.calls >= LOOP_CALLS as i64 * cell.loops, "{cell:?}");
            prop_assert!((0..=cell.request_ns).contains(&cell.cp_ns), "{cell:?}");
        }
    }

    #[test]
    fn cells_add_up_in_any_grouping(traces in prop::collection::vec(any_trace(), 3)) {
        let of = |t: &(Vec<Span>, Option<RootRow>)| {
            let mut cells = Cells::default();
            cells.apply(&contribute(&t.0, t.1.as_ref(), TraceClass::Mine, 0));
            cells
        };
        let [a, b, c] = [of(&traces[0]), of(&traces[1]), of(&traces[2])];
        let merged = |parts: &[&Cells]| {
            let mut all = Cells::default();
            parts.iter().for_each(|part| all.merge(part));
            all
        };
        let ab = merged(&[&a, &b]);
        let bc = merged(&[&b, &c]);
        prop_assert_eq!(merged(&[&ab, &c]), merged(&[&a, &bc]));
        prop_assert_eq!(&ab, &merged(&[&b, &a]));
        let mut folded = Cells::default();
        traces.iter().for_each(|t| folded.apply(&contribute(&t.0, t.1.as_ref(), TraceClass::Mine, 0)));
        prop_assert_eq!(folded, merged(&[&ab, &c]));
    }

    #[test]
    fn sums_become_the_same_cells_whenever_they_are_taken_in(
        traces in prop::collection::vec((any_trace(), any::<bool>(), any::<bool>()), 1..6),
        (class, tagged) in prop::sample::select(&WHOSE[..]),
    ) {
        let (mut expected, mut cells) = (Cells::default(), Cells::default());
        let (mut sums, mut one) = (Sums::default(), Sums::default());
        for ((spans, row), taken_back, take_in) in &traces {
            let trace = Filed { spans, root: row.as_ref(), class, tagged, origin_ns: 7 };
            sums.add(&trace);
            if *take_in {
                cells.take_in(&mut sums);
            }
            if *taken_back {
                sums.take_back(&trace);
            } else {
                one.add(&trace);
                expected.take_in(&mut one);
            }
        }
        cells.take_in(&mut sums);
        prop_assert_eq!(&cells, &expected);
        let mine = class == TraceClass::Mine && tagged;
        prop_assert!(mine || cells.keys.is_empty(), "of live users no key is kept");
        prop_assert!(!cells.take_in(&mut sums), "none are left");
        for ((spans, row), ..) in traces.iter().filter(|(_, taken_back, _)| !taken_back) {
            sums.take_back(&Filed { spans, root: row.as_ref(), class, tagged, origin_ns: 7 });
        }
        cells.take_in(&mut sums);
        prop_assert!(cells.is_empty(), "all that was added can be taken back");
    }
}
