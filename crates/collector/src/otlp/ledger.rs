//! The isolation ledger out of metrics.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint, metric, number_data_point};
use peakdrill_drill_model::ledger::{ATTR_OUTCOME, ATTR_RESOURCE, ATTR_RUN, Outcome};
use peakdrill_trace_model::semconv::Value;

use super::{Decoded, MetricPoint, pair};
use crate::counters::counter;
use crate::limits::LEDGER_TEXT_BYTES_MAX;

/// What a ledger point counts, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LedgerKey {
    /// The service that decided.
    pub service: String,
    /// The run; empty for live and unknown work.
    pub run: String,
    /// What was decided about.
    pub resource: String,
    /// What it led to.
    pub outcome: Outcome,
    /// The instance of the service.
    pub instance: String,
    /// When this series began: a service that starts again counts from 0 again.
    pub start_ns: u64,
}

/// One cumulative count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerPoint {
    /// What is counted.
    pub key: LedgerKey,
    /// How often, since the series began.
    pub count: u64,
}

pub(super) fn ledger(metric: &Metric, service: &str, instance: &str, out: &mut Decoded<MetricPoint>) {
    let (points, summed) = match &metric.data {
        Some(metric::Data::Sum(sum)) => (sum.data_points.as_slice(), sum.is_monotonic),
        Some(metric::Data::Gauge(gauge)) => (gauge.data_points.as_slice(), false),
        _ => (&[][..], false),
    };
    for point in points {
        match one(point, service, instance).filter(|_| summed) {
            Some(point) => out.items.push(MetricPoint::Ledger(point)),
            None => {
                out.rejected += 1;
                out.counters.add(counter::LEDGER_MALFORMED, 1);
            }
        }
    }
}

fn one(point: &NumberDataPoint, service: &str, instance: &str) -> Option<LedgerPoint> {
    let count = match point.value? {
        number_data_point::Value::AsInt(count) => u64::try_from(count).ok()?,
        number_data_point::Value::AsDouble(count) if (0.0..9e15).contains(&count) => count.round() as u64,
        number_data_point::Value::AsDouble(_) => return None,
    };
    let key = LedgerKey {
        service: short(service),
        run: text(&point.attributes, ATTR_RUN).unwrap_or_default(),
        resource: text(&point.attributes, ATTR_RESOURCE)?,
        outcome: Outcome::from_text(&text(&point.attributes, ATTR_OUTCOME)?)?,
        instance: instance.to_owned(),
        start_ns: point.start_time_unix_nano,
    };
    Some(LedgerPoint { key, count })
}

fn text(attributes: &[KeyValue], name: &str) -> Option<String> {
    attributes.iter().filter_map(pair).find_map(|(key, value)| match value {
        Value::Text(text) if key == name => Some(short(text)),
        _ => None,
    })
}

fn short(text: &str) -> String {
    text[..text.floor_char_boundary(LEDGER_TEXT_BYTES_MAX)].to_owned()
}
