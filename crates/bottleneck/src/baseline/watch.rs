//! A gate for a run that is under way: it may be looked at after every second, and still calls a run that is as its baseline
//! was slower in at most so many cases as it is told to.
//!
//! What is watched is which part of a second's requests is slower than a quantile of the baseline: half of them should be
//! slower than its median. Against that being so, money is put on more: Waudby-Smith and Ramdas, "Estimating means of
//! bounded random variables by betting", Journal of the Royal Statistical Society B 86 (2024), 1. Nobody wins in a fair game,
//! so that what a run as the baseline makes of 1 is ever more than 1/α in at most α of the cases (Ville 1939), whenever one
//! looks. The bets are a fixed few, and so is what they come to: no second is looked at twice, and none ahead of time.
//!
//! Seconds in a row are alike, which no fair game would be. So there are several games, each of seconds that are far
//! apart, and what counts is the mean of what they come to: the mean of fair games is fair.

use peakdrill_drill_model::comparison::Quantity;
use peakdrill_latency::Sparse;

use super::table::Tables;
use super::{Settings, Window};
use crate::analyse::resample::Resample;

/// Quantiles of the baseline that are watched: the higher, the sooner a large change is seen; the lower, the smaller a
/// change is seen at all.
const WATCHED: [Quantity; 3] = [Quantity::P50, Quantity::P95, Quantity::P99];
/// Parts of the most that may be put on a second.
const BETS: [f64; 5] = [0.05, 0.1, 0.2, 0.4, 0.8];
/// Keeps these draws apart.
const DRAWS: u64 = 910_000;
/// Of the baseline's quantile this end of its interval is taken: what it truly is may be higher than what was seen.
const UPPER: f64 = 0.99;

/// Something of which no more than a part is to be slower.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// Slower than this, nanoseconds.
    pub above_ns: u64,
    /// The part, between 0 and 1.
    pub share: f64,
}

/// The limits that follow from a baseline, which a run may be slower than by the tolerance. Empty without samples.
#[must_use]
pub fn limits(baseline: &[Window], tolerance: f64, settings: &Settings) -> Vec<Limit> {
    let tables = Tables::new(&[baseline], baseline.len());
    let mut draws = Resample::new(settings.seed, DRAWS);
    let drawn: Vec<_> = (0..settings.refits.max(1)).map(|_| draws.blocks(baseline.len())).collect();
    let limit = |quantity: Quantity| {
        let mut refits: Vec<f64> =
            drawn.iter().filter_map(|blocks| tables.figure(quantity, &[0], blocks)).collect();
        refits.sort_by(f64::total_cmp);
        let last = refits.len().checked_sub(1)?;
        let ns = refits.get((last as f64 * UPPER).round() as usize)?;
        let above_ns = (ns * (1.0 + tolerance)) as u64;
        Some(Limit { above_ns, share: 1.0 - quantity.quantile()? })
    };
    WATCHED.into_iter().filter_map(limit).collect()
}

/// A run that is watched.
#[derive(Debug, Clone)]
pub struct Watch {
    limits: Vec<Limit>,
    /// Games of each limit.
    apart: usize,
    /// By limit, game and bet: what 1 has come to.
    wealth: Vec<f64>,
    seconds: usize,
}

impl Watch {
    /// Of limits; seconds of one game lie so many seconds apart, 1 at least: as far as seconds are alike.
    #[must_use]
    pub fn new(limits: Vec<Limit>, apart: usize) -> Self {
        let apart = apart.max(1);
        let wealth = vec![1.0; limits.len() * apart * BETS.len()];
        Self { limits, apart, wealth, seconds: 0 }
    }

    /// Takes the latencies of the next second, and gives the evidence so far: 20 is what a run as its baseline ever reaches
    /// in at most 1 of 20 cases. A second without samples says nothing.
    pub fn second(&mut self, latency: &Sparse) -> f64 {
        let all = latency.count();
        if all > 0 {
            let game = self.seconds % self.apart;
            for (at, limit) in self.limits.iter().enumerate() {
                let slower = latency.count_above(limit.above_ns) as f64 / all as f64;
                let first = (at * self.apart + game) * BETS.len();
                for (wealth, part) in self.wealth.iter_mut().skip(first).zip(BETS) {
                    // Above 0 whatever comes, since no more than a part of 1 is put on it; and never more than can be told.
                    *wealth = (*wealth * (1.0 + part * (slower / limit.share - 1.0))).min(1e200);
                }
            }
        }
        self.seconds += 1;
        self.evidence()
    }

    /// The evidence so far.
    #[must_use]
    pub fn evidence(&self) -> f64 {
        let games = self.wealth.len().max(1) as f64;
        if self.wealth.is_empty() { 1.0 } else { self.wealth.iter().sum::<f64>() / games }
    }
}
