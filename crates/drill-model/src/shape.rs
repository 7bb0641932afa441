//! The rate over the time of a phase. Rates are journeys a second, times nanoseconds from the phase's start.

use serde::{Deserialize, Serialize};

use crate::search::Range;

/// How the rate of a phase runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// One rate.
    Hold {
        /// Journeys a second.
        rate: f64,
        /// How long.
        for_ns: u64,
    },
    /// Straight from one rate to another.
    Ramp {
        /// At the start.
        from: f64,
        /// At the end.
        to: f64,
        /// How long.
        over_ns: u64,
    },
    /// Up, stay, down.
    Spike {
        /// Before and after.
        from: f64,
        /// At the top.
        to: f64,
        /// Time up.
        rise_ns: u64,
        /// Time at the top.
        hold_ns: u64,
        /// Time down.
        fall_ns: u64,
    },
    /// A staircase; the last stair is the first that reaches `max`.
    Steps {
        /// First stair.
        from: f64,
        /// Height of a stair.
        by: f64,
        /// Length of a stair.
        every_ns: u64,
        /// Last stair.
        max: f64,
    },
    /// Points, straight between them. At least two, times strictly ascending from 0.
    Curve {
        /// Time and rate.
        points: Vec<(u64, f64)>,
    },
    /// No load.
    Pause {
        /// How long.
        for_ns: u64,
    },
    /// One rate until an instant. How long that is shows when the load starts: see [`crate::timeline::Timeline`].
    HoldUntil {
        /// Journeys a second.
        rate: f64,
        /// The end, Unix nanoseconds.
        until_unix_ns: i64,
    },
    /// Straight pieces, one after the other, with jumps between them.
    Pieces {
        /// What they were written as, for people.
        written: String,
        /// In order; at least one.
        pieces: Vec<Piece>,
    },
    /// Several shapes at once: their rates add. None of them is a closed loop or ends at an instant.
    Sum(Vec<Self>),
    /// A search for the highest rate that meets the phase's objective. Its rates are decided while it runs; it begins
    /// at the lowest.
    Search {
        /// Between what rates.
        #[serde(flatten)]
        range: Range,
        /// After each change of the rate, so long is not judged.
        settle_ns: u64,
        /// What is judged, of each rate.
        probe_ns: u64,
        /// The search ends at the latest after so long.
        within_ns: u64,
    },
    /// Closed loop: so many users, each waiting for its answer.
    Users {
        /// How many.
        count: u32,
        /// How long.
        for_ns: u64,
    },
}

/// A straight piece of a rate curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Piece {
    /// Length.
    pub len_ns: u64,
    /// Rate at its start.
    pub from: f64,
    /// Rate at its end.
    pub to: f64,
}

impl Piece {
    /// One rate.
    #[must_use]
    pub fn flat(len_ns: u64, rate: f64) -> Self {
        Self { len_ns, from: rate, to: rate }
    }

    /// The rate at a time from the piece's start.
    #[must_use]
    pub fn rate_at(&self, t_ns: u64) -> f64 {
        self.from + (self.to - self.from) * (t_ns as f64 / self.len_ns.max(1) as f64)
    }

    /// The integral of the rate.
    #[must_use]
    pub fn area(&self) -> f64 {
        (self.from + self.to) / 2.0 * (self.len_ns as f64 / 1e9)
    }
}

impl Shape {
    /// The shape as straight pieces, in order: of a search, those it begins with. Empty for a closed loop, and for what ends at an instant.
    #[must_use]
    pub fn pieces(&self) -> Vec<Piece> {
        match *self {
            Self::Hold { rate, for_ns } => vec![Piece::flat(for_ns, rate)],
            Self::Pause { for_ns } => vec![Piece::flat(for_ns, 0.0)],
            Self::Ramp { from, to, over_ns } => vec![Piece { len_ns: over_ns, from, to }],
            Self::Spike { from, to, rise_ns, hold_ns, fall_ns } => vec![
                Piece { len_ns: rise_ns, from, to },
                Piece::flat(hold_ns, to),
                Piece { len_ns: fall_ns, from: to, to: from },
            ],
            Self::Steps { from, by, every_ns, max } => {
                let stair = |k: u32| Piece::flat(every_ns, (from + by * f64::from(k)).min(max));
                (0..stairs(from, by, max)).map(stair).collect()
            }
            Self::Curve { ref points } => points
                .windows(2)
                .map(|w| Piece { len_ns: w[1].0 - w[0].0, from: w[0].1, to: w[1].1 })
                .collect(),
            Self::Pieces { ref pieces, .. } => pieces.clone(),
            Self::Sum(ref parts) => sum(parts),
            Self::Search { range, within_ns, .. } => vec![Piece::flat(within_ns, range.low)],
            Self::Users { .. } | Self::HoldUntil { .. } => Vec::new(),
        }
    }

