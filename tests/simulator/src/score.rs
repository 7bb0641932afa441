//! What the analysis says of a run, against its truth.

pub mod gates;
mod naive;
mod sampled;
mod table;

use std::collections::BTreeMap;

use peakdrill_bottleneck::{Analysis, Cells, critical_path};
use peakdrill_drill_model::frame::RootRow;
use peakdrill_drill_model::verdict::{AnalysisState, Dependency, Finding, FindingKind, NodeVerdict};

use crate::damage::Damage;
use crate::scenario::{Kind, Scenario};
use crate::trace::{Run, Trace};
pub use naive::{NAIVE, naive, windows};
pub use sampled::{Sampled, analysis, cells, judge_sampled};
pub use table::{Options, Seeds, gates_section, table};

/// Nodes with fewer operations than this in a run are not measured.
const FEW_OPERATIONS: i64 = 200;
/// Error of an edge with retries of which nothing is told: all of it.
const NOT_TOLD: f64 = 1.0;

/// How one run was judged.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The scenario.
    pub scenario: Scenario,
    /// What was said.
    pub analysis: Analysis,
    /// Whether each naive ranker names a planted node.
    pub naive: Vec<bool>,
    /// Requests of which the generator's row is there: only of these it is known how long they took.
    pub traces: usize,
    /// Those of them whose critical path is not exactly as long as the request.
    pub not_conserved: usize,
    /// Largest error over the nodes that are not too little visited of operations present, and of throughput by time: parts of the truth.
    pub little: (f64, f64),
    /// Part of the time of critical paths that is at the node where it truly was, over requests nobody gave up.
    pub path_overlap: Option<f64>,
    /// Largest error of attempts by logical calls over the edges, a part of the truth; and edges without any
    /// retry of which one was told.
    pub amplification: (f64, usize),
}

impl Outcome {
    /// Nodes with the verdict `bottleneck`, unless it was withheld.
    #[must_use]
    pub fn named(&self) -> Vec<&str> {
        let found = self.analysis.bottlenecks.iter().filter(|b| b.verdict == NodeVerdict::Bottleneck);
        found.map(|b| b.node.as_str()).collect()
    }

    /// Position of the planted node in the ranking, from 0.
    #[must_use]
    pub fn rank(&self) -> Option<usize> {
        let names = self.scenario.names();
        self.analysis.bottlenecks.iter().position(|b| names.contains(&b.node.as_str()))
    }

    /// A single one is named and first; of two both are named; of none no one is.
    #[must_use]
    pub fn right(&self) -> bool {
        let named = self.named();
        match self.scenario.kind {
            Kind::Control => named.is_empty(),
            Kind::Single => {
                self.rank() == Some(0)
                    && !named.is_empty()
                    && self.analysis.summary.state == AnalysisState::Found
            }
            Kind::Two => self.scenario.names().iter().all(|name| named.contains(name)),
        }
    }

    /// Of a system without a bottleneck: whether there is a finding of what is not there. Some operations do make the same
    /// call again and again.
    #[must_use]
    pub fn told_of_what_is_not_there(&self) -> bool {
        let loops = |found: &Finding| {
            found.kind == FindingKind::LoopOfCalls && self.scenario.network.loops(&found.node)
        };
        !self.analysis.findings.iter().all(loops)
    }

    /// Of the planted node: estimate, low and high by the truth.
    #[must_use]
    pub fn capacity(&self) -> Option<(f64, f64, f64)> {
        let truth = self.scenario.capacity?;
        let found = self.analysis.bottlenecks.get(self.rank()?)?.capacity_per_s;
        Some((found.estimate? / truth, found.low? / truth, found.high? / truth))
    }
}

/// Simulates a scenario, damages its telemetry, and judges what the analysis makes of it.
#[must_use]
pub fn judge(scenario: Scenario, damage: Damage) -> Outcome {
    let mut run = scenario.run();
    damage.apply(&mut run.traces, &scenario.needed(), scenario.seed);
    let (mut rows, mut not_conserved) = (0, 0);
    let mut overlap = Overlap::default();
    for trace in &run.traces {
        if let Some(row) = &trace.row {
            rows += 1;
            not_conserved += usize::from(!conserved(trace, row, &scenario, &mut overlap));
        }
    }
    let cells = cells(&run.traces);
    let analysis = analysis(&scenario, &cells);
    Outcome {
        naive: naive(&scenario, &run.traces),
        traces: rows,
        not_conserved,
        little: little(&scenario, &run, &cells),
        path_overlap: (overlap.all > 0.0).then(|| overlap.right / overlap.all),
        amplification: amplification(&scenario, &run.calls, &analysis.dependencies),
        analysis,
        scenario,
    }
}

/// By caller and called node: logical calls, and attempts.
type Calls = BTreeMap<(usize, usize), (u64, u64)>;

#[derive(Default)]
struct Overlap {
    right: f64,
    all: f64,
}

