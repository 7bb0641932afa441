//! Open traces, in fixed parts by the hash of their ids. Parts are folded by as many threads as there are cores; which
//! thread folds which makes no difference, since the sums are added up in the end.

use std::hash::BuildHasher;
use std::num::NonZero;
use std::thread;

use foldhash::HashMap;
use foldhash::fast::RandomState;
use peakdrill_bottleneck::{Cells, Sums};

use super::trace::Trace;
use crate::counters::Counters;

/// Parts, for the whole run: more than there are threads, so that they have about as much to do.
const PARTS: usize = 64;
/// Threads that fold, at most.
const THREADS_MAX: usize = 16;
/// Changed traces that are worth another thread.
const TRACES_PER_THREAD_MIN: usize = 64;

#[derive(Debug, Default)]
struct Part {
    traces: HashMap<u128, Trace>,
    /// Traces that changed since the last turn, and those whose turn it is.
    changed: Vec<u128>,
    waiting: Vec<u128>,
    /// Spans on a cycle of parents, of all its traces.
    on_cycle: u64,
}

/// The open traces, and sums over what of them is not in the cells yet.
#[derive(Debug)]
pub(super) struct Parts {
    parts: Vec<Part>,
    /// Which part an id belongs to: no sender can tell, and fill one part alone.
    spread: RandomState,
    count: usize,
    /// For each thread; the first is also for what is filed one by one.
    sums: Vec<Sums>,
}

/// What threads are to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Folding {
    pub(super) origin_ns: i64,
    pub(super) spans_max: usize,
}

impl Parts {
    /// `threads`: how many may fold at once; `None`: as many as there are cores.
    pub(super) fn new(threads: Option<usize>) -> Self {
        let cores = || thread::available_parallelism().map_or(1, NonZero::get);
        let threads = threads.unwrap_or_else(cores).clamp(1, THREADS_MAX);
        let parts = (0..PARTS).map(|_| Part::default()).collect();
        Self {
            parts,
            spread: RandomState::default(),
            count: 0,
            sums: (0..threads).map(|_| Sums::default()).collect(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// How many changed since the last turn.
    pub(super) fn changed(&self) -> usize {
        self.parts.iter().map(|part| part.changed.len()).sum()
    }

    /// How many wait for their turn to be folded.
    fn waiting(&self) -> usize {
        self.parts.iter().map(|part| part.waiting.len()).sum()
    }

    /// How many spans are on a cycle of parents, of what was folded.
    pub(super) fn on_cycle(&self) -> u64 {
        self.parts.iter().map(|part| part.on_cycle).sum()
    }

    pub(super) fn get(&self, id: u128) -> Option<&Trace> {
        self.parts[part_of(&self.spread, id)].traces.get(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u128, &Trace)> {
        self.parts.iter().flat_map(|part| part.traces.iter().map(|(id, trace)| (*id, trace)))
    }

    /// The trace, marked as changed, and made when it is not there; and the sums to take back to what it added.
    pub(super) fn open(&mut self, id: u128, new: impl FnOnce() -> Trace) -> (&mut Trace, &mut Sums) {
        let part = &mut self.parts[part_of(&self.spread, id)];
        let count = &mut self.count;
        let trace = part.traces.entry(id).or_insert_with(|| {
            *count += 1;
            new()
        });
        if trace.mark() {
            part.changed.push(id);
        }
        (trace, &mut self.sums[0])
    }

    /// As [`Self::open`], of a trace that is there.
    pub(super) fn change(&mut self, id: u128) -> Option<(&mut Trace, &mut Sums)> {
        let part = &mut self.parts[part_of(&self.spread, id)];
        let trace = part.traces.get_mut(&id)?;
        if trace.mark() {
            part.changed.push(id);
        }
        Some((trace, &mut self.sums[0]))
    }

    /// Takes a trace out, and the sums that it is to be filed in.
    pub(super) fn remove(&mut self, id: u128) -> Option<(Trace, &mut Sums)> {
        let part = &mut self.parts[part_of(&self.spread, id)];
        let trace = part.traces.remove(&id)?;
        part.on_cycle -= trace.on_cycle();
        self.count -= 1;
        Some((trace, &mut self.sums[0]))
    }

    /// The sums, for what belongs to no open trace.
    pub(super) fn sums(&mut self) -> &mut Sums {
        &mut self.sums[0]
    }

    /// It is the turn of what changed. What waits since before the start of the load is known may be gone by now.
    pub(super) fn turn(&mut self) {
        for Part { traces, changed, waiting, .. } in &mut self.parts {
            waiting.append(changed);
            if waiting.len() > 2 * traces.len() {
                waiting.retain(|id| traces.contains_key(id));
            }
        }
    }

    /// Files the traces whose turn it is.
    pub(super) fn fold(&mut self, folding: Folding, counters: &mut Counters) {
        let threads = self.sums.len().min(self.waiting() / TRACES_PER_THREAD_MIN).max(1);
        let share = self.parts.len().div_ceil(threads);
        let work = self.parts.chunks_mut(share).zip(&mut self.sums);
        if threads == 1 {
            work.for_each(|(parts, sums)| counters.merge(&fold_parts(parts, sums, folding)));
            return;
        }
        thread::scope(|scope| {
            let running: Vec<_> =
                work.map(|(parts, sums)| scope.spawn(move || fold_parts(parts, sums, folding))).collect();
            for thread in running {
                match thread.join() {
                    Ok(counted) => counters.merge(&counted),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        });
    }

    /// Moves the sums into the cells; true when that changed anything.
    pub(super) fn take_in(&mut self, cells: &mut Cells) -> bool {
        self.sums.iter_mut().map(|sums| usize::from(cells.take_in(sums))).sum::<usize>() > 0
    }
}

fn fold_parts(parts: &mut [Part], sums: &mut Sums, folding: Folding) -> Counters {
    let mut counters = Counters::default();
    for part in parts {
        for id in part.waiting.drain(..) {
            if let Some(trace) = part.traces.get_mut(&id) {
                part.on_cycle -= trace.on_cycle();
                trace.tidy(folding.spans_max, sums, &mut counters);
                trace.file(folding.origin_ns, sums);
                part.on_cycle += trace.on_cycle();
            }
        }
    }
    counters
}

fn part_of(spread: &RandomState, id: u128) -> usize {
    (spread.hash_one(id) >> 32) as usize % PARTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_does_not_wait_for_ever() {
        let mut parts = Parts::new(Some(1));
        for id in 0..10_000 {
            parts.open(id, || Trace::new(0, 1));
            parts.turn();
            if id >= 10 {
                assert!(parts.remove(id - 10).is_some());
            }
        }
        assert_eq!(parts.len(), 10);
        assert!(parts.waiting() <= 2 * PARTS, "{}", parts.waiting());
    }

    #[test]
    fn ids_of_any_kind_are_spread() {
        let spread = RandomState::default();
        for step in [1, 1 << 64, 0x1_0000_0001] {
            let mut counts = [0; PARTS];
            (0..6_400).for_each(|at| counts[part_of(&spread, at * step)] += 1);
            assert!(counts.iter().all(|count| (50..200).contains(count)), "{step}: {counts:?}");
        }
    }
}
