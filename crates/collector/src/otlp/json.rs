//! OTLP's JSON, read leniently: unknown names and nulls are passed over, 64-bit integers may be text or number,
//! kinds may be numbers or names. What is wrong inside one item spoils that item alone.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    Summary, SummaryDataPoint, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use serde_json::Value;

use super::Malformed;

pub(super) fn traces(payload: &[u8]) -> Result<ExportTraceServiceRequest, Malformed> {
    let root = object(payload)?;
    let resource_spans = list(&root, "resourceSpans").map(|group| ResourceSpans {
        resource: resource(group),
        scope_spans: scopes(group, "scopeSpans", "instrumentationLibrarySpans")
            .map(|scope| ScopeSpans { spans: list(scope, "spans").map(span).collect(), ..Default::default() })
            .collect(),
        schema_url: String::new(),
    });
    Ok(ExportTraceServiceRequest { resource_spans: resource_spans.collect() })
}

pub(super) fn metrics(payload: &[u8]) -> Result<ExportMetricsServiceRequest, Malformed> {
    let root = object(payload)?;
    let resource_metrics = list(&root, "resourceMetrics").map(|group| ResourceMetrics {
        resource: resource(group),
        scope_metrics: scopes(group, "scopeMetrics", "instrumentationLibraryMetrics")
            .map(|scope| ScopeMetrics {
                metrics: list(scope, "metrics").map(metric).collect(),
                ..Default::default()
            })
            .collect(),
        schema_url: String::new(),
    });
    Ok(ExportMetricsServiceRequest { resource_metrics: resource_metrics.collect() })
}

fn object(payload: &[u8]) -> Result<Value, Malformed> {
    let root: Value = serde_json::from_slice(payload).map_err(|error| Malformed(error.to_string()))?;
    if root.is_object() { Ok(root) } else { Err(Malformed("the JSON is no object".to_owned())) }
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// Scopes had another name once; the first list that is there counts.
fn scopes<'a>(group: &'a Value, name: &str, old: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    let found = group.get(name).or_else(|| group.get(old));
    found.and_then(Value::as_array).into_iter().flatten()
}

fn resource(group: &Value) -> Option<Resource> {
    let resource = group.get("resource")?;
    Some(Resource { attributes: attributes(resource), ..Default::default() })
}

fn span(value: &Value) -> Span {
    Span {
        trace_id: hex(value, "traceId"),
        span_id: hex(value, "spanId"),
        parent_span_id: hex(value, "parentSpanId"),
        name: text(value, "name"),
        kind: value.get("kind").map_or(0, kind),
        start_time_unix_nano: unsigned(value, "startTimeUnixNano"),
        end_time_unix_nano: unsigned(value, "endTimeUnixNano"),
        attributes: attributes(value),
        links: list(value, "links")
            .map(|link| span::Link {
                trace_id: hex(link, "traceId"),
                span_id: hex(link, "spanId"),
                ..Default::default()
            })
            .collect(),
        status: value.get("status").map(|status| Status { code: status_code(status), ..Default::default() }),
        ..Default::default()
    }
}

fn kind(value: &Value) -> i32 {
    let named = value.as_str().and_then(span::SpanKind::from_str_name).map(|kind| kind as i32);
    named.or_else(|| small(value)).unwrap_or(0)
}

fn status_code(status: &Value) -> i32 {
    match status.get("code") {
        Some(Value::String(name)) if name == "STATUS_CODE_ERROR" => 2,
        Some(code) => small(code).unwrap_or(0),
        None => 0,
    }
}

