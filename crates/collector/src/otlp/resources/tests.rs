use opentelemetry_proto::tonic::metrics::v1 as om;

use super::*;
use crate::otlp::{Format, decode_metrics};

const T: u64 = 1_700_000_000_000_000_000;

fn label(key: &str, value: &str) -> serde_json::Value {
    serde_json::json!({ "key": key, "value": { "stringValue": value } })
}

/// Measure, pool, kind, time since [`T`], value.
type Found = (Measure, String, SampleKind, i64, i64);

/// What a service `order` says by one metric, as JSON; points that were refused, and those of no use.
fn said(metric: &serde_json::Value) -> (Vec<Found>, u64, u64) {
    let resource = [label("service.name", "order"), label("service.instance.id", "order-1")];
    let request = serde_json::json!({ "resourceMetrics": [{ "resource": { "attributes": resource },
        "scopeMetrics": [{ "metrics": [metric] }] }] });
    let decoded = decode_metrics(request.to_string().as_bytes(), Format::Json, T as i64).unwrap();
    let found = decoded.items.iter().map(|point| {
        let MetricPoint::Resource(point) = point else { panic!("{point:?}") };
        assert_eq!((&*point.key.service, &*point.key.instance), ("order", "order-1"));
        let at_ns = point.sample.at_ns - T as i64;
        (point.key.measure, point.key.of.to_string(), point.key.kind, at_ns, point.sample.value)
    });
    (found.collect(), decoded.rejected, decoded.counters.get(counter::POINTS_UNUSED))
}

#[test]
fn a_growing_sum_is_a_total_and_its_deltas_are_deltas() {
    let metric = |temporality: &str| {
        serde_json::json!({ "name": "process.cpu.time", "unit": "s", "sum": { "isMonotonic": true,
            "aggregationTemporality": temporality, "dataPoints": [{ "startTimeUnixNano": (T - 500).to_string(),
            "timeUnixNano": T.to_string(), "asDouble": 1.5, "attributes": [label("cpu.mode", "user")] }] } })
    };
    let wanted = |kind| (vec![(Measure::CpuTime, String::new(), kind, 0, 1_500_000_000)], 0, 0);
    assert_eq!(said(&metric("AGGREGATION_TEMPORALITY_CUMULATIVE")), wanted(SampleKind::Total));
    assert_eq!(said(&metric("AGGREGATION_TEMPORALITY_DELTA")), wanted(SampleKind::Delta));
}

#[test]
fn a_pools_states_are_told_apart_and_others_are_passed_over() {
    let point = |state: &str, value: i64| {
        let pool = label("db.client.connection.pool.name", "orders");
        serde_json::json!({ "timeUnixNano": T.to_string(), "asInt": value,
            "attributes": [pool, label("db.client.connection.state", state)] })
    };
    let points = [point("used", 7), point("idle", 3), point("closing", 1)];
    let metric = serde_json::json!({ "name": "db.client.connection.count",
        "sum": { "isMonotonic": false, "aggregationTemporality": 2, "dataPoints": points } });
    let used = (Measure::PoolUsed, "orders".to_owned(), SampleKind::Gauge, 0, 7_000_000);
    assert_eq!(said(&metric), (vec![used], 0, 2));
}

#[test]
fn a_histogram_in_milliseconds_gives_seconds_and_a_count() {
    let metric = serde_json::json!({ "name": "db.client.connections.wait_time", "unit": "ms",
        "histogram": { "aggregationTemporality": 2, "dataPoints": [{ "timeUnixNano": T.to_string(), "count": "4",
        "sum": 250.0, "attributes": [label("pool.name", "p")] }] } });
    let one = |measure, value| (measure, "p".to_owned(), SampleKind::Total, 0, value);
    let wanted = vec![one(Measure::PoolWaitTime, 250_000_000), one(Measure::PoolWaits, 4_000_000)];
    assert_eq!(said(&metric), (wanted, 0, 0));
}

#[test]
fn what_has_no_value_or_no_possible_time_is_refused_and_counted() {
    let points = serde_json::json!([
        { "timeUnixNano": T.to_string() },
        { "timeUnixNano": "18446744073709551615", "asInt": 1 },
        { "timeUnixNano": (T + 90_000_000_000_000).to_string(), "asInt": 1 },
        { "timeUnixNano": T.to_string(), "asDouble": 1e300 },
        { "timeUnixNano": T.to_string(), "flags": 1 },
        { "asInt": 2 },
    ]);
    let metric =
        serde_json::json!({ "name": "http.server.active_requests", "gauge": { "dataPoints": points } });
    let (found, rejected, unused) = said(&metric);
    assert_eq!(found, [(Measure::InFlight, String::new(), SampleKind::Gauge, 0, 2_000_000)]);
    assert_eq!((rejected, unused), (4, 0), "no recorded value is none to refuse");
}

#[test]
fn a_new_start_is_a_new_series_of_totals_but_not_of_deltas() {
    let key = |temporality, start| {
        let point = om::NumberDataPoint {
            start_time_unix_nano: start,
            time_unix_nano: T,
            value: Some(om::number_data_point::Value::AsDouble(1.0)),
            ..Default::default()
        };
        let sum =
            om::Sum { data_points: vec![point], aggregation_temporality: temporality, is_monotonic: true };
        let data = Some(metric::Data::Sum(sum));
        let metric = Metric { name: "process.cpu.time".to_owned(), data, ..Default::default() };
        let mut out = Decoded::default();
        assert!(resource(&metric, &Source::new(&[], T as i64), &mut out));
        let Some(MetricPoint::Resource(point)) = out.items.pop() else { panic!("{out:?}") };
        point.key
    };
    assert_ne!(key(2, 1), key(2, 2));
    assert_eq!(key(DELTA, 1), key(DELTA, 2));
}
