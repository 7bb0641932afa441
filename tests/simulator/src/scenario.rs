//! A network with sizes, a load, and what is planted in it.

mod sizes;

use peakdrill_drill_model::verdict::NodeKind;

use crate::model::{Load, Network, Step};
use crate::topology::{Draft, Topology};
use crate::truth::node_visits;
use sizes::size;

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
    /// The pool of connections that it keeps while it waits for what is behind it.
    Held,
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
        self.network.pools.iter_mut().chain(&mut self.network.held).for_each(of);
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
        let calls_hidden = |step: &Step| step.calls().iter().any(|call| hidden(call.to));
        let callers = self.network.ops.iter().filter(|op| op.steps.iter().any(calls_hidden));
        let mut names = self.names();
        names.extend(callers.map(|op| self.network.nodes[op.node].name.as_str()));
        names
    }

    /// Whether calls that fail are made again.
    #[must_use]
    pub fn repeats(&self) -> bool {
        let calls = self.network.ops.iter().flat_map(|op| &op.steps).flat_map(Step::calls);
        calls.into_iter().any(|call| call.attempts > 1)
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
    let may =
        |at: &usize| visits[*at] >= VISITED && (draft.suspects.is_empty() || draft.suspects.contains(at));
    let mut candidates: Vec<usize> = (0..visits.len()).filter(may).collect();
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
    if draft.holds(at).is_some() && draft.is(0.5) {
        return Limit::Held;
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
mod tests;
