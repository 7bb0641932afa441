//! Servers, work, threads and connections of a network, so that each node carries what it shall.

use crate::model::{Network, Node, Step};
use crate::scenario::Limit;
use crate::topology::Draft;
use crate::truth::{demands, node_visits, strength, visits};

/// Service times of most nodes, of roomy ones that are slow, of light ones, and of what others offer over the
/// internet: milliseconds.
const USUAL_MS: (f64, f64) = (2.0, 40.0);
/// See [`USUAL_MS`].
const SLOW_MS: (f64, f64) = (80.0, 250.0);
/// See [`USUAL_MS`].
const LIGHT_MS: (f64, f64) = (0.2, 2.0);
/// See [`USUAL_MS`].
const REMOTE_MS: (f64, f64) = (40.0, 250.0);
/// What nodes that do not limit carry, by the peak.
const ROOM: (f64, f64) = (1.7, 5.0);

/// Gives every node servers and work so that it carries what it shall; the capacity of what is planted.
pub(super) fn size(
    draft: &mut Draft,
    planted: &[usize],
    limit: Limit,
    peak: f64,
    capacity: f64,
) -> Option<f64> {
    let (visits, weights) = (node_visits(&draft.net), demands(&draft.net));
    for (at, visits) in visits.iter().enumerate() {
        let servers_limit =
            planted.contains(&at) && !matches!(limit, Limit::Pool | Limit::Threads | Limit::Held);
        // A roomy one may be slow: what takes long is not what limits.
        let slow = !servers_limit && draft.is(0.12);
        let (low, high) = match draft.outside.contains(&at) {
            _ if slow => SLOW_MS,
            true => REMOTE_MS,
            false => USUAL_MS,
        };
        let work_ms = draft.around(low, high);
        let carries = if servers_limit { capacity } else { peak * draft.between(ROOM.0, ROOM.1) };
        let operations = (carries * visits).max(1e-3);
        let node = &mut draft.net.nodes[at];
        node.servers = ((operations * work_ms / 1e3).ceil() as u32).max(1);
        if let Some((shards, _)) = node.shards {
            node.servers = node.servers.next_multiple_of(shards);
        }
        let work_ms = strength(node) * 1e3 / (carries * weights[at]).max(1e-3);
        scale_work(draft, at, work_ms);
    }
    let free = |at: &usize| !planted.contains(at);
    for (nodes, (low, high)) in [(draft.light.clone(), LIGHT_MS), (draft.remote.clone(), REMOTE_MS)] {
        for at in nodes.into_iter().filter(free) {
            let work_ms = draft.around(low, high);
            let carries = peak * draft.between(ROOM.0, ROOM.1);
            set_work(draft, at, &weights, work_ms, carries);
        }
    }
    for twins in draft.twins.clone() {
        alike(draft, &twins, planted, &weights, peak);
    }
    threads_and_pools(draft, planted, limit, peak, capacity);
    held(draft, planted, limit, peak, capacity);
    match limit {
        // Of threads there is no closed form; of a hot key the other shards go on getting more done.
        Limit::Threads | Limit::Held | Limit::HotKey => None,
        _ if planted.is_empty() => None,
        _ => Some(capacity),
    }
}

fn scale_work(draft: &mut Draft, at: usize, times: f64) {
    let steps = draft.net.ops.iter_mut().filter(|op| op.node == at).flat_map(|op| &mut op.steps);
    for step in steps {
        if let Step::Work(ms) = step {
            *ms *= times;
        }
    }
}

/// This much work an operation of weight 1, and as many servers as carry so much.
fn set_work(draft: &mut Draft, at: usize, weights: &[f64], work_ms: f64, carries: f64) {
    let before = demands(&draft.net)[at] / weights[at];
    scale_work(draft, at, work_ms / before);
    let one = strength(&Node { servers: 1, shards: None, usl: (0.0, 0.0), ..draft.net.nodes[at].clone() });
    let servers = (carries * weights[at] * work_ms / 1e3 / one).ceil();
    draft.net.nodes[at].servers = (servers as u32).max(1);
}

/// The same program does the same work everywhere: that of the planted one.
fn alike(draft: &mut Draft, twins: &[usize], planted: &[usize], weights: &[f64], peak: f64) {
    let Some(like) = twins.iter().copied().find(|at| planted.contains(at)).or(twins.first().copied()) else {
        return;
    };
    let work_ms = demands(&draft.net)[like] / weights[like];
    let spread = draft.net.nodes[like].spread;
    for at in twins.iter().copied().filter(|at| *at != like && !planted.contains(at)) {
        draft.net.nodes[at].spread = spread;
        let carries = peak * draft.between(ROOM.0, ROOM.1);
        set_work(draft, at, weights, work_ms, carries);
    }
}

