//! Whether the generator's own numbers can be trusted, and what ended the run.

use peakdrill_drill_model::event::{Event, EventKind};

use crate::Record;
use crate::numbers::{count, millis, percent};

/// More arrivals missed than this share make a run invalid.
pub const MISSED_INVALID_SHARE: f64 = 0.005;
/// A load thread busier than this share makes the numbers suspect.
pub const GENERATOR_CPU_SUSPECT_SHARE: f64 = 0.85;
/// Requests that leave later than this, at 99 %, make the numbers suspect.
pub const LATENESS_SUSPECT_NS: u64 = 10_000_000;

/// What a verdict on the generator is made from. Over the whole load.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Counts {
    /// Journeys that the schedule held.
    pub intended: u64,
    /// Journeys that could not be started.
    pub missed: u64,
    /// Lateness at 99 %, nanoseconds.
    pub lateness_p99_ns: Option<u64>,
    /// Share of a processor that the busiest load thread used, 0..=1.
    pub cpu_share: Option<f64>,
    /// Seconds of load that no frame speaks of.
    pub unseen_s: u64,
    /// Frames that could not be read.
    pub unreadable: u64,
}

/// A verdict on the generator.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Validity {
    /// Why no gate may pass on these numbers; empty: valid.
    pub invalid: Vec<String>,
    /// Why they should be read with care.
    pub suspect: Vec<String>,
}

/// Judges the generator by its counts.
#[must_use]
pub fn validity(counts: &Counts) -> Validity {
    let mut out = Validity::default();
    if counts.intended == 0 {
        out.invalid.push("no load was sent: the record holds no arrivals".to_owned());
    }
    let missed = counts.missed as f64 / counts.intended.max(1) as f64;
    if missed > MISSED_INVALID_SHARE {
        out.invalid.push(format!(
            "{} of the planned arrivals ({} of {}) were not started; more than {} is too many to judge by",
            percent(Some(missed)),
            count(counts.missed),
            count(counts.intended),
            percent(Some(MISSED_INVALID_SHARE)),
        ));
    }
    if counts.unseen_s > 0 {
        out.invalid.push(format!("{} s of the planned load are not in the record", count(counts.unseen_s)));
    }
    if counts.unreadable > 0 {
        out.invalid.push(format!("{} frames of the record could not be read", count(counts.unreadable)));
    }
    if let Some(share) = counts.cpu_share.filter(|share| *share > GENERATOR_CPU_SUSPECT_SHARE) {
        let limit = percent(Some(GENERATOR_CPU_SUSPECT_SHARE));
        out.suspect.push(format!(
            "the busiest load thread used {} of a processor; above {limit} the generator itself may add latency",
            percent(Some(share)),
        ));
    }
    if let Some(ns) = counts.lateness_p99_ns.filter(|ns| *ns > LATENESS_SUSPECT_NS) {
        let late = millis(Some(ns as f64 / 1e6));
        out.suspect
            .push(format!("1 in 100 requests left the generator {late} late or more; latency includes it"));
    }
    out
}

fn flag(event: &Event, key: &str) -> bool {
    event.data.get(key).and_then(serde_json::Value::as_bool).unwrap_or(false)
}

fn words(event: &Event, key: &str) -> String {
    event.data.get(key).and_then(serde_json::Value::as_str).unwrap_or(&event.text).to_owned()
}

/// The guard that stopped the run.
pub(crate) fn guard_fired(record: &Record) -> Option<&Event> {
    record.events.iter().find(|event| event.kind == EventKind::Guard && flag(event, "fired"))
}

/// The person or signal that stopped the run.
pub(crate) fn person_stopped(record: &Record) -> Option<&Event> {
    record.events.iter().find(|event| event.kind == EventKind::Operator && flag(event, "stop"))
}

/// The check that refused the run before any load.
pub(crate) fn preflight_refused(record: &Record) -> Option<&Event> {
    record.events.iter().find(|event| event.kind == EventKind::Preflight && flag(event, "refused"))
}

/// What ended the run early, in words.
pub(crate) fn stopped_by(record: &Record) -> Option<String> {
    guard_fired(record)
        .map(|event| format!("guard: {}", words(event, "text")))
        .or_else(|| person_stopped(record).map(|event| format!("operator: {}", words(event, "by"))))
        .or_else(|| preflight_refused(record).map(|event| format!("preflight: {}", event.text)))
}

/// When the run was ended early, seconds since the start of the load.
pub(crate) fn stopped_at_s(record: &Record) -> Option<f64> {
    let events = [guard_fired(record), person_stopped(record), preflight_refused(record)];
    events.into_iter().flatten().map(|event| event.t_ns.max(0) as f64 / 1e9).min_by(f64::total_cmp)
}
