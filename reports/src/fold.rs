//! Frames, folded once: sums per phase and step, and a series over time of bounded length.

use std::collections::BTreeMap;

use peakdrill_drill_model::frame::Frame;
use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::StepId;
use peakdrill_latency::{Histogram, Quantiles, Sparse};

use crate::Record;
use crate::phases::{Span, spans};
use crate::validity::stopped_at_s;

/// Points of a series; longer loads are drawn with several seconds a point.
pub(crate) const POINTS_MAX: u32 = 180;
/// More samples in one second of one step than this are no load but a damaged frame.
pub(crate) const SAMPLES_A_FRAME_MAX: u64 = 1 << 40;

/// Counts and histograms of any number of frames.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sums {
    pub(crate) intended: u64,
    pub(crate) sent: u64,
    pub(crate) missed: u64,
    pub(crate) completed: u64,
    pub(crate) errors: BTreeMap<ErrorClass, u64>,
    pub(crate) outcomes: BTreeMap<String, u64>,
    pub(crate) ack_missing: u64,
    pub(crate) passed_over: u64,
    pub(crate) dropped: u64,
    pub(crate) latency: Sparse,
    pub(crate) service: Sparse,
    pub(crate) lateness: Sparse,
    pub(crate) conn_wait: Sparse,
}

impl Sums {
    pub(crate) fn merge(&mut self, other: &Self) {
        self.add_counts(other);
        self.latency.merge(&other.latency);
        self.service.merge(&other.service);
        self.lateness.merge(&other.lateness);
        self.conn_wait.merge(&other.conn_wait);
    }

    fn add_counts(&mut self, other: &Self) {
        self.intended = self.intended.saturating_add(other.intended);
        self.sent = self.sent.saturating_add(other.sent);
        self.missed = self.missed.saturating_add(other.missed);
        self.completed = self.completed.saturating_add(other.completed);
        self.ack_missing = self.ack_missing.saturating_add(other.ack_missing);
        self.passed_over = self.passed_over.saturating_add(other.passed_over);
        self.dropped = self.dropped.saturating_add(other.dropped);
        for (class, n) in &other.errors {
            let sum = self.errors.entry(*class).or_insert(0);
            *sum = sum.saturating_add(*n);
        }
        for (name, n) in &other.outcomes {
            let sum = self.outcomes.entry(name.clone()).or_insert(0);
            *sum = sum.saturating_add(*n);
        }
    }

    pub(crate) fn error_count(&self) -> u64 {
        self.errors.values().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// The sums of one frame, and whether all its histograms could be read.
    fn read(frame: &Frame) -> (Self, bool) {
        let mut whole = true;
        let mut open = |text: &str| match open(text) {
            Some(histogram) => histogram.to_sparse(),
            None => {
                whole = false;
                Sparse::default()
            }
        };
        let sums = Self {
            latency: open(&frame.latency),
            service: open(&frame.service),
            lateness: open(&frame.lateness),
            conn_wait: open(&frame.conn_wait),
            intended: frame.intended,
            sent: frame.sent,
            missed: frame.missed,
            completed: frame.completed,
            errors: frame.errors.clone(),
            outcomes: frame.outcomes.clone(),
            ack_missing: frame.ack_missing,
            passed_over: frame.passed_over,
            dropped: frame.dropped,
        };
        (sums, whole)
    }
}

/// A stored histogram; `None` where it cannot be read.
pub(crate) fn open(text: &str) -> Option<Histogram> {
    // Most frames of arrivals carry one histogram only.
    if text.is_empty() {
        return Some(Histogram::default());
    }
    Histogram::decode(text).ok().filter(|histogram| histogram.count() <= SAMPLES_A_FRAME_MAX)
}

/// Seconds that are one point of the series of a load whose last frame is of this second.
pub(crate) fn point_width_s(last_second: u32) -> u32 {
    ((f64::from(last_second) + 1.0) / f64::from(POINTS_MAX)).ceil() as u32
}

/// One point of the series.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    /// Start, seconds since the start of the load.
    pub(crate) from_s: f64,
    /// Length, seconds; the last point may be shorter.
    pub(crate) len_s: f64,
    /// Journeys: what the schedule held, started, missed.
    pub(crate) arrivals: [u64; 3],
    /// Requests that ended.
    pub(crate) completed: u64,
    /// Errors by class.
    pub(crate) errors: BTreeMap<ErrorClass, u64>,
    /// From the intended time.
    pub(crate) latency: Option<Quantiles>,
    /// From the first byte sent.
    pub(crate) service: Option<Quantiles>,
}

/// The load of a record.
#[derive(Debug, Clone)]
pub(crate) struct Folded {
    pub(crate) spans: Vec<Span>,
    /// Length of the load in seconds: while journeys were started. `None` when there is no frame.
    pub(crate) load_s: Option<f64>,
    /// Second of the last frame: journeys go on after the last of them was started.
    last_second: u32,
    pub(crate) sums: BTreeMap<(u16, Option<StepId>), Sums>,
    pub(crate) points: Vec<Point>,
    /// Seconds in which the plan expected arrivals that no frame speaks of.
    pub(crate) unseen_s: u64,
    /// Frames with a histogram that could not be read.
    pub(crate) unreadable: u64,
}