/// Milliseconds that steps take when nobody waits, calls and ways included.
fn steps_ms(net: &Network, steps: &[Step]) -> f64 {
    let call_ms = |call: &crate::model::Call| {
        call.chance * f64::from(call.times) * (2.0 * net.hop_ms + residence_ms(net, call.to))
    };
    let step_ms = |step: &Step| match step {
        Step::Work(ms) => *ms,
        Step::Publish(_) | Step::Hold(_) => 0.0,
        Step::Calls(calls) => calls.iter().map(call_ms).fold(0.0, f64::max),
        Step::OneOf(calls) => calls.iter().map(call_ms).sum(),
    };
    steps.iter().map(step_ms).sum()
}

/// The same of an operation.
fn residence_ms(net: &Network, op: usize) -> f64 {
    steps_ms(net, &net.ops[op].steps)
}

/// What a journey keeps of the threads of a node when nobody waits, milliseconds.
fn threads_ms(net: &Network, node: usize) -> f64 {
    let of_node = net.ops.iter().zip(visits(net)).filter(|(op, _)| op.node == node);
    of_node.map(|(op, visits)| visits * steps_ms(net, &op.steps)).sum()
}

/// Journeys a second that the threads of a node carry at most: when nobody waits behind them.
#[cfg(test)]
pub(super) fn threads_carry(net: &Network, node: usize) -> Option<f64> {
    Some(f64::from(net.nodes[node].workers?) * 1e3 / threads_ms(net, node))
}

/// Threads and connections: where they are planted they are the limit, else there are enough for calm callees,
/// and too few once what is behind is full.
fn threads_and_pools(draft: &mut Draft, planted: &[usize], limit: Limit, peak: f64, capacity: f64) {
    let visits = node_visits(&draft.net);
    for at in 0..visits.len() {
        if draft.net.nodes[at].workers.is_none() {
            continue;
        }
        let calm = peak * threads_ms(&draft.net, at) / 1e3;
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

/// What a journey keeps of the connections of a pool when nobody waits, milliseconds.
fn held_ms(net: &Network, pool: usize) -> f64 {
    let kept = |op: &crate::model::Op| {
        let from = op.steps.iter().position(|step| matches!(step, Step::Hold(at) if *at == pool))?;
        Some(steps_ms(net, &op.steps[from + 1..]))
    };
    net.ops.iter().zip(visits(net)).filter_map(|(op, visits)| Some(visits * kept(op)?)).sum()
}

/// Journeys a second that the connections of a pool carry at most: when nobody waits behind them.
#[cfg(test)]
pub(super) fn kept_carry(net: &Network, pool: usize) -> f64 {
    f64::from(net.held[pool]) * 1e3 / held_ms(net, pool)
}

/// Connections that are kept: where they are planted they are the limit, else there are enough as in
/// [`threads_and_pools`].
fn held(draft: &mut Draft, planted: &[usize], limit: Limit, peak: f64, capacity: f64) {
    let owners: Vec<(usize, usize)> =
        (0..draft.net.nodes.len()).filter_map(|at| Some((at, draft.holds(at)?))).collect();
    for (at, pool) in owners {
        let kept_ms = held_ms(&draft.net, pool);
        if limit != Limit::Held || !planted.contains(&at) {
            let wanted = peak * kept_ms / 1e3 * draft.between(2.0, 4.0) + 8.0;
            draft.net.held[pool] = wanted as u32;
            continue;
        }
        let wanted = (capacity * kept_ms / 1e3).ceil().max(1.0);
        draft.net.held[pool] = wanted as u32;
        // Whole connections: what is asked of others takes longer, until so many carry the capacity.
        let missing_ms = wanted * 1e3 / capacity - kept_ms;
        lengthen(draft, pool, missing_ms);
    }
}

/// The first remote call within a pool's connections takes longer by so much a journey, with the servers for it.
fn lengthen(draft: &mut Draft, pool: usize, missing_ms: f64) {
    let holds = |op: &&crate::model::Op| op.steps.iter().any(|s| matches!(s, Step::Hold(at) if *at == pool));
    let called = draft.net.ops.iter().filter(holds).flat_map(|op| &op.steps).flat_map(Step::calls);
    let remote = called.map(|call| draft.net.ops[call.to].node).find(|at| draft.remote.contains(at));
    let Some(at) = remote else { return };
    let before_ms = demands(&draft.net)[at];
    let times = (before_ms + missing_ms) / before_ms;
    scale_work(draft, at, times);
    let node = &mut draft.net.nodes[at];
    node.servers = (f64::from(node.servers) * times).ceil() as u32;
}
