//! When the machine was slow, and not a node: no bottleneck and no capacity can be read from such a run.

use crate::analyse::Facts;
use crate::analyse::judge::SHARE;
use crate::analyse::summary::Matter;
use crate::analyse::words::ms;

/// The generator's lateness is named when it grew by this part of what requests grew by ...
const LATE_PART: f64 = 0.5;
/// ... and by so many nanoseconds.
const LATE_NS: f64 = 5_000_000.0;

/// Why nothing is to be said of single nodes; empty when there is no reason. A run in which requests did not
/// suffer is told to have no bottleneck all the same.
pub(crate) fn because(facts: &Facts<'_>, matter: &Matter) -> Vec<String> {
    if !matter.any() {
        return Vec::new();
    }
    let mut out: Vec<String> = all_slower(facts).into_iter().collect();
    let grew_ns = matter.step_p90_ns.or(matter.p90_ns).map_or(0.0, |(light, peak)| peak - light);
    let explains = |late_ns: f64| matter.latency && late_ns >= LATE_PART * grew_ns;
    if let Some((light, peak)) = lateness_ns(facts)
        && peak - light >= LATE_NS
        && (explains(peak - light) || !out.is_empty())
    {
        out.push(format!(
            "the generator itself was late: 1 in 100 requests started about {} or more after their time (at most {} at light load)",
            ms(peak),
            ms(light)
        ));
    }
    out
}

/// Most of what grew is common to all nodes, and none stands out.
fn all_slower(facts: &Facts<'_>) -> Option<String> {
    let common = facts.common;
    let stands_out = |share: &Option<(f64, f64, f64)>| share.is_some_and(|(share, _, _)| share >= SHARE);
    if !common.is_most() || facts.growths.excess_share.iter().any(stands_out) {
        return None;
    }
    let (slower, known) = common.nodes;
    let nodes =
        if slower == known { format!("all {known} nodes") } else { format!("{slower} of {known} nodes") };
    Some(format!(
        "{nodes} became slower by about {} a call: what they share (the machine, its disk or network) and no single node",
        ms(common.slower_ns)
    ))
}

/// The generator's lateness at light load and at peak, nanoseconds: medians over the seconds, so that one bad
/// second is not taken for all.
fn lateness_ns(facts: &Facts<'_>) -> Option<(f64, f64)> {
    let median = |seconds: &[usize]| {
        let known = seconds.iter().filter_map(|s| facts.input.lateness_ms.get(*s).copied());
        let mut sorted: Vec<f64> = known.filter(|late| late.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        Some(sorted.get(sorted.len().checked_sub(1)? / 2)? * 1e6)
    };
    median(&facts.windows.light).zip(median(&facts.windows.peak))
}
