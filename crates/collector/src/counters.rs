//! What was counted on the way, by name. Nothing that is set aside goes uncounted.

use std::collections::BTreeMap;

/// Names of counters.
pub mod counter {
    /// Spans that were taken in.
    pub const SPANS: &str = "spans";
    /// Requests that held spans.
    pub const TRACE_REQUESTS: &str = "trace_requests";
    /// Requests that held metrics.
    pub const METRIC_REQUESTS: &str = "metric_requests";
    /// Metric points that carry nothing the collector reads.
    pub const POINTS_UNUSED: &str = "metric_points_unused";
    /// Ledger points that do not say what they count, or are no monotonic sum.
    pub const LEDGER_MALFORMED: &str = "ledger_points_malformed";
    /// Ledger points that came when the table was full.
    pub const LEDGER_OVERFLOW: &str = "ledger_points_over_limit";
    /// Points of resources without a value or a time that can be.
    pub const RESOURCE_MALFORMED: &str = "resource_points_malformed";
    /// Points of resources for which there was no room, in the place of which services are left out.
    pub const RESOURCE_OVERFLOW: &str = "resource_points_over_limit";
    /// Spans refused: trace id of zeros, or of another length than 16 bytes.
    pub const BAD_TRACE_ID: &str = "spans_with_bad_trace_id";
    /// Spans refused: span id of zeros, or of another length than 8 bytes.
    pub const BAD_SPAN_ID: &str = "spans_with_bad_span_id";
    /// Spans refused: no start, or a time after the year 2262.
    pub const BAD_TIME: &str = "spans_with_bad_time";
    /// Spans refused: longer than the limit.
    pub const OVER_LONG: &str = "spans_over_length_limit";
    /// Spans refused: they end further in the future than any clock is wrong.
    pub const FAR_FUTURE: &str = "spans_in_far_future";
    /// Spans kept that end after they were received: a clock is ahead.
    pub const FUTURE: &str = "spans_in_future";
    /// Spans kept whose end was before their start; it was set to the start.
    pub const END_BEFORE_START: &str = "spans_ending_before_start";
    /// Spans kept that take no time.
    pub const ZERO_DURATION: &str = "spans_of_zero_duration";
    /// Spans kept that name themselves as parent.
    pub const SELF_PARENT: &str = "spans_with_self_parent";
    /// Spans that came again. Approximate: a copy of a span beyond the limit of its trace is counted as
    /// one or the other by when the trace was put in order, and so may differ between a run and its replay.
    pub const DUPLICATES: &str = "spans_duplicated";
    /// Spans that are on a cycle of parents.
    pub const CYCLES: &str = "spans_on_parent_cycle";
    /// Spans that are beyond the limit of one trace. Approximate, as [`DUPLICATES`] is.
    pub const OVER_TRACE_LIMIT: &str = "spans_over_trace_limit";
    /// Spans that came after their trace was sealed.
    pub const LATE: &str = "spans_late";
    /// Late spans and rows that wait now: they are in no figure until the journal is read again, at the end.
    pub const LATE_WAITING: &str = "late_waiting";
    /// Late spans that could not wait: counted as calls and operations only, repeated ones as well.
    pub const LATE_OVER_LIMIT: &str = "spans_late_over_limit";
    /// Late rows of the generator that could not wait: counted apart from the spans of their trace.
    pub const ROOTS_LATE_OVER_LIMIT: &str = "roots_late_over_limit";
    /// Sealed traces that were told from live ones too late, and stay counted as they were.
    pub const CLASSES_LATE_OVER_LIMIT: &str = "classes_late_over_limit";
    /// Sealed traces that were put together anew, with what came late.
    pub const AMENDED: &str = "traces_amended";
    /// Traces sealed because nothing came for them within the horizon.
    pub const SEALED: &str = "traces_sealed";
    /// Traces sealed early because too much was open.
    pub const SEALED_EARLY: &str = "traces_sealed_early";
    /// Ids of sealed traces that were forgotten because too many were held.
    pub const SEALED_FORGOTTEN: &str = "traces_sealed_forgotten";
    /// Traces let go before the start of the load was known.
    pub const DROPPED_BEFORE_ORIGIN: &str = "traces_dropped_before_origin";
    /// Traces that are open now.
    pub const OPEN: &str = "traces_open";
    /// Rows of the generator.
    pub const ROOTS: &str = "roots";
    /// Of these, those of requests that services were asked for no spans of.
    pub const ROOTS_UNSAMPLED: &str = "roots_unsampled";
    /// Rows of the generator for a trace that already had another.
    pub const ROOTS_DUPLICATED: &str = "roots_duplicated";
    /// Rows of the generator for a trace that was sealed.
    pub const ROOTS_LATE: &str = "roots_late";
    /// Links that were not followed because too many were open.
    pub const LINKS_OVER_LIMIT: &str = "links_over_limit";
    /// Starts of the load given after another one; the first counts.
    pub const ORIGIN_CHANGED: &str = "origin_changed";
    /// Requests answered with "try again" because too much was waiting.
    pub const OVERLOADED: &str = "requests_overloaded";
    /// Requests answered with "try again" because their body took too long to come.
    pub const SLOW: &str = "requests_slow";
    /// Connections that were closed at once because too many were open.
    pub const CONNECTIONS_REFUSED: &str = "connections_refused";
    /// Connections that were closed because no request came over them.
    pub const CONNECTIONS_IDLE: &str = "connections_idle";
    /// Requests refused because they are too large or cannot be decoded.
    pub const MALFORMED: &str = "requests_malformed";
    /// Requests refused for good because the journal was full.
    pub const JOURNAL_FULL: &str = "requests_journal_full";
    /// Requests not taken because the journal could not be written, or its disk had hardly any room.
    pub const JOURNAL_FAILED: &str = "requests_journal_failed";
    /// Rows of the generator, looks at endpoints, and the start of the load, that are not in the journal for one of these
    /// reasons: nobody sends them again. The start of the load is tried again until the end, and counts then.
    pub const JOURNAL_LOST: &str = "records_journal_lost";
    /// Looks at Prometheus endpoints.
    pub const SCRAPES: &str = "scrapes";
    /// Of these, failed.
    pub const SCRAPES_FAILED: &str = "scrapes_failed";
    /// Lines of Prometheus endpoints that cannot be read.
    pub const SCRAPE_LINES_BAD: &str = "scrape_lines_malformed";
    /// Samples of Prometheus endpoints beyond what is kept of one look.
    pub const SCRAPE_SAMPLES_OVER: &str = "scrape_samples_over_limit";
    /// Spans, traces or processes of Jaeger's or Zipkin's JSON that cannot be read.
    pub const BAD_SPANS: &str = "spans_malformed";
    /// Lines of a trace file that cannot be decoded.
    pub const BAD_LINES: &str = "lines_malformed";
}

