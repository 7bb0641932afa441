//! The critical path of one trace: which spans the end of the request waited for.
//!
//! Walked from the end back to the start, as Jaeger and CRISP do, without recursion. Every piece of a span
//! that is put on the work list comes out as segments of exactly its length: the sum is exact by construction.
//!
//! With each piece goes its drag (Devaux 2012; CRISP): how much shorter the request would be without it, before
//! something that ran beside it is the last to end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use peakdrill_drill_model::frame::RootRow;
use peakdrill_drill_model::verdict::NodeKind;
use peakdrill_trace_model::Span;
use smallvec::SmallVec;

use crate::key::{LOAD, NodeKey, bounded_op};
use crate::tree::{Role, Tree, virtual_node};

/// Siblings that overlap by less than this are taken to follow each other: a span often ends a little after
/// the work that waited for it began.
const OVERLAP_TOLERANCE_NS: i64 = 50_000;
/// The same as a part of the parent's duration: 1/100, the tolerance of CRISP.
const OVERLAP_TOLERANCE_PART: i64 = 100;

/// By how much siblings may overlap and still follow each other, nanoseconds; `whole_ns`: what they are part of.
pub(crate) fn overlap_tolerance(whole_ns: i64) -> i64 {
    OVERLAP_TOLERANCE_NS.max(whole_ns / OVERLAP_TOLERANCE_PART)
}

/// What the time of a segment was spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// In the node itself.
    Own,
    /// Between the caller's and the node's span: pool, network, accept queue.
    Gap,
}

/// A piece of the critical path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The node that took the time.
    pub node: NodeKey,
    /// The operation of the span that it was spent in.
    pub op: Arc<str>,
    /// On what.
    pub part: Part,
    /// How long, nanoseconds.
    pub ns: u64,
}

/// A piece by the span it belongs to; `at` `None`: the generator's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) at: Option<usize>,
    pub(crate) part: Part,
    pub(crate) ns: u64,
    /// By how much less the request would have taken without it, nanoseconds: at most `ns`.
    pub(crate) drag_ns: u64,
}

/// The critical path of a request, last piece first. With the generator's row it runs from the first byte
/// sent (the intended time when none was) to the end; else over the root span. The lengths add up to exactly
/// that duration, whatever the state of the trace. Empty where no root is known.
#[must_use]
pub fn critical_path(spans: &[Span], root: Option<&RootRow>) -> Vec<Segment> {
    let tree = Tree::new(spans);
    let pieces = match root {
        Some(row) => under_row(&tree, row),
        None => tree.root_span().map(|at| under(&tree, at)).unwrap_or_default(),
    };
    pieces.iter().map(|piece| segment(&tree, piece)).collect()
}

fn segment(tree: &Tree<'_>, piece: &Piece) -> Segment {
    let (node, op) = match piece.at {
        Some(at) => (taker(tree, at), bounded_op(&tree.nodes[at].span.op)),
        None => (NodeKey { name: LOAD.into(), kind: NodeKind::External }, "".into()),
    };
    Segment { node, op, part: piece.part, ns: piece.ns }
}

/// The node that takes the time of a piece at this span.
pub(crate) fn taker(tree: &Tree<'_>, at: usize) -> NodeKey {
    let place = &tree.nodes[at];
    match place.role {
        Role::Call | Role::Publish => virtual_node(place.span),
        _ => place.owner.clone(),
    }
}

/// From when to when the generator's request lasted.
pub(crate) fn row_bounds(row: &RootRow) -> (i64, i64) {
    let start = if row.sent_ns > 0 { row.sent_ns } else { row.intended_ns }.clamp(0, i64::MAX / 2);
    (start, row.done_ns.clamp(start, i64::MAX / 2))
}

/// The first service's spans of the generator's request.
pub(crate) fn entered(tree: &Tree<'_>, row: &RootRow) -> SmallVec<[usize; 4]> {
    let is_entry = |i: &usize| tree.nodes[*i].span.parent == row.span && tree.nodes[*i].role == Role::Serve;
    tree.tops.iter().copied().filter(is_entry).collect()
}

