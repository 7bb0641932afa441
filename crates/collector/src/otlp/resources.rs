//! How full resources are, out of metrics.

use std::borrow::Cow;
use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint, metric, number_data_point};
use peakdrill_bottleneck::resources::{ResourcePoint, Sample, SampleKind, SeriesKey};
use peakdrill_trace_model::metric::{self as names, Meaning, Measure};
use peakdrill_trace_model::semconv::Value;

use super::{Decoded, MetricPoint, pair};
use crate::counters::counter;
use crate::limits::FUTURE_NS_MAX;

/// `AGGREGATION_TEMPORALITY_DELTA`.
const DELTA: i32 = 1;
/// `DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK`.
const NO_VALUE: u32 = 1;
/// Largest value that is kept, in steps: beyond it is damage.
const VALUE_MAX: f64 = 4e18;

/// Whose the points of a group are.
pub(super) struct Source<'a> {
    labels: Vec<(&'a str, Cow<'a, str>)>,
    recv_ns: i64,
}

impl<'a> Source<'a> {
    pub(super) fn new(attributes: &'a [KeyValue], recv_ns: i64) -> Self {
        Self { labels: texts(attributes), recv_ns }
    }
}

/// Labels as texts: a number in a label is as good as its digits.
fn texts(attributes: &[KeyValue]) -> Vec<(&str, Cow<'_, str>)> {
    let text = |value: Value<'_>| match value {
        Value::Text(_) => None,
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Double(number) => Some(number.to_string()),
    };
    let one = |attribute| {
        let (name, value) = pair(attribute)?;
        match value {
            Value::Text(value) => Some((name, Cow::Borrowed(value))),
            other => text(other).map(|value| (name, Cow::Owned(value))),
        }
    };
    attributes.iter().filter_map(one).collect()
}

/// A point of any shape.
struct Point<'a> {
    attributes: &'a [KeyValue],
    start_ns: u64,
    time_ns: u64,
    flags: u32,
    /// The value, or the sum; none where it has none.
    value: Option<f64>,
    /// How many were observed, of a histogram or summary.
    count: Option<u64>,
}

/// Takes the points of a metric that tells of a resource; `false` when it tells of none.
pub(super) fn resource(metric: &Metric, source: &Source<'_>, out: &mut Decoded<MetricPoint>) -> bool {
    if !names::is_known(&metric.name) {
        return false;
    }
    let Some((kind, points)) = points(metric) else { return false };
    for point in points {
        if point.flags & NO_VALUE != 0 {
            continue;
        }
        match one(metric, kind, &point, source) {
            Taken::Points(points) => out.items.extend(points.into_iter().map(MetricPoint::Resource)),
            Taken::Other => out.counters.add(counter::POINTS_UNUSED, 1),
            Taken::Bad => {
                out.rejected += 1;
                out.counters.add(counter::RESOURCE_MALFORMED, 1);
            }
        }
    }
    true
}

/// The points, and how they are meant; `None` of a sum that goes up and down by deltas, which tells nothing without
/// all that came before.
fn points(metric: &Metric) -> Option<(SampleKind, Vec<Point<'_>>)> {
    let summed = |temporality| if temporality == DELTA { SampleKind::Delta } else { SampleKind::Total };
    macro_rules! observed {
        ($points:expr, $sum:expr) => {
            $points
                .iter()
                .map(|point| Point {
                    attributes: &point.attributes,
                    start_ns: point.start_time_unix_nano,
                    time_ns: point.time_unix_nano,
                    flags: point.flags,
                    value: $sum(point.sum),
                    count: Some(point.count),
                })
                .collect()
        };
    }
    match metric.data.as_ref()? {
        metric::Data::Gauge(gauge) => Some((SampleKind::Gauge, numbers(&gauge.data_points))),
        metric::Data::Sum(sum) if sum.is_monotonic => {
            Some((summed(sum.aggregation_temporality), numbers(&sum.data_points)))
        }
        metric::Data::Sum(sum) if sum.aggregation_temporality == DELTA => None,
        metric::Data::Sum(sum) => Some((SampleKind::Gauge, numbers(&sum.data_points))),
        metric::Data::Histogram(all) => {
            Some((summed(all.aggregation_temporality), observed!(all.data_points, |sum| sum)))
        }
        metric::Data::ExponentialHistogram(all) => {
            Some((summed(all.aggregation_temporality), observed!(all.data_points, |sum| sum)))
        }
        metric::Data::Summary(all) => Some((SampleKind::Total, observed!(all.data_points, Some))),
    }
}

