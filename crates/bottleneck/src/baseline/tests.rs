use peakdrill_drill_model::verdict::Judgement;
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::*;

/// Latencies of a run, by window: between a half and twice as long as `ns`, times a level that wanders from window to window.
fn latencies(seed: u64, windows: usize, each: usize, ns: f64) -> Vec<Vec<u64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut level = 0.0_f64;
    let mut window = || {
        level = 0.8 * level + 0.02 * (rng.random::<f64>() - 0.5);
        (0..each).map(|_| (ns * level.exp() * 2_f64.powf(2.0 * rng.random::<f64>() - 1.0)) as u64).collect()
    };
    (0..windows).map(|_| window()).collect()
}

fn windows(latencies: &[Vec<u64>], fails: impl Fn(u64) -> bool) -> Vec<Window> {
    let window = |samples: &Vec<u64>| {
        let mut latency = Sparse::default();
        samples.iter().for_each(|ns| latency.add(*ns, 1));
        let errors = samples.iter().filter(|ns| fails(**ns)).count() as u64;
        Window { latency, ended: samples.len() as u64, errors }
    };
    latencies.iter().map(window).collect()
}

fn run(seed: u64, ns: f64) -> Vec<Window> {
    windows(&latencies(seed, 60, 40, ns), |_| false)
}

const TOLERANCE: f64 = 0.05;

fn judged(run: &[Window], baselines: &[&[Window]], tolerance: f64) -> Vec<(Quantity, Why)> {
    let found = measure(Runs { run, baselines }, &Quantity::ALL, &quick());
    let measured: Vec<Measured> = found.into_iter().map(|(_, one)| one.unwrap()).collect();
    let whys = judge(&measured.iter().collect::<Vec<_>>(), tolerance);
    measured.iter().zip(whys).map(|(one, why)| (one.quantity, why)).collect()
}

