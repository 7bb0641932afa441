//! Whether a run is worse than others that came before: one figure after the other, each with an interval.
//!
//! The unit is a window of the load, a second or more, never a request: requests of one second are alike, and there are
//! so many of them that by request every difference is significant. Runs are laid beside each other window by window, and
//! blocks of windows are drawn, the same ones of all runs, so that what the schedule does to all of them cancels. What it
//! all rests on, and how often it is right: the decision record 013; `cargo xtask accuracy gates` measures it.

mod calls;
mod far;
mod judge;
mod ranks;
mod refits;
mod table;

use peakdrill_drill_model::comparison::{Quantity, SecondOpinion};
use peakdrill_drill_model::verdict::Estimate;
use peakdrill_latency::Sparse;

use crate::tails::student_above;

pub use calls::{Call, CallSeconds, Calls, calls};
pub use far::{Far, worse_by_far};
pub use judge::{Why, judge};
pub use refits::measure;

/// Fewer windows than this are no run to judge by.
pub const WINDOWS_MIN: usize = 30;
/// A quantile wants so many samples above it: of fewer, one burst more or less moves it by tens of percent.
pub const SAMPLES_ABOVE: f64 = 10.0;
/// Fewer baselines than this do not tell what differs from run to run.
pub const BASELINES_TOLD: usize = 3;
/// A share of errors may be larger by this, however small it was: a tenth of a point.
pub const ERRORS_TOLERATED: f64 = 0.001;
/// An interval of the difference of two shares of errors that is wider than this says nothing: a point.
pub const ERRORS_WIDE: f64 = 0.01;
/// Of something that was not seen once among `n`, the true share is below this by `n`, in 39 of 40 cases: `-ln 0.025`.
const UNSEEN: f64 = 3.688_9;

/// What ended in one window of the load, by its intended time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Window {
    /// Latency.
    pub latency: Sparse,
    /// Requests or calls that ended.
    pub ended: u64,
    /// Of these, in an error.
    pub errors: u64,
}

impl Window {
    /// Of so many that ended, so many in an error, with these latencies: in coarser buckets, of which a long load has enough.
    #[must_use]
    pub fn new(latency: &Sparse, ended: u64, errors: u64) -> Self {
        Self { latency: latency.coarse(), ended, errors }
    }

    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        self.latency.merge(&other.latency);
        self.ended = self.ended.saturating_add(other.ended);
        self.errors = self.errors.saturating_add(other.errors);
    }
}

/// How it is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// How often blocks are drawn.
    pub refits: u32,
    /// Of the draws.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { refits: 1_000, seed: 1 }
    }
}

/// The windows of the same part of the load in several runs, in their order. What one of them has more of is left out.
#[derive(Debug, Clone, Copy)]
pub struct Runs<'a> {
    /// The run that is judged.
    pub run: &'a [Window],
    /// Those it is held against; at least one.
    pub baselines: &'a [&'a [Window]],
}

/// Why a figure cannot be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// Too few windows that all runs have.
    Windows(usize),
    /// Too few samples in one of the runs.
    Samples {
        /// That are there.
        had: u64,
        /// That it takes.
        wanted: u64,
    },
}

/// A figure of a run beside that of its baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Which.
    pub quantity: Quantity,
    /// In the baseline: nanoseconds, a share, or a number a window.
    pub baseline: f64,
    /// In the run.
    pub run: f64,
    /// By how much it is worse, with the 95 % interval: the logarithm of a ratio, or the difference of two shares. Of the
    /// throughput less is worse.
    effect: Effect,
    /// Windows that all runs have.
    pub windows: usize,
    /// Another test of the same.
    pub second_opinion: Option<SecondOpinion>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Effect {
    estimate: f64,
    low: f64,
    high: f64,
    /// Standard error.
    spread: f64,
    /// Degrees of freedom that it has.
    freedom: f64,
}

impl Measured {
    /// By which part the figure changed, in its own direction; of shares of errors the difference.
    #[must_use]
    pub fn change(&self) -> Estimate {
        let Effect { estimate, low, high, .. } = self.effect;
        let [estimate, low, high] = match self.quantity {
            Quantity::Errors => [estimate, low, high],
            Quantity::Throughput => [-estimate, -high, -low].map(f64::exp_m1),
            _ => [estimate, low, high].map(f64::exp_m1),
        };
        Estimate { estimate: Some(estimate), low: Some(low), high: Some(high) }
    }

    /// How often chance alone would show as much over the limit: one-sided, against being worse by exactly the tolerance.
    #[must_use]
    pub fn p(&self, tolerance: f64) -> f64 {
        let over = self.effect.estimate - self.limit(tolerance);
        match self.effect.spread {
            spread if spread > 0.0 => student_above(over / spread, self.effect.freedom),
            _ if over > 0.0 => 0.0,
            _ => 1.0,
        }
    }

    /// By how much it may be worse: a part of what it was, or of shares of errors the difference.
    #[must_use]
    pub fn tolerated(&self, tolerance: f64) -> f64 {
        match self.quantity {
            Quantity::Errors => (tolerance * self.baseline).max(ERRORS_TOLERATED),
            _ => tolerance,
        }
    }

    /// The same on the scale of the effect.
    fn limit(&self, tolerance: f64) -> f64 {
        match self.quantity {
            Quantity::Errors => self.tolerated(tolerance),
            _ => tolerance.ln_1p(),
        }
    }
}

#[cfg(test)]
mod tests;
