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
    // In two instances it is processed twice at once: the first took too long.
    assert_eq!(counted(&sent(&[(5, 18, "a"), (6, 17, "b")])), [(1, 1, 0)]);
}
