//! The evidence, in sentences that a tired person understands.

use peakdrill_drill_model::verdict::NodeKind;

use crate::analyse::Facts;
use crate::analyse::besides::instances;
use crate::analyse::judge::{Finding, error_part};
use crate::analyse::series::{NodeSeries, mean};

/// Calls a journey that rose by this factor from light load to peak are spoken of.
const MORE_CALLS: f64 = 1.2;
/// Own time or share below this is not spoken of.
const WORTH_SAYING: f64 = 0.01;

/// A duration in nanoseconds, with three digits at most.
pub(crate) fn ms(ns: f64) -> String {
    match ns {
        n if n >= 9.95e9 => format!("{:.0} s", n / 1e9),
        n if n >= 1e9 => format!("{:.1} s", n / 1e9),
        n if n >= 9.95e6 => format!("{:.0} ms", n / 1e6),
        n => format!("{:.1} ms", n / 1e6),
    }
}

/// A rate a second.
pub(crate) fn rate(per_s: f64) -> String {
    if per_s >= 9.95 { format!("{per_s:.0}/s") } else { format!("{per_s:.1}/s") }
}

/// A rate of journeys.
pub(crate) fn journeys(per_s: f64) -> String {
    format!("{} journeys a second", rate(per_s).trim_end_matches("/s"))
}

/// A part of one.
pub(crate) fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}

/// Why a node stands where it does.
pub(crate) fn evidence(facts: &Facts<'_>, finding: &Finding) -> Vec<String> {
    let node = &facts.series.nodes[finding.at];
    let mut out = Vec::new();
    out.extend(grew(facts, finding, node));
    out.extend(was_full(finding, node));
    out.extend(can_carry(facts, finding, node));
    let names = |of: &[usize]| {
        let names: Vec<&str> = of.iter().map(|at| &*facts.series.nodes[*at].key.name).collect();
        names.join(", ")
    };
    if !finding.holds.is_empty() {
        let share: f64 =
            finding.holds.iter().filter_map(|at| facts.growths.share[*at]).map(|(share, _, _)| share).sum();
        out.push(format!(
            "what waits at {}, {} of the growth, waits for this one",
            names(&finding.holds),
            percent(share)
        ));
    }
    if !finding.held_by.is_empty() {
        out.push(format!(
            "it waits for {}: calls in progress behind it stand at a ceiling (threads or connections), so what waits stands here",
            names(&finding.held_by)
        ));
    }
    if finding.flags.onset
        && let Some(second) = finding.onset
    {
        out.push(format!("the waiting began here, {second} s into the load, and not at a caller"));
    }
    if finding.flags.plateau {
        out.push("the throughput of the whole system stopped at what this node can carry".to_owned());
    }
    if finding.flags.errors {
        out.push(format!("{} of the errors began here", percent(error_part(facts, finding.at))));
    }
    out.extend(facts.used.words(finding.at, facts.capacities));
    out.extend(more_calls(facts, node));
    out.extend(instances::words(facts, &node.key));
    if node.stubbed() {
        out.push("answered by a stub: its real capacity was not exercised".to_owned());
    }
    out
}

fn grew(facts: &Facts<'_>, finding: &Finding, node: &NodeSeries) -> Option<String> {
    let (light, peak) = (node.mean_own_ns(&facts.windows.light)?, node.mean_own_ns(&facts.windows.peak)?);
    let (share, _, _) = facts.growths.share[finding.at]?;
    let added = &facts.growths.added[finding.at];
    let name = &node.key.name;
    if share < WORTH_SAYING || peak <= light {
        return Some(format!("time at {name} stayed at {} a call ({} at light load)", ms(peak), ms(light)));
    }
    let what = match node.key.kind {
        NodeKind::Queue => "from publishing a message to the end of its processing, time",
        _ if finding.saturation.is_some() => "waiting and work",
        _ => "time",
    };
    let part = percent(share);
    let gap = if added.gap > (added.own + added.wait + added.flow).max(0.0) {
        "; most of it lies between the caller's span and the node's own: connection pool, network or accept queue"
    } else {
        ""
    };
    Some(format!(
        "{what} in {name} grew from {} to {} a call; {part} of the growth of a request{gap}",
        ms(light),
        ms(peak)
    ))
}

fn was_full(finding: &Finding, node: &NodeSeries) -> Option<String> {
    let full = finding.saturation.as_ref()?;
    let name = &node.key.name;
    let seconds = full.seconds.len();
    Some(if full.asked > full.done {
        format!(
            "{name} finished {} while {} were asked of it, for {seconds} s",
            rate(full.done),
            rate(full.asked)
        )
    } else {
        format!("{name} finished {} with work standing before it, for {seconds} s", rate(full.done))
    })
}

fn can_carry(facts: &Facts<'_>, finding: &Finding, node: &NodeSeries) -> Option<String> {
    let tested = facts.windows.tested?;
    match finding.capacity() {
        Some((capacity, low, high)) => Some(format!(
            "it carries {capacity:.0} journeys a second of this mix ({low:.0} to {high:.0}): a journey calls on it {:.2} times on average",
            facts.series.visits(node, &facts.windows.top).mean
        )),
        None if node.total.ops > 0 && finding.saturation.is_none() => {
            Some(format!("no knee up to {}", rate(tested)))
        }
        None => None,
    }
}

/// Retries and redeliveries show in the calls a journey, whatever the instrumentation says.
fn more_calls(facts: &Facts<'_>, node: &NodeSeries) -> Option<String> {
    let ratio = |seconds: &[usize]| {
        let requests = mean(&facts.series.requests, seconds);
        (requests > 0.0).then(|| mean(&node.ops, seconds) / requests / facts.series.part)
    };
    let (light, peak) = (ratio(&facts.windows.light)?, ratio(&facts.windows.peak)?);
    let failing = node.origin_errors.iter().sum::<f64>() > 0.0;
    (failing && light > 0.0 && peak >= MORE_CALLS * light)
        .then(|| format!("calls a request rose from {light:.2} to {peak:.2}: failed calls are repeated"))
}
