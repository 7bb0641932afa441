use proptest::prelude::*;

use super::*;
use crate::bounds::NameLimits;
use crate::cells::Cells;

const S: i64 = 1_000_000_000;

fn queue(of: u8) -> NodeKey {
    NodeKey { name: format!("queue-{of}").into(), kind: peakdrill_drill_model::verdict::NodeKind::Queue }
}

fn any_told() -> impl Strategy<Value = (MessageId, Told, i64)> {
    let sent =
        (0..3_u8, 0..4 * S, prop::option::of(0..3_u16), any::<bool>()).prop_map(|(to, at, step, counts)| {
            let request = step.map(|step| (Entry::Step(step), i64::from(step)));
            Told::Sent(Arc::new(Sent { at, to: queue(to), request, counts }))
        });
    let taken =
        (1..4_u32, 0..3_u8, 0..6 * S, 0..S, 0..9_i64).prop_map(|(messages, node, start, own_ns, some)| {
            Told::Taken(
                Arc::new(Taken {
                    messages,
                    node: queue(node),
                    partition: (node == 1).then_some(4),
                    second: start / S,
                    start,
                    own_ns,
                    flows: vec![(queue(node), some * 7), (queue(9), some)],
                    visits: vec![(queue(node), i64::from(messages)), (queue(9), some)],
                }),
                messages - 1,
            )
        });
    let id = (0..3_u128, 0..20_u64).prop_map(|(trace, span)| MessageId { trace, span });
    (id, prop_oneof![sent, taken], prop_oneof![4 => Just(1_i64), 1 => Just(2)])
}

fn limits(messages: usize) -> NameLimits {
    NameLimits { messages, ..NameLimits::default() }
}

fn cells(messages: usize, told: &[(MessageId, Told, i64)], batch: usize) -> Cells {
    let mut cells = Cells::with_names(limits(messages));
    told.chunks(batch.max(1)).for_each(|part| cells.hand(part));
    cells
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
    let told: Vec<_> = (0..20_000_u64)
        .flat_map(|span| {
            let id = MessageId { trace: 5, span };
            let sent = Sent { at: S, to: queue(1), request: Some((Entry::Step(1), 1)), counts: true };
            let taken = Taken {
                messages: 1,
                node: queue(1),
                partition: None,
                second: 2,
                start: 2 * S,
                own_ns: 1,
                flows: Vec::new(),
                visits: vec![(queue(9), 1)],
            };
            [(id, Told::Sent(Arc::new(sent)), 1), (id, Told::Taken(Arc::new(taken), 0), 1)]
        })
        .collect();
    let found = cells(2_000, &told, 333);
    assert_eq!(found.messages_stand_for(), 16);
    assert!(found.handed.messages.len() <= 2_000);
    let near = |all: i64| (18_000..22_000).contains(&all);
    let nodes: Vec<_> = found.nodes.values().flat_map(|seconds| seconds.values()).collect();
    assert!(near(nodes.iter().map(|cell| cell.queued.count()).sum()));
    assert!(near(nodes.iter().map(|cell| cell.own_ns).sum::<i64>() / S));
    assert!(near(found.visits.values().map(|cell| cell.ops).sum()));
    assert!(near(found.links.values().map(|cell| cell.known).sum()));
}

proptest! {
    #[test]
    fn order_batches_and_parts_do_not_matter(
        (told, shuffled) in prop::collection::vec(any_told(), 0..80)
            .prop_flat_map(|told| (Just(told.clone()), Just(told).prop_shuffle())),
        batch in 1..9_usize,
        parts in 1..4_usize,
        // Room for all, for some, and for hardly any.
        room in prop::sample::select(vec![1_000_usize, 12, 3, 0]),
    ) {
        let expected = cells(room, &told, told.len());
        prop_assert_eq!(&cells(room, &shuffled, batch), &expected);
        let mut sum = Cells::with_names(limits(room));
        for part in 0..parts {
            let some: Vec<_> = shuffled.iter().skip(part).step_by(parts).cloned().collect();
            sum.merge(&cells(room, &some, batch));
        }
        prop_assert_eq!(&sum, &expected);
        prop_assert!(sum.handed.messages.len() <= room);
    }

    #[test]
    fn what_is_taken_back_leaves_nothing(
        told in prop::collection::vec((any_told(), any::<bool>()), 0..40),
        first in any::<bool>(),
    ) {
        let kept: Vec<_> = told.iter().filter(|(_, back)| !back).map(|(told, _)| told.clone()).collect();
        let back: Vec<_> =
            told.iter().filter(|(_, back)| *back).map(|((id, told, times), _)| (*id, told.clone(), -times)).collect();
        let all: Vec<_> = told.iter().map(|(told, _)| told.clone()).collect();
        // It may be taken back before it is told: two threads file it.
        let order = if first { [&back[..], &all] } else { [&all[..], &back] }.concat();
        prop_assert_eq!(cells(1_000, &order, 7), cells(1_000, &kept, 7));
        let nothing: Vec<_> = all.iter().map(|(id, told, times)| (*id, told.clone(), -times)).collect();
        prop_assert!(cells(1_000, &[&all[..], &nothing].concat(), 5).is_empty());
    }
}
