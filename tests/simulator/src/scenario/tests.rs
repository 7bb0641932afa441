use peakdrill_trace_model::{Messaging, SpanKind};

use super::*;
use crate::truth::{capacities, demands, node_visits, strength};

fn every(kinds: &[Kind]) -> impl Iterator<Item = Scenario> {
    let each = Topology::all().flat_map(|t| kinds.iter().map(move |kind| (t, *kind)));
    each.flat_map(|(t, kind)| (1..=40).map(move |seed| Scenario::new(t, kind, seed)))
}

fn name(scenario: &Scenario) -> String {
    format!("{:?} {:?} {}", scenario.topology, scenario.kind, scenario.seed)
}

/// Journeys a second at the peak, live users' included.
fn peak(scenario: &Scenario) -> f64 {
    scenario.load.profile.iter().map(|(_, _, to)| *to).fold(0.0, f64::max) + scenario.load.live_per_s
}

#[test]
fn a_larger_system_carries_as_many_times_more() {
    for one in every(&[Kind::Single]) {
        let many = one.clone().larger(20);
        let (a, b) = (capacities(&one.network), capacities(&many.network));
        let grew = |(a, b): (&f64, &f64)| a.is_infinite() || (b / a / 20.0 - 1.0).abs() < 1e-9;
        assert!(a.iter().zip(&b).all(grew), "{}: {a:?} {b:?}", name(&one));
        assert!(one.network.held.iter().zip(&many.network.held).all(|(a, b)| a * 20 == *b));
    }
}

#[test]
fn what_is_planted_is_the_smallest_capacity_and_below_the_peak() {
    for scenario in every(&[Kind::Single]) {
        let (Some(capacity), Limit::Servers | Limit::Contention) = (scenario.capacity, scenario.limit) else {
            continue;
        };
        let (capacities, at) = (capacities(&scenario.network), scenario.planted[0]);
        assert!((capacities[at] / capacity - 1.0).abs() < 1e-9, "{}", name(&scenario));
        assert!(capacity < 0.95 * peak(&scenario));
        let others = capacities.iter().enumerate().filter(|(i, _)| *i != at);
        assert!(
            others.clone().all(|(_, other)| *other > 1.5 * capacity),
            "{}: {capacities:?}",
            name(&scenario)
        );
    }
}

#[test]
fn two_planted_have_the_same_capacity_and_all_others_more() {
    for scenario in every(&[Kind::Two]) {
        let (capacities, capacity) = (capacities(&scenario.network), scenario.capacity.unwrap_or(0.0));
        // Of four entries before one database only the latter has enough visits to be planted.
        let one = scenario.topology == Topology::SharedDb && scenario.network.journeys.len() == 4;
        assert_eq!(scenario.planted.len(), if one { 1 } else { 2 }, "{}", name(&scenario));
        for (at, other) in capacities.iter().enumerate() {
            let right = match scenario.planted.contains(&at) {
                true => (other / capacity - 1.0).abs() < 1e-9,
                false => *other > 1.5 * capacity,
            };
            assert!(right, "{}: {at} of {capacities:?}", name(&scenario));
        }
    }
}

#[test]
fn without_a_bottleneck_every_node_has_two_fifths_left() {
    for scenario in every(&[Kind::Control]) {
        let (capacities, peak) = (capacities(&scenario.network), peak(&scenario));
        // What a node carries is drawn before its stalls: these are told by `strength`.
        let calm = capacities.iter().all(|capacity| 0.6 * capacity > peak);
        assert!(scenario.planted.is_empty() && calm, "{}: {peak} {capacities:?}", name(&scenario));
        for pool in 0..scenario.network.held.len() {
            assert!(sizes::kept_carry(&scenario.network, pool) > 1.7 * peak, "{}", name(&scenario));
        }
    }
}

