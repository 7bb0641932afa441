//! Messages that are handed from one trace to another: a consumer that begins a trace of its own, with a link to the span
//! that sent the message. How long a message waited is known where both sides are.
//!
//! What both sides told is a set of facts beside the cells, and what a message adds to the cells follows from the facts about
//! it alone: so neither the order of traces makes a difference, nor when they were folded, nor which of them were folded
//! together. Of so many spans that there is no room for all, those stand for all whose message's hash begins with some zeros,
//! and of those that took one message, those whose own hash does. Which spans there are is noted of each span by itself,
//! whatever its trace tells at the time, and never taken back. See the decision record 012.

mod change;
mod message;

use std::sync::Arc;

use foldhash::HashMap;

use crate::bounds::ids_hash;
use crate::cells::Cells;
use crate::key::{Entry, NodeKey};
use change::Change;
use message::Message;

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

/// What a span's trace says of a message. Nothing is said where the span is there, and how long the message waited is known
/// otherwise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Told {
    Sent(Option<Arc<Sent>>),
    /// With its position among those that were processed together.
    Taken(Option<(Arc<Taken>, u32)>),
}

/// What is told of a message by the trace of a span.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fact {
    pub(crate) message: MessageId,
    /// The hash of what makes the span another one than the rest of its trace.
    pub(crate) span: u64,
    pub(crate) told: Told,
}

/// One of `parts` shares of a whole: they differ by one at most and add up to it.
pub(crate) fn share(whole: i64, at: u32, parts: u32) -> i64 {
    let (whole, parts) = (i128::from(whole), i128::from(parts.max(1)));
    let up_to = |at: i128| whole * at / parts;
    (up_to(i128::from(at) + 1) - up_to(i128::from(at))) as i64
}

/// For how many those stand whose hash begins with so many zeros, each.
fn stands_for(zeros: u32) -> i64 {
    1_i64.checked_shl(zeros).unwrap_or(0)
}

/// What was told of messages, as far as there is room.
#[derive(Debug, Clone, Default)]
pub(crate) struct Handed {
    /// Zeros that the hash of a message begins with that is looked at.
    zeros: u32,
    messages: HashMap<MessageId, Message>,
    /// Over all messages, [`Message::spans`].
    spans: usize,
}

// What the messages add is in the cells; which there were is no result.
impl PartialEq for Handed {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Handed {
    fn stands_for(&self) -> i64 {
        stands_for(self.zeros)
    }

    /// Takes in what was told so many times. With more than `max` spans fewer messages are looked at.
    fn tell(&mut self, fact: &Fact, times: i64, max: usize, change: &mut Change) {
        self.at(fact.message, |message, weight| message.tell(fact, times, weight, change));
        while self.spans > max && self.zeros < u64::BITS {
            self.thin(self.zeros + 1, change);
        }
    }

    /// Changes what is known of a message that is looked at, with how many it stands for.
    fn at(&mut self, id: MessageId, alter: impl FnOnce(&mut Message, i64)) {
        if id.hash().leading_zeros() < self.zeros {
            return;
        }
        let weight = self.stands_for();
        let message = self.messages.entry(id).or_default();
        let before = message.spans();
        alter(message, weight);
        self.spans = self.spans + message.spans() - before;
    }

    /// As many zeros are asked for; what stood for fewer before stands for more then.
    fn thin(&mut self, zeros: u32, change: &mut Change) {
        let before = self.stands_for();
        self.zeros = zeros;
        let now = self.stands_for();
        self.messages.retain(|id, message| {
            let is_kept = id.hash().leading_zeros() >= zeros;
            message.add_to(change, if is_kept { now.wrapping_sub(before) } else { before.wrapping_neg() });
            if !is_kept {
                message.look_at(change, -1);
            }
            is_kept
        });
        self.spans = self.messages.values().map(Message::spans).sum();
    }
}

impl Cells {
    /// Takes in what traces told of messages.
    pub(crate) fn hand(&mut self, told: &[(Fact, i64)]) {
        if told.is_empty() {
            return;
        }
        let max = self.bounds.limits().messages;
        let mut change = Change::default();
        let handed = Arc::make_mut(&mut self.handed);
        told.iter().for_each(|(fact, times)| handed.tell(fact, *times, max, &mut change));
        self.file(&change.finish());
    }

    /// Takes in what others' traces told of messages, when their cells have been added.
    pub(crate) fn hand_all(&mut self, other: &Handed) {
        if other.messages.is_empty() && other.zeros == 0 {
            return;
        }
        let max = self.bounds.limits().messages;
        let mut change = Change::default();
        let theirs = other.stands_for().wrapping_neg();
        for message in other.messages.values() {
            message.add_to(&mut change, theirs);
            message.look_at(&mut change, -1);
        }
        let handed = Arc::make_mut(&mut self.handed);
        if other.zeros > handed.zeros {
            handed.thin(other.zeros, &mut change);
        }
        for (id, message) in &other.messages {
            handed.at(*id, |known, weight| known.thin_as(message, weight, &mut change));
            message.each_fact(*id, |fact, times| handed.tell(&fact, times, max, &mut change));
        }
        self.file(&change.finish());
    }

    /// The same cells to look at: what was told of single messages is not with them, so that a copy costs little. Traces
    /// that are added to it find none of the messages that were sent before.
    #[must_use]
    pub fn shown(&self) -> Self {
        Self { handed: Arc::default(), ..self.clone() }
    }
}

#[cfg(test)]
mod tests;
