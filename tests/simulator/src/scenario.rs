//! A network with sizes, a load, and what is planted in it.

use peakdrill_drill_model::verdict::NodeKind;

use crate::model::{Load, Network, Step};
use crate::topology::{Draft, Topology};
use crate::truth::{node_visits, strength};

/// Keeps the chance of the network apart from that of its run.
const RUN_SEED: u64 = 0x5EED_0F7E_11A7_0001;
/// Nodes that fewer journeys than this part call on are not planted: few requests would notice.
const VISITED: f64 = 0.3;

/// What is planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One node that the peak asks more of than it can carry.
    Single,
    /// None: at the peak every node has more than two fifths left.
    Control,
    /// Two nodes of the same capacity.
    Two,
}

/// How a planted node is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// Its servers.
    Servers,
    /// Servers that get in each other's way.
    Contention,
    /// One of its shards has a hot key.
    HotKey,
    /// The pool of connections to it.
    Pool,
    /// The threads that wait for what is behind it.
    Threads,
}

/// One run to be simulated, with its truth.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its family.
    pub topology: Topology,
    /// What is planted.
    pub kind: Kind,
    /// Of it all.
    pub seed: u64,
    /// The system.
    pub network: Network,
    /// The load.
    pub load: Load,
    /// The planted nodes.
    pub planted: Vec<usize>,
    /// How they are limited.
    pub limit: Limit,
    /// Journeys a second that they can carry, where that is known in closed form.
    pub capacity: Option<f64>,
}

impl Scenario {
    /// Draws one.
    #[must_use]
    pub fn new(topology: Topology, kind: Kind, seed: u64) -> Self {
        let mut draft = Draft::new(seed.wrapping_mul(31).wrapping_add(topology as u64));
        topology.shape(&mut draft);
        let peak = draft.around(60.0, 120.0);
        let planted = plant(&mut draft, kind);
        twist(&mut draft);
        let limit = limit(&mut draft, topology, kind, &planted);
        let over = if kind == Kind::Two { 1.35 } else { draft.between(1.1, 1.6) };
        let live_per_s = if draft.is(0.5) { draft.between(2.0, 10.0) } else { 0.0 };
        let capacity = size(&mut draft, &planted, limit, peak, peak / over);
        let load = Load { profile: profile(&mut draft, peak - live_per_s), live_per_s, ..Load::default() };
        Self { topology, kind, seed, network: draft.net, load, planted, limit, capacity }
    }

    /// The same system so many times as large, under so many times the load: every node has as many times the servers,
    /// threads and connections, so that it carries as many times the journeys.
    #[must_use]
    pub fn larger(mut self, times: u32) -> Self {
        let factor = f64::from(times.max(1));
        let of = |size: &mut u32| *size = size.saturating_mul(times.max(1));
        for node in &mut self.network.nodes {
            let before = f64::from(node.servers);
            of(&mut node.servers);
            node.workers.iter_mut().for_each(of);
            let after = f64::from(node.servers);
            // Contention stays what it was a server.
            let pairs = |n: f64| (n - 1.0, n * (n - 1.0));
            let (few, many) = (pairs(before), pairs(after));
            node.usl = (node.usl.0 * few.0 / many.0.max(1.0), node.usl.1 * few.1 / many.1.max(1.0));
        }
        self.network.pools.iter_mut().for_each(of);
        self.network.noise.1 /= factor;
        for (_, from, to) in &mut self.load.profile {
            (*from, *to) = (*from * factor, *to * factor);
        }
        self.load.live_per_s *= factor;
        self.capacity = self.capacity.map(|capacity| capacity * factor);
        self
    }

    /// Name of a planted node.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.planted.iter().map(|at| self.network.nodes[*at].name.as_str()).collect()
    }

    /// Names of the services without whose spans nobody could know of a planted node: its own, and where it sends
    /// none, those that call it.
    #[must_use]
    pub fn needed(&self) -> Vec<&str> {
        let hidden = |op: usize| {
            let node = self.network.ops[op].node;
            self.planted.contains(&node) && !self.network.nodes[node].sends_spans()
        };
        let calls_hidden = |step: &Step| match step {
            Step::Calls(calls) => calls.iter().any(|call| hidden(call.to)),
            Step::Work(_) | Step::Publish(_) => false,
        };
        let callers = self.network.ops.iter().filter(|op| op.steps.iter().any(calls_hidden));
        let mut names = self.names();
        names.extend(callers.map(|op| self.network.nodes[op.node].name.as_str()));
        names
    }

    /// Simulates it.
    #[must_use]
    pub fn run(&self) -> crate::Run {
        crate::run(&self.network, &self.load, self.seed ^ RUN_SEED)
    }
}

