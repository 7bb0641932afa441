//! Instances of a service of which one is busier than the others: more of the same do not help then, or not as they should.

use std::collections::BTreeMap;
use std::sync::Arc;

use peakdrill_drill_model::verdict::{Finding, FindingKind, NodeKind};

use crate::analyse::Facts;
use crate::cells::{Cell as _, INSTANCE_WINDOW_S, InstanceCell};
use crate::key::{NodeKey, TraceClass, text};

/// Fewer operations an instance than this, on average, say nothing.
const FEW_OPS: i64 = 100;
/// The busiest works so many times as long as all do on average ...
const BUSIER: f64 = 1.3;
/// ... and has so many operations in progress at a time: what hardly works is nobody's trouble.
const AT_A_TIME: f64 = 0.5;
/// Services that are told of, those whose busiest instance has most in progress first.
const SERVICES_MAX: usize = 5;

/// A stretch of the load, and what each instance did in it.
type Stretch<'a> = (i64, BTreeMap<&'a str, InstanceCell>);

/// The busiest instance of a service beside all of them.
struct Busiest<'a> {
    name: &'a str,
    instances: usize,
    /// By the mean over all: its own time, the number of its operations.
    busy: f64,
    ops: f64,
    /// Own time an operation, by that of the others; `None` where these have none.
    longer: Option<f64>,
    /// Operations in progress at a time.
    at_a_time: f64,
    /// It was so in the first half of the time as well as in the second.
    stays: bool,
}

pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut services: Vec<&Arc<str>> = facts.cells.instances.keys().map(|(service, ..)| service).collect();
    services.dedup();
    let busiest = services.into_iter().filter_map(|service| Some((service, busiest(facts, service)?)));
    let stands_out = |found: &Busiest<'_>| found.busy > BUSIER && found.at_a_time >= AT_A_TIME && found.stays;
    let mut told: Vec<_> = busiest.filter(|(_, found)| stands_out(found)).collect();
    told.sort_by(|a, b| b.1.at_a_time.total_cmp(&a.1.at_a_time).then_with(|| a.0.cmp(b.0)));
    told.iter().filter_map(|(service, found)| finding(service, found)).take(SERVICES_MAX).collect()
}

/// The busiest instance beside the mean, for the evidence of a service that has several.
pub(in crate::analyse) fn words(facts: &Facts<'_>, node: &NodeKey) -> Option<String> {
    if node.kind != NodeKind::Service {
        return None;
    }
    let found = busiest(facts, &node.name)?;
    Some(format!(
        "of {} instances the busiest, {}, worked {:.1} times as long as the mean, on {:.1} times as many calls",
        found.instances, found.name, found.busy, found.ops
    ))
}

/// What is said of it: whether it gets more calls, takes longer for each, or both, what matters most first. `None` where
/// neither is known.
fn finding(service: &str, found: &Busiest<'_>) -> Option<Finding> {
    let Busiest { name, instances, busy, ops, longer, .. } = found;
    // By the mean over all, its time is the number of its calls times the time of one.
    let each = busy / ops;
    let more = (*ops > BUSIER || *ops >= each).then(|| {
        (
            format!("it gets {ops:.1} times as many calls as the mean"),
            format!(
                "look at how calls are spread over the instances of {service}: connections that last (HTTP/2, gRPC) and stay \
                 where they were opened, sessions that stick, a hash of few keys, weights; more instances help as little as \
                 one gets so much"
            ),
        )
    });
    let slower = longer.filter(|_| each > BUSIER || each > *ops).map(|longer| {
        (
            format!("a call takes {longer:.1} times as long there as at the others"),
            format!(
                "compare {name} with the other instances of {service}: its machine and neighbours, processors that are \
                 throttled, memory and garbage collection, version and configuration, the partition or data that it holds"
            ),
        )
    });
    let in_order = if each > *ops { [slower, more] } else { [more, slower] };
    let (why, action): (Vec<String>, Vec<String>) = in_order.into_iter().flatten().unzip();
    (!why.is_empty()).then(|| Finding {
        kind: FindingKind::BusyInstance,
        node: service.to_owned(),
        text: format!(
            "{name}, one of {instances} instances of {service}, works {busy:.1} times as long as they do on average: {}",
            why.join(", and ")
        ),
        action: action.join("; and "),
    })
}

