//! What all nodes have in common: time in which the machine, and no single node, was slow.
//!
//! A node that is full makes its callers wait, but their own time stays as it was: calls are no part of it. When
//! the own time of most nodes grows at once, they share the cause: processors, disk or network. Where that
//! happened in some seconds only, those are left out and the rest is judged; else only what a node grew by
//! beyond the others counts as its own.

use crate::analyse::series::{NodeSeries, Series, mean};
use crate::analyse::windows::{FEW_SECONDS, Windows};

/// All became slower from this on, nanoseconds a call.
const SLOWER_NS: f64 = 5_000_000.0;
/// Of fewer nodes than this, what they have in common is not told from what one of them does.
const FEW_NODES: usize = 4;
/// Fewer calls than this in a second say nothing of a node.
const FEW_CALLS: f64 = 5.0;
/// A node is slow in a second when its calls are slower by the floor, and by this part of what they take at light
/// load: the mean of a few calls varies ...
const SLOW_PART: f64 = 0.5;
/// ... and more so what is read from operations in progress, which reach over the bounds of a second.
const SLOW_PART_IN_PROGRESS: f64 = 1.0;
/// All stand still when most nodes got done less than this part of what they do at the peak.
const STILL_PART: f64 = 0.5;
/// Of all that calls grew by, the part that is common from which on no single node is to be named.
const COMMON_PART: f64 = 0.5;
/// What is left of the peak must be at least so many seconds ...
const REST_S: usize = 5;
/// ... and at least this part of it.
const REST_PART: f64 = 0.4;
/// After a time in which all stood still, so many seconds at most are taken for working off what had piled up.
const DRAIN_LIMIT_S: usize = 10;
/// Leaving out this part of the peak or more is no small matter.
const MUCH_PART: f64 = 0.25;

/// How calls of one node grew, nanoseconds a call, and how many there were.
struct Grown {
    ns: f64,
    calls: f64,
}

/// Calls of a node in a second, and what one took, nanoseconds.
type Took<'a> = dyn Fn(&NodeSeries, usize) -> (f64, Option<f64>) + 'a;

/// What all nodes have in common.
pub(crate) struct Common {
    /// What all nodes became slower by from light load to peak, nanoseconds a call; 0 below the floor.
    pub(crate) slower_ns: f64,
    /// Its part of all that calls grew by, 0..=1.
    part: f64,
    /// Nodes that became slower by more than the floor, and nodes that are known.
    pub(crate) nodes: (usize, usize),
    /// Seconds of the peak in which all nodes were slow together, and all there were.
    pub(crate) together: (usize, usize),
    /// Whether these are left out of the windows.
    pub(crate) left_out: bool,
    /// What all nodes were slower by while a second went by, nanoseconds a call; 0 below the floor.
    slower_at: Vec<f64>,
    /// Seconds that are passed over when waiting is looked for.
    disturbed: Vec<bool>,
}

impl Common {
    /// Whether no single node can have done it: most of what grew is common to all.
    pub(crate) fn is_most(&self) -> bool {
        self.slower_ns > 0.0 && self.part >= COMMON_PART
    }

    /// Whether all nodes were slow together in much of the peak.
    pub(crate) fn much(&self) -> bool {
        let (out, all) = self.together;
        out > 0 && out as f64 >= MUCH_PART * all as f64
    }

    /// Whether a slow machine shows in this second, and the second is to be passed over.
    pub(crate) fn disturbed(&self, second: usize) -> bool {
        self.disturbed.get(second).copied().unwrap_or(false)
    }

    /// What all nodes are slower by in this second, nanoseconds a call.
    pub(crate) fn slower_at(&self, second: usize) -> f64 {
        self.slower_at.get(second).copied().unwrap_or(0.0).max(self.slower_ns)
    }
}

/// Finds what all nodes have in common, and takes the seconds of it out of the windows where enough remains.
pub(crate) fn split(series: &Series, mut windows: Windows) -> (Windows, Common) {
    let calm = calm_ns(series, &windows.light);
    let (slower_at, disturbed) = in_progress(series, &windows, &calm);
    let due = |node: &NodeSeries, s: usize| (node.calls(&[s]), node.mean_own_ns(&[s]));
    let due = slower_by_second(series, &calm, SLOW_PART, &due);
    // Requests that were due a little before suffer as well.
    let shared = |s: &usize| due[*s] > 0.0 || (*s..=s + 1).any(|s| disturbed.get(s) == Some(&true));
    let (out, all) = (windows.peak.iter().filter(|s| shared(s)).count(), windows.peak.len());
    let enough = all - out >= REST_S && (all - out) as f64 >= REST_PART * all as f64;
    let light: Vec<usize> = windows.light.iter().copied().filter(|s| !shared(s)).collect();
    if light.len() >= FEW_SECONDS {
        windows.light = light;
    }
    if enough {
        windows.peak.retain(|s| !shared(s));
        windows.top.retain(|s| !shared(s));
        windows.left_out = (0..due.len()).filter(shared).collect();
    }
    let nodes = series.nodes.iter().filter_map(|node| grown(node, &windows)).collect::<Vec<_>>();
    let slower_ns =
        median(nodes.iter().map(|n| n.ns)).filter(|m| *m >= SLOWER_NS && nodes.len() >= FEW_NODES);
    let slower_ns = slower_ns.unwrap_or(0.0);
    let common = Common {
        slower_ns,
        part: part(&nodes, slower_ns),
        nodes: (nodes.iter().filter(|n| n.ns >= SLOWER_NS).count(), nodes.len()),
        together: (out, all),
        left_out: enough && out > 0,
        slower_at,
        disturbed,
    };
    (windows, common)
}

