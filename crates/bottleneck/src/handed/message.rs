//! What is known of one message.

use std::sync::Arc;

use smallvec::SmallVec;

use super::change::Change;
use super::{Fact, MessageId, Sent, Taken, Told, stands_for};

/// Spans of one message that are kept on each side: a span may send a batch, of which each message is taken by itself.
pub(super) const SPANS_MAX: usize = 64;
/// Different facts that one span may have told, of which all but one are about to be taken back; more are damage.
const FACTS_MAX: usize = 16;

/// What spans told on one side of a message, each fact with how often it was told: what is taken back may be so before it is
/// told. Of more spans than [`SPANS_MAX`] those stand for all whose hash begins with some zeros.
#[derive(Debug, Clone)]
struct Side<F> {
    zeros: u32,
    /// By the spans' hashes, ascending.
    spans: SmallVec<[Span<F>; 1]>,
}

/// A span that was seen to be there.
#[derive(Debug, Clone)]
struct Span<F> {
    hash: u64,
    facts: SmallVec<[(F, i64); 1]>,
}

impl<F> Default for Side<F> {
    fn default() -> Self {
        Self { zeros: 0, spans: SmallVec::new() }
    }
}

impl<F: Clone + PartialEq> Side<F> {
    fn stands_for(&self) -> i64 {
        stands_for(self.zeros)
    }

    /// How many there are, up to the limit: once there were more it does not fall again, since what is asked for because of it
    /// must depend on the set of spans alone.
    fn counted(&self) -> usize {
        if self.zeros > 0 { SPANS_MAX } else { self.spans.len() }
    }

    fn at(&self, hash: u64) -> Result<usize, usize> {
        self.spans.binary_search_by_key(&hash, |span| span.hash)
    }

    /// Notes a span that is kept; true when there are more than may be.
    fn note(&mut self, hash: u64) -> bool {
        if hash.leading_zeros() < self.zeros {
            return false;
        }
        if let Err(at) = self.at(hash) {
            self.spans.insert(at, Span { hash, facts: SmallVec::new() });
        }
        self.spans.len() > SPANS_MAX
    }

    /// Asks for so many zeros, and for more until there is room.
    fn thin(&mut self, zeros: u32) {
        self.zeros = self.zeros.max(zeros);
        self.spans.retain(|span| span.hash.leading_zeros() >= self.zeros);
        while self.spans.len() > SPANS_MAX && self.zeros < u64::BITS {
            self.zeros += 1;
            self.spans.retain(|span| span.hash.leading_zeros() >= self.zeros);
        }
    }

    /// True where the span is kept and the fact is counted.
    fn tell(&mut self, hash: u64, fact: &F, times: i64) -> bool {
        let Ok(at) = self.at(hash) else { return false };
        let facts = &mut self.spans[at].facts;
        match facts.iter().position(|(known, _)| known == fact) {
            Some(at) => facts[at].1 = facts[at].1.wrapping_add(times),
            None if facts.len() < FACTS_MAX => facts.push((fact.clone(), times)),
            None => return false,
        }
        facts.retain(|(_, count)| *count != 0);
        true
    }

    fn facts(&self) -> impl Iterator<Item = &(F, i64)> + '_ {
        self.spans.iter().flat_map(|span| &span.facts)
    }

    /// Each span with each of its facts, and once without one.
    fn each(&self, mut visit: impl FnMut(u64, Option<&F>, i64)) {
        for span in &self.spans {
            visit(span.hash, None, 1);
            span.facts.iter().for_each(|(fact, times)| visit(span.hash, Some(fact), *times));
        }
    }
}

/// What is known of a message.
#[derive(Debug, Clone, Default)]
pub(super) struct Message {
    sent: Side<Arc<Sent>>,
    taken: Side<(Arc<Taken>, u32)>,
}

impl Message {
    /// Spans that are noted, and never fewer than before.
    pub(super) fn spans(&self) -> usize {
        self.sent.counted() + self.taken.counted()
    }

    /// Of several senders under one id, which is damage, the first in their order counts.
    fn sender(&self) -> Option<&Arc<Sent>> {
        self.sent.facts().filter(|(_, count)| *count > 0).map(|(sent, _)| sent).min()
    }

    /// Takes in what was told so many times of a message that stands for `weight` ones.
    pub(super) fn tell(&mut self, fact: &Fact, times: i64, weight: i64, change: &mut Change) {
        match &fact.told {
            Told::Sent(sent) => self.tell_sent(fact.span, (sent.as_ref(), times), weight, change),
            Told::Taken(taken) => self.tell_taken(fact.span, (taken.as_ref(), times), weight, change),
        }
    }

    fn tell_sent(
        &mut self,
        span: u64,
        (sent, times): (Option<&Arc<Sent>>, i64),
        weight: i64,
        change: &mut Change,
    ) {
        let before = self.sender().cloned();
        if self.sent.note(span) {
            self.sent.thin(0);
        }
        if let Some(sent) = sent {
            self.sent.tell(span, sent, times);
        }
        if self.sender() != before.as_ref() {
            self.add_as(before.as_deref(), change, weight.wrapping_neg());
            self.add_to(change, weight);
        }
    }

    fn tell_taken(
        &mut self,
        span: u64,
        (taken, told): (Option<&(Arc<Taken>, u32)>, i64),
        weight: i64,
        change: &mut Change,
    ) {
        if self.taken.note(span) {
            self.thin_taken(0, weight, change);
        }
        if let Some(taken) = taken
            && self.taken.tell(span, taken, told)
        {
            let times = weight.wrapping_mul(self.taken.stands_for()).wrapping_mul(told);
            change.add(self.sender().map(|sent| &**sent), taken, times);
            change.look_at(&taken.0, told);
        }
    }

    fn thin_taken(&mut self, zeros: u32, weight: i64, change: &mut Change) {
        self.add_to(change, weight.wrapping_neg());
        self.look_at(change, -1);
        self.taken.thin(zeros);
        self.add_to(change, weight);
        self.look_at(change, 1);
    }

    /// No more zeros are asked for in the other than here.
    pub(super) fn thin_as(&mut self, other: &Self, weight: i64, change: &mut Change) {
        if other.taken.zeros > self.taken.zeros {
            self.thin_taken(other.taken.zeros, weight, change);
        }
        if other.sent.zeros > self.sent.zeros {
            self.add_to(change, weight.wrapping_neg());
            self.sent.thin(other.sent.zeros);
            self.add_to(change, weight);
        }
    }

    /// What it adds, so many times.
    pub(super) fn add_to(&self, change: &mut Change, times: i64) {
        self.add_as(self.sender().map(|sent| &**sent), change, times);
    }

    fn add_as(&self, sender: Option<&Sent>, change: &mut Change, times: i64) {
        let times = times.wrapping_mul(self.taken.stands_for());
        self.taken.facts().for_each(|(taken, count)| change.add(sender, taken, times.wrapping_mul(*count)));
    }

    /// Counts that it is looked at, or with a negative sign that it is not any more.
    pub(super) fn look_at(&self, change: &mut Change, sign: i64) {
        self.taken.facts().for_each(|((taken, _), count)| change.look_at(taken, sign.wrapping_mul(*count)));
    }

    /// All that was told of it, and which spans there were.
    pub(super) fn each_fact(&self, message: MessageId, mut visit: impl FnMut(Fact, i64)) {
        self.sent.each(|span, sent, times| {
            visit(Fact { message, span, told: Told::Sent(sent.cloned()) }, times);
        });
        self.taken.each(|span, taken, times| {
            visit(Fact { message, span, told: Told::Taken(taken.cloned()) }, times);
        });
    }
}
