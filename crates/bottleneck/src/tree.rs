//! The spans of one trace as a forest: in an order of their own, damage repaired.

use std::sync::Arc;

use foldhash::HashSet;
use peakdrill_drill_model::verdict::NodeKind;
use peakdrill_trace_model::{Messaging, PeerKind, Span, SpanKind};
use smallvec::SmallVec;

use crate::key::NodeKey;

/// Times outside of `0..=TIME_LIMIT_NS` are taken for these bounds, so that no difference overflows.
const TIME_LIMIT_NS: i64 = i64::MAX / 2;

/// Spans that may share an id and be looked at as each other's client, server or parent: more of them are damage, and
/// would be compared all with all.
const SHARED_ID_SPANS_MAX: usize = 64;

/// What a span does in the call graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    /// Work inside of an operation.
    Work,
    /// An operation of a service.
    Serve,
    /// A call.
    Call,
    /// Puts a message.
    Publish,
    /// An operation on a message.
    Process,
}

fn role_of(span: &Span) -> Role {
    // The operation's type goes before the kind: `receive` and some `send` were CONSUMER and CLIENT in turn.
    match (span.messaging, span.kind) {
        (Some(Messaging::Process), _) | (None, SpanKind::Consumer) => Role::Process,
        (Some(Messaging::Send), SpanKind::Client | SpanKind::Producer) | (None, SpanKind::Producer) => {
            Role::Publish
        }
        (_, SpanKind::Server) => Role::Serve,
        (_, SpanKind::Client) => Role::Call,
        _ => Role::Work,
    }
}

/// A span's place in its trace. Index: position in [`Tree::nodes`].
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub(crate) span: &'a Span,
    pub(crate) role: Role,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) parent: Option<usize>,
    pub(crate) kids: SmallVec<[usize; 4]>,
    /// The node whose time this is.
    pub(crate) owner: NodeKey,
    /// The operation ([`Role::Serve`] or [`Role::Process`]) it is part of.
    pub(crate) within: Option<usize>,
}

impl Place<'_> {
    pub(crate) fn duration(&self) -> u64 {
        (self.end - self.start).unsigned_abs()
    }
}

/// A trace.
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    /// In the order of the spans' own content, whatever the order of arrival was.
    pub(crate) nodes: Vec<Place<'a>>,
    /// Spans without a parent in the trace.
    pub(crate) tops: Vec<usize>,
}

impl<'a> Tree<'a> {
    pub(crate) fn new(spans: &'a [Span]) -> Self {
        let mut sorted: Vec<&Span> = spans.iter().collect();
        sorted.sort_unstable();
        keep_first_of_each(&mut sorted);
        let parents = resolve_parents(&sorted);
        let mut nodes: Vec<Place<'a>> =
            sorted.iter().zip(parents).map(|(span, parent)| place(span, parent)).collect();
        let mut tops = Vec::new();
        for i in 0..nodes.len() {
            match nodes[i].parent {
                Some(parent) => nodes[parent].kids.push(i),
                None => tops.push(i),
            }
        }
        let mut tree = Self { nodes, tops };
        tree.settle_owners();
        tree
    }

    /// Owners follow from the parents': parents first, without recursion.
    fn settle_owners(&mut self) {
        let mut todo: Vec<usize> = self.tops.clone();
        while let Some(i) = todo.pop() {
            todo.extend_from_slice(&self.nodes[i].kids);
            let node = &self.nodes[i];
            let parent = node.parent.map(|p| &self.nodes[p]);
            let (owner, within) = match node.role {
                Role::Serve => (None, Some(i)),
                Role::Process => (Some(self.queue_of(i)), Some(i)),
                _ => match parent.filter(|p| p.span.service == node.span.service) {
                    Some(p) => (Some(p.owner.clone()), p.within),
                    None => (None, None),
                },
            };
            let node = &mut self.nodes[i];
            if let Some(owner) = owner {
                node.owner = owner;
            }
            node.within = within;
        }
    }

    /// The queue that a message came through: as its producer names it, so that both sides mean one node; else
    /// as its consumer does.
    fn queue_of(&self, i: usize) -> NodeKey {
        let from_peer = |place: &Place<'_>| {
            place
                .span
                .peer
                .as_ref()
                .map(|peer| NodeKey { name: Arc::clone(&peer.node), kind: NodeKind::Queue })
        };
        let producer = self.producer_of(i).and_then(|p| from_peer(&self.nodes[p]));
        producer.or_else(|| from_peer(&self.nodes[i])).unwrap_or_else(|| self.nodes[i].owner.clone())
    }

    /// The span that published the message a consumer works on.
    pub(crate) fn producer_of(&self, i: usize) -> Option<usize> {
        self.nodes[i].parent.filter(|p| self.nodes[*p].role == Role::Publish)
    }

    /// The callee's spans of a call: more than one are attempts.
    pub(crate) fn served_by(&self, call: usize) -> impl Iterator<Item = usize> + '_ {
        self.nodes[call].kids.iter().copied().filter(|k| self.nodes[*k].role == Role::Serve)
    }

    /// Whether a call is only the frame of calls within it (attempts of a library).
    pub(crate) fn wraps_calls(&self, call: usize) -> bool {
        self.attempt_in(call).is_some()
    }

    /// The first call within a call that is only the frame of it.
    pub(crate) fn attempt_in(&self, call: usize) -> Option<usize> {
        self.attempts_in(call).next()
    }

    /// The calls within a call that is only the frame of them.
    pub(crate) fn attempts_in(&self, call: usize) -> impl Iterator<Item = usize> + '_ {
        let place = &self.nodes[call];
        let is_attempt = |k: &usize| {
            self.nodes[*k].role == Role::Call && self.nodes[*k].span.service == place.span.service
        };
        place.kids.iter().copied().filter(is_attempt)
    }

    /// The span that stands for the whole trace where no generator's row exists.
    pub(crate) fn root_span(&self) -> Option<usize> {
        let first = |with: &dyn Fn(&Place<'_>) -> bool| {
            self.tops
                .iter()
                .copied()
                .filter(|i| with(&self.nodes[*i]))
                .min_by_key(|i| (self.nodes[*i].start, *i))
        };
        let earliest = self.nodes.iter().map(|n| n.start).min()?;
        first(&|p| p.span.parent == 0 && p.role != Role::Process)
            .or_else(|| first(&|p| p.role == Role::Serve && p.start == earliest))
    }
}

