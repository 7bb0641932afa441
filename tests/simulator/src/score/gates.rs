//! Runs that are held against a baseline: windows that are drawn, and windows of simulated systems.

use peakdrill_bottleneck::baseline::{Measured, Runs, Settings, Why, Window, judge, measure};
use peakdrill_drill_model::comparison::Quantity;
use peakdrill_latency::Sparse;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::scenario::{Kind, Scenario};
use crate::topology::Topology;
use crate::trace::ORIGIN_NS;

/// How a second's level follows the one before: neighbours are alike, and half of it is left after three seconds.
const FOLLOWS: f64 = 0.8;
/// Median of the latency, nanoseconds.
const MEDIAN_NS: f64 = 20e6;

/// A load on a made-up system: lognormal latencies on a level that wanders from second to second.
#[derive(Debug, Clone, Copy)]
pub struct Drawn {
    /// Requests a second.
    pub per_s: usize,
    /// Seconds.
    pub seconds: usize,
    /// Standard deviation of the latency's logarithm within a second.
    pub spread: f64,
    /// The same of the level of a second.
    pub wander: f64,
    /// The same of the level of a run: what differs from run to run of the same thing.
    pub apart: f64,
    /// Part of the requests that fail, in the mean; follows the level.
    pub errors: f64,
}

impl Default for Drawn {
    fn default() -> Self {
        Self { per_s: 50, seconds: 600, spread: 0.5, wander: 0.03, apart: 0.0, errors: 0.002 }
    }
}

impl Drawn {
    /// A run that is slower by a part.
    #[must_use]
    pub fn run(&self, seed: u64, slower: f64) -> Vec<Window> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut normal = move || {
            let (a, b) = (1.0 - rng.random::<f64>(), rng.random::<f64>());
            (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
        };
        let median_ns = MEDIAN_NS * (1.0 + slower) * (self.apart * normal()).exp();
        let step = self.wander * (1.0 - FOLLOWS * FOLLOWS).sqrt();
        let mut level = self.wander * normal();
        let mut chance = ChaCha8Rng::seed_from_u64(seed ^ 0x0E44);
        let mut window = || {
            level = FOLLOWS * level + step * normal();
            let mut latency = Sparse::default();
            (0..self.per_s)
                .for_each(|_| latency.add((median_ns * (level + self.spread * normal()).exp()) as u64, 1));
            let fails = self.errors * (level / self.wander.max(1e-9) - 0.5).exp();
            let errors = (0..self.per_s).filter(|_| chance.random::<f64>() < fails).count() as u64;
            Window::new(&latency, self.per_s as u64, errors)
        };
        (0..self.seconds).map(|_| window()).collect()
    }
}

/// Two runs of one simulated system without a bottleneck, under a load that is held; by journey.
#[must_use]
pub fn twice(topology: Topology, seed: u64, seconds: f64) -> Vec<[Vec<Window>; 2]> {
    let mut scenario = Scenario::new(topology, Kind::Control, seed);
    let peak = scenario.load.profile.iter().map(|(_, from, to)| from.max(*to)).fold(0.0, f64::max);
    scenario.load.profile = vec![(seconds, peak, peak)];
    let run = |again: u64| {
        let run = crate::run(&scenario.network, &scenario.load, seed ^ again);
        let mut steps = vec![vec![Window::default(); seconds as usize]; scenario.network.journeys.len()];
        for row in run.traces.iter().filter_map(|trace| trace.row.as_ref()) {
            let second = usize::try_from((row.intended_ns - ORIGIN_NS) / 1_000_000_000).ok();
            let windows = steps.get_mut(usize::from(row.step));
            let Some(window) = windows.zip(second).and_then(|(windows, second)| windows.get_mut(second))
            else {
                continue;
            };
            window.latency.add((row.done_ns - row.intended_ns).unsigned_abs(), 1);
            window.ended += 1;
            window.errors += u64::from(row.error.is_some());
        }
        let coarse =
            |window: &mut Window| *window = Window::new(&window.latency, window.ended, window.errors);
        steps.iter_mut().flatten().for_each(coarse);
        steps
    };
    run(0xA11).into_iter().zip(run(0xB22)).map(|(one, other)| [one, other]).collect()
}

/// All figures of a run beside its baselines that can be measured.
#[must_use]
pub fn measured(run: &[Window], baselines: &[&[Window]], seed: u64) -> Vec<Measured> {
    let settings = Settings { seed, ..Settings::default() };
    let found = measure(Runs { run, baselines }, &Quantity::ALL, &settings);
    found.into_iter().filter_map(|(_, found)| found.ok()).collect()
}

/// What follows of them with a tolerance.
#[must_use]
pub fn judged(measured: &[Measured], tolerance: f64) -> Vec<(Quantity, Why)> {
    let whys = judge(&measured.iter().collect::<Vec<_>>(), tolerance);
    measured.iter().map(|one| one.quantity).zip(whys).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_what_was_asked_for() {
        let drawn = Drawn::default();
        let all = |windows: &[Window]| {
            let mut all = Window::default();
            windows.iter().for_each(|window| all.add(window));
            all
        };
        let (one, slow) = (all(&drawn.run(1, 0.0)), all(&drawn.run(1, 0.5)));
        assert_eq!(one.ended, 30_000);
        assert!((0.001..0.004).contains(&(one.errors as f64 / 30_000.0)), "{}", one.errors);
        let median = one.latency.quantile(0.5).unwrap() as f64;
        assert!((median / MEDIAN_NS - 1.0).abs() < 0.02, "{median}");
        let ratio = slow.latency.quantile(0.99).unwrap() as f64 / one.latency.quantile(0.99).unwrap() as f64;
        assert!((ratio - 1.5).abs() < 0.01, "{ratio}");
        assert_eq!(drawn.run(1, 0.0), drawn.run(1, 0.0));
        assert_ne!(drawn.run(1, 0.0), drawn.run(2, 0.0));
    }

    #[test]
    fn a_simulated_system_runs_twice_and_not_the_same() {
        for [one, other] in twice(Topology::Chain, 3, 40.0) {
            assert_eq!((one.len(), other.len()), (40, 40));
            assert_ne!(one, other);
            assert!(one.iter().all(|window| window.errors <= window.ended));
        }
    }

    #[test]
    fn what_is_half_as_slow_again_is_called_so_and_what_is_the_same_is_not() {
        let drawn = Drawn { seconds: 120, ..Drawn::default() };
        let baseline = drawn.run(1, 0.0);
        let p50 = |slower: f64| judged(&measured(&drawn.run(3, slower), &[&baseline], 1), 0.05)[0];
        assert_eq!(p50(0.5), (Quantity::P50, Why::Worse));
        assert_ne!(p50(0.0).1, Why::Worse);
    }
}