#[test]
fn kept_connections_limit_where_they_are_planted_and_nowhere_else() {
    let mut planted = 0;
    for scenario in every(&[Kind::Single]).filter(|s| !s.network.held.is_empty()) {
        let (net, peak) = (&scenario.network, peak(&scenario));
        let limits = |at: usize| scenario.limit == Limit::Held && scenario.planted.contains(&at);
        for (at, capacity) in capacities(net).into_iter().enumerate() {
            let of_node = net.ops.iter().filter(|op| op.node == at).flat_map(|op| &op.steps);
            let pools =
                of_node.filter_map(|step| if let Step::Hold(pool) = step { Some(*pool) } else { None });
            for pool in pools {
                let carry = sizes::kept_carry(net, pool);
                planted += usize::from(limits(at));
                let right = if limits(at) { carry < 0.95 * peak } else { carry > 1.5 * peak };
                assert!(right, "{}: {pool} {carry} {peak}", name(&scenario));
            }
            // Where connections limit, no node does.
            assert!(scenario.limit != Limit::Held || capacity > 1.5 * peak, "{}", name(&scenario));
        }
    }
    assert!(planted >= 3, "{planted}");
}

#[test]
fn cells_run_the_same_program() {
    for scenario in every(&[Kind::Single]).filter(|s| s.topology == Topology::Cells) {
        let (net, visits) = (&scenario.network, node_visits(&scenario.network));
        let work: Vec<f64> = demands(net).iter().zip(&visits).map(|(ms, visits)| ms / visits).collect();
        for service in ["api-", "cart-", "stock-", "db-"] {
            let same = |at: &usize| net.nodes[*at].name.starts_with(service);
            let cells: Vec<usize> = (0..net.nodes.len()).filter(same).collect();
            assert!(cells.len() >= 3, "{}", name(&scenario));
            for at in &cells {
                assert!((work[*at] / work[cells[0]] - 1.0).abs() < 1e-9, "{}: {work:?}", name(&scenario));
                assert_eq!(net.nodes[*at].spread, net.nodes[cells[0]].spread);
            }
        }
        let small = scenario.planted[0];
        assert!(net.nodes[small].name.contains('-') && strength(&net.nodes[small]) > 0.0);
    }
}

#[test]
fn what_limits_behind_frontends_is_used_by_one_kind_of_journey() {
    for scenario in every(&[Kind::Single]).filter(|s| s.topology == Topology::Frontends) {
        let uses = |entry: &(usize, f64)| {
            let alone = Network { journeys: vec![(entry.0, 1.0)], ..scenario.network.clone() };
            node_visits(&alone)[scenario.planted[0]] > 0.0
        };
        let used = scenario.network.journeys.iter().filter(|entry| uses(entry)).count();
        assert_eq!(used, 1, "{}", name(&scenario));
    }
}

#[test]
fn call_trees_are_as_they_are_told_of() {
    let mut sizes: Vec<f64> = Vec::new();
    for scenario in every(&[Kind::Single]).filter(|s| s.topology == Topology::CallTrees) {
        for entry in &scenario.network.journeys {
            sizes.push(below(&scenario.network, entry.0, 0));
        }
    }
    sizes.sort_by(f64::total_cmp);
    let at = |part: f64| sizes[(part * (sizes.len() - 1) as f64) as usize];
    assert!((9.0..=17.0).contains(&at(0.5)), "median {}", at(0.5));
    assert!(at(0.1) <= 5.0 && at(0.9) >= 50.0 && at(1.0) <= 60.0, "{} {} {}", at(0.1), at(0.9), at(1.0));
}

/// Calls below an operation, each counted once; no deeper than six.
fn below(net: &Network, op: usize, depth: u32) -> f64 {
    assert!(depth <= 6, "{depth} deep");
    let calls = net.ops[op].steps.iter().flat_map(Step::calls);
    calls.map(|call| 1.0 + below(net, call.to, depth + 1)).sum()
}

