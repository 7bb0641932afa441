//! Figures that follow from a plan.

use std::collections::BTreeSet;
use std::net::IpAddr;

use peakdrill_drill_model::condition::Selectors;
use peakdrill_drill_model::plan::{
    Feeder, FeederOrder, Journey, Loop, Node, OnExhausted, Part, Phase, Plan, Request, StepInfo, Target,
    WS_PER_JOURNEY_MAX, Ws, WsAct,
};
use peakdrill_drill_model::shape::Shape;
use peakdrill_drill_model::timeline::Timeline;
use peakdrill_timebase::format_duration;

use crate::lower::base_url;

/// What to do when a feeder has too few rows.
pub(crate) const MORE_ROWS: &str = "add rows, lower the load, or say `on_exhausted: recycle`";

/// Whether all load for a target stays on this machine: its addresses, or the host of its URL, are `localhost`,
/// 127.0.0.0/8 or ::1. A URL that cannot be read does not.
#[must_use]
pub fn is_loopback_target(target: &Target) -> bool {
    let Ok(url) = base_url(&target.base_url) else { return false };
    if !target.resolve.addresses.is_empty() {
        return target.resolve.addresses.iter().all(|address| address.ip().is_loopback());
    }
    url.host == "localhost" || url.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether a host fits a pattern of `guards.limits.hosts`: the same host, or any below `*.`.
#[must_use]
pub fn host_matches(pattern: &str, host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    let pattern = pattern.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    match pattern.strip_prefix("*.") {
        Some(parent) => host.strip_suffix(parent).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        None => host == pattern,
    }
}

/// A journey's share of the arrivals of a phase.
pub(crate) fn share(plan: &Plan, phase: &Phase, journey: usize) -> f64 {
    let own = plan.journeys.get(journey).map_or(0.0, |journey| journey.share);
    phase.mix.as_ref().and_then(|mix| mix.get(journey).copied()).unwrap_or(own)
}

/// Rows that a sequential or shuffled feeder needs. A journey takes the row of its global index, so rows are needed
/// up to the last arrival of a phase in which a journey with this feeder has a share. A closed loop is not counted:
/// its number of journeys depends on the answers.
pub(crate) fn rows_needed(plan: &Plan, feeder: u16, used: &[BTreeSet<u16>]) -> u64 {
    let (mut arrivals, mut needed) = (0.0, 0.0);
    for phase in &plan.load.phases {
        arrivals += phase.shape.arrivals();
        let uses =
            |(at, used): (usize, &BTreeSet<u16>)| used.contains(&feeder) && share(plan, phase, at) > 0.0;
        if used.iter().enumerate().any(uses) {
            needed = arrivals;
        }
    }
    f64::ceil(needed - 1e-6).max(0.0) as u64
}

/// The feeders that each journey uses.
pub(crate) fn used_feeders(plan: &Plan) -> Vec<BTreeSet<u16>> {
    plan.journeys
        .iter()
        .map(|journey| {
            let mut used = BTreeSet::new();
            walk(&journey.steps, 1.0, &mut |request, _| collect(request, &mut used));
            used
        })
        .collect()
}

fn collect(request: &Request, used: &mut BTreeSet<u16>) {
    for template in request.templates() {
        template.visit(&mut |part| {
            if let Part::Feeder { feeder, .. } = part {
                used.insert(*feeder);
            }
        });
    }
}

/// Calls `see` for each request with the expected number of times it runs in a journey. The opening of a WebSocket runs
/// where that is not open already.
pub(crate) fn walk(steps: &[Node], times: f64, see: &mut dyn FnMut(&Request, f64)) {
    walk_on(steps, times, &mut [0.0; WS_PER_JOURNEY_MAX as usize], see);
}

/// The same from a place where each WebSocket is open with a probability.
fn walk_on(steps: &[Node], times: f64, open: &mut Sockets, see: &mut dyn FnMut(&Request, f64)) {
    for step in steps {
        match step {
            Node::Request(request) => {
                let socket = match &request.ws {
                    Some(Ws { connection, act: WsAct::Open }) => open.get_mut(usize::from(*connection)),
                    _ => None,
                };
                let known = socket.map_or(0.0, |socket| std::mem::replace(socket, 1.0));
                see(request, times * (1.0 - known));
            }
            Node::Think { .. } | Node::ThinkLognormal { .. } => {}
            Node::Loop(turns) => walk_turns(turns, times, open, see),
            Node::Choose(branches) => {
                let sum: f64 = branches.iter().map(|branch| branch.weight).sum();
                let mut after = [0.0; WS_PER_JOURNEY_MAX as usize];
                for branch in branches {
                    let (share, mut here) = (branch.weight / sum.max(f64::MIN_POSITIVE), *open);
                    walk_on(&branch.steps, times * share, &mut here, see);
                    after.iter_mut().zip(here).for_each(|(after, here)| *after += share * here);
                }
                if !branches.is_empty() {
                    *open = after;
                }
            }
        }
    }
}

/// The first turn of a loop, and the others, in which what it opens is open.
fn walk_turns(turns: &Loop, times: f64, open: &mut Sockets, see: &mut dyn FnMut(&Request, f64)) {
    let mean = (f64::from(turns.min) + f64::from(turns.max)) / 2.0;
    let none = if turns.min == 0 { 1.0 / (f64::from(turns.max) + 1.0) } else { 0.0 };
    let mut here = *open;
    walk_on(&turns.steps, times * (1.0 - none), &mut here, see);
    let first = here;
    walk_on(&turns.steps, times * (mean - (1.0 - none)).max(0.0), &mut here, see);
    open.iter_mut().zip(first).for_each(|(open, first)| *open = none * *open + (1.0 - none) * first);
}

/// How likely each WebSocket of a journey is open.
type Sockets = [f64; WS_PER_JOURNEY_MAX as usize];

/// Requests that a journey is expected to send at the mix of a phase: where choices differ in their number, the mean.
pub(crate) fn requests_per_journey(journeys: &[Journey], phase: &Phase) -> f64 {
    requests_per_s((journeys, &[]), phase, &Selectors::default(), 1.0)
}

/// Requests a second that a phase is expected to send at a rate, of the journey and the step that are asked for.
pub(crate) fn requests_per_s(
    (journeys, steps): (&[Journey], &[StepInfo]),
    phase: &Phase,
    select: &Selectors,
    rate: f64,
) -> f64 {
    let mut sum = 0.0;
    for (at, journey) in journeys.iter().enumerate() {
        if select.journey.as_ref().is_some_and(|wanted| *wanted != journey.name) {
            continue;
        }
        let share = phase.mix.as_ref().and_then(|mix| mix.get(at).copied()).unwrap_or(journey.share);
        walk(&journey.steps, rate * share, &mut |request, times| {
            let step = steps.get(usize::from(request.step)).map(|info| &info.step);
            if select.step.is_none() || select.step.as_ref() == step {
                sum += times;
            }
        });
    }
    sum
}

/// Expected number of times that each request step of a plan runs, by its index; closed loops are not counted, and loops
/// with a condition as if it always held.
#[must_use]
pub fn expected_requests(plan: &Plan) -> Vec<f64> {
    let mut out = vec![0.0; plan.steps.len()];
    for phase in &plan.load.phases {
        let arrivals = phase.shape.arrivals();
        for (at, journey) in plan.journeys.iter().enumerate() {
            walk(&journey.steps, arrivals * share(plan, phase, at), &mut |request, times| {
                if let Some(slot) = out.get_mut(usize::from(request.step)) {
                    *slot += times;
                }
            });
        }
    }
    out
}

/// Rows that each feeder needs for the whole plan; `None` for feeders whose rows are drawn.
#[must_use]
pub fn feeder_rows(plan: &Plan) -> Vec<Option<u64>> {
    let used = used_feeders(plan);
    let one = |(at, feeder): (usize, &peakdrill_drill_model::plan::Feeder)| match feeder.order {
        FeederOrder::Sequential | FeederOrder::Shuffle => Some(rows_needed(plan, at as u16, &used)),
        FeederOrder::Random | FeederOrder::Zipf(_) => None,
    };
    plan.feeders.iter().enumerate().map(one).collect()
}

/// What is said of a load that lasts longer than `guards.limits.duration`.
pub(crate) fn too_long(plan: &Plan) -> Option<String> {
    let total = plan.duration_ns();
    let limit = plan.guards.limit_duration_ns.filter(|limit| total > *limit)?;
    let (total, limit) = (format_duration(total), format_duration(limit));
    Some(format!("the load lasts {total}, longer than the limit of {limit}"))
}

/// What is said of a feeder whose rows run out, and whether the run then ends as failed.
pub(crate) fn too_few_rows(feeder: &Feeder, needed: u64) -> Option<(bool, String)> {
    let order = match feeder.order {
        FeederOrder::Sequential => "sequential",
        FeederOrder::Shuffle => "shuffle",
        FeederOrder::Random | FeederOrder::Zipf(_) => return None,
    };
    let (fail, then) = match feeder.on_exhausted {
        OnExhausted::Recycle => return None,
        OnExhausted::StopJourney => (false, "stop_journey"),
        OnExhausted::Fail => (true, "fail"),
    };
    let message = format!(
        "feeder `{}` has {} rows, the plan needs about {needed} (order: {order}, on_exhausted: {then})",
        feeder.name, feeder.row_count
    );
    (needed > feeder.row_count as u64).then_some((fail, message))
}

/// What stands against the start of a run that could not be told before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AtStart {
    /// What forbids it.
    pub problems: Vec<String>,
    /// What its user should know.
    pub warnings: Vec<String>,
}

/// Checks what depends on the length of phases that last until an instant, when the start is known. Of a plan without
/// one all was told when it was read.
#[must_use]
pub fn at_start(plan: &Plan, timeline: &Timeline) -> AtStart {
    let mut plan = plan.clone();
    let mut known_before = true;
    for (phase, laid) in plan.load.phases.iter_mut().zip(timeline.phases()) {
        if let Shape::HoldUntil { rate, .. } = phase.shape {
            phase.shape = Shape::Hold { rate, for_ns: laid.end_ns - laid.start_ns };
            known_before = false;
        }
    }
    let mut found = AtStart::default();
    if known_before {
        return found;
    }
    found.problems.extend(too_long(&plan).map(|what| format!("{what} (guards.limits.duration)")));
    let used = used_feeders(&plan);
    for (at, feeder) in plan.feeders.iter().enumerate() {
        let Some((fail, what)) = too_few_rows(feeder, rows_needed(&plan, at as u16, &used)) else { continue };
        let list = if fail { &mut found.problems } else { &mut found.warnings };
        list.push(format!("{what}: {MORE_ROWS}"));
    }
    found
}
