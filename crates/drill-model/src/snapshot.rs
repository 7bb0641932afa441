//! The live view of a run: made by drill control four times a second, read by screens and scripts.
//! Of fixed size: it does not grow with the length of the run.

use serde::{Deserialize, Serialize};

use crate::verdict::{Bottleneck, Dependency, Finding, Judgement, Millis};

/// Seconds of history in a snapshot; older ones are thinned out by drill control.
pub const HISTORY_POINTS: usize = 240;

/// Findings in a snapshot, the most pressing ones.
pub const FINDINGS_MAX: usize = 6;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Checks before any load.
    Preflight,
    /// Load is sent.
    Running,
    /// No new arrivals; answers are awaited.
    Draining,
    /// Over.
    Done,
}

/// One look at a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Version.
    pub v: u32,
    /// The drill's name.
    pub drill: String,
    /// The run's id.
    pub run: String,
    /// `production`, …
    pub environment: String,
    /// Where it stands.
    pub state: RunState,
    /// What is being done, while there is no load yet.
    pub activity: String,
    /// Wall-clock time of this look, Unix nanoseconds.
    pub at_ns: i64,
    /// Age of the newest load data, nanoseconds.
    pub data_age_ns: u64,
    /// Name of the phase.
    pub phase: String,
    /// What a search in the phase does now; else empty.
    #[serde(default)]
    pub phase_note: String,
    /// Time in the phase, and its length.
    pub phase_elapsed_ns: u64,
    /// Length of the phase.
    pub phase_ns: u64,
    /// Time since the start of the load.
    pub elapsed_ns: u64,
    /// Planned length of the load.
    pub total_ns: u64,
    /// Name of the next phase.
    pub next_phase: Option<String>,
    /// Planned rate now, journeys a second; `None` in a closed loop, before the load and behind its planned end.
    pub target_rate: Option<f64>,
    /// Whether users set the pace now, each waiting for its answer.
    #[serde(default)]
    pub closed_loop: bool,
    /// Rate sent over the trailing second.
    pub sent_rate: f64,
    /// Totals.
    pub intended: u64,
    /// Journeys started.
    pub sent: u64,
    /// Journeys missed.
    pub missed: u64,
    /// Requests ended.
    pub completed: u64,
    /// Errors.
    pub errors: u64,
    /// Journeys in flight.
    pub in_flight: u64,
    /// Its limit.
    pub max_in_flight: u64,
    /// Latency from the intended time over the trailing second (five when there are few samples).
    pub latency_ms: Millis,
    /// Service time over the same window.
    pub service_ms: Millis,
    /// Lateness over the same window.
    pub lateness_ms: Millis,
    /// Largest error classes: step, class, count.
    pub top_errors: Vec<TopError>,
    /// Per step, over the trailing second.
    pub steps: Vec<StepRow>,
    /// Guards.
    pub guards: Vec<GuardRow>,
    /// Gates on the data so far.
    pub gates: Vec<GateRow>,
    /// Live ranking, the limiting node first.
    pub ranking: Vec<Bottleneck>,
    /// Calls between nodes so far.
    pub dependencies: Vec<Dependency>,
    /// What the analysis says of itself now.
    pub analysis_note: String,
    /// What there is to know besides the ranking, as it stands: at most [`FINDINGS_MAX`], the most pressing first. One that
    /// does not hold any more is not there any more.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// Why ranking, calls and findings stand still: what makes them ended before the run. Empty while it works.
    #[serde(default)]
    pub analysis_ended: String,
    /// Age of what ranking and calls show: of all that was received and is in them, the newest came so long ago,
    /// nanoseconds; `None` before anything is.
    #[serde(default)]
    pub ranking_age_ns: Option<u64>,
    /// How long the oldest of what was received and is not in them yet has waited for that, nanoseconds: 0 where nothing is
    /// known to wait, however old what they show is.
    #[serde(default)]
    pub ranking_behind_ns: u64,
    /// Age of the newest span, nanoseconds; `None` before the first.
    pub span_age_ns: Option<u64>,
    /// Spans received; `None` where none are.
    pub spans: Option<u64>,
    /// Spans, and rows of the generator, that came after their trace was let go: they are put into it at the end, and no
    /// figure has them before.
    #[serde(default)]
    pub late_waiting: u64,
    /// Isolation so far.
    pub isolation: crate::verdict::Isolation,
    /// Share of answers that acknowledged the tag, 0..=1.
    pub ack_share: Option<f64>,
    /// Processor share of the busiest load thread, 0..=1.
    pub generator_cpu: Option<f64>,
    /// At most [`HISTORY_POINTS`] points over the load so far.
    pub history: Vec<HistoryPoint>,
    /// The plan over the whole load, at most [`HISTORY_POINTS`] rates at equal distances; 0 in a closed loop.
    pub plan_curve: Vec<f64>,
    /// The last lines of the event log, oldest first.
    pub events: Vec<String>,
    /// Where the record is.
    pub record: String,
}

/// An error class of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopError {
    /// Step.
    pub step: String,
    /// Class.
    pub class: String,
    /// Count.
    pub count: u64,
}

/// One step over the trailing second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRow {
    /// Journey.
    pub journey: String,
    /// Step.
    pub step: String,
    /// Requests a second.
    pub rate: f64,
    /// Errors by completed.
    pub error_share: Option<f64>,
    /// Latency from the intended time.
    pub latency_ms: Millis,
}

/// A guard now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GuardRow {
    /// As written.
    pub text: String,
    /// Value by limit, where 1 is the limit; `None` without data.
    pub nearness: Option<f64>,
    /// What was measured, in words.
    pub value: String,
    /// How long it has held, by how long it must.
    pub held_share: f64,
}

/// A gate on the data so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateRow {
    /// Name.
    pub name: String,
    /// As it stands; `None`: not reached yet.
    pub verdict: Option<Judgement>,
    /// What was measured, in words.
    pub value: String,
}

/// A point of the history.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HistoryPoint {
    /// Seconds since the start of the load.
    pub second: u32,
    /// Planned rate; `None` in a closed loop, and behind the planned end.
    pub target: Option<f64>,
    /// Rate sent.
    pub sent: f64,
    /// 99 % latency, milliseconds.
    pub p99_ms: Option<f64>,
    /// Errors by completed.
    pub error_share: Option<f64>,
}
