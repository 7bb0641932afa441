use proptest::prelude::*;

use super::*;

/// Of each second, how much of it lies in an interval.
fn overlap(second: i64, start: i64, end: i64) -> i64 {
    (end.min((second + 1) * NS_PER_S) - start.max(second * NS_PER_S)).max(0)
}

proptest! {
    #[test]
    fn waits_are_cut_at_the_bounds_of_seconds(
        waits in prop::collection::vec((-5 * NS_PER_S..9 * NS_PER_S, -1..7 * NS_PER_S, -2..3_i64), 0..12),
        whole in any::<bool>(),
    ) {
        let mut sums = Waits::default();
        let mut expected = [0; 24];
        for (start, length, times) in waits {
            let start = if whole { start.div_euclid(NS_PER_S) * NS_PER_S } else { start };
            sums.add(start, start + length, times);
            for (sum, second) in expected.iter_mut().zip(-6..) {
                *sum += overlap(second, start, start + length) * times;
            }
        }
        let mut found = [0; 24];
        sums.each(|second, ns| found[(second + 6) as usize] += ns);
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn a_wait_of_years_is_cut() {
    let mut sums = Waits::default();
    sums.add(0, i64::MAX, 1);
    let mut seconds = 0;
    sums.each(|_, ns| seconds += i64::from(ns == NS_PER_S));
    assert_eq!(seconds * NS_PER_S, BUSY_LIMIT_NS);
}

#[test]
fn very_many_long_waits_are_no_more_than_the_seconds_they_are_in() {
    let node = NodeKey { name: "orders".into(), kind: peakdrill_drill_model::verdict::NodeKind::Queue };
    let mut change = Change::default();
    for at in 0..20_000_i64 {
        let sent = at * NS_PER_S / 1_000;
        let start = sent + 600 * NS_PER_S;
        let second = start / NS_PER_S;
        let taken = Taken {
            messages: 1,
            node: node.clone(),
            partition: None,
            second,
            start,
            own_ns: 1,
            flows: Vec::new(),
            visits: Vec::new(),
        };
        let sent = Sent { at: sent, to: node.clone(), request: None, counts: true };
        change.add(Some(&sent), &(Arc::new(taken), 0), 1);
    }
    assert!(change.waits.values().map(|waits| waits.by_second.len()).sum::<usize>() <= 41);
    let found = change.finish();
    assert_eq!(found.nodes.len(), 620);
    assert_eq!(found.nodes.iter().map(|(_, _, cell)| cell.own_ns).sum::<i64>(), 20_000 * 600 * NS_PER_S);
}
