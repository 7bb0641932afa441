//! Messages that are handed from one trace to another: a consumer that begins a trace of its own, with a link to the span
//! that sent the message. How long a message waited is known where both sides are.
//!
//! What both sides told is a set of facts beside the cells, and what a message adds to the cells follows from the facts about
//! it alone: so neither the order of traces makes a difference, nor when they were folded, nor which of them were folded
//! together. Of so many messages that there is no room for all, those stand for all whose hash begins with some zeros. See the
//! decision record 012.

use std::sync::Arc;

use foldhash::HashMap;
use smallvec::SmallVec;

use crate::bounds::{Kept, ids_hash};
use crate::cells::{Cells, Contribution, LinkCell, NodeCell, PartitionCell, PathCell, VisitCell};
use crate::contribute::by_second;
use crate::key::{Entry, NodeKey, TraceClass};

/// A message, by the span that sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MessageId {
    pub(crate) trace: u128,
    pub(crate) span: u64,
}

impl MessageId {
    fn hash(self) -> u64 {
        ids_hash(self.trace, self.span)
    }
}

/// What the trace of the sender says of a message. Times are nanoseconds since the start of the load.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sent {
    /// When it was sent.
    pub(crate) at: i64,
    /// The queue, as the sender calls it.
    pub(crate) to: NodeKey,
    /// The request that it was sent for: how that entered the system, and the second of its intended time.
    pub(crate) request: Option<(Entry, i64)>,
    /// The request ended without an error.
    pub(crate) counts: bool,
}

/// What the trace of the consumer says of the messages that it processed together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Taken {
    /// How many they are: what was spent on all is split evenly over them.
    pub(crate) messages: u32,
    /// The queue, as the consumer calls it.
    pub(crate) node: NodeKey,
    pub(crate) partition: Option<u16>,
    /// The second that the operation is filed under.
    pub(crate) second: i64,
    /// When it began, nanoseconds since the start of the load.
    pub(crate) start: i64,
    /// Its own time, nanoseconds.
    pub(crate) own_ns: i64,
    /// Where the time of the work went, nanoseconds.
    pub(crate) flows: Vec<(NodeKey, i64)>,
    /// Operations of nodes.
    pub(crate) visits: Vec<(NodeKey, i64)>,
}

/// What one trace says of a message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Told {
    Sent(Arc<Sent>),
    /// With its position among those that were processed together.
    Taken(Arc<Taken>, u32),
}

/// One of `parts` shares of a whole: they differ by one at most and add up to it.
pub(crate) fn share(whole: i64, at: u32, parts: u32) -> i64 {
    let (whole, parts) = (i128::from(whole), i128::from(parts.max(1)));
    let up_to = |at: i128| whole * at / parts;
    (up_to(i128::from(at) + 1) - up_to(i128::from(at))) as i64
}

/// What is known of one message: each fact, and how often it was told. What is taken back may be so before it is told.
#[derive(Debug, Clone, Default)]
struct Message {
    sent: SmallVec<[(Arc<Sent>, i64); 1]>,
    taken: SmallVec<[(Arc<Taken>, u32, i64); 1]>,
}