/// Pieces of a request that the generator knows.
pub(crate) fn under_row(tree: &Tree<'_>, row: &RootRow) -> Vec<Piece> {
    let (start, end) = row_bounds(row);
    let mut walk = Walk { tree, todo: Vec::new(), out: Vec::new() };
    let entries = entered(tree, row);
    if entries.is_empty() {
        walk.between(None, start, end, i64::MAX, &tree.tops);
    } else {
        walk.paired(None, start, end, i64::MAX, &entries);
    }
    walk.run()
}

/// Pieces of a span's own time and what it waited for.
pub(crate) fn under(tree: &Tree<'_>, at: usize) -> Vec<Piece> {
    let place = &tree.nodes[at];
    let todo = Todo { at, start: place.start, end: place.end, drag: i64::MAX };
    let mut walk = Walk { tree, todo: vec![todo], out: Vec::new() };
    walk.todo.retain(|todo| todo.end > todo.start);
    walk.run()
}

/// How the time of a call is divided among the callee's spans.
pub(crate) struct Pair {
    /// The attempt that carries the answer, and the gap.
    pub(crate) carrier: usize,
    /// The attempt that came first.
    pub(crate) earliest: usize,
    /// Attempts that were waited for, and for how long, nanoseconds.
    taken: SmallVec<[(usize, i64); 2]>,
    /// What none of these took, nanoseconds, without the pauses.
    pub(crate) gap_ns: i64,
    /// Between the end of one attempt and the start of the next, nanoseconds: the caller waits before it tries again.
    pub(crate) pause_ns: i64,
}

/// Divides a call among the callee's spans, by their durations alone: the two clocks need not agree. Of several
/// (attempts), the last that succeeded carries the answer; those before it were waited for too, where they do not
/// overlap. `None` of none.
pub(crate) fn pair(tree: &Tree<'_>, call_ns: i64, servers: &[usize]) -> Option<Pair> {
    let mut sorted: SmallVec<[usize; 4]> = servers.iter().copied().collect();
    sorted.sort_by_key(|i| (tree.nodes[*i].start, *i));
    let earliest = *sorted.first()?;
    let last = sorted.iter().rposition(|i| !tree.nodes[*i].span.error).unwrap_or(sorted.len() - 1);
    let (mut gap_ns, mut before, mut taken) = (call_ns, i64::MAX, SmallVec::new());
    let (mut pause_ns, mut later): (i64, Option<usize>) = (0, None);
    for &server in sorted[..=last].iter().rev() {
        let place = &tree.nodes[server];
        if place.end > before {
            continue;
        }
        // Longer than the call: the caller gave up. What came after is nobody's wait.
        let ns = (place.end - place.start).min(gap_ns);
        taken.push((server, ns));
        gap_ns -= ns;
        // Of two instances the clocks may differ: then nothing is known of the time between them.
        if later.is_some_and(|later| tree.nodes[later].span.instance == place.span.instance) {
            pause_ns += before - place.end;
        }
        (before, later) = (place.start, Some(server));
    }
    let pause_ns = pause_ns.min(gap_ns);
    Some(Pair { carrier: sorted[last], earliest, taken, gap_ns: gap_ns - pause_ns, pause_ns })
}

/// A span, and the part of its time (in its own clock) that is to be explained.
struct Todo {
    at: usize,
    start: i64,
    end: i64,
    /// By how much it could be shorter before something beside it, or beside what it is part of, is the last to end.
    drag: i64,
}

struct Walk<'a, 'b> {
    tree: &'a Tree<'b>,
    todo: Vec<Todo>,
    out: Vec<Piece>,
}

impl Walk<'_, '_> {
    fn emit(&mut self, at: Option<usize>, part: Part, ns: i64, drag: i64) {
        if ns > 0 {
            self.out.push(Piece { at, part, ns: ns.unsigned_abs(), drag_ns: ns.min(drag).unsigned_abs() });
        }
    }