fn place<'a>(span: &'a Span, parent: Option<usize>) -> Place<'a> {
    let start = span.start_ns.clamp(0, TIME_LIMIT_NS);
    Place {
        span,
        role: role_of(span),
        start,
        end: span.end_ns.clamp(start, TIME_LIMIT_NS),
        parent,
        kids: SmallVec::new(),
        owner: NodeKey { name: Arc::clone(&span.service), kind: NodeKind::Service },
        within: None,
    }
}

/// The node that a call without a callee's span leads to.
pub(crate) fn virtual_node(span: &Span) -> NodeKey {
    let Some(peer) = &span.peer else {
        return NodeKey { name: format!("unknown from {}", span.service).into(), kind: NodeKind::External };
    };
    let kind = match peer.kind {
        PeerKind::Service => NodeKind::External,
        PeerKind::Database => NodeKind::Database,
        PeerKind::Cache => NodeKind::Cache,
        PeerKind::Queue => NodeKind::Queue,
    };
    NodeKey { name: Arc::clone(&peer.node), kind }
}

/// Keeps of each identity (id, service and kind) the first. The spans are sorted: those of one id lie together.
fn keep_first_of_each(sorted: &mut Vec<&Span>) {
    if sorted.windows(2).all(|pair| !matches!(pair, [a, b] if a.id == b.id)) {
        return;
    }
    let mut seen = HashSet::default();
    let mut id = None;
    sorted.retain(|span| {
        if id.replace(span.id) != Some(span.id) {
            seen.clear();
        }
        seen.insert((span.service.as_ref(), span.kind))
    });
}

/// The spans of a trace, found by id.
struct ById<'a> {
    /// In the order of ids.
    spans: &'a [&'a Span],
}

impl<'a> ById<'a> {
    /// Positions of the spans of an id, in order, the first [`SHARED_ID_SPANS_MAX`].
    fn of(&self, id: u64) -> std::ops::Range<usize> {
        let start = self.spans.partition_point(|span| span.id < id);
        let same = self.spans[start..].iter().take_while(|span| span.id == id);
        let length = same.take(SHARED_ID_SPANS_MAX).count();
        start..start + length
    }
}

/// Parents by id. Where two spans share an id (client and server of one call, in some libraries), the server
/// is the client's child, and others belong to the span of their own service.
fn resolve_parents(spans: &[&Span]) -> Vec<Option<usize>> {
    let by_id = ById { spans };
    let calls = |kind| matches!(kind, SpanKind::Client | SpanKind::Producer);
    let mut parents: Vec<Option<usize>> = spans
        .iter()
        .enumerate()
        .map(|(i, span)| {
            let shares = [i.wrapping_sub(1), i + 1].into_iter().filter_map(|j| spans.get(j));
            if !calls(span.kind)
                && shares.into_iter().any(|other| other.id == span.id)
                && let Some(shared) = by_id.of(span.id).find(|j| *j != i && calls(spans[*j].kind))
            {
                return Some(shared);
            }
            if span.parent == 0 && role_of(span) != Role::Process {
                return None;
            }
            let found = if span.parent == span.id { 0..0 } else { by_id.of(span.parent) };
            let named = || found.clone();
            named()
                .find(|j| spans[*j].service == span.service && !calls(spans[*j].kind))
                .or_else(|| named().find(|j| spans[*j].service == span.service))
                .or_else(|| named().next())
                .or_else(|| linked_producer(span, &by_id))
        })
        .collect();
    cut_cycles(&mut parents);
    parents
}

fn linked_producer(span: &Span, by_id: &ById<'_>) -> Option<usize> {
    if role_of(span) != Role::Process {
        return None;
    }
    let here = span.links.iter().filter(|link| link.trace == span.trace && link.span != span.id);
    here.flat_map(|link| by_id.of(link.span)).find(|j| role_of(by_id.spans[*j]) == Role::Publish)
}

fn cut_cycles(parents: &mut [Option<usize>]) {
    const NEW: usize = usize::MAX;
    let mut walk_of = vec![NEW; parents.len()];
    for first in 0..parents.len() {
        let mut at = first;
        while walk_of[at] == NEW {
            walk_of[at] = first;
            match parents[at] {
                // Back on the own walk: this parent closes a cycle.
                Some(parent) if walk_of[parent] == first => parents[at] = None,
                Some(parent) => at = parent,
                None => break,
            }
        }
    }
}
