//! Call trees as they are told of large companies, with several entries.
//!
//! Google's traces: half of the calls have 13 descendants or more, one in ten above 105. Alibaba's: mostly three to six
//! deep, a few nodes called by many, two in five leaves. Trees are cut at 60 descendants, so that a run stays small.

use crate::model::Call;
use crate::topology::Draft;

/// Descendants of an entry: median, standard deviation of their logarithm so that one in ten has above 105, and bounds.
const MEDIAN: f64 = 13.0;
/// See [`MEDIAN`].
const SPREAD: f64 = 1.63;
/// See [`MEDIAN`].
const BOUNDS: (f64, f64) = (3.0, 60.0);
/// Calls of one operation at most.
const WIDTH: usize = 12;
/// Part of the calls that go to a node which another one calls as well.
const SHARED: f64 = 0.35;

/// A node that others may call too.
#[derive(Clone, Copy)]
struct Known {
    node: usize,
    depth: u32,
    calls_others: bool,
}

/// An operation that is to call others.
struct Open {
    op: usize,
    depth: u32,
}

/// Two to four entries, each with a tree of its own over nodes that are partly the same.
pub(super) fn call_trees(draft: &mut Draft) {
    let entries: Vec<usize> = (0..draft.whole(2, 4)).map(|i| draft.service(format!("entry-{i}"))).collect();
    let first = draft.between(0.4, 0.55);
    let left = (1.0 - first) / (entries.len() - 1) as f64;
    draft.net.journeys = entries.iter().map(|op| (*op, left)).collect();
    draft.net.journeys[0].1 = first;
    let mut known = Vec::new();
    for entry in entries {
        tree(draft, entry, &mut known);
    }
}

fn tree(draft: &mut Draft, entry: usize, known: &mut Vec<Known>) {
    let drawn = MEDIAN * (SPREAD * draft.normal()).exp();
    let wanted = drawn.clamp(BOUNDS.0, BOUNDS.1) as usize;
    let deepest = draft.whole(3, 6);
    let (mut made, mut open) = (0, Vec::new());
    while made < wanted {
        if open.is_empty() {
            open.push(Open { op: entry, depth: 0 });
        }
        let at = draft.whole(0, open.len() as u32 - 1) as usize;
        let parent = open.swap_remove(at);
        let tail = draft.between(0.0, 1.0).max(1e-3).powf(-0.6);
        let kids = (tail as usize).clamp(1, WIDTH).min(wanted - made);
        let calls: Vec<Call> = (0..kids).map(|_| call(draft, &parent, deepest, known, &mut open)).collect();
        made += kids;
        if draft.is(0.5) {
            draft.together(parent.op, calls);
        } else {
            calls.into_iter().for_each(|call| draft.then(parent.op, call));
        }
    }
}

/// A call of a new operation, at a new node or at one that is there; what it calls itself is left open.
fn call(
    draft: &mut Draft,
    parent: &Open,
    deepest: u32,
    known: &mut Vec<Known>,
    open: &mut Vec<Open>,
) -> Call {
    let depth = parent.depth + 1;
    let same: Vec<Known> = known.iter().copied().filter(|node| node.depth == depth).collect();
    let again = !same.is_empty() && draft.is(SHARED);
    let (op, calls_others) = if again {
        let old = same[draft.whole(0, same.len() as u32 - 1) as usize];
        let name = format!("method {}", draft.net.ops.len());
        (draft.op(old.node, name), old.calls_others)
    } else {
        let name = format!("n{}", draft.net.nodes.len());
        let calls_others = depth < deepest && draft.is(0.6);
        let op = if calls_others { draft.service(name) } else { draft.leaf(&name) };
        known.push(Known { node: draft.net.ops[op].node, depth, calls_others });
        (op, calls_others)
    };
    // Methods of one service differ by an order of magnitude.
    let weight = draft.around(0.3, 3.0);
    draft.weigh(op, weight);
    if calls_others && depth < deepest {
        open.push(Open { op, depth });
    }
    let chance = if draft.is(0.25) { draft.between(0.3, 1.0) } else { 1.0 };
    let times = if draft.is(0.1) { draft.whole(2, 4) } else { 1 };
    Call { chance, times, ..Call::plain(op) }
}
