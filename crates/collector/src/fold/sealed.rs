//! What is remembered of traces that were sealed, and of which of them something came late.

use std::collections::VecDeque;

use super::class::Whose;
use super::ranges::Ranges;
use crate::limits::Limits;
use foldhash::HashMap;

/// A trace that was sealed. Records have numbers, from 1, in the order in which they were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sealed {
    /// Whose it was when it was filed.
    pub(super) filed: Whose,
    /// Whose it is now.
    pub(super) whose: Whose,
    /// The record in which something came for it first.
    pub(super) first: u32,
    /// The last one before it was sealed.
    pub(super) last: u32,
    /// Spans that came for it, repeated ones included.
    pub(super) spans: u32,
    /// Something of it was turned away, and is counted: from then on everything of it is, since a second reading up to a
    /// later record would count it again.
    pub(super) refused: bool,
}

// Millions are remembered: see the decision record 004.
const _: () = assert!(size_of::<(u128, Sealed)>() == 32);

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
    /// Records that may hold something of those that wait.
    wanted: Ranges,
    wanted_max: u64,
    /// Spans and rows that wait.
    waiting: u64,
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
            wanted: Ranges::default(),
            wanted_max: limits.late_records_max as u64,
            waiting: 0,
        }
    }

    /// Whose a trace is that is remembered.
    pub(super) fn whose(&self, id: u128) -> Option<Whose> {
        let known = || self.known.get(&id).map(|sealed| sealed.whose);
        self.late.get(&id).map(|late| late.sealed.whose).or_else(known)
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
        if self.sealed(id).is_none_or(|sealed| sealed.refused) {
            return false;
        }
        // Of a record that is read again for it anyway, all of it is.
        let is_read = self.late.get(&id).is_some_and(|late| late.until == record);
        if record == u32::MAX || !(is_read || self.has_room(id, Some(record), count)) {
            self.sealed(id).into_iter().for_each(|sealed| sealed.refused = true);
            return false;
        }
        let Some(late) = self.remember(id) else { return false };
        late.until = record;
        self.spans += count;
        self.waiting += count as u64;
        self.wanted.add(record..=record);
        true
    }

    /// Says whose a trace is that is remembered; false when it stays filed as it was.
    pub(super) fn set_whose(&mut self, id: u128, whose: Whose) -> bool {
        if self.has_room(id, None, 0)
            && let Some(late) = self.remember(id)
        {
            late.sealed.whose = whose;
            return true;
        }
        if let Some(sealed) = self.known.get_mut(&id) {
            sealed.whose = whose;
        }
        false
    }

    /// Says whose a trace is that is remembered, where that makes no difference to what was filed. False when it is not.
    pub(super) fn note(&mut self, id: u128, whose: Whose) -> bool {
        self.sealed(id).map(|sealed| sealed.whose = whose).is_some()
    }

    /// What is remembered of a trace, whether it waits or not.
    fn sealed(&mut self, id: u128) -> Option<&mut Sealed> {
        let late = self.late.get_mut(&id).map(|late| &mut late.sealed);
        late.or_else(|| self.known.get_mut(&id))
    }

    /// Whether the trace may wait, with so many spans and rows of this record.
    fn has_room(&self, id: u128, record: Option<u32>, count: usize) -> bool {
        let sealed = self.known.get(&id);
        let spans = count + sealed.map_or(0, |sealed| sealed.spans as usize);
        let new_record = record.is_some_and(|record| !self.wanted.contains(record));
        let records = self.wanted_max.checked_sub(self.wanted.count() + u64::from(new_record));
        self.late.len() + usize::from(sealed.is_some()) <= self.late_max
            && self.spans.saturating_add(spans) <= self.spans_max
            && records.is_some_and(|room| {
                sealed.is_none_or(|sealed| self.wanted.has_room(sealed.first..=sealed.last, room))
            })
    }

    fn remember(&mut self, id: u128) -> Option<&mut Late> {
        if let Some(sealed) = self.known.remove(&id) {
            self.spans += sealed.spans as usize;
            self.wanted.add(sealed.first..=sealed.last);
            self.late.insert(id, Late { sealed, until: sealed.last });
        }
        self.late.get_mut(&id)
    }

    /// The traces that wait, and the records that may hold something of them.
    pub(super) fn late(&self) -> (&HashMap<u128, Late>, &Ranges) {
        (&self.late, &self.wanted)
    }

    /// Nothing waits any more. What waited is forgotten: there is one second reading.
    pub(super) fn amended(&mut self) {
        self.late = HashMap::default();
        self.wanted = Ranges::default();
        (self.spans, self.waiting) = (0, 0);
    }
}
