//! Metrics that tell how full a resource is: processors, memory, pools, queues, caches, and the telemetry itself.
//!
//! The names of OpenTelemetry, old and new, and those of common Prometheus exporters are read here. A name that
//! an exporter has rewritten (dots to underscores, a unit or `_total` behind it) is known as well.

mod owner;
mod rules;

use serde::{Deserialize, Serialize};

use crate::stable_hash;
pub use owner::{GIVEN_SERVICE, Owner, owner};
use rules::{RULES, Rule};

/// What a metric measures. Each has one unit, whatever the metric's own was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Processor time that was used, seconds, growing.
    CpuTime,
    /// Processors in use.
    CpuUsage,
    /// Processors in use by those that may be used, 0..=1.
    CpuUtilisation,
    /// Processors that may be used.
    CpuCount,
    /// Busy time of a whole machine's processors, seconds, growing; or their share.
    HostBusy,
    /// Idle time of the same.
    HostIdle,
    /// Periods of the processor's quota, growing.
    CpuPeriods,
    /// Of these, the ones in which it was used up, growing.
    ThrottledPeriods,
    /// Memory in use, bytes.
    MemoryUsed,
    /// Memory that may be used, bytes.
    MemoryLimit,
    /// Connections of a pool in use.
    PoolUsed,
    /// Connections that a pool may hold.
    PoolMax,
    /// Who waits for a connection.
    PoolPending,
    /// Time spent waiting for connections, seconds, growing.
    PoolWaitTime,
    /// Waits that are in it, growing.
    PoolWaits,
    /// Time between borrowing and returning connections, seconds, growing.
    PoolUseTime,
    /// Uses that are in it, growing.
    PoolUses,
    /// Who gave up waiting for a connection, growing.
    PoolTimeouts,
    /// Requests in progress at a server.
    InFlight,
    /// Messages that wait: lag of a consumer, depth of a queue.
    QueueDepth,
    /// Look-ups that a cache answered, growing.
    CacheHits,
    /// Look-ups that it did not, growing.
    CacheMisses,
    /// Spans that a service's SDK started, growing.
    SpansStarted,
    /// Spans that its processor handled, without those it dropped, growing.
    SpansProcessed,
    /// Spans that its processor dropped because its queue was full, growing.
    SpansDropped,
}

impl Measure {
    /// Integer steps of one unit: values are kept as integers.
    #[must_use]
    pub fn steps(self) -> f64 {
        match self {
            _ if self.is_time() => 1e9,
            Self::MemoryUsed | Self::MemoryLimit => 1.0,
            _ => 1e6,
        }
    }

    /// What counts the observations of a histogram whose sum this is.
    #[must_use]
    pub fn count(self) -> Option<Self> {
        match self {
            Self::PoolWaitTime => Some(Self::PoolWaits),
            Self::PoolUseTime => Some(Self::PoolUses),
            _ => None,
        }
    }

    /// Whether it is a count or a time that only grows, whatever an exporter calls it.
    #[must_use]
    pub fn grows(self) -> bool {
        matches!(
            self,
            Self::CpuTime
                | Self::CpuPeriods
                | Self::ThrottledPeriods
                | Self::PoolWaitTime
                | Self::PoolWaits
                | Self::PoolUseTime
                | Self::PoolUses
                | Self::PoolTimeouts
                | Self::CacheHits
                | Self::CacheMisses
                | Self::SpansStarted
                | Self::SpansProcessed
                | Self::SpansDropped
        )
    }

    fn is_time(self) -> bool {
        matches!(
            self,
            Self::CpuTime | Self::HostBusy | Self::HostIdle | Self::PoolWaitTime | Self::PoolUseTime
        )
    }
}

/// What a metric with its labels says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// What is measured.
    pub measure: Measure,
    /// Which pool or queue; empty where there is one only.
    pub of: String,
    /// Where it comes from: of several sources of one measure the first by [`rank`] counts.
    pub source: &'static str,
}

/// Labels of a point: name and value.
pub type Labels<'a> = [(&'a str, &'a str)];

/// Longest name of a pool or queue, in bytes.
pub const OF_BYTES_MAX: usize = 96;

