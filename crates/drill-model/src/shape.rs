//! The rate over the time of a phase. Rates are journeys a second, times nanoseconds from the phase's start.

use serde::{Deserialize, Serialize};

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
    /// Closed loop: so many users, each waiting for its answer.
    Users {
        /// How many.
        count: u32,
        /// How long.
        for_ns: u64,
    },
}

/// A straight piece of a rate curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Piece {
    /// Length.
    pub len_ns: u64,
    /// Rate at its start.
    pub from: f64,
    /// Rate at its end.
    pub to: f64,
}

impl Shape {
    /// The shape as straight pieces, in order. Empty for a closed loop.
    #[must_use]
    pub fn pieces(&self) -> Vec<Piece> {
        let flat = |len_ns, rate| Piece { len_ns, from: rate, to: rate };
        match *self {
            Self::Hold { rate, for_ns } => vec![flat(for_ns, rate)],
            Self::Ramp { from, to, over_ns } => vec![Piece { len_ns: over_ns, from, to }],
            Self::Spike { from, to, rise_ns, hold_ns, fall_ns } => vec![
                Piece { len_ns: rise_ns, from, to },
                flat(hold_ns, to),
                Piece { len_ns: fall_ns, from: to, to: from },
            ],
            Self::Steps { from, by, every_ns, max } => {
                (0..stairs(from, by, max)).map(|k| flat(every_ns, (from + by * k as f64).min(max))).collect()
            }
            Self::Curve { ref points } => points
                .windows(2)
                .map(|w| Piece { len_ns: w[1].0 - w[0].0, from: w[0].1, to: w[1].1 })
                .collect(),
            Self::Users { .. } => Vec::new(),
        }
    }

    /// How long the phase lasts.
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
        let mut left = t_ns;
        let mut last = 0.0;
        for piece in self.pieces() {
            if left < piece.len_ns {
                return piece.from + (piece.to - piece.from) * (left as f64 / piece.len_ns as f64);
            }
            left -= piece.len_ns;
            last = piece.to;
        }
        last
    }

    /// The highest rate.
    #[must_use]
    pub fn peak(&self) -> f64 {
        self.pieces().iter().map(|piece| piece.from.max(piece.to)).fold(0.0, f64::max)
    }

    /// The integral of the rate: the expected number of arrivals.
    #[must_use]
    pub fn arrivals(&self) -> f64 {
        self.pieces().iter().map(|p| (p.from + p.to) / 2.0 * (p.len_ns as f64 / 1e9)).sum()
    }
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
    use super::*;

    #[test]
    fn a_staircase_ends_at_its_last_stair() {
        let steps = Shape::Steps { from: 10.0, by: 10.0, every_ns: 1_000_000_000, max: 50.0 };
        assert_eq!(steps.pieces().len(), 5);
        assert_eq!(steps.rate_at(4_500_000_000), 50.0);
        assert_eq!(steps.arrivals(), 150.0);
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
