//! Loops of calls: the same call again and again within one operation, each when the one before has been answered.
//!
//! Attempts of one call are none, since only those that were answered well and lead their call count; nor are calls that
//! go off at once, since each must begin when all before it have ended; nor is asking until something is there, since
//! most of the time must lie in the calls and not between them.

use std::collections::BTreeMap;
use std::sync::Arc;

use peakdrill_trace_model::{PeerKind, Span};
use smallvec::SmallVec;

use crate::cells::LoopCell;
use crate::contribute::Root;
use crate::contribute::attempts::Attempts;
use crate::contribute::gather::Gather;
use crate::key::EdgeKey;
use crate::path::Piece;
use crate::tree::{Role, Tree, virtual_node};

/// So many calls are a loop.
pub(super) const LOOP_CALLS: usize = 5;
/// From the first call to the end of the last, the part that must be in calls: 1 / 2.
const IN_CALLS: i64 = 2;

/// Names of calls over HTTP that do not say what of.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// Calls, by position in the tree.
type Calls = SmallVec<[usize; 16]>;

/// Files the loops of a request.
pub(super) fn gather_loops(gather: &mut Gather, tree: &Tree<'_>, root: &Root, attempts: &Attempts) {
    let mut found: BTreeMap<EdgeKey, Vec<Calls>> = BTreeMap::new();
    for place in tree.nodes.iter().filter(|p| p.role != Role::Call && p.kids.len() >= LOOP_CALLS) {
        for (key, calls) in same_calls(gather, tree, &place.kids, attempts) {
            found.entry(key).or_default().extend(loops(tree, calls));
        }
    }
    found.retain(|_, loops| !loops.is_empty());
    if found.is_empty() {
        return;
    }
    let below = below(tree, &root.pieces);
    let request: u64 = root.pieces.iter().map(|piece| piece.ns).sum();
    for (key, loops) in &found {
        // Of a loop within a loop the time is in both.
        let in_calls = loops.iter().flatten().map(|at| below[*at]).fold(0, u64::saturating_add).min(request);
        let cell = LoopCell {
            requests: 1,
            loops: loops.len() as i64,
            calls: loops.iter().map(|calls| calls.len() as i64).sum(),
            cp_ns: i64::try_from(in_calls).unwrap_or(i64::MAX),
            request_ns: i64::try_from(request).unwrap_or(i64::MAX),
        };
        gather.loops(key, &cell);
    }
}

/// Calls among the spans of one operation that were answered well, by what was called; of few there is no loop.
fn same_calls(
    gather: &mut Gather,
    tree: &Tree<'_>,
    kids: &[usize],
    attempts: &Attempts,
) -> BTreeMap<EdgeKey, Calls> {
    let mut out: BTreeMap<EdgeKey, Calls> = BTreeMap::new();
    let answered = |at: &usize| {
        let place = &tree.nodes[*at];
        // Fetching messages is asked again and again by its nature.
        let is_call = place.role == Role::Call && place.span.messaging.is_none();
        is_call && attempts.of(*at).leads && !place.span.error
    };
    let calls: Calls = kids.iter().copied().filter(answered).collect();
    if calls.len() < LOOP_CALLS {
        return out;
    }
    for at in calls {
        if let Some(key) = called(gather, tree, at) {
            out.entry(key).or_default().push(at);
        }
    }
    out.retain(|_, calls| calls.len() >= LOOP_CALLS);
    out
}

/// What a call is of. The called side names it best; a caller's name counts where it says more than the verb.
fn called(gather: &mut Gather, tree: &Tree<'_>, call: usize) -> Option<EdgeKey> {
    let mut at = call;
    while let Some(attempt) = tree.attempt_in(at) {
        at = attempt;
    }
    let from = Arc::clone(&tree.nodes[call].span.service);
    if let Some(server) = tree.served_by(at).next() {
        let server = &tree.nodes[server];
        return Some(EdgeKey { from, to: server.owner.clone(), op: gather.op(&server.span.op) });
    }
    let span = tree.nodes[at].span;
    says_what(span).then(|| EdgeKey { from, to: virtual_node(span), op: gather.op(&span.op) })
}

/// Whether calls of this name are of the same thing: the method alone, or a query without its table, may be of many.
fn says_what(span: &Span) -> bool {
    match span.peer.as_ref().map(|peer| peer.kind) {
        Some(PeerKind::Service) => !METHODS.contains(&span.op.strip_prefix("HTTP ").unwrap_or(&span.op)),
        Some(PeerKind::Database) => span.op.contains(' '),
        Some(PeerKind::Cache) => true,
        Some(PeerKind::Queue) | None => false,
    }
}

/// Calls that follow one another, of those that are of the same.
fn loops(tree: &Tree<'_>, mut calls: Calls) -> Vec<Calls> {
    calls.sort_unstable_by_key(|at| (tree.nodes[*at].start, *at));
    let follows = |a: &usize, b: &usize| tree.nodes[*a].end <= tree.nodes[*b].start;
    let is_loop = |run: &&[usize]| {
        let in_calls = run.iter().map(|at| tree.nodes[*at].end - tree.nodes[*at].start);
        let in_calls = in_calls.fold(0_i64, i64::saturating_add);
        let bounds = run.first().zip(run.last());
        let whole = bounds.map_or(0, |(first, last)| tree.nodes[*last].end - tree.nodes[*first].start);
        run.len() >= LOOP_CALLS && in_calls.saturating_mul(IN_CALLS) >= whole
    };
    calls.chunk_by(follows).filter(is_loop).map(Calls::from_slice).collect()
}

/// Per span, the time on the critical path of it and of all below it, nanoseconds.
fn below(tree: &Tree<'_>, pieces: &[Piece]) -> Vec<u64> {
    let mut out = vec![0_u64; tree.nodes.len()];
    for piece in pieces {
        if let Some(at) = piece.at {
            out[at] += piece.ns;
        }
    }
    // Parents first, then back.
    let mut order: Vec<usize> = tree.tops.clone();
    let mut next = 0;
    while let Some(at) = order.get(next).copied() {
        order.extend_from_slice(&tree.nodes[at].kids);
        next += 1;
    }
    for at in order.into_iter().rev() {
        if let Some(parent) = tree.nodes[at].parent {
            out[parent] += out[at];
        }
    }
    out
}

#[cfg(test)]
mod tests;
