//! Files what a trace adds, under the trace's class, into sums over many traces.

use std::sync::Arc;

use peakdrill_trace_model::{Span, SpanKey};
use smallvec::SmallVec;

use crate::bounds::{Note, name_hash};
use crate::cells::{
    EdgeCell, INSTANCE_WINDOW_S, InstanceCell, LinkCell, LoopCell, MessageCell, NodeCell, PartitionCell,
    PathCell, RootCell, TelemetryCell, VisitCell,
};
use crate::clocks::CLOCK_WINDOW_S;
use crate::contribute::keys;
use crate::handed::Fact;
use crate::key::{EdgeKey, Entry, NodeKey, OTHER, TraceClass};
use crate::sums::{Clock, Filed, Name, NodeId, Sums};

/// Different operations of one trace that are kept by name; more are filed as [`OTHER`].
pub(super) const OPS_PER_TRACE: usize = 64;
/// Longest stretch of one interval that is filed as busy time, in seconds: a damaged span may claim years.
const BUSY_LIMIT_S: i64 = 3_600;
/// The same in nanoseconds.
pub(crate) const BUSY_LIMIT_NS: i64 = BUSY_LIMIT_S * NS_PER_S;

const NS_PER_S: i64 = 1_000_000_000;

/// The second of the load in which a time lies.
pub(super) fn second_of(ns: i64, origin: i64) -> i64 {
    ns.saturating_sub(origin).div_euclid(NS_PER_S)
}

/// Cuts an interval, in nanoseconds since the start of the load, at the bounds of seconds: each second, and how much of it.
fn by_second(start: i64, end: i64, mut file: impl FnMut(i64, i64)) {
    let end = end.min(start.saturating_add(BUSY_LIMIT_NS));
    let mut at = start;
    while at < end {
        let until = at.saturating_add(NS_PER_S - at.rem_euclid(NS_PER_S)).min(end);
        file(at.div_euclid(NS_PER_S), until - at);
        at = until;
    }
}

/// One trace on its way into the sums.
pub(super) struct Gather<'a> {
    sums: &'a mut Sums,
    class: TraceClass,
    origin: i64,
    /// 1: it is added; -1: it is taken back.
    sign: i64,
    counts_keys: bool,
    ops: SmallVec<[Name; 16]>,
    /// A node for each operation of it.
    visited: SmallVec<[NodeId; 32]>,
    /// A queue for each message sent: what was sent counts, whether or not it was worked on already.
    published: SmallVec<[NodeId; 4]>,
}

impl<'a> Gather<'a> {
    pub(super) fn new(sums: &'a mut Sums, filed: &Filed<'_>, sign: i64) -> Self {
        Self {
            sums,
            class: filed.class,
            origin: filed.origin_ns,
            sign,
            counts_keys: keys::are_counted(filed),
            ops: SmallVec::new(),
            visited: SmallVec::new(),
            published: SmallVec::new(),
        }
    }

    pub(super) fn origin(&self) -> i64 {
        self.origin
    }

    pub(super) fn class(&self) -> TraceClass {
        self.class
    }

    pub(super) fn second(&self, ns: i64) -> i64 {
        second_of(ns, self.origin)
    }

    /// Nanoseconds since the start of the load.
    pub(super) fn since_start(&self, ns: i64) -> i64 {
        ns.saturating_sub(self.origin)
    }

    /// The operation's bounded name.
    pub(super) fn op(&mut self, raw: &Arc<str>) -> Arc<str> {
        self.named_op(raw).unwrap_or_else(|| OTHER.into())
    }

    /// The same; `None` where the trace has so many that this one is not kept by name.
    pub(super) fn named_op(&mut self, raw: &Arc<str>) -> Option<Arc<str>> {
        let op = self.sums.names.op(raw);
        if !self.ops.contains(&op) {
            if self.ops.len() >= OPS_PER_TRACE {
                return None;
            }
            self.ops.push(op);
        }
        Some(self.sums.names.text(op))
    }

    pub(super) fn edge(&mut self, key: &EdgeKey, second: i64, cell: &EdgeCell) {
        let edge = self.sums.names.edge_id(key);
        self.sums.edges.add((edge, self.class), second, cell, self.sign);
    }

    pub(super) fn node(&mut self, key: &NodeKey, second: i64, cell: &NodeCell) {
        let node = self.sums.names.node_id(key);
        self.sums.nodes.add((node, self.class), second, cell, self.sign);
    }

    pub(super) fn path(&mut self, entry: &Entry, node: &NodeKey, second: i64, cell: &PathCell) {
        let (entry, node) = (self.sums.names.entry_id(entry), self.sums.names.node_id(node));
        self.sums.paths.add((entry, self.class, node), second, cell, self.sign);
    }

    pub(super) fn root(&mut self, entry: &Entry, second: i64, cell: &RootCell) {
        let entry = self.sums.names.entry_id(entry);
        self.sums.roots.add((entry, self.class), second, cell, self.sign);
    }

    pub(super) fn telemetry(&mut self, service: &Arc<str>, cell: &TelemetryCell) {
        let key = (self.sums.names.id(service), self.class == TraceClass::Mine);
        self.sums.telemetry.add(key, 0, cell, self.sign);
    }

    /// What a call says of its two clocks: by how much the caller's is ahead at least, and at most, nanoseconds.
    /// A clock is told by its service and instance.
    pub(super) fn clocks(&mut self, caller: Clock<'_>, called: Clock<'_>, second: i64, bounds: (i64, i64)) {
        let names = &mut self.sums.names;
        let key = (names.clock_id(caller), names.clock_id(called));
        let sum = self.sums.clocks.at(key, second - second.rem_euclid(CLOCK_WINDOW_S));
        sum.cell.calls = sum.cell.calls.wrapping_add(self.sign);
        for (bound, below) in [(bounds.0, 0), (bounds.1, 2)] {
            sum.sample(below + usize::from(bound >= 0), bound.unsigned_abs(), self.sign);
        }
    }

