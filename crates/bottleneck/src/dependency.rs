//! Calls against the load, and latency node by node, as a report draws them.

use peakdrill_drill_model::verdict::NodeKind;
use serde::{Deserialize, Serialize};

/// Calls from one node to another, against the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallCurve {
    /// Caller; `load` for the generator.
    pub from: String,
    /// Called.
    pub to: String,
    /// Kind of the called node.
    pub kind: NodeKind,
    /// Of the time that requests took, the part that passed through this call: in the called node and in all behind
    /// it, 0..=1. A node's time behind it is told apart by its callers' numbers of calls. `None`: no request's path is
    /// known.
    pub through: Option<f64>,
    /// Of the time that these calls took, the part for which a request waited, 0..=1: close to 1 where callers wait
    /// for the answer, close to 0 where nobody does. `None`: the duration of the calls is not known.
    pub waited_for: Option<f64>,
    /// By rising rate. Seconds after the peak in which its work was still there are left out.
    pub points: Vec<CallPoint>,
}

/// Seconds of about the same rate of journeys.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CallPoint {
    /// Journeys a second that were offered, live traffic included.
    pub offered: f64,
    /// Calls a second.
    pub calls_per_s: f64,
    /// Of these, the part that ended in an error, 0..=1.
    pub errors: Option<f64>,
    /// Median as the caller saw it, milliseconds.
    pub p50_ms: Option<f64>,
    /// 99 % of the same, milliseconds.
    pub p99_ms: Option<f64>,
    /// Median of the called node's own time an operation, whoever called, without calls behind it, milliseconds.
    pub own_p50_ms: Option<f64>,
}

/// How the mean request came from its duration at light load to that at peak. The rows are what lies between: their sum
/// is `peak_ms - light_ms`, but for the rounding of floating point. What a node saved is below zero.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Waterfall {
    /// Mean length of the critical path at light load, milliseconds.
    pub light_ms: f64,
    /// The same at peak, milliseconds.
    pub peak_ms: f64,
    /// Per node, in the order of the ranking.
    pub rows: Vec<Drop>,
    /// What work behind hand-overs took longer, which no request waited for: no part of the sum.
    pub behind: Vec<Drop>,
}

/// What a node adds to a request, milliseconds a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drop {
    /// Node.
    pub node: String,
    /// Own work.
    pub self_ms: f64,
    /// Waiting for the node, or in the queue.
    pub wait_ms: f64,
    /// Between the caller's span and the node's own.
    pub gap_ms: f64,
}

impl Drop {
    /// All of it.
    #[must_use]
    pub fn total_ms(&self) -> f64 {
        self.self_ms + self.wait_ms + self.gap_ms
    }
}
