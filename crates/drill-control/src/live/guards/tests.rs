use peakdrill_drill_model::condition::{Limit, Measured, Op, Selectors};
use proptest::prelude::*;

use super::*;

struct Fixed(Option<f64>);

impl Stats for Fixed {
    fn measure(&self, _: Stat, _: &Selectors) -> Option<Measured> {
        self.0.map(|value| Measured { value, samples: 1 })
    }

    fn target_rate(&self) -> Option<f64> {
        None
    }
}

fn guard(for_ns: u64) -> Condition {
    Condition {
        text: "p99 > 1s for 1s".into(),
        stat: Stat::Latency(0.99),
        select: Selectors::default(),
        op: Op::Gt,
        limit: Limit::Value(1e9),
        for_ns,
    }
}

fn fires(found: &[Found]) -> bool {
    found.iter().any(|one| matches!(one, Found::Fired { .. }))
}

#[test]
fn fires_when_it_held_at_every_tick() {
    let mut guards = Guards::new(&[guard(1_000_000_000)]);
    for _ in 0..3 {
        assert!(!fires(&guards.tick(&Fixed(Some(2e9)), true)));
    }
    assert!(fires(&guards.tick(&Fixed(Some(2e9)), true)));
}

#[test]
fn one_good_tick_begins_again() {
    let mut guards = Guards::new(&[guard(1_000_000_000)]);
    for value in [2e9, 2e9, 2e9, 0.5e9, 2e9, 2e9, 2e9] {
        assert!(!fires(&guards.tick(&Fixed(Some(value)), true)));
    }
}

#[test]
fn ticks_without_data_neither_count_nor_begin_again() {
    let mut guards = Guards::new(&[guard(1_000_000_000)]);
    for value in [Some(2e9), None, None, None, None, Some(2e9), None, Some(2e9), None] {
        assert!(!fires(&guards.tick(&Fixed(value), true)));
    }
    assert!(fires(&guards.tick(&Fixed(Some(2e9)), true)));
}

#[test]
fn after_the_last_arrival_only_isolation_is_watched() {
    let of = |stat| Guards::new(&[Condition { stat, op: Op::Gt, limit: Limit::Value(0.5), ..guard(0) }]);
    for stat in [Stat::Latency(0.99), Stat::Service(0.5), Stat::ErrorRate, Stat::Rate, Stat::ScheduleMiss] {
        assert!(!fires(&of(stat).tick(&Fixed(Some(1.0)), false)), "{stat:?}");
        assert!(fires(&of(stat).tick(&Fixed(Some(1.0)), true)), "{stat:?}");
    }
    for stat in [Stat::Leaks, Stat::TagLost, Stat::AckMissing] {
        assert!(fires(&of(stat).tick(&Fixed(Some(1.0)), false)), "{stat:?}");
    }
}

#[test]
fn nearness_is_told_once() {
    let mut guards = Guards::new(&[guard(0)]);
    assert_eq!(guards.tick(&Fixed(Some(0.9e9)), true).len(), 1);
    assert_eq!(guards.tick(&Fixed(Some(0.95e9)), true).len(), 0);
    guards.tick(&Fixed(Some(0.1e9)), true);
    assert_eq!(guards.tick(&Fixed(Some(0.9e9)), true).len(), 1);
}

proptest! {
    #[test]
    fn never_fires_without_a_breach(values in prop::collection::vec(prop::option::of(0.0..1e9_f64), 0..50)) {
        let mut guards = Guards::new(&[guard(500_000_000)]);
        for value in values {
            prop_assert!(!fires(&guards.tick(&Fixed(value), true)));
        }
    }
}
