use peakdrill_trace_model::{PeerKind, SpanKind};

use super::*;
use crate::cells::Cells;
use crate::contribute::gather::OPS_PER_TRACE;
use crate::contribute::tests::{span, to};
use crate::keys::{KeyCell, KeyRead, PlaceId};
use crate::sums::Sums;

const SHOP: (&str, NodeKind) = ("shop", NodeKind::Service);
const DB: (&str, NodeKind) = ("db", NodeKind::Database);
const CACHE: (&str, NodeKind) = ("cache", NodeKind::Cache);

fn keyed(mut span: Span, text: &str) -> Span {
    span.key = SpanKey::of(text).map(Box::new);
    span
}

fn guessed(mut span: Span, text: &str) -> Span {
    span.key = SpanKey::of(text).map(|key| Box::new(key.guessed()));
    span
}

fn query(id: u64, parent: u64, node: (&str, NodeKind)) -> Span {
    let kind = if node.1 == NodeKind::Cache { PeerKind::Cache } else { PeerKind::Database };
    to(span(id, parent, SpanKind::Client, "shop", 20, 30), node.0, kind)
}

fn cells(spans: &[Span], class: TraceClass, tagged: bool) -> Cells {
    let (mut cells, mut sums) = (Cells::default(), Sums::default());
    sums.add(&Filed { spans, root: None, class, tagged, origin_ns: 0 });
    cells.take_in(&mut sums);
    cells
}

/// How many operations were counted on each of the keys, at the node's operation of this caller.
fn counted<const N: usize>(
    spans: &[Span],
    (node, caller): ((&str, NodeKind), &str),
    texts: [&str; N],
) -> [i64; N] {
    let cells = cells(spans, TraceClass::Mine, true);
    let place = PlaceId::of(&NodeKey { name: node.0.into(), kind: node.1 }, "op", caller);
    texts.map(|text| {
        let bucket = i64::from(SpanKey::of(text).unwrap().bucket());
        cells.keys.get(&place.slot).and_then(|buckets| buckets.get(&bucket)).map_or(0, |cell| cell.ops)
    })
}

#[test]
fn a_key_goes_down_to_the_next_service_and_no_further() {
    let spans = [
        keyed(span(1, 0, SpanKind::Server, "gateway", 0, 100), "user 1"),
        to(span(2, 1, SpanKind::Client, "gateway", 1, 99), "shop", PeerKind::Service),
        span(3, 2, SpanKind::Server, "shop", 2, 98),
        query(4, 3, DB),
        keyed(span(5, 3, SpanKind::Internal, "shop", 3, 90), "item 7"),
        query(6, 5, CACHE),
        span(7, 5, SpanKind::Internal, "shop", 4, 80),
        query(8, 7, CACHE),
    ];
    assert_eq!(counted(&spans, (("gateway", NodeKind::Service), ""), ["user 1"]), [1]);
    assert_eq!(counted(&spans, (SHOP, "op"), ["user 1", "item 7"]), [0, 0], "its own span says nothing");
    assert_eq!(counted(&spans, (DB, "op"), ["user 1", "item 7"]), [0, 0]);
    assert_eq!(counted(&spans, (CACHE, "op"), ["user 1", "item 7"]), [0, 2]);
}

#[test]
fn what_is_said_goes_before_a_guess() {
    let entry = |key: &str| keyed(span(1, 0, SpanKind::Server, "shop", 0, 100), key);
    let spans = [entry("item 7"), guessed(query(2, 1, DB), "amount 5"), keyed(query(3, 1, DB), "row 3")];
    assert_eq!(counted(&spans, (DB, "op"), ["item 7", "amount 5", "row 3"]), [1, 0, 1]);
    let unsaid = [span(1, 0, SpanKind::Server, "shop", 0, 100), guessed(query(2, 1, DB), "amount 5")];
    assert_eq!(counted(&unsaid, (DB, "op"), ["amount 5"]), [1]);
}

#[test]
fn what_failed_was_refused_or_not_done_is_left_out() {
    let entry = || span(1, 0, SpanKind::Server, "shop", 0, 100);
    let (mut failed, mut refused) = (keyed(query(2, 1, DB), "a"), keyed(entry(), "b"));
    let mut mocked = keyed(query(3, 1, DB), "c");
    (failed.error, refused.status, mocked.mocked) = (true, 429, true);
    let spans = [refused, failed, mocked, keyed(query(4, 1, DB), "d")];
    assert_eq!(counted(&spans, (SHOP, ""), ["b"]), [0]);
    assert_eq!(counted(&spans, (DB, "op"), ["a", "c", "d"]), [0, 0, 1]);
    // The called service's own span may still come.
    let call = to(span(2, 1, SpanKind::Client, "shop", 20, 30), "bank", PeerKind::Service);
    let spans = [entry(), keyed(call, "e")];
    assert!(self::cells(&spans, TraceClass::Mine, true).keys.is_empty());
}