impl Message {
    fn tell(&mut self, told: &Told, times: i64) {
        match told {
            Told::Sent(sent) => {
                let known = self.sent.iter_mut().find(|(known, _)| known == sent);
                match known {
                    Some((_, count)) => *count += times,
                    None => self.sent.push((Arc::clone(sent), times)),
                }
                self.sent.retain(|(_, count)| *count != 0);
            }
            Told::Taken(taken, at) => {
                let known = self.taken.iter_mut().find(|(known, place, _)| place == at && known == taken);
                match known {
                    Some((_, _, count)) => *count += times,
                    None => self.taken.push((Arc::clone(taken), *at, times)),
                }
                self.taken.retain(|(_, _, count)| *count != 0);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.sent.is_empty() && self.taken.is_empty()
    }

    fn told(&self) -> impl Iterator<Item = (Told, i64)> + '_ {
        let sent = self.sent.iter().map(|(sent, count)| (Told::Sent(Arc::clone(sent)), *count));
        let taken = self.taken.iter().map(|(taken, at, count)| (Told::Taken(Arc::clone(taken), *at), *count));
        sent.chain(taken)
    }

    /// What it adds, so many times. Of several senders under one id, which is damage, the first in their order counts.
    fn add_to(&self, change: &mut Contribution, times: i64) {
        let sent = self.sent.iter().filter(|(_, count)| *count > 0).map(|(sent, _)| sent).min();
        for (taken, at, count) in &self.taken {
            let mut adds = Adds { change, times: times.wrapping_mul(*count) };
            match sent {
                Some(sent) => adds.waited(sent, taken, *at),
                None => adds.waited_unknown(taken, *at),
            }
        }
    }
}

/// Adds so many times what one message that was processed adds.
struct Adds<'a> {
    change: &'a mut Contribution,
    times: i64,
}

impl Adds<'_> {
    fn waited(&mut self, sent: &Sent, taken: &Taken, at: u32) {
        let times = self.times;
        // A consumer may begin before the sender's span is closed.
        let from = sent.at.min(taken.start);
        let wait_ns = taken.start - from;
        let wait = wait_ns.unsigned_abs();
        let own = share(taken.own_ns, at, taken.messages).unsigned_abs();
        let mut cell = NodeCell { queued_ns: wait_ns.wrapping_mul(times), ..NodeCell::default() };
        cell.own.add(own.saturating_add(wait), times);
        cell.queued.add(wait, times);
        self.node(&taken.node, taken.second, cell);
        let key = (taken.node.clone(), TraceClass::Mine);
        by_second(from, taken.start, |second, ns| {
            let own_ns = ns.wrapping_mul(times);
            self.change.nodes.push((key.clone(), second, NodeCell { own_ns, ..NodeCell::default() }));
        });
        if let Some(partition) = taken.partition {
            let mut cell = PartitionCell { awaited: times, ..PartitionCell::default() };
            cell.queued.add(wait, times);
            self.change.partitions.push(((taken.node.clone(), TraceClass::Mine, partition), cell));
        }
        self.change.links.push((key, LinkCell { known: times, ..LinkCell::default() }));
        if let Some((entry, second)) = &sent.request {
            self.request(entry, *second, sent, taken, (at, wait_ns));
        }
    }

    /// What the request waited for behind the hand-over, and where its work was done.
    fn request(&mut self, entry: &Entry, second: i64, sent: &Sent, taken: &Taken, (at, wait_ns): (u32, i64)) {
        let times = self.times;
        let mut path = |node: &NodeKey, cell: PathCell| {
            self.change.paths.push(((entry.clone(), TraceClass::Mine, node.clone()), second, cell));
        };
        path(&taken.node, PathCell { wait_ns: wait_ns.wrapping_mul(times), ..PathCell::default() });
        for (node, ns) in &taken.flows {
            let flow_ns = share(*ns, at, taken.messages).wrapping_mul(times);
            path(node, PathCell { flow_ns, ..PathCell::default() });
        }
        // That it was sent is the visit of the queue.
        for (node, ops) in taken.visits.iter().filter(|(node, _)| sent.counts && *node != sent.to) {
            let ops = share(*ops, at, taken.messages);
            if ops == 0 {
                continue;
            }
            let cell = VisitCell {
                ops: ops.wrapping_mul(times),
                ops_squared: ops.wrapping_mul(ops).wrapping_mul(times),
            };
            self.change.visits.push(((entry.clone(), TraceClass::Mine, node.clone()), cell));
        }
    }

    /// Of one whose sender is not known it is not known either that it came before it was taken.
    fn waited_unknown(&mut self, taken: &Taken, at: u32) {
        let mut cell = NodeCell::default();
        cell.own.add(share(taken.own_ns, at, taken.messages).unsigned_abs(), self.times);
        self.node(&taken.node, taken.second, cell);
        let arrived = NodeCell { arrived: self.times, ..NodeCell::default() };
        self.node(&taken.node, taken.start.div_euclid(1_000_000_000), arrived);
    }

    fn node(&mut self, node: &NodeKey, second: i64, cell: NodeCell) {
        self.change.nodes.push(((node.clone(), TraceClass::Mine), second, cell));
    }
}

