//! Capacity of a node that was full: what it got done while work stood before it.

use crate::analyse::common::Common;
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
/// Width of the mean that the most a node ever got done is read from, in seconds.
const BEST_OVER_S: usize = 5;
/// A node that got done more than this times as much at another time was not full.
const BEST: f64 = 1.1;
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
/// What all nodes are slower by is work, not waiting.
fn full_seconds(node: &NodeSeries, light: &[usize], common: &Common) -> Vec<usize> {
    let Some(calm_ns) = node.mean_own_ns(light) else { return Vec::new() };
    let full = |s: &usize| {
        let calm_s = (calm_ns + common.slower_at(*s)).max(NOISE_NS) / 1e9;
        let (there, in_work) = (node.at_node[*s], node.done[*s] * calm_s);
        there - in_work >= WAITING && there >= SLOWER * in_work
    };
    (0..node.done.len()).filter(|s| !common.disturbed(*s)).filter(full).collect()
}

/// Whether a node got much more done at another time, in operations a second: then work stood before it for
/// another reason than that it was full.
fn did_more(done: &[f64], while_full: f64) -> bool {
    let width = BEST_OVER_S.min(done.len()).max(1);
    done.windows(width).any(|w| w.iter().sum::<f64>() / width as f64 > BEST * while_full)
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
    common: &Common,
    resamples: u32,
    mut draws: Resample,
) -> Option<Saturation> {
    let full = full_seconds(node, &windows.light, common);
    let mut seconds: Vec<usize> = interiors(&full).into_iter().flatten().collect();
    // Work that was cut off took part of the node all the same, nobody knows how much.
    let undisturbed: Vec<usize> = seconds.iter().copied().filter(|s| node.abandoned[*s] == 0.0).collect();
    if undisturbed.len() >= UNDISTURBED_S {
        seconds = undisturbed;
    }
    if seconds.is_empty() {
        return None;
    }
    let done = mean(&node.done, &seconds);
    if did_more(&node.done, done) {
        return None;
    }
    let at_top: Vec<usize> = seconds.iter().copied().filter(|s| windows.top.contains(s)).collect();
    let asked_over = if at_top.is_empty() { &seconds } else { &at_top };
    let asked = series.asked(node, asked_over);
    let calm_ns = (node.mean_own_ns(&windows.light)? + common.slower_ns).max(NOISE_NS);
    let in_work = done * calm_ns / 1e9;
    let there = mean(&node.at_node, &seconds);
    let swamped = there >= MUCH_SLOWER * in_work && there - in_work >= MANY_WAITING;
    if asked < DEMAND * done && !swamped {
        return None;
    }
    // After the peak the mix is not that of the work that is left over from it.
    let mix_over = if windows.top.is_empty() { &seconds } else { &windows.top };
    let visits = series.visits(node, mix_over);
    let capacity = (visits.mean > 0.0 && done > 0.0).then(|| {
        let estimate = done / visits.mean;
        let drawn = (0..resamples).map(|_| {
            let picked: Vec<usize> = draws.draw(seconds.len()).into_iter().map(|i| seconds[i]).collect();
            mean(&node.done, &picked)
        });
        let (low, high) = interval(drawn.collect()).unwrap_or((done, done));
        // Two sources that have nothing to do with each other: throughput, and visits a journey.
        let mix = Z95 * visits.error / visits.mean;
        let half = |part: f64| (part.max(0.0).powi(2) + mix * mix).sqrt().max(RESOLUTION);
        let (below, above) = (half(1.0 - low / done), half(high / done - 1.0));
        (estimate, estimate * (1.0 - below), estimate * (1.0 + above))
    });
    Some(Saturation { seconds, done, asked, capacity })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_did_more_at_another_time_was_not_full() {
        let mut done = vec![100.0; 20];
        assert!(!did_more(&done, 95.0));
        // One second of working off is no throughput.
        done[3] = 140.0;
        assert!(!did_more(&done, 100.0));
        done[3..8].fill(120.0);
        assert!(did_more(&done, 100.0));
        assert!(!did_more(&[], 1.0));
    }
}
