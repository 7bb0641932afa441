//! What a run leaves: traces, and what only the simulator knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use peakdrill_bottleneck::{Filed, TraceClass};
use peakdrill_drill_model::frame::RootRow;
use peakdrill_drill_model::verdict::NodeKind;
use peakdrill_trace_model::{Messaging, Peer, PeerKind, Span, SpanKind};

use crate::model::Network;

/// Start of the load, Unix nanoseconds.
pub const ORIGIN_NS: i64 = 1_700_000_000_000_000_000;

/// One request.
#[derive(Debug, Clone)]
pub struct Trace {
    /// Its id.
    pub id: u128,
    /// Its spans, in the order in which they began.
    pub spans: Vec<Span>,
    /// The generator's row; live users have none.
    pub row: Option<RootRow>,
    /// Whose it is.
    pub class: TraceClass,
    /// The true causal path: nanoseconds by node. `None` where a caller gave up on the way, or a hedge won: then
    /// there is more than one right answer.
    pub path: Option<Vec<(usize, i64)>>,
}

impl Trace {
    /// For the sums of the analysis.
    #[must_use]
    pub fn filed(&self) -> Filed<'_> {
        Filed {
            spans: &self.spans,
            root: self.row.as_ref(),
            class: self.class,
            tagged: self.class == TraceClass::Mine,
            origin_ns: ORIGIN_NS,
        }
    }
}

/// What the simulator saw of a node.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Operations whose span began less those whose ended, integrated over each second, nanoseconds.
    pub present_ns: Vec<i64>,
    /// Of one of them: since when so many are present.
    pub(crate) now: (i64, i64),
}

impl Seen {
    /// So many more are present from this time on.
    pub(crate) fn change(&mut self, at_ns: i64, by: i64) {
        let (since, present) = self.now;
        let mut from = since;
        while from < at_ns && present != 0 {
            let second = from.div_euclid(1_000_000_000);
            let until = ((second + 1) * 1_000_000_000).min(at_ns);
            let at = usize::try_from(second).unwrap_or(0);
            if self.present_ns.len() <= at {
                self.present_ns.resize(at + 1, 0);
            }
            self.present_ns[at] += (until - from) * present;
            from = until;
        }
        self.now = (at_ns, present + by);
    }
}

/// A run.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// Requests in the order of their arrival, each to its end.
    pub traces: Vec<Trace>,
    /// By node.
    pub seen: Vec<Seen>,
    /// By caller and called node: logical calls, and attempts.
    pub calls: BTreeMap<(usize, usize), (u64, u64)>,
}

/// Names as spans carry them: made once.
pub(crate) struct Names {
    node: Vec<Arc<str>>,
    service: Vec<Arc<str>>,
    op: Vec<Arc<str>>,
    kind: Vec<PeerKind>,
}

/// What a node is to its callers.
pub(crate) fn peer_kind(kind: NodeKind) -> PeerKind {
    match kind {
        NodeKind::Service | NodeKind::External => PeerKind::Service,
        NodeKind::Database => PeerKind::Database,
        NodeKind::Cache => PeerKind::Cache,
        NodeKind::Queue => PeerKind::Queue,
    }
}

impl Names {
    pub(crate) fn new(network: &Network) -> Self {
        let service = |node: &crate::model::Node| match node.kind {
            NodeKind::Queue => format!("{}-worker", node.name).into(),
            _ => node.name.as_str().into(),
        };
        let kind = |node: &crate::model::Node| peer_kind(node.kind);
        Self {
            node: network.nodes.iter().map(|n| n.name.as_str().into()).collect(),
            service: network.nodes.iter().map(service).collect(),
            op: network.ops.iter().map(|op| op.name.as_str().into()).collect(),
            kind: network.nodes.iter().map(kind).collect(),
        }
    }

    /// A span of an operation's own node.
    pub(crate) fn span(&self, kind: SpanKind, node: usize, op: usize, start_ns: i64) -> Span {
        Span {
            instance: Arc::clone(&self.service[node]),
            op: Arc::clone(&self.op[op]),
            start_ns: ORIGIN_NS + start_ns,
            end_ns: ORIGIN_NS + start_ns,
            messaging: match kind {
                SpanKind::Producer => Some(Messaging::Send),
                SpanKind::Consumer => Some(Messaging::Process),
                _ => None,
            },
            ..Span::bare(kind, Arc::clone(&self.service[node]))
        }
    }

    /// The other side, as a caller knows it.
    pub(crate) fn peer(&self, node: usize) -> Peer {
        Peer { node: Arc::clone(&self.node[node]), kind: self.kind[node] }
    }
}
