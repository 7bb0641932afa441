//! More names than are kept: what is left of them depends on which there were, and on nothing else.

use peakdrill_bottleneck::{Entry, NameLimits, OTHER};
use proptest::prelude::*;

use super::*;

const NAMES: NameLimits = NameLimits {
    nodes: 6,
    calls: 8,
    edges: 24,
    entries_each: 3,
    entries: 6,
    paths: 32,
    services: 5,
    instances_each: 2,
    instances: 6,
    messages: 7,
};

/// One is really called as all are that are left out.
fn service(of: u8) -> Arc<str> {
    if of == 13 { OTHER.into() } else { format!("s{of}").into() }
}

/// A request with names out of many, a part of whose spans is there.
fn any_traces() -> impl Strategy<Value = Vec<Span>> {
    let names = (0..14_u8, 0..14_u8, 0..30_u8, 0..30_u8, 0..14_u8);
    let one = (names, 0..3_000_i64, any::<u8>(), any::<bool>());
    proptest::collection::vec(one, 1..60).prop_map(|parts| {
        let mut spans = Vec::new();
        for (at, ((a, b, op, next_op, peer), start_ms, keep, is_queue)) in parts.into_iter().enumerate() {
            let trace = at as u128 / 2;
            let mut parts = journey(trace, start_ms);
            for (k, span) in parts.iter_mut().enumerate() {
                (span.id, span.parent) = (span.id + at as u64 * 10, span.parent + at as u64 * 10);
                if k == 0 {
                    span.parent = 0;
                }
                span.service = service(if k < 2 { a } else { b });
                span.instance = format!("i{}", op % 6).into();
                span.op = format!("op{}", (b'a' + (if k < 2 { op } else { next_op }) % 26) as char).into();
            }
            // The caller's own name for the service, which is there while that one's span is not.
            parts[1].peer = Some(Peer { node: format!("host{peer}").into(), kind: PeerKind::Service });
            parts[3].peer = Some(Peer { node: format!("db{peer}").into(), kind: PeerKind::Database });
            if is_queue {
                parts[1].kind = SpanKind::Producer;
                parts[1].peer = Some(Peer { node: format!("queue{peer}").into(), kind: PeerKind::Queue });
                parts[2].kind = SpanKind::Consumer;
                parts[2].peer = Some(Peer { node: format!("queue{a}").into(), kind: PeerKind::Queue });
            }
            spans.extend(parts.into_iter().enumerate().filter(|(k, _)| keep >> k & 1 == 1).map(|(_, s)| s));
        }
        spans
    })
}

fn classes() -> Vec<(u128, TraceClass)> {
    let of = |trace: u128| match trace % 4 {
        0 => Some((trace, TraceClass::Mine)),
        1 => Some((trace, TraceClass::OtherRun)),
        _ => None,
    };
    (0..60).filter_map(of).collect()
}

/// As [`cells_of`], where whose a trace is comes when all its spans have been folded as those of live users.
fn told_late(spans: &[Span], batch: usize, limits: Limits) -> Fold {
    let mut fold = fold(limits);
    for part in spans.chunks(batch) {
        take(&mut fold, part.to_vec(), &[]);
        fold.settle();
    }
    // All of the drills' are another drill's first, and one of the drill's is told of by its row, as most are.
    let of_others: Vec<_> = classes().into_iter().map(|(trace, _)| (trace, TraceClass::OtherRun)).collect();
    for classes in [of_others, classes()] {
        for part in spans.chunks(batch) {
            take(&mut fold, part.to_vec(), &classes);
            fold.settle();
        }
    }
    fold
}

fn cells_of(spans: &[Span], batch: usize, limits: Limits, look_each: bool) -> Fold {
    let mut fold = fold(limits);
    for part in spans.chunks(batch.max(1)) {
        take(&mut fold, part.to_vec(), &classes());
        if look_each {
            fold.settle();
        }
    }
    fold.settle();
    fold
}

