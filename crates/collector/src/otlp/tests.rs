use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1 as om;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{self as ot, ResourceSpans, ScopeSpans};
use peakdrill_drill_model::ledger::{ATTR_OUTCOME, ATTR_RESOURCE, ATTR_RUN, METRIC, Outcome};
use peakdrill_trace_model::{Link, PeerKind, SpanKind};
use proptest::prelude::*;

use super::*;
use crate::counters::counter;
use crate::limits::{FUTURE_NS_MAX, SPAN_NS_MAX};

mod differential;

const T: u64 = 1_700_000_000_000_000_000;

fn decode_traces(payload: &[u8], format: Format, recv_ns: i64) -> Result<Decoded<Span>, Malformed> {
    super::decode_traces(payload, format, recv_ns, &mut Texts::default())
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..Default::default() }
}

fn span() -> ot::Span {
    ot::Span {
        trace_id: 7_u128.to_be_bytes().to_vec(),
        span_id: 8_u64.to_be_bytes().to_vec(),
        name: "x".to_owned(),
        kind: 2,
        start_time_unix_nano: T,
        end_time_unix_nano: T + 5,
        ..Default::default()
    }
}

fn request(spans: Vec<ot::Span>) -> Vec<u8> {
    let resource = Resource { attributes: vec![text("service.name", "order")], ..Default::default() };
    let scope_spans = vec![ScopeSpans { spans, ..Default::default() }];
    let group = ResourceSpans { resource: Some(resource), scope_spans, ..Default::default() };
    ExportTraceServiceRequest { resource_spans: vec![group] }.encode_to_vec()
}

fn decode(span: ot::Span) -> Decoded<Span> {
    decode_traces(&request(vec![span]), Format::Protobuf, i64::try_from(T).unwrap() + 10).unwrap()
}

const TRACE_JSON: &str = r#"{"resourceSpans":[{"resource":{"attributes":[
    {"key":"service.name","value":{"stringValue":"order"}},{"key":"x","value":{"arrayValue":{"values":[]}}}]},
    "scopeSpans":[{"scope":{"name":"s"},"unknown":[1],"spans":[
    {"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","parentSpanId":"eee19b7ec3c1b173",
     "name":"GET","startTimeUnixNano":"1700000000000000000","endTimeUnixNano":1700000000000001000,"kind":2,
     "attributes":[{"key":"http.request.method","value":{"stringValue":"GET"}},
       {"key":"http.route","value":{"stringValue":"/a"}},
       {"key":"http.response.status_code","value":{"intValue":"503"}}],
     "links":[{"traceId":"00000000000000000000000000000001","spanId":"0000000000000002"}],"status":null},
    {"traceId":"nonsense","spanId":"eee19b7ec3c1b174","name":"bad"},
    {"traceId":"W47/95gDgQPSabYzgT/GDA==","spanId":"7uGbfsPBsXQ=","name":"base64"}]}]}]}"#;

#[test]
fn json_is_read_and_a_bad_span_spoils_itself_alone() {
    let decoded = decode_traces(TRACE_JSON.as_bytes(), Format::Json, i64::MAX).unwrap();
    assert_eq!((decoded.items.len(), decoded.rejected), (1, 2));
    assert_eq!(decoded.counters.get(counter::BAD_TRACE_ID), 2);
    let span = &decoded.items[0];
    assert_eq!(span.trace, 0x5b8e_fff7_9803_8103_d269_b633_813f_c60c);
    assert_eq!((span.id, span.parent), (0xeee1_9b7e_c3c1_b174, 0xeee1_9b7e_c3c1_b173));
    assert_eq!((span.duration_ns(), span.kind), (1_000, SpanKind::Server));
    assert_eq!((&*span.service, &*span.op, span.status, span.error), ("order", "GET /a", 503, true));
    assert_eq!(span.links.as_slice(), [Link { trace: 1, span: 2 }]);
}

#[test]
fn kinds_may_be_names() {
    let json = TRACE_JSON.replace("\"kind\":2", "\"kind\":\"SPAN_KIND_CLIENT\"");
    let decoded = decode_traces(json.as_bytes(), Format::Json, i64::MAX).unwrap();
    assert_eq!(decoded.items[0].kind, SpanKind::Client);
}

#[test]
fn protobuf_says_the_same_as_json() {
    let json = decode_traces(TRACE_JSON.as_bytes(), Format::Json, i64::MAX).unwrap();
    let as_protobuf = json::traces(TRACE_JSON.as_bytes()).unwrap().encode_to_vec();
    assert_eq!(decode_traces(&as_protobuf, Format::Protobuf, i64::MAX).unwrap(), json);
}