fn quick() -> Settings {
    Settings { refits: 200, ..Settings::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_run_is_never_worse_than_itself(seed in any::<u64>(), tolerance in 0.0..0.2_f64) {
        let one = run(seed, 5e6);
        for (quantity, why) in judged(&one, &[&one], tolerance) {
            prop_assert_eq!(why.verdict(), Judgement::Pass, "{:?} {:?}", quantity, why);
        }
    }

    #[test]
    fn three_tenths_slower_fails_and_three_tenths_quicker_passes(seed in any::<u64>()) {
        let (one, slow, quick_run) = (run(seed, 5e6), run(seed ^ 1, 6.5e6), run(seed ^ 2, 3.5e6));
        let of = |run: &[Window], quantity| {
            let all = judged(run, &[&one], TOLERANCE);
            all.into_iter().find(|(q, _)| *q == quantity).unwrap().1
        };
        for quantity in [Quantity::P50, Quantity::P95, Quantity::P99] {
            prop_assert_eq!(of(&slow, quantity), Why::Worse);
            prop_assert_eq!(of(&quick_run, quantity), Why::Within);
        }
    }

    /// Buckets of doubled latencies are those of the latencies, one doubling higher.
    #[test]
    fn only_the_ratio_counts(seed in any::<u64>(), doublings in 1..8_u32) {
        let of = |factor: f64| {
            let (run, baseline) = (run(seed, 3e6 * factor), run(seed ^ 1, 2.8e6 * factor));
            measure(Runs { run: &run, baselines: &[&baseline] }, &Quantity::ALL, &quick())
        };
        for ((quantity, one), (_, other)) in of(1.0).into_iter().zip(of(f64::from(1 << doublings))) {
            let (one, other) = (one.unwrap(), other.unwrap());
            let (a, b) = (one.change(), other.change());
            for (a, b) in [(a.estimate, b.estimate), (a.low, b.low), (a.high, b.high), (Some(one.p(TOLERANCE)), Some(other.p(TOLERANCE)))] {
                let (a, b) = (a.unwrap(), b.unwrap());
                prop_assert!((a - b).abs() < 2e-3, "{:?}: {} {}", quantity, a, b);
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same(seed in any::<u64>(), draws in any::<u64>()) {
        let (one, other) = (run(seed, 5e6), run(seed ^ 1, 5e6));
        let of = |draws: u64| {
            let settings = Settings { seed: draws, ..quick() };
            measure(Runs { run: &one, baselines: &[&other] }, &Quantity::ALL, &settings)
        };
        prop_assert_eq!(of(draws), of(draws));
        prop_assert_ne!(of(draws), of(draws ^ 1));
    }
}

#[test]
fn lost_throughput_and_more_errors_fail() {
    let rows = latencies(7, 120, 50, 5e6);
    let calm = windows(&rows, |_| false);
    let fewer: Vec<Vec<u64>> = rows.iter().map(|row| row[..40].to_vec()).collect();
    let of = |run: &[Window], quantity| {
        let all = judged(run, &[&calm], TOLERANCE);
        all.into_iter().find(|(q, _)| *q == quantity).unwrap().1
    };
    assert_eq!(of(&windows(&fewer, |_| false), Quantity::Throughput), Why::Worse);
    assert_eq!(of(&calm, Quantity::Throughput), Why::Within);
    let failing = windows(&latencies(8, 120, 50, 5e6), |ns| ns % 50 == 0);
    assert_eq!(of(&failing, Quantity::Errors), Why::Worse);
    assert_eq!(of(&calm, Quantity::Errors), Why::Within);
    let measured = measure(Runs { run: &failing, baselines: &[&calm] }, &[Quantity::Errors], &quick());
    let change = measured[0].1.as_ref().unwrap().change();
    assert!((0.01..0.03).contains(&change.estimate.unwrap()), "{change:?}");
}

#[test]
fn too_little_is_told_with_what_it_takes() {
    let settings = quick();
    let of = |windows: usize, each: usize, quantity| {
        let one = self::windows(&latencies(1, windows, each, 5e6), |_| false);
        measure(Runs { run: &one, baselines: &[&one] }, &[quantity], &settings).remove(0).1
    };
    assert_eq!(of(WINDOWS_MIN - 1, 40, Quantity::P50), Err(Lack::Windows(WINDOWS_MIN - 1)));
    assert_eq!(of(40, 24, Quantity::P99), Err(Lack::Samples { had: 960, wanted: 1_000 }));
    assert!(of(40, 25, Quantity::P99).is_ok());
    assert_eq!(of(40, 0, Quantity::Errors), Err(Lack::Samples { had: 0, wanted: 20 }));
    let one = run(1, 5e6);
    let nothing = measure(Runs { run: &one, baselines: &[] }, &[Quantity::P50], &settings);
    assert_eq!(nothing[0].1, Err(Lack::Windows(0)));
}

/// No requests of nothing are no errors: of few it is not known how many of a thousand would have failed.
#[test]
fn what_was_not_seen_is_not_never() {
    let high = |each: usize| {
        let one = windows(&latencies(1, 40, each, 5e6), |_| false);
        let found = measure(Runs { run: &one, baselines: &[&one] }, &[Quantity::Errors], &quick());
        found[0].1.as_ref().unwrap().change().high.unwrap()
    };
    assert!((high(20) - 3.69 / 800.0).abs() < 1e-5 && (high(500) - 3.69 / 20_000.0).abs() < 1e-6);
}

/// No errors of few requests are left out; errors of as few are not.
#[test]
fn a_rare_step_is_judged_by_the_errors_that_it_has() {
    let rows = latencies(1, 40, 5, 5e6);
    let of = |fails: fn(u64) -> bool| {
        let (calm, run) = (windows(&rows, |_| false), windows(&rows, fails));
        measure(Runs { run: &run, baselines: &[&calm] }, &[Quantity::Errors], &quick()).remove(0).1
    };
    assert_eq!(of(|_| false), Err(Lack::Samples { had: 200, wanted: 738 }));
    let half = of(|ns| ns % 2 == 0).unwrap();
    assert_eq!(judge(&[&half], TOLERANCE), [Why::Worse]);
}

#[test]
fn nothing_that_comes_through_is_worse_throughput() {
    let calm = run(1, 5e6);
    let failing = windows(&latencies(2, 60, 40, 5e6), |_| true);
    let silent = vec![Window::default(); 60];
    for lost in [&failing, &silent] {
        let of = |run: &[Window], baseline: &[Window]| {
            let found = measure(Runs { run, baselines: &[baseline] }, &[Quantity::Throughput], &quick());
            let one = found.into_iter().next().unwrap().1.unwrap();
            (judge(&[&one], TOLERANCE), one.change().estimate.unwrap())
        };
        let (why, change) = of(lost, &calm);
        assert_eq!(why, [Why::Worse]);
        assert!((-1.0..-0.999).contains(&change), "{change}");
        assert_eq!(of(&failing, &failing), (vec![Why::Within], 0.0));
    }
}

/// Baselines that differ from each other by a fifth say that a fifth is nothing.
#[test]
fn what_differs_from_run_to_run_is_no_change() {
    let [low, middle, high, next] = [4.5e6, 5e6, 5.5e6, 6e6].map(|ns| run(ns as u64, ns));
    let why = |baselines: &[&[Window]]| judged(&next, baselines, TOLERANCE)[0];
    assert_eq!(why(&[&middle]), (Quantity::P50, Why::Worse));
    assert_ne!(why(&[&low, &middle, &high]).1.verdict(), Judgement::Fail);
    // Three that hardly differ leave a fifth a fifth.
    let [one, other] = [11, 12].map(|seed| run(seed, 5e6));
    assert_eq!(why(&[&one, &middle, &other]), (Quantity::P50, Why::Worse));
}

/// By hand: means that are 1 % apart have a standard deviation of 1 %, and two degrees of freedom; another run is off by
/// 4.303 × 1 % × √(4/3).
#[test]
fn three_baselines_know_as_much_as_three_can() {
    let flat = |ns: u64| -> Vec<Window> { windows(&vec![vec![ns; 40]; 60], |_| false) };
    let base = [9_900_000, 10_000_000, 10_100_000].map(flat);
    let base: Vec<&[Window]> = base.iter().map(Vec::as_slice).collect();
    let of = |baselines: &[&[Window]]| {
        let found = measure(Runs { run: &flat(10_000_000), baselines }, &[Quantity::P50], &quick());
        let change = found[0].1.as_ref().unwrap().change();
        (change.low.unwrap(), change.high.unwrap())
    };
    let (low, high) = of(&base);
    assert!((high - 0.0510).abs() < 0.005 && (low + 0.0485).abs() < 0.005, "{low} {high}");
    // Of two it is not known.
    let (low, high) = of(&base[1..]);
    assert!(high - low < 0.02, "{low} {high}");
}
