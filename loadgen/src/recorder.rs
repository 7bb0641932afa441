//! Counts and histograms of a shard, since its last batch.

use peakdrill_drill_model::frame::{RootRow, Tally};
use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::StepId;
use peakdrill_timebase::{MonoNs, NS_PER_S};
use rustc_hash::FxHashMap;

use crate::batch::TallyKey;
use crate::driver::Passed;

/// Tallies held at the same time, at most (about 1 MiB each when full). Beyond, new seconds are filed under one that is
/// there: counts stay right, their second does not. Reached only when nobody takes batches for minutes.
pub const TALLIES_MAX: usize = 1024;
/// Rows of requests held, at most. Beyond, rows are left out and counted.
pub const ROOTS_MAX: usize = 1 << 20;

/// Places of the tallies that are remembered: those of a few steps in one second.
const RECENT: usize = 64;

/// What a shard has counted.
#[derive(Debug)]
pub(crate) struct Recorder {
    start_at: MonoNs,
    tallies: Vec<(TallyKey, Tally)>,
    /// Where a tally is in the list.
    places: FxHashMap<TallyKey, usize>,
    /// The same of those that were asked for last: nearly always the one that is asked for next.
    recent: [usize; RECENT],
    roots: Vec<RootRow>,
    roots_dropped: u64,
    pub(crate) totals: Totals,
}

/// Sums over the whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    pub(crate) intended: u64,
    pub(crate) started: u64,
    pub(crate) missed: u64,
    pub(crate) sent: u64,
    pub(crate) completed: u64,
    pub(crate) errors: u64,
}

/// Where something is filed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) intended: MonoNs,
    pub(crate) phase: u16,
    pub(crate) step: Option<StepId>,
}

/// How a request or a journey ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    pub(crate) latency_ns: u64,
    /// `None` for what was never sent, and for journeys.
    pub(crate) service_ns: Option<u64>,
    pub(crate) error: Option<ErrorClass>,
    pub(crate) ack_missing: bool,
}

impl Recorder {
    pub(crate) fn new(start_at: MonoNs) -> Self {
        Self {
            start_at,
            tallies: Vec::new(),
            places: FxHashMap::default(),
            recent: [0; RECENT],
            roots: Vec::new(),
            roots_dropped: 0,
            totals: Totals::default(),
        }
    }

    fn at(&mut self, place: Place) -> &mut Tally {
        let second = (place.intended.since(self.start_at) / NS_PER_S).min(u64::from(u32::MAX)) as u32;
        self.of((second, place.phase, place.step))
    }

    fn of(&mut self, key: TallyKey) -> &mut Tally {
        let step = key.2.map_or(0, |step| usize::from(step) + 1);
        let slot = (step + key.0 as usize * 7) % RECENT;
        let mut at = self.recent.get(slot).copied().unwrap_or(0);
        if self.tallies.get(at).is_none_or(|(known, _)| *known != key) {
            at = self.look_up(key);
            if let Some(recent) = self.recent.get_mut(slot) {
                *recent = at;
            }
        }
        &mut self.tallies[at].1
    }

    fn look_up(&mut self, key: TallyKey) -> usize {
        if let Some(at) = self.places.get(&key) {
            return *at;
        }
        if self.tallies.len() >= TALLIES_MAX {
            let same = |(other, _): &(TallyKey, Tally)| (other.1, other.2) == (key.1, key.2);
            if let Some(at) = self.tallies.iter().position(same) {
                return at;
            }
        }
        self.tallies.push((key, Tally::default()));
        self.places.insert(key, self.tallies.len() - 1);
        self.tallies.len() - 1
    }

    /// A journey that the schedule holds.
    pub(crate) fn intended(&mut self, place: Place) {
        self.at(place).intended += 1;
        self.totals.intended += 1;
    }

    /// A journey that did not start, or a request of one under way that was held back: its token had run out, or the
    /// load was stopped while it waited.
    pub(crate) fn missed(&mut self, place: Place) {
        self.at(place).missed += 1;
        self.totals.missed += u64::from(place.step.is_none());
    }

    /// A journey that has started.
    pub(crate) fn started(&mut self, place: Place, lateness_ns: u64) {
        let tally = self.at(place);
        tally.sent += 1;
        tally.lateness.record(lateness_ns);
        self.totals.started += 1;
    }

