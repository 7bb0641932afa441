use std::sync::Arc;

use peakdrill_drill_model::plan::{Arrivals, Load, Pacing, Phase};
use peakdrill_drill_model::shape::Shape;
use proptest::prelude::*;

use super::{Arrival, Schedule};

const S: u64 = 1_000_000_000;

fn load(seed: u64, arrivals: Arrivals, shapes: &[Shape]) -> Load {
    let phase =
        |shape: &Shape| Phase { name: "p".into(), shape: shape.clone(), arrivals, measure: true, mix: None };
    Load {
        arrivals,
        pacing: Pacing::Auto,
        seed,
        max_in_flight: 1,
        phases: shapes.iter().map(phase).collect(),
    }
}

fn all(load: &Load) -> Vec<Arrival> {
    Arc::new(Schedule::new(load, None)).shard(0, 1).collect()
}

#[test]
fn even_arrivals_stand_on_a_grid() {
    let got = all(&load(1, Arrivals::Even, &[Shape::Hold { rate: 1000.0, for_ns: 2 * S }]));
    assert_eq!(got.len(), 2000);
    for (k, arrival) in got.iter().enumerate() {
        assert_eq!(arrival.at_ns, k as u64 * 1_000_000 + 500_000);
        assert_eq!(arrival.index, k as u64);
    }
}

#[test]
fn an_even_ramp_follows_its_integral() {
    let shape = Shape::Ramp { from: 0.0, to: 100.0, over_ns: 10 * S };
    let got = all(&load(1, Arrivals::Even, std::slice::from_ref(&shape)));
    assert_eq!(got.len(), 500);
    for (k, arrival) in got.iter().enumerate() {
        let t = arrival.at_ns as f64 / 1e9;
        assert!((5.0 * t * t - (k as f64 + 0.5)).abs() < 1e-4, "arrival {k} at {t}");
    }
    let down = all(&load(1, Arrivals::Even, &[Shape::Ramp { from: 100.0, to: 0.0, over_ns: 10 * S }]));
    assert_eq!(down.len(), 500);
    for (up, down) in got.iter().zip(down.iter().rev()) {
        assert!((up.at_ns + down.at_ns).abs_diff(10 * S) < 1000, "a falling ramp is the rising one mirrored");
    }
}

/// Kolmogorov-Smirnov distance of ascending values in 0..1 from the uniform distribution.
fn ks(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let gap = |(k, v): (usize, &f64)| (v - k as f64 / n).abs().max(((k + 1) as f64 / n - v).abs());
    values.iter().enumerate().map(gap).fold(0.0, f64::max)
}

fn interarrival_ks(rescaled: &[f64]) -> f64 {
    let mut uniform: Vec<f64> = rescaled.windows(2).map(|w| 1.0 - (-(w[1] - w[0])).exp()).collect();
    uniform.sort_by(f64::total_cmp);
    ks(&uniform)
}

#[test]
fn poisson_gaps_are_exponential_under_every_shape() {
    let shapes = [
        (Shape::Hold { rate: 2000.0, for_ns: 10 * S }, 2000.0, 0.0),
        (Shape::Ramp { from: 0.0, to: 4000.0, over_ns: 10 * S }, 0.0, 400.0),
        (Shape::Ramp { from: 4000.0, to: 0.0, over_ns: 10 * S }, 4000.0, -400.0),
    ];
    for (shape, from, slope) in shapes {
        let got = all(&load(42, Arrivals::Poisson, std::slice::from_ref(&shape)));
        let n = got.len() as f64;
        assert!((n - 20_000.0).abs() < 4.0 * 20_000.0_f64.sqrt(), "{n} arrivals");
        let integral = |a: &Arrival| {
            let t = a.at_ns as f64 / 1e9;
            from * t + slope / 2.0 * t * t
        };
        let rescaled: Vec<f64> = got.iter().map(integral).collect();
        // The critical value of the one-sample test at 0.1 %.
        assert!(interarrival_ks(&rescaled) < 1.95 / n.sqrt(), "{shape:?}");
        let spread: Vec<f64> = rescaled.iter().map(|v| v / 20_000.0).collect();
        assert!(ks(&spread) < 1.95 / n.sqrt() + 4.0 / n.sqrt(), "{shape:?}");
    }
}

#[test]
fn phases_follow_each_other_and_users_stand_apart() {
    let shapes = [
        Shape::Hold { rate: 10.0, for_ns: S },
        Shape::Users { count: 3, for_ns: 2 * S },
        Shape::Hold { rate: 10.0, for_ns: S },
    ];
    let load = load(1, Arrivals::Even, &shapes);
    let got = all(&load);
    assert_eq!(got.len(), 20);
    assert_eq!(got[10], Arrival { index: 10, phase: 2, at_ns: 3 * S + 50_000_000 });
    let users = Schedule::new(&load, Some(2 * S)).user_phases();
    assert_eq!((users[0].users, users[0].start_ns, users[0].end_ns), (3, S, 2 * S));
    let limited: Vec<_> = Arc::new(Schedule::new(&load, Some(S / 2))).shard(0, 1).collect();
    assert_eq!(limited.len(), 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_number_of_shards_sends_the_same(seed: u64, poisson: bool, a in 0.0..300.0_f64, b in 0.0..300.0_f64) {
        let kind = if poisson { Arrivals::Poisson } else { Arrivals::Even };
        let shapes = [Shape::Ramp { from: a, to: b, over_ns: S }, Shape::Hold { rate: b, for_ns: S }];
        let load = load(seed, kind, &shapes);
        let schedule = Arc::new(Schedule::new(&load, None));
        let one: Vec<Arrival> = schedule.shard(0, 1).collect();
        for shards in [2_usize, 7] {
            let mut merged: Vec<Arrival> = (0..shards).flat_map(|s| schedule.shard(s, shards)).collect();
            merged.sort_by_key(|arrival| arrival.index);
            prop_assert_eq!(&merged, &one);
        }
        prop_assert!(one.windows(2).all(|w| w[0].at_ns <= w[1].at_ns && w[0].index + 1 == w[1].index));
    }
}