fn plant(draft: &mut Draft, kind: Kind) -> Vec<usize> {
    let count = match kind {
        Kind::Control => 0,
        Kind::Single => 1,
        Kind::Two => 2,
    };
    let visits = node_visits(&draft.net);
    let mut candidates: Vec<usize> = (0..visits.len()).filter(|at| visits[*at] >= VISITED).collect();
    (0..count.min(candidates.len()))
        .map(|_| {
            let at = draft.whole(0, candidates.len() as u32 - 1) as usize;
            candidates.swap_remove(at)
        })
        .collect()
}

/// What makes every system a little different, and misleads.
fn twist(draft: &mut Draft) {
    draft.net.hop_ms = draft.around(0.1, 1.0);
    for at in 0..draft.net.nodes.len() {
        let spread = [0.2, 0.5, 1.0][draft.whole(0, 2) as usize];
        let accept = draft.is(0.4);
        let stall = draft.is(0.05).then(|| (draft.between(3.0, 6.0), draft.between(40.0, 120.0)));
        let node = &mut draft.net.nodes[at];
        node.spread = spread;
        node.accept |= accept && node.kind == NodeKind::Service && node.workers.is_none();
        node.stall = stall;
    }
}

fn limit(draft: &mut Draft, topology: Topology, kind: Kind, planted: &[usize]) -> Limit {
    let (Some(at), Kind::Single) = (planted.first().copied(), kind) else { return Limit::Servers };
    draft.net.nodes[at].stall = None;
    if draft.net.nodes[at].workers.is_some() && draft.is(0.5) {
        return Limit::Threads;
    }
    if topology == Topology::Chain && draft.net.nodes[at].name == "db" && !draft.net.pools.is_empty() {
        return Limit::Pool;
    }
    if draft.net.nodes[at].workers.is_some() {
        return Limit::Servers;
    }
    match draft.whole(0, 9) {
        0 => {
            draft.net.nodes[at].usl = (draft.between(0.01, 0.06), draft.between(0.0, 0.001));
            Limit::Contention
        }
        1 => {
            draft.net.nodes[at].shards = Some((4, draft.between(0.2, 0.5)));
            Limit::HotKey
        }
        _ => Limit::Servers,
    }
}

/// Gives every node servers and work so that it carries what it shall; the capacity of what is planted.
fn size(draft: &mut Draft, planted: &[usize], limit: Limit, peak: f64, capacity: f64) -> Option<f64> {
    let visits = node_visits(&draft.net);
    for (at, visits) in visits.iter().enumerate() {
        let servers_limit = planted.contains(&at) && !matches!(limit, Limit::Pool | Limit::Threads);
        // A roomy one may be slow: what takes long is not what limits.
        let slow = !servers_limit && draft.is(0.12);
        let work_ms = if slow { draft.around(80.0, 250.0) } else { draft.around(2.0, 40.0) };
        let carries = if servers_limit { capacity } else { peak * draft.between(1.7, 5.0) };
        let operations = (carries * visits).max(1e-3);
        let node = &mut draft.net.nodes[at];
        node.servers = ((operations * work_ms / 1e3).ceil() as u32).max(1);
        if let Some((shards, _)) = node.shards {
            node.servers = node.servers.next_multiple_of(shards);
        }
        let work_ms = strength(node) * 1e3 / operations;
        for op in draft.net.ops.iter_mut().filter(|op| op.node == at) {
            for step in &mut op.steps {
                if let Step::Work(ms) = step {
                    *ms = work_ms;
                }
            }
        }
    }
    threads_and_pools(draft, planted, limit, peak, capacity);
    match limit {
        // Of threads there is no closed form; of a hot key the other shards go on getting more done.
        Limit::Threads | Limit::HotKey => None,
        _ if planted.is_empty() => None,
        _ => Some(capacity),
    }
}

/// Milliseconds that an operation takes when nobody waits, calls and ways included.
fn residence_ms(net: &Network, op: usize) -> f64 {
    let call_ms = |call: &crate::model::Call| {
        call.chance * f64::from(call.times) * (2.0 * net.hop_ms + residence_ms(net, call.to))
    };
    let step_ms = |step: &Step| match step {
        Step::Work(ms) => *ms,
        Step::Publish(_) => 0.0,
        Step::Calls(calls) => calls.iter().map(call_ms).fold(0.0, f64::max),
    };
    net.ops[op].steps.iter().map(step_ms).sum()
}

