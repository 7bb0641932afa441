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
pub const LOOP_CALLS: usize = 5;
/// From the first call to the end of the last, the part that must be in calls: 1 / 2.
const IN_CALLS: i64 = 2;

/// Commands that stand for many.
const MANY_AT_ONCE: [&str; 3] = ["PIPELINE", "MULTI", "BATCH"];
/// In a route, what any path fits from there on.
const CATCH_ALL: [&str; 6] = ["*", "+}", "<path:", ":path}", "...", ".+"];
/// Parameters of a route begin so: of frameworks, and what stands for ids.
const PARAMETER: [char; 6] = ['{', '<', ':', '[', '(', '#'];
/// Last parts of routes to which all calls of a protocol go.
const OF_ALL_CALLS: [&str; 2] = ["graphql", "rpc"];

/// Calls, by position in the tree.
type Calls = SmallVec<[usize; 16]>;

/// Files the loops of a request.
pub(super) fn gather_loops(gather: &mut Gather, tree: &Tree<'_>, root: &Root, attempts: &Attempts) {
    let request: u64 = root.pieces.iter().map(|piece| piece.ns).sum();
    // Of a request without a path it is not known what the calls took of it.
    if request == 0 {
        return;
    }
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
        is_call && attempts.of(*at).leads && !place.span.error && !refused_behind(tree, *at)
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

/// Whether all that the called side tells of a call, or of the last attempt within its frame, is that it failed, whatever the
/// caller made of it: attempts of callers that do not tell errors are no loop.
fn refused_behind(tree: &Tree<'_>, call: usize) -> bool {
    let mut last = call;
    while let Some(attempt) = tree.attempts_in(last).max_by_key(|at| (tree.nodes[*at].start, *at)) {
        last = attempt;
    }
    let mut servers = tree.served_by(last).peekable();
    servers.peek().is_some() && servers.all(|at| tree.nodes[at].span.error)
}

/// What a call is of. The called side names it best, else the caller; `None` where neither says what.
fn called(gather: &mut Gather, tree: &Tree<'_>, call: usize) -> Option<EdgeKey> {
    let mut at = call;
    while let Some(attempt) = tree.attempt_in(at) {
        at = attempt;
    }
    let span = tree.nodes[at].span;
    let server = tree.served_by(at).next().map(|server| &tree.nodes[server]);
    // A caller's name for what it calls goes with its name for whom it calls: both are names that bounds know of.
    let (named, to) = match server.filter(|server| is_route(&server.span.op)) {
        Some(server) => (server.span, server.owner.clone()),
        None if span.peer.is_some() && says_what(span) => (span, virtual_node(span)),
        None => return None,
    };
    let from = Arc::clone(&tree.nodes[call].span.service);
    Some(EdgeKey { from, to, op: gather.named_op(&named.op)? })
}

/// Whether calls of this name are of the same thing. Commands of a cache may be of many: they do not say which keys.
fn says_what(span: &Span) -> bool {
    match span.peer.as_ref().map(|peer| peer.kind) {
        Some(PeerKind::Service) | None => is_route(&span.op),
        Some(PeerKind::Database) => is_statement(&span.op),
        Some(PeerKind::Cache | PeerKind::Queue) => false,
    }
}

/// Whether a name is a statement with what it is of (`SELECT price`). Many statements at once, and names that a library gives
/// to its own calls, are none.
fn is_statement(op: &str) -> bool {
    let mut words = op.split_whitespace();
    let (Some(verb), Some(_)) = (words.next(), words.next()) else { return false };
    let many = MANY_AT_ONCE.iter().any(|many| verb.eq_ignore_ascii_case(many));
    !many && !verb.contains(['.', ':']) && !op.trim().eq_ignore_ascii_case("DB Query")
}

/// Whether a name is a route, or a method with its service: both have a slash, and behind it a word that is no parameter. A
/// method of HTTP alone (`GET`), a name that a server gives to all of its spans, what any path fits (`GET /api/*`), and the one
/// place that all calls of a protocol go to are none.
fn is_route(op: &str) -> bool {
    if CATCH_ALL.iter().any(|mark| op.contains(mark)) {
        return false;
    }
    let op = op.split('?').next().unwrap_or_default();
    let op = op.split_once("://").map_or(op, |(_, host)| host);
    let Some((_, path)) = op.split_once('/') else { return false };
    let is_word = |part: &str| !part.starts_with(PARAMETER) && part.contains(char::is_alphabetic);
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    path.split('/').any(is_word) && !OF_ALL_CALLS.iter().any(|all| last.eq_ignore_ascii_case(all))
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
