//! What goes into an analysis besides the cells, and what comes out.

use std::collections::BTreeMap;

use peakdrill_drill_model::plan::StepId;
use peakdrill_drill_model::verdict::{
    AnalysisSummary, Bottleneck, Completeness, Dependency, Estimate, Finding, NodeKind, ResourceUse,
};
use serde::{Deserialize, Serialize};

use crate::dependency::Waterfall;
use crate::laws::Law;

/// Seconds at the start of the load that are not taken for light load: pools fill, code warms up.
pub const WARM_UP_S: i64 = 2;

/// What the analysis has to know of a run besides its cells.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AnalysisInput {
    /// Seconds of the load since its start: from `0` up to this one, exclusive. 0: up to the last root.
    pub load_seconds: i64,
    /// Ranges of seconds (end exclusive) of the phases that are measured; empty: all. Light load and peak are
    /// looked for in these; the work that is left over from them is followed beyond.
    pub measured: Vec<(i64, i64)>,
    /// Steps that come first in a journey. Empty: every root is a journey.
    pub first_steps: Vec<StepId>,
    /// Journeys that the schedule held, per second of the load: index 0 is its first second. Those that could
    /// not be started count as well. Empty: the roots that are known. Seconds beyond its end: the roots.
    pub intended: Vec<f64>,
    /// How late the generator started its requests, per second of the load (index 0 is its first second): the
    /// 99 % quantile of actual less intended start, milliseconds; 0 where it started none. Empty: not known.
    pub lateness_ms: Vec<f64>,
    /// What the requests are to keep to: the rate up to which they do is looked for.
    pub objectives: Vec<Objective>,
    /// Owner per node.
    pub owners: BTreeMap<String, String>,
    /// The spans of roots intended before this second should have arrived; `None`: all. A live view sets it some seconds back, so that
    /// what is on its way is not taken for lost.
    pub settled_before: Option<i64>,
    /// Tuning.
    pub settings: Settings,
}

/// What requests are to keep to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// As it was written.
    pub text: String,
    /// What is asked of a request.
    pub asks: Question,
    /// Of the requests, the largest part that may fail at it, 0..=1: 0.01 of a p99.
    pub share: f64,
    /// Steps that it is about; empty: all.
    pub steps: Vec<StepId>,
}

/// What is asked of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// To take at most so many nanoseconds from its intended time.
    WithinNs(u64),
    /// To end without an error.
    Succeed,
}

/// Tuning of the analysis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Resamples per interval.
    pub resamples: u32,
    /// Seed of the resampling.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { resamples: 400, seed: 1 }
    }
}

/// The analysis of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// What the ranking may be taken for.
    pub summary: AnalysisSummary,
    /// All nodes, the limiting one first.
    pub bottlenecks: Vec<Bottleneck>,
    /// Calls of this run, the edge with the largest share of the critical path first.
    pub dependencies: Vec<Dependency>,
    /// Per service that sends spans.
    pub completeness: Vec<Completeness>,
    /// Per node, latency and throughput against the rate of journeys, in the order of the ranking.
    pub curves: Vec<NodeCurve>,
    /// What grew from light load to peak, a request, in the order of the ranking.
    pub growth: Vec<Growth>,
    /// The mean request from light load to peak.
    #[serde(default)]
    pub waterfall: Waterfall,
    /// Publish→process delays per queue.
    pub queues: Vec<QueueWait>,
    /// How full resources were, where metrics tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceUse>,
    /// What to know besides the ranking, the most pressing first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// A node against the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeCurve {
    /// Node.
    pub node: String,
    /// Kind.
    pub kind: NodeKind,
    /// By rising rate.
    pub points: Vec<CurvePoint>,
    /// How its throughput follows the operations that are at it. Not there with too few levels of load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
}

/// How the throughput of a node, or of the whole system, follows what is in progress.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// The law that the levels of load speak for.
    #[serde(flatten)]
    pub law: Law,
    /// Where it does the most. Only where the levels reach that far, and hardly any resample is without such a place.
    #[serde(flatten)]
    pub peak: Option<Peak>,
    /// How sure the universal scalability law's coefficients are. Only where the levels speak for that law.
    #[serde(flatten)]
    pub coefficients: Option<Coefficients>,
}

/// The coefficients of the universal scalability law, with their intervals: 95 % of refits to seconds that were drawn in
/// blocks within each level, widened by √(b/(b−1)) for the few blocks b that a level has. Of 100 simulated systems of
/// ten levels they held the truth in 91 (contention) and 89 (coherence): what is told is nearer to 90 % than to 95 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Coefficients {
    /// σ: the part that all wait for in turn.
    pub contention: Estimate,
    /// κ: what each has to agree on with each other.
    pub coherence: Estimate,
}

/// Where a node, or the whole system, does the most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Peak {
    /// Operations in progress beyond which it does less, not more, with the 95 % interval.
    pub peak_at: Estimate,
    /// Operations a second there.
    pub peak_per_s: Estimate,
}

/// Seconds of about the same rate of journeys.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Journeys a second that were offered, live traffic included.
    pub offered: f64,
    /// Operations a second that the node ended.
    pub achieved: f64,
    /// Median of the node's own time an operation (without calls behind it), milliseconds.
    pub p50_ms: Option<f64>,
    /// 99 % of the same, milliseconds.
    pub p99_ms: Option<f64>,
    /// Operations at the node at a time, without those that wait for nodes behind it.
    pub concurrency: f64,
}

/// What a node added to a request from light load to peak, milliseconds a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// Node.
    pub node: String,
    /// Own time that is not known to be waiting.
    pub self_ms: f64,
    /// Waiting for the node, or in the queue.
    pub wait_ms: f64,
    /// Between the caller's span and the node's own.
    pub gap_ms: f64,
}

/// Delay from publishing to processing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QueueWait {
    /// The queue.
    pub node: String,
    /// Messages processed.
    pub messages: u64,
    /// Median, milliseconds.
    pub p50_ms: Option<f64>,
    /// 99 %, milliseconds.
    pub p99_ms: Option<f64>,
    /// Largest, milliseconds.
    pub max_ms: Option<f64>,
}

/// A node in a comparison of two sets of traces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// Node.
    pub node: String,
    /// Kind.
    pub kind: NodeKind,
    /// Its share of what changed, 0..=1.
    pub score: f64,
    /// Why, in words.
    pub evidence: Vec<String>,
}
