use peakdrill_drill_model::verdict::NodeKind;
use peakdrill_trace_model::{Link, PeerKind, Span, SpanKind};

use super::*;
use crate::cells::{Cells, NodeCell};
use crate::contribute::contribute;
use crate::contribute::tests::{MS, S, row, span, to};
use crate::key::Entry;

/// A request of 100 ms that sends a message at 40 ms.
fn sender() -> Vec<Span> {
    let server = span(1, 100, SpanKind::Server, "order", 0, 100);
    vec![server, to(span(2, 1, SpanKind::Producer, "order", 39, 40), "orders", PeerKind::Queue)]
}

/// Works from 90 to 120 ms on messages that these spans of the sender's trace sent, of which 20 ms in a database.
fn consumer(sent: &[u64]) -> Vec<Span> {
    let mut work = to(span(11, 0, SpanKind::Consumer, "mailer", 90, 120), "orders", PeerKind::Queue);
    work.links = sent.iter().map(|span| Link { trace: 7, span: *span }).collect();
    work.partition = Some(3);
    let query = to(span(12, 11, SpanKind::Client, "mailer", 95, 115), "mail-db", PeerKind::Database);
    [work, query].into_iter().map(|span| Span { trace: 8, ..span }).collect()
}

fn folded(parts: &[(&[Span], TraceClass)]) -> Cells {
    let mut cells = Cells::default();
    for (spans, class) in parts {
        let row = spans.first().filter(|span| span.trace == 7).map(|_| row(0, 100));
        cells.apply(&contribute(spans, row.as_ref(), *class, 0));
    }
    cells
}

fn node(cells: &Cells, name: &str, kind: NodeKind) -> NodeCell {
    let mut sum = NodeCell::default();
    let key = (NodeKey { name: name.into(), kind }, TraceClass::Mine);
    cells.nodes[&key].values().for_each(|cell| crate::cells::Cell::add(&mut sum, cell));
    sum
}

fn queue(cells: &Cells) -> NodeCell {
    node(cells, "orders", NodeKind::Queue)
}

#[test]
fn a_consumer_that_links_to_the_sender_waited_as_one_that_goes_on_with_its_trace() {
    let mine = TraceClass::Mine;
    let found = folded(&[(&sender(), mine), (&consumer(&[2]), mine)]);
    assert_eq!(found, folded(&[(&consumer(&[2]), mine), (&sender(), mine)]));

    let mut together = sender();
    together.extend(consumer(&[]).into_iter().map(|mut span| {
        span.parent = if span.id == 11 { 2 } else { span.parent };
        Span { trace: 7, ..span }
    }));
    let one = folded(&[(&together, mine)]);
    let (linked, one_trace) = (queue(&found), queue(&one));
    assert_eq!(linked.queued_ns, 50 * MS);
    assert_eq!(linked, one_trace);
    assert_eq!((&found.paths, &found.visits), (&one.paths, &one.visits));
    assert_eq!(found.partitions, one.partitions);
    let links = found.links.values().next().unwrap();
    assert_eq!((links.linked, links.known, links.batches, links.processed), (1, 1, 0, 1));
}

#[test]
fn without_the_sender_the_wait_is_unknown() {
    let mine = TraceClass::Mine;
    // To a span that sends nothing, to one that is not there, and to one of live users, whose ids are not kept.
    for (link, class) in [(1, mine), (9, mine), (2, TraceClass::Live)] {
        let found = folded(&[(&sender(), class), (&consumer(&[link]), mine)]);
        let cell = queue(&found);
        assert_eq!((cell.queued.count(), cell.own.count(), cell.done), (0, 1, 1));
        assert_eq!(cell.arrived, 1 + i64::from(class == mine), "it is not known that it came before");
        assert!(found.paths.iter().all(|(_, cells)| cells.values().all(|cell| cell.wait_ns == 0)));
        let links = found.links.values().next().unwrap();
        assert_eq!((links.linked, links.known), (1, 0));
    }
}

#[test]
fn a_batch_is_split_evenly_over_its_messages() {
    let mut three = sender();
    for id in [3, 4] {
        three.push(to(span(id, 1, SpanKind::Producer, "order", 49, 50), "orders", PeerKind::Queue));
    }
    let mine = TraceClass::Mine;
    let found = folded(&[(&three, mine), (&consumer(&[2, 3, 4, 3]), mine)]);
    let cell = queue(&found);
    assert_eq!((cell.ops, cell.done, cell.arrived), (3, 3, 3));
    assert_eq!((cell.span.count(), cell.queued.count(), cell.own.count()), (3, 3, 3));
    assert_eq!(cell.busy_ns, 30 * MS);
    assert_eq!(cell.queued_ns, (50 + 40 + 40) * MS);
    assert_eq!(cell.own_ns, (50 + 40 + 40 + 10) * MS);
    let of = |name: &str, ns: fn(&crate::cells::PathCell) -> i64| {
        let of_node = found.paths.iter().filter(|((_, _, node), _)| &*node.name == name);
        of_node.flat_map(|(_, seconds)| seconds.values()).map(|cell| ns(cell)).sum::<i64>()
    };
    assert_eq!(of("mail-db", |cell| cell.flow_ns), 20 * MS);
    assert_eq!(of("orders", |cell| cell.flow_ns), 10 * MS);
    let links = found.links.values().next().unwrap();
    assert_eq!((links.linked, links.known, links.batches, links.processed), (3, 3, 1, 3));
}

#[test]
fn what_the_work_waited_for_is_of_the_request_that_sent_the_message() {
    let mine = TraceClass::Mine;
    let found = folded(&[(&sender(), mine), (&consumer(&[2]), mine)]);
    let visits: Vec<_> =
        found.visits.iter().map(|((entry, _, node), cell)| (entry, &*node.name, cell.ops)).collect();
    let step = Entry::Step(3);
    assert_eq!(visits, [(&step, "mail-db", 1), (&step, "order", 1), (&step, "orders", 1)]);
    let second =
        found.paths.values().flat_map(|seconds| seconds.keys()).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(
        second,
        std::collections::BTreeSet::from([&(S / S)]),
        "the second of the request's intended time"
    );
}

#[test]
fn names_behind_a_message_are_bounded() {
    let mut spans = consumer(&[2]);
    for id in 20..120 {
        let query = span(id, 11, SpanKind::Client, "mailer", 95, 96);
        spans.push(Span { trace: 8, ..to(query, &format!("db-{id}"), PeerKind::Database) });
    }
    let found = contribute(&spans, None, TraceClass::Mine, 0);
    let [(Fact { told: Told::Taken(Some((taken, 0))), .. }, 1)] = &found.handed[..] else {
        panic!("{:?}", found.handed)
    };
    assert!(taken.visits.len() == NODES_MAX && taken.flows.len() <= NODES_MAX);
}
