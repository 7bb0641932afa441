//! From cells to findings.

mod besides;
mod calls;
mod clocks;
mod common;
mod gain;
mod growth;
mod held;
mod judge;
mod knees;
mod law;
mod names;
mod objective;
mod onset;
mod readings;
pub(crate) mod resample;
mod saturation;
mod scaling;
mod series;
mod starved;
mod summary;
mod tables;
mod telemetry;
mod utilisation;
mod visits;
mod waterfall;
mod windows;
mod words;

use peakdrill_drill_model::verdict::{
    self as verdict, AnalysisState, AnalysisSummary, Bottleneck, Completeness, Dependency, Estimate,
    NodeKind, NodeVerdict,
};

use crate::analysis::{Analysis, AnalysisInput};
use crate::cells::Cells;
pub use calls::calls_under_load;
use common::Common;
use growth::Growths;
use judge::Finding;
pub(crate) use names::Names;
use series::{NodeSeries, Series};
use telemetry::Telemetry;
use utilisation::Used;
use windows::Windows;
pub(crate) use words::{ms, percent};

/// All that the findings are made from.
struct Facts<'a> {
    cells: &'a Cells,
    input: &'a AnalysisInput,
    names: &'a Names,
    telemetry: &'a Telemetry,
    series: &'a Series,
    windows: &'a Windows,
    common: &'a Common,
    growths: &'a Growths,
    used: &'a Used,
    /// Whether the run can tell what a node carries.
    capacities: bool,
}

impl Facts<'_> {
    /// Whether a node's callers are silent.
    fn is_fatherless(&self, node: &NodeSeries) -> bool {
        node.key.kind == NodeKind::Service
            && self.telemetry.fatherless.iter().any(|(name, _)| *name == node.key.name)
    }

    /// Journeys a second that a node carries, by itself or by a resource of it: estimate, and 95 % interval.
    fn capacity(&self, finding: &Finding) -> Option<(f64, f64, f64)> {
        let by_resource = || self.used.capacity(finding.at).filter(|_| self.capacities);
        finding.capacity().or_else(by_resource)
    }
}

/// What a run is known by: the cells, read.
struct Known {
    names: Names,
    telemetry: Telemetry,
    series: Series,
    windows: Windows,
    common: Common,
    growths: Growths,
    used: Used,
}

impl Known {
    fn new(cells: &Cells, input: &AnalysisInput) -> Self {
        let names = Names::new(cells);
        let mut telemetry = telemetry::completeness(cells, input, &names);
        let series = Series::new(cells, input, &names, &telemetry);
        let (windows, common) = common::split(&series, Windows::new(&series, input));
        let growths = Growths::new(cells, &names, &series, &windows, common.slower_ns, &input.settings);
        let used = Used::new(cells, input, &names, &series, &windows);
        used.correct(&mut telemetry);
        Self { names, telemetry, series, windows, common, growths, used }
    }
}

/// The nodes, judged, and what is said of that.
struct Judged {
    findings: Vec<Finding>,
    summary: AnalysisSummary,
    bottlenecks: Vec<Bottleneck>,
    /// Spans are missing, or too few, to name a node.
    withheld: bool,
}

fn judged<'a>(known: &'a Known, cells: &'a Cells, input: &'a AnalysisInput) -> (Facts<'a>, Judged) {
    let Known { names, telemetry, series, windows, common, growths, used } = known;
    let facts =
        Facts { cells, input, names, telemetry, series, windows, common, growths, used, capacities: true };
    let matter = summary::matter(&facts);
    let starved = starved::because(&facts, &matter);
    let facts = Facts { capacities: starved.is_empty(), ..facts };
    let mut findings = judge::findings(&facts, &matter);
    judge::rank(&mut findings, &facts);
    let mut withheld = summary::withheld_because(&facts, telemetry);
    let few = !withheld.is_empty();
    withheld.extend(summary::silent(&facts, &findings, &matter));
    let summary = summary::summary(&facts, &findings, &matter, withheld, starved);
    let limits = gain::limits(&facts, &findings);
    let bottlenecks = findings.iter().map(|f| bottleneck(&facts, f, &summary, limits.as_ref())).collect();
    (facts, Judged { findings, summary, bottlenecks, withheld: few })
}

/// The ranking and what there is to know besides, for a look while the load runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// What it may be taken for. Where the system stops holding is not looked for.
    pub summary: AnalysisSummary,
    /// All nodes, the limiting one first.
    pub bottlenecks: Vec<Bottleneck>,
    /// Calls of this run, the edge with the largest share of the critical path first.
    pub dependencies: Vec<Dependency>,
    /// What to know besides, the most pressing first.
    pub findings: Vec<verdict::Finding>,
}

