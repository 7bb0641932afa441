//! From cells to findings.

mod besides;
mod calls;
mod clocks;
mod common;
mod growth;
mod held;
mod judge;
mod knees;
mod law;
mod names;
mod objective;
mod onset;
mod readings;
mod resample;
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

use peakdrill_drill_model::verdict::{AnalysisState, AnalysisSummary, Bottleneck, Estimate, NodeVerdict};

use crate::analysis::{Analysis, AnalysisInput, Growth};
use crate::cells::Cells;
pub use calls::calls_under_load;
use common::Common;
use growth::Growths;
use judge::Finding;
pub(crate) use names::Names;
use series::Series;
use utilisation::Used;
use windows::Windows;
pub(crate) use words::{ms, percent};

/// All that the findings are made from.
struct Facts<'a> {
    cells: &'a Cells,
    input: &'a AnalysisInput,
    names: &'a Names,
    series: &'a Series,
    windows: &'a Windows,
    common: &'a Common,
    growths: &'a Growths,
    used: &'a Used,
    /// Whether the run can tell what a node carries.
    capacities: bool,
}

/// Names the node that limits the system, and says why: what grew from light load to peak, node by node, and
/// what each can carry. The same cells and input give the same analysis. The ranking is always made; only the
/// word `bottleneck` needs evidence.
#[must_use]
pub fn analyse(cells: &Cells, input: &AnalysisInput) -> Analysis {
    let names = Names::new(cells);
    let mut completeness = telemetry::completeness(cells, input, &names);
    let series = Series::new(cells, input, &names, &completeness);
    let (windows, common) = common::split(&series, Windows::new(&series, input));
    let growths = Growths::new(cells, &names, &series, &windows, common.slower_ns, &input.settings);
    let used = Used::new(cells, input, &names, &series, &windows);
    let facts = Facts {
        cells,
        input,
        names: &names,
        series: &series,
        windows: &windows,
        common: &common,
        growths: &growths,
        used: &used,
        capacities: true,
    };
    used.correct(&mut completeness);
    let matter = summary::matter(&facts);
    let starved = starved::because(&facts, &matter);
    let capacities = starved.is_empty();
    let facts = Facts { capacities, ..facts };
    let mut findings = judge::findings(&facts, &matter);
    judge::rank(&mut findings, &facts);
    let summary = AnalysisSummary {
        knees: knees::knees(&facts, &findings),
        ..summary::summary(&facts, &findings, &matter, &completeness, starved)
    };
    let mut besides = besides::all(&facts, &findings, &completeness);
    let analysis = Analysis {
        bottlenecks: findings.iter().map(|f| bottleneck(&facts, f, &summary)).collect(),
        dependencies: tables::dependencies(&facts),
        curves: tables::curves(&facts, &findings),
        waterfall: waterfall::waterfall(&facts, &findings),
        growth: findings.iter().map(|f| growth_row(&facts, f)).collect(),
        queues: tables::queues(&facts),
        completeness: completeness.services,
        resources: Vec::new(),
        findings: Vec::new(),
        summary,
    };
    let (resources, of_metrics) = used.into_parts(capacities);
    besides.extend(of_metrics);
    besides.extend(clocks::findings(cells));
    besides.sort_by(|a, b| (a.kind, &a.node).cmp(&(b.kind, &b.node)));
    Analysis { resources, findings: besides, ..analysis }
}

fn bottleneck(facts: &Facts<'_>, finding: &Finding, summary: &AnalysisSummary) -> Bottleneck {
    let node = &facts.series.nodes[finding.at];
    let withheld = summary.state == AnalysisState::Withheld && finding.verdict == NodeVerdict::Bottleneck;
    let estimate = |e: Option<(f64, f64, f64)>| {
        e.map_or_else(Estimate::default, |(estimate, low, high)| Estimate {
            estimate: Some(estimate),
            low: Some(low),
            high: Some(high),
        })
    };
    let tested = facts.windows.tested.filter(|t| *t > 0.0);
    let capacity =
        finding.capacity().or_else(|| facts.used.capacity(finding.at).filter(|_| facts.capacities));
    Bottleneck {
        node: node.key.name.to_string(),
        kind: node.key.kind,
        owner: facts.input.owners.get(&*node.key.name).cloned(),
        verdict: if withheld { NodeVerdict::Contributor } else { finding.verdict },
        share: estimate(facts.growths.share[finding.at]),
        capacity_per_s: estimate(capacity),
        headroom: capacity.zip(tested).map(|((capacity, _, _), tested)| capacity / tested),
        evidence: words::evidence(facts, finding),
    }
}

fn growth_row(facts: &Facts<'_>, finding: &Finding) -> Growth {
    let added = &facts.growths.added[finding.at];
    let own = added.own + added.flow;
    // Work that takes longer although each piece of it does not is waiting.
    let (own, waiting) = if finding.saturation.is_some() { (0.0, own) } else { (own, 0.0) };
    Growth {
        node: facts.series.nodes[finding.at].key.name.to_string(),
        self_ms: own / 1e6,
        wait_ms: (waiting + added.wait) / 1e6,
        gap_ms: added.gap / 1e6,
    }
}
