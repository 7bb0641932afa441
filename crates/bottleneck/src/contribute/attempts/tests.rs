use peakdrill_trace_model::{PeerKind, Span, SpanKind};

use crate::contribute::tests::{edge, fold, row, span, to};

fn client(id: u64, parent: u64, from_ms: i64, to_ms: i64) -> Span {
    to(span(id, parent, SpanKind::Client, "front", from_ms, to_ms), "back", PeerKind::Service)
}

/// Calls, attempts, and those beside another, of `front` to `back`.
fn counted(spans: &[Span]) -> (i64, i64, i64) {
    let front = span(1, 100, SpanKind::Server, "front", 0, 100);
    let spans: Vec<Span> = std::iter::once(front).chain(spans.iter().cloned()).collect();
    let found = edge(&fold(&spans, Some(&row(0, 100))), "front", "back");
    (found.calls, found.attempts, found.beside)
}

#[test]
fn attempts_of_one_span_are_told_apart_by_when_they_ran() {
    let server = |id, from, until, instance: &str| Span {
        instance: instance.into(),
        ..span(id, 2, SpanKind::Server, "back", from, until)
    };
    let of = |servers: &[Span]| {
        let spans: Vec<Span> = std::iter::once(client(2, 1, 10, 90)).chain(servers.iter().cloned()).collect();
        counted(&spans)
    };
    assert_eq!(of(&[server(3, 10, 40, "a"), server(4, 50, 90, "a")]), (1, 2, 0));
    assert_eq!(of(&[server(3, 10, 80, "a"), server(4, 50, 90, "a")]), (1, 2, 1));
    // The second outlasts the third, which began beside it.
    let three = [server(3, 10, 30, "a"), server(4, 40, 90, "a"), server(5, 60, 70, "a")];
    assert_eq!(of(&three), (1, 3, 1));
    // Of two instances the clocks may be off: both fit into the call, or not.
    assert_eq!(of(&[server(3, 10, 40, "a"), server(4, 30, 70, "b")]), (1, 2, 0));
    assert_eq!(of(&[server(3, 10, 70, "a"), server(4, 30, 90, "b")]), (1, 2, 1));
}

#[test]
fn attempts_of_several_spans_are_told_apart_by_when_they_ran() {
    let framed = |second: (i64, i64)| {
        let frame = span(2, 1, SpanKind::Client, "front", 10, 90);
        counted(&[frame, client(3, 2, 10, 60), client(4, 2, second.0, second.1)])
    };
    assert_eq!((framed((60, 90)), framed((40, 90))), ((1, 2, 0), (1, 2, 1)));
    let resent = |id, from, until| Span { resend: 1, ..client(id, 1, from, until) };
    assert_eq!(counted(&[client(2, 1, 10, 40), resent(3, 40, 90)]), (1, 2, 0));
    assert_eq!(counted(&[client(2, 1, 10, 60), resent(3, 40, 90)]), (1, 2, 1));
    // Of two calls at once: whose attempt it is, is not known.
    assert_eq!(counted(&[client(2, 1, 10, 60), client(3, 1, 10, 30), resent(4, 40, 90)]), (2, 3, 0));
    assert_eq!(counted(&[client(2, 1, 10, 60), client(3, 1, 10, 60)]), (2, 2, 0), "two calls");
}

#[test]
fn who_tries_again_a_moment_before_the_failed_attempt_is_closed_does_so_after_it() {
    // The second begins this much before the end of the first, which took 30 ms.
    let under = |overlap_ns: i64, error: bool| {
        let frame = span(2, 1, SpanKind::Client, "front", 10, 90);
        let mut second = client(4, 2, 40, 90);
        second.start_ns -= overlap_ns;
        counted(&[frame, Span { error, ..client(3, 2, 10, 40) }, second])
    };
    let behind = |overlap_ns: i64, error: bool| {
        let mut second = span(4, 2, SpanKind::Server, "back", 40, 90);
        second.start_ns -= overlap_ns;
        let first = Span { error, ..span(3, 2, SpanKind::Server, "back", 10, 40) };
        counted(&[client(2, 1, 10, 90), first, second])
    };
    for attempts in [&under as &dyn Fn(i64, bool) -> (i64, i64, i64), &behind] {
        assert_eq!((attempts(30_000, true), attempts(30_000, false)), ((1, 2, 0), (1, 2, 1)));
        assert_eq!(attempts(2_000_000, true), (1, 2, 1), "it had not failed yet");
    }
}

#[test]
fn a_second_attempt_counts_once_however_often_it_is_answered() {
    let spans = [
        span(2, 1, SpanKind::Client, "front", 10, 90),
        client(3, 2, 10, 80),
        client(4, 2, 40, 90),
        span(5, 3, SpanKind::Server, "back", 11, 79),
        span(6, 4, SpanKind::Server, "back", 41, 60),
        span(7, 4, SpanKind::Server, "back", 65, 89),
    ];
    assert_eq!(counted(&spans), (1, 3, 1));
}