    /// A message of a partition.
    pub(super) fn partition(&mut self, key: &NodeKey, at: u16, cell: &PartitionCell) {
        let node = self.sums.names.node_id(key);
        self.sums.partitions.add((node, self.class, at), 0, cell, self.sign);
    }

    /// Loops of one request.
    pub(super) fn loops(&mut self, key: &EdgeKey, cell: &LoopCell) {
        let edge = self.sums.names.edge_id(key);
        self.sums.loops.add((edge, self.class), 0, cell, self.sign);
    }

    /// Messages that a consumer processed, by the edge from the queue to it.
    pub(super) fn messages(&mut self, key: &EdgeKey, cell: &MessageCell) {
        let edge = self.sums.names.edge_id(key);
        self.sums.messages.add((edge, self.class), 0, cell, self.sign);
    }

    /// Work of the instance that a span is of, where it tells; what is noted of it must be noted of the span alone.
    pub(super) fn instance(&mut self, span: &Span, second: i64, cell: &InstanceCell) {
        if span.instance.is_empty() {
            return;
        }
        let names = &mut self.sums.names;
        let key = (names.id(&span.service), self.class, names.id(&span.instance));
        if self.sign > 0 && self.sums.instances_noted.insert(key) {
            let note = Note::Instance(name_hash(&span.service), name_hash(&span.instance));
            self.sums.notes.push((self.class, note));
        }
        self.sums.instances.add(key, second - second.rem_euclid(INSTANCE_WINDOW_S), cell, self.sign);
    }

    /// Messages of a queue, the whole run together.
    pub(super) fn links(&mut self, key: &NodeKey, cell: &LinkCell) {
        let node = self.sums.names.node_id(key);
        self.sums.links.add((node, self.class), 0, cell, self.sign);
    }

    /// What the trace tells of a message.
    pub(super) fn told(&mut self, fact: Fact) {
        self.sums.handed.push((fact, self.sign));
    }

    pub(super) fn counts_keys(&self) -> bool {
        self.counts_keys
    }

    /// The number of an operation that a call was filed under. `None`: it has no name of its own, see [`OPS_PER_TRACE`].
    fn filed_op(&mut self, raw: &Arc<str>) -> Option<Name> {
        let op = self.sums.names.op(raw);
        self.ops.contains(&op).then_some(op)
    }

    /// An operation on a key: of which node, which one, and part of which; how long it took by itself; and whether the
    /// key's bits are counted. The calls of the trace are filed before.
    pub(super) fn key(
        &mut self,
        (node, op, caller): (&NodeKey, &Arc<str>, Option<&Arc<str>>),
        key: &SpanKey,
        ns: u64,
        is_named: bool,
    ) {
        let (op, calling) = (self.filed_op(op), caller.map(|caller| self.filed_op(caller)));
        let Some(op) = op.filter(|_| calling != Some(None)) else { return };
        let names = &mut self.sums.names;
        let node = names.node_id(node);
        let place = names.place_id(node, op, calling.flatten());
        let cell = &mut self.sums.keys.at(place.slot, i64::from(key.bucket())).cell;
        cell.count(place, ns, self.sign);
        if is_named {
            cell.name(key, self.sign);
        }
    }

    pub(super) fn alias(&mut self, peer: &Arc<str>, service: &Arc<str>) {
        let key = (self.sums.names.id(peer), self.sums.names.id(service), self.class == TraceClass::Mine);
        *self.sums.aliases.entry(key).or_insert(0) += self.sign;
    }

    /// The request came first to this service.
    pub(super) fn entry(&mut self, entry: &Entry, service: &Arc<str>) {
        let key = (self.sums.names.entry_id(entry), self.sums.names.id(service));
        *self.sums.entries.entry(key).or_insert(0) += self.sign;
    }

    pub(super) fn visit(&mut self, node: &NodeKey) {
        self.visited.push(self.sums.names.node_id(node));
    }

    /// A message sent is a visit of the queue, whether or not it was worked on already.
    pub(super) fn publish(&mut self, node: &NodeKey) {
        self.published.push(self.sums.names.node_id(node));
    }

    /// Files an interval, cut at the bounds of seconds.
    pub(super) fn busy(&mut self, key: &NodeKey, start: i64, end: i64, field: fn(&mut NodeCell) -> &mut i64) {
        let node = self.sums.names.node_id(key);
        by_second(self.since_start(start), self.since_start(end), |second, ns| {
            let sum = field(&mut self.sums.nodes.at((node, self.class), second).cell);
            *sum = sum.wrapping_add(ns.wrapping_mul(self.sign));
        });
    }

    /// Files the visits of a request, where they count.
    pub(super) fn finish_visits(&mut self, entry: &Entry, counts: bool) {
        if !counts {
            return;
        }
        let entry = self.sums.names.entry_id(entry);
        // Of a queue to which messages were sent the sending counts, not the work.
        self.published.sort_unstable();
        self.visited.retain(|node| self.published.binary_search(node).is_err());
        self.visited.append(&mut self.published);
        self.visited.sort_unstable();
        for node in self.visited.chunk_by(|a, b| a == b) {
            let ops = node.len() as i64;
            let cell = VisitCell { ops, ops_squared: ops * ops };
            if let Some(node) = node.first() {
                self.sums.visits.add((entry, self.class, *node), 0, &cell, self.sign);
            }
        }
    }
}