#[test]
fn what_is_no_request_is_malformed() {
    for bad in [&b"[]"[..], b"", b"{", b"nonsense", b"{\"resourceSpans\""] {
        assert!(decode_traces(bad, Format::Json, 0).is_err());
        assert!(decode_metrics(bad, Format::Json, 0).is_err());
    }
    assert!(decode_traces(&[0xff; 9], Format::Protobuf, 0).is_err());
    assert!(decode_traces(b"{}", Format::Json, 0).unwrap().items.is_empty());
    let deep = "{\"a\":".repeat(10_000);
    assert!(decode_traces(deep.as_bytes(), Format::Json, 0).is_err());
}

#[test]
fn each_kind_of_damage_is_counted() {
    let refused = |change: fn(&mut ot::Span), name| {
        let mut damaged = span();
        change(&mut damaged);
        let decoded = decode(damaged);
        assert_eq!((decoded.items.len(), decoded.rejected, decoded.counters.get(name)), (0, 1, 1), "{name}");
    };
    refused(|span| span.trace_id = vec![0; 16], counter::BAD_TRACE_ID);
    refused(|span| span.trace_id = vec![1; 15], counter::BAD_TRACE_ID);
    refused(|span| span.span_id = vec![0; 8], counter::BAD_SPAN_ID);
    refused(|span| span.start_time_unix_nano = 0, counter::BAD_TIME);
    refused(|span| span.end_time_unix_nano = u64::MAX, counter::BAD_TIME);
    refused(|span| span.end_time_unix_nano = T + SPAN_NS_MAX as u64 + 1, counter::OVER_LONG);
    let far = |span: &mut ot::Span| {
        span.start_time_unix_nano = T + FUTURE_NS_MAX as u64 + 11;
        span.end_time_unix_nano = span.start_time_unix_nano;
    };
    refused(far, counter::FAR_FUTURE);

    let kept = |change: fn(&mut ot::Span), name| {
        let mut odd = span();
        change(&mut odd);
        let decoded = decode(odd);
        assert_eq!((decoded.items.len(), decoded.rejected, decoded.counters.get(name)), (1, 0, 1), "{name}");
        decoded.items[0].clone()
    };
    let backwards = kept(|span| span.end_time_unix_nano = T - 5, counter::END_BEFORE_START);
    assert_eq!(backwards.duration_ns(), 0);
    kept(|span| span.end_time_unix_nano = T, counter::ZERO_DURATION);
    kept(|span| span.parent_span_id = 8_u64.to_be_bytes().to_vec(), counter::SELF_PARENT);
    kept(|span| span.end_time_unix_nano = T + 11, counter::FUTURE);
    assert_eq!(decode(ot::Span { kind: 99, ..span() }).items[0].kind, SpanKind::Internal);
}

#[test]
fn the_conventions_are_applied() {
    let attributes = vec![text("db.system", "redis"), text("net.peer.name", "cache-1")];
    let decoded = decode(ot::Span { kind: 3, attributes, ..span() });
    let peer = decoded.items[0].peer.clone().unwrap();
    assert_eq!((&*peer.node, peer.kind), ("redis@cache-1", PeerKind::Cache));
}

fn ledger_request(points: Vec<om::NumberDataPoint>, is_monotonic: bool) -> Vec<u8> {
    let data =
        om::metric::Data::Sum(om::Sum { data_points: points, aggregation_temporality: 2, is_monotonic });
    let ours = om::Metric { name: METRIC.to_owned(), data: Some(data), ..Default::default() };
    let gauge = om::Gauge { data_points: vec![om::NumberDataPoint::default(); 3] };
    let other = om::Metric {
        name: "process.open_file_descriptor.count".to_owned(),
        data: Some(om::metric::Data::Gauge(gauge)),
        ..Default::default()
    };
    let attributes = vec![text("service.name", "stock"), text("service.instance.id", "i1")];
    let group = om::ResourceMetrics {
        resource: Some(Resource { attributes, ..Default::default() }),
        scope_metrics: vec![om::ScopeMetrics { metrics: vec![ours, other], ..Default::default() }],
        ..Default::default()
    };
    ExportMetricsServiceRequest { resource_metrics: vec![group] }.encode_to_vec()
}

fn ledger_point(outcome: &str, count: i64) -> om::NumberDataPoint {
    om::NumberDataPoint {
        attributes: vec![text(ATTR_RUN, "r"), text(ATTR_RESOURCE, "orders"), text(ATTR_OUTCOME, outcome)],
        start_time_unix_nano: T,
        value: Some(om::number_data_point::Value::AsInt(count)),
        ..Default::default()
    }
}

