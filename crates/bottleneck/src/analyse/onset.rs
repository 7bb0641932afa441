//! Where the waiting began.

use std::collections::BTreeSet;

use peakdrill_drill_model::verdict::NodeKind;

use crate::analyse::Facts;
use crate::analyse::common::Common;
use crate::analyse::series::NodeSeries;

/// Own time has begun to stand out from light load when it is above it by this factor ...
const OUT: f64 = 2.0;
/// ... with so many operations more at the node than its work explains ...
const OUT_WAITING: f64 = 1.0;
/// ... for so many seconds in a row.
const OUT_S: usize = 2;
/// Own times below this are not told from the clock's and the scheduler's noise.
const NOISE_NS: f64 = 200_000.0;

/// The first second from which operations took twice as long at the node itself as at light load.
/// What all nodes are slower by is no waiting at this one.
pub(crate) fn onset(node: &NodeSeries, light: &[usize], common: &Common) -> Option<usize> {
    let calm_ns = node.mean_own_ns(light)?;
    let out = |s: usize| {
        let calm_s = (calm_ns + common.slower_at(s)).max(NOISE_NS) / 1e9;
        let (there, in_work) = (node.at_node[s], node.done[s] * calm_s);
        there >= OUT * in_work && there - in_work >= OUT_WAITING
    };
    (0..node.done.len().saturating_sub(OUT_S - 1))
        .find(|s| (*s..s + OUT_S).all(|s| !common.disturbed(s) && out(s)))
}

/// Whether the waiting began at this node: it began here, and not earlier at a caller of it.
pub(crate) fn began_here(facts: &Facts<'_>, at: usize, onsets: &[Option<usize>]) -> bool {
    let Some(mine) = onsets[at] else { return false };
    let node = &facts.series.nodes[at].key;
    let callers: BTreeSet<_> = facts
        .cells
        .edges
        .keys()
        .filter(|(edge, _)| facts.names.of(&edge.to) == *node)
        .map(|(edge, _)| &edge.from)
        .collect();
    let of_callers =
        facts.series.nodes.iter().zip(onsets).filter(|(n, _)| {
            n.key != *node && n.key.kind == NodeKind::Service && callers.contains(&n.key.name)
        });
    of_callers.filter_map(|(_, onset)| *onset).all(|theirs| theirs >= mine)
}
