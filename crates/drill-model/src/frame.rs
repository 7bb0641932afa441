//! Frames: the load, one a second and step. And roots: the generator's row per request.

use std::collections::BTreeMap;

use peakdrill_latency::{Histogram, Sparse};
use serde::{Deserialize, Serialize};

use crate::outcome::{ErrorClass, answers};
use crate::plan::StepId;

/// Version of a line of `frames.jsonl`.
pub const FRAME_VERSION: u32 = 1;

/// One second of one step, or of arrivals (`step` is `None`). A line of `frames.jsonl`.
///
/// Requests are filed under the second of their **intended** time; a frame is written when it can change
/// no more for the live view, and amended by later frames of the same second: readers add them up.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Frame {
    /// [`FRAME_VERSION`].
    pub v: u32,
    /// Seconds since the start of the load.
    pub second: u32,
    /// Index of the phase in the plan.
    pub phase: u16,
    /// The step; `None` for journeys' arrivals.
    pub step: Option<StepId>,
    /// Arrivals of journeys that the schedule holds in this second (only where `step` is `None`).
    pub intended: u64,
    /// Journeys started, or requests sent.
    pub sent: u64,
    /// Journeys that could not be started.
    pub missed: u64,
    /// Requests that ended, with or without error.
    pub completed: u64,
    /// Of these, errors.
    pub errors: BTreeMap<ErrorClass, u64>,
    /// Of these, answers of a class of their own (`outcome:` of the step), which are no errors.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outcomes: BTreeMap<String, u64>,
    /// Answers that should have acknowledged the tag and did not.
    pub ack_missing: u64,
    /// Messages that came over a WebSocket and were not the answer that a step waited for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub passed_over: u64,
    /// Messages that no step could see: more came while none waited than are kept.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: u64,
    /// Latency from the intended time. Base64 of HdrHistogram V2.
    pub latency: String,
    /// Service time: first byte sent to last byte received.
    pub service: String,
    /// Lateness: actual start less intended start.
    pub lateness: String,
    /// Wait for a connection, after the start.
    pub conn_wait: String,
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// A [`Tally`] that is kept: a tenth of its size where there are few samples.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Packed {
    /// Without histograms.
    counts: Tally,
    latency: Sparse,
    service: Sparse,
    lateness: Sparse,
    conn_wait: Sparse,
}

impl Packed {
    /// Adds another.
    pub fn merge(&mut self, other: &Self) {
        self.counts.merge(&other.counts);
        self.latency.merge(&other.latency);
        self.service.merge(&other.service);
        self.lateness.merge(&other.lateness);
        self.conn_wait.merge(&other.conn_wait);
    }
}

/// One second of one step while it is being counted: a [`Frame`] with open histograms.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tally {
    /// See [`Frame::intended`].
    pub intended: u64,
    /// See [`Frame::sent`].
    pub sent: u64,
    /// See [`Frame::missed`].
    pub missed: u64,
    /// See [`Frame::completed`].
    pub completed: u64,
    /// See [`Frame::errors`].
    pub errors: BTreeMap<ErrorClass, u64>,
    /// See [`Frame::outcomes`].
    pub outcomes: BTreeMap<String, u64>,
    /// See [`Frame::ack_missing`].
    pub ack_missing: u64,
    /// See [`Frame::passed_over`].
    pub passed_over: u64,
    /// See [`Frame::dropped`].
    pub dropped: u64,
    /// See [`Frame::latency`].
    pub latency: Histogram,
    /// See [`Frame::service`].
    pub service: Histogram,
    /// See [`Frame::lateness`].
    pub lateness: Histogram,
    /// See [`Frame::conn_wait`].
    pub conn_wait: Histogram,
}

impl Tally {
    /// Adds another tally; sums end at the largest number.
    pub fn merge(&mut self, other: &Self) {
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        add(&mut self.intended, other.intended);
        add(&mut self.sent, other.sent);
        add(&mut self.missed, other.missed);
        add(&mut self.completed, other.completed);
        other.errors.iter().for_each(|(class, n)| add(self.errors.entry(*class).or_insert(0), *n));
        other.outcomes.iter().for_each(|(name, n)| self.add_outcome(name, *n));
        add(&mut self.ack_missing, other.ack_missing);
        add(&mut self.passed_over, other.passed_over);
        add(&mut self.dropped, other.dropped);
        self.latency.merge(&other.latency);
        self.service.merge(&other.service);
        self.lateness.merge(&other.lateness);
        self.conn_wait.merge(&other.conn_wait);
    }

