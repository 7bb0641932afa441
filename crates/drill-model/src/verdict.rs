//! `verdict.json`: the contract that pipelines read. A figure that was not measured is `null`, never 0.

use std::collections::BTreeMap;

use peakdrill_latency::Quantiles;
use serde::{Deserialize, Serialize};

use crate::ledger::{LedgerRow, Outcome, decisions, live_writes, tag_lost, total};
use crate::owners::Owner;
use crate::search::CapacityFound;

mod resources;

pub use resources::{Finding, FindingKind, ResourceKind, ResourceUse, Told};

/// Version of `verdict.json`.
pub const VERDICT_VERSION: u32 = 1;

/// Pass, fail or not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// All gates pass on valid data.
    Pass,
    /// A gate failed or a guard stopped the run.
    Fail,
    /// A person's stop, a refused preflight, invalid or missing data.
    Inconclusive,
}

impl Judgement {
    /// The stable text.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// The verdict of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// [`VERDICT_VERSION`].
    pub v: u32,
    /// The run's id.
    pub run: String,
    /// The drill's name.
    pub drill: String,
    /// Start of the load, RFC 3339 in UTC.
    pub started: String,
    /// Length of the load.
    pub seconds: Option<f64>,
    /// Seed.
    pub seed: u64,
    /// Over all.
    pub verdict: Judgement,
    /// Whether the generator's numbers can be trusted.
    pub valid: bool,
    /// Why not.
    pub invalid_because: Vec<String>,
    /// What a reader should know although it changes nothing.
    pub warnings: Vec<String>,
    /// The guard, person or signal that ended the run early.
    pub stopped_by: Option<String>,
    /// The load that was sent.
    pub load: Load,
    /// From the intended time.
    pub latency_ms: Millis,
    /// From the first byte sent.
    pub service_ms: Millis,
    /// Actual start less intended start.
    pub lateness_ms: Millis,
    /// Per step.
    pub steps: Vec<Step>,
    /// The generator itself.
    pub generator: Generator,
    /// Per gate.
    pub gates: Vec<GateResult>,
    /// Ranked, the limiting one first.
    pub bottlenecks: Vec<Bottleneck>,
    /// What the ranking may be taken for.
    pub analysis: AnalysisSummary,
    /// Calls between nodes.
    pub dependencies: Vec<Dependency>,
    /// What isolation did.
    pub isolation: Isolation,
    /// Received by started spans, per service.
    pub completeness: Vec<Completeness>,
    /// How full resources were. Not there where no metrics were received.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceUse>,
    /// What to know besides the ranking.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Told>,
    /// How the live view kept up with what was received. Left out where no spans were received while the load ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_view: Option<LiveView>,
    /// Owners of the nodes of the ranking, as far as they were given. Left out without any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub owners: BTreeMap<String, Owner>,
}

/// Counts of the load.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Load {
    /// Journeys that the schedule held.
    pub intended: u64,
    /// Journeys started.
    pub sent: u64,
    /// Journeys that could not be started.
    pub missed: u64,
    /// Requests that ended.
    pub completed: u64,
    /// Of these, errors.
    pub errors: u64,
    /// Journeys started a second, over the length of the load.
    pub rate_per_s: Option<f64>,
    /// Errors by class.
    pub errors_by_class: BTreeMap<String, u64>,
    /// What searches for the capacity found, one each: rates that were tried, beside what the analysis estimates of
    /// nodes in [`Bottleneck::capacity_per_s`]. Not there in a drill without a search.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capacity: Vec<CapacityFound>,
}

/// Quantiles in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Millis {
    /// Median.
    pub p50: Option<f64>,
    /// 90 %.
    pub p90: Option<f64>,
    /// 99 %.
    pub p99: Option<f64>,
    /// 99.9 %.
    pub p99_9: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
}

impl From<Option<Quantiles>> for Millis {
    fn from(quantiles: Option<Quantiles>) -> Self {
        let Some(q) = quantiles else { return Self::default() };
        // Whole microseconds: more digits than the histogram has would be noise.
        let ms = |ns: u64| Some((ns as f64 / 1e3).round() / 1e3);
        Self { p50: ms(q.p50), p90: ms(q.p90), p99: ms(q.p99), p99_9: ms(q.p99_9), max: ms(q.max) }
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Journey.
    pub journey: String,
    /// Step.
    pub step: String,
    /// Requests that ended.
    pub completed: u64,
    /// Of these, errors.
    pub errors: u64,
    /// Of these, answers of each class that the step declares besides ok and fail; no errors. Left out when the step
    /// declares none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outcomes: BTreeMap<String, u64>,
    /// Messages that came over a WebSocket and were not the answer that the step waited for. Left out without any.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub passed_over: u64,
    /// Messages that no step could see: more came while none waited than are kept. Left out without any.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: u64,
    /// From the intended time.
    pub latency_ms: Millis,
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// The generator itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Generator {
    /// Processor time of the load threads by requests.
    pub cpu_us_per_request: Option<f64>,
    /// Largest resident memory of the process.
    pub max_rss_mib: Option<f64>,
    /// Agents that sent load.
    pub agents: u32,
}

/// One gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateResult {
    /// Its name.
    pub name: String,
    /// As written.
    pub assert: String,
    /// Its verdict.
    pub verdict: Judgement,
    /// What was measured, in the unit of the assertion as written: milliseconds, a share, a rate, a count.
    pub value: Option<f64>,
    /// In words.
    pub because: String,
}

