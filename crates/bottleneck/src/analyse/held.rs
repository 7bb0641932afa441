//! Nodes that wait because what is behind them holds all of their threads or connections.
//!
//! Where a node may have so many calls in progress at a time, a full node behind it fills these, and from then on
//! requests stand before the caller: it looks full, and the queue that grows is its own. What tells the two apart is
//! the number of operations at the full nodes behind it: under a ceiling it stays where it is while a caller's
//! queue grows; without one it wanders as any queue does. Of nodes that call each other in a circle none is behind the
//! other: what they hold of each other says nothing of who is slow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use peakdrill_drill_model::verdict::{NodeKind, NodeVerdict};

use crate::analyse::Facts;
use crate::analyse::judge::{Finding, SAME};
use crate::analyse::series::mean;

/// Operations in progress behind a node stand at a ceiling when they vary by less than this part of their mean from
/// second to second.
const CEILING: f64 = 0.15;
/// And when their variance is below this part of their mean: it is all of it where they come and go by chance (Poisson),
/// which of many in progress is little beside the mean.
const DISPERSION: f64 = 0.5;
/// Fewer seconds than this show no ceiling.
const FEW_SECONDS: usize = 4;

/// Finds the nodes that are held, and takes the word `bottleneck` from them.
pub(crate) fn mark(facts: &Facts<'_>, calls: &Calls, findings: &mut [Finding]) {
    let full: BTreeSet<usize> = findings.iter().filter(|f| f.saturation.is_some()).map(|f| f.at).collect();
    let held: Vec<Vec<usize>> =
        findings.iter().map(|finding| held_by(facts, calls, &full, finding)).collect();
    for (finding, by) in findings.iter_mut().zip(held) {
        if !by.is_empty() && finding.verdict == NodeVerdict::Bottleneck {
            finding.verdict = NodeVerdict::Contributor;
        }
        finding.held_by = by;
    }
    hand_on(facts, findings);
}

/// What waits before a node that is held waits for one of those that hold it: its share of the growth counts for the
/// smallest that is not held itself, and of several of that size for the one that grew most.
fn hand_on(facts: &Facts<'_>, findings: &mut [Finding]) {
    let grew = |at: usize| facts.growths.share[at].map_or(0.0, |(share, _, _)| share);
    let free: BTreeMap<usize, f64> = findings
        .iter()
        .filter(|f| f.held_by.is_empty())
        .filter_map(|f| Some((f.at, f.full_capacity()?.0)))
        .collect();
    let mut held: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    // One that a resource of its own limits does not only wait.
    for finding in findings.iter().filter(|f| f.flags.share && !f.flags.used) {
        let by = || finding.held_by.iter().filter_map(|at| Some((*at, *free.get(at)?)));
        let smallest = by().map(|(_, capacity)| capacity).fold(f64::INFINITY, f64::min);
        let as_small = by().filter(|(_, capacity)| *capacity <= smallest * (1.0 + SAME));
        if let Some((at, _)) = as_small.max_by(|a, b| grew(a.0).total_cmp(&grew(b.0))) {
            held.entry(at).or_default().push(finding.at);
        }
    }
    for finding in findings.iter_mut().filter(|f| f.held_by.is_empty()) {
        finding.holds = held.remove(&finding.at).unwrap_or_default();
        finding.flags.holds = !finding.holds.is_empty();
        finding.verdict = finding.flags.verdict();
    }
}

/// Marks the bottlenecks behind which another one is that carries no more: requests stand before a caller that keeps
/// what it has for as long as it waits, and it may look like the larger part. Behind a caller that is full nobody gets more
/// done than it lets through, so that being full there is not enough: the other has a share of the growth as well.
pub(crate) fn mark_before(facts: &Facts<'_>, calls: &Calls, findings: &mut [Finding]) {
    let full: Vec<(usize, f64)> = findings
        .iter()
        .filter(|f| f.verdict == NodeVerdict::Bottleneck && (f.flags.share || f.flags.holds))
        .filter_map(|f| Some((f.at, f.full_capacity()?.0)))
        .collect();
    for finding in findings.iter_mut().filter(|f| f.verdict == NodeVerdict::Bottleneck) {
        // Where nothing is known of what it carries, a resource or errors of its own speak for it.
        let own = finding.flags.used || finding.flags.errors;
        let unknown = || if own { 0.0 } else { f64::INFINITY };
        let mine = facts.capacity(finding).map_or_else(unknown, |(capacity, _, _)| capacity);
        let behind = calls.only_behind(&facts.series.nodes[finding.at].key.name);
        let before = full.iter().filter(|(at, theirs)| behind.contains(at) && *theirs <= mine * (1.0 + SAME));
        finding.before = before.map(|(at, _)| *at).collect();
    }
}

