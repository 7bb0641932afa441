//! What a drill left behind, as the renderings need it.

use peakdrill_bottleneck::{Analysis, CallCurve};
use peakdrill_drill_model::event::Event;
use peakdrill_drill_model::frame::Frame;
use peakdrill_drill_model::ledger::Ledger;
use peakdrill_drill_model::owners::Owners;
use peakdrill_drill_model::plan::Plan;
use peakdrill_drill_model::verdict::LiveView;
use serde::{Deserialize, Serialize};

/// Version of `environment.json`.
pub const ENVIRONMENT_VERSION: u32 = 1;

/// A drill's record, read. Whatever part is not there is empty or `None`, and named in `missing`.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// `plan.json`.
    pub plan: Plan,
    /// `environment.json`.
    pub environment: Environment,
    /// `frames.jsonl`, in any order; frames of the same second and step add up.
    pub frames: Vec<Frame>,
    /// What the collector's cells say of the system under test; `None`: no spans were received.
    pub analysis: Option<Analysis>,
    /// Calls against the load, from the same cells.
    pub calls: Vec<CallCurve>,
    /// `owners.json`: who owns the nodes, as far as it was given.
    pub owners: Owners,
    /// `events.jsonl`, oldest first.
    pub events: Vec<Event>,
    /// `isolation.json`.
    pub ledger: Option<Ledger>,
    /// Whether `isolation.json` is there and cannot be read.
    pub torn_ledger: bool,
    /// `samples.jsonl`.
    pub samples: Vec<Sample>,
    /// Whether the run came to its end, as the event log tells.
    pub ended: bool,
    /// Lines of `frames.jsonl` that are torn or unreadable and were left out.
    pub torn_frames: u64,
    /// What of the record is not there or could not be read, in words.
    pub missing: Vec<String>,
}

/// Where and with what the drill ran. `environment.json` of the record.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Environment {
    /// [`ENVIRONMENT_VERSION`].
    pub v: u32,
    /// Version of peakdrill.
    pub version: String,
    /// The run's id.
    pub run: String,
    /// Start of the load, Unix nanoseconds; 0: it never started.
    pub started_unix_ns: i64,
    /// The machine that the coordinator ran on.
    pub machine: Machine,
    /// Agents that sent load; 0: not known.
    pub agents: u32,
    /// Load threads over all agents; 0: not known.
    pub shards: u32,
    /// How coordinator and agents spoke: `in-process`, `nats`, …
    pub transport: String,
    /// Processor time of the load threads, summed, in nanoseconds.
    pub load_thread_cpu_ns: Option<u64>,
    /// Largest share of a processor that one load thread used between two of its reports, about 250 ms, 0..=1.
    pub busiest_thread_share: Option<f64>,
    /// Largest resident memory of the process, MiB.
    pub max_rss_mib: Option<f64>,
    /// How the live view kept up; `None` where no ranking was made while the load ran.
    pub live_view: Option<LiveView>,
    /// The command that started the run, secrets left out.
    pub command: Option<String>,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// Processors that the process may use; 0: not known.
    pub cpus: u32,
    /// Memory that the process may use, MiB; 0: not known.
    pub memory_mib: u64,
    /// Operating system.
    pub os: String,
    /// Version of its kernel.
    pub kernel: String,
    /// Its name; `None` when it is redacted.
    pub hostname: Option<String>,
}

/// Why a sample was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleKind {
    /// It failed.
    Failed,
    /// It was among the slowest of its step.
    Slow,
}

/// A request that was kept. A line of `samples.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The step's name.
    pub step: String,
    /// Why it was kept.
    pub kind: SampleKind,
    /// Class of its error; `None` for a slow one that succeeded.
    pub class: Option<String>,
    /// HTTP status; `None` without an answer.
    pub status: Option<u16>,
    /// Latency from the intended time, milliseconds; `None` when it never ended.
    pub latency_ms: Option<f64>,
    /// Request and answer as far as they were kept, redacted.
    pub detail: String,
}
