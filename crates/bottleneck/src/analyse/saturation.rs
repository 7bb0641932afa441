//! Capacity of a node that was full: what it got done while work stood before it.

use crate::analyse::resample::{Resample, interval};
use crate::analyse::series::{NodeSeries, Series, mean};
use crate::analyse::windows::Windows;

/// Operations take at least this many times as long as at light load.
const SLOWER: f64 = 2.0;
/// At least so many operations wait on average.
const WAITING: f64 = 2.0;
/// Own times below this are not told from the clock's and the scheduler's noise.
const NOISE_NS: f64 = 200_000.0;
/// Shorter runs of full seconds do not count, in seconds.
const RUN_S: usize = 3;
/// From this length on, the first and the last second of a run are left out: they may be partly full.
const TRIM_FROM_S: usize = 5;
/// The node was asked for more than it did by at least this factor, at the peak.
const DEMAND: f64 = 1.05;
/// Or operations took so many times as long, with [`MANY_WAITING`]: a closed loop never asks for more.
const MUCH_SLOWER: f64 = 4.0;
/// See [`MUCH_SLOWER`].
const MANY_WAITING: f64 = 8.0;
/// No interval is narrower than this part to either side: seconds are counted in whole operations.
const RESOLUTION: f64 = 0.03;
/// So many full seconds before anything was cut off are enough to count on them alone.
const UNDISTURBED_S: usize = 4;
/// Of the normal distribution, for 95 %.
const Z95: f64 = 1.96;

/// A node that was full for some seconds.
pub(crate) struct Saturation {
    /// The full seconds that are counted.
    pub(crate) seconds: Vec<usize>,
    /// Operations a second that it got done.
    pub(crate) done: f64,
    /// Operations a second that the load asked of it, over the same seconds.
    pub(crate) asked: f64,
    /// Journeys a second: estimate, and 95 % interval. `None` where visits are not known.
    pub(crate) capacity: Option<(f64, f64, f64)>,
}

/// The seconds in which work stood before the node: `(own time against light load, waiting)` above the floors.
fn full_seconds(node: &NodeSeries, light: &[usize]) -> Vec<usize> {
    let Some(calm_ns) = node.mean_own_ns(light) else { return Vec::new() };
    let calm_s = calm_ns.max(NOISE_NS) / 1e9;
    let full = |s: &usize| {
        let (there, in_work) = (node.at_node[*s], node.done[*s] * calm_s);
        there - in_work >= WAITING && there >= SLOWER * in_work
    };
    (0..node.done.len()).filter(full).collect()
}

/// Contiguous runs, long enough, without their possibly half-full ends.
fn interiors(seconds: &[usize]) -> Vec<Vec<usize>> {
    let mut runs: Vec<Vec<usize>> = Vec::new();
    for s in seconds {
        match runs.last_mut() {
            Some(run) if run.last().is_some_and(|last| last + 1 == *s) => run.push(*s),
            _ => runs.push(vec![*s]),
        }
    }
    runs.retain(|run| run.len() >= RUN_S);
    for run in runs.iter_mut().filter(|run| run.len() >= TRIM_FROM_S) {
        run.pop();
        run.remove(0);
    }
    runs
}

/// Finds out whether a node was full, and what it can carry.
pub(crate) fn saturation(
    node: &NodeSeries,
    series: &Series,
    windows: &Windows,
    resamples: u32,
    mut draws: Resample,
) -> Option<Saturation> {
    let mut seconds: Vec<usize> =
        interiors(&full_seconds(node, &windows.light)).into_iter().flatten().collect();
    // Work that was cut off took part of the node all the same, nobody knows how much.
    let undisturbed: Vec<usize> = seconds.iter().copied().filter(|s| node.abandoned[*s] == 0.0).collect();
    if undisturbed.len() >= UNDISTURBED_S {
        seconds = undisturbed;
    }
    if seconds.is_empty() {
        return None;
    }
    let done = mean(&node.done, &seconds);
    let at_top: Vec<usize> = seconds.iter().copied().filter(|s| windows.top.contains(s)).collect();
    let asked_over = if at_top.is_empty() { &seconds } else { &at_top };
    let asked = mean(&series.offered, asked_over) * node.visits;
    let in_work = done * node.mean_own_ns(&windows.light)?.max(NOISE_NS) / 1e9;
    let there = mean(&node.at_node, &seconds);
    let swamped = there >= MUCH_SLOWER * in_work && there - in_work >= MANY_WAITING;
    if asked < DEMAND * done && !swamped {
        return None;
    }
    let capacity = (node.visits > 0.0 && done > 0.0).then(|| {
        let estimate = done / node.visits;
        let drawn = (0..resamples).map(|_| {
            let picked: Vec<usize> = draws.draw(seconds.len()).into_iter().map(|i| seconds[i]).collect();
            mean(&node.done, &picked)
        });
        let (low, high) = interval(drawn.collect()).unwrap_or((done, done));
        // Two sources that have nothing to do with each other: throughput, and visits a journey.
        let mix = Z95 * node.visits_error / node.visits;
        let half = |part: f64| (part.max(0.0).powi(2) + mix * mix).sqrt().max(RESOLUTION);
        let (below, above) = (half(1.0 - low / done), half(high / done - 1.0));
        (estimate, estimate * (1.0 - below), estimate * (1.0 + above))
    });
    Some(Saturation { seconds, done, asked, capacity })
}