/// What [`analyse`] says of the nodes and calls and besides, and nothing else: no curves, and not where the system stops
/// holding.
#[must_use]
pub fn rank(cells: &Cells, input: &AnalysisInput) -> Ranking {
    let known = Known::new(cells, input);
    let (facts, judged) = judged(&known, cells, input);
    let besides = besides::all(&facts, &judged.findings, judged.withheld);
    let dependencies = tables::dependencies(&facts);
    let capacities = facts.capacities;
    let (_, of_metrics) = known.used.into_parts(capacities);
    let findings = in_order(besides, of_metrics, cells);
    Ranking { summary: judged.summary, bottlenecks: judged.bottlenecks, dependencies, findings }
}

/// How much of the telemetry of each service is there: what [`analyse`] says of it, and nothing else.
#[must_use]
pub fn completeness(cells: &Cells, input: &AnalysisInput) -> Vec<Completeness> {
    let names = Names::new(cells);
    let mut telemetry = telemetry::completeness(cells, input, &names);
    let series = Series::new(cells, input, &names, &telemetry);
    let windows = Windows::new(&series, input);
    Used::new(cells, input, &names, &series, &windows).correct(&mut telemetry);
    telemetry.services
}

/// All findings, those of metrics and clocks with them, the most pressing first.
fn in_order(
    mut besides: Vec<verdict::Finding>,
    of_metrics: Vec<verdict::Finding>,
    cells: &Cells,
) -> Vec<verdict::Finding> {
    besides.extend(of_metrics);
    besides.extend(clocks::findings(cells));
    besides.sort_by(|a, b| (a.kind, &a.node).cmp(&(b.kind, &b.node)));
    besides
}

/// Names the node that limits the system, and says why: what grew from light load to peak, node by node, and
/// what each can carry. The same cells and input give the same analysis. The ranking is always made; only the
/// word `bottleneck` needs evidence.
#[must_use]
pub fn analyse(cells: &Cells, input: &AnalysisInput) -> Analysis {
    let known = Known::new(cells, input);
    let (facts, judged) = judged(&known, cells, input);
    let Judged { findings, summary, bottlenecks, withheld } = judged;
    let besides = besides::all(&facts, &findings, withheld);
    let knees = knees::knees(&facts, &findings);
    let analysis = Analysis {
        bottlenecks,
        dependencies: tables::dependencies(&facts),
        curves: tables::curves(&facts, &findings),
        waterfall: waterfall::waterfall(&facts, &findings),
        growth: findings.iter().map(|f| waterfall::growth(&facts, f)).collect(),
        queues: tables::queues(&facts),
        completeness: Vec::new(),
        resources: Vec::new(),
        findings: Vec::new(),
        summary: AnalysisSummary { knees, ..summary },
    };
    let capacities = facts.capacities;
    let (resources, of_metrics) = known.used.into_parts(capacities);
    let findings = in_order(besides, of_metrics, cells);
    Analysis { completeness: known.telemetry.services, resources, findings, ..analysis }
}

/// An estimate with its interval, as it is told.
fn estimate(known: Option<(f64, f64, f64)>) -> Estimate {
    known.map_or_else(Estimate::default, |(estimate, low, high)| Estimate {
        estimate: Some(estimate),
        low: Some(low),
        high: Some(high),
    })
}

fn bottleneck(
    facts: &Facts<'_>,
    finding: &Finding,
    summary: &AnalysisSummary,
    limits: Option<&gain::Limits>,
) -> Bottleneck {
    let node = &facts.series.nodes[finding.at];
    let withheld = summary.state == AnalysisState::Withheld && finding.verdict == NodeVerdict::Bottleneck;
    let tested = facts.windows.tested.filter(|t| *t > 0.0);
    let capacity = facts.capacity(finding);
    let gain = gain::gain(facts, finding, limits).filter(|_| !withheld);
    let mut evidence = words::evidence(facts, finding);
    evidence.extend(gain.iter().flat_map(|gain| gain::words(facts, finding, gain)));
    Bottleneck {
        node: node.key.name.to_string(),
        kind: node.key.kind,
        owner: facts.input.owners.get(&*node.key.name).cloned(),
        verdict: if withheld { NodeVerdict::Contributor } else { finding.verdict },
        share: estimate(facts.growths.share[finding.at]),
        capacity_per_s: estimate(capacity),
        headroom: capacity.zip(tested).map(|((capacity, _, _), tested)| capacity / tested),
        gain,
        evidence,
    }
}