/// Counts of what is not in the result, with words for it.
const MISSING: [(&str, &str); 15] = [
    (counter::JOURNAL_FULL, "requests were refused for good: the journal was full; see `--journal-max`"),
    (counter::CONNECTIONS_REFUSED, "connections were closed at once: too many were open"),
    (counter::JOURNAL_FAILED, "requests could not be written to the journal and were told to try again"),
    (
        counter::JOURNAL_LOST,
        "records of the drill's own (rows of the generator, looks at endpoints, the start of the load) could not be written to the journal: not counted",
    ),
    (
        counter::LATE_WAITING,
        "spans and rows came after their trace was sealed, and could not be put into it: not counted",
    ),
    (
        counter::LATE_OVER_LIMIT,
        "spans came after their trace was sealed: counted as calls, never as requests",
    ),
    (
        counter::ROOTS_LATE_OVER_LIMIT,
        "rows of the generator came after their trace was sealed: counted without its spans",
    ),
    (
        counter::CLASSES_LATE_OVER_LIMIT,
        "traces were told from live ones after they were sealed: counted as they were taken for",
    ),
    (counter::SEALED_EARLY, "traces were sealed early because too many were open"),
    (counter::DROPPED_BEFORE_ORIGIN, "traces were let go before the start of the load was known"),
    (counter::OVER_TRACE_LIMIT, "spans were over the limit of one trace"),
    (counter::LINKS_OVER_LIMIT, "links between traces were not followed"),
    (counter::LEDGER_OVERFLOW, "ledger points were over the limit"),
    (
        counter::RESOURCE_OVERFLOW,
        "points of resources were over the limit: the last services by name are without",
    ),
    (counter::SCRAPE_SAMPLES_OVER, "samples of Prometheus endpoints were over the limit"),
];

/// Counts by name. Addition is all there is, so the order in which things are counted does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counters(BTreeMap<&'static str, u64>);

impl Counters {
    /// Adds to a count.
    pub fn add(&mut self, name: &'static str, count: u64) {
        if count > 0 {
            *self.0.entry(name).or_insert(0) += count;
        }
    }

    /// Adds all counts of another.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(name, count)| self.add(name, *count));
    }

    /// A count; 0 when nothing was counted.
    #[must_use]
    pub fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// All counts that are not 0.
    #[must_use]
    pub fn map(&self) -> &BTreeMap<&'static str, u64> {
        &self.0
    }

    /// What they say is not in the result, in words.
    pub(crate) fn missing(&self) -> impl Iterator<Item = String> + '_ {
        let counted = MISSING.into_iter().map(|(name, what)| (self.get(name), what));
        counted.filter(|(count, _)| *count > 0).map(|(count, what)| format!("collector: {count} {what}"))
    }
}