/// Journeys a second that a node got done in the last seconds of the peak, by its own spans or its callers': by work, as
/// operations that come later in a journey are fewer while a backlog grows.
fn done_at_peak(scenario: &Scenario, node: usize) -> f64 {
    let top = scenario.load.profile.iter().map(|(_, from, to)| from.min(*to)).fold(0.0, f64::max);
    let (mut start, mut until) = (0.0, 0.0);
    for (seconds, from, to) in &scenario.load.profile {
        start += seconds;
        until = if from.min(*to) >= top { start } else { until };
    }
    let from = until - 8.0;
    let named = &scenario.network.nodes[node];
    let run = scenario.run();
    let of_node = |span: &&peakdrill_trace_model::Span| match &span.peer {
        Some(peer) => *peer.node == *named.name && span.messaging != Some(Messaging::Send),
        None => *span.service == *named.name,
    };
    let done = run.traces.iter().flat_map(|trace| &trace.spans).filter(of_node).filter(|span| {
        // A call of a service has spans on both sides.
        let own = !named.sends_spans() || span.kind != SpanKind::Client;
        own && (from..until).contains(&((span.end_ns - crate::ORIGIN_NS) as f64 / 1e9))
    });
    let work = |span: &peakdrill_trace_model::Span| {
        let op = scenario.network.ops.iter().find(|op| op.node == node && *op.name == *span.op);
        let step = op.and_then(|op| op.steps.first());
        if let Some(Step::Work(ms)) = step { *ms } else { 0.0 }
    };
    done.map(work).sum::<f64>() / (until - from) / demands(&scenario.network)[node]
}

#[test]
fn what_is_planted_in_whole_systems_gets_its_capacity_done_and_no_more() {
    let whole = Topology::all().filter(|t| t.whole_system() || t.held_out());
    for topology in whole {
        let every = (1..=25).map(|seed| Scenario::new(topology, Kind::Single, seed));
        let mut parts = Vec::new();
        // What gets done with too few threads is below their closed form: others wait behind them a little.
        for scenario in every.filter(|s| !matches!(s.limit, Limit::HotKey | Limit::Threads)) {
            let at = scenario.planted[0];
            let held = scenario.limit == Limit::Held;
            let capacity = if held { held_of(&scenario, at) } else { scenario.capacity.unwrap_or(0.0) };
            let part = done_at_peak(&scenario, at) / capacity;
            // Of few operations in eight seconds chance makes much, of all together little.
            assert!((0.65..=1.25).contains(&part), "{} {:?}: {part}", name(&scenario), scenario.limit);
            parts.push(part);
        }
        let mean = parts.iter().sum::<f64>() / parts.len() as f64;
        assert!((0.95..=1.03).contains(&mean), "{topology:?}: {mean} of {parts:?}");
    }
}

/// Journeys a second that the smallest pool of a node carries.
fn held_of(scenario: &Scenario, node: usize) -> f64 {
    let of_node = scenario.network.ops.iter().filter(|op| op.node == node).flat_map(|op| &op.steps);
    let pools = of_node.filter_map(|step| if let Step::Hold(pool) = step { Some(*pool) } else { None });
    pools.map(|pool| sizes::kept_carry(&scenario.network, pool)).fold(f64::INFINITY, f64::min)
}

/// Those that are held out, and those that were before.
fn applications() -> impl Iterator<Item = Topology> {
    Topology::HELD_OUT_SECOND.into_iter().chain(Topology::HELD_OUT)
}

fn of_applications(seeds: std::ops::RangeInclusive<u64>, kind: Kind) -> impl Iterator<Item = Scenario> {
    let each = applications().flat_map(move |t| seeds.clone().map(move |seed| (t, seed)));
    each.map(move |(t, seed)| Scenario::new(t, kind, seed))
}

