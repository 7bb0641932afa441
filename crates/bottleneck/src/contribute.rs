//! One trace, as what it adds to the cells.

mod attempts;
mod calls;
mod clocks;
mod gather;
mod handed;
mod keys;
mod loops;
mod messages;
mod names;
mod spent;

use peakdrill_drill_model::frame::RootRow;
use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_trace_model::Span;

use crate::cells::{Contribution, PathCell, RootCell, TelemetryCell};
use crate::key::{Entry, TraceClass, bounded_op};
use crate::path::{self, Part, Piece, taker};
use crate::sums::{Filed, Sums};
use crate::tree::{Place, Role, Tree};
use attempts::Attempts;
pub(crate) use gather::BUSY_LIMIT_NS;
use gather::{Gather, second_of};
pub use loops::LOOP_CALLS;

/// A span that ends so shortly before its client gives up is cut off with it: clocks differ a little.
const CUT_OFF_BEFORE_NS: i64 = 5_000_000;
/// Time that it takes for all nodes to notice that the client has gone.
const CUT_OFF_AFTER_NS: i64 = 100_000_000;

/// How a trace's root stands.
struct Root {
    entry: Entry,
    /// Unix nanoseconds; of the first byte sent, where there is a row.
    start: i64,
    intended: i64,
    end: i64,
    error: bool,
    /// The span itself, where there is no row.
    span: Option<usize>,
    /// The critical path.
    pieces: Vec<Piece>,
    /// The first service's spans are there.
    entered: bool,
    /// Their parent's id.
    parent_of_entry: u64,
    /// The client gave the request up.
    given_up: bool,
    /// Services were asked for spans of it.
    sampled: bool,
    /// The answer was that there are too many requests, or that the service is unavailable.
    refused: bool,
}

/// Whether a status says "not now": too many requests, or unavailable.
fn refusal(status: u16) -> bool {
    matches!(status, 429 | 503)
}

/// What a trace adds to the cells.
///
/// `spans`: all spans of one trace that are known, in any order, damage included. `root`: the generator's
/// row; without it the trace's own root span stands in. `origin_ns`: start of the load, Unix nanoseconds;
/// seconds count from there. A trace of this drill counts as tagged. The result depends on the set of spans alone, not on their order.
#[must_use]
pub fn contribute(spans: &[Span], root: Option<&RootRow>, class: TraceClass, origin_ns: i64) -> Contribution {
    let mut sums = Sums::default();
    let tagged = class == TraceClass::Mine;
    sums.add(&Filed { spans, root, class, tagged, origin_ns });
    sums.drain().sorted()
}

/// Adds what a trace adds, `sign` times, to sums over traces.
pub(crate) fn file(sums: &mut Sums, filed: &Filed<'_>, sign: i64) {
    let tree = Tree::new(filed.spans);
    if sign > 0 {
        names::note_names(sums, &tree, filed.class);
    }
    let root = match filed.root {
        Some(row) => Some(root_of_row(&tree, row)),
        None => root_of_span(&tree),
    };
    let mut gather = Gather::new(sums, filed, sign);
    let attempts = Attempts::new(&tree, root.as_ref());
    calls::gather_calls(&mut gather, &tree, root.as_ref(), &attempts);
    spent::gather_operations(&mut gather, &tree, root.as_ref(), &attempts);
    messages::gather_messages(&mut gather, &tree);
    gather_orphans(&mut gather, &tree, root.as_ref());
    if let Some(root) = &root {
        gather_root(&mut gather, root, !filed.spans.is_empty());
        gather_path(&mut gather, &tree, root);
        gather_flows(&mut gather, &tree, root);
        loops::gather_loops(&mut gather, &tree, root, &attempts);
        gather.finish_visits(&root.entry, !root.error);
    }
}

/// Adds what spans add that came when the rest of their trace was let go: calls and operations, under the second of
/// their own start. Never a root, a path, a flow or a visit, and no orphan either: whether they are the first, and
/// whose they are, is not known any more.
pub(crate) fn file_late(sums: &mut Sums, filed: &Filed<'_>) {
    let tree = Tree::new(filed.spans);
    names::note_names(sums, &tree, filed.class);
    let mut gather = Gather::new(sums, filed, 1);
    let attempts = Attempts::new(&tree, None);
    calls::gather_calls(&mut gather, &tree, None, &attempts);
    spent::gather_operations(&mut gather, &tree, None, &attempts);
    messages::gather_messages(&mut gather, &tree);
}

fn root_of_row(tree: &Tree<'_>, row: &RootRow) -> Root {
    let entered = !path::entered(tree, row).is_empty();
    let (start, end) = path::row_bounds(row);
    Root {
        entry: Entry::Step(row.step),
        start,
        intended: row.intended_ns,
        end,
        error: row.error.is_some(),
        span: None,
        // Without the first service's span the whole time would look like a gap before it.
        pieces: if entered { path::under_row(tree, row) } else { Vec::new() },
        entered,
        parent_of_entry: row.span,
        given_up: matches!(
            row.error,
            Some(ErrorClass::Timeout | ErrorClass::Cancelled | ErrorClass::Closed | ErrorClass::Reset)
        ),
        sampled: row.sampled,
        // Of gRPC: resource exhausted, unavailable.
        refused: matches!(row.error, Some(ErrorClass::Status(429 | 503) | ErrorClass::Grpc(8 | 14))),
    }
}

fn root_of_span(tree: &Tree<'_>) -> Option<Root> {
    let at = tree.root_span()?;
    let place = &tree.nodes[at];
    Some(Root {
        entry: Entry::Op(format!("{} {}", place.span.service, bounded_op(&place.span.op)).into()),
        start: place.start,
        intended: place.start,
        end: place.end,
        error: place.span.error,
        span: Some(at),
        pieces: path::under(tree, at),
        entered: true,
        parent_of_entry: place.span.parent,
        given_up: false,
        sampled: true,
        refused: refusal(place.span.status),
    })
}