    fn run(mut self) -> Vec<Piece> {
        let tree = self.tree;
        while let Some(Todo { at, start, end, drag }) = self.todo.pop() {
            let place = &tree.nodes[at];
            // Between the attempts of a call its caller waits before it tries again.
            let caller = place.parent.filter(|p| tree.nodes[*p].span.service == place.span.service);
            if place.role != Role::Call {
                self.between(Some(at), start, end, drag, &place.kids);
                continue;
            }
            if tree.wraps_calls(at) {
                self.between(Some(caller.unwrap_or(at)), start, end, drag, &place.kids);
                continue;
            }
            let servers: SmallVec<[usize; 4]> = tree.served_by(at).collect();
            if servers.is_empty() {
                self.emit(Some(at), Part::Own, end - start, drag);
            } else {
                self.paired(caller, start, end, drag, &servers);
            }
        }
        self.out
    }

    /// A call of a caller's span, where that is known, and the callee's spans.
    fn paired(&mut self, caller: Option<usize>, start: i64, end: i64, drag: i64, servers: &[usize]) {
        let Some(pair) = pair(self.tree, end - start, servers) else { return };
        for (server, ns) in pair.taken.iter().filter(|(_, ns)| *ns > 0) {
            let start = self.tree.nodes[*server].start;
            self.todo.push(Todo { at: *server, start, end: start + ns, drag });
        }
        let pause = if caller.is_some() { pair.pause_ns } else { 0 };
        self.emit(caller, Part::Own, pause, drag);
        self.emit(Some(pair.carrier), Part::Gap, pair.gap_ns + pair.pause_ns - pause, drag);
    }

    /// Children in the clock of their parent: back from the end, always the one that ended last.
    fn between(&mut self, at: Option<usize>, start: i64, end: i64, drag: i64, kids: &[usize]) {
        let nodes = &self.tree.nodes;
        let clip = |i: usize| (nodes[i].start.max(start), nodes[i].end.min(end));
        let lasts = |i: &usize| clip(*i).0 < clip(*i).1 && nodes[*i].role != Role::Process;
        let mut blocking: SmallVec<[usize; 8]> = kids.iter().copied().filter(lasts).collect();
        // Ties: the later start, then the larger position, which follows from the spans' content.
        blocking.sort_unstable_by_key(|i| Reverse((clip(*i).1, clip(*i).0, *i)));
        let tolerance = overlap_tolerance(end - start);
        let (mut t, mut last_to) = (end, end);
        let mut beside = Beside::default();
        for (nth, &kid) in blocking.iter().enumerate() {
            let (from, to) = clip(kid);
            let to_t = to.min(t);
            if from >= to_t || to - t > tolerance {
                beside.add(from, last_to - to);
                continue;
            }
            self.emit(at, Part::Own, t - to_t, drag);
            let next_to = blocking.get(nth + 1).map_or(from, |next| clip(*next).1.clamp(from, to_t));
            let own_drag = (to_t - next_to).min(beside.least(to_t));
            self.todo.push(Todo { at: kid, start: from, end: to_t, drag: drag.min(own_drag) });
            (t, last_to) = (from, to_t);
        }
        self.emit(at, Part::Own, t - start, drag);
    }
}

/// Spans that ran beside those on the path: when each began, and by how much earlier it was done than what was waited for.
#[derive(Default)]
struct Beside(BinaryHeap<Reverse<(i64, i64)>>);

impl Beside {
    fn add(&mut self, from: i64, earlier_ns: i64) {
        self.0.push(Reverse((earlier_ns.max(0), from)));
    }

    /// The least of those that began before an end: what began later would come earlier too. The ends that are asked for
    /// only become earlier.
    fn least(&mut self, end: i64) -> i64 {
        while let Some(Reverse((earlier_ns, from))) = self.0.peek() {
            if *from < end {
                return *earlier_ns;
            }
            self.0.pop();
        }
        i64::MAX
    }
}

#[cfg(test)]
mod tests;