/// Whether the path is exactly as long as the request; adds how much of it is where it truly was.
fn conserved(trace: &Trace, row: &RootRow, scenario: &Scenario, overlap: &mut Overlap) -> bool {
    let path = critical_path(&trace.spans, Some(row));
    let sum: u64 = path.iter().map(|s| s.ns).sum();
    if let Some(truth) = &trace.path {
        let mut found: BTreeMap<&str, i64> = BTreeMap::new();
        for segment in &path {
            *found.entry(&segment.node.name).or_default() += segment.ns.cast_signed();
        }
        overlap.all += sum as f64;
        for (node, ns) in truth {
            let name = scenario.network.nodes[*node].name.as_str();
            overlap.right += found.get(name).map_or(0, |found| *found.min(ns)) as f64;
        }
    }
    i64::try_from(sum).ok() == Some(row.done_ns - row.sent_ns)
}

/// Operations present by the cells against the simulator's own count, and `X·R` against the same.
fn little(scenario: &Scenario, run: &Run, cells: &Cells) -> (f64, f64) {
    let (mut present, mut law) = (0.0_f64, 0.0_f64);
    for (node, seen) in scenario.network.nodes.iter().zip(&run.seen) {
        let truth: i64 = seen.present_ns.iter().sum();
        let here = cells.nodes.iter().filter(|((key, _), _)| *key.name == *node.name);
        let (mut busy, mut took, mut ops) = (0, 0, 0);
        for cell in here.flat_map(|(_, seconds)| seconds.values()) {
            busy += cell.busy_ns;
            took += cell.span.sum_ns();
            ops += cell.ops;
        }
        if truth > 0 && ops >= FEW_OPERATIONS {
            present = present.max((busy as f64 / truth as f64 - 1.0).abs());
            law = law.max((took as f64 / truth as f64 - 1.0).abs());
        }
    }
    (present, law)
}

/// Largest error of attempts by logical calls, and edges without a retry of which one is told.
fn amplification(scenario: &Scenario, calls: &Calls, told: &[Dependency]) -> (f64, usize) {
    let (mut error, mut invented) = (0.0_f64, 0);
    for ((from, to), (logical, attempts)) in calls {
        let name = |at: usize| scenario.network.nodes[at].name.as_str();
        let edge = told.iter().find(|d| d.from == name(*from) && d.to == name(*to));
        let Some(found) = edge.and_then(|edge| edge.retry_amplification) else {
            error = error.max(if attempts > logical { NOT_TOLD } else { 0.0 });
            continue;
        };
        let truth = *attempts as f64 / (*logical).max(1) as f64;
        error = error.max((found / truth - 1.0).abs());
        invented += usize::from(attempts == logical && found > 1.0);
    }
    (error, invented)
}

#[cfg(test)]
mod tests {
    use peakdrill_drill_model::verdict::Millis;

    use super::*;
    use crate::topology::Topology;

    #[test]
    fn an_edge_with_retries_that_is_not_told_is_an_error() {
        let scenario = Scenario::new(Topology::Chain, Kind::Single, 1);
        let name = |at: usize| scenario.network.nodes[at].name.clone();
        let told = |amplification| {
            [Dependency {
                from: name(0),
                to: name(1),
                calls: 100,
                errors: 0,
                latency_ms: Millis::default(),
                critical_path_share: None,
                retry_amplification: amplification,
                hedges: None,
            }]
        };
        let calls = |attempts| Calls::from([((0, 1), (100, attempts))]);
        assert_eq!(amplification(&scenario, &calls(125), &told(Some(1.25))), (0.0, 0));
        assert_eq!(amplification(&scenario, &calls(125), &told(None)), (NOT_TOLD, 0));
        assert_eq!(amplification(&scenario, &calls(125), &[]), (NOT_TOLD, 0));
        assert_eq!(amplification(&scenario, &calls(100), &[]), (0.0, 0));
        assert_eq!(amplification(&scenario, &calls(100), &told(Some(1.25))).1, 1);
    }

    #[test]
    fn only_requests_with_a_row_are_counted() {
        let scenario = || Scenario::new(Topology::Chain, Kind::Single, 1);
        let all = scenario().run().traces.iter().filter(|t| t.row.is_some()).count();
        assert_eq!(judge(scenario(), Damage::Clean).traces, all);
        assert!(judge(scenario(), Damage::NoRow(0.5)).traces < all * 3 / 5);
    }

    /// The telemetry is held against the truth; what the analysis ranks is not looked at.
    #[test]
    fn nothing_is_lost_or_invented_in_applications() {
        for topology in Topology::HELD_OUT_SECOND.into_iter().chain(Topology::HELD_OUT) {
            for (kind, seed) in [(Kind::Single, 1), (Kind::Control, 2), (Kind::Two, 3)] {
                let scenario = Scenario::new(topology, kind, seed);
                let run = scenario.run();
                let rows = run.traces.iter().filter_map(|trace| Some((trace, trace.row.as_ref()?)));
                let kept =
                    rows.filter(|(trace, row)| conserved(trace, row, &scenario, &mut Overlap::default()));
                let all = run.traces.iter().filter(|trace| trace.row.is_some()).count();
                assert_eq!(kept.count(), all, "{topology:?} {seed}");
                let (present, law) = little(&scenario, &run, &sampled::cells(&run.traces));
                assert!(present <= 0.02 && law <= 0.02, "{topology:?} {seed}: {present} {law}");
            }
        }
    }
}
