//! What `peakdrill compare` says: one run beside others that came before. A figure that was not measured is `null`.

use serde::{Deserialize, Serialize};

use crate::verdict::{Estimate, Judgement};

/// Version of the JSON of a comparison.
pub const COMPARISON_VERSION: u32 = 1;

/// One run beside its baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// [`COMPARISON_VERSION`].
    pub v: u32,
    /// The run that is judged.
    pub run: RunName,
    /// What it is held against.
    pub baselines: Vec<RunName>,
    /// By how much it may be worse, as a part: 0.05 is 5 %.
    pub tolerance: f64,
    /// Over all: one that failed fails it; a step that cannot be told, or a reason below, leaves it open.
    pub verdict: Judgement,
    /// Why it cannot be told as a whole: the runs are of other drills, or were not under the same load. Empty where nothing
    /// keeps them apart.
    pub because: Vec<String>,
    /// What a reader should know although it changes nothing.
    pub notes: Vec<String>,
    /// Everything that was compared: phases in their order, steps before calls.
    pub compared: Vec<Compared>,
    /// What one of the runs has and was not compared, with the reason.
    pub not_compared: Vec<NotCompared>,
}

/// Which run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunName {
    /// Its id.
    pub run: String,
    /// Its drill.
    pub drill: String,
    /// Start of its load, RFC 3339 in UTC.
    pub started: String,
}

/// What of a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Requests of a step, as the generator saw them.
    Step {
        /// Journey.
        journey: String,
        /// Step.
        step: String,
    },
    /// Calls of the drill, as the caller's spans tell of them.
    Call {
        /// Caller.
        from: String,
        /// Called.
        to: String,
    },
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Step { journey, step } => write!(f, "{journey}/{step}"),
            Self::Call { from, to } => write!(f, "{from} → {to}"),
        }
    }
}

/// A figure of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Median of the latency, milliseconds.
    P50,
    /// 95 % of the latency, milliseconds.
    P95,
    /// 99 % of the latency, milliseconds.
    P99,
    /// Part that ended in an error, 0..=1.
    Errors,
    /// How many ended without error, a second.
    Throughput,
}

impl Quantity {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 5] = [Self::P50, Self::P95, Self::P99, Self::Errors, Self::Throughput];

    /// The stable text.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Errors => "errors",
            Self::Throughput => "throughput",
        }
    }

    /// Which quantile of the latency it is, 0..=1.
    #[must_use]
    pub fn quantile(self) -> Option<f64> {
        match self {
            Self::P50 => Some(0.5),
            Self::P95 => Some(0.95),
            Self::P99 => Some(0.99),
            Self::Errors | Self::Throughput => None,
        }
    }
}

/// One figure beside its baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// The phase, or the part of it that has one rate.
    pub phase: String,
    /// Of what.
    pub of: Subject,
    /// Which figure.
    pub quantity: Quantity,
    /// In the baseline, in the figure's unit.
    pub baseline: Option<f64>,
    /// In the run.
    pub run: Option<f64>,
    /// By which part it changed: 0.1 is 10 % more. Of `errors` the difference of the two shares. With the 95 % interval.
    pub change: Estimate,
    /// How often chance alone would show as much over the limit: one-sided, of this comparison by itself.
    pub p: Option<f64>,
    /// Windows that both have.
    pub windows: u32,
    /// Another test of the same.
    pub second_opinion: Option<SecondOpinion>,
    /// What follows.
    pub verdict: Judgement,
    /// In words.
    pub because: String,
}

/// The test of Mann and Whitney on the figures of blocks of windows: whether any change for the worse is seen, with no
/// tolerance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SecondOpinion {
    /// Part of all pairs of a block of the run and one of the baseline in which that of the run is worse, 0..=1.
    pub worse: f64,
    /// How often chance alone would show as much, one-sided.
    pub p: f64,
}

/// Something that was not compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotCompared {
    /// What.
    pub what: String,
    /// Why, in words.
    pub because: String,
}
