//! Conditions: one form for guards and gates.
//!
//! `STAT{selectors} OP VALUE [for DURATION]`. The text is read by `peakdrill-scenarios`; this is what it means.

use serde::{Deserialize, Serialize};

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// `<`
    #[serde(rename = "<")]
    Lt,
    /// `<=`
    #[serde(rename = "<=")]
    Le,
    /// `>`
    #[serde(rename = ">")]
    Gt,
    /// `>=`
    #[serde(rename = ">=")]
    Ge,
    /// `==`
    #[serde(rename = "==")]
    Eq,
    /// `!=`
    #[serde(rename = "!=")]
    Ne,
}

impl Op {
    /// Whether `left OP right` holds.
    #[must_use]
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Lt => left < right,
            Self::Le => left <= right,
            Self::Gt => left > right,
            Self::Ge => left >= right,
            Self::Eq => (left - right).abs() <= f64::EPSILON * left.abs().max(right.abs()),
            Self::Ne => !Self::Eq.holds(left, right),
        }
    }

    /// As it is written.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Eq => "==",
            Self::Ne => "!=",
        }
    }
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stat {
    /// Latency from the intended time at a quantile (0..=1), in nanoseconds. `p99` is 0.99.
    Latency(f64),
    /// Service time at a quantile, in nanoseconds.
    Service(f64),
    /// Errors by completed requests, 0..=1.
    ErrorRate,
    /// Requests (or journeys, without a step selector) sent a second.
    Rate,
    /// Requests in flight.
    InFlight,
    /// Missed by intended arrivals, 0..=1.
    ScheduleMiss,
    /// Shadow operations that reached live data, or whose tag was lost.
    Leaks,
    /// Share of answers that did not acknowledge the tag, 0..=1.
    AckMissing,
    /// Capacity of the first bottleneck, lower end of its interval, in journeys a second. Gates only.
    Capacity,
    /// Largest tag loss count over hops. Guards and gates.
    TagLost,
}

impl Stat {
    /// Fewest samples that say anything of it: of a quantile so many that one lies beyond it, 100 for p99.
    #[must_use]
    pub fn min_samples(self) -> u64 {
        match self {
            Self::Latency(q) | Self::Service(q) if q < 1.0 => {
                // What is 1000.0000000001 for want of digits is 1000.
                (1.0 / (1.0 - q) * (1.0 - 1e-9)).ceil() as u64
            }
            Self::Latency(_) | Self::Service(_) | Self::ErrorRate | Self::ScheduleMiss | Self::AckMissing => {
                1
            }
            _ => 0,
        }
    }
}

/// What the value is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Nanoseconds, a share, a rate or a count, as the statistic has it.
    Value(f64),
    /// A share of the planned rate, 0..: `98% of target` is 0.98.
    OfTarget(f64),
}

/// Which requests are looked at. Empty: all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Selectors {
    /// Only this journey.
    pub journey: Option<String>,
    /// Only this step.
    pub step: Option<String>,
}

impl Selectors {
    /// Whether a step of a journey is looked at.
    #[must_use]
    pub fn fits(&self, journey: &str, step: &str) -> bool {
        let is = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
        is(&self.journey, journey) && is(&self.step, step)
    }
}

/// A condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// As written.
    pub text: String,
    /// What is looked at.
    pub stat: Stat,
    /// For which requests.
    pub select: Selectors,
    /// How it compares.
    pub op: Op,
    /// With what.
    pub limit: Limit,
    /// It must hold at every tick for so long, in nanoseconds; 0: at one tick.
    pub for_ns: u64,
}

/// A value that was measured, and from how many samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// In the statistic's unit.
    pub value: f64,
    /// Samples behind it.
    pub samples: u64,
}

impl Measured {
    /// `part / whole`; `None` for an empty whole.
    #[must_use]
    pub fn share(part: u64, whole: u64) -> Option<Self> {
        (whole > 0).then(|| Self { value: part as f64 / whole as f64, samples: whole })
    }
}

/// Something that statistics can be asked of: a live window, or the frames of some phases.
pub trait Stats {
    /// The value of a statistic; `None` when it was not measured.
    fn measure(&self, stat: Stat, select: &Selectors) -> Option<Measured>;
    /// The planned rate of the window, journeys a second.
    fn target_rate(&self) -> Option<f64>;
}

/// The outcome of a condition over a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluated {
    /// What was measured.
    pub measured: Measured,
    /// What it was compared with, in the same unit.
    pub limit: f64,
    /// Whether the comparison holds.
    pub holds: bool,
}

impl Condition {
    /// Evaluates over a window; `None` when there is nothing to look at.
    #[must_use]
    pub fn evaluate(&self, stats: &dyn Stats) -> Option<Evaluated> {
        let measured = stats.measure(self.stat, &self.select)?;
        let limit = match self.limit {
            Limit::Value(value) => value,
            Limit::OfTarget(share) => share * stats.target_rate()?,
        };
        Some(Evaluated { measured, limit, holds: self.op.holds(measured.value, limit) })
    }
}
