use proptest::prelude::*;

use super::message::SPANS_MAX;
use super::*;
use crate::bounds::NameLimits;
use crate::cells::Cells;

const S: i64 = 1_000_000_000;

fn queue(of: u8) -> NodeKey {
    NodeKey { name: format!("queue-{of}").into(), kind: peakdrill_drill_model::verdict::NodeKind::Queue }
}

fn any_told() -> impl Strategy<Value = (Fact, i64)> {
    let sent =
        (0..3_u8, 0..4 * S, prop::option::of(0..3_u16), any::<bool>()).prop_map(|(to, at, step, counts)| {
            let request = step.map(|step| (Entry::Step(step), i64::from(step)));
            Told::Sent(Some(Arc::new(Sent { at, to: queue(to), request, counts })))
        });
    let taken =
        (1..4_u32, 0..3_u8, 0..6 * S, 0..S, 0..9_i64).prop_map(|(messages, node, start, own_ns, some)| {
            let taken = Taken {
                messages,
                node: queue(node),
                partition: (node == 1).then_some(4),
                second: start / S,
                start,
                own_ns,
                flows: vec![(queue(node), some * 7), (queue(9), some)],
                visits: vec![(queue(node), i64::from(messages)), (queue(9), some)],
            };
            Told::Taken(Some((Arc::new(taken), messages - 1)))
        });
    let nothing = prop_oneof![Just(Told::Sent(None)), Just(Told::Taken(None))];
    let id = (0..3_u128, 0..20_u64).prop_map(|(trace, span)| MessageId { trace, span });
    let told = prop_oneof![2 => sent, 2 => taken, 1 => nothing];
    let times = prop_oneof![4 => Just(1_i64), 1 => Just(2)];
    (id, any::<u64>(), told, times).prop_map(|(message, span, told, times)| {
        // Most are of one message, and some spans tell several things.
        let message = if span % 8 == 0 { message } else { MessageId { trace: 0, span: 0 } };
        let span = span % 512 * (u64::MAX / 512);
        (Fact { message, span, told }, times)
    })
}

fn limits(messages: usize) -> NameLimits {
    NameLimits { messages, ..NameLimits::default() }
}

fn cells(messages: usize, told: &[(Fact, i64)], batch: usize) -> Cells {
    let mut cells = Cells::with_names(limits(messages));
    told.chunks(batch.max(1)).for_each(|part| cells.hand(part));
    cells
}

/// One second from sending to taking, by a span of its own.
fn sent_and_taken(message: MessageId, by: u64, wait_s: i64) -> [(Fact, i64); 2] {
    let sent = Sent { at: S, to: queue(1), request: Some((Entry::Step(1), 1)), counts: true };
    let taken = Taken {
        messages: 1,
        node: queue(1),
        partition: None,
        second: 1 + wait_s,
        start: (1 + wait_s) * S,
        own_ns: 1,
        flows: Vec::new(),
        visits: vec![(queue(9), 1)],
    };
    let of = |span, told| Fact { message, span, told };
    [
        (of(message.hash(), Told::Sent(Some(Arc::new(sent)))), 1),
        (of(ids_hash(9, by), Told::Taken(Some((Arc::new(taken), 0)))), 1),
    ]
}

/// What may stand for so many messages that waited a second each.
fn assert_near(found: &Cells, all: i64) {
    let near = |some: i64| assert!((all * 9 / 10..all * 11 / 10).contains(&some), "{some}");
    let nodes: Vec<_> = found.nodes.values().flat_map(|seconds| seconds.values()).collect();
    near(nodes.iter().map(|cell| cell.queued.count()).sum());
    near(nodes.iter().map(|cell| cell.own_ns).sum::<i64>() / S);
    near(found.visits.values().map(|cell| cell.ops).sum());
    near(found.links.values().map(|cell| cell.known).sum());
    let looked_at: i64 = found.links.values().map(|cell| cell.looked_at).sum();
    let kept: i64 = found.handed.messages.values().map(|message| message.spans() as i64 - 1).sum();
    assert_eq!(looked_at, kept);
    assert!(found.links.values().all(|cell| cell.known == cell.linked), "both follow from the same messages");
}

