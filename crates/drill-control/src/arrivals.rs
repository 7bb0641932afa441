//! The generator's arrivals, second by second, as the analysis of the system wants them.

use peakdrill_drill_model::frame::Frame;
use peakdrill_latency::{Histogram, Sparse};

/// Seconds that are kept: a week. What comes later is left to the traces' roots.
const SECONDS_MAX: usize = 7 * 86_400;
/// Nanoseconds in a millisecond.
const NS_PER_MS: f64 = 1e6;

#[derive(Debug, Clone, Default)]
struct Second {
    intended: u64,
    lateness: Sparse,
    /// Of the lateness, at 99 %, milliseconds: kept, since a live view asks for all seconds again and again.
    late_ms: f64,
}

/// What the schedule held and how late it was started, per second of the load.
#[derive(Debug, Clone, Default)]
pub(crate) struct Arrivals(Vec<Second>);

impl Arrivals {
    /// Adds those of a frame of a record; frames of requests, and those that cannot be read, are left out.
    pub(crate) fn add_frame(&mut self, frame: &Frame) {
        if let (None, Ok(lateness)) = (frame.step, Histogram::decode(&frame.lateness)) {
            self.add(frame.second, frame.intended, &lateness);
        }
    }

    /// Adds arrivals of a second.
    pub(crate) fn add(&mut self, second: u32, intended: u64, lateness: &Histogram) {
        let at = second as usize;
        if at >= SECONDS_MAX {
            return;
        }
        if self.0.len() <= at {
            self.0.resize_with(at + 1, Second::default);
        }
        if let Some(known) = self.0.get_mut(at) {
            known.intended = known.intended.saturating_add(intended);
            known.lateness.merge(&lateness.to_sparse());
            known.late_ms = known.lateness.quantile(0.99).map_or(0.0, |ns| ns as f64 / NS_PER_MS);
        }
    }

    /// Journeys that the schedule held, per second.
    pub(crate) fn intended(&self) -> Vec<f64> {
        self.0.iter().map(|second| second.intended as f64).collect()
    }

    /// Lateness at 99 %, milliseconds, per second; 0 where nothing was started.
    pub(crate) fn lateness_ms(&self) -> Vec<f64> {
        self.0.iter().map(|second| second.late_ms).collect()
    }
}

#[cfg(test)]
mod tests {
    use peakdrill_drill_model::frame::Tally;

    use super::*;

    #[test]
    fn frames_of_a_second_add_up() {
        let mut tally = Tally { intended: 3, ..Tally::default() };
        tally.lateness.record_n(2_000_000, 3);
        let frames = [tally.to_frame(2, 0, None), tally.to_frame(2, 1, None), tally.to_frame(0, 0, Some(1))];
        let mut arrivals = Arrivals::default();
        frames.iter().for_each(|frame| arrivals.add_frame(frame));
        assert_eq!(arrivals.intended(), [0.0, 0.0, 6.0]);
        let late = arrivals.lateness_ms();
        assert_eq!(late[..2], [0.0, 0.0]);
        assert!((late[2] - 2.0).abs() < 0.05, "{late:?}");
    }

    #[test]
    fn a_second_beyond_all_bounds_is_left_out() {
        let mut arrivals = Arrivals::default();
        arrivals.add(u32::MAX, 1, &Histogram::default());
        assert!(arrivals.intended().is_empty());
    }
}
