//! Edges: who called whom.

use std::sync::Arc;

use peakdrill_drill_model::verdict::NodeKind;
use peakdrill_trace_model::PeerKind;

use crate::cells::{EdgeCell, TelemetryCell};
use crate::contribute::attempts::{Attempt, Attempts};
use crate::contribute::gather::Gather;
use crate::contribute::{Caller, Root, clocks, filed_under, refusal};
use crate::key::{EdgeKey, NodeKey, TraceClass, text};
use crate::tree::{Place, Role, Tree, virtual_node};

/// Files every call of the trace.
pub(super) fn gather_calls(gather: &mut Gather, tree: &Tree<'_>, root: Option<&Root>, attempts: &Attempts) {
    for (at, place) in tree.nodes.iter().enumerate() {
        match place.role {
            Role::Serve => served(gather, tree, at, root, attempts),
            Role::Call if !tree.wraps_calls(at) && tree.served_by(at).next().is_none() => {
                unanswered(gather, tree, at, root, attempts.of(at))
            }
            Role::Publish => published(gather, tree, at, root),
            Role::Process => processed(gather, tree, at, root),
            _ => {}
        }
    }
}

/// The edge by which a callee's span was entered, and the call's span where it is there.
fn edge_of_server(gather: &mut Gather, tree: &Tree<'_>, at: usize, root: Option<&Root>) -> EdgeKey {
    let place = &tree.nodes[at];
    let from = match place.parent {
        Some(parent) => Arc::clone(&tree.nodes[parent].span.service),
        None if root.is_some_and(|r| r.is_entry(tree, at)) => Arc::clone(entry_name(gather.class())),
        None => Arc::clone(&text::UNKNOWN),
    };
    EdgeKey { from, to: place.owner.clone(), op: gather.op(&place.span.op) }
}

fn entry_name(class: TraceClass) -> &'static Arc<str> {
    if class == TraceClass::Live { &text::USERS } else { &text::LOAD }
}

fn served(gather: &mut Gather, tree: &Tree<'_>, at: usize, root: Option<&Root>, attempts: &Attempts) {
    let attempt = attempts.of(at);
    let place = &tree.nodes[at];
    let call = place.parent.filter(|p| tree.nodes[*p].role == Role::Call);
    if let Some(root) = root.filter(|r| r.is_entry(tree, at)) {
        gather.entry(&root.entry, &place.span.service);
    }
    let first = attempt.first && call.is_none_or(|c| attempts.of(c).leads);
    let caller = Caller::of(tree, at, root);
    let duration = caller.as_ref().map_or(place.duration(), Caller::duration);
    let end = caller.as_ref().map_or(place.end, |c| c.end);
    let call_beside = attempt.first && call.is_some_and(|c| attempts.of(c).beside);
    let beside = i64::from(attempt.beside || call_beside);
    let mut cell = EdgeCell { attempts: 1, beside, calls: i64::from(first), ..EdgeCell::default() };
    if first {
        cell.errors = i64::from(caller.as_ref().map_or(place.span.error, |c| c.error));
        cell.latency.add(duration, 1);
    }
    let own = refusal(place.span.status);
    match caller.as_ref().filter(|_| attempt.alone) {
        Some(c) if c.error => failed(&mut cell, duration, own || c.refused),
        // That it refused, or was asked for the wrong thing, is no error of the server's.
        None if place.span.error || place.span.status >= 400 => failed(&mut cell, place.duration(), own),
        _ => {}
    }
    // Of several attempts one carries what lies between the caller and the callee.
    if let Some(gap_ns) = attempt.gap_ns {
        cell.paired = 1;
        cell.gap_ns = i64::try_from(gap_ns).unwrap_or(i64::MAX);
        if let Some(caller) = &caller {
            clocks::compare(gather, tree, at, root, caller);
        }
    }
    if let Some(call) = call {
        let received = TelemetryCell { expected: 1, received: 1, ..TelemetryCell::default() };
        gather.telemetry(&place.span.service, &received);
        let peer = tree.nodes[call].span.peer.as_ref();
        if let Some(peer) = peer.filter(|peer| peer.node != place.span.service) {
            gather.alias(&peer.node, &place.span.service);
        }
    }
    let key = edge_of_server(gather, tree, at, root);
    file(gather, key, root, place.start, end, &cell);
}