fn metric(value: &Value) -> Metric {
    let part = |name: &str| value.get(name).filter(|data| data.is_object());
    let temporality = |data: &Value| data.get("aggregationTemporality").map_or(0, temporality);
    let data = if let Some(sum) = part("sum") {
        Some(metric::Data::Sum(Sum {
            data_points: list(sum, "dataPoints").map(point).collect(),
            aggregation_temporality: temporality(sum),
            is_monotonic: sum.get("isMonotonic").and_then(Value::as_bool).unwrap_or(false),
        }))
    } else if let Some(gauge) = part("gauge") {
        Some(metric::Data::Gauge(Gauge { data_points: list(gauge, "dataPoints").map(point).collect() }))
    } else if let Some(all) = part("histogram").or_else(|| part("exponentialHistogram")) {
        // Sum and count are all that is read of either.
        Some(metric::Data::Histogram(Histogram {
            data_points: list(all, "dataPoints").map(observed).collect(),
            aggregation_temporality: temporality(all),
        }))
    } else {
        part("summary").map(|all| {
            let points = list(all, "dataPoints").map(observed);
            let points = points.map(|point| SummaryDataPoint {
                attributes: point.attributes,
                start_time_unix_nano: point.start_time_unix_nano,
                time_unix_nano: point.time_unix_nano,
                count: point.count,
                sum: point.sum.unwrap_or(0.0),
                flags: point.flags,
                ..Default::default()
            });
            metric::Data::Summary(Summary { data_points: points.collect() })
        })
    };
    Metric { name: text(value, "name"), unit: text(value, "unit"), data, ..Default::default() }
}

fn temporality(value: &Value) -> i32 {
    match value.as_str() {
        Some("AGGREGATION_TEMPORALITY_DELTA") => 1,
        Some("AGGREGATION_TEMPORALITY_CUMULATIVE") => 2,
        _ => small(value).unwrap_or(0),
    }
}

fn observed(value: &Value) -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: attributes(value),
        start_time_unix_nano: unsigned(value, "startTimeUnixNano"),
        time_unix_nano: unsigned(value, "timeUnixNano"),
        count: unsigned(value, "count"),
        sum: value.get("sum").and_then(Value::as_f64),
        flags: flags(value),
        ..Default::default()
    }
}

fn flags(value: &Value) -> u32 {
    u32::try_from(unsigned(value, "flags")).unwrap_or(0)
}

fn point(value: &Value) -> NumberDataPoint {
    let int = value.get("asInt").and_then(integer).map(number_data_point::Value::AsInt);
    let double = || value.get("asDouble").and_then(Value::as_f64).map(number_data_point::Value::AsDouble);
    NumberDataPoint {
        attributes: attributes(value),
        start_time_unix_nano: unsigned(value, "startTimeUnixNano"),
        time_unix_nano: unsigned(value, "timeUnixNano"),
        value: int.or_else(double),
        flags: flags(value),
        ..Default::default()
    }
}

fn attributes(value: &Value) -> Vec<KeyValue> {
    let pairs = list(value, "attributes");
    pairs
        .map(|pair| KeyValue {
            key: text(pair, "key"),
            value: pair.get("value").map(|value| AnyValue { value: any(value) }),
            ..Default::default()
        })
        .collect()
}

/// Lists, maps and bytes are left out: nothing reads them.
fn any(value: &Value) -> Option<any_value::Value> {
    if let Some(text) = value.get("stringValue").and_then(Value::as_str) {
        return Some(any_value::Value::StringValue(text.to_owned()));
    }
    if let Some(yes) = value.get("boolValue").and_then(Value::as_bool) {
        return Some(any_value::Value::BoolValue(yes));
    }
    if let Some(number) = value.get("intValue").and_then(integer) {
        return Some(any_value::Value::IntValue(number));
    }
    value.get("doubleValue").and_then(Value::as_f64).map(any_value::Value::DoubleValue)
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn small(value: &Value) -> Option<i32> {
    integer(value).and_then(|number| i32::try_from(number).ok())
}

fn unsigned(value: &Value, name: &str) -> u64 {
    let found = value.get(name);
    found.and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok())).unwrap_or(0)
}

/// The bytes of a hex text, in either case; none when it is not one. Base64, as Protobuf's own JSON has it, is
/// of another length, so that the id is refused later.
fn hex(value: &Value, name: &str) -> Vec<u8> {
    let text = value.get(name).and_then(Value::as_str).unwrap_or_default().as_bytes();
    let (pairs, rest) = text.as_chunks::<2>();
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    bytes.collect::<Option<Vec<u8>>>().filter(|_| rest.is_empty()).unwrap_or_default()
}