    /// A request that was handed to a connection, or waited in vain for one, after so long a wait in nanoseconds
    /// (`None`: none could be opened).
    pub(crate) fn sent(&mut self, place: Place, lateness_ns: u64, conn_wait_ns: Option<u64>) {
        let tally = self.at(place);
        tally.sent += 1;
        tally.lateness.record(lateness_ns);
        if let Some(wait) = conn_wait_ns {
            tally.conn_wait.record(wait);
        }
        self.totals.sent += 1;
    }

    /// A request or a journey that ended.
    pub(crate) fn ended(&mut self, place: Place, end: End) {
        let tally = self.at(place);
        tally.completed += 1;
        tally.latency.record(end.latency_ns);
        if let Some(service) = end.service_ns {
            tally.service.record(service);
        }
        if let Some(class) = end.error {
            *tally.errors.entry(class).or_insert(0) += 1;
        }
        tally.ack_missing += u64::from(end.ack_missing);
        if place.step.is_some() {
            self.totals.completed += 1;
            self.totals.errors += u64::from(end.error.is_some());
        }
    }

    /// An answer of a class of its own, which is also counted as ended.
    pub(crate) fn outcome(&mut self, place: Place, name: &str) {
        self.at(place).add_outcome(name, 1);
    }

    /// Messages that a step passed over, or that it could not see any more.
    pub(crate) fn passed(&mut self, place: Place, passed: Passed) {
        let tally = self.at(place);
        tally.passed_over += u64::from(passed.over);
        tally.dropped += u64::from(passed.dropped);
    }

    pub(crate) fn root(&mut self, row: RootRow) {
        if self.roots.len() < ROOTS_MAX { self.roots.push(row) } else { self.roots_dropped += 1 }
    }

    /// Everything since the last time.
    pub(crate) fn take(&mut self) -> (Vec<(TallyKey, Tally)>, Vec<RootRow>, u64) {
        let mut tallies = std::mem::take(&mut self.tallies);
        self.places.clear();
        tallies.sort_unstable_by_key(|(key, _)| *key);
        (tallies, std::mem::take(&mut self.roots), std::mem::take(&mut self.roots_dropped))
    }

    /// Puts back what could not be delivered.
    pub(crate) fn put_back(&mut self, tallies: Vec<(TallyKey, Tally)>, roots: Vec<RootRow>, dropped: u64) {
        for (key, tally) in tallies {
            self.of(key).merge(&tally);
        }
        let newer = std::mem::replace(&mut self.roots, roots);
        let room = ROOTS_MAX.saturating_sub(self.roots.len());
        self.roots_dropped += dropped + newer.len().saturating_sub(room) as u64;
        self.roots.extend(newer.into_iter().take(room));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = NS_PER_S;

    fn place(second: u64, step: Option<StepId>) -> Place {
        Place { intended: MonoNs(5 * S + second * S), phase: 0, step }
    }

    #[test]
    fn what_is_put_back_is_told_later() {
        let mut recorder = Recorder::new(MonoNs(5 * S));
        recorder.intended(place(3, None));
        recorder.sent(place(3, Some(1)), 10, Some(20));
        let (tallies, roots, dropped) = recorder.take();
        assert_eq!(tallies.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [(3, 0, None), (3, 0, Some(1))]);
        recorder.intended(place(3, None));
        recorder.put_back(tallies, roots, dropped);
        let (tallies, ..) = recorder.take();
        assert_eq!((tallies[0].1.intended, tallies[1].1.conn_wait.count()), (2, 1));
        assert!(recorder.take().0.is_empty());
    }

    #[test]
    fn tallies_are_bounded_and_counts_kept() {
        let mut recorder = Recorder::new(MonoNs(0));
        (0..TALLIES_MAX as u64 + 50).for_each(|second| recorder.intended(place(second, None)));
        let (tallies, ..) = recorder.take();
        assert_eq!(tallies.len(), TALLIES_MAX);
        assert_eq!(tallies.iter().map(|(_, tally)| tally.intended).sum::<u64>(), TALLIES_MAX as u64 + 50);
    }
}