/// Per second of the clock, what all nodes were slower by, and whether the second is to be passed over: because
/// few are like it, or because all stood still in it, and a node at which work arrives looks full.
fn in_progress(series: &Series, windows: &Windows, calm: &[Option<f64>]) -> (Vec<f64>, Vec<bool>) {
    let busy = |node: &NodeSeries, s: usize| {
        (node.done[s].max(node.ops[s]), Some(node.at_node[s] * 1e9 / node.done[s].max(1.0)))
    };
    let slower = slower_by_second(series, calm, SLOW_PART_IN_PROGRESS, &busy);
    let typical: Vec<f64> = series.nodes.iter().map(|node| mean(&node.done, &windows.peak)).collect();
    let still = |s: usize| {
        let known = series.nodes.iter().zip(&typical).filter(|(_, typical)| **typical >= FEW_CALLS);
        median(known.map(|(node, typical)| node.done[s] / typical)).is_some_and(|part| part < STILL_PART)
    };
    let at_peak = windows.peak.iter().filter(|s| slower[**s] > 0.0).count();
    let few = (at_peak as f64) < MUCH_PART * windows.peak.len() as f64;
    let disturbed = (0..slower.len()).map(|s| slower[s] > 0.0 && (few || still(s))).collect();
    (slower, with_drain(disturbed))
}

/// Adds the seconds in which what had piled up is worked off: as many as it piled up for.
fn with_drain(mut disturbed: Vec<bool>) -> Vec<bool> {
    let mut left = 0;
    for second in &mut disturbed {
        left = if *second { (left + 1).min(DRAIN_LIMIT_S) } else { left };
        if !*second && left > 0 {
            *second = true;
            left -= 1;
        }
    }
    disturbed
}

fn grown(node: &NodeSeries, windows: &Windows) -> Option<Grown> {
    let (light, peak) = (node.mean_own_ns(&windows.light)?, node.mean_own_ns(&windows.peak)?);
    Some(Grown { ns: (peak - light).max(0.0), calls: node.calls(&windows.peak) })
}

/// Per node, what its calls take at light load. The median over seconds: one of them may be bad.
fn calm_ns(series: &Series, light: &[usize]) -> Vec<Option<f64>> {
    let calm = |node: &NodeSeries| median(light.iter().filter_map(|s| node.mean_own_ns(&[*s])));
    series.nodes.iter().map(calm).collect()
}

/// Per second, what most nodes were slower by than at light load; 0 below the floor. `of` gives the calls of a
/// node in a second, and what one took.
fn slower_by_second(series: &Series, calm: &[Option<f64>], slow_part: f64, of: &Took<'_>) -> Vec<f64> {
    let slower = |s: usize| {
        let grown = series.nodes.iter().zip(calm).filter_map(|(node, calm)| {
            let (calls, took) = of(node, s);
            let (calm, took) = ((*calm)?, took?);
            let slow = took - calm >= SLOWER_NS.max(slow_part * calm);
            (calls >= FEW_CALLS).then_some(if slow { took - calm } else { 0.0 })
        });
        let grown: Vec<f64> = grown.collect();
        let known = grown.len() >= FEW_NODES;
        median(grown.into_iter()).filter(|_| known).unwrap_or(0.0)
    };
    (0..series.offered.len()).map(slower).collect()
}

/// The part of all that calls grew by that every node has.
fn part(nodes: &[Grown], slower_ns: f64) -> f64 {
    let sum = |of: &dyn Fn(&Grown) -> f64| nodes.iter().map(|n| n.calls * of(n)).sum::<f64>();
    let all = sum(&|n| n.ns);
    if all > 0.0 { sum(&|n| n.ns.min(slower_ns)) / all } else { 0.0 }
}

/// The lower of the two in the middle where their number is even.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_piled_up_takes_as_long_to_work_off() {
        let seconds = |text: &str| text.chars().map(|c| c == 'x').collect::<Vec<bool>>();
        assert_eq!(with_drain(seconds("..xx.....x..")), seconds("..xxxx...xx."));
        assert_eq!(with_drain(seconds("....")), seconds("...."));
        assert_eq!(with_drain(seconds("xxx.")), seconds("xxxx"));
    }

    #[test]
    fn the_common_part_is_what_every_node_has() {
        let grown = |ns: &[f64]| ns.iter().map(|ns| Grown { ns: *ns, calls: 10.0 }).collect::<Vec<_>>();
        let of = |ns: &[f64]| part(&grown(ns), median(ns.iter().copied()).unwrap());
        assert_eq!(of(&[50.0, 50.0, 50.0, 50.0]), 1.0);
        assert_eq!(of(&[0.0, 0.0, 0.0, 900.0]), 0.0);
        assert!((of(&[50.0, 50.0, 60.0, 60.0]) - 200.0 / 220.0).abs() < 1e-12);
    }
}
