//! Messages that were processed more than once, as far as one trace shows: a message carries the trace that it was sent in,
//! and whoever gets it again goes on with that trace.

use std::collections::BTreeSet;

use peakdrill_drill_model::verdict::NodeKind;
use peakdrill_trace_model::{Messaging, Span};
use smallvec::SmallVec;

use crate::cells::MessageCell;
use crate::contribute::calls::edge_of_consumer;
use crate::contribute::gather::Gather;
use crate::tree::{Place, Role, Tree};

/// The delivery that a processing is within is looked for among so many spans above it.
const ABOVE_MAX: usize = 8;

/// Files the messages of a trace.
pub(super) fn gather_messages(gather: &mut Gather, tree: &Tree<'_>) {
    let is_known = |(_, place): &(usize, &Place<'_>)| {
        place.role == Role::Process && place.span.message != 0 && place.owner.kind == NodeKind::Queue
    };
    let mut known: SmallVec<[(usize, &Place<'_>); 8]> =
        tree.nodes.iter().enumerate().filter(is_known).collect();
    // By position last: that is the order of the spans' content.
    known.sort_unstable_by_key(|(at, place)| (same(place), place.start, *at));
    for processings in known.chunk_by(|(_, a), (_, b)| same(a) == same(b)) {
        let Some(((at, first), later)) = processings.split_first() else { continue };
        let key = edge_of_consumer(gather, first);
        let mut cell = MessageCell { messages: 1, ..MessageCell::default() };
        let mut deliveries: BTreeSet<usize> = delivery(tree, first).into_iter().chain([*at]).collect();
        let (mut before, mut failed) = (*first, first.span.error);
        for (at, place) in later {
            // Two spans of one instance at the same time are two looks at one processing, by two libraries.
            let looks_again = place.span.instance == before.span.instance && place.start < before.end;
            let delivered_again = delivery(tree, place).is_none_or(|at| deliveries.insert(at));
            deliveries.insert(*at);
            if looks_again || !delivered_again {
                failed |= place.span.error;
            } else {
                cell.again += 1;
                cell.after_error += i64::from(failed);
                failed = place.span.error;
            }
            if !looks_again {
                before = place;
            }
        }
        gather.messages(&key, &cell);
    }
}

/// The consumer's own span of the delivery, where a processing is within one, itself or by spans of work: one that receives or
/// processes. Several handlers within it are of one delivery, and so are attempts within it. Any other span above may be the
/// sender's, of the same name: each delivery goes on from there.
fn delivery(tree: &Tree<'_>, place: &Place<'_>) -> Option<usize> {
    let above = std::iter::successors(place.parent, |at| tree.nodes[*at].parent).take(ABOVE_MAX);
    let receives = |at: &usize| tree.nodes[*at].span.messaging == Some(Messaging::Receive);
    let is_work = |at: &usize| tree.nodes[*at].role == Role::Work && !receives(at);
    let own = |at: &usize| tree.nodes[*at].span.service == place.span.service;
    let first = above.take_while(own).find(|at| !is_work(at))?;
    let delivers = receives(&first) || tree.nodes[first].role == Role::Process;
    (delivers && !of_another(tree.nodes[first].span, place.span)).then_some(first)
}

/// Whether a span is for sure about another message than a processing within it is: sent by the work on the first.
fn of_another(span: &Span, within: &Span) -> bool {
    span.message != 0 && span.message != within.message && span.peer != within.peer
}

/// The same for all processings of a message by one consumer.
fn same<'a>(place: &'a Place<'_>) -> (u64, &'a str, &'a str) {
    let peer = place.span.peer.as_ref().map_or("", |peer| &*peer.node);
    (place.span.message, &place.span.service, peer)
}

#[cfg(test)]
mod tests;
