//! Families as an OTLP request.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use super::Family;

/// The bytes of an `ExportMetricsServiceRequest`.
pub(super) fn request(families: &[Family], start_ns: i64, at_ns: i64) -> Vec<u8> {
    let metrics = families.iter().map(|family| metric(family, unsigned(start_ns), unsigned(at_ns)));
    let group = ResourceMetrics {
        resource: Some(Resource {
            attributes: vec![attribute("service.name", "peakdrill")],
            ..Default::default()
        }),
        scope_metrics: vec![ScopeMetrics { metrics: metrics.collect(), ..Default::default() }],
        ..Default::default()
    };
    ExportMetricsServiceRequest { resource_metrics: vec![group] }.encode_to_vec()
}

fn unsigned(ns: i64) -> u64 {
    u64::try_from(ns).unwrap_or(0)
}

fn metric(family: &Family, start_ns: u64, at_ns: u64) -> Metric {
    let point = |(labels, value): &(super::Labels, f64)| NumberDataPoint {
        attributes: labels.iter().map(|(name, value)| attribute(name, value)).collect(),
        start_time_unix_nano: if family.grows { start_ns } else { 0 },
        time_unix_nano: at_ns,
        value: Some(number_data_point::Value::AsDouble(*value)),
        ..Default::default()
    };
    let data_points = family.samples.iter().map(point).collect();
    let data = if family.grows {
        metric::Data::Sum(Sum {
            data_points,
            aggregation_temporality: AggregationTemporality::Cumulative as i32,
            is_monotonic: true,
        })
    } else {
        metric::Data::Gauge(Gauge { data_points })
    };
    Metric {
        name: family.name.to_owned(),
        description: family.help.to_owned(),
        data: Some(data),
        ..Default::default()
    }
}

fn attribute(name: &str, value: &str) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) }),
        ..Default::default()
    }
}
