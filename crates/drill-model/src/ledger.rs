//! The ledger: every isolation decision, counted.
//!
//! Hops send it as an OTLP sum metric, cumulative and monotonic, every 250 ms.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Name of the metric. Attributes: [`ATTR_RUN`], [`ATTR_RESOURCE`], [`ATTR_OUTCOME`]; the service is the
/// resource attribute `service.name`.
pub const METRIC: &str = "peakdrill.isolation.decisions";
/// The run's id; empty for live and unknown work.
pub const ATTR_RUN: &str = "peakdrill.run";
/// What was decided about: `orders`, `http:bank:80`, `ingress`, …
pub const ATTR_RESOURCE: &str = "peakdrill.resource";
/// The text form of an [`Outcome`].
pub const ATTR_OUTCOME: &str = "peakdrill.outcome";

/// What a decision led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A request came in and was shadow (at an inner hop or at the edge).
    ShadowIn,
    /// A request came in and was live.
    LiveIn,
    /// A request came in without stamp and passed (mode observe).
    UnknownIn,
    /// A shadow operation read shadow data.
    ShadowRead,
    /// A shadow operation wrote shadow data.
    ShadowWrite,
    /// A shadow operation read live data, as declared.
    ReadLive,
    /// A live operation read.
    LiveRead,
    /// A live operation wrote.
    LiveWrite,
    /// A shadow call was answered by a stub.
    Mocked,
    /// An operation or request was refused.
    Refused,
    /// A later line saw shadow where an earlier one had seen none.
    TagLost,
    /// A shadow operation reached live data. Never, unless there is a bug: it stops the drill.
    Leak,
}

impl Outcome {
    /// All outcomes with their stable text.
    pub const ALL: [(Self, &'static str); 12] = [
        (Self::ShadowIn, "shadow_in"),
        (Self::LiveIn, "live_in"),
        (Self::UnknownIn, "unknown_in"),
        (Self::ShadowRead, "shadow_read"),
        (Self::ShadowWrite, "shadow_write"),
        (Self::ReadLive, "read_live"),
        (Self::LiveRead, "live_read"),
        (Self::LiveWrite, "live_write"),
        (Self::Mocked, "mocked"),
        (Self::Refused, "refused"),
        (Self::TagLost, "tag_lost"),
        (Self::Leak, "leak"),
    ];

    /// The stable text.
    #[must_use]
    pub fn text(self) -> &'static str {
        Self::ALL.iter().find(|(outcome, _)| *outcome == self).map_or("", |(_, text)| text)
    }

    /// Reads the stable text.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == text).map(|(outcome, _)| *outcome)
    }
}

/// One count of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRow {
    /// The service that decided.
    pub service: String,
    /// The run; empty for live and unknown work.
    pub run: String,
    /// What was decided about.
    pub resource: String,
    /// What it led to.
    pub outcome: Outcome,
    /// How often, since the service's start.
    pub count: u64,
}

/// `isolation.json` of the record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// Version.
    pub v: u32,
    /// Counts, sorted by service, run, resource, outcome.
    pub rows: Vec<LedgerRow>,
    /// Requests that the generator sent with a tag, probes included.
    pub sent: Option<u64>,
    /// Requests that first hops took in as shadow.
    pub handled: Option<u64>,
    /// What did not add up, in words.
    pub unreconciled: Vec<String>,
    /// Stores that nobody looked at.
    pub unobserved: Vec<String>,
    /// Services with declared stores whose ledger was last heard of before the last request had ended.
    #[serde(default)]
    pub silent: Vec<String>,
    /// Per service, live tables that held rows before the load, and whose shadows held none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub empty_shadows: BTreeMap<String, Vec<String>>,
}

/// The count of an outcome for one run, over all services and resources. Damaged counts do not overflow.
#[must_use]
pub fn total(rows: &[LedgerRow], run: &str, outcome: Outcome) -> u64 {
    let counts = rows.iter().filter(|row| row.run == run && row.outcome == outcome).map(|row| row.count);
    counts.fold(0, u64::saturating_add)
}

/// Operations of a run that reached live data. A live write under the run's name is one too.
#[must_use]
pub fn live_writes(rows: &[LedgerRow], run: &str) -> u64 {
    let by_name = if run.is_empty() { 0 } else { total(rows, run, Outcome::LiveWrite) };
    total(rows, run, Outcome::Leak).saturating_add(by_name)
}

/// What `leaks` means in guards and gates: operations that reached live data, and tags that were lost.
#[must_use]
pub fn leaks(rows: &[LedgerRow], run: &str) -> u64 {
    live_writes(rows, run).saturating_add(total(rows, run, Outcome::TagLost))
}

/// How often a run's tag was lost: by the service that saw it most often. Each line behind the loss sees the same
/// request again, so sums would count it several times.
#[must_use]
pub fn tag_lost(rows: &[LedgerRow], run: &str) -> u64 {
    let mut by_service = BTreeMap::<&str, u64>::new();
    for row in rows.iter().filter(|row| row.run == run && row.outcome == Outcome::TagLost) {
        let sum = by_service.entry(&row.service).or_default();
        *sum = sum.saturating_add(row.count);
    }
    by_service.into_values().max().unwrap_or(0)
}

/// Decisions on a run's traffic; `None` where no hop reported.
#[must_use]
pub fn decisions(rows: &[LedgerRow], run: &str) -> Option<u64> {
    let mut of_run = rows.iter().filter(|row| row.run == run).peekable();
    of_run.peek()?;
    Some(of_run.fold(0, |sum, row| sum.saturating_add(row.count)))
}
