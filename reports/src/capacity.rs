//! What searches for the capacity found: a function of the plan and the event log.

use peakdrill_drill_model::search::{CapacityFound, ENDED_KEY, Ended, PROBE_KEY, Probe, capacity};
use peakdrill_drill_model::shape::Shape;

use crate::Record;

/// What is known of a capacity, as a gate can use it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Known {
    /// It lies at this rate: the highest that held.
    At(f64),
    /// It is this rate or more.
    AtLeast(f64),
    /// It is less than this rate.
    Below(f64),
}

impl Known {
    /// The rate, journeys a second.
    pub(crate) fn rate(self) -> f64 {
        let (Self::At(rate) | Self::AtLeast(rate) | Self::Below(rate)) = self;
        rate
    }
}

/// Every search that was begun, with the index of its phase.
pub(crate) fn searches(record: &Record) -> Vec<(u16, CapacityFound)> {
    let probe = |data: &serde_json::Value| serde_json::from_value::<Probe>(data.get(PROBE_KEY)?.clone()).ok();
    let probes: Vec<Probe> = record.events.iter().filter_map(|event| probe(&event.data)).collect();
    let of = |(index, phase): (usize, &peakdrill_drill_model::plan::Phase)| {
        let Shape::Search { range, .. } = phase.shape else { return None };
        let index = u16::try_from(index).ok()?;
        let tried: Vec<Probe> = probes.iter().filter(|probe| probe.phase == index).cloned().collect();
        let begun = record.frames.iter().any(|frame| frame.phase == index);
        let found = capacity(phase.name.clone(), range, tried, ended(record, index));
        begun.then_some((index, found))
    };
    record.plan.load.phases.iter().enumerate().filter_map(of).collect()
}

fn ended(record: &Record, index: u16) -> Option<Ended> {
    let told = record.events.iter().filter_map(|event| event.data.get(ENDED_KEY));
    let mut of_phase = told.filter(|told| told["phase"] == index);
    of_phase.find_map(|told| serde_json::from_value(told["ended"].clone()).ok())
}

/// Of several searches the one that knows the lowest rate, and what it knows; nothing when one of them knows nothing.
pub(crate) fn lowest<'a>(
    all: impl IntoIterator<Item = &'a CapacityFound>,
) -> Option<(Known, &'a CapacityFound)> {
    let known: Option<Vec<_>> = all.into_iter().map(|found| Some((known(found)?, found))).collect();
    known?.into_iter().min_by(|(a, _), (b, _)| a.rate().total_cmp(&b.rate()))
}

/// What a gate may take a search for.
pub(crate) fn known(found: &CapacityFound) -> Option<Known> {
    match found.ended {
        Ended::Found => found.held_per_s.map(Known::At),
        Ended::BelowLow => found.failed_per_s.map(Known::Below),
        Ended::AtLeastHigh => found.held_per_s.map(Known::AtLeast),
        // Why it ended so may be a fault of the drill, and the rates that held were judged by it, too.
        Ended::Unmeasured => None,
        // What was never contradicted.
        Ended::OutOfProbes | Ended::OutOfTime | Ended::Stopped => found.low_per_s.map(Known::AtLeast),
    }
}
