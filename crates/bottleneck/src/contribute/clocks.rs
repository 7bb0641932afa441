//! What a call says of the two clocks it was measured by.

use std::sync::Arc;

use peakdrill_trace_model::Span;

use crate::contribute::gather::Gather;
use crate::contribute::{Caller, Root, filed_under};
use crate::key::text;
use crate::tree::Tree;

/// The service and the instance of it that a span's clock is of.
fn clock(span: &Span) -> (&Arc<str>, &Arc<str>) {
    (&span.service, &span.instance)
}

/// A call begins at its caller before it does at the called service, and ends there after it: both bound how far the
/// caller's clock is ahead. A call that took longer at the called service than at its caller, who gave it up, bounds
/// nothing, and neither does one that failed.
pub(super) fn compare(gather: &mut Gather, tree: &Tree<'_>, at: usize, root: Option<&Root>, call: &Caller) {
    let place = &tree.nodes[at];
    if call.error || place.duration() > call.duration() {
        return;
    }
    let caller = match place.parent {
        Some(parent) => clock(tree.nodes[parent].span),
        None => (&*text::LOAD, &*text::NONE),
    };
    let called = clock(place.span);
    if caller != called {
        let second = filed_under(gather, root, place.start);
        gather.clocks(caller, called, second, (call.start - place.start, call.end - place.end));
    }
}
