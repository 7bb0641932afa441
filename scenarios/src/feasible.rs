//! Figures that follow from a plan.

use std::collections::BTreeSet;
use std::net::IpAddr;

use peakdrill_drill_model::plan::{FeederOrder, Journey, Node, Part, Phase, Plan, Request, Target};

use crate::lower::base_url;

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

/// Calls `see` for each request with the expected number of times it runs in a journey.
pub(crate) fn walk(steps: &[Node], times: f64, see: &mut dyn FnMut(&Request, f64)) {
    for step in steps {
        match step {
            Node::Request(request) => see(request, times),
            Node::Think { .. } | Node::ThinkLognormal { .. } => {}
            Node::Loop(turns) => {
                let mean = (f64::from(turns.min) + f64::from(turns.max)) / 2.0;
                walk(&turns.steps, times * mean, see);
            }
            Node::Choose(branches) => {
                let sum: f64 = branches.iter().map(|branch| branch.weight).sum();
                for branch in branches {
                    walk(&branch.steps, times * branch.weight / sum.max(f64::MIN_POSITIVE), see);
                }
            }
        }
    }
}

/// Requests that a journey is expected to send at the mix of a phase: where choices differ in their number, the mean.
pub(crate) fn requests_per_journey(journeys: &[Journey], phase: &Phase) -> f64 {
    let mut sum = 0.0;
    for (at, journey) in journeys.iter().enumerate() {
        let share = phase.mix.as_ref().and_then(|mix| mix.get(at).copied()).unwrap_or(journey.share);
        walk(&journey.steps, share, &mut |_, times| sum += times);
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
