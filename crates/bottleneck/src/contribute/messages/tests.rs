use peakdrill_drill_model::verdict::NodeKind;
use peakdrill_trace_model::{Messaging, PeerKind, Span, SpanKind};

use crate::contribute::tests::{fold, row, span, to};
use crate::key::NodeKey;

/// A message that `front` sends, and its processings: from and to in milliseconds, and the instance.
fn sent(processings: &[(i64, i64, &str)]) -> Vec<Span> {
    let send = to(span(2, 1, SpanKind::Producer, "front", 1, 2), "kafka/orders", PeerKind::Queue);
    let process = |(i, (from, until, instance)): (usize, &(i64, i64, &str))| {
        let span = span(10 + i as u64, 2, SpanKind::Consumer, "mail", *from, *until);
        let messaging = Some(Messaging::Process);
        to(
            Span { message: 7, messaging, instance: (*instance).into(), ..span },
            "kafka/orders",
            PeerKind::Queue,
        )
    };
    let front = span(1, 100, SpanKind::Server, "front", 0, 3);
    [front, send].into_iter().chain(processings.iter().enumerate().map(process)).collect()
}

fn counted(spans: &[Span]) -> Vec<(i64, i64, i64)> {
    let cells = fold(spans, Some(&row(0, 3)));
    cells.messages.values().map(|cell| (cell.messages, cell.again, cell.after_error)).collect()
}

fn with(spans: &[Span], change: impl Fn(usize, &mut Span)) -> Vec<(i64, i64, i64)> {
    let mut spans = spans.to_vec();
    spans.iter_mut().skip(2).enumerate().for_each(|(i, span)| change(i, span));
    counted(&spans)
}

const THREE: [(i64, i64, &str); 3] = [(5, 8, "a"), (20, 25, "a"), (30, 35, "b")];

#[test]
fn a_message_that_is_processed_again_is_counted_with_why() {
    assert_eq!(counted(&sent(&THREE[..1])), [(1, 0, 0)]);
    assert_eq!(counted(&sent(&THREE)), [(1, 2, 0)]);
    assert_eq!(with(&sent(&THREE), |i, span| span.error = i == 1), [(1, 2, 1)]);
    let cells = fold(&sent(&THREE), Some(&row(0, 3)));
    let (edge, _) = cells.messages.keys().next().unwrap();
    let consumer = NodeKey { name: "mail".into(), kind: NodeKind::Service };
    assert_eq!((&*edge.from, &edge.to), ("kafka/orders", &consumer));
}

#[test]
fn other_messages_consumers_and_libraries_are_no_second_time() {
    let spans = sent(&THREE);
    assert_eq!(with(&spans, |i, span| span.message = 7 + i as u64), [(3, 0, 0)]);
    assert_eq!(with(&spans, |_, span| span.message = 0), [], "nothing tells messages apart");
    assert_eq!(with(&spans, |i, span| span.service = ["mail", "bill", "log"][i].into()), [(1, 0, 0); 3]);
    // Two libraries in one instance tell of the same processing, one within the other.
    assert_eq!(counted(&sent(&[(5, 18, "a"), (6, 17, "a")])), [(1, 0, 0)]);
    // Two handlers of one delivery are one processing, told by its own span; a second delivery has another.
    let delivered = |handlers: &[(i64, i64, &str)], deliveries: &[u64], failed: &[usize]| {
        let mut spans = sent(handlers);
        for (i, handler) in spans.iter_mut().skip(2).enumerate() {
            (handler.parent, handler.error) = (deliveries[i], failed.contains(&i));
        }
        for delivery in deliveries {
            let of = span(*delivery, 2, SpanKind::Consumer, "mail", 4, 60);
            spans.push(Span {
                messaging: Some(Messaging::Receive),
                ..to(of, "kafka/orders", PeerKind::Queue)
            });
        }
        counted(&spans)
    };
    let handlers = [(5, 8, "a"), (9, 12, "a"), (20, 25, "a"), (26, 30, "a")];
    assert_eq!(delivered(&handlers[..2], &[30, 30], &[]), [(1, 0, 0)]);
    assert_eq!(delivered(&handlers, &[30, 30, 31, 31], &[]), [(1, 1, 0)]);
    assert_eq!(delivered(&handlers, &[30, 30, 31, 31], &[1]), [(1, 1, 1)], "any of its handlers failed");
    // In turns.
    let turns = [(5, 8, "a"), (9, 12, "b"), (20, 25, "a"), (26, 30, "b")];
    assert_eq!(delivered(&turns, &[30, 31, 30, 31], &[]), [(1, 1, 0)]);
    // Handlers within a span of processing that stands for all of them, in two instances at once.
    let within = [(5, 40, "a"), (6, 41, "b"), (7, 12, "a"), (13, 20, "a")];
    let nested = with(&sent(&within), |i, span| span.parent = if i > 1 { 10 } else { 2 });
    assert_eq!(nested, [(1, 1, 0)]);
    // In two instances it is processed twice at once: the first took too long.
    assert_eq!(counted(&sent(&[(5, 18, "a"), (6, 17, "b")])), [(1, 1, 0)]);
}