fn held_by(facts: &Facts<'_>, calls: &Calls, full: &BTreeSet<usize>, finding: &Finding) -> Vec<usize> {
    let nodes = &facts.series.nodes;
    let Some(mine) = &finding.saturation else { return Vec::new() };
    let behind: Vec<usize> =
        calls.only_behind(&nodes[finding.at].key.name).into_iter().filter(|at| full.contains(at)).collect();
    if behind.is_empty() || mine.seconds.len() < FEW_SECONDS {
        return Vec::new();
    }
    let there = mine.seconds.iter().map(|s| behind.iter().map(|at| nodes[*at].at_node[*s]).sum()).collect();
    if at_ceiling(there, facts.series.part) { behind } else { Vec::new() }
}

/// Whether the number of operations in progress, second by second, stands at a ceiling. `part`: of the operations, those
/// that were traced.
fn at_ceiling(there: Vec<f64>, part: f64) -> bool {
    let every: Vec<usize> = (0..there.len()).collect();
    let level = mean(&there, &every);
    let square = there.iter().map(|n| (n - level).powi(2)).sum::<f64>() / there.len() as f64;
    // Of a fixed number of operations those that are traced vary by chance.
    let by_chance = (1.0 - part) * level;
    let square = (square - by_chance).max(0.0);
    square.sqrt() < CEILING * level && square < DISPERSION * level
}

/// Who waits for whom, by names.
pub(crate) struct Calls {
    of: BTreeMap<Arc<str>, BTreeSet<usize>>,
    names: Vec<Arc<str>>,
}

impl Calls {
    pub(crate) fn new(facts: &Facts<'_>) -> Self {
        let nodes = &facts.series.nodes;
        let at: BTreeMap<_, _> = nodes.iter().enumerate().map(|(i, node)| (&node.key, i)).collect();
        let mut of: BTreeMap<Arc<str>, BTreeSet<usize>> = BTreeMap::new();
        // Nobody waits for what is handed over to a queue.
        for (edge, _) in facts.cells.edges.keys().filter(|(edge, _)| edge.to.kind != NodeKind::Queue) {
            if let Some(to) = at.get(&facts.names.of(&edge.to)) {
                of.entry(Arc::clone(&edge.from)).or_default().insert(*to);
            }
        }
        let names = nodes.iter().map(|node| Arc::clone(&node.key.name)).collect();
        let mut calls = Self { of, names };
        calls.add_silent(facts);
        calls
    }

    /// Operations whose callers are not there were called by somebody who sends nothing: by the one external node, where there
    /// is one alone. Which of several it is nobody knows, and what calls it is not behind it.
    fn add_silent(&mut self, facts: &Facts<'_>) {
        let nodes = &facts.series.nodes;
        let mut external = (0..nodes.len()).filter(|at| nodes[*at].key.kind == NodeKind::External);
        let (Some(silent), None) = (external.next(), external.next()) else { return };
        let lost = (0..nodes.len()).filter(|at| facts.is_fatherless(&nodes[*at]));
        let behind: Vec<usize> = lost.filter(|at| !self.behind(&self.names[*at]).contains(&silent)).collect();
        self.of.entry(Arc::clone(&self.names[silent])).or_default().extend(behind);
    }

    /// All nodes that a node waits for, and that do not wait for it.
    fn only_behind(&self, name: &Arc<str>) -> BTreeSet<usize> {
        let mut out = self.behind(name);
        out.retain(|at| !self.behind(&self.names[*at]).iter().any(|back| self.names[*back] == *name));
        out
    }

    /// All nodes that a node waits for, directly or not; not itself.
    fn behind(&self, name: &Arc<str>) -> BTreeSet<usize> {
        let mut out = BTreeSet::new();
        let mut todo = vec![name];
        while let Some(name) = todo.pop() {
            for at in self.of.get(name).into_iter().flatten() {
                if out.insert(*at) {
                    todo.push(&self.names[*at]);
                }
            }
        }
        out.retain(|at| self.names[*at] != *name);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_that_call_each_other_are_not_behind_each_other() {
        let names: Vec<Arc<str>> = ["gateway", "order", "stock", "db"].map(Arc::from).to_vec();
        let of = |from: usize, to: &[usize]| (Arc::clone(&names[from]), to.iter().copied().collect());
        let of = BTreeMap::from([of(0, &[1]), of(1, &[2]), of(2, &[1, 3])]);
        let calls = Calls { of, names };
        let behind = |at: usize| calls.only_behind(&calls.names[at]).into_iter().collect::<Vec<_>>();
        assert_eq!([behind(0), behind(1), behind(2), behind(3)], [vec![1, 2, 3], vec![3], vec![3], vec![]]);
    }
}