/// Kind of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// A service that sends spans of its own.
    Service,
    /// A database.
    Database,
    /// A cache.
    Cache,
    /// A queue or topic.
    Queue,
    /// Called, but not seen from inside.
    External,
}

impl NodeKind {
    /// The stable text.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Database => "database",
            Self::Cache => "cache",
            Self::Queue => "queue",
            Self::External => "external",
        }
    }
}

/// What the evidence allows to say of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeVerdict {
    /// It limits the system.
    Bottleneck,
    /// It adds to the growth of latency.
    Contributor,
    /// Neither.
    Clear,
}

/// An estimate with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Estimate {
    /// The estimate.
    pub estimate: Option<f64>,
    /// Lower end.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// A node in the ranking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bottleneck {
    /// Its name.
    pub node: String,
    /// Its kind.
    pub kind: NodeKind,
    /// Who owns it.
    pub owner: Option<String>,
    /// What may be said.
    pub verdict: NodeVerdict,
    /// Its share of the growth of latency from light load to peak, 0..=1.
    pub share: Estimate,
    /// Root journeys a second that it can carry at the run's mix, live traffic included.
    pub capacity_per_s: Estimate,
    /// Capacity by the highest tested rate.
    pub headroom: Option<f64>,
    /// What would be won if it were no limit. Left out of nodes that are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gain: Option<Gain>,
    /// Why, in words.
    pub evidence: Vec<String>,
}

/// What would be won if a node were no limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gain {
    /// Milliseconds that a request at peak would be shorter by if the node, and what only waits for it, took what they took at
    /// light load. Left out where calls beside them take part of that as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved_ms: Option<f64>,
    /// The limit that comes next; of the one that carries the least. Left out where no other one was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<NextLimit>,
}

/// The limit behind the one that holds now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NextLimit {
    /// Its node.
    pub node: String,
    /// Root journeys a second that it carries.
    pub per_s: Estimate,
    /// By the journeys that the system carries now.
    pub times: f64,
}

/// State of the analysis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnalysisState {
    /// A bottleneck was found.
    Found,
    /// None up to the tested rate.
    NoneUpTo,
    /// The data do not allow a verdict.
    Withheld,
}

/// What the ranking may be taken for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnalysisSummary {
    /// State.
    pub state: AnalysisState,
    /// Highest rate of root journeys that was tested, live traffic included.
    pub tested_to_per_s: Option<f64>,
    /// Why.
    pub because: Vec<String>,
    /// Where the system stops holding, by each definition that can be measured, the smallest rate first. Left out
    /// without any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub knees: Vec<Knee>,
}

/// Where a system stops holding, by one definition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Knee {
    /// The definition.
    pub by: KneeBy,
    /// The objective as it was written, or the node; empty of the whole system.
    pub of: String,
    /// Root journeys a second that were offered, live traffic included. With a lower end alone: it was not reached up
    /// to there. With an upper end alone: it lies below.
    pub per_s: Estimate,
    /// In words.
    pub because: String,
}

/// A definition of the place where a system stops holding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KneeBy {
    /// Requests stop keeping to an objective.
    Objective,
    /// The node that carries the least is full.
    Capacity,
    /// The system gets no more done than this, whatever is offered.
    Throughput,
    /// More in progress gets less done.
    Peak,
}

/// Calls from one node to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dependency {
    /// Caller; `load` for the generator.
    pub from: String,
    /// Called.
    pub to: String,
    /// Shadow calls of this run.
    pub calls: u64,
    /// Of these, errors.
    pub errors: u64,
    /// As the caller saw it.
    pub latency_ms: Millis,
    /// Share of the time on critical paths that was spent in this edge, 0..=1.
    pub critical_path_share: Option<f64>,
    /// Attempts by logical calls.
    pub retry_amplification: Option<f64>,
    /// Of these, by logical calls, those that began while one before of the same call was still under way: hedges, or the
    /// next attempts of who had given one up while the called side went on with it. Not there without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hedges: Option<f64>,
}

/// What isolation did, in sums over the run. `null` where no hop reported.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Isolation {
    /// Shadow writes.
    pub shadow_writes: Option<u64>,
    /// Writes of this run's traffic to live data: leaks.
    pub live_writes: Option<u64>,
    /// Calls answered by stubs.
    pub mocked: Option<u64>,
    /// Operations refused.
    pub refused: Option<u64>,
    /// Tags lost.
    pub tag_lost: Option<u64>,
    /// Stores that nobody looked at.
    pub unobserved: Vec<String>,
}

impl Isolation {
    /// Sums of a ledger over one run.
    #[must_use]
    pub fn of(rows: &[LedgerRow], run: &str, unobserved: Vec<String>) -> Self {
        let reported = decisions(rows, run).is_some();
        let sum = |outcome| reported.then(|| total(rows, run, outcome));
        Self {
            shadow_writes: sum(Outcome::ShadowWrite),
            live_writes: reported.then(|| live_writes(rows, run)),
            mocked: sum(Outcome::Mocked),
            refused: sum(Outcome::Refused),
            tag_lost: reported.then(|| tag_lost(rows, run)),
            unobserved,
        }
    }
}

/// How the live view kept up.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct LiveView {
    /// Rankings that showed something new.
    pub looks: u64,
    /// Over these, the age of the oldest thing that each was the first to show, from its receipt to when it was on the
    /// board that screens read. A screen draws that at most 0.1 s later. Besides, of what was never shown, the age of the
    /// oldest at the end of the load.
    pub age_ms: Millis,
}

/// Completeness of one service's telemetry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Completeness {
    /// The service.
    pub service: String,
    /// Received by started spans, 0..=1.
    pub share: Option<f64>,
}