/// Folds the frames of a record.
pub(crate) fn fold(record: &Record) -> Folded {
    let mut folded = outline(record);
    folded.add_all(record);
    let planned_s = folded.spans.last().map_or(0.0, |span| span.end_s);
    let until = stopped_at_s(record).unwrap_or(planned_s).min(planned_s);
    folded.unseen_s = if folded.load_s.is_some() { unseen(record, &folded.spans, until) } else { 0 };
    folded
}

/// The phases and the length of the load, without its figures: no histogram is read.
pub(crate) fn outline(record: &Record) -> Folded {
    let spans = spans(record);
    let planned_s = spans.last().map_or(0.0, |span| span.end_s);
    let stopped_s = stopped_at_s(record);
    let newest = |arrivals: bool| {
        let frames = record.frames.iter().filter(|frame| !arrivals || frame.step.is_none());
        frames.map(|frame| frame.second).max()
    };
    let last_second = newest(false).unwrap_or(0);
    let load_s = newest(true).or_else(|| newest(false)).map(f64::from).map(|last| {
        // The last second may be a part of one: up to the stop, or to the end of the plan.
        let bound = stopped_s.filter(|stop| *stop > last).unwrap_or(planned_s);
        if bound > last { bound.min(last + 1.0) } else { last + 1.0 }
    });
    Folded {
        spans,
        load_s,
        last_second,
        sums: BTreeMap::new(),
        points: Vec::new(),
        unseen_s: 0,
        unreadable: 0,
    }
}

impl Folded {
    fn add_all(&mut self, record: &Record) {
        let Some(load_s) = self.load_s else { return };
        let last = f64::from(self.last_second);
        let end_s = if last >= load_s { last + 1.0 } else { load_s };
        let width = point_width_s(self.last_second);
        let mut order: Vec<&Frame> = record.frames.iter().collect();
        order.sort_by_key(|frame| frame.second);
        for group in order.chunk_by(|a, b| a.second / width == b.second / width) {
            let mut arrivals = Sums::default();
            let mut requests = Sums::default();
            for frame in group {
                let (sums, whole) = Sums::read(frame);
                self.unreadable += u64::from(!whole);
                if frame.step.is_some() {
                    requests.merge(&sums)
                } else {
                    arrivals.merge(&sums)
                }
                self.sums.entry((frame.phase, frame.step)).or_default().merge(&sums);
            }
            let from_s = f64::from(group[0].second / width * width);
            self.points.push(Point {
                from_s,
                len_s: f64::from(width).min(end_s - from_s),
                arrivals: [arrivals.intended, arrivals.sent, arrivals.missed],
                completed: requests.completed,
                errors: requests.errors,
                latency: requests.latency.quantiles(),
                service: requests.service.quantiles(),
            });
        }
    }

    /// The sums of all frames that a predicate on phase and step chooses.
    pub(crate) fn select(&self, wanted: impl Fn(u16, Option<StepId>) -> bool) -> Sums {
        let mut all = Sums::default();
        let chosen = self.sums.iter().filter(|((phase, step), _)| wanted(*phase, *step));
        chosen.for_each(|(_, sums)| all.merge(sums));
        all
    }

    /// Whether gates look at a phase by default.
    pub(crate) fn measured(&self, phase: u16) -> bool {
        self.spans.get(usize::from(phase)).is_some_and(|span| span.measure)
    }

    /// Lateness of the pacer over some phases: of arrivals where they carry it, else of requests.
    pub(crate) fn lateness(&self, wanted: impl Fn(u16) -> bool) -> Option<Quantiles> {
        let of =
            |arrivals: bool| self.select(|phase, step| wanted(phase) && step.is_none() == arrivals).lateness;
        of(true).quantiles().or_else(|| of(false).quantiles())
    }
}

/// So many arrivals are expected in a gap before it counts: by chance alone it would be empty once in 10⁸.
const UNSEEN_EXPECTED_MIN: f64 = 20.0;
/// Gaps are looked for in so many seconds at most.
const UNSEEN_SECONDS_MAX: usize = 1_000_000;

/// Seconds before `until` in which arrivals were planned but that no frame of arrivals covers.
fn unseen(record: &Record, spans: &[Span], until: f64) -> u64 {
    let mut covered = vec![false; (until.max(0.0).ceil() as usize).min(UNSEEN_SECONDS_MAX)];
    for frame in record.frames.iter().filter(|frame| frame.step.is_none()) {
        if let Some(second) = covered.get_mut(frame.second as usize) {
            *second = true;
        }
    }
    let mut total = 0;
    let mut second = 0;
    for run in covered.chunk_by(|a, b| a == b) {
        let end = second + run.len();
        if !run[0] {
            let to = (end as f64).min(until);
            let expected: f64 = spans.iter().map(|span| span.expected(second as f64, to)).sum();
            total += if expected >= UNSEEN_EXPECTED_MIN { run.len() as u64 } else { 0 };
        }
        second = end;
    }
    total
}
