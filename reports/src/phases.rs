//! The phases of the plan on the time axis of the load.

use peakdrill_drill_model::plan::Phase;
use peakdrill_drill_model::shape::Piece;
use peakdrill_drill_model::timeline::{Laid, Timeline};

use crate::Record;

/// A phase: where it lies, and what it asks for.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    /// Its name.
    pub(crate) name: String,
    /// Start, seconds since the start of the load.
    pub(crate) start_s: f64,
    /// End: as planned, or as the event log changed it.
    pub(crate) end_s: f64,
    /// Whether gates look at it by default.
    pub(crate) measure: bool,
    /// A closed loop plans no rate.
    pub(crate) closed_loop: bool,
    pieces: Vec<Piece>,
}

impl Span {
    /// Length, seconds.
    pub(crate) fn planned_s(&self) -> f64 {
        self.end_s - self.start_s
    }

    /// The part that was run when the load ended after `load_s` seconds.
    pub(crate) fn ran_s(&self, load_s: f64) -> f64 {
        (self.end_s.min(load_s) - self.start_s).max(0.0)
    }

    /// Arrivals that the plan expects between two times (seconds since the start of the load).
    pub(crate) fn expected(&self, from_s: f64, to_s: f64) -> f64 {
        let mut start = self.start_s;
        let mut sum = 0.0;
        for piece in &self.pieces {
            let len = piece.len_ns as f64 / 1e9;
            let (low, high) = (from_s.max(start), to_s.min(start + len).min(self.end_s));
            if high > low && len > 0.0 {
                let rate = |t: f64| piece.from + (piece.to - piece.from) * ((t - start) / len);
                sum += (rate(low) + rate(high)) / 2.0 * (high - low);
            }
            start += len;
        }
        sum
    }
}

/// The phases of a record as they were run.
pub(crate) fn timeline(record: &Record) -> (Timeline, u64) {
    Timeline::of_record(&record.plan.load, record.environment.started_unix_ns, &record.events)
}

/// All phases, in order.
pub(crate) fn spans(record: &Record) -> Vec<Span> {
    let (timeline, _) = timeline(record);
    let span = |(phase, laid): (&Phase, &Laid)| Span {
        name: phase.name.clone(),
        start_s: laid.start_ns as f64 / 1e9,
        end_s: laid.end_ns as f64 / 1e9,
        measure: phase.measure,
        closed_loop: laid.users.is_some(),
        pieces: laid.pieces.clone(),
    };
    record.plan.load.phases.iter().zip(timeline.phases()).map(span).collect()
}

/// Arrivals that all phases expect between two times; `None` when a closed loop lies between them.
pub(crate) fn expected(spans: &[Span], from_s: f64, to_s: f64) -> Option<f64> {
    let within = || spans.iter().filter(|span| span.start_s < to_s && span.end_s > from_s);
    if within().any(|span| span.closed_loop) {
        return None;
    }
    Some(within().map(|span| span.expected(from_s, to_s)).sum())
}