#[test]
fn shares_add_up() {
    for (whole, parts) in [(10, 3), (2, 5), (0, 4), (i64::MAX, 128), (7, 1)] {
        let all: Vec<i64> = (0..parts).map(|at| share(whole, at, parts)).collect();
        assert_eq!(all.iter().sum::<i64>(), whole);
        assert!(all.iter().max().unwrap() - all.iter().min().unwrap() <= 1);
    }
}

#[test]
fn where_there_is_no_room_for_all_some_stand_for_all() {
    let told: Vec<_> =
        (0..20_000).flat_map(|span| sent_and_taken(MessageId { trace: 5, span }, span, 1)).collect();
    let found = cells(4_000, &told, 333);
    assert_eq!(found.handed.zeros, 4);
    assert!(found.handed.spans <= 4_000);
    assert_near(&found, 20_000);
}

#[test]
fn a_message_that_very_many_took_leaves_room_for_the_others() {
    let common = MessageId { trace: 5, span: 0 };
    let many: Vec<_> = (0..50_000).flat_map(|by| sent_and_taken(common, by, 1)).collect();
    let others: Vec<_> =
        (1..400).flat_map(|span| sent_and_taken(MessageId { trace: 5, span }, 90_000 + span, 1)).collect();
    let found = cells(1_000, &[&many[..], &others].concat(), 1_000);
    assert_eq!(found.handed.zeros, 0);
    assert_eq!(found.handed.messages[&common].spans(), SPANS_MAX + 1);
    let looked_at = found.links.values().map(|cell| cell.looked_at).sum::<i64>() - 399;
    assert!((SPANS_MAX as i64 / 4..=SPANS_MAX as i64).contains(&looked_at), "{looked_at}");
    let known: i64 = found.links.values().map(|cell| cell.known).sum::<i64>() - 399;
    assert!((30_000..80_000).contains(&known), "{known}");
}

#[test]
fn what_is_looked_at_keeps_nothing_of_single_messages() {
    let told: Vec<_> =
        (0..50).flat_map(|span| sent_and_taken(MessageId { trace: 5, span }, span, 1)).collect();
    let found = cells(20, &told, 3);
    assert!(!found.handed.messages.is_empty());
    let shown = found.shown();
    assert!(shown.handed.messages.is_empty() && shown.handed.spans == 0);
    assert_eq!(shown.links, found.links);
}

proptest! {
    // From some hundred and fifty facts on the common message has more spans on each side than are kept: in most cases. Of
    // parts of different sizes the first ones often have all and a later one does not, so that they are thinned as that was.
    #[test]
    fn order_batches_and_parts_do_not_matter(
        (told, shuffled) in prop::collection::vec(any_told(), 0..900)
            .prop_flat_map(|told| (Just(told.clone()), Just(told).prop_shuffle())),
        batch in 1..9_usize,
        parts in 0..4_usize,
        // Room for all that is kept, for some, and for hardly any.
        room in prop::sample::select(vec![1_000_usize, 200, 90, 12, 3, 0]),
    ) {
        let expected = cells(room, &told, told.len());
        prop_assert_eq!(&cells(room, &shuffled, batch), &expected);
        let mut sum = Cells::with_names(limits(room));
        let mut rest = &shuffled[..];
        for _ in 0..parts {
            let (some, others) = rest.split_at(rest.len() / 3);
            sum.merge(&cells(room, some, batch));
            rest = others;
        }
        sum.merge(&cells(room, rest, batch));
        prop_assert_eq!(&sum, &expected);
        prop_assert!(sum.handed.spans <= room);
    }

    #[test]
    fn what_is_taken_back_leaves_nothing(
        told in prop::collection::vec((any_told(), any::<bool>()), 0..40),
        first in any::<bool>(),
    ) {
        let kept: Vec<_> = told.iter().filter(|(_, back)| !back).map(|(told, _)| told.clone()).collect();
        let back: Vec<_> =
            told.iter().filter(|(_, back)| *back).map(|((fact, times), _)| (fact.clone(), -times)).collect();
        let all: Vec<_> = told.iter().map(|(told, _)| told.clone()).collect();
        // It may be taken back before it is told: two threads file it.
        let order = if first { [&back[..], &all] } else { [&all[..], &back] }.concat();
        prop_assert_eq!(cells(1_000, &order, 7), cells(1_000, &kept, 7));
        let nothing: Vec<_> = all.iter().map(|(fact, times)| (fact.clone(), -times)).collect();
        prop_assert!(cells(1_000, &[&all[..], &nothing].concat(), 5).is_empty());
    }
}
