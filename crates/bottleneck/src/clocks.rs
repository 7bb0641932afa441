//! How much clocks differ, by the calls between them.
//!
//! Let the caller's clock be θ ahead of the called service's. A call begins at its caller, by the caller's clock, at `c0`
//! and ends at `c1`; at the called service it begins at `s0` and ends at `s1`, by that one's. Then `c0 − s0 ≤ θ ≤ c1 − s1`,
//! and what all calls of some seconds allow is the offset: the filter of Cristian and of NTP. Spans are never changed by it.
//!
//! Nothing can begin before it was called; one start in a hundred may be wrong, and one of fewer. Of ends one in ten may
//! be: on a busy machine a server's span ends a while after its answer has gone.

use std::collections::BTreeMap;

use peakdrill_latency::{Sparse, middle_of};
use serde::{Deserialize, Serialize};

use crate::cells::{Cells, ClockCell, Seconds, add_second};
use crate::key::ClockKey;
use crate::pairs;

/// Pairs of clocks that are kept. With more of them hardly any has enough calls in a stretch to say anything.
pub const CLOCK_PAIRS_MAX: usize = 1_000;

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

/// The caller's clock, and the called service's.
pub(crate) type ClockPairKey = (ClockKey, ClockKey);

/// What calls say of clocks, pair by pair: of as many as there is room for, in the order of their names. A pair for which
/// there once was no room gets none any more, so that the order in which calls come makes no difference.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Clocks {
    /// Calls between the pairs that are left out.
    pub left_out_calls: i64,
    /// Pairs from this one on are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out_from: Option<ClockPairKey>,
    #[serde(with = "pairs")]
    pairs: BTreeMap<ClockPairKey, Seconds<ClockCell>>,
}

impl Clocks {
    /// The pairs that are kept: the caller's clock first. By the first second of each stretch.
    #[must_use]
    pub fn pairs(&self) -> &BTreeMap<(ClockKey, ClockKey), Seconds<ClockCell>> {
        &self.pairs
    }

    /// Whether no call is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty() && self.left_out_from.is_none()
    }

    pub(crate) fn add(&mut self, key: &ClockPairKey, second: i64, cell: &ClockCell) {
        if self.left_out_from.as_ref().is_some_and(|from| key >= from) {
            self.left_out_calls = self.left_out_calls.wrapping_add(cell.calls);
            return;
        }
        add_second(&mut self.pairs, key, second, cell);
        while self.pairs.len() > CLOCK_PAIRS_MAX
            && let Some((last, _)) = self.pairs.last_key_value()
        {
            let from = last.clone();
            self.leave_out(&from);
        }
    }

    /// Leaves out all pairs from this one on.
    fn leave_out(&mut self, from: &ClockPairKey) {
        for cell in self.pairs.split_off(from).values().flat_map(BTreeMap::values) {
            self.left_out_calls = self.left_out_calls.wrapping_add(cell.calls);
        }
        if self.left_out_from.as_ref().is_none_or(|known| from < known) {
            self.left_out_from = Some(from.clone());
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.left_out_calls = self.left_out_calls.wrapping_add(other.left_out_calls);
        if let Some(from) = &other.left_out_from {
            self.leave_out(from);
        }
        for (key, seconds) in &other.pairs {
            seconds.iter().for_each(|(second, cell)| self.add(key, *second, cell));
        }
    }
}

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
    let pairs = cells.clocks.pairs().iter().map(|((caller, called), seconds)| ClockPair {
        caller: caller.clone(),
        called: called.clone(),
        windows: seconds.iter().filter_map(|(second, cell)| window(*second, cell)).collect(),
    });
    pairs.filter(|pair| !pair.windows.is_empty()).collect()
}

