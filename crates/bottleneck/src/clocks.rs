//! How much clocks differ, by the calls between them.
//!
//! Let the caller's clock be θ ahead of the called service's. A call begins at its caller, by the caller's clock, at `c0`
//! and ends at `c1`; at the called service it begins at `s0` and ends at `s1`, by that one's. Then `c0 − s0 ≤ θ ≤ c1 − s1`,
//! and what all calls of some seconds allow is the offset: the filter of Cristian and of NTP. Spans are never changed by it.
//!
//! Nothing can begin before it was called; one start in a hundred may be wrong. Of ends one in ten may be: on a busy machine
//! a server's span ends a while after its answer has gone.

use peakdrill_latency::{Sparse, middle_of};

use crate::cells::{Cells, ClockCell};
use crate::key::ClockKey;

/// Seconds over which an offset is estimated: by 50 millionths of drift it changes by half a millisecond.
pub const CLOCK_WINDOW_S: i64 = 10;
/// Part of the calls whose starts may say what is not true ...
const WRONG_STARTS: f64 = 0.01;
/// ... and whose ends may.
const WRONG_ENDS: f64 = 0.1;
/// Fewer calls than this say nothing.
const FEW_CALLS: i64 = 20;
/// Less is of no consequence, and not told from clocks that count whole milliseconds and spans that end late.
const FLOOR_NS: i64 = 5_000_000;
/// Values are known to this part of them.
const RESOLUTION: i64 = 1_024;

/// Two clocks, and what calls from one to the other say of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockPair {
    /// Whose clock the caller's is.
    pub caller: ClockKey,
    /// Whose the called service's is.
    pub called: ClockKey,
    /// Stretches of [`CLOCK_WINDOW_S`] in which there were enough calls, by time.
    pub windows: Vec<ClockWindow>,
}

/// What calls of some seconds say of two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockWindow {
    /// The first of its seconds, of the load.
    pub second: i64,
    /// Calls.
    pub calls: i64,
    /// The least by which the caller's clock is ahead, nanoseconds; below zero it may be behind.
    pub least_ns: i64,
    /// The most.
    pub most_ns: i64,
}

/// What follows for a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offset {
    /// The clocks may agree.
    Agree,
    /// The caller's is ahead by so much, give or take, nanoseconds; below zero it is behind.
    Ahead {
        /// The middle of what is possible.
        ns: i64,
        /// Half its width, with the resolution of the sums.
        uncertainty_ns: i64,
    },
    /// No offset fits the calls.
    Inconsistent,
}

impl ClockWindow {
    /// What follows, but for differences of a few milliseconds.
    #[must_use]
    pub fn offset(&self) -> Offset {
        let resolution = (self.least_ns.abs() + self.most_ns.abs()) / RESOLUTION;
        if self.least_ns - self.most_ns > FLOOR_NS + resolution {
            Offset::Inconsistent
        } else if self.least_ns > FLOOR_NS || self.most_ns < -FLOOR_NS {
            let uncertainty_ns = (self.most_ns - self.least_ns).max(0) / 2 + resolution;
            Offset::Ahead { ns: (self.least_ns + self.most_ns) / 2, uncertainty_ns }
        } else {
            Offset::Agree
        }
    }
}

/// What is known of each two clocks between which there were enough calls.
#[must_use]
pub fn clock_pairs(cells: &Cells) -> Vec<ClockPair> {
    let pairs = cells.clocks.iter().map(|((caller, called), seconds)| ClockPair {
        caller: caller.clone(),
        called: called.clone(),
        windows: seconds.iter().filter_map(|(second, cell)| window(*second, cell)).collect(),
    });
    pairs.filter(|pair| !pair.windows.is_empty()).collect()
}

fn window(second: i64, cell: &ClockCell) -> Option<ClockWindow> {
    let least_ns = quantile(&cell.least_below, &cell.least_above, 1.0 - WRONG_STARTS)?;
    let most_ns = quantile(&cell.most_below, &cell.most_above, WRONG_ENDS)?;
    (cell.calls >= FEW_CALLS).then_some(ClockWindow { second, calls: cell.calls, least_ns, most_ns })
}

/// The quantile of values of which those below zero are in one histogram by their size, and the others in another.
fn quantile(below: &Sparse, above: &Sparse, at: f64) -> Option<i64> {
    let value = |bucket: u32| middle_of(bucket).cast_signed();
    let mut all: Vec<(i64, i64)> = below.iter().map(|(bucket, count)| (-value(bucket), count)).collect();
    all.reverse();
    all.extend(above.iter().map(|(bucket, count)| (value(bucket), count)));
    let total: i64 = all.iter().map(|(_, count)| count).sum();
    let wanted = ((at * total as f64).ceil() as i64).max(1);
    let mut seen = 0;
    let reached = |(value, count): &(i64, i64)| {
        seen += count;
        (seen >= wanted).then_some(*value)
    };
    all.iter().find_map(reached)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_go_from_below_zero_to_above() {
        let (mut below, mut above) = (Sparse::default(), Sparse::default());
        [30, 20, 10].into_iter().for_each(|ns| below.add(ns, 1));
        [0, 5].into_iter().for_each(|ns| above.add(ns, 1));
        let at = |q: f64| quantile(&below, &above, q);
        assert_eq!(
            [at(0.0), at(0.2), at(0.4), at(0.6), at(0.8), at(1.0)].map(Option::unwrap),
            [-30, -30, -20, -10, 0, 5]
        );
        assert_eq!(quantile(&Sparse::default(), &Sparse::default(), 0.5), None);
    }

    #[test]
    fn an_offset_is_what_all_calls_allow() {
        let of = |least_ns, most_ns| ClockWindow { second: 0, calls: 20, least_ns, most_ns }.offset();
        assert_eq!(of(-200_000, 300_000), Offset::Agree);
        assert_eq!(of(900_000, 1_500_000), Offset::Agree, "a clock of milliseconds seems to be ahead");
        assert_eq!(of(50_000_000, 52_000_000), Offset::Ahead { ns: 51_000_000, uncertainty_ns: 1_099_609 });
        assert_eq!(
            of(-52_000_000, -50_000_000),
            Offset::Ahead { ns: -51_000_000, uncertainty_ns: 1_099_609 }
        );
        assert_eq!(of(-100_000, -2_000_000), Offset::Agree, "spans that end late");
        assert_eq!(of(5_000_000, -5_000_000), Offset::Inconsistent);
    }
}