fn unanswered(gather: &mut Gather, tree: &Tree<'_>, at: usize, root: Option<&Root>, attempt: Attempt) {
    let place = &tree.nodes[at];
    let first = attempt.leads;
    let mut cell = EdgeCell {
        attempts: 1,
        beside: i64::from(attempt.beside),
        calls: i64::from(first),
        mocked: i64::from(place.span.mocked),
        ..EdgeCell::default()
    };
    if first {
        cell.errors = i64::from(place.span.error);
        cell.latency.add(place.duration(), 1);
    }
    if place.span.error {
        failed(&mut cell, place.duration(), refusal(place.span.status));
    }
    let peer = place.span.peer.as_ref().filter(|peer| peer.kind == PeerKind::Service);
    if let Some(peer) = peer.filter(|_| !place.span.mocked && !place.span.error) {
        gather.telemetry(&peer.node, &TelemetryCell { expected: 1, ..TelemetryCell::default() });
    }
    let op = gather.op(&place.span.op);
    let key = EdgeKey { from: Arc::clone(&place.span.service), to: virtual_node(place.span), op };
    file(gather, key, root, place.start, place.end, &cell);
}

fn published(gather: &mut Gather, tree: &Tree<'_>, at: usize, root: Option<&Root>) {
    let place = &tree.nodes[at];
    let mut cell =
        EdgeCell { attempts: 1, calls: 1, errors: i64::from(place.span.error), ..EdgeCell::default() };
    cell.latency.add(place.duration(), 1);
    if place.span.error {
        failed(&mut cell, place.duration(), false);
    }
    let op = gather.op(&place.span.op);
    let key = EdgeKey { from: Arc::clone(&place.span.service), to: virtual_node(place.span), op };
    file(gather, key, root, place.start, place.end, &cell);
}

fn processed(gather: &mut Gather, tree: &Tree<'_>, at: usize, root: Option<&Root>) {
    let place = &tree.nodes[at];
    if place.owner.kind != NodeKind::Queue {
        return;
    }
    let mut cell =
        EdgeCell { attempts: 1, calls: 1, errors: i64::from(place.span.error), ..EdgeCell::default() };
    cell.latency.add(place.duration(), 1);
    if place.span.error {
        failed(&mut cell, place.duration(), false);
    }
    let key = edge_of_consumer(gather, place);
    file(gather, key, root, place.start, place.end, &cell);
}

/// The edge from a queue to who processes its messages.
pub(super) fn edge_of_consumer(gather: &mut Gather, place: &Place<'_>) -> EdgeKey {
    let to = NodeKey { name: Arc::clone(&place.span.service), kind: NodeKind::Service };
    EdgeKey { from: Arc::clone(&place.owner.name), to, op: gather.op(&place.span.op) }
}

/// An attempt that ended in an error.
fn failed(cell: &mut EdgeCell, duration_ns: u64, refused: bool) {
    cell.refused = i64::from(refused);
    cell.failed.add(duration_ns, 1);
}

fn file(gather: &mut Gather, key: EdgeKey, root: Option<&Root>, start: i64, end: i64, cell: &EdgeCell) {
    let done = EdgeCell { done: 1, ..EdgeCell::default() };
    gather.edge(&key, gather.second(end), &done);
    gather.edge(&key, filed_under(gather, root, start), cell);
}

/// Files a piece of the critical path under the edge by which the path came to it.
pub(super) fn gather_path_share(
    gather: &mut Gather,
    tree: &Tree<'_>,
    at: usize,
    second: i64,
    ns: i64,
    root: &Root,
) {
    let place = &tree.nodes[at];
    let key = match place.role {
        Role::Call | Role::Publish => EdgeKey {
            from: Arc::clone(&place.span.service),
            to: virtual_node(place.span),
            op: gather.op(&place.span.op),
        },
        _ => match place.within {
            Some(within) if tree.nodes[within].role == Role::Serve => {
                edge_of_server(gather, tree, within, Some(root))
            }
            _ => return,
        },
    };
    gather.edge(&key, second, &EdgeCell { cp_ns: ns, ..EdgeCell::default() });
}