fn numbers(points: &[NumberDataPoint]) -> Vec<Point<'_>> {
    let number = |value| match value {
        number_data_point::Value::AsInt(value) => value as f64,
        number_data_point::Value::AsDouble(value) => value,
    };
    points
        .iter()
        .map(|data| Point {
            attributes: &data.attributes,
            start_ns: data.start_time_unix_nano,
            time_ns: data.time_unix_nano,
            flags: data.flags,
            value: data.value.map(number),
            count: None,
        })
        .collect()
}

enum Taken {
    Points(Vec<ResourcePoint>),
    /// Another state or mode than those that are read.
    Other,
    /// No value, or no time that can be.
    Bad,
}

fn one(metric: &Metric, kind: SampleKind, point: &Point<'_>, source: &Source<'_>) -> Taken {
    let own = texts(point.attributes);
    let labels: Vec<(&str, &str)> =
        own.iter().chain(&source.labels).map(|(name, value)| (*name, &**value)).collect();
    let Some(meaning) = names::meaning(&metric.name, &labels) else { return Taken::Other };
    let factor = names::factor(meaning.measure, &metric.name, &metric.unit);
    let Some(at_ns) = time(point.time_ns, source.recv_ns) else { return Taken::Bad };
    let since_ns = if kind == SampleKind::Delta { i64::try_from(point.start_ns).unwrap_or(0) } else { 0 };
    // A count beside a value, which only histograms have, differs in nothing but the measure.
    let key = key(meaning.measure, kind, &meaning, &labels, &own, point.start_ns);
    let sample = |measure: Measure, value: f64| {
        let value = steps(measure, value)?;
        let key = SeriesKey { measure, ..key.clone() };
        Some(ResourcePoint { key, sample: Sample { at_ns, value, since_ns } })
    };
    let value = point.value.map(|value| sample(meaning.measure, value * factor));
    let counted = meaning.measure.count().zip(point.count);
    let count = counted.map(|(measure, count)| sample(measure, count as f64));
    let all: Option<Vec<_>> = value.into_iter().chain(count).collect();
    match all {
        Some(points) if !points.is_empty() => Taken::Points(points),
        _ => Taken::Bad,
    }
}

/// When a point is of: as it says, unless that cannot be; when it came, where it says nothing.
fn time(time_ns: u64, recv_ns: i64) -> Option<i64> {
    let at_ns = if time_ns == 0 { recv_ns } else { i64::try_from(time_ns).ok()? };
    (0..=recv_ns.saturating_add(FUTURE_NS_MAX)).contains(&at_ns).then_some(at_ns)
}

fn steps(measure: Measure, value: f64) -> Option<i64> {
    let steps = (value * measure.steps()).round();
    (-VALUE_MAX..=VALUE_MAX).contains(&steps).then_some(steps as i64)
}

fn key(
    measure: Measure,
    kind: SampleKind,
    meaning: &Meaning,
    labels: &[(&str, &str)],
    own: &[(&str, Cow<'_, str>)],
    start_ns: u64,
) -> SeriesKey {
    let owner = names::owner(labels);
    let kind = if kind == SampleKind::Gauge && measure.grows() { SampleKind::Total } else { kind };
    let own: Vec<(&str, &str)> = own.iter().map(|(name, value)| (*name, &**value)).collect();
    let part = names::fingerprint(&own);
    // A process that starts again counts from 0 again, and two of one name count apart. A delta has a new start each.
    let part = if kind == SampleKind::Total { part ^ start_ns.rotate_left(17) } else { part };
    SeriesKey {
        service: Arc::from(owner.service),
        measure,
        of: Arc::from(meaning.of.as_str()),
        source: Arc::from(meaning.source),
        instance: Arc::from(owner.instance),
        kind,
        part,
    }
}

#[cfg(test)]
mod tests;
