//! Collects what a trace adds, merged by key, in the keys' order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::cells::{Cell, Contribution, EdgeCell, NodeCell, PathCell, RootCell, TelemetryCell, VisitCell};
use crate::key::{EdgeKey, Entry, NodeKey, TraceClass, bounded_op};

/// Different operations of one trace that are kept by name; more are filed as [`OTHER_OP`].
const OPS_PER_TRACE: usize = 64;
/// The operation of calls beyond [`OPS_PER_TRACE`].
const OTHER_OP: &str = "other";
/// Longest stretch of one interval that is filed as busy time, in seconds: a damaged span may claim years.
const BUSY_LIMIT_S: i64 = 3_600;

const NS_PER_S: i64 = 1_000_000_000;

/// The second of the load in which a time lies.
pub(super) fn second_of(ns: i64, origin: i64) -> i64 {
    ns.saturating_sub(origin).div_euclid(NS_PER_S)
}

/// Sums of one trace.
pub(super) struct Gather {
    class: TraceClass,
    origin: i64,
    ops: BTreeSet<Arc<str>>,
    edges: BTreeMap<(EdgeKey, i64), EdgeCell>,
    nodes: BTreeMap<(NodeKey, i64), NodeCell>,
    paths: BTreeMap<(Entry, NodeKey, i64), PathCell>,
    roots: BTreeMap<(Entry, i64), RootCell>,
    visited: BTreeMap<NodeKey, i64>,
    published: BTreeMap<NodeKey, i64>,
    visits: Vec<((Entry, TraceClass, NodeKey), VisitCell)>,
    aliases: Vec<(Arc<str>, Arc<str>)>,
    entries: Vec<(Entry, Arc<str>)>,
    telemetry: BTreeMap<Arc<str>, TelemetryCell>,
}

impl Gather {
    pub(super) fn new(class: TraceClass, origin: i64) -> Self {
        Self {
            class,
            origin,
            ops: BTreeSet::new(),
            edges: BTreeMap::new(),
            nodes: BTreeMap::new(),
            paths: BTreeMap::new(),
            roots: BTreeMap::new(),
            visited: BTreeMap::new(),
            published: BTreeMap::new(),
            visits: Vec::new(),
            aliases: Vec::new(),
            entries: Vec::new(),
            telemetry: BTreeMap::new(),
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

    /// The operation's bounded name.
    pub(super) fn op(&mut self, raw: &str) -> Arc<str> {
        let op = bounded_op(raw);
        if self.ops.contains(&op) {
            return op;
        }
        if self.ops.len() >= OPS_PER_TRACE {
            return OTHER_OP.into();
        }
        self.ops.insert(Arc::clone(&op));
        op
    }

    pub(super) fn edge(&mut self, key: EdgeKey, second: i64, cell: &EdgeCell) {
        self.edges.entry((key, second)).or_default().add(cell, 1);
    }

    pub(super) fn node(&mut self, key: &NodeKey, second: i64, cell: &NodeCell) {
        self.nodes.entry((key.clone(), second)).or_default().add(cell, 1);
    }

    pub(super) fn path(&mut self, entry: &Entry, node: NodeKey, second: i64, cell: &PathCell) {
        self.paths.entry((entry.clone(), node, second)).or_default().add(cell, 1);
    }

    pub(super) fn root(&mut self, entry: &Entry, second: i64, cell: &RootCell) {
        self.roots.entry((entry.clone(), second)).or_default().add(cell, 1);
    }

    pub(super) fn telemetry(&mut self, service: &Arc<str>, cell: &TelemetryCell) {
        self.telemetry.entry(Arc::clone(service)).or_default().add(cell, 1);
    }

    pub(super) fn alias(&mut self, peer: &Arc<str>, service: &Arc<str>) {
        self.aliases.push((Arc::clone(peer), Arc::clone(service)));
    }

    /// The request came first to this service.
    pub(super) fn entry(&mut self, entry: &Entry, service: &Arc<str>) {
        self.entries.push((entry.clone(), Arc::clone(service)));
    }

    pub(super) fn visit(&mut self, node: &NodeKey) {
        *self.visited.entry(node.clone()).or_insert(0) += 1;
    }

    /// A message sent is a visit of the queue, whether or not it was worked on already.
    pub(super) fn publish(&mut self, node: &NodeKey) {
        *self.published.entry(node.clone()).or_insert(0) += 1;
    }

    /// Files an interval, cut at the bounds of seconds.
    pub(super) fn busy(&mut self, key: &NodeKey, start: i64, end: i64, field: fn(&mut NodeCell) -> &mut i64) {
        let end = end.min(start.saturating_add(BUSY_LIMIT_S * NS_PER_S));
        let mut at = start;
        while at < end {
            let second = self.second(at);
            let left = NS_PER_S - at.saturating_sub(self.origin).rem_euclid(NS_PER_S);
            let until = at.saturating_add(left).min(end);
            *field(self.nodes.entry((key.clone(), second)).or_default()) += until - at;
            at = until;
        }
    }

    pub(super) fn finish_visits(&mut self, entry: &Entry, counts: bool) {
        if !counts {
            return;
        }
        let mut visited = std::mem::take(&mut self.visited);
        visited.append(&mut std::mem::take(&mut self.published));
        let class = self.class;
        self.visits = visited
            .into_iter()
            .map(|(node, ops)| ((entry.clone(), class, node), VisitCell { ops, ops_squared: ops * ops }))
            .collect();
    }

    pub(super) fn finish(self) -> Contribution {
        let class = self.class;
        Contribution {
            edges: self.edges.into_iter().map(|((key, second), cell)| ((key, class), second, cell)).collect(),
            nodes: self.nodes.into_iter().map(|((key, second), cell)| ((key, class), second, cell)).collect(),
            paths: self
                .paths
                .into_iter()
                .map(|((entry, node, second), cell)| ((entry, class, node), second, cell))
                .collect(),
            roots: self
                .roots
                .into_iter()
                .map(|((entry, second), cell)| ((entry, class), second, cell))
                .collect(),
            visits: self.visits,
            aliases: self.aliases,
            entries: self.entries,
            telemetry: self.telemetry.into_iter().collect(),
        }
    }
}
