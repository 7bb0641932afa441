//! What is true of a network in closed form: operational laws, no simulation.

use crate::model::{Call, Network, Node, Step};

/// Attempts that calls lead to which fail with chance `fails` each, at most `attempts`.
fn attempts(fails: f64, attempts: u32) -> f64 {
    (0..attempts).map(|n| fails.powi(n.cast_signed())).sum()
}

/// Chance that an operation fails at light load: after its work, or because a call of it does for good.
fn failures(network: &Network) -> Vec<f64> {
    let mut fails = vec![0.0; network.ops.len()];
    for at in (0..network.ops.len()).rev() {
        let mut well = 1.0;
        for step in &network.ops[at].steps {
            well *= step_goes_well(network, at, step, &fails);
        }
        fails[at] = 1.0 - well;
    }
    fails
}

fn step_goes_well(network: &Network, at: usize, step: &Step, fails: &[f64]) -> f64 {
    let fails_for_good = |call: &Call| {
        let once = 1.0 - fails[call.to].powi(call.attempts.cast_signed());
        call.chance * (1.0 - once.powi(call.times.cast_signed()))
    };
    match step {
        Step::Work(_) => 1.0 - network.ops[at].fails,
        Step::Publish(_) | Step::Hold(_) => 1.0,
        Step::Calls(calls) => calls.iter().map(|call| 1.0 - fails_for_good(call)).product(),
        Step::OneOf(calls) => 1.0 - calls.iter().map(fails_for_good).sum::<f64>(),
    }
}

/// Visits of every operation a journey, at light load. Operations call on later ones only.
#[must_use]
pub fn visits(network: &Network) -> Vec<f64> {
    let fails = failures(network);
    let mut visits = vec![0.0; network.ops.len()];
    network.journeys.iter().for_each(|(op, part)| visits[*op] += part);
    for at in 0..network.ops.len() {
        // What is left of it: who fails does nothing more.
        let mut here = visits[at];
        for step in &network.ops[at].steps {
            match step {
                Step::Work(_) | Step::Hold(_) => {}
                Step::Publish(to) => visits[*to] += here,
                Step::Calls(calls) | Step::OneOf(calls) => {
                    for call in calls {
                        let tries = attempts(fails[call.to], call.attempts);
                        let once = 1.0 - fails[call.to].powi(call.attempts.cast_signed());
                        // A loop ends with the first call of it that fails for good.
                        let loops: f64 = (0..call.times).map(|n| once.powi(n.cast_signed())).sum();
                        visits[call.to] += here * call.chance * loops * tries;
                    }
                }
            }
            here *= step_goes_well(network, at, step, &fails);
        }
    }
    visits
}

/// Visits of every node a journey.
#[must_use]
pub fn node_visits(network: &Network) -> Vec<f64> {
    let mut out = vec![0.0; network.nodes.len()];
    visits(network).iter().zip(&network.ops).for_each(|(visits, op)| out[op.node] += visits);
    out
}

/// Service demand of every node: milliseconds of one of its servers a journey. Operations work first.
#[must_use]
pub fn demands(network: &Network) -> Vec<f64> {
    let mut out = vec![0.0; network.nodes.len()];
    for (visits, op) in visits(network).iter().zip(&network.ops) {
        let work: f64 = op.steps.iter().map(|step| if let Step::Work(ms) = step { *ms } else { 0.0 }).sum();
        out[op.node] += visits * work;
    }
    out
}

/// Work a second that a node does when all its servers are busy, in seconds of one undisturbed server.
#[must_use]
pub fn strength(node: &Node) -> f64 {
    let n = f64::from(node.servers);
    let (sigma, kappa) = node.usl;
    let contention = 1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0);
    let moving = node.stall.map_or(1.0, |(every_s, stall_ms)| 1.0 - stall_ms / 1e3 / every_s);
    let balance = node.shards.map_or(1.0, |(shards, hot)| {
        let shards = f64::from(shards);
        1.0 / (shards * (hot + (1.0 - hot) / shards))
    });
    n * moving * balance / contention
}

/// Journeys a second at which the servers of each node are busy all the time; infinite where it has no work.
#[must_use]
pub fn capacities(network: &Network) -> Vec<f64> {
    let per_journey = demands(network);
    network.nodes.iter().zip(per_journey).map(|(node, ms)| strength(node) * 1e3 / ms).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Op;

    #[test]
    fn visits_multiply_along_calls() {
        let op = |node, steps, fails| Op { fails, ..Op::new(node, "op", steps) };
        let call = Call { chance: 0.5, times: 4, attempts: 3, ..Call::plain(1) };
        let network = Network {
            nodes: vec![Node::service("a"), Node { servers: 2, ..Node::service("b") }],
            ops: vec![
                op(0, vec![Step::Work(10.0), Step::Calls(vec![call])], 0.0),
                op(1, vec![Step::Work(5.0)], 0.1),
            ],
            journeys: vec![(0, 1.0)],
            ..Network::default()
        };
        // Half of the journeys, four times, 1 + 0.1 + 0.01 attempts each; one loop in a thousand calls ends early.
        let loops: f64 = (0..4).map(|n| 0.999_f64.powi(n)).sum();
        assert!((visits(&network)[1] - 0.5 * loops * 1.11).abs() < 1e-12);
        let capacities = capacities(&network);
        assert!((capacities[0] - 100.0).abs() < 1e-9);
        assert!((capacities[1] - 2000.0 / (5.0 * 0.5 * loops * 1.11)).abs() < 1e-9);
    }

    #[test]
    fn of_calls_of_which_one_is_made_the_visits_are_their_chances() {
        let op = |node, steps, fails| Op { fails, ..Op::new(node, "op", steps) };
        let one = vec![
            Call { chance: 0.7, times: 2, ..Call::plain(1) },
            Call { chance: 0.2, attempts: 2, ..Call::plain(2) },
        ];
        let network = Network {
            nodes: ["a", "b", "c", "d"].map(Node::service).into(),
            ops: vec![
                op(0, vec![Step::Work(1.0), Step::OneOf(one), Step::Calls(vec![Call::plain(3)])], 0.0),
                op(1, vec![Step::Work(1.0)], 0.0),
                op(2, vec![Step::Work(1.0)], 0.5),
                op(3, vec![Step::Work(1.0)], 0.0),
            ],
            journeys: vec![(0, 1.0)],
            ..Network::default()
        };
        // One in four of the second kind fails for good, and calls nobody any more.
        for (found, expected) in visits(&network).into_iter().zip([1.0, 1.4, 0.3, 0.95]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }

    #[test]
    fn a_hot_shard_limits_all() {
        let node = Node { servers: 4, shards: Some((4, 0.4)), ..Node::service("a") };
        // The first shard has one server, and 0.4 + 0.6/4 of the work.
        assert!((strength(&node) - 1.0 / 0.55).abs() < 1e-12);
    }
}