#[test]
fn a_service_and_a_queue_are_places_for_each_of_their_callers() {
    let entry = |op: &str| Span { op: op.into(), ..span(1, 0, SpanKind::Server, "gateway", 0, 100) };
    let called = |op: &str| {
        [
            entry(op),
            to(span(2, 1, SpanKind::Client, "gateway", 1, 99), "shop", PeerKind::Service),
            keyed(span(3, 2, SpanKind::Server, "shop", 2, 98), "item 7"),
        ]
    };
    let queue = ("orders", NodeKind::Queue);
    let sent = |op: &str| {
        [
            entry(op),
            to(span(2, 1, SpanKind::Producer, "gateway", 1, 2), "orders", PeerKind::Queue),
            keyed(span(3, 2, SpanKind::Consumer, "packer", 20, 98), "item 7"),
        ]
    };
    for (spans, node) in [(called("GET /report"), SHOP), (sent("GET /report"), queue)] {
        let of = |caller| counted(&spans, (node, caller), ["item 7"]);
        assert_eq!([of("GET /report"), of("GET /order"), of("")], [[1], [0], [0]], "{node:?}");
        // Its caller's span is lost, or the span of the call.
        for lost in [0, 1] {
            let mut spans = spans.to_vec();
            spans.remove(lost);
            assert!(cells(&spans, TraceClass::Mine, true).keys.is_empty(), "{node:?} without {lost}");
        }
    }
}

#[test]
fn what_nobody_knows_who_asked_for_takes_no_room() {
    let query = keyed(query(4, 3, DB), "row 3");
    let spans = [span(1, 0, SpanKind::Server, "gateway", 0, 100), query.clone()];
    assert!(cells(&spans, TraceClass::Mine, true).keys.is_empty(), "its operation's span is lost");
    // What asks by itself is known.
    let alone = [Span { parent: 0, ..query }];
    assert_eq!(counted(&alone, (DB, ""), ["row 3"]), [1]);
}

#[test]
fn operations_without_a_name_of_their_own_are_left_out() {
    let calls = (0..2 * OPS_PER_TRACE as u64).map(|number| {
        let mut call = keyed(query(10 + number, 1, DB), "item 7");
        call.op = format!("op {}", char::from_u32(0x100 + number as u32).unwrap()).into();
        call
    });
    let spans: Vec<Span> = calls.chain([span(1, 0, SpanKind::Server, "shop", 0, 100)]).collect();
    let cells = cells(&spans, TraceClass::Mine, true);
    let ops = |buckets: &crate::cells::Seconds<crate::keys::KeyCell>| {
        buckets.values().map(|cell| cell.ops).sum::<i64>()
    };
    assert_eq!(cells.keys.values().map(ops).sum::<i64>(), OPS_PER_TRACE as i64 - 1);
}

#[test]
fn only_of_the_drills_own_traces_keys_are_counted() {
    let mut spans = vec![keyed(span(1, 0, SpanKind::Server, "shop", 0, 100), "item 7"), query(2, 1, DB)];
    assert!(!cells(&spans, TraceClass::Mine, true).keys.is_empty());
    for (class, tagged) in [(TraceClass::Mine, false), (TraceClass::Live, true), (TraceClass::OtherRun, true)]
    {
        assert!(cells(&spans, class, tagged).keys.is_empty());
    }
    let to_trace = |trace| peakdrill_trace_model::Link { trace, span: 1 };
    spans[1].links.push(to_trace(7));
    assert!(!cells(&spans, TraceClass::Mine, true).keys.is_empty(), "a link within the trace");
    spans[1].links.push(to_trace(8));
    assert!(cells(&spans, TraceClass::Mine, true).keys.is_empty());
}

#[test]
fn of_two_keys_chance_makes_hardly_one_the_only_one() {
    use rand::{RngExt as _, SeedableRng as _};

    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
    let one = SpanKey::of("item 1").unwrap();
    let two = (2..).find_map(|number| {
        SpanKey::of(&format!("item {number}")).filter(|other| other.bucket() == one.bucket())
    });
    let keys = [one, two.unwrap()];
    let bucket = i64::from(one.bucket());
    for ops in [80, 120, 200, 400] {
        let mut named = |of: usize| {
            let draws = (0..1_000).filter(|_| {
                let mut cell = KeyCell::default();
                for op in 0..ops {
                    let trace = rng.random();
                    if is_named(&Span { trace, ..span(1, 0, SpanKind::Server, "shop", 0, 1) }) {
                        cell.name(&keys[op % of], 1);
                    }
                }
                matches!(cell.key(bucket), KeyRead::Named(_))
            });
            draws.count()
        };
        let (one_of_two, only_one) = (named(2), named(1));
        assert!(one_of_two < 15, "{one_of_two} of a thousand, of {ops} operations");
        assert!(only_one > if ops < 200 { 100 } else { 900 }, "{only_one} of a thousand, of {ops}");
    }
}

#[test]
fn one_key_in_sixteen_is_counted_bit_by_bit() {
    let count = |spans: &[Span]| spans.iter().filter(|span| is_named(span)).count();
    let of = |trace: u128, id: u64| Span { trace, ..span(id, 0, SpanKind::Server, "shop", 0, 1) };
    let by_trace: Vec<Span> = (0..8_000).map(|trace| of(trace, 1)).collect();
    let by_span: Vec<Span> = (0..8_000).map(|id| of(1 << 127, id)).collect();
    let high: Vec<Span> = (0..8_000).map(|trace| of(trace << 64, 1)).collect();
    for spans in [by_trace, by_span, high] {
        assert!((400..600).contains(&count(&spans)), "{}", count(&spans));
    }
}
