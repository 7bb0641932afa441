//! The generator's arrivals, second by second, as the analysis of the system wants them.

use peakdrill_drill_model::frame::Frame;
use peakdrill_latency::{Histogram, Sparse, bucket_of, highest_in};

/// Seconds that are kept: a week. What comes later is left to the traces' roots.
const SECONDS_MAX: usize = 7 * 86_400;
/// Nanoseconds in a millisecond.
const NS_PER_MS: f64 = 1e6;
/// What starts no later than this, nanoseconds, was started in time, whatever the pacing: told as this.
const IN_TIME_NS: u64 = 1_000_000;
/// Buckets of a [`Histogram`] that are one here: a sixteenth of a doubling. With the finer ones each second of a long run
/// would keep some 10 KiB.
const TOGETHER: u32 = 64;

#[derive(Debug, Clone, Default)]
struct Second {
    intended: u64,
    lateness: Sparse,
    /// Of the lateness, at 99 %, milliseconds, at most 7 % too much: kept, since a live view asks for all seconds again and again.
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
            lateness.to_sparse().iter().for_each(|(bucket, count)| known.lateness.add(coarse(bucket), count));
            known.late_ms = known.lateness.quantile(0.99).map_or(0.0, |ns| ns as f64 / NS_PER_MS);
        }
    }

    /// Journeys that the schedule held, per second.
    pub(crate) fn intended(&self) -> Vec<f64> {
        self.0.iter().map(|second| second.intended as f64).collect()
    }

    /// What lateness at 99 % was at most, milliseconds, per second; 0 where nothing was started.
    pub(crate) fn lateness_ms(&self) -> Vec<f64> {
        self.0.iter().map(|second| second.late_ms).collect()
    }
}

/// The largest lateness, nanoseconds, that is kept together with that of a bucket.
fn coarse(bucket: u32) -> u64 {
    let first = bucket_of(IN_TIME_NS);
    if bucket <= first { IN_TIME_NS } else { highest_in(bucket - bucket % TOGETHER + TOGETHER - 1) }
}

#[cfg(test)]
mod tests {
    use peakdrill_drill_model::frame::Tally;
    use proptest::prelude::*;

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
        assert!((2.0..2.0 * 1.07).contains(&late[2]), "{late:?}");
    }

    proptest! {
        #[test]
        fn lateness_is_told_at_most_a_sixteenth_too_high_and_never_too_low(ns in 0..3_000_000_000_000_u64) {
            let told = coarse(bucket_of(ns));
            prop_assert!(told >= ns, "{told}");
            prop_assert!(told <= IN_TIME_NS.max(ns + ns / 15), "{told}");
        }
    }

    #[test]
    fn a_second_takes_no_more_room_however_its_lateness_is_spread() {
        let mut lateness = Histogram::new();
        (0..10_000).for_each(|n| lateness.record(n * 200));
        let mut arrivals = Arrivals::default();
        arrivals.add(0, 10_000, &lateness);
        let kept = arrivals.0.first().map_or(0, |second| second.lateness.iter().count());
        assert!((2..=18).contains(&kept), "{kept}");
    }

    #[test]
    fn a_second_beyond_all_bounds_is_left_out() {
        let mut arrivals = Arrivals::default();
        arrivals.add(u32::MAX, 1, &Histogram::default());
        assert!(arrivals.intended().is_empty());
    }
}