    /// The same, for keeping: of its histograms only the buckets that hold samples.
    #[must_use]
    pub fn pack(&self) -> Packed {
        Packed {
            counts: Self {
                errors: self.errors.clone(),
                outcomes: self.outcomes.clone(),
                latency: Histogram::new(),
                service: Histogram::new(),
                lateness: Histogram::new(),
                conn_wait: Histogram::new(),
                ..*self
            },
            latency: self.latency.to_sparse(),
            service: self.service.to_sparse(),
            lateness: self.lateness.to_sparse(),
            conn_wait: self.conn_wait.to_sparse(),
        }
    }

    /// Adds a tally that was kept.
    pub fn merge_packed(&mut self, other: &Packed) {
        self.merge(&other.counts);
        self.latency.merge_sparse(&other.latency);
        self.service.merge_sparse(&other.service);
        self.lateness.merge_sparse(&other.lateness);
        self.conn_wait.merge_sparse(&other.conn_wait);
    }

    /// Counts answers of a class.
    pub fn add_outcome(&mut self, name: &str, n: u64) {
        match self.outcomes.get_mut(name) {
            Some(sum) => *sum = sum.saturating_add(n),
            None => _ = self.outcomes.insert(name.to_owned(), n),
        }
    }

    /// Errors of all classes.
    #[must_use]
    pub fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Of those that ended, those that got an answer at all.
    #[must_use]
    pub fn answers(&self) -> u64 {
        answers(self.completed, &self.errors)
    }

    /// The stored form.
    #[must_use]
    pub fn to_frame(&self, second: u32, phase: u16, step: Option<StepId>) -> Frame {
        Frame {
            v: FRAME_VERSION,
            second,
            phase,
            step,
            intended: self.intended,
            sent: self.sent,
            missed: self.missed,
            completed: self.completed,
            errors: self.errors.clone(),
            outcomes: self.outcomes.clone(),
            ack_missing: self.ack_missing,
            passed_over: self.passed_over,
            dropped: self.dropped,
            latency: self.latency.encode(),
            service: self.service.encode(),
            lateness: self.lateness.encode(),
            conn_wait: self.conn_wait.encode(),
        }
    }

    /// Reads a stored frame.
    ///
    /// # Errors
    /// When a histogram cannot be decoded.
    pub fn from_frame(frame: &Frame) -> Result<Self, peakdrill_latency::DecodeError> {
        let histograms = Self {
            latency: Histogram::decode(&frame.latency)?,
            service: Histogram::decode(&frame.service)?,
            lateness: Histogram::decode(&frame.lateness)?,
            conn_wait: Histogram::decode(&frame.conn_wait)?,
            ..Self::default()
        };
        Ok(histograms.with_counts_of(frame))
    }

    /// The same histograms, with the counts of a frame.
    #[must_use]
    pub fn with_counts_of(self, frame: &Frame) -> Self {
        Self {
            intended: frame.intended,
            sent: frame.sent,
            missed: frame.missed,
            completed: frame.completed,
            errors: frame.errors.clone(),
            outcomes: frame.outcomes.clone(),
            ack_missing: frame.ack_missing,
            passed_over: frame.passed_over,
            dropped: frame.dropped,
            ..self
        }
    }
}

/// What the generator knows of one request: every root, whether or not a service exports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootRow {
    /// The trace id that was sent.
    pub trace: u128,
    /// The span id in the `traceparent` that was sent: the parent of the first service's span.
    pub span: u64,
    /// Step.
    pub step: StepId,
    /// Phase.
    pub phase: u16,
    /// When the request should have started, Unix nanoseconds.
    pub intended_ns: i64,
    /// When its first byte was written; 0: never.
    pub sent_ns: i64,
    /// When it ended.
    pub done_ns: i64,
    /// How it ended.
    pub error: Option<ErrorClass>,
    /// HTTP status; 0: none.
    pub status: u16,
    /// Whether services were asked for spans of it: the flag in the `traceparent` that was sent. Left out when they were.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub sampled: bool,
}

fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_true(value: &bool) -> bool {
    *value
}
