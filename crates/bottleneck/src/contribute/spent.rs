//! Operations of nodes: how many, how long, and when the node was busy with them.

use peakdrill_latency::Sparse;
use smallvec::SmallVec;

use crate::cells::{InstanceCell, LinkCell, NodeCell, PartitionCell};
use crate::contribute::attempts::Attempts;
use crate::contribute::gather::Gather;
use crate::contribute::handed;
use crate::contribute::keys::gather_key;
use crate::contribute::{Caller, Root, filed_under};
use crate::handed::share;
use crate::key::{NodeKey, TraceClass};
use crate::tree::{Place, Role, Tree, virtual_node};

type Intervals = SmallVec<[(i64, i64); 8]>;

/// Files every operation of the trace.
pub(super) fn gather_operations(
    gather: &mut Gather,
    tree: &Tree<'_>,
    root: Option<&Root>,
    attempts: &Attempts,
) {
    let waits = waits_by_operation(tree);
    let failed_inside = failures_by_operation(tree);
    for (at, place) in tree.nodes.iter().enumerate() {
        match place.role {
            Role::Serve | Role::Process => {
                let done = Done {
                    holes: &waits[at],
                    gap_ns: attempts.of(at).gap_ns,
                    origin_error: place.span.error && !failed_inside[at],
                };
                operation(gather, tree, at, root, &done);
            }
            Role::Call if !tree.wraps_calls(at) && tree.served_by(at).next().is_none() => {
                remote(gather, tree, at, root);
            }
            Role::Publish => {
                let node = virtual_node(place.span);
                gather.publish(&node);
                handed::sent(gather, tree, at, root);
                gather.node(&node, gather.second(place.end), &NodeCell { arrived: 1, ..NodeCell::default() });
            }
            _ => {}
        }
    }
}

/// Per operation, when it waited for nodes behind it.
fn waits_by_operation(tree: &Tree<'_>) -> Vec<Intervals> {
    let mut waits = vec![Intervals::new(); tree.nodes.len()];
    for place in &tree.nodes {
        let waiting = match place.role {
            Role::Call | Role::Publish => place.within,
            // A callee whose caller's span is missing.
            Role::Serve => place
                .parent
                .filter(|p| !matches!(tree.nodes[*p].role, Role::Call | Role::Publish))
                .and_then(|p| tree.nodes[p].within),
            _ => None,
        };
        if let Some(operation) = waiting {
            waits[operation].push((place.start, place.end));
        }
    }
    waits
}

/// Per operation, whether a call of it failed.
fn failures_by_operation(tree: &Tree<'_>) -> Vec<bool> {
    let mut failed = vec![false; tree.nodes.len()];
    for place in &tree.nodes {
        if let (Role::Call | Role::Publish, Some(operation), true) =
            (place.role, place.within, place.span.error)
        {
            failed[operation] = true;
        }
    }
    failed
}

/// `[start, end)` less a set of intervals.
fn without(start: i64, end: i64, holes: &Intervals) -> Intervals {
    let mut sorted = holes.clone();
    sorted.sort_unstable();
    let (mut out, mut at) = (Intervals::new(), start);
    for (from, to) in sorted {
        let from = from.min(end);
        if from > at {
            out.push((at, from));
        }
        at = at.max(to);
    }
    if at < end {
        out.push((at, end));
    }
    out
}

/// From when to when a message waited in its queue, where its publishing is known.
pub(super) fn queued(tree: &Tree<'_>, at: usize) -> Option<(i64, i64)> {
    let producer = &tree.nodes[tree.producer_of(at)?];
    let start = tree.nodes[at].start;
    // A consumer may begin before the producer's span is closed.
    Some((producer.end.min(start), start))
}

/// What is known of an operation besides its span.
struct Done<'a> {
    /// When it waited for nodes behind it.
    holes: &'a Intervals,
    /// Time between the caller's and its own span, nanoseconds, where it carries that.
    gap_ns: Option<u64>,
    /// It failed, and nothing behind it did.
    origin_error: bool,
}

