use peakdrill_drill_model::verdict::NodeKind;
use peakdrill_trace_model::{Messaging, PeerKind, Span, SpanKind};

use super::*;
use crate::contribute::tests::{MS, fold, row, span, to};

/// An operation of `front` from 0 to 100 ms that makes calls, from and to in milliseconds.
fn calls(times: &[(i64, i64)]) -> Vec<Span> {
    let call = |(i, (from, until)): (usize, &(i64, i64))| {
        let mut call = span(2 + i as u64, 1, SpanKind::Client, "front", *from, *until);
        call.op = "SELECT price".into();
        to(call, "db", PeerKind::Database)
    };
    let operation = span(1, 100, SpanKind::Server, "front", 0, 100);
    std::iter::once(operation).chain(times.iter().enumerate().map(call)).collect()
}

fn one_by_one(count: i64, long_ms: i64, pause_ms: i64) -> Vec<(i64, i64)> {
    (0..count).map(|i| (i * (long_ms + pause_ms), i * (long_ms + pause_ms) + long_ms)).collect()
}

fn found(spans: &[Span]) -> Vec<(EdgeKey, LoopCell)> {
    let cells = fold(spans, Some(&row(0, 100)));
    cells.loops.into_iter().map(|((edge, _), cell)| (edge, cell)).collect()
}

fn with(spans: &[Span], change: impl Fn(usize, &mut Span)) -> Vec<(EdgeKey, LoopCell)> {
    let mut spans = spans.to_vec();
    spans.iter_mut().skip(1).enumerate().for_each(|(i, call)| change(i, call));
    found(&spans)
}

#[test]
fn calls_that_follow_each_other_are_a_loop() {
    let spans = calls(&one_by_one(8, 10, 1));
    let [(edge, cell)] = &found(&spans)[..] else { panic!("one loop") };
    assert_eq!(
        (&*edge.from, &*edge.to.name, edge.to.kind, &*edge.op),
        ("front", "db", NodeKind::Database, "SELECT price")
    );
    let expected = LoopCell { requests: 1, loops: 1, calls: 8, cp_ns: 80 * MS, request_ns: 100 * MS };
    assert_eq!(*cell, expected);
    // Without the generator's row the root's span is the request.
    let mut alone = spans;
    alone[0].parent = 0;
    assert_eq!(fold(&alone, None).loops.values().next(), Some(&expected));
}

#[test]
fn few_calls_calls_at_once_and_questions_now_and_then_are_none() {
    assert_eq!(found(&calls(&one_by_one(LOOP_CALLS as i64 - 1, 10, 1))), []);
    assert_eq!(found(&calls(&[(0, 40); 8])), []);
    // Two at a time.
    let two: Vec<(i64, i64)> = (0..12).map(|i| (5 * i, 5 * i + 9)).collect();
    assert_eq!(found(&calls(&two)), []);
    assert_eq!(found(&calls(&one_by_one(8, 2, 10))), []);
}

#[test]
fn attempts_of_one_call_are_none() {
    let spans = calls(&one_by_one(8, 10, 1));
    assert_eq!(with(&spans, |i, call| call.error = i < 7), []);
    assert_eq!(with(&spans, |i, call| call.resend = i as u16), []);
    assert_eq!(with(&spans, |_, call| call.error = true), []);
    // Within the frame of the logical call.
    let mut framed = spans.clone();
    framed[1].end_ns = framed[8].end_ns;
    framed.iter_mut().skip(2).for_each(|call| call.parent = 2);
    assert_eq!(found(&framed), []);
    // One that failed and was made again does not end the loop, and neither is two of its calls.
    let one_failed = with(&spans, |i, call| call.error = i == 3);
    assert_eq!(one_failed[0].1.calls, 7);
}

#[test]
fn calls_of_different_things_are_none() {
    let spans = calls(&one_by_one(8, 10, 1));
    assert_eq!(with(&spans, |i, call| call.op = ["SELECT a", "SELECT b"][i % 2].into()), []);
    assert_eq!(with(&spans, |_, call| call.op = "SELECT".into()), [], "of which table is not known");
    let web = |op: &'static str| {
        with(&spans, move |_, call| {
            call.op = op.into();
            *call = to(call.clone(), "shop:80", PeerKind::Service);
        })
    };
    assert_eq!((web("GET"), web("HTTP GET")), (vec![], vec![]), "of which route is not known");
    assert_eq!(web("GET /price")[0].1.calls, 8);
    // The ids of a route are no part of its name.
    let ids = with(&spans, |i, call| call.op = format!("SELECT price{i}").into());
    assert_eq!((&*ids[0].0.op, ids[0].1.calls), ("SELECT price#", 8));
    let fetched = with(&spans, |_, call| call.messaging = Some(Messaging::Receive));
    assert_eq!(fetched, [], "messages are asked for by their nature");
}

#[test]
fn the_called_side_names_the_operation() {
    let served = |ops: [&str; 2]| {
        let mut spans = calls(&one_by_one(8, 10, 1));
        for i in 0..8 {
            let call = &mut spans[1 + i];
            call.op = "GET".into();
            *call = to(call.clone(), "shop:80", PeerKind::Service);
            let from = i as i64 * 11;
            let mut server = span(20 + i as u64, 2 + i as u64, SpanKind::Server, "shop", from + 1, from + 9);
            server.op = ops[i % 2].into();
            spans.push(server);
        }
        found(&spans)
    };
    let one = served(["GET /price", "GET /price"]);
    assert_eq!((&*one[0].0.to.name, &*one[0].0.op, one[0].1.calls), ("shop", "GET /price", 8));
    assert_eq!(one[0].1.cp_ns, 80 * MS, "with what is behind the calls");
    assert_eq!(served(["GET /price", "GET /stock"]), []);
}

#[test]
fn a_loop_within_a_loop_counts_for_both() {
    // `front` calls `list` six times, which asks its database five times each.
    let mut spans = vec![span(1, 100, SpanKind::Server, "front", 0, 100)];
    for i in 0..6_u64 {
        let from = i as i64 * 15;
        let call = span(1_000 + i, 1, SpanKind::Client, "front", from, from + 15);
        spans.push(to(call, "list", PeerKind::Service));
        spans.push(span(2_000 + i, 1_000 + i, SpanKind::Server, "list", from, from + 15));
        for j in 0..5 {
            let from = from + j as i64 * 3;
            let mut query = span(3_000 + 10 * i + j, 2_000 + i, SpanKind::Client, "list", from, from + 2);
            query.op = "SELECT row".into();
            spans.push(to(query, "db", PeerKind::Database));
        }
    }
    let found = found(&spans);
    let told: Vec<_> = found.iter().map(|(edge, c)| (&*edge.from, c.loops, c.calls, c.cp_ns / MS)).collect();
    assert_eq!(told, [("front", 1, 6, 90), ("list", 6, 30, 60)]);
    assert!(found.iter().all(|(_, cell)| cell.requests == 1));
}
