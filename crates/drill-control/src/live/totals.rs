//! Totals since the start of the load, per phase and step, and what is still to be written as frames.

use std::collections::BTreeMap;

use peakdrill_drill_model::frame::{Frame, Tally};
use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::{Plan, StepId};

/// Second, phase and step (`None`: journeys).
pub type FrameKey = (u32, u16, Option<StepId>);

/// Counts of a run.
#[derive(Debug, Default)]
pub struct Totals {
    pending: BTreeMap<FrameKey, Tally>,
    by_phase: BTreeMap<(u16, Option<StepId>), Tally>,
    journeys: Tally,
    requests: Tally,
    errors: BTreeMap<(StepId, ErrorClass), u64>,
}

impl Totals {
    /// Adds a delta of one shard.
    pub fn add(&mut self, key: FrameKey, tally: &Tally) {
        match key.2 {
            None => self.journeys.merge(tally),
            Some(step) => {
                self.requests.merge(tally);
                for (class, count) in &tally.errors {
                    *self.errors.entry((step, *class)).or_insert(0) += count;
                }
            }
        }
        self.by_phase.entry((key.1, key.2)).or_default().merge(tally);
        self.pending.entry(key).or_default().merge(tally);
    }

    /// Takes what has not been written yet, as frames.
    pub fn take_frames(&mut self) -> Vec<Frame> {
        let pending = std::mem::take(&mut self.pending);
        pending.iter().map(|((second, phase, step), tally)| tally.to_frame(*second, *phase, *step)).collect()
    }

    /// The sum over some phases and steps.
    #[must_use]
    pub fn of_phases(&self, wanted: impl Fn(u16, Option<StepId>) -> bool) -> Tally {
        let mut all = Tally::default();
        let chosen = self.by_phase.iter().filter(|((phase, step), _)| wanted(*phase, *step));
        chosen.for_each(|(_, tally)| all.merge(tally));
        all
    }

    /// The sum over the steps whose requests carry the tag.
    #[must_use]
    pub fn tagged(&self, plan: &Plan) -> Tally {
        self.of_phases(|_, step| step.is_some_and(|step| plan.is_tagged(step)))
    }

    /// All journeys.
    #[must_use]
    pub fn journeys(&self) -> &Tally {
        &self.journeys
    }

    /// All requests.
    #[must_use]
    pub fn requests(&self) -> &Tally {
        &self.requests
    }

    /// Errors by step and class, most frequent first.
    #[must_use]
    pub fn top_errors(&self, at_most: usize) -> Vec<(StepId, ErrorClass, u64)> {
        let mut all: Vec<_> =
            self.errors.iter().map(|((step, class), count)| (*step, *class, *count)).collect();
        all.sort_by_key(|(step, class, count)| (std::cmp::Reverse(*count), *step, *class));
        all.truncate(at_most);
        all
    }

    /// Error classes seen so far, per step.
    pub fn error_classes(&self) -> impl Iterator<Item = (StepId, ErrorClass)> + '_ {
        self.errors.keys().copied()
    }
}