#[test]
fn what_the_sender_hands_on_is_no_delivery() {
    // Without a span of the sending it is one of its own, and the same for each delivery.
    for service in ["front", "mail"] {
        for kind in [SpanKind::Server, SpanKind::Internal, SpanKind::Client, SpanKind::Producer] {
            let mut spans = sent(&THREE);
            (spans[0].service, spans[1].service) = (service.into(), service.into());
            let own = span(3, 1, kind, service, 1, 2);
            spans.iter_mut().skip(2).for_each(|span| span.parent = 3);
            spans.push(own);
            assert_eq!(counted(&spans), [(1, 2, 0)], "{service} {kind:?}");
            // Nor is it one when the sender works on another message the while.
            let other = span(4, 100, SpanKind::Consumer, service, 0, 3);
            let other = to(Span { message: 9, ..other }, "kafka/wishes", PeerKind::Queue);
            spans.push(Span { messaging: Some(Messaging::Process), ..other });
            spans.iter_mut().filter(|span| span.id == 3).for_each(|span| span.parent = 4);
            assert_eq!(counted(&spans).iter().map(|of| of.1).sum::<i64>(), 2, "{service} {kind:?}");
        }
    }
}

#[test]
fn handlers_within_spans_of_their_own_are_of_the_delivery_around_these() {
    let handlers = [(5, 8, "a"), (9, 12, "a"), (20, 25, "a"), (26, 30, "a")];
    let around = |deliveries: [u64; 4], kind: SpanKind, deep: u64| {
        let mut spans = sent(&handlers);
        for i in 0..4_u64 {
            let (from, until) = (handlers[i as usize].0, handlers[i as usize].1);
            let id = |step| 1_000 * (i + 1) + step;
            for step in 0..deep {
                let parent = if step == 0 { deliveries[i as usize] } else { id(step - 1) };
                spans.push(span(id(step), parent, kind, "mail", from, until));
            }
            spans[2 + i as usize].parent = id(deep - 1);
        }
        for delivery in [30, 31] {
            let of = span(delivery, 2, SpanKind::Consumer, "mail", 4, 60);
            spans.push(Span { messaging: Some(Messaging::Receive), ..of });
        }
        counted(&spans)
    };
    assert_eq!(around([30; 4], SpanKind::Internal, 1), [(1, 0, 0)]);
    assert_eq!(around([30, 30, 31, 31], SpanKind::Internal, 2), [(1, 1, 0)]);
    assert_eq!(around([30; 4], SpanKind::Server, 1), [(1, 3, 0)], "an operation of its own");
    // So far and no farther.
    assert_eq!(around([30; 4], SpanKind::Internal, 7), [(1, 0, 0)]);
    assert_eq!(around([30; 4], SpanKind::Internal, 8), [(1, 3, 0)]);
}
