//! Operations by the key that they were about.

use peakdrill_drill_model::verdict::NodeKind;
use peakdrill_trace_model::{Span, SpanKey};

use crate::contribute::gather::Gather;
use crate::key::{NodeKey, TraceClass};
use crate::sums::Filed;
use crate::tree::{Role, Tree};

/// Spans of an operation that are looked at for a key that says what the work is about.
const STEPS_MAX: usize = 16;
/// The key's bits are counted of one operation in so many, by a hash: its name needs no more. A power of two.
const NAMED_ONE_IN: u64 = 16;

/// Whether a trace's keys are counted: where the drill's own tag says that it is the drill's, and it has nothing to do with
/// any other trace. A link may lead to a live user's, and an id of theirs has no place in a record.
pub(super) fn are_counted(filed: &Filed<'_>) -> bool {
    let elsewhere = |span: &Span| span.links.iter().any(|link| link.trace != span.trace);
    filed.tagged
        && filed.class == TraceClass::Mine
        && filed.spans.iter().any(|span| span.key.is_some())
        && !filed.spans.iter().any(elsewhere)
}

/// An operation at a node, which took so long by itself. What failed is left out: it takes as long as it takes to fail. So
/// is what only its caller tells of, but for stores: a service's own span may still come. And so is what nobody knows who asked
/// for: under a place of its own it would take another's room.
pub(super) fn gather_key(
    gather: &mut Gather,
    tree: &Tree<'_>,
    (at, is_entry): (usize, bool),
    node: &NodeKey,
    ns: u64,
) {
    let place = &tree.nodes[at];
    let span = place.span;
    if !gather.counts_keys() || span.error || span.status >= 400 || span.mocked {
        return;
    }
    let is_known = match place.role {
        Role::Serve => true,
        Role::Process => node.kind == NodeKind::Queue,
        _ => node.kind != NodeKind::External,
    };
    if let Some(key) = key_of(tree, at).filter(|_| is_known)
        && let Some(caller) = caller_of(tree, at, is_entry)
    {
        gather.key((node, &span.op, caller.map(|at| &tree.nodes[at].span.op)), key, ns, is_named(span));
    }
}

/// The operation that asked for this one, which is `Some(None)` where there is none: what was asked from outside, or asks by
/// itself. `None`: its spans are not there.
fn caller_of(tree: &Tree<'_>, at: usize, is_entry: bool) -> Option<Option<usize>> {
    let place = &tree.nodes[at];
    let asks = if place.within == Some(at) { place.parent } else { Some(at) };
    let Some(asks) = asks else { return (is_entry || place.span.parent == 0).then_some(None) };
    let asks = &tree.nodes[asks];
    match asks.within {
        Some(operation) => Some(Some(operation)),
        None => (asks.span.parent == 0).then_some(None),
    }
}

/// The key that a span's work is about: its own, or of the operation that it is part of. A guess at it comes last. What
/// called that operation may have been about something else.
fn key_of<'a>(tree: &Tree<'a>, at: usize) -> Option<&'a SpanKey> {
    let own = tree.nodes[at].span.key.as_deref();
    if own.is_some_and(|key| !key.is_guessed()) {
        return own;
    }
    let Some(operation) = tree.nodes[at].within.filter(|within| *within != at) else { return own };
    let above = std::iter::successors(tree.nodes[at].parent, |above| tree.nodes[*above].parent);
    let above = above.take(STEPS_MAX).take_while(|above| tree.nodes[*above].within == Some(operation));
    let said = above.filter_map(|above| tree.nodes[above].span.key.as_deref());
    said.into_iter().find(|key| !key.is_guessed()).or(own)
}

/// By the span alone, so that it does not depend on the order, and can be taken back.
fn is_named(span: &Span) -> bool {
    let id = (span.trace ^ span.trace >> 64) as u64 ^ span.id.rotate_left(32);
    id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - NAMED_ONE_IN.trailing_zeros()) == 0
}

#[cfg(test)]
mod tests;
