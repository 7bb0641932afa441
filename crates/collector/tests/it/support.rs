//! Requests as services send them, and a collector to send them to.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use peakdrill_bottleneck::TraceClass;
use peakdrill_collector::{Collector, CollectorConfig, Limits};
use peakdrill_drill_model::frame::RootRow;

/// Long enough that only a fault reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// Start of the load.
pub(crate) const T: i64 = 1_700_000_000_000_000_000;
const MS: i64 = 1_000_000;
/// Trace ids from here on are the drill's.
pub(crate) const MINE: u128 = 1 << 64;

pub(crate) fn config(journal: Option<&Path>) -> CollectorConfig {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    CollectorConfig {
        grpc: any,
        http: Some(any),
        journal_dir: journal.map(Path::to_owned),
        classify: Arc::new(|trace| if trace >= MINE { TraceClass::Mine } else { TraceClass::Live }),
        limits: Limits::default(),
    }
}

pub(crate) fn start(journal: Option<&Path>) -> Collector {
    let collector = Collector::start(config(journal)).unwrap();
    collector.set_origin(T);
    collector
}

pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..Default::default() }
}

pub(crate) fn span(trace: u128, id: u64, parent: u64, kind: i32, at_ms: (i64, i64)) -> Span {
    Span {
        trace_id: trace.to_be_bytes().to_vec(),
        span_id: id.to_be_bytes().to_vec(),
        parent_span_id: if parent == 0 { Vec::new() } else { parent.to_be_bytes().to_vec() },
        name: "GET /a".to_owned(),
        kind,
        start_time_unix_nano: (T + at_ms.0 * MS) as u64,
        end_time_unix_nano: (T + at_ms.1 * MS) as u64,
        ..Default::default()
    }
}

/// Spans with the services that send them: gateway, order, and its database.
pub(crate) fn journey(trace: u128, start_ms: i64) -> Vec<(&'static str, Span)> {
    let at = |from: i64, to: i64| (start_ms + from, start_ms + to);
    let mut query = span(trace, 4, 3, 3, at(20, 60));
    query.attributes = vec![text("db.system.name", "sqlite"), text("service.peer.name", "order-db")];
    vec![
        ("gateway", span(trace, 1, 0, 2, at(0, 100))),
        ("gateway", span(trace, 2, 1, 3, at(5, 95))),
        ("order", span(trace, 3, 2, 2, at(10, 90))),
        ("order", query),
    ]
}

pub(crate) fn request(spans: Vec<(&'static str, Span)>) -> ExportTraceServiceRequest {
    let groups = spans.into_iter().map(|(service, span)| ResourceSpans {
        resource: Some(Resource { attributes: vec![text("service.name", service)], ..Default::default() }),
        scope_spans: vec![ScopeSpans { spans: vec![span], ..Default::default() }],
        ..Default::default()
    });
    ExportTraceServiceRequest { resource_spans: groups.collect() }
}

pub(crate) fn root(trace: u128, start_ms: i64) -> RootRow {
    RootRow {
        trace,
        span: 99,
        step: 0,
        phase: 0,
        intended_ns: T + (start_ms - 1) * MS,
        sent_ns: T + start_ms * MS,
        done_ns: T + (start_ms + 101) * MS,
        error: None,
        status: 200,
        sampled: true,
    }
}

/// Requests of single spans, of all journeys, mixed up.
pub(crate) fn shuffled(traces: impl Iterator<Item = u128>) -> Vec<ExportTraceServiceRequest> {
    let mut spans: Vec<_> =
        traces.enumerate().flat_map(|(at, trace)| journey(trace, at as i64 * 40)).collect();
    let mix = |span: &Span| {
        span.span_id.iter().chain(&span.trace_id).fold(7_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(23)
        })
    };
    spans.sort_by_key(|(_, span)| mix(span));
    spans.into_iter().map(|span| request(vec![span])).collect()
}

/// The cells of requests and rows that were never sent anywhere, as `cells.json`.
pub(crate) fn expected(traces: impl Iterator<Item = u128> + Clone, rows: &[RootRow]) -> Vec<u8> {
    use peakdrill_collector::fold::Fold;
    use peakdrill_collector::otlp::{Format, Texts, decode_traces};
    use peakdrill_collector::record::Event;
    use prost::Message;

    let mut fold = Fold::new(Limits::default());
    fold.event(Event::Origin(T), T, &[]);
    for (at, trace) in traces.enumerate() {
        let bytes = request(journey(trace, at as i64 * 40)).encode_to_vec();
        let decoded = decode_traces(&bytes, Format::Protobuf, i64::MAX, &mut Texts::default()).unwrap();
        let class = if trace >= MINE { TraceClass::Mine } else { TraceClass::Live };
        fold.event(Event::Spans(decoded), i64::MAX, &[(trace, class)]);
    }
    fold.event(Event::Roots(rows.to_vec()), T, &[]);
    fold.settle();
    let cells = Arc::new(fold.cells().clone());
    assert!(!cells.edges.is_empty() && !cells.roots.is_empty());
    peakdrill_collector::CellsFile::new(Some(T), cells).to_bytes().unwrap()
}
