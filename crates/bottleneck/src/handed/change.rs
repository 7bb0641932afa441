//! What messages add to the cells, summed before it is filed: a hundred thousand of them add to the same few cells.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::HashMap;

use super::{Sent, Taken, share};
use crate::cells::{Contribution, LinkCell, NodeCell, PartitionCell, PathCell, VisitCell};
use crate::contribute::BUSY_LIMIT_NS;
use crate::key::{Entry, NodeKey, TraceClass};
use crate::sums::{NodeId, Sums};

const NS_PER_S: i64 = 1_000_000_000;
const MINE: TraceClass = TraceClass::Mine;

/// Sums of what is added, and of what is taken back.
#[derive(Debug, Default)]
pub(super) struct Change {
    sums: Sums,
    /// When messages waited, by queue.
    waits: HashMap<NodeId, Waits>,
}

/// Intervals, by where they begin and end: a long one costs no more than a short one.
#[derive(Debug, Default)]
struct Waits {
    by_second: BTreeMap<i64, Mark>,
}

#[derive(Debug, Default)]
struct Mark {
    /// Nanoseconds of this second alone.
    ns: i64,
    /// By how many more intervals, or fewer, fill this second and those that follow.
    whole: i64,
}

impl Waits {
    /// Adds an interval so many times, nanoseconds since the start of the load.
    fn add(&mut self, start: i64, end: i64, times: i64) {
        let end = end.min(start.saturating_add(BUSY_LIMIT_NS));
        if end <= start {
            return;
        }
        let (first, last) = (start.div_euclid(NS_PER_S), end.div_euclid(NS_PER_S));
        let mut mark = |second: i64, ns: i64, whole: i64| {
            let mark = self.by_second.entry(second).or_default();
            mark.ns = mark.ns.wrapping_add(ns.wrapping_mul(times));
            mark.whole = mark.whole.wrapping_add(whole.wrapping_mul(times));
        };
        // The first second as if it were filled, less what is before the start; the last one is not.
        mark(first, -start.rem_euclid(NS_PER_S), 1);
        mark(last, end.rem_euclid(NS_PER_S), -1);
    }

    /// Each second, and how much of it.
    fn each(&self, mut visit: impl FnMut(i64, i64)) {
        let mut filled = 0_i64;
        let mut marks = self.by_second.iter().peekable();
        while let Some((second, mark)) = marks.next() {
            filled = filled.wrapping_add(mark.whole);
            let whole_ns = filled.wrapping_mul(NS_PER_S);
            visit(*second, whole_ns.wrapping_add(mark.ns));
            let until = marks.peek().map_or(*second, |(next, _)| **next);
            if filled != 0 {
                (*second + 1..until).for_each(|second| visit(second, whole_ns));
            }
        }
    }
}

impl Change {
    /// What one message adds that was taken, so many times; without its sender it is not known how long it waited.
    pub(super) fn add(&mut self, sent: Option<&Sent>, (taken, at): &(Arc<Taken>, u32), times: i64) {
        let node = self.sums.names.node_id(&taken.node);
        let cell = LinkCell { linked: 1, known: i64::from(sent.is_some()), ..LinkCell::default() };
        self.sums.links.add((node, MINE), 0, &cell, times);
        match sent {
            Some(sent) => self.waited(sent, taken, *at, times),
            None => self.waited_unknown(taken, *at, times),
        }
    }

    /// Counts a message that was taken and is looked at, whatever it stands for.
    pub(super) fn look_at(&mut self, taken: &Taken, times: i64) {
        let node = self.sums.names.node_id(&taken.node);
        self.sums.links.add((node, MINE), 0, &LinkCell { looked_at: 1, ..LinkCell::default() }, times);
    }

    fn waited(&mut self, sent: &Sent, taken: &Taken, at: u32, times: i64) {
        // A consumer may begin before the sender's span is closed.
        let from = sent.at.min(taken.start);
        let wait_ns = taken.start - from;
        let wait = wait_ns.unsigned_abs();
        let own = share(taken.own_ns, at, taken.messages).unsigned_abs();
        let mut cell = NodeCell { queued_ns: wait_ns, ..NodeCell::default() };
        cell.own.add(own.saturating_add(wait), 1);
        cell.queued.add(wait, 1);
        let node = self.sums.names.node_id(&taken.node);
        self.sums.nodes.add((node, MINE), taken.second, &cell, times);
        self.waits.entry(node).or_default().add(from, taken.start, times);
        if let Some(partition) = taken.partition {
            let mut cell = PartitionCell { awaited: 1, ..PartitionCell::default() };
            cell.queued.add(wait, 1);
            self.sums.partitions.add((node, MINE, partition), 0, &cell, times);
        }
        if let Some((entry, second)) = &sent.request {
            self.request((entry, *second), sent, taken, (at, wait_ns), times);
        }
    }

    /// What the request waited for behind the hand-over, and where its work was done.
    fn request(
        &mut self,
        (entry, second): (&Entry, i64),
        sent: &Sent,
        taken: &Taken,
        (at, wait_ns): (u32, i64),
        times: i64,
    ) {
        let entry = self.sums.names.entry_id(entry);
        let mut path = |node: &NodeKey, cell: &PathCell| {
            let node = self.sums.names.node_id(node);
            self.sums.paths.add((entry, MINE, node), second, cell, times);
        };
        path(&taken.node, &PathCell { wait_ns, ..PathCell::default() });
        for (node, ns) in &taken.flows {
            path(node, &PathCell { flow_ns: share(*ns, at, taken.messages), ..PathCell::default() });
        }
        // That it was sent is the visit of the queue.
        for (node, ops) in taken.visits.iter().filter(|(node, _)| sent.counts && *node != sent.to) {
            let ops = share(*ops, at, taken.messages);
            if ops == 0 {
                continue;
            }
            let cell = VisitCell { ops, ops_squared: ops.wrapping_mul(ops) };
            let node = self.sums.names.node_id(node);
            self.sums.visits.add((entry, MINE, node), 0, &cell, times);
        }
    }

    /// Of one whose sender is not known it is not known either that it came before it was taken.
    fn waited_unknown(&mut self, taken: &Taken, at: u32, times: i64) {
        let mut cell = NodeCell::default();
        cell.own.add(share(taken.own_ns, at, taken.messages).unsigned_abs(), 1);
        let node = self.sums.names.node_id(&taken.node);
        self.sums.nodes.add((node, MINE), taken.second, &cell, times);
        let arrived = NodeCell { arrived: 1, ..NodeCell::default() };
        self.sums.nodes.add((node, MINE), taken.start.div_euclid(NS_PER_S), &arrived, times);
    }

    /// The sums, under their names.
    pub(super) fn finish(mut self) -> Contribution {
        for (node, waits) in std::mem::take(&mut self.waits) {
            waits.each(|second, ns| {
                let sum = &mut self.sums.nodes.at((node, MINE), second).cell;
                sum.own_ns = sum.own_ns.wrapping_add(ns);
            });
        }
        self.sums.drain()
    }
}

#[cfg(test)]
mod tests;
