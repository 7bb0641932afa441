//! What a shard tells: everything since it last told something.

use peakdrill_drill_model::frame::{RootRow, Tally};
use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::StepId;
use peakdrill_latency::Sparse;
use peakdrill_timebase::MonoNs;

/// Time between two batches of a shard, in milliseconds.
pub const BATCH_EVERY_MS: u64 = 250;
/// Batches that wait to be taken, over all shards.
pub const BATCH_QUEUE_LEN_MAX: usize = 256;

/// Second since the start of the load, phase, and step; `None` for whole journeys.
///
/// Requests are filed under the second of their own intended time, and under the phase in which their journey began.
pub type TallyKey = (u32, u16, Option<StepId>);

/// What happened on one shard since its last batch. Batches add up in any order.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Which shard.
    pub shard: usize,
    /// When it was made.
    pub at: MonoNs,
    /// The shard's last one.
    pub last: bool,
    /// Counts and histograms, ascending by key, each as what was added.
    ///
    /// Where the step is `None`, journeys are counted: `intended = sent + missed` once all have been decided; `latency`
    /// runs from a journey's intended time to the end of its last step, pauses included; `lateness` is that of its
    /// start. Elsewhere requests are counted: `sent` are those that were handed to a connection, for which one could
    /// not be opened, or, in journeys under way, that found none free in time; `missed` are those of journeys under way
    /// that were held back, by a stop or for want of a valid token. A journey that could not start is missed once,
    /// under `None`. Failed and cancelled requests are in the histograms too: their latency is how long they had
    /// lasted.
    pub tallies: Vec<(TallyKey, Tally)>,
    /// Requests that ended: one row for each in `sent`. Where `sent_ns` is 0, no connection ever took the request, so no
    /// service can have seen its ids; the row then lasts from its intended time. The ids are 0 where a request could
    /// not even be built.
    pub roots: Vec<RootRow>,
    /// Rows that were left out because nobody took batches for too long.
    pub roots_dropped: u64,
    /// Journeys in flight now.
    pub in_flight: u64,
    /// Ages now of requests in flight, from their intended times, per step.
    pub ages: Vec<(StepId, Sparse)>,
    /// Processor time of the shard's thread since it began, in nanoseconds.
    pub cpu_ns: u64,
    /// Failed and slowest requests, a bounded number.
    pub samples: Vec<Sample>,
    /// How far the pacer was behind at worst since the last batch, in nanoseconds.
    pub overdue_ns: u64,
    /// Connections opened since the shard began.
    pub connections_opened: u64,
}

/// Why a request was picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleKind {
    /// It failed.
    Failed,
    /// It was slower than every request of its step before it, on its shard.
    Slowest,
}

/// A request worth looking at. Tokens and values of keys that name a secret are taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Its step.
    pub step: StepId,
    /// Why it was picked.
    pub kind: SampleKind,
    /// Its trace id.
    pub trace: u128,
    /// When it should have started, Unix nanoseconds.
    pub intended_ns: i64,
    /// From then to its end, in nanoseconds.
    pub latency_ns: u64,
    /// HTTP status; 0: none.
    pub status: u16,
    /// How it failed.
    pub error: Option<ErrorClass>,
    /// More about that, for people.
    pub detail: String,
    /// Some headers of the answer, one a line.
    pub head: String,
    /// The beginning of the answer's body.
    pub body: String,
}
