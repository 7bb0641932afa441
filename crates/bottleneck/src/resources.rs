//! What services and exporters said of their resources: samples, as they were sent, a bounded number of them.
//!
//! Nothing is summed here, since gauges and growing counts can neither be added nor taken back. What is kept of a
//! series is a set of samples by time, of several in one slot the newest, and at one instant the largest: so the
//! order in which they come, and how often, does not matter. Nor does it over the limits: services are kept whole, in the
//! order of their names, as many as there is room for, and a service that once had none gets none any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use peakdrill_trace_model::metric::Measure;
use serde::{Deserialize, Serialize};

use crate::pairs;

/// Series that are kept.
pub const SERIES_MAX: usize = 20_000;
/// Samples that are kept, over all series.
pub const SAMPLES_MAX: usize = 2_000_000;
/// Slots that are shared between copies as one.
const SLOTS_PER_PAGE: i64 = 64;
const NS_PER_S: i64 = 1_000_000_000;

/// How the values of a series are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleKind {
    /// As things are at the instant. One a second is kept.
    Gauge,
    /// What has come together since the series began. One a second is kept.
    Total,
    /// What has come together since the last one. One in 100 ms is kept: no exporter is faster.
    Delta,
}

impl SampleKind {
    fn slot_ns(self) -> i64 {
        match self {
            Self::Gauge | Self::Total => NS_PER_S,
            Self::Delta => NS_PER_S / 10,
        }
    }
}

/// A series: whose, what, and how.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeriesKey {
    /// The service, as its spans name it; a machine is `host NAME`.
    pub service: Arc<str>,
    /// What is measured.
    pub measure: Measure,
    /// Which pool or queue; empty where there is one only.
    pub of: Arc<str>,
    /// The metric that it comes from.
    pub source: Arc<str>,
    /// The instance of the service.
    pub instance: Arc<str>,
    /// How its values are meant.
    pub kind: SampleKind,
    /// Tells series apart that differ in further labels, or in when they began.
    pub part: u64,
}

/// A value at an instant. Of two at the same slot the greater one stays, so the newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sample {
    /// When, Unix nanoseconds.
    pub at_ns: i64,
    /// How much, in steps of [`Measure::steps`].
    pub value: i64,
    /// Since when, for [`SampleKind::Delta`], Unix nanoseconds; 0 where that is not said.
    pub since_ns: i64,
}

/// One point as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourcePoint {
    /// Of which series.
    pub key: SeriesKey,
    /// The value.
    pub sample: Sample,
}

type Page = Arc<BTreeMap<i64, Sample>>;

/// The samples of one series, by slot. Pages are shared between copies until they change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Samples(BTreeMap<i64, Page>);

impl Samples {
    /// Whether a slot came to it.
    fn put(&mut self, slot: i64, sample: Sample) -> bool {
        let at = slot.div_euclid(SLOTS_PER_PAGE);
        let known = self.0.get(&at).and_then(|page| page.get(&slot)).copied();
        if known.is_some_and(|known| known >= sample) {
            return false;
        }
        Arc::make_mut(self.0.entry(at).or_default()).insert(slot, sample);
        known.is_none()
    }

    fn len(&self) -> usize {
        self.0.values().map(|page| page.len()).sum()
    }

    /// All, by time.
    pub fn iter(&self) -> impl Iterator<Item = &Sample> {
        self.0.values().flat_map(|page| page.values())
    }
}

impl Serialize for Samples {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(|sample| (sample.at_ns, sample.value, sample.since_ns)))
    }
}

/// What is known of resources.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Resources {
    /// Start of the load, Unix nanoseconds, once it is known: seconds of the analysis count from there.
    pub origin_ns: Option<i64>,
    /// Services from this name on had no room, and are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out_from: Option<Arc<str>>,
    #[serde(serialize_with = "pairs::serialize")]
    series: BTreeMap<SeriesKey, Samples>,
    #[serde(skip)]
    samples: usize,
}

impl Resources {
    /// Takes a point. `false`: for want of room it is left out, or services are for which there was room before.
    pub fn put(&mut self, point: ResourcePoint) -> bool {
        self.put_within(point, SERIES_MAX, SAMPLES_MAX)
    }

    fn put_within(&mut self, point: ResourcePoint, series_max: usize, samples_max: usize) -> bool {
        self.put_series(point.key, [point.sample], series_max, samples_max)
    }

    /// Takes samples of one series. What is left out for want of room is what one after the other would leave out.
    fn put_series(
        &mut self,
        key: SeriesKey,
        samples: impl IntoIterator<Item = Sample>,
        series_max: usize,
        samples_max: usize,
    ) -> bool {
        if self.left_out_from.as_ref().is_some_and(|from| key.service >= *from) {
            return false;
        }
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return true;
        }
        let slot_ns = key.kind.slot_ns();
        let series = self.series.entry(key).or_default();
        let is_new = |sample: &Sample| series.put(sample.at_ns.div_euclid(slot_ns), *sample);
        self.samples += samples.filter(is_new).count();
        let mut had_room = true;
        while (self.series.len() > series_max || self.samples > samples_max)
            && let Some((last, _)) = self.series.last_key_value()
        {
            let from = Arc::clone(&last.service);
            self.leave_out(&from);
            had_room = false;
        }
        had_room
    }

    /// Leaves out all services from this name on.
    fn leave_out(&mut self, from: &Arc<str>) {
        while let Some(last) = self.series.last_entry()
            && last.key().service >= *from
        {
            self.samples -= last.remove().len();
        }
        if self.left_out_from.as_ref().is_none_or(|known| from < known) {
            self.left_out_from = Some(Arc::clone(from));
        }
    }

    /// All series, sorted.
    pub fn series(&self) -> impl Iterator<Item = (&SeriesKey, &Samples)> {
        self.series.iter()
    }

    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.series.is_empty() && self.left_out_from.is_none()
    }

    /// Takes all that another knows.
    pub fn merge(&mut self, other: &Self) {
        self.origin_ns = match (self.origin_ns, other.origin_ns) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        if let Some(from) = &other.left_out_from {
            self.leave_out(from);
        }
        for (key, samples) in &other.series {
            self.put_series(key.clone(), samples.iter().copied(), SERIES_MAX, SAMPLES_MAX);
        }
    }
}

/// [`Sample::at_ns`], [`Sample::value`], [`Sample::since_ns`].
type StoredSample = (i64, i64, i64);

/// As they are stored.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Stored {
    origin_ns: Option<i64>,
    left_out_from: Option<Arc<str>>,
    series: Vec<(SeriesKey, Vec<StoredSample>)>,
}

impl From<Stored> for Resources {
    /// What is beyond the limits, which no run writes, is left out.
    fn from(stored: Stored) -> Self {
        let (origin_ns, left_out_from) = (stored.origin_ns, stored.left_out_from);
        let mut read = Self { origin_ns, left_out_from, ..Self::default() };
        for (key, samples) in stored.series {
            let sample = |(at_ns, value, since_ns)| Sample { at_ns, value, since_ns };
            read.put_series(key, samples.into_iter().map(sample), SERIES_MAX, SAMPLES_MAX);
        }
        read
    }
}

#[cfg(test)]
mod tests;