/// Of the stretches of the load with the same instances there, those in which most was done: an instance that was started
/// or stopped meanwhile is no imbalance.
fn busiest<'a>(facts: &'a Facts<'_>, service: &Arc<str>) -> Option<Busiest<'a>> {
    let mut groups: BTreeMap<Vec<&str>, Vec<Stretch<'_>>> = BTreeMap::new();
    for (second, cells) in stretches(facts, service)? {
        groups.entry(cells.keys().copied().collect()).or_default().push((second, cells));
    }
    let done = |stretches: &[Stretch<'_>]| sums(stretches).values().map(|cell| cell.ops).sum::<i64>();
    let (names, stretches) = groups.into_iter().max_by_key(|(_, stretches)| done(stretches))?;
    let all = sums(&stretches);
    if names.len() < 2 || done(&stretches) < FEW_OPS * names.len() as i64 {
        return None;
    }
    let (name, most) = all.iter().max_by_key(|(_, cell)| cell.own_ns)?;
    let (first, second) = stretches.split_at(stretches.len() / 2);
    let stays = |half: &[Stretch<'_>]| by_mean(&sums(half), name, |cell| cell.own_ns) > BUSIER;
    let rest = all.iter().filter(|(other, _)| *other != name);
    let (ops, own_ns) = rest.fold((0, 0), |(ops, own), (_, cell)| (ops + cell.ops, own + cell.own_ns));
    let each = |own_ns: i64, ops: i64| own_ns as f64 / ops.max(1) as f64;
    Some(Busiest {
        name,
        instances: names.len(),
        busy: by_mean(&all, name, |cell| cell.own_ns),
        ops: by_mean(&all, name, |cell| cell.ops),
        longer: (own_ns > 0).then(|| each(most.own_ns, most.ops) / each(own_ns, ops)),
        at_a_time: most.own_ns as f64 / 1e9 / (stretches.len() as i64 * INSTANCE_WINDOW_S) as f64,
        stays: stays(first) && stays(second),
    })
}

/// What the instances of a service did in each stretch of the load in which any of them worked. One is there from the first
/// to the last stretch in which it worked, before and after the load too, and may do nothing between. `None` where some
/// have no names of their own.
fn stretches<'a>(
    facts: &'a Facts<'_>,
    service: &Arc<str>,
) -> Option<BTreeMap<i64, BTreeMap<&'a str, InstanceCell>>> {
    let mut by_time: BTreeMap<i64, BTreeMap<&str, InstanceCell>> = BTreeMap::new();
    let mut there: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    let from = (Arc::clone(service), TraceClass::Mine, Arc::clone(&text::NONE));
    let of_service = facts.cells.instances.range(from..).take_while(|((of, ..), _)| of == service);
    for ((_, _, instance), seconds) in of_service {
        if [service, instance].into_iter().any(|name| facts.cells.stands_for_many(name)) {
            return None;
        }
        if let (Some((first, _)), Some((last, _))) = (seconds.first_key_value(), seconds.last_key_value()) {
            let known = there.entry(instance).or_insert((*first, *last));
            *known = (known.0.min(*first), known.1.max(*last));
        }
        for (second, cell) in seconds.range(0..facts.series.load as i64) {
            by_time.entry(*second).or_default().entry(instance).or_default().add(cell);
        }
    }
    for (second, cells) in &mut by_time {
        let are_there = there.iter().filter(|(_, (first, last))| (first..=last).contains(&second));
        for (instance, _) in are_there {
            cells.entry(instance).or_default();
        }
    }
    Some(by_time)
}

fn sums<'a>(stretches: &[Stretch<'a>]) -> BTreeMap<&'a str, InstanceCell> {
    let mut out: BTreeMap<&str, InstanceCell> = BTreeMap::new();
    for (instance, cell) in stretches.iter().flat_map(|(_, cells)| cells) {
        out.entry(instance).or_default().add(cell);
    }
    out
}

/// Something of one instance by the mean of all.
fn by_mean(all: &BTreeMap<&str, InstanceCell>, name: &str, of: impl Fn(&InstanceCell) -> i64) -> f64 {
    let sum: i64 = all.values().map(&of).sum();
    all.get(name).map_or(0.0, |cell| of(cell) as f64 * all.len() as f64 / sum.max(1) as f64)
}

#[cfg(test)]
mod tests;
