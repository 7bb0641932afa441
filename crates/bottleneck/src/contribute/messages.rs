//! Messages that were processed more than once, as far as one trace shows: a message carries the trace that it was sent in,
//! and whoever gets it again goes on with that trace.

use peakdrill_drill_model::verdict::NodeKind;
use smallvec::SmallVec;

use crate::cells::MessageCell;
use crate::contribute::calls::edge_of_consumer;
use crate::contribute::gather::Gather;
use crate::tree::{Place, Role, Tree};

/// Files the messages of a trace.
pub(super) fn gather_messages(gather: &mut Gather, tree: &Tree<'_>) {
    let is_known = |place: &&Place<'_>| {
        place.role == Role::Process && place.span.message != 0 && place.owner.kind == NodeKind::Queue
    };
    let mut known: SmallVec<[&Place<'_>; 8]> = tree.nodes.iter().filter(is_known).collect();
    // Stable: equal ones stay in the order of the spans' content.
    known.sort_by(|a, b| same(a).cmp(&same(b)).then(a.start.cmp(&b.start)));
    for processings in known.chunk_by(|a, b| same(a) == same(b)) {
        let Some((first, later)) = processings.split_first() else { continue };
        let key = edge_of_consumer(gather, first);
        let mut cell = MessageCell { messages: 1, ..MessageCell::default() };
        let mut before = first;
        for place in later {
            // Two spans of one instance at the same time are two looks at one processing, by two libraries.
            if place.span.instance == before.span.instance && place.start < before.end {
                continue;
            }
            cell.again += 1;
            cell.after_error += i64::from(before.span.error);
            before = place;
        }
        gather.messages(&key, &cell);
    }
}

/// The same for all processings of a message by one consumer.
fn same<'a>(place: &'a Place<'_>) -> (u64, &'a str, &'a str) {
    let peer = place.span.peer.as_ref().map_or("", |peer| &*peer.node);
    (place.span.message, &place.span.service, peer)
}

#[cfg(test)]
mod tests;