    /// The same with every rate times a factor.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        let mut out = self.clone();
        out.scale(factor);
        out
    }

    fn scale(&mut self, factor: f64) {
        let times = |rates: &mut [&mut f64]| rates.iter_mut().for_each(|rate| **rate *= factor);
        match self {
            Self::Hold { rate, .. } | Self::HoldUntil { rate, .. } => times(&mut [rate]),
            Self::Ramp { from, to, .. } | Self::Spike { from, to, .. } => times(&mut [from, to]),
            Self::Steps { from, by, max, .. } => times(&mut [from, by, max]),
            Self::Curve { points } => points.iter_mut().for_each(|(_, rate)| times(&mut [rate])),
            Self::Pieces { pieces, .. } => {
                pieces.iter_mut().for_each(|piece| times(&mut [&mut piece.from, &mut piece.to]));
            }
            Self::Sum(parts) => parts.iter_mut().for_each(|part| part.scale(factor)),
            Self::Search { range, .. } => times(&mut [&mut range.low, &mut range.high]),
            Self::Users { .. } | Self::Pause { .. } => {}
        }
    }

    /// Whether a rate is planned: all but a closed loop.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !matches!(self, Self::Users { .. })
    }

    /// How long the phase lasts; 0 for what ends at an instant, since that is not known before the load starts.
    #[must_use]
    pub fn duration_ns(&self) -> u64 {
        match self {
            Self::Users { for_ns, .. } => *for_ns,
            _ => self.pieces().iter().map(|piece| piece.len_ns).sum(),
        }
    }

    /// The rate at a time; the last rate after the end, 0 for a closed loop.
    #[must_use]
    pub fn rate_at(&self, t_ns: u64) -> f64 {
        rate_at(&self.pieces(), t_ns)
    }

    /// The highest rate.
    #[must_use]
    pub fn peak(&self) -> f64 {
        match self {
            Self::HoldUntil { rate, .. } => return *rate,
            Self::Search { range, .. } => return range.high,
            _ => {}
        }
        self.pieces().iter().map(|piece| piece.from.max(piece.to)).fold(0.0, f64::max)
    }

    /// The integral of the rate: the expected number of arrivals. 0 for what ends at an instant; of a search the most
    /// that it can have.
    #[must_use]
    pub fn arrivals(&self) -> f64 {
        if let Self::Search { range, within_ns, .. } = self {
            return Piece::flat(*within_ns, range.high).area();
        }
        self.pieces().iter().map(Piece::area).sum()
    }
}

/// The rate of some pieces at a time from their start; the last rate after their end.
#[must_use]
pub fn rate_at(pieces: &[Piece], t_ns: u64) -> f64 {
    let mut left = t_ns;
    for piece in pieces {
        if left < piece.len_ns {
            return piece.rate_at(left);
        }
        left -= piece.len_ns;
    }
    pieces.last().map_or(0.0, |piece| piece.to)
}