#[test]
fn the_ledger_is_read() {
    let points = vec![ledger_point("shadow_write", 5), ledger_point("nonsense", 5), ledger_point("leak", -1)];
    let decoded = decode_metrics(&ledger_request(points.clone(), true), Format::Protobuf, 0).unwrap();
    let key = LedgerKey {
        service: "stock".to_owned(),
        run: "r".to_owned(),
        resource: "orders".to_owned(),
        outcome: Outcome::ShadowWrite,
        instance: "i1".to_owned(),
        start_ns: T,
    };
    assert_eq!(decoded.items, [MetricPoint::Ledger(LedgerPoint { key, count: 5 })]);
    assert_eq!((decoded.rejected, decoded.counters.get(counter::LEDGER_MALFORMED)), (2, 2));
    assert_eq!(decoded.counters.get(counter::POINTS_UNUSED), 3);
    let decoded = decode_metrics(&ledger_request(points, false), Format::Protobuf, 0).unwrap();
    assert_eq!((decoded.items.len(), decoded.rejected), (0, 3));
}

#[test]
fn the_ledger_is_read_from_json() {
    let json = r#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"stock"}}]},
      "scopeMetrics":[{"metrics":[{"name":"peakdrill.isolation.decisions","sum":{"isMonotonic":true,
      "aggregationTemporality":2,"dataPoints":[{"startTimeUnixNano":"1","timeUnixNano":"2","asInt":"7","attributes":[
      {"key":"peakdrill.resource","value":{"stringValue":"ingress"}},
      {"key":"peakdrill.outcome","value":{"stringValue":"live_in"}}]}]}},
      {"name":"h","histogram":{"dataPoints":[{},{}]}}]}]}]}"#;
    let decoded = decode_metrics(json.as_bytes(), Format::Json, 0).unwrap();
    let [MetricPoint::Ledger(point)] = decoded.items.as_slice() else { panic!("{decoded:?}") };
    assert_eq!((point.key.outcome, point.count), (Outcome::LiveIn, 7));
    assert_eq!(decoded.counters.get(counter::POINTS_UNUSED), 2);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        for format in [Format::Protobuf, Format::Json] {
            let _ = decode_traces(&bytes, format, 0);
            let _ = decode_metrics(&bytes, format, 0);
        }
    }

    #[test]
    fn no_damage_to_a_request_makes_it_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let good = request(vec![span(), span()]);
        let metrics = ledger_request(vec![ledger_point("leak", 1)], true);
        for whole in [good, metrics, TRACE_JSON.as_bytes().to_vec()] {
            let mut bytes = whole;
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            for format in [Format::Protobuf, Format::Json] {
                let _ = decode_traces(&bytes, format, 0);
                let _ = decode_metrics(&bytes, format, 0);
            }
        }
    }

    #[test]
    fn no_json_makes_it_panic(names in proptest::collection::vec((0..16_usize, 0..6_usize), 0..24)) {
        const NAMES: [&str; 16] = [
            "resourceSpans", "scopeSpans", "spans", "resource", "attributes", "value", "traceId", "kind",
            "startTimeUnixNano", "links", "status", "resourceMetrics", "scopeMetrics", "metrics", "sum", "dataPoints",
        ];
        const LEAVES: [&str; 6] = ["null", "1e400", "-1", "\"x\"", "[null,[]]", "18446744073709551615"];
        let mut json = String::from("{}");
        for (name, leaf) in names {
            json = format!("{{\"{}\":[{json},{}],\"key\":{}}}", NAMES[name], LEAVES[leaf], LEAVES[leaf]);
        }
        let _ = decode_traces(json.as_bytes(), Format::Json, 0);
        let _ = decode_metrics(json.as_bytes(), Format::Json, 0);
    }

    #[test]
    fn every_time_and_id_is_kept_or_counted(start in any::<u64>(), length in any::<i32>(), id in 0..3_u64) {
        let odd = ot::Span {
            start_time_unix_nano: start,
            end_time_unix_nano: start.wrapping_add_signed(i64::from(length)),
            span_id: id.to_be_bytes().to_vec(),
            ..span()
        };
        let decoded = decode(odd);
        prop_assert_eq!(decoded.items.len() as u64 + decoded.rejected, 1);
        prop_assert!(decoded.items.iter().all(|span| span.end_ns >= span.start_ns && span.start_ns > 0));
    }
}
