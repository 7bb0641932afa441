//! What a trace says of messages that another trace goes on with, or that it took from another.

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::bounds::span_hash;
use crate::cells::LinkCell;
use crate::contribute::gather::Gather;
use crate::contribute::{Root, filed_under};
use crate::handed::{Fact, MessageId, Sent, Taken, Told};
use crate::key::{NodeKey, TraceClass};
use crate::path::{self, taker};
use crate::tree::{Place, Role, Tree, virtual_node};

/// Nodes behind one hand-over that are kept of a message, those with the most first: names are the senders'.
const NODES_MAX: usize = 16;

/// The messages of other traces that an operation is about, as its own span tells: each once.
fn named(place: &Place<'_>) -> SmallVec<[MessageId; 4]> {
    if place.span.links.is_empty() || place.role != Role::Process {
        return SmallVec::new();
    }
    let elsewhere = place.span.links.iter().filter(|link| link.trace != place.span.trace);
    let mut out: SmallVec<[MessageId; 4]> =
        elsewhere.map(|link| MessageId { trace: link.trace, span: link.span }).collect();
    out.sort_unstable();
    out.dedup();
    out
}

/// The same where its own trace does not tell of the sending.
pub(super) fn links(tree: &Tree<'_>, at: usize) -> SmallVec<[MessageId; 4]> {
    if tree.producer_of(at).is_some() { SmallVec::new() } else { named(&tree.nodes[at]) }
}

/// Tells of an operation that it names messages, and nothing of how long they waited. Which spans there are must not depend
/// on what else of the trace is there: the sender within it may come later.
pub(super) fn untold(gather: &mut Gather, place: &Place<'_>) {
    if gather.class() != TraceClass::Mine || place.span.links.is_empty() {
        return;
    }
    let span = span_hash(place.span);
    for message in named(place) {
        gather.told(Fact { message, span, told: Told::Taken(None) });
    }
}

/// Tells that a message was sent. Of the drill's own alone: of live users no ids are kept.
pub(super) fn sent(gather: &mut Gather, tree: &Tree<'_>, at: usize, root: Option<&Root>) {
    if gather.class() != TraceClass::Mine {
        return;
    }
    let place = &tree.nodes[at];
    let to = virtual_node(place.span);
    gather.links(&to, &LinkCell { sent: 1, ..LinkCell::default() });
    let sent = Sent {
        at: gather.since_start(place.end),
        to,
        request: root.map(|root| (root.entry.clone(), gather.second(root.intended))),
        counts: root.is_some_and(|root| !root.error),
    };
    let message = MessageId { trace: place.span.trace, span: place.span.id };
    gather.told(Fact { message, span: span_hash(place.span), told: Told::Sent(Some(Arc::new(sent))) });
}

/// Tells that messages were taken together; `own_ns`: the operation's own time, nanoseconds.
pub(super) fn taken(
    gather: &mut Gather,
    tree: &Tree<'_>,
    at: usize,
    root: Option<&Root>,
    (ids, own_ns): (&[MessageId], u64),
) {
    let place = &tree.nodes[at];
    let messages = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    let count = i64::from(messages);
    if count > 1 {
        gather.links(&place.owner, &LinkCell { batches: 1, ..LinkCell::default() });
    }
    // Work within a request of the generator's is that one's. What begins a consumer's own trace is no request of the load.
    let is_apart = root.is_none_or(|root| root.span.is_some());
    let taken = Arc::new(Taken {
        messages,
        node: place.owner.clone(),
        partition: place.span.partition,
        second: filed_under(gather, root, place.start),
        start: gather.since_start(place.start),
        own_ns: i64::try_from(own_ns).unwrap_or(i64::MAX),
        flows: if is_apart { flows(tree, at) } else { Vec::new() },
        visits: if is_apart { visits(tree, at, count) } else { Vec::new() },
    });
    let span = span_hash(place.span);
    for (place, message) in ids.iter().enumerate() {
        let told = Told::Taken(Some((Arc::clone(&taken), place as u32)));
        gather.told(Fact { message: *message, span, told });
    }
}

/// Where the time of the work on a message went.
fn flows(tree: &Tree<'_>, at: usize) -> Vec<(NodeKey, i64)> {
    let mut sums: BTreeMap<NodeKey, i64> = BTreeMap::new();
    for piece in path::under(tree, at) {
        let Some(inner) = piece.at else { continue };
        let sum = sums.entry(taker(tree, inner)).or_default();
        *sum = sum.saturating_add(i64::try_from(piece.ns).unwrap_or(i64::MAX));
    }
    most(sums)
}

/// Operations of nodes that the work on so many messages led to, up to those that are linked themselves.
fn visits(tree: &Tree<'_>, at: usize, messages: i64) -> Vec<(NodeKey, i64)> {
    let mut sums: BTreeMap<NodeKey, i64> = BTreeMap::from([(tree.nodes[at].owner.clone(), messages)]);
    let mut todo: Vec<usize> = tree.nodes[at].kids.to_vec();
    while let Some(at) = todo.pop() {
        if !links(tree, at).is_empty() {
            continue;
        }
        let place = &tree.nodes[at];
        todo.extend_from_slice(&place.kids);
        let node = match place.role {
            // Of a message that was sent the sending counts.
            Role::Process if tree.producer_of(at).is_some() => continue,
            Role::Serve | Role::Process => place.owner.clone(),
            Role::Publish => virtual_node(place.span),
            Role::Call if !tree.wraps_calls(at) && tree.served_by(at).next().is_none() => {
                virtual_node(place.span)
            }
            _ => continue,
        };
        *sums.entry(node).or_default() += 1;
    }
    most(sums)
}

fn most(sums: BTreeMap<NodeKey, i64>) -> Vec<(NodeKey, i64)> {
    let mut out: Vec<(NodeKey, i64)> = sums.into_iter().collect();
    if out.len() > NODES_MAX {
        out.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        out.truncate(NODES_MAX);
    }
    out
}

#[cfg(test)]
mod tests;