#[test]
fn operations_call_on_later_ones_and_parts_add_up() {
    for scenario in every(&[Kind::Single]) {
        let net = &scenario.network;
        let sum: f64 = net.journeys.iter().map(|(_, part)| part).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{}: {sum}", name(&scenario));
        for (at, op) in net.ops.iter().enumerate() {
            for step in &op.steps {
                let later = match step {
                    Step::Publish(to) => *to > at,
                    step => step.calls().iter().all(|call| call.to > at),
                };
                assert!(later, "{}: {}", name(&scenario), op.name);
                let parts: f64 =
                    if let Step::OneOf(calls) = step { calls.iter().map(|c| c.chance).sum() } else { 1.0 };
                assert!((parts - 1.0).abs() < 1e-9, "{}: {parts}", name(&scenario));
            }
        }
    }
}

#[test]
fn threads_limit_where_they_are_planted_and_nowhere_else() {
    let (mut planted, mut roomy) = (0, 0);
    for scenario in every(&[Kind::Single, Kind::Control, Kind::Two]) {
        for at in 0..scenario.network.nodes.len() {
            let Some(carry) = sizes::threads_carry(&scenario.network, at) else { continue };
            let limits = scenario.limit == Limit::Threads && scenario.planted.contains(&at);
            // Whole threads: of a few of them half a one is some percent.
            let right = if limits { carry < peak(&scenario) } else { carry > 1.7 * peak(&scenario) };
            assert!(right, "{}: {at} {carry} {}", name(&scenario), peak(&scenario));
            *(if limits { &mut planted } else { &mut roomy }) += 1;
        }
        // Where threads limit, no node does.
        let carry = || capacities(&scenario.network).into_iter().fold(f64::INFINITY, f64::min);
        assert!(scenario.limit != Limit::Threads || carry() > 1.5 * peak(&scenario), "{}", name(&scenario));
    }
    assert!(planted >= 5 && roomy >= 100, "{planted} {roomy}");
}

#[test]
fn every_kind_of_node_that_can_limit_is_planted_in_applications() {
    for topology in applications() {
        let every = (1..=75).map(|seed| Scenario::new(topology, Kind::Single, seed));
        let mut planted: Vec<String> = every.map(|s| s.names()[0].to_owned()).collect();
        planted.sort_unstable();
        planted.dedup();
        assert!(planted.len() >= 5, "{topology:?}: {planted:?}");
    }
}

#[test]
fn service_times_of_applications_are_of_two_orders_of_magnitude() {
    for topology in applications() {
        let mut times: Vec<f64> = Vec::new();
        for scenario in (1..=40).map(|seed| Scenario::new(topology, Kind::Control, seed)) {
            let visits = node_visits(&scenario.network);
            times.extend(demands(&scenario.network).iter().zip(visits).map(|(ms, visits)| ms / visits));
        }
        times.sort_by(f64::total_cmp);
        let at = |part: f64| times[(part * (times.len() - 1) as f64) as usize];
        let (low, middle, high) = (at(0.05), at(0.5), at(0.95));
        assert!(high / low >= 100.0 && (2.0..=40.0).contains(&middle), "{topology:?}: {low} {middle} {high}");
    }
}

/// By spans of its own, or of those that call it.
#[test]
fn what_is_planted_in_applications_can_be_known_from_spans() {
    for scenario in of_applications(1..=8, Kind::Single).chain(of_applications(1..=4, Kind::Two)) {
        let run = scenario.run();
        for at in &scenario.planted {
            let node = &scenario.network.nodes[*at];
            let spans = run.traces.iter().flat_map(|trace| &trace.spans);
            let (mut own, mut asked) = (0, 0);
            for span in spans {
                let peer = span.peer.as_ref().is_some_and(|peer| *peer.node == *node.name);
                own += usize::from(*span.service == *node.name || (peer && span.kind == SpanKind::Consumer));
                asked += usize::from(peer && span.kind == SpanKind::Client);
            }
            let known = if node.sends_spans() { own } else { asked };
            assert!(known >= 200, "{}: {} {own} {asked}", name(&scenario), node.name);
            assert!(node.sends_spans() || own == 0, "{}", name(&scenario));
        }
    }
}