fn operation(gather: &mut Gather, tree: &Tree<'_>, at: usize, root: Option<&Root>, done: &Done<'_>) {
    let place = &tree.nodes[at];
    let node = &place.owner;
    let mut own = without(place.start, place.end, done.holes);
    let worked_ns = own.iter().map(|(from, to)| to - from).sum();
    let links = handed::links(tree, at);
    let parts = u32::try_from(links.len().max(1)).unwrap_or(u32::MAX);
    let mut cell = NodeCell {
        ops: i64::from(parts),
        origin_errors: i64::from(done.origin_error),
        ..NodeCell::default()
    };
    let mut arrived = place.start;
    if let Some(call) = Caller::of(tree, at, root) {
        // Placed before the callee's span, where pools and accept queues are; by durations, not by clocks.
        let gap = done.gap_ns.unwrap_or(0).min(i64::MAX.unsigned_abs() / 4);
        arrived = call.start;
        if gap > 0 {
            own.push((call.start, call.start.saturating_add_unsigned(gap)));
        }
    }
    let waited = queued(tree, at).filter(|_| place.role == Role::Process);
    gather_partition(gather, place, waited, parts);
    if let Some((from, to)) = waited {
        own.push((from, to));
        cell.queued_ns = to - from;
        cell.queued.add((to - from).unsigned_abs(), 1);
    }
    let own_ns = own.iter().map(|(from, to)| (to - from).unsigned_abs()).sum();
    // How long messages of other traces waited is known, if at all, where what both traces tell is put together.
    let is_told = !links.is_empty() && gather.class() == TraceClass::Mine;
    if is_told {
        handed::taken(gather, tree, at, root, (&links, own_ns));
    } else {
        handed::untold(gather, place);
        add_shares(&mut cell.own, own_ns, parts);
    }
    if place.role == Role::Process {
        gather.links(node, &LinkCell { processed: i64::from(parts), ..LinkCell::default() });
    }
    let is_entry = root.is_some_and(|root| root.is_entry(tree, at));
    gather_key(gather, tree, (at, is_entry), node, own_ns);
    let worked = InstanceCell { ops: i64::from(parts), own_ns: worked_ns };
    gather.instance(place.span, gather.second(place.start), &worked);
    add_shares(&mut cell.span, place.duration(), parts);
    gather.node(node, filed_under(gather, root, place.start), &cell);
    ended(gather, node, place, root, parts);
    if !is_told && tree.producer_of(at).is_none() {
        let cell = NodeCell { arrived: i64::from(parts), ..NodeCell::default() };
        gather.node(node, gather.second(arrived), &cell);
    }
    own.iter().for_each(|(from, to)| gather.busy(node, *from, *to, |cell| &mut cell.own_ns));
    gather.busy(node, place.start, place.end, |cell| &mut cell.busy_ns);
    gather.visit(node);
}

/// As many samples, which add up to a whole.
fn add_shares(histogram: &mut Sparse, whole_ns: u64, parts: u32) {
    let whole = i64::try_from(whole_ns).unwrap_or(i64::MAX);
    (0..parts).for_each(|at| histogram.add(share(whole, at, parts).unsigned_abs(), 1));
}

/// `waited`: from when to when a message waited, where that is known; `parts`: messages that were processed together.
fn gather_partition(gather: &mut Gather, place: &Place<'_>, waited: Option<(i64, i64)>, parts: u32) {
    let Some(partition) = place.span.partition.filter(|_| place.role == Role::Process) else { return };
    let awaited = i64::from(waited.is_some());
    let mut cell = PartitionCell { ops: i64::from(parts), awaited, ..PartitionCell::default() };
    add_shares(&mut cell.span, place.duration(), parts);
    if let Some((from, to)) = waited {
        cell.queued.add((to - from).unsigned_abs(), 1);
    }
    gather.partition(&place.owner, partition, &cell);
}

fn ended(gather: &mut Gather, node: &NodeKey, place: &Place<'_>, root: Option<&Root>, parts: u32) {
    let parts = i64::from(parts);
    let cell = if root.is_some_and(|r| r.cut_off(place)) {
        NodeCell { abandoned: parts, ..NodeCell::default() }
    } else {
        NodeCell { done: parts, ..NodeCell::default() }
    };
    gather.node(node, gather.second(place.end), &cell);
}

/// An operation of a node that is only seen from its caller.
fn remote(gather: &mut Gather, tree: &Tree<'_>, at: usize, root: Option<&Root>) {
    let place = &tree.nodes[at];
    let node = virtual_node(place.span);
    let mut cell = NodeCell {
        ops: 1,
        mocked: i64::from(place.span.mocked),
        origin_errors: i64::from(place.span.error),
        ..NodeCell::default()
    };
    cell.own.add(place.duration(), 1);
    cell.span.add(place.duration(), 1);
    gather_key(gather, tree, (at, false), &node, place.duration());
    gather.node(&node, filed_under(gather, root, place.start), &cell);
    ended(gather, &node, place, root, 1);
    gather.node(&node, gather.second(place.start), &NodeCell { arrived: 1, ..NodeCell::default() });
    gather.busy(&node, place.start, place.end, |cell| &mut cell.own_ns);
    gather.busy(&node, place.start, place.end, |cell| &mut cell.busy_ns);
    gather.visit(&node);
}
