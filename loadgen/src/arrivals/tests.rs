use std::sync::Arc;

use peakdrill_drill_model::plan::{Arrivals, Load, Pacing, Phase};
use peakdrill_drill_model::search::Range;
use peakdrill_drill_model::shape::Shape;
use peakdrill_drill_model::timeline::{Change, Timeline};
use proptest::prelude::*;

use super::{Arrival, ChangeError, Schedule, Stream};

const S: u64 = 1_000_000_000;

fn load(seed: u64, arrivals: Arrivals, shapes: &[Shape]) -> Load {
    let phase = |shape: &Shape| Phase::measured("p", shape.clone(), arrivals);
    Load {
        arrivals,
        pacing: Pacing::Auto,
        seed,
        max_in_flight: 1,
        phases: shapes.iter().map(phase).collect(),
    }
}

fn schedule(load: &Load, limit_ns: Option<u64>) -> Arc<Schedule> {
    Arc::new(Schedule::new(load, Timeline::planned(load), limit_ns))
}

fn all(load: &Load) -> Vec<Arrival> {
    schedule(load, None).shard(0, 1).collect()
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

/// Gaps that are tested of each process.
const KS_GAPS: usize = 10_000;
/// Critical value of the one-sample test at 1 %, times the root of the number of samples.
const KS_CRITICAL: f64 = 1.6276;

/// Time rescaling: under the true rate the integral at the arrivals is a unit Poisson process, whose gaps are unit
/// exponentials. `integral` is that of the rate, written out anew here, from seconds.
fn assert_poisson(seed: u64, shape: &Shape, integral: impl Fn(f64) -> f64) {
    let got = all(&load(seed, Arrivals::Poisson, std::slice::from_ref(shape)));
    assert!(got.len() > KS_GAPS, "{} arrivals", got.len());
    let rescaled: Vec<f64> = got.iter().map(|arrival| integral(arrival.at_ns as f64 / 1e9)).collect();
    let gaps = std::iter::once(rescaled[0]).chain(rescaled.windows(2).map(|w| w[1] - w[0])).take(KS_GAPS);
    let mut uniform: Vec<f64> = gaps.map(|gap| 1.0 - (-gap).exp()).collect();
    uniform.sort_by(f64::total_cmp);
    let critical = KS_CRITICAL / (KS_GAPS as f64).sqrt();
    assert!(ks(&uniform) < critical, "gaps of seed {seed} under {shape:?}: {}", ks(&uniform));
    // Given their number, arrivals lie independently and uniformly over the whole integral.
    let whole = integral(shape.duration_ns() as f64 / 1e9);
    let spread: Vec<f64> = rescaled.iter().map(|v| v / whole).collect();
    let critical = KS_CRITICAL / (spread.len() as f64).sqrt();
    assert!(ks(&spread) < critical, "places of seed {seed} under {shape:?}: {}", ks(&spread));
    let off = (got.len() as f64 - whole).abs() / whole.sqrt();
    assert!(off < 3.0, "{} arrivals of seed {seed}, {whole} expected", got.len());
}

#[test]
fn poisson_arrivals_pass_the_kolmogorov_smirnov_test() {
    for seed in [1, 7, 42, 20_261_111] {
        let hold = Shape::Hold { rate: 1200.0, for_ns: 10 * S };
        assert_poisson(seed, &hold, |t| 1200.0 * t);
        let up = Shape::Ramp { from: 0.0, to: 2400.0, over_ns: 10 * S };
        assert_poisson(seed, &up, |t| 120.0 * t * t);
        let down = Shape::Ramp { from: 2400.0, to: 0.0, over_ns: 10 * S };
        assert_poisson(seed, &down, |t| 2400.0 * t - 120.0 * t * t);
    }
}

#[test]
fn the_test_of_poisson_arrivals_can_fail() {
    // Even arrivals are no Poisson process, and neither is one with a tenth of its arrivals doubled.
    let even = all(&load(1, Arrivals::Even, &[Shape::Hold { rate: 1200.0, for_ns: 10 * S }]));
    let gaps = even.windows(2).map(|w| (w[1].at_ns - w[0].at_ns) as f64 / 1e9 * 1200.0);
    let mut uniform: Vec<f64> = gaps.map(|gap| 1.0 - (-gap).exp()).collect();
    uniform.sort_by(f64::total_cmp);
    assert!(ks(&uniform) > 0.5);
    let poisson = all(&load(1, Arrivals::Poisson, &[Shape::Hold { rate: 1200.0, for_ns: 10 * S }]));
    let twice = poisson.iter().flat_map(|a| std::iter::repeat_n(a.at_ns, 1 + usize::from(a.index % 10 == 0)));
    let twice: Vec<u64> = twice.collect();
    let mut uniform: Vec<f64> =
        twice.windows(2).map(|w| 1.0 - (-((w[1] - w[0]) as f64 / 1e9 * 1320.0)).exp()).collect();
    uniform.sort_by(f64::total_cmp);
    assert!(ks(&uniform) > KS_CRITICAL / (uniform.len() as f64).sqrt());
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
    let users = schedule(&load, Some(2 * S)).user_phases();
    assert_eq!((users[0].users, users[0].start_ns, users[0].end_ns), (3, S, 2 * S));
    let limited: Vec<_> = schedule(&load, Some(S / 2)).shard(0, 1).collect();
    assert_eq!(limited.len(), 5);
}

/// A phase of any open shape, short enough for a property test.
fn any_shape() -> impl Strategy<Value = Shape> {
    let rate = || 0.0..300.0_f64;
    let time = || 1_000_000..S;
    prop_oneof![
        (rate(), time()).prop_map(|(rate, for_ns)| Shape::Hold { rate, for_ns }),
        (rate(), rate(), time()).prop_map(|(from, to, over_ns)| Shape::Ramp { from, to, over_ns }),
        (rate(), rate(), time(), time(), time()).prop_map(|(from, to, rise_ns, hold_ns, fall_ns)| {
            Shape::Spike { from, to, rise_ns, hold_ns, fall_ns }
        }),
        (rate(), 1.0..50.0_f64, 1_000_000..S / 8, 0.0..300.0_f64).prop_map(|(from, by, every_ns, up)| {
            Shape::Steps { from, by, every_ns, max: from + up.min(8.0 * by) }
        }),
        proptest::collection::vec((1_000_000..S / 4, rate()), 1..6).prop_map(|parts| {
            let mut at = 0;
            let mut points = vec![(0, 50.0)];
            points.extend(parts.into_iter().map(|(len, rate)| {
                at += len;
                (at, rate)
            }));
            Shape::Curve { points }
        }),
    ]
}

fn any_spacing() -> impl Strategy<Value = Arrivals> {
    prop_oneof![Just(Arrivals::Poisson), Just(Arrivals::Even)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_number_of_shards_sends_the_same(
        seed: u64,
        spacing in any_spacing(),
        shapes in proptest::collection::vec(any_shape(), 1..4),
    ) {
        let load = load(seed, spacing, &shapes);
        let schedule = schedule(&load, None);
        let one: Vec<Arrival> = schedule.shard(0, 1).collect();
        for shards in [2_usize, 7] {
            let mut merged: Vec<Arrival> = (0..shards).flat_map(|s| schedule.shard(s, shards)).collect();
            merged.sort_by_key(|arrival| arrival.index);
            prop_assert_eq!(&merged, &one);
        }
        prop_assert!(one.windows(2).all(|w| w[0].at_ns <= w[1].at_ns && w[0].index + 1 == w[1].index));
    }

    #[test]
    fn even_arrivals_keep_the_grid_of_any_shape(seed: u64, shape in any_shape()) {
        let got = all(&load(seed, Arrivals::Even, std::slice::from_ref(&shape)));
        let whole: f64 = shape.pieces().iter().map(|p| (p.from + p.to) / 2.0 * (p.len_ns as f64 / 1e9)).sum();
        prop_assert!((got.len() as f64 - whole).abs() <= 0.5 + 1e-6, "{} of {whole}", got.len());
        for (k, arrival) in got.iter().enumerate() {
            // Half a nanosecond of rounding, at the highest rate here.
            let off = integral(&shape, arrival.at_ns) - (k as f64 + 0.5);
            prop_assert!(off.abs() < 1e-6, "arrival {k} of {shape:?}: off by {off}");
        }
    }
}

/// Begins the arrivals of a stream as a shard does, hearing of each change when its clock shows `heard_ns`, in between
/// two arrivals. `None` when a change does not fit.
fn run(mut stream: Stream, changes: &[(u64, Change)]) -> Option<Vec<Arrival>> {
    let (mut begun, mut changes) = (Vec::new(), changes.iter().peekable());
    let mut pending = stream.next();
    loop {
        let at_ns = pending.map_or(u64::MAX, |arrival| arrival.at_ns);
        if let Some((_, change)) = changes.next_if(|(heard_ns, _)| *heard_ns <= at_ns) {
            stream.change(change).ok()?;
            pending = stream.next();
            continue;
        }
        let Some(arrival) = pending else { return Some(begun) };
        begun.push(arrival);
        pending = stream.next();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_change_is_the_same_on_any_number_of_shards_and_whenever_it_is_heard_of(
        seed: u64,
        spacing in any_spacing(),
        shapes in proptest::collection::vec(any_shape(), 2..5),
        cuts in proptest::collection::vec((0.01..0.99_f64, 0.0..1.0_f64), 1..3),
    ) {
        let load = load(seed, spacing, &shapes);
        let schedule = schedule(&load, None);
        let whole: Vec<Arrival> = schedule.shard(0, 1).collect();
        // Phase k ends at a share of its length; the one behind it is cut where it lies then.
        let mut line = Timeline::planned(&load);
        let mut changes = Vec::new();
        for (phase, (share, ahead)) in cuts.iter().enumerate() {
            let laid = &line.phases()[phase];
            let (start_ns, len_ns) = (laid.start_ns, laid.end_ns - laid.start_ns);
            let at_ns = start_ns + (len_ns as f64 * share) as u64;
            let change = Change::End { phase: phase as u16, at_ns };
            line.apply(&change).unwrap();
            // Heard of anywhere within the phase, before its instant.
            changes.push((start_ns + ((at_ns - start_ns) as f64 * ahead) as u64, change));
        }
        let one = run(schedule.shard(0, 1), &changes);
        prop_assume!(one.is_some());
        let one = one.unwrap();
        for shards in [2_usize, 7] {
            for early in [1.0, 0.5, 0.0] {
                let heard = |(at, change): &(u64, Change)| {
                    let start_ns = line.phases()[usize::from(change.phase())].start_ns;
                    (start_ns + ((*at - start_ns) as f64 * early) as u64, *change)
                };
                let changes: Vec<_> = changes.iter().map(heard).collect();
                let of = |s| run(schedule.shard(s, shards), &changes).unwrap_or_default();
                let mut merged: Vec<Arrival> = (0..shards).flat_map(of).collect();
                merged.sort_by_key(|arrival| arrival.index);
                prop_assert_eq!(&merged, &one);
            }
        }
        // Nothing lost or doubled at the cut: up to it the process is what it was, and behind it the next phase's own.
        prop_assert!(one.windows(2).all(|w| w[0].at_ns <= w[1].at_ns && w[0].index + 1 == w[1].index));
        let (first, second) = (line.phases()[0].end_ns, schedule.timeline.phases()[1].start_ns);
        let before = |all: &[Arrival]| -> Vec<u64> {
            all.iter().filter(|a| a.phase == 0 && a.at_ns < first).map(|a| a.at_ns).collect()
        };
        prop_assert_eq!(before(&one), before(&whole));
        prop_assert_eq!(one.iter().filter(|a| a.phase == 0).count(), before(&one).len());
        let of_second = |all: &[Arrival], from: u64, to: u64| -> Vec<u64> {
            all.iter().filter(|a| a.phase == 1).map(|a| a.at_ns - from).filter(|at| *at < to).collect()
        };
        let len = line.phases()[1].end_ns - first;
        prop_assert_eq!(of_second(&one, first, len), of_second(&whole, second, len));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn rates_of_a_search_are_the_same_on_any_number_of_shards(
        seed: u64,
        spacing in any_spacing(),
        rates in proptest::collection::vec((1.0..300.0_f64, S / 20..S), 1..6),
        ahead in 0.0..1.0_f64,
    ) {
        let range = Range { low: 100.0, high: 300.0, tolerance: 0.02 };
        let search = Shape::Search { range, settle_ns: 1, probe_ns: 1, within_ns: 10 * S };
        let load = load(seed, spacing, &[search, Shape::Hold { rate: 50.0, for_ns: S }]);
        let schedule = schedule(&load, None);
        let (mut at_ns, mut changes) = (S / 2, Vec::new());
        for (rate, len_ns) in &rates {
            let before_ns = (0.3 * S as f64 * ahead) as u64;
            changes.push((at_ns.saturating_sub(before_ns), Change::Rate { phase: 0, from_ns: at_ns, rate: *rate }));
            at_ns += len_ns;
        }
        changes.push((at_ns - 1, Change::End { phase: 0, at_ns }));
        let one = run(schedule.shard(0, 1), &changes).unwrap();
        for shards in [2_usize, 7] {
            let of = |s| run(schedule.shard(s, shards), &changes).unwrap();
            let mut merged: Vec<Arrival> = (0..shards).flat_map(of).collect();
            merged.sort_by_key(|arrival| arrival.index);
            prop_assert_eq!(&merged, &one);
        }
        let mut whole = 50.0;
        rates.iter().for_each(|(rate, len_ns)| whole += rate * *len_ns as f64 / 1e9);
        let searched = one.iter().filter(|arrival| arrival.phase == 0).count() as f64;
        if spacing == Arrivals::Even {
            prop_assert!((searched - whole).abs() <= 0.5 + 1e-6, "{searched} of {whole}");
        }
    }
}

#[test]
fn a_change_that_comes_too_late_is_told() {
    let load = load(1, Arrivals::Even, &[Shape::Hold { rate: 10.0, for_ns: S }]);
    let mut stream = schedule(&load, None).shard(0, 1);
    let begun: Vec<u64> = stream.by_ref().take(4).map(|arrival| arrival.at_ns).collect();
    // Three were begun, the fourth is only looked up.
    let late = stream.change(&Change::End { phase: 0, at_ns: begun[2] });
    assert_eq!(late, Err(ChangeError::Late { at_ns: begun[2], begun_ns: begun[2] }));
    assert_eq!(stream.change(&Change::End { phase: 0, at_ns: begun[2] + 1 }), Ok(()));
    assert_eq!(stream.next(), None);
    assert!(matches!(stream.change(&Change::End { phase: 0, at_ns: S }), Err(ChangeError::Unfit(_))));
}

/// The integral of a shape's rate up to a time, piece by piece.
fn integral(shape: &Shape, mut at_ns: u64) -> f64 {
    let mut sum = 0.0;
    for piece in shape.pieces() {
        let len = at_ns.min(piece.len_ns);
        let end = piece.from + (piece.to - piece.from) * (len as f64 / piece.len_ns as f64);
        sum += (piece.from + end) / 2.0 * (len as f64 / 1e9);
        at_ns -= len;
    }
    sum
}
