//! What is said of a run when services are asked for the spans of a part of its requests.

use peakdrill_bottleneck::{Analysis, AnalysisInput, Cells, Sums, analyse};
use peakdrill_drill_model::verdict::{AnalysisState, NodeVerdict};

use crate::damage::Damage;
use crate::scenario::Scenario;
use crate::trace::Trace;

/// One run, judged by all traces and by a part of them.
#[derive(Debug, Clone)]
pub struct Sampled {
    /// The scenario.
    pub scenario: Scenario,
    /// By all.
    pub all: Analysis,
    /// By the part.
    pub few: Analysis,
    /// Requests of the drill.
    pub requests: usize,
    /// Of these, traced.
    pub traced: usize,
}

impl Sampled {
    /// Whether nothing is said, because too few were traced.
    #[must_use]
    pub fn inconclusive(&self) -> bool {
        self.few.summary.state == AnalysisState::Withheld
    }

    /// Whether both say the same: the same nodes, or none.
    #[must_use]
    pub fn same(&self) -> bool {
        self.all.summary.state == self.few.summary.state && named(&self.all) == named(&self.few)
    }
}

/// The nodes that are named, in the order of their names: of two that limit, which comes first is chance.
fn named(analysis: &Analysis) -> Vec<&str> {
    let found = analysis.bottlenecks.iter().filter(|b| b.verdict == NodeVerdict::Bottleneck);
    let mut names: Vec<&str> = found.map(|b| b.node.as_str()).collect();
    names.sort_unstable();
    names
}

/// Simulates a scenario once, and judges it by all traces and by a part of them, drawn as the generator does.
#[must_use]
pub fn judge_sampled(scenario: Scenario, part: f64) -> Sampled {
    let mut run = scenario.run();
    let all = analysis(&scenario, &cells(&run.traces));
    Damage::Sampled(part).apply(&mut run.traces, &[], scenario.seed);
    let few = analysis(&scenario, &cells(&run.traces));
    let rows = || run.traces.iter().filter_map(|trace| trace.row.as_ref());
    let (requests, traced) = (rows().count(), rows().filter(|row| row.sampled).count());
    Sampled { all, few, requests, traced, scenario }
}

/// What is said of a run by its cells.
#[must_use]
pub fn analysis(scenario: &Scenario, cells: &Cells) -> Analysis {
    let load_seconds = scenario.load.seconds().ceil() as i64;
    analyse(cells, &AnalysisInput { load_seconds, ..AnalysisInput::default() })
}

/// What traces come to.
#[must_use]
pub fn cells(traces: &[Trace]) -> Cells {
    let (mut cells, mut sums) = (Cells::default(), Sums::default());
    for some in traces.chunks(TRACES_AT_ONCE) {
        some.iter().for_each(|trace| sums.add(&trace.filed()));
        cells.take_in(&mut sums);
    }
    cells
}

/// Traces after which sums are moved into the cells.
const TRACES_AT_ONCE: usize = 20_000;