/// What was told of messages, as far as there is room.
#[derive(Debug, Clone, Default)]
pub(crate) struct Handed {
    /// Which are kept, by their hashes.
    kept: Kept,
    messages: HashMap<MessageId, Message>,
}

// What the messages add is in the cells; which there were is no result.
impl PartialEq for Handed {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Handed {
    /// For how many messages each one that is kept stands.
    fn stands_for(&self) -> i64 {
        1_i64.checked_shl(self.kept.zeros()).unwrap_or(0)
    }

    /// Notes messages; what stood for fewer before stands for more then.
    fn note(&mut self, ids: impl Iterator<Item = MessageId>, max: usize, change: &mut Contribution) {
        let before = self.stands_for();
        let mut lowered = false;
        for id in ids {
            lowered |= self.kept.note(id.hash(), max);
        }
        if lowered {
            self.thin(before, change);
        }
    }

    fn thin(&mut self, before: i64, change: &mut Contribution) {
        let (kept, now) = (&self.kept, self.stands_for());
        self.messages.retain(|id, message| {
            let is_kept = kept.has(id.hash());
            message.add_to(change, if is_kept { now.wrapping_sub(before) } else { before.wrapping_neg() });
            is_kept
        });
    }

    fn tell(&mut self, id: MessageId, told: &Told, times: i64, change: &mut Contribution) {
        if !self.kept.has(id.hash()) {
            return;
        }
        let weight = self.stands_for();
        let message = self.messages.entry(id).or_default();
        message.add_to(change, weight.wrapping_neg());
        message.tell(told, times);
        message.add_to(change, weight);
        if message.is_empty() {
            self.messages.remove(&id);
        }
    }
}

impl Cells {
    /// Takes in what traces told of messages.
    pub(crate) fn hand(&mut self, told: &[(MessageId, Told, i64)]) {
        if told.is_empty() {
            return;
        }
        let max = self.bounds.limits().messages;
        let mut change = Contribution::default();
        let handed = Arc::make_mut(&mut self.handed);
        handed.note(told.iter().filter(|(_, _, times)| *times > 0).map(|(id, ..)| *id), max, &mut change);
        for (id, told, times) in told {
            handed.tell(*id, told, *times, &mut change);
        }
        self.file(&change);
    }

    /// Takes in what others' traces told of messages, when their cells have been added.
    pub(crate) fn hand_all(&mut self, other: &Handed) {
        if other.messages.is_empty() && other.kept.is_empty() {
            return;
        }
        let max = self.bounds.limits().messages;
        let mut change = Contribution::default();
        let theirs = other.stands_for();
        other.messages.values().for_each(|message| message.add_to(&mut change, theirs.wrapping_neg()));
        let handed = Arc::make_mut(&mut self.handed);
        let before = handed.stands_for();
        if handed.kept.merge(&other.kept, max) {
            handed.thin(before, &mut change);
        }
        for (id, message) in &other.messages {
            message.told().for_each(|(told, times)| handed.tell(*id, &told, times, &mut change));
        }
        self.file(&change);
    }

    /// The same cells to look at: what was told of single messages is not with them, so that a copy costs little. Traces
    /// that are added to it find none of the messages that were sent before.
    #[must_use]
    pub fn shown(&self) -> Self {
        let kept = Kept::with_zeros(self.handed.kept.zeros());
        Self { handed: Arc::new(Handed { kept, ..Handed::default() }), ..self.clone() }
    }

    /// For how many messages that were handed from one trace to another each one that is looked at stands: 1 as long as
    /// there is room for all. Cells that were read from a file do not know.
    #[must_use]
    pub fn messages_stand_for(&self) -> i64 {
        self.handed.stands_for()
    }
}

#[cfg(test)]
mod tests;
