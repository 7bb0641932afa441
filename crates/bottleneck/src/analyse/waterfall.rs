//! From the mean request at light load to that at peak, node by node.

use crate::analyse::Facts;
use crate::analyse::judge::Finding;
use crate::analysis::Growth;
use crate::dependency::{Drop, Waterfall};

/// The steps from light load to peak. Time on critical paths is all there is of a request, so that its growth is the
/// sum over the nodes.
pub(crate) fn waterfall(facts: &Facts<'_>, findings: &[Finding]) -> Waterfall {
    let growths = facts.growths;
    Waterfall {
        light_ms: growths.light_ns / 1e6,
        peak_ms: (growths.light_ns + growths.sync_ns) / 1e6,
        rows: findings.iter().map(|finding| waited_for(facts, finding)).collect(),
        behind: findings.iter().filter_map(|finding| behind(facts, finding)).collect(),
    }
}

fn waited_for(facts: &Facts<'_>, finding: &Finding) -> Drop {
    let added = &facts.growths.added[finding.at];
    let (own, waiting) = worked_and_waited(finding, added.own);
    Drop { node: name(facts, finding), self_ms: own / 1e6, wait_ms: waiting / 1e6, gap_ms: added.gap / 1e6 }
}

fn behind(facts: &Facts<'_>, finding: &Finding) -> Option<Drop> {
    let added = &facts.growths.added[finding.at];
    let some = added.flow != 0.0 || added.wait != 0.0;
    let (own, waiting) = worked_and_waited(finding, added.flow);
    some.then(|| Drop {
        node: name(facts, finding),
        self_ms: own / 1e6,
        wait_ms: (added.wait + waiting) / 1e6,
        gap_ms: 0.0,
    })
}

/// What a node added to a request, on its path and behind hand-overs together.
pub(crate) fn growth(facts: &Facts<'_>, finding: &Finding) -> Growth {
    let added = &facts.growths.added[finding.at];
    let (own, waiting) = worked_and_waited(finding, added.own + added.flow);
    Growth {
        node: name(facts, finding),
        self_ms: own / 1e6,
        wait_ms: (waiting + added.wait) / 1e6,
        gap_ms: added.gap / 1e6,
    }
}

/// Time within a node's spans: work that takes longer although each piece of it does not is waiting.
fn worked_and_waited(finding: &Finding, ns: f64) -> (f64, f64) {
    if finding.saturation.is_some() { (0.0, ns) } else { (ns, 0.0) }
}

fn name(facts: &Facts<'_>, finding: &Finding) -> String {
    facts.series.nodes[finding.at].key.name.to_string()
}
