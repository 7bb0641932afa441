//! Every limit, by name.

use std::time::Duration;

use peakdrill_bottleneck::NameLimits;

/// Largest request body as it comes over the wire.
pub const REQUEST_BYTES_MAX: usize = 4 << 20;
/// Largest request body after decompression: a body that grows more than this is a bomb.
pub const DECODED_BYTES_MAX: usize = 8 * REQUEST_BYTES_MAX;
/// Largest line of a file of traces, and largest document over several lines, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 128 << 20;
/// Longest span. A longer one is no piece of a request, and would fill a cell for each second.
pub const SPAN_NS_MAX: i64 = 3_600 * 1_000_000_000;
/// How far past its receipt a span may end; no clock is wrong by more.
pub const FUTURE_NS_MAX: i64 = 24 * 3_600 * 1_000_000_000;
/// Links kept of one span.
pub const LINKS_PER_SPAN_MAX: usize = 128;
/// Longest text kept of a ledger's attribute, in bytes.
pub const LEDGER_TEXT_BYTES_MAX: usize = 256;
/// Counts in the ledger.
pub const LEDGER_KEYS_MAX: usize = 100_000;

/// What may be held at once. `Default` is for a drill on one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes between the receivers and the fold, unfinished requests included; more is answered with "try again".
    pub queue_bytes_max: usize,
    /// Connections at once; more are closed when they come.
    pub connections_max: usize,
    /// How long a connection may be open before its first request, and one of HTTP/1 between two.
    pub idle_max: Duration,
    /// How long the body of a request may take to come.
    pub body_time_max: Duration,
    /// Spans of open traces.
    pub open_spans_max: usize,
    /// Open traces.
    pub open_traces_max: usize,
    /// Spans of one trace: the smallest ids are kept.
    pub spans_per_trace_max: usize,
    /// How long, in event time, a trace stays open after its last span.
    pub horizon_ns: i64,
    /// Ids of sealed traces that are remembered.
    pub sealed_ids_max: usize,
    /// Sealed traces of which something came late, that wait to be put together anew; 0 where nothing can be read twice.
    pub late_traces_max: usize,
    /// Spans of these, those that came in time included.
    pub late_spans_max: usize,
    /// Records that may hold something of these, which are decoded once more at the end: the longest that this takes.
    pub late_records_max: usize,
    /// Links to traces of which nothing is known yet.
    pub links_max: usize,
    /// Names that are kept over all traces: more are filed as others.
    pub names: NameLimits,
    /// Size at which a new segment of the journal begins.
    pub segment_bytes_max: u64,
    /// Size of the whole journal; when it is full, requests are refused for good.
    pub journal_bytes_max: u64,
    /// Bytes that the journal leaves free on its disk; below that, requests are told to try again.
    pub disk_free_min: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue_bytes_max: 64 << 20,
            connections_max: 1_024,
            // Metrics are sent once a minute.
            idle_max: Duration::from_secs(75),
            body_time_max: Duration::from_secs(10),
            open_spans_max: 2_000_000,
            open_traces_max: 500_000,
            spans_per_trace_max: 100_000,
            horizon_ns: 60_000_000_000,
            sealed_ids_max: 4_000_000,
            late_traces_max: 200_000,
            late_spans_max: 1_000_000,
            late_records_max: 100_000,
            links_max: 500_000,
            names: NameLimits::default(),
            segment_bytes_max: 64 << 20,
            journal_bytes_max: 16 << 30,
            disk_free_min: 1 << 30,
        }
    }
}
