//! What would be won if a node were no limit: how much shorter requests would be, and which limit comes next.

use peakdrill_drill_model::verdict::{Gain, NextLimit, NodeVerdict};

use crate::analyse::judge::{Finding, SAME};
use crate::analyse::words::{journeys, ms};
use crate::analyse::{Facts, estimate};

/// What can be saved below this part of what a node grew by is told apart from it.
const MOST: f64 = 0.8;
/// Less than this, nanoseconds a request, is not worth a sentence.
const WORTH_NS: f64 = 1_000_000.0;

/// The limit behind the ones that hold now: of the nodes that are not named, and wait for none that is, the one that
/// carries the least. Of nodes that the load never bent nothing is known. `None` where no node is named.
pub(super) fn next(facts: &Facts<'_>, findings: &[Finding]) -> Option<NextLimit> {
    let is_named = |f: &&Finding| f.verdict == NodeVerdict::Bottleneck;
    let named = findings.iter().filter(is_named).filter_map(|f| facts.capacity(f));
    let (now, _, _) = named.min_by(|a, b| a.0.total_cmp(&b.0)).filter(|(now, _, _)| *now > 0.0)?;
    let others = findings.iter().filter(|f| !is_named(f) && f.held_by.is_empty());
    let known = others.filter_map(|f| Some((f, facts.capacity(f)?)));
    // What carries no more was only fed at what the named one lets through.
    let later = known.filter(|(_, (capacity, _, _))| *capacity > now * (1.0 + SAME));
    let (next, capacity) = later.min_by(|(_, a), (_, b)| a.0.total_cmp(&b.0))?;
    Some(NextLimit {
        node: facts.series.nodes[next.at].key.name.to_string(),
        per_s: estimate(Some(capacity)),
        times: capacity.0 / now,
    })
}

/// What is won at a node that is named.
pub(super) fn gain(facts: &Facts<'_>, finding: &Finding, next: Option<&NextLimit>) -> Option<Gain> {
    (finding.verdict == NodeVerdict::Bottleneck)
        .then(|| Gain { saved_ms: facts.growths.saved_ns[finding.at] / 1e6, next: next.cloned() })
}

/// The same in sentences.
pub(super) fn words(facts: &Facts<'_>, finding: &Finding, gain: &Gain) -> Vec<String> {
    let added = &facts.growths.added[finding.at];
    let (saved_ns, grew_ns) = (gain.saved_ms * 1e6, added.own + added.gap);
    let mut out = Vec::new();
    if saved_ns >= WORTH_NS {
        let beside = if saved_ns < MOST * grew_ns {
            format!("; not the whole {}, since calls beside it take nearly as long", ms(grew_ns))
        } else {
            String::new()
        };
        out.push(format!(
            "were it as quick as at light load, a request at peak would take {} less{beside}",
            ms(saved_ns)
        ));
    }
    if let (Some(next), Some(per_s)) = (&gain.next, gain.next.as_ref().and_then(|next| next.per_s.estimate)) {
        out.push(format!(
            "behind this limit the next one that was seen is {}, at {} ({:.1} times as many)",
            next.node,
            journeys(per_s),
            next.times
        ));
    }
    out
}