/// What a metric says; `None` when it tells nothing about a resource.
#[must_use]
pub fn meaning(name: &str, labels: &Labels<'_>) -> Option<Meaning> {
    let rule = named(name).find(|rule| rule.when.holds(labels))?;
    let of: Vec<&str> = rule.of.iter().filter_map(|label| find(labels, label)).collect();
    let of = match rule.measure {
        // A lag is of a group on a topic: both are needed to name it.
        Measure::QueueDepth => of.join("/"),
        _ => of.first().copied().unwrap_or_default().to_owned(),
    };
    Some(Meaning { measure: rule.measure, of: crate::semconv::cut(of, OF_BYTES_MAX), source: rule.source })
}

/// Whether any metric of this name can say something.
#[must_use]
pub fn is_known(name: &str) -> bool {
    named(name).next().is_some()
}

/// The rules of a name. One that is written so goes before one that an exporter may have made it of.
fn named(name: &str) -> impl Iterator<Item = &'static Rule> {
    let exact = RULES.iter().any(|rule| is_same(name, rule.name));
    RULES
        .iter()
        .filter(move |rule| if exact { is_same(name, rule.name) } else { is_rewritten(name, rule.name) })
}

/// Where a source stands among those of one measure: the smaller, the closer to the resource. Unknown ones come last.
#[must_use]
pub fn rank(source: &str) -> usize {
    RULES.iter().position(|rule| rule.source == source).unwrap_or(RULES.len())
}

/// Whether one processor is all that the process behind a source can use.
#[must_use]
pub fn is_single_threaded(source: &str) -> bool {
    source == rules::SINGLE_THREADED
}

/// What a value in a metric's unit is in that of the measure: `ms` of a time is a thousandth.
#[must_use]
pub fn factor(measure: Measure, name: &str, unit: &str) -> f64 {
    if measure.is_time() {
        return match unit {
            "ms" => 1e-3,
            "us" => 1e-6,
            "ns" => 1e-9,
            "" if name.contains("milliseconds") => 1e-3,
            "" if name.contains("nanoseconds") => 1e-9,
            _ => 1.0,
        };
    }
    if unit == "%" { 1e-2 } else { 1.0 }
}

/// A number that tells the series of one measure apart by their labels, in any order.
#[must_use]
pub fn fingerprint(labels: &Labels<'_>) -> u64 {
    let mut sorted: Vec<_> = labels.to_vec();
    sorted.sort_unstable();
    let sorted = sorted.into_iter();
    stable_hash(sorted.flat_map(|(name, value)| name.bytes().chain([0]).chain(value.bytes()).chain([1])))
}

/// The value of a label, by its name or by how exporters rewrite it.
fn find<'a>(labels: &Labels<'a>, name: &str) -> Option<&'a str> {
    labels.iter().find(|(key, value)| is_same(key, name) && !value.is_empty()).map(|(_, value)| *value)
}

fn is_same(text: &str, name: &str) -> bool {
    let plain = |byte: u8| if byte == b'.' { b'_' } else { byte };
    text.len() == name.len() && text.bytes().zip(name.bytes()).all(|(a, b)| plain(a) == plain(b))
}

/// What exporters put behind a name, in the order in which it is taken off.
const SUFFIXES: [&str; 7] =
    ["_total", "_ratio", "_seconds", "_milliseconds", "_nanoseconds", "_bytes", "_periods"];

fn is_rewritten(text: &str, name: &str) -> bool {
    let mut text = text;
    for suffix in SUFFIXES {
        if let Some(short) = text.strip_suffix(suffix) {
            text = short;
            if is_same(text, name) {
                return true;
            }
        }
    }
    false
}

/// When a rule holds.
#[derive(Debug, Clone, Copy)]
enum When {
    /// Always.
    Any,
    /// One of the labels has one of the values.
    One(&'static [&'static str], &'static [&'static str]),
    /// None of the labels has one of the values.
    Not(&'static [&'static str], &'static [&'static str]),
    /// A label is there.
    Has(&'static str),
}

impl When {
    fn holds(self, labels: &Labels<'_>) -> bool {
        let one = |names: &[&str], values: &[&str]| {
            names.iter().any(|name| find(labels, name).is_some_and(|value| values.contains(&value)))
        };
        match self {
            Self::Any => true,
            Self::One(names, values) => one(names, values),
            Self::Not(names, values) => !one(names, values),
            Self::Has(name) => find(labels, name).is_some(),
        }
    }
}

#[cfg(test)]
mod tests;