fn gather_root(gather: &mut Gather, root: &Root, seen: bool) {
    let second = gather.second(root.intended);
    let path_ns: u64 = root.pieces.iter().map(|piece| piece.ns).sum();
    // Who asks for no spans may get some all the same; then it is as if they had been asked for.
    let unsampled = !root.sampled && !seen;
    let mut cell = RootCell {
        count: 1,
        unsampled: i64::from(unsampled),
        ok_unsampled: i64::from(unsampled && !root.error),
        errors: i64::from(root.error),
        ok: i64::from(!root.error),
        ok_seen: i64::from(seen && !root.error),
        ok_traced: i64::from(root.entered && !root.error),
        pathed: i64::from(root.entered),
        cp_ns: i64::try_from(path_ns).unwrap_or(i64::MAX),
        ..RootCell::default()
    };
    cell.latency.add((root.end.saturating_sub(root.intended)).max(0).unsigned_abs(), 1);
    gather.root(&root.entry, second, &cell);
    let end = gather.second(root.end);
    gather.root(&root.entry, end, &RootCell { done: 1, ..RootCell::default() });
}

fn gather_path(gather: &mut Gather, tree: &Tree<'_>, root: &Root) {
    let second = gather.second(root.intended);
    for piece in &root.pieces {
        let Some(at) = piece.at else { continue };
        let ns = i64::try_from(piece.ns).unwrap_or(i64::MAX);
        let drag_ns = i64::try_from(piece.drag_ns).unwrap_or(i64::MAX);
        let cell = match piece.part {
            Part::Own => PathCell { self_ns: ns, drag_ns, ..PathCell::default() },
            Part::Gap => PathCell { gap_ns: ns, drag_ns, ..PathCell::default() },
        };
        gather.path(&root.entry, &taker(tree, at), second, &cell);
        calls::gather_path_share(gather, tree, at, second, ns, root);
    }
}

/// Behind an asynchronous hand-over: the wait in the queue, and the work on the message.
fn gather_flows(gather: &mut Gather, tree: &Tree<'_>, root: &Root) {
    let second = gather.second(root.intended);
    for (at, place) in tree.nodes.iter().enumerate() {
        if place.role != Role::Process || root.span == Some(at) {
            continue;
        }
        if let Some(wait) = spent::queued(tree, at) {
            let cell = PathCell { wait_ns: wait.1 - wait.0, ..PathCell::default() };
            gather.path(&root.entry, &place.owner, second, &cell);
        }
        for piece in path::under(tree, at) {
            let Some(inner) = piece.at else { continue };
            let cell =
                PathCell { flow_ns: i64::try_from(piece.ns).unwrap_or(i64::MAX), ..PathCell::default() };
            gather.path(&root.entry, &taker(tree, inner), second, &cell);
        }
    }
}

/// Of requests that the generator knows: of others the first span may be anywhere, in a browser for one.
fn gather_orphans(gather: &mut Gather, tree: &Tree<'_>, root: Option<&Root>) {
    if root.is_none_or(|root| root.span.is_some()) {
        return;
    }
    for &top in &tree.tops {
        let place = &tree.nodes[top];
        let is_entry = root.is_some_and(|r| r.is_entry(tree, top));
        if matches!(place.role, Role::Serve | Role::Process) && place.span.parent != 0 && !is_entry {
            gather.telemetry(&place.span.service, &TelemetryCell { orphans: 1, ..TelemetryCell::default() });
        }
    }
}

/// A call as its caller saw it.
struct Caller {
    start: i64,
    end: i64,
    error: bool,
    refused: bool,
}

impl Caller {
    fn duration(&self) -> u64 {
        (self.end - self.start).unsigned_abs()
    }

    /// Of an operation: the call's span, or the generator's row.
    fn of(tree: &Tree<'_>, at: usize, root: Option<&Root>) -> Option<Self> {
        if let Some(call) = tree.nodes[at].parent.filter(|p| tree.nodes[*p].role == Role::Call) {
            let call = &tree.nodes[call];
            let refused = refusal(call.span.status);
            return Some(Self { start: call.start, end: call.end, error: call.span.error, refused });
        }
        let root = root.filter(|r| r.is_entry_by_row(tree, at))?;
        Some(Self { start: root.start, end: root.end, error: root.error, refused: root.refused })
    }
}

impl Root {
    /// Whether the generator's request came first to this span.
    fn is_entry_by_row(&self, tree: &Tree<'_>, at: usize) -> bool {
        let place = &tree.nodes[at];
        let by_row = self.span.is_none() && place.parent.is_none() && place.role == Role::Serve;
        by_row && place.span.parent == self.parent_of_entry
    }

    /// Whether a span ended because the client had gone, and not because its work was done.
    fn cut_off(&self, place: &Place<'_>) -> bool {
        let with_the_client =
            (self.end - CUT_OFF_BEFORE_NS..=self.end + CUT_OFF_AFTER_NS).contains(&place.end);
        self.given_up && with_the_client && !(200..400).contains(&place.span.status)
    }

    /// Whether the request came first to this span.
    fn is_entry(&self, tree: &Tree<'_>, at: usize) -> bool {
        self.span == Some(at) || self.is_entry_by_row(tree, at)
    }
}

/// When the operations of a node count: by the root's intended time, or by their own where no root is known.
fn filed_under(gather: &Gather, root: Option<&Root>, own_start: i64) -> i64 {
    second_of(root.map_or(own_start, |r| r.intended), gather.origin())
}

#[cfg(test)]
pub(crate) mod tests;
