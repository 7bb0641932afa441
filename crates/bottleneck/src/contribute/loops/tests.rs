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
    let named = |client: &str, ops: [&str; 2]| {
        let mut spans = calls(&one_by_one(8, 10, 1));
        for i in 0..8 {
            let call = &mut spans[1 + i];
            call.op = client.into();
            *call = to(call.clone(), "shop:80", PeerKind::Service);
            let from = i as i64 * 11;
            let mut server = span(20 + i as u64, 2 + i as u64, SpanKind::Server, "shop", from + 1, from + 9);
            server.op = ops[i % 2].into();
            spans.push(server);
        }
        found(&spans)
    };
    let served = |ops| named("GET", ops);
    let one = served(["GET /price", "GET /price"]);
    assert_eq!((&*one[0].0.to.name, &*one[0].0.op, one[0].1.calls), ("shop", "GET /price", 8));
    assert_eq!(one[0].1.cp_ns, 80 * MS, "with what is behind the calls");
    assert_eq!(served(["GET /price", "GET /stock"]), []);
    assert_eq!(served(["shop.Price/Get"; 2])[0].1.calls, 8);
    // Servers that do not know the route: the calls may be of as many as there are.
    for op in [
        "GET",
        "HTTP GET",
        "GET /*",
        "GET /",
        "server",
        "ANY /{proxy+}",
        "ANY /api/{proxy+}",
        "GET /{**catch-all}",
        "GET /{*path}",
        "GET /{path:path}",
        "GET /files/{path:path}",
        "GET /<path:path>",
        "GET /files/<path:path>",
        "GET /files/{path...}",
        "GET /files/[...path]",
        "GET /files/(?P<path>.*)",
        "GET /api/*",
        "GET /api/**",
        "GET /{id}",
        "GET /{}",
        "GET /:id/<id>/17",
        "POST /graphql",
        "POST /v1/GraphQL/",
        "POST /rpc",
        "GET http://shop:80",
        "GET http://shop:80/",
        "GET http://shop:80/{}",
        "GET http://shop:80?of=/price",
    ] {
        assert_eq!(served([op; 2]), [], "{op}");
        let by_caller = named("GET /price", [op; 2]);
        let [(edge, cell)] = &by_caller[..] else { panic!("the caller knows what it calls: {op}") };
        // Under its own name for whom it calls, which is joined with the service later.
        assert_eq!((&*edge.to.name, edge.to.kind, &*edge.op), ("shop:80", NodeKind::External, "GET /price"));
        assert_eq!(cell.calls, 8);
        assert_eq!(named(op, ["GET"; 2]), [], "nor of callers: {op}");
    }
    for op in ["GET /price/{id}", "GET /{id}/price", "GET http://shop/price", "GET /shops/:path"] {
        assert_eq!(served([op; 2])[0].1.calls, 8, "{op}");
    }
}

#[test]
fn attempts_that_only_the_called_side_tells_are_none() {
    let answered = |failed: &dyn Fn(u64) -> bool| {
        let mut spans = calls(&one_by_one(8, 10, 1));
        for i in 0..8 {
            let from = i as i64 * 11;
            let server = span(20 + i, 2 + i, SpanKind::Server, "shop", from + 1, from + 9);
            spans.push(Span { op: "GET /price".into(), error: failed(i), ..server });
        }
        found(&spans).iter().map(|(_, cell)| cell.calls).collect::<Vec<_>>()
    };
    assert_eq!((answered(&|_| false), answered(&|i| i < 7)), (vec![8], vec![]));
    // Each within the frame of its call, which has two attempts.
    let framed = |failed: &dyn Fn(u64, u64) -> bool| {
        let mut spans = calls(&one_by_one(8, 10, 1));
        for (i, attempt) in (0..8).flat_map(|i| [(i, 0), (i, 1)]) {
            let (from, id) = (i as i64 * 11 + 5 * attempt as i64, 100 * attempt + i);
            spans.push(span(1_000 + id, 2 + i, SpanKind::Client, "front", from, from + 5));
            let server = span(2_000 + id, 1_000 + id, SpanKind::Server, "shop", from + 1, from + 4);
            spans.push(Span { op: "GET /price".into(), error: failed(i, attempt), ..server });
        }
        found(&spans).iter().map(|(_, cell)| cell.calls).collect::<Vec<_>>()
    };
    assert_eq!((framed(&|_, _| false), framed(&|_, attempt| attempt == 0)), (vec![8], vec![8]));
    assert_eq!((framed(&|i, _| i < 7), framed(&|i, attempt| i < 7 && attempt == 1)), (vec![], vec![]));
}

#[test]
fn commands_of_caches_and_of_many_at_once_are_none() {
    let spans = calls(&one_by_one(8, 10, 1));
    let of = |op: &'static str, node: &'static str, kind: PeerKind| {
        with(&spans, move |_, call| {
            call.op = op.into();
            *call = to(call.clone(), node, kind);
        })
    };
    // Session, user, flags, quota, cart: each depends on the one before. And waiting for work is none by its nature.
    for op in ["GET", "get", "BRPOP", "GET user", "PIPELINE GET", "redis.pipeline get"] {
        assert_eq!(of(op, "redis", PeerKind::Cache), [], "{op}");
    }
    let no_statements = [
        "PIPELINE GET",
        "redis.pipeline get",
        "DB Query",
        "BATCH INSERT",
        "batch insert",
        "MULTI",
        "MULTI price",
        "pg.query:SELECT shopdb",
        "SELECT",
        "SELECT ",
    ];
    for op in no_statements {
        assert_eq!(of(op, "db", PeerKind::Database), [], "{op}");
    }
    for op in ["SELECT price", "find price", "SELECT public.price"] {
        assert_eq!(of(op, "db", PeerKind::Database)[0].1.calls, 8, "{op}");
    }
}

#[test]
fn operations_beyond_those_kept_by_name_are_none() {
    let spans = |others: u64| {
        let mut spans = calls(&one_by_one(8, 10, 1));
        // Calls of other operations, at once and before by their ids.
        for i in 0..others {
            let mut call = span(1_000 + i, 1, SpanKind::Client, "front", 0, 1);
            call.op = format!("SELECT {}{}", ["a", "b", "c"][i as usize % 3], "x".repeat(i as usize)).into();
            spans.push(to(call, "db", PeerKind::Database));
        }
        // The loop's own are the last.
        spans[1..9].iter_mut().enumerate().for_each(|(i, call)| call.id = 2_000 + i as u64);
        spans
    };
    let told = |others| found(&spans(others)).iter().map(|(_, cell)| cell.calls).collect::<Vec<_>>();
    assert_eq!(told(50), [8]);
    assert_eq!(told(80), [] as [i64; 0], "these may be of many");
}

#[test]
fn of_a_request_without_a_path_nothing_is_known() {
    let mut spans = calls(&one_by_one(8, 10, 1));
    // The first service's span belongs to no call of the generator's.
    spans[0].parent = 101;
    assert_eq!(found(&spans), []);
}

#[test]
fn a_loop_within_a_loop_counts_for_both() {
    // `front` calls `list` six times, which asks its database five times each.
    let mut spans = vec![span(1, 100, SpanKind::Server, "front", 0, 100)];
    for i in 0..6_u64 {
        let from = i as i64 * 15;
        let call = span(1_000 + i, 1, SpanKind::Client, "front", from, from + 15);
        spans.push(to(call, "list", PeerKind::Service));
        let server = span(2_000 + i, 1_000 + i, SpanKind::Server, "list", from, from + 15);
        spans.push(Span { op: "GET /list".into(), ..server });
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