/// Threads and connections: where they are planted they are the limit, else there are enough for calm callees,
/// and too few once what is behind is full.
fn threads_and_pools(draft: &mut Draft, planted: &[usize], limit: Limit, peak: f64, capacity: f64) {
    let visits = node_visits(&draft.net);
    for (at, visits) in visits.iter().enumerate() {
        if draft.net.nodes[at].workers.is_none() {
            continue;
        }
        let op = draft.net.ops.iter().position(|op| op.node == at).unwrap_or(0);
        let calm = peak * visits * residence_ms(&draft.net, op) / 1e3;
        let limited = limit == Limit::Threads && planted.contains(&at);
        let wanted = if limited { calm * capacity / peak } else { calm * draft.between(2.0, 4.0) + 8.0 };
        draft.net.nodes[at].workers = Some((wanted.round() as u32).max(1));
    }
    if draft.net.pools.is_empty() {
        return;
    }
    let Some(db) = draft.net.ops.iter().position(|op| draft.net.nodes[op.node].name == "db") else { return };
    let held_s = (residence_ms(&draft.net, db) + 2.0 * draft.net.hop_ms) / 1e3;
    let visits = visits[draft.net.ops[db].node];
    if limit == Limit::Pool {
        // Whole connections: the time that one is held is fitted to the capacity.
        let size = (capacity * visits * held_s).ceil().max(1.0);
        draft.net.pools[0] = size as u32;
        let work_ms = size / (capacity * visits) * 1e3 - 2.0 * draft.net.hop_ms;
        let (old_ms, node) = (held_s * 1e3 - 2.0 * draft.net.hop_ms, draft.net.ops[db].node);
        draft.net.ops[db].steps[0] = Step::Work(work_ms);
        let more = f64::from(draft.net.nodes[node].servers) * work_ms / old_ms;
        // Nobody waits behind the pool.
        draft.net.nodes[node].servers = (more.ceil() as u32).max(size as u32);
    } else {
        let wanted = peak * visits * held_s * draft.between(2.0, 4.0) + 4.0;
        let servers = draft.net.nodes[draft.net.ops[db].node].servers;
        draft.net.pools[0] = (wanted as u32).max(2 * servers);
    }
}

/// One of the ways to load a system.
fn profile(draft: &mut Draft, peak: f64) -> Vec<(f64, f64, f64)> {
    let light = peak * draft.between(0.1, 0.2);
    match draft.whole(0, 3) {
        0 => {
            let step = |i: u32| light + (peak - light) * f64::from(i) / 5.0;
            let mut out: Vec<_> = (0..5).map(|i| (5.0, step(i), step(i))).collect();
            out.push((12.0, peak, peak));
            out
        }
        1 => vec![(8.0, light, light), (16.0, light, peak), (12.0, peak, peak), (5.0, light, light)],
        2 => vec![(10.0, light, light), (14.0, peak, peak), (12.0, light, light)],
        _ => vec![(8.0, light, light), (8.0, light, peak), (14.0, peak, peak), (8.0, light, light)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::capacities;

    #[test]
    fn a_larger_system_carries_as_many_times_more() {
        for topology in Topology::ALL {
            for seed in 1..=20 {
                let one = Scenario::new(topology, Kind::Single, seed);
                let many = one.clone().larger(20);
                let (a, b) = (capacities(&one.network), capacities(&many.network));
                let grew = |(a, b): (&f64, &f64)| a.is_infinite() || (b / a / 20.0 - 1.0).abs() < 1e-9;
                assert!(a.iter().zip(&b).all(grew), "{topology:?} {seed}: {a:?} {b:?}");
            }
        }
    }

    #[test]
    fn what_is_planted_is_the_smallest_capacity_and_below_the_peak() {
        for topology in Topology::ALL {
            for seed in 1..=20 {
                let scenario = Scenario::new(topology, Kind::Single, seed);
                let (Some(capacity), Limit::Servers | Limit::Contention) =
                    (scenario.capacity, scenario.limit)
                else {
                    continue;
                };
                let capacities = capacities(&scenario.network);
                let at = scenario.planted[0];
                assert!((capacities[at] / capacity - 1.0).abs() < 1e-9, "{topology:?} {seed}");
                let peak: f64 = scenario.load.profile.iter().map(|(_, _, to)| *to).fold(0.0, f64::max);
                assert!(capacity < 0.95 * (peak + scenario.load.live_per_s));
                let others = capacities.iter().enumerate().filter(|(i, _)| *i != at);
                assert!(others.clone().all(|(_, other)| *other > 1.5 * capacity), "{topology:?} {seed}");
            }
        }
    }
}
