//! What is remembered of traces that were sealed, and of which of them something came late.

use std::collections::VecDeque;

use foldhash::HashMap;
use peakdrill_bottleneck::TraceClass;

use crate::limits::Limits;

/// A trace that was sealed. Records have numbers, from 1, in the order in which they were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sealed {
    /// The class under which it was filed.
    pub(super) filed: TraceClass,
    /// Its class now.
    pub(super) class: TraceClass,
    /// The record in which something came for it first.
    pub(super) first: u32,
    /// The last one before it was sealed.
    pub(super) last: u32,
    /// Spans that came for it, repeated ones included.
    pub(super) spans: u32,
}

/// A sealed trace that waits to be put together anew.
#[derive(Debug, Clone, Copy)]
pub(super) struct Late {
    pub(super) sealed: Sealed,
    /// The last record of which something waits; what comes later does not belong to it.
    pub(super) until: u32,
}

/// Ids of sealed traces, a bounded number of them; and those that wait, which are never forgotten.
#[derive(Debug)]
pub(super) struct SealedTraces {
    known: HashMap<u128, Sealed>,
    order: VecDeque<u128>,
    ids_max: usize,
    late: HashMap<u128, Late>,
    late_max: usize,
    /// Spans that come together again when what waits is put together.
    spans: usize,
    spans_max: usize,
    /// Records that hold what waits, ascending.
    records: Vec<u32>,
    /// Spans and rows that wait.
    waiting: u64,
    /// Something was turned away: from then on everything is, so that nothing is counted here and there.
    full: bool,
}

impl SealedTraces {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            known: HashMap::default(),
            order: VecDeque::new(),
            ids_max: limits.sealed_ids_max,
            late: HashMap::default(),
            late_max: limits.late_traces_max,
            spans: 0,
            spans_max: limits.late_spans_max,
            records: Vec::new(),
            waiting: 0,
            full: false,
        }
    }

    /// The class of a trace that is remembered.
    pub(super) fn class(&self, id: u128) -> Option<TraceClass> {
        let known = || self.known.get(&id).map(|sealed| sealed.class);
        self.late.get(&id).map(|late| late.sealed.class).or_else(known)
    }

    /// Remembers a trace; true when another one was forgotten for it.
    pub(super) fn insert(&mut self, id: u128, sealed: Sealed) -> bool {
        self.known.insert(id, sealed);
        self.order.push_back(id);
        if self.order.len() <= self.ids_max {
            return false;
        }
        self.order.pop_front().is_some_and(|oldest| self.known.remove(&oldest).is_some())
    }

    /// Spans and rows that wait for the second reading.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Something came late for a sealed trace, in this record: spans, or a row. False when it cannot wait.
    pub(super) fn wait(&mut self, id: u128, record: u32, count: usize) -> bool {
        if record == u32::MAX || !self.has_room(id, count) {
            self.full = true;
            return false;
        }
        let Some(late) = self.remember(id) else { return false };
        late.until = record;
        self.spans += count;
        self.waiting += count as u64;
        if self.records.last() != Some(&record) {
            self.records.push(record);
        }
        true
    }

    /// Raises the class of a trace that is remembered; false when it stays filed under the old one.
    pub(super) fn raise(&mut self, id: u128, class: TraceClass) -> bool {
        if self.has_room(id, 0)
            && let Some(late) = self.remember(id)
        {
            late.sealed.class = class;
            return true;
        }
        if let Some(sealed) = self.known.get_mut(&id) {
            sealed.class = class;
        }
        false
    }

    fn has_room(&self, id: u128, count: usize) -> bool {
        if self.full {
            // A class costs nothing where the trace is put together anyway.
            return count == 0 && self.late.contains_key(&id);
        }
        let sealed = self.known.get(&id);
        let spans = count + sealed.map_or(0, |sealed| sealed.spans as usize);
        self.late.len() + usize::from(sealed.is_some()) <= self.late_max
            && self.spans.saturating_add(spans) <= self.spans_max
    }

    fn remember(&mut self, id: u128) -> Option<&mut Late> {
        if let Some(sealed) = self.known.remove(&id) {
            self.spans += sealed.spans as usize;
            self.late.insert(id, Late { sealed, until: sealed.last });
        }
        self.late.get_mut(&id)
    }

    /// The traces that wait, and the records that hold what waits.
    pub(super) fn late(&self) -> (&HashMap<u128, Late>, &[u32]) {
        (&self.late, &self.records)
    }

    /// Nothing waits any more, and nothing will: there is one second reading.
    pub(super) fn amended(&mut self) {
        for (id, Late { sealed, .. }) in self.late.drain() {
            self.known.insert(id, Sealed { filed: sealed.class, ..sealed });
        }
        self.records.clear();
        (self.spans, self.waiting, self.full) = (0, 0, true);
    }
}
