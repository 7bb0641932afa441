//! One node that several callers wait for at once: named as the one thing they share, and not caller by caller.

use std::collections::BTreeMap;

use peakdrill_drill_model::verdict::{Finding, FindingKind, NodeKind};

use crate::analyse::Facts;
use crate::analyse::judge;
use crate::analyse::words::ms;
use crate::cells::EdgeCell;

use super::calls::{ByCaller, Calls, is_service};
use super::change::{Part, change, mean, sum, times};

/// Fewer calls of a caller than this at light load or at peak say nothing.
const FEW_CALLS: f64 = 20.0;
/// Calls of every caller take longer by this factor ...
const SLOWER: f64 = 1.5;
/// ... by this one at the low end of the interval ...
const SLOWER_FOR_SURE: f64 = 1.2;
/// ... and by so many nanoseconds.
const SLOWER_NS: f64 = 2_000_000.0;
/// Callers begin to wait within so many seconds.
const AT_ONCE_S: usize = 5;
/// Width of the mean that the beginning is read from, in seconds.
const OVER_S: usize = 3;
/// Callers that are named before "and others".
const CALLERS_MAX: usize = 4;

/// A caller that waits.
struct Waiting<'a> {
    from: &'a str,
    light_ns: f64,
    peak_ns: f64,
    /// Second of the load.
    since: usize,
}

pub(super) fn findings(facts: &Facts<'_>, calls: &ByCaller<'_>, judged: &[judge::Finding]) -> Vec<Finding> {
    let mut callers: BTreeMap<usize, Vec<(&str, &Calls<'_>)>> = BTreeMap::new();
    for ((from, to), calls) in calls.iter().filter(|((from, _), _)| is_service(facts, from)) {
        callers.entry(*to).or_default().push((&**from, calls));
    }
    // What the drill met as a stub and live users did not are two things.
    let waited_for = |f: &&judge::Finding| {
        let node = &facts.series.nodes[f.at];
        f.flags.share && f.held_by.is_empty() && !node.stubbed() && node.key.kind != NodeKind::Queue
    };
    let one = |f: &judge::Finding| finding(facts, f.at, callers.get(&f.at)?);
    judged.iter().filter(waited_for).filter_map(one).collect()
}

fn finding(facts: &Facts<'_>, at: usize, callers: &[(&str, &Calls<'_>)]) -> Option<Finding> {
    let known: Vec<_> = callers.iter().filter(|(_, calls)| is_known(facts, calls)).collect();
    let waiting: Vec<Waiting<'_>> =
        known.iter().filter_map(|(from, calls)| waiting(facts, from, calls)).collect();
    let first = waiting.iter().map(|w| w.since).min()?;
    let last = waiting.iter().map(|w| w.since).max()?;
    // One that does not wait has the same node behind it: then it is not the node.
    if waiting.len() < 2 || waiting.len() < known.len() || last - first > AT_ONCE_S {
        return None;
    }
    let name = &facts.series.nodes[at].key.name;
    let said = waiting
        .iter()
        .take(CALLERS_MAX)
        .map(|w| format!("{} ({} a call at light load, {} at peak)", w.from, ms(w.light_ns), ms(w.peak_ns)));
    let others = waiting.len().saturating_sub(CALLERS_MAX);
    let others = if others > 0 { format!(" and {others} others") } else { String::new() };
    Some(Finding {
        kind: FindingKind::SharedDependency,
        node: name.to_string(),
        text: format!(
            "{} callers wait for {name} at once, from second {first} of the load on: {}{others}",
            waiting.len(),
            said.collect::<Vec<_>>().join(", ")
        ),
        action: format!(
            "mend {name}, not its callers: it is the one thing they share; until then give each caller its own bounded part \
             of it, so that one cannot stop the others"
        ),
    })
}

/// Time in calls, and calls.
fn took(cell: &EdgeCell) -> Part {
    (cell.latency.sum_ns() as f64, cell.calls as f64)
}

fn is_known(facts: &Facts<'_>, calls: &Calls<'_>) -> bool {
    let windows = [&facts.windows.light, &facts.windows.peak];
    windows.iter().all(|seconds| sum(&calls.parts(seconds, took)).1 >= FEW_CALLS)
}

fn waiting<'a>(facts: &Facts<'_>, from: &'a str, calls: &Calls<'_>) -> Option<Waiting<'a>> {
    let parts = |seconds: &[usize]| calls.parts(seconds, took);
    let (light, peak) = (parts(&facts.windows.light), parts(&facts.windows.peak));
    let (light_ns, peak_ns) = (mean(&light)?, mean(&peak)?);
    if peak_ns < SLOWER * light_ns || peak_ns - light_ns < SLOWER_NS {
        return None;
    }
    let grown = change(&light, &peak, times, &facts.input.settings)?;
    let every: Vec<usize> = (0..facts.series.load).collect();
    // Half of the growth has come.
    let half = light_ns + (peak_ns - light_ns) / 2.0;
    let since = parts(&every).windows(OVER_S).position(|some| mean(some).is_some_and(|ns| ns >= half))?;
    (grown.low >= SLOWER_FOR_SURE).then_some(Waiting { from, light_ns, peak_ns, since })
}