/// Pieces that end at every edge of every part, with the rates added. A part that is over adds nothing.
fn sum(parts: &[Shape]) -> Vec<Piece> {
    let parts: Vec<Vec<Piece>> = parts.iter().map(Shape::pieces).collect();
    let mut edges: Vec<u64> = vec![0];
    for pieces in &parts {
        let mut at = 0_u64;
        edges.extend(pieces.iter().map(|piece| {
            at += piece.len_ns;
            at
        }));
    }
    edges.sort_unstable();
    edges.dedup();
    // Where each part stands: its piece, and that piece's start.
    let mut places = vec![(0_usize, 0_u64); parts.len()];
    let between = |edge: &[u64]| {
        let (low, high) = (edge[0], edge[1]);
        let mut whole = Piece::flat(high - low, 0.0);
        for (pieces, (index, start)) in parts.iter().zip(&mut places) {
            while let Some(piece) = pieces.get(*index).filter(|piece| *start + piece.len_ns <= low) {
                *start += piece.len_ns;
                *index += 1;
            }
            if let Some(piece) = pieces.get(*index) {
                whole.from += piece.rate_at(low - *start);
                whole.to += piece.rate_at(high - *start);
            }
        }
        whole
    };
    edges.windows(2).map(between).collect()
}

/// Number of stairs of a staircase. At most a million.
fn stairs(from: f64, by: f64, max: f64) -> u32 {
    if by <= 0.0 || max <= from {
        return 1;
    }
    // A hair below, so that a `max` which is an exact multiple gets no extra stair.
    ((max - from) / by - 1e-9).ceil().clamp(0.0, 1e6) as u32 + 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_staircase_ends_at_its_last_stair() {
        let steps = Shape::Steps { from: 10.0, by: 10.0, every_ns: 1_000_000_000, max: 50.0 };
        assert_eq!(steps.pieces().len(), 5);
        assert_eq!(steps.rate_at(4_500_000_000), 50.0);
        assert_eq!(steps.arrivals(), 150.0);
    }

    #[test]
    fn a_sum_is_cut_at_all_edges() {
        let sum = Shape::Sum(vec![
            Shape::Ramp { from: 0.0, to: 100.0, over_ns: 10_000_000_000 },
            Shape::Hold { rate: 50.0, for_ns: 4_000_000_000 },
            Shape::Pause { for_ns: 12_000_000_000 },
        ]);
        let pieces = [(4, 50.0, 90.0), (6, 40.0, 100.0), (2, 0.0, 0.0)];
        let wanted = pieces.map(|(s, from, to)| Piece { len_ns: s * 1_000_000_000, from, to });
        assert_eq!(sum.pieces(), wanted);
        assert_eq!(sum.arrivals(), 700.0);
        assert_eq!(sum.scaled(2.0).arrivals(), 1400.0);
    }

    fn any_flat_or_ramp() -> impl Strategy<Value = Shape> {
        (0.0..1e4_f64, 0.0..1e4_f64, 1..10_000_000_000_u64).prop_map(|(from, to, over_ns)| Shape::Ramp {
            from,
            to,
            over_ns,
        })
    }

    proptest! {
        #[test]
        fn a_sum_adds_rates_and_arrivals(
            parts in proptest::collection::vec(any_flat_or_ramp(), 1..6),
            at in 0..10_000_000_000_u64,
        ) {
            let sum = Shape::Sum(parts.clone());
            let one_by_one: f64 = parts.iter().map(Shape::arrivals).sum();
            prop_assert!((sum.arrivals() - one_by_one).abs() <= 1e-9 * one_by_one + 1e-6);
            prop_assert_eq!(sum.duration_ns(), parts.iter().map(Shape::duration_ns).max().unwrap());
            let running = |part: &&Shape| at < part.duration_ns();
            let rates: f64 = parts.iter().filter(running).map(|part| part.rate_at(at)).sum();
            if at < sum.duration_ns() {
                prop_assert!((sum.rate_at(at) - rates).abs() <= 1e-6 * rates + 1e-6);
            }
        }
    }

    #[test]
    fn a_spike_rises_and_falls() {
        let spike = Shape::Spike { from: 10.0, to: 110.0, rise_ns: 10, hold_ns: 10, fall_ns: 10 };
        assert_eq!(spike.rate_at(5), 60.0);
        assert_eq!(spike.rate_at(15), 110.0);
        assert_eq!(spike.rate_at(25), 60.0);
        assert_eq!(spike.rate_at(99), 10.0);
        assert_eq!(spike.duration_ns(), 30);
    }
}
