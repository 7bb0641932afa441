//! The phases of the plan on the time axis of the load.

use peakdrill_drill_model::plan::Plan;
use peakdrill_drill_model::shape::{Piece, Shape};

/// A phase: where it lies, and what it asks for.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    /// Its name.
    pub(crate) name: String,
    /// Start, seconds since the start of the load.
    pub(crate) start_s: f64,
    /// Planned end.
    pub(crate) end_s: f64,
    /// Whether gates look at it by default.
    pub(crate) measure: bool,
    /// A closed loop plans no rate.
    pub(crate) closed_loop: bool,
    pieces: Vec<Piece>,
}

impl Span {
    /// Planned length, seconds.
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
            let (low, high) = (from_s.max(start), to_s.min(start + len));
            if high > low && len > 0.0 {
                let rate = |t: f64| piece.from + (piece.to - piece.from) * ((t - start) / len);
                sum += (rate(low) + rate(high)) / 2.0 * (high - low);
            }
            start += len;
        }
        sum
    }
}

/// All phases, in order.
pub(crate) fn spans(plan: &Plan) -> Vec<Span> {
    let mut start_s = 0.0;
    let span = |phase: &peakdrill_drill_model::plan::Phase| {
        let end_s = start_s + phase.shape.duration_ns() as f64 / 1e9;
        let span = Span {
            name: phase.name.clone(),
            start_s,
            end_s,
            measure: phase.measure,
            closed_loop: matches!(phase.shape, Shape::Users { .. }),
            pieces: phase.shape.pieces(),
        };
        start_s = end_s;
        span
    };
    plan.load.phases.iter().map(span).collect()
}

/// Arrivals that all phases expect between two times; `None` when a closed loop lies between them.
pub(crate) fn expected(spans: &[Span], from_s: f64, to_s: f64) -> Option<f64> {
    let within = || spans.iter().filter(|span| span.start_s < to_s && span.end_s > from_s);
    if within().any(|span| span.closed_loop) {
        return None;
    }
    Some(within().map(|span| span.expected(from_s, to_s)).sum())
}
