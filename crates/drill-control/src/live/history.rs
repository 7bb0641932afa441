//! The load so far, as a bounded row of points for screens.

use std::collections::BTreeMap;

use peakdrill_drill_model::frame::Tally;
use peakdrill_drill_model::snapshot::{HISTORY_POINTS, HistoryPoint};
use peakdrill_drill_model::timeline::Timeline;
use peakdrill_latency::Sparse;

#[derive(Debug, Default)]
struct Second {
    sent: u64,
    completed: u64,
    errors: u64,
    latency: Sparse,
}

/// Points of the past, by second of the intended time. The newest seconds stay open for late answers.
#[derive(Debug, Default)]
pub struct History {
    open: BTreeMap<u32, Second>,
    closed: Vec<HistoryPoint>,
    /// Seconds before this are closed: what is filed under them so late is in the record alone.
    closed_to: u32,
    every: u32,
}

/// Seconds that stay open for late answers.
const OPEN_SECONDS: usize = 30;

impl History {
    /// An empty history.
    #[must_use]
    pub fn new() -> Self {
        Self { open: BTreeMap::new(), closed: Vec::new(), closed_to: 0, every: 1 }
    }

    /// Adds a delta: journeys' sent, requests' latency.
    pub fn add(&mut self, second: u32, is_journeys: bool, tally: &Tally) {
        if second < self.closed_to {
            return;
        }
        let entry = self.open.entry(second).or_default();
        if is_journeys {
            entry.sent += tally.sent;
        } else {
            entry.completed += tally.completed;
            entry.errors += tally.error_count();
            entry.latency.merge(&tally.latency.to_sparse());
        }
    }

    /// The points up to now. Older seconds are thinned so that there are never more than [`HISTORY_POINTS`].
    pub fn points(&mut self, timeline: &Timeline) -> Vec<HistoryPoint> {
        while self.open.len() > OPEN_SECONDS {
            let Some((second, data)) = self.open.pop_first() else { break };
            self.closed_to = second.saturating_add(1);
            if second % self.every == 0 {
                self.closed.push(point(timeline, second, &data));
            }
        }
        while self.closed.len() + OPEN_SECONDS > HISTORY_POINTS {
            self.every *= 2;
            let every = self.every;
            self.closed.retain(|kept| kept.second % every == 0);
        }
        let open = self.open.iter().map(|(second, data)| point(timeline, *second, data));
        self.closed.iter().copied().chain(open).collect()
    }
}

fn point(timeline: &Timeline, second: u32, data: &Second) -> HistoryPoint {
    let middle_ns = u64::from(second) * 1_000_000_000 + 500_000_000;
    HistoryPoint {
        second,
        target: timeline.rate_at(middle_ns).and_then(|(rate, _)| rate),
        sent: data.sent as f64,
        p99_ms: data.latency.quantile(0.99).map(|ns| ns as f64 / 1e6),
        error_share: (data.completed > 0).then(|| data.errors as f64 / data.completed as f64),
    }
}

/// The plan over its whole length at equal distances.
#[must_use]
pub fn plan_curve(timeline: &Timeline) -> Vec<f64> {
    let total = timeline.end_ns();
    let at = |k: usize| {
        let t = (u128::from(total) * (2 * k as u128 + 1) / (2 * HISTORY_POINTS as u128)) as u64;
        timeline.rate_at(t).and_then(|(rate, _)| rate).unwrap_or(0.0)
    };
    (0..HISTORY_POINTS).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::plan;

    #[test]
    fn late_answers_do_not_open_a_closed_second_again() {
        let timeline = Timeline::planned(&plan().load);
        let mut history = History::new();
        for second in 0..120 {
            history.add(second, true, &Tally { sent: 10, ..Tally::default() });
            for late in 0..4 {
                history.add(0, false, &Tally { completed: 1, ..Tally::default() });
                let points = history.points(&timeline);
                let seconds: Vec<u32> = points.iter().map(|point| point.second).collect();
                assert!(seconds.is_sorted_by(|a, b| a < b), "{second}, look {late}: {seconds:?}");
                assert!(points.iter().all(|point| point.sent > 0.0), "{second}, look {late}");
            }
        }
        assert_eq!(history.points(&timeline).len(), 120, "none was thinned out");
    }

    #[test]
    fn a_long_run_stays_bounded() {
        let timeline = Timeline::planned(&plan().load);
        let mut history = History::new();
        for second in 0..20_000 {
            history.add(second, true, &Tally { sent: 1, ..Tally::default() });
            if second % 100 == 0 {
                assert!(history.points(&timeline).len() <= HISTORY_POINTS);
            }
        }
    }
}