/// Calls, busy time and requests over all names.
fn sums(cells: &Cells) -> [i64; 4] {
    let edges = || cells.edges.values().flat_map(|seconds| seconds.values());
    let nodes = cells.nodes.values().flat_map(|seconds| seconds.values());
    [
        edges().map(|cell| cell.calls).sum(),
        edges().map(|cell| cell.latency.count()).sum(),
        nodes.map(|cell| cell.busy_ns).sum(),
        cells.roots.values().flat_map(|seconds| seconds.values()).map(|cell| cell.count).sum(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn neither_order_nor_views_nor_shards_matter_beyond_the_limits(
        spans in any_traces(),
        order in any::<u64>(),
        batch in 1..9_usize,
        shards in 1..4_u128,
        // The name `other` itself is left out where there is room for none.
        nodes in prop_oneof![Just(NAMES.nodes), Just(0)],
    ) {
        let names = NameLimits { nodes, ..NAMES };
        let limits = || Limits { names, ..Limits::default() };
        let expected = bytes(&mut cells_of(&spans, spans.len(), limits(), false));
        let mut shuffled: Vec<_> = spans.iter().cloned().enumerate().collect();
        shuffled.sort_by_key(|(at, _)| (*at as u64 ^ order).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let shuffled: Vec<_> = shuffled.into_iter().map(|(_, span)| span).collect();
        prop_assert_eq!(&bytes(&mut cells_of(&shuffled, batch, limits(), true)), &expected, "live");
        prop_assert_eq!(&bytes(&mut cells_of(&shuffled, batch, limits(), false)), &expected, "replay");

        prop_assert_eq!(&bytes(&mut told_late(&shuffled, batch, limits())), &expected, "classes come late");

        let mut sum = Cells::with_names(names);
        for shard in 0..shards {
            let mine: Vec<_> = shuffled.iter().filter(|span| span.trace % shards == shard).cloned().collect();
            sum.merge(cells_of(&mine, batch, limits(), true).cells());
        }
        prop_assert_eq!(&serde_json::to_vec(&sum).unwrap(), &expected, "split");
        let read: Cells = serde_json::from_slice(&expected).unwrap();
        prop_assert_eq!(&read, &sum);

        let all = cells_of(&spans, batch, Limits::default(), false);
        prop_assert_eq!(sums(&sum), sums(all.cells()), "nothing but names is lost");
        let named = |cells: &Cells, class| {
            let names = cells.nodes.keys().filter(|(node, of)| *of == class && &*node.name != OTHER);
            names.map(|(node, _)| node.name.clone()).collect::<std::collections::BTreeSet<_>>()
        };
        for class in [TraceClass::Mine, TraceClass::OtherRun, TraceClass::Live] {
            let entries = sum.roots.keys().filter(|(_, of)| *of == class).count();
            prop_assert!(entries <= NAMES.entries + 1);
            prop_assert!(named(&sum, class).len() <= NAMES.nodes);
            prop_assert!(named(all.cells(), class).is_superset(&named(&sum, class)));
            let edges = sum.edges.keys().filter(|(edge, of)| *of == class && &*edge.op != OTHER);
            // A server's operation is one more, whoever calls it; and callers that are no nodes are one.
            prop_assert!(edges.count() <= 2 * NAMES.edges);
        }
    }
}

#[test]
fn a_flood_of_operations_costs_their_node_alone_and_not_the_drill() {
    let mut all = Vec::new();
    for at in 0..5_000_u64 {
        let mut flood = span(u128::from(at) + 100, 1, 0, SpanKind::Server, "bad", (at as i64, at as i64 + 5));
        flood.op = slug(at);
        all.push(flood);
    }
    all.extend(journey(1, 0));
    all.extend(journey(50_000, 0));
    let mut fold = fold(Limits::default());
    take(&mut fold, all, &[(1, TraceClass::Mine)]);
    fold.settle();
    let cells = fold.cells();
    // Of requests of the others the names are kept as well.
    let roots = cells.roots.keys().filter(|(_, of)| *of == TraceClass::Live);
    let bad = roots.clone().filter(|(entry, _)| matches!(entry, Entry::Op(op) if op.starts_with("bad ")));
    let others = roots.filter(|(entry, _)| matches!(entry, Entry::Op(op) if !op.starts_with("bad ")));
    let others: Vec<_> = others.map(|(entry, _)| entry.clone()).collect();
    assert_eq!(others, [Entry::Op("gateway GET /a".into()), Entry::Op(OTHER.into())]);
    assert!((100..=256).contains(&bad.count()));
    let ops = |service: &str, class: TraceClass| {
        cells.edges.keys().filter(|(edge, of)| *of == class && &*edge.to.name == service).count()
    };
    assert!((1_000..=2_049).contains(&ops("bad", TraceClass::Live)), "{}", ops("bad", TraceClass::Live));
    for class in [TraceClass::Mine, TraceClass::Live] {
        for service in ["gateway", "order", "order-db"] {
            let named = cells.edges.keys().filter(|(edge, of)| *of == class && &*edge.to.name == service);
            assert!(named.clone().count() == 1 && named.clone().all(|(edge, _)| &*edge.op == "GET /a"));
        }
    }
    let said = cells.left_out_names("of the drill");
    assert!(said.len() == 2, "{said:?}");
    assert!(said[0].contains("calls of live users stand under `other`"), "{said:?}");
    assert!(said[1].contains("requests of live users stand under `other`"), "{said:?}");
}

#[test]
fn a_flood_of_nodes_is_bounded_and_costs_the_drill_nothing() {
    let mut fold = fold(Limits::default());
    for at in 0..20_u64 {
        let flood = (0..500).map(|k| {
            let at = at * 500 + k;
            span(u128::from(at) + 100, 1, 0, SpanKind::Server, &slug(at), (at as i64, at as i64 + 5))
        });
        take(&mut fold, flood.collect(), &[]);
    }
    take(&mut fold, journey(1, 0), &[(1, TraceClass::Mine)]);
    fold.settle();
    let cells = fold.cells();
    let names = |class| cells.nodes.keys().filter(|(_, of)| *of == class).count();
    assert!((2_000..=4_097).contains(&names(TraceClass::Live)), "{}", names(TraceClass::Live));
    assert_eq!(names(TraceClass::Mine), 3);
    assert!(cells.edges.len() < 4_200 && cells.telemetry_of_others.len() <= 8_193);
    assert!(cells.telemetry.keys().all(|service| &**service == "order"), "{:?}", cells.telemetry);
    assert_eq!(sums(cells)[3], 10_001);
}

/// A name without digits, which are cut out anyway.
fn slug(at: u64) -> Arc<str> {
    at.to_string().bytes().map(|digit| (digit - b'0' + b'g') as char).collect::<String>().into()
}

#[test]
fn calls_of_a_caller_that_is_kept_are_still_its_own() {
    const MANY: u64 = 3_000;
    let mut fold = fold(Limits::default());
    for at in 0..MANY {
        let trace = u128::from(at) + 1;
        let mut request = journey(trace, at as i64);
        request[2].op = slug(at);
        take(&mut fold, request, &[(trace, TraceClass::Mine)]);
    }
    fold.settle();
    let cells = fold.cells();
    let into_order: Vec<_> = cells.edges.iter().filter(|((edge, _), _)| &*edge.to.name == "order").collect();
    assert!((500..=2_049).contains(&into_order.len()), "{}", into_order.len());
    assert!(into_order.iter().all(|((edge, _), _)| &*edge.from == "gateway"));
    let calls = into_order.iter().flat_map(|(_, seconds)| seconds.values()).map(|cell| cell.calls);
    assert_eq!(calls.sum::<i64>(), MANY as i64);
    let said = cells.left_out_names("of the drill");
    assert!(said.len() == 1 && said[0].contains(" calls of the drill stand under `other`"), "{said:?}");
}

#[test]
fn many_operations_of_a_drill_leave_its_names_and_say_nothing() {
    let mut fold = fold(Limits::default());
    for at in 0..4_000_u64 {
        let trace = u128::from(at) + 1;
        let mut request = journey(trace, at as i64);
        // A thousand services of four operations each.
        (request[2].service, request[2].op) = (slug(at / 4), slug(at % 4));
        take(&mut fold, request, &[(trace, TraceClass::Mine)]);
        fold.event(Event::Roots(vec![root(trace, at as i64)]), T, &[]);
    }
    fold.settle();
    let cells = fold.cells();
    assert_eq!(cells.left_out_names("of the drill"), Vec::<String>::new());
    let has_other = format!("{:?}", cells.edges.keys().collect::<Vec<_>>()).contains("\"other\"");
    assert!(!has_other && cells.roots.keys().all(|(entry, _)| *entry == Entry::Step(0)));
}

#[test]
fn an_operation_that_is_called_other_and_what_is_over_in_one_trace_are_not_told_of() {
    let mut fold = fold(Limits::default());
    let mut mine = journey(1, 0);
    mine[2].op = OTHER.into();
    let many = (0..200).map(|at| {
        let mut query = mine[3].clone();
        (query.id, query.op) = (100 + at, slug(at));
        query
    });
    mine.extend(many.collect::<Vec<_>>());
    take(&mut fold, mine, &[(1, TraceClass::Mine)]);
    let flood = (0..5_000_u64).map(|at| {
        let mut flood = span(u128::from(at) + 100, 1, 0, SpanKind::Server, "bad", (0, 5));
        flood.op = slug(at);
        flood
    });
    take(&mut fold, flood.collect(), &[]);
    fold.settle();
    let said = fold.cells().left_out_names("of the drill");
    assert!(!said.is_empty() && said.iter().all(|line| line.contains("of live users")), "{said:?}");
}
