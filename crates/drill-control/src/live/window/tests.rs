use peakdrill_drill_model::plan::StepInfo;

use super::*;
use crate::testing::plan;

fn tick(ns: u64, n: u64) -> Tick {
    let mut tally = Tally { sent: n, completed: n, ..Tally::default() };
    tally.latency.record_n(ns, n);
    Tick { tallies: BTreeMap::from([(Some(0), tally)]), target_rate: Some(n as f64 * 4.0), span_ns: TICK_NS }
}

fn window() -> Window {
    let mut plan = plan();
    plan.steps = vec![StepInfo { journey: "j".into(), step: "s".into(), ..StepInfo::default() }];
    Window::new(&plan)
}

#[test]
fn only_the_trailing_second_counts() {
    let mut window = window();
    window.push(&tick(5_000_000_000, 100));
    for _ in 0..WINDOW_TICKS {
        window.push(&tick(1_000_000, 100));
    }
    let p99 = window.measure(Stat::Latency(0.99), &Selectors::default()).unwrap();
    assert!(p99.value < 1_100_000.0);
    assert_eq!(p99.samples, 400);
}

#[test]
fn what_waits_raises_latency_and_never_lowers_it() {
    let mut window = window();
    window.push(&tick(100_000_000, 100));
    let before = window.measure(Stat::Latency(0.99), &Selectors::default()).unwrap().value;
    let mut young = Sparse::default();
    young.add(1_000_000, 10_000);
    window.set_in_flight(10_000, BTreeMap::from([(0, young)]));
    assert!((window.measure(Stat::Latency(0.99), &Selectors::default()).unwrap().value - before).abs() < 1.0);
    let mut old = Sparse::default();
    old.add(900_000_000, 50);
    window.set_in_flight(50, BTreeMap::from([(0, old)]));
    assert!(window.measure(Stat::Latency(0.99), &Selectors::default()).unwrap().value >= 900_000_000.0);
}

#[test]
fn a_freeze_is_seen_although_nothing_completes() {
    let mut window = window();
    let mut old = Sparse::default();
    old.add(700_000_000, 700);
    for _ in 0..WINDOW_TICKS {
        window.push(&Tick::default());
    }
    window.set_in_flight(700, BTreeMap::from([(0, old)]));
    assert!(window.measure(Stat::Latency(0.99), &Selectors::default()).unwrap().value > 600_000_000.0);
    assert_eq!(window.measure(Stat::ErrorRate, &Selectors::default()), None);
}

#[test]
fn users_have_no_target_and_what_leads_to_them_neither() {
    let closed = || Tick { target_rate: None, ..tick(1_000_000, 100) };
    let mut window = window();
    assert_eq!(window.target_rate(), None);
    for _ in 0..WINDOW_TICKS {
        window.push(&tick(1_000_000, 100));
    }
    assert_eq!(window.target_rate(), Some(400.0));
    // A second of both is of neither: the rate counts what the users sent.
    for _ in 0..WINDOW_TICKS {
        window.push(&closed());
        assert_eq!(window.target_rate(), None);
    }
    for _ in 1..WINDOW_TICKS {
        window.push(&tick(1_000_000, 100));
        assert_eq!(window.target_rate(), None);
    }
    window.push(&tick(1_000_000, 100));
    assert_eq!(window.target_rate(), Some(400.0));
}
