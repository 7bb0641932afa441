//! OTLP as the collector writes it itself: attributes, resources, and requests of metrics.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

/// An attribute.
pub(crate) fn attribute(key: impl Into<String>, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

/// An attribute that is a text.
pub(crate) fn text(key: impl Into<String>, value: impl Into<String>) -> KeyValue {
    attribute(key, any_value::Value::StringValue(value.into()))
}

/// What sends something.
pub(crate) fn resource(attributes: Vec<KeyValue>) -> Option<Resource> {
    Some(Resource { attributes, ..Default::default() })
}

/// One value of a metric. Times in Unix nanoseconds; those before 1970 are 0, which is "not said".
pub(crate) fn point(attributes: Vec<KeyValue>, start_ns: i64, at_ns: i64, value: f64) -> NumberDataPoint {
    NumberDataPoint {
        attributes,
        start_time_unix_nano: unsigned(start_ns),
        time_unix_nano: unsigned(at_ns),
        value: Some(number_data_point::Value::AsDouble(value)),
        ..Default::default()
    }
}

/// Points as a count that only grows, or as a gauge.
pub(crate) fn numbers(data_points: Vec<NumberDataPoint>, grows: bool) -> metric::Data {
    if grows {
        let aggregation_temporality = AggregationTemporality::Cumulative as i32;
        metric::Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic: true })
    } else {
        metric::Data::Gauge(Gauge { data_points })
    }
}

/// The bytes of an `ExportMetricsServiceRequest` of one sender.
pub(crate) fn metrics_request(whose: Vec<KeyValue>, metrics: Vec<Metric>) -> Vec<u8> {
    let group = ResourceMetrics {
        resource: resource(whose),
        scope_metrics: vec![ScopeMetrics { metrics, ..Default::default() }],
        ..Default::default()
    };
    ExportMetricsServiceRequest { resource_metrics: vec![group] }.encode_to_vec()
}

/// Unix nanoseconds as OTLP has them.
pub(crate) fn unsigned(ns: i64) -> u64 {
    u64::try_from(ns).unwrap_or(0)
}