fn window(second: i64, cell: &ClockCell) -> Option<ClockWindow> {
    if cell.calls < FEW_CALLS {
        return None;
    }
    let wrong_starts = ((WRONG_STARTS * cell.calls as f64) as i64).max(1);
    let least_ns = ranked(&cell.least_below, &cell.least_above, cell.calls - wrong_starts)?;
    let most_ns = ranked(&cell.most_below, &cell.most_above, (WRONG_ENDS * cell.calls as f64).ceil() as i64)?;
    Some(ClockWindow { second, calls: cell.calls, least_ns, most_ns })
}

/// The value of a rank, from 1 on, of values of which those below zero are in one histogram by their size, and the others
/// in another.
fn ranked(below: &Sparse, above: &Sparse, rank: i64) -> Option<i64> {
    let value = |bucket: u32| middle_of(bucket).cast_signed();
    let mut all: Vec<(i64, i64)> = below.iter().map(|(bucket, count)| (-value(bucket), count)).collect();
    all.reverse();
    all.extend(above.iter().map(|(bucket, count)| (value(bucket), count)));
    let mut seen = 0;
    let reached = |(value, count): &(i64, i64)| {
        seen += count;
        (seen >= rank).then_some(*value)
    };
    all.iter().find_map(reached)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_go_from_below_zero_to_above() {
        let (mut below, mut above) = (Sparse::default(), Sparse::default());
        [30, 20, 10].into_iter().for_each(|ns| below.add(ns, 1));
        [0, 5].into_iter().for_each(|ns| above.add(ns, 1));
        let at = |rank: i64| ranked(&below, &above, rank);
        assert_eq!([1, 2, 3, 4, 5].map(at).map(Option::unwrap), [-30, -20, -10, 0, 5]);
        assert_eq!(ranked(&Sparse::default(), &Sparse::default(), 1), None);
    }

    /// Calls of a stretch in which the clocks agree, but for so many odd ones.
    fn stretch(calls: i64, odd: i64) -> ClockWindow {
        let mut cell = ClockCell { calls, ..ClockCell::default() };
        cell.least_below.add(1_000_000, calls - odd);
        cell.least_above.add(50_000_000, odd);
        cell.most_above.add(1_000_000, calls);
        window(0, &cell).unwrap()
    }

    #[test]
    fn one_odd_call_decides_nothing() {
        for calls in [20, 99, 100] {
            assert_eq!(stretch(calls, 1).offset(), Offset::Agree, "{calls}");
            assert_eq!(stretch(calls, 2).offset(), Offset::Inconsistent, "{calls}");
        }
        assert_eq!(stretch(300, 3).offset(), Offset::Agree);
        assert_eq!(stretch(300, 4).offset(), Offset::Inconsistent);
    }

    fn pair(caller: u16, called: u16) -> ClockPairKey {
        let key = |at: u16| ClockKey { service: "s".into(), instance: format!("{at:03}").into() };
        (key(caller), key(called))
    }

    #[test]
    fn beyond_the_limit_it_does_not_matter_which_pairs_come_first() {
        let cell = ClockCell { calls: 2, ..ClockCell::default() };
        let pairs: Vec<ClockPairKey> = (0..45).flat_map(|a| (0..45).map(move |b| pair(a, b))).collect();
        let of = |pairs: &[&ClockPairKey]| {
            let mut clocks = Clocks::default();
            pairs.iter().for_each(|key| clocks.add(key, 0, &cell));
            pairs.iter().for_each(|key| clocks.add(key, 10, &cell));
            clocks
        };
        let mut order: Vec<&ClockPairKey> = pairs.iter().collect();
        let up = of(&order);
        assert_eq!(up.pairs().len(), CLOCK_PAIRS_MAX);
        assert_eq!(up.left_out_calls, 4 * (pairs.len() - CLOCK_PAIRS_MAX) as i64);
        order.reverse();
        assert_eq!(of(&order), up);
        let (mut left, right) = (of(&order[..900]), of(&order[900..]));
        left.merge(&right);
        assert_eq!(left, up);
        let stored = serde_json::to_string(&up).unwrap();
        assert_eq!(serde_json::from_str::<Clocks>(&stored).unwrap(), up);
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
