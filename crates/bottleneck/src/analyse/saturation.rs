//! Capacity of a node that was full: what it got done while work stood before it.

use crate::analyse::common::Common;
use crate::analyse::series::{NodeSeries, Series, mean};
use crate::analyse::windows::Windows;
use crate::tails::{Z975, student_975};

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
/// No interval is narrower than this part to either side: what counts as full is never quite exact. Of simulated nodes,
/// those of 1 to 2 % cover the truth in 95 %, and those below 1 % would in three of four only.
const RESOLUTION: f64 = 0.01;
/// Seconds that are taken together for the interval: neighbours are alike.
const BATCH_S: usize = 2;
/// So many full seconds before anything was cut off are enough to count on them alone.
const UNDISTURBED_S: usize = 4;
/// Width of the mean that the most a node ever got done is read from, in seconds.
const BEST_OVER_S: usize = 5;
/// A node that got done more than this times as much at another time was not full ...
const BEST: f64 = 1.1;
/// ... when it is more than chance makes of it as well: the largest of some tens of means, in standard errors.
const BEST_BY_CHANCE: f64 = 3.5;
/// Fewer values than this say nothing of their own deviation.
const FEW_FOR_DEVIATION: usize = 5;

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
        there - in_work >= WAITING.max(node.taken_back[*s]) && there >= SLOWER * in_work
    };
    (0..node.done.len()).filter(|s| !common.disturbed(*s)).filter(full).collect()
}

/// Whether a node got much more done at another time, in operations a second: then work stood before it for
/// another reason than that it was full.
fn did_more(done: &[f64], full: &[f64]) -> bool {
    let width = BEST_OVER_S.min(done.len()).max(1);
    let (mean, deviation) = moments(full);
    let by_chance = mean + BEST_BY_CHANCE * deviation / (width as f64).sqrt();
    let limit = by_chance.max(BEST * mean);
    done.windows(width).any(|w| w.iter().sum::<f64>() / width as f64 > limit)
}

/// Mean, and standard deviation of a sample; that of counts that come by chance where there are few.
fn moments(sample: &[f64]) -> (f64, f64) {
    let n = sample.len() as f64;
    let mean = sample.iter().sum::<f64>() / n.max(1.0);
    if sample.len() < FEW_FOR_DEVIATION {
        return (mean, mean.max(0.0).sqrt());
    }
    let square: f64 = sample.iter().map(|x| (x - mean).powi(2)).sum();
    (mean, (square / (n - 1.0)).sqrt())
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
    // As far as spans were asked for; what is told is of all.
    let part = series.part;
    let done = mean(&node.done, &seconds);
    let counts: Vec<f64> = seconds.iter().map(|s| node.done[*s]).collect();
    if did_more(&node.done, &counts) {
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
        let estimate = done / part / visits.mean;
        // Two sources that have nothing to do with each other: throughput, and visits a journey.
        let mix = Z975 * visits.error / visits.mean;
        let off = throughput_part(&counts).hypot(mix).max(RESOLUTION);
        (estimate, estimate * (1.0 - off), estimate * (1.0 + off))
    });
    Some(Saturation { seconds, done: done / part, asked: asked / part, capacity })
}

/// Half the 95 % interval of the mean of counts a second, as a part of it: by means of batches, and Student's t,
/// since there are few of them.
fn throughput_part(counts: &[f64]) -> f64 {
    let batches: Vec<f64> =
        counts.chunks_exact(BATCH_S).map(|batch| batch.iter().sum::<f64>() / BATCH_S as f64).collect();
    let (mean, deviation, n) = if batches.len() < FEW_FOR_DEVIATION {
        let (mean, deviation) = moments(counts);
        (mean, deviation, counts.len())
    } else {
        let (mean, deviation) = moments(&batches);
        (mean, deviation, batches.len())
    };
    if mean > 0.0 { student_975((n - 1) as f64) * deviation / (n as f64).sqrt() / mean } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_did_more_at_another_time_was_not_full() {
        let mut done = vec![100.0; 20];
        let full = |rate: f64| vec![rate; 6];
        assert!(!did_more(&done, &full(95.0)));
        // One second of working off is no throughput.
        done[3] = 140.0;
        assert!(!did_more(&done, &full(100.0)));
        done[3..8].fill(120.0);
        assert!(did_more(&done, &full(100.0)));
        // What varies by as much from second to second says nothing.
        assert!(!did_more(&done, &[85.0, 115.0, 80.0, 120.0, 85.0, 115.0]));
        assert!(!did_more(&[], &full(1.0)));
    }
    #[test]
    fn few_batches_widen_the_interval() {
        let counts: Vec<f64> = (0..12).map(|i| if i / 2 % 2 == 0 { 95.0 } else { 105.0 }).collect();
        // Six batches, standard deviation 5.48.
        assert!((throughput_part(&counts) - 2.571 * 5.477 / 6.0_f64.sqrt() / 100.0).abs() < 1e-3);
        // Four seconds: the chance of counting alone.
        assert!((throughput_part(&[100.0; 4]) - student_975(3.0) * 10.0 / 2.0 / 100.0).abs() < 1e-9);
    }
}
