//! Over gRPC.

use std::sync::{Arc, Condvar, Mutex, mpsc};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::metrics::v1 as om;
use opentelemetry_proto::tonic::resource::v1::Resource;
use peakdrill_bottleneck::TraceClass;
use peakdrill_collector::counters::counter;
use peakdrill_collector::{Collector, Limits, replay};
use peakdrill_drill_model::ledger::{ATTR_OUTCOME, ATTR_RESOURCE, METRIC, Outcome};
use tonic::Code;
use tonic::codec::CompressionEncoding;
use tonic::transport::Channel;

use crate::support::{self, MINE, PATIENCE, T, journey, request, root, shuffled, text};

async fn client(collector: &Collector) -> TraceServiceClient<Channel> {
    let address = format!("http://{}", collector.addresses().0);
    TraceServiceClient::connect(address).await.unwrap()
}

#[tokio::test]
async fn spans_in_any_order_give_the_cells_and_so_does_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let collector = support::start(Some(dir.path()));
    let plain = client(&collector).await;
    let mut clients = [
        plain.clone(),
        plain.clone().send_compressed(CompressionEncoding::Gzip),
        plain.send_compressed(CompressionEncoding::Zstd),
    ];
    let traces = (1..20_u128).chain(MINE..MINE + 20);
    let rows: Vec<_> = (MINE..MINE + 20).map(|trace| root(trace, 500)).collect();
    for (at, request) in shuffled(traces.clone()).into_iter().enumerate() {
        let answer = clients[at % 3].export(request).await.unwrap();
        assert_eq!(answer.into_inner().partial_success, None);
        if let Some(row) = rows.get(at) {
            collector.push_roots(&[*row]);
        }
    }
    let end = collector.finish().unwrap();
    assert_eq!((end.missing.as_slice(), end.view.spans()), (&[][..], 39 * 4));
    assert_eq!(end.cells_json, support::expected(traces, &rows));

    let replayed = replay(dir.path(), Limits::default()).unwrap();
    assert_eq!(replayed.cells, end.view.cells);
    let file = peakdrill_collector::CellsFile::new(replayed.origin_ns, replayed.cells);
    assert_eq!(file.to_bytes().unwrap(), end.cells_json);
    assert_eq!(peakdrill_collector::CellsFile::from_bytes(&end.cells_json).unwrap(), file);
    assert_eq!((replayed.missing.len(), replayed.roots.len()), (0, 20));
    assert_eq!(replayed.counters, end.view.counters);
}

#[tokio::test]
async fn bad_spans_are_told_and_the_good_ones_kept() {
    let collector = support::start(None);
    let mut spans = journey(1, 0);
    spans[1].1.trace_id = vec![0; 16];
    let answer = client(&collector).await.export(request(spans)).await.unwrap().into_inner();
    let partial = answer.partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 1);
    assert!(partial.error_message.contains("1 items"));
    let end = collector.finish().unwrap();
    assert_eq!((end.view.spans(), end.view.counters.get(counter::BAD_TRACE_ID)), (3, 1));
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused_for_good() {
    let collector = support::start(None);
    let mut client = client(&collector).await;
    // Compresses to little, and grows past what may be held.
    let mut bomb = journey(1, 0);
    bomb[0].1.name = "x".repeat(40 << 20);
    let mut zipped = client.clone().send_compressed(CompressionEncoding::Zstd);
    let refused = zipped.export(request(bomb)).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let mut large = journey(1, 0);
    large[0].1.name = "x".repeat(5 << 20);
    let refused = client.export(request(large)).await.unwrap_err();
    assert_ne!(refused.code(), Code::Unavailable);
    assert_eq!(collector.finish().unwrap().view.spans(), 0);
}

/// Holds the classification of one trace until it is told to go on.
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overload_is_answered_with_try_again() {
    let gate = Arc::new(Gate { open: Mutex::new(false), opened: Condvar::new() });
    let (entered, has_entered) = mpsc::channel();
    let mut config = support::config(None);
    config.limits.queue_bytes_max = 1;
    let held = Arc::clone(&gate);
    config.classify = Arc::new(move |trace| {
        if trace == 7 {
            entered.send(()).unwrap();
            let open = held.opened.wait_while(held.open.lock().unwrap(), |open| !*open);
            drop(open.unwrap());
        }
        TraceClass::Live
    });
    let collector = Collector::start(config).unwrap();
    let mut first_client = client(&collector).await;
    let mut second_client = client(&collector).await;
    let first = tokio::spawn(async move { first_client.export(request(journey(7, 0))).await });
    tokio::task::spawn_blocking(move || has_entered.recv_timeout(PATIENCE).unwrap()).await.unwrap();

    // The first request holds all there is.
    let refused = second_client.export(request(journey(8, 0))).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    let details = String::from_utf8_lossy(refused.details()).into_owned();
    assert!(details.contains("google.rpc.RetryInfo"), "{details}");
    let mut http = tokio::task::spawn_blocking({
        let address = collector.addresses().1.unwrap();
        let body = prost::Message::encode_to_vec(&request(journey(8, 0)));
        move || crate::http::post(address, "/v1/traces", &[("content-type", "application/x-protobuf")], &body)
    });
    let answer = (&mut http).await.unwrap();
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));

    *gate.open.lock().unwrap() = true;
    gate.opened.notify_all();
    first.await.unwrap().unwrap();
    let end = collector.finish().unwrap();
    assert_eq!((end.view.spans(), end.view.counters.get(counter::OVERLOADED)), (4, 2));
}

#[tokio::test]
async fn the_ledger_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let collector = support::start(Some(dir.path()));
    let address = format!("http://{}", collector.addresses().0);
    let mut client = MetricsServiceClient::connect(address).await.unwrap();
    for (instance, count) in [("a", 4), ("a", 9), ("b", 2), ("a", 7)] {
        let point = om::NumberDataPoint {
            attributes: vec![text(ATTR_RESOURCE, "orders"), text(ATTR_OUTCOME, "shadow_write")],
            value: Some(om::number_data_point::Value::AsInt(count)),
            start_time_unix_nano: T as u64,
            ..Default::default()
        };
        let sum = om::Sum { data_points: vec![point], aggregation_temporality: 2, is_monotonic: true };
        let metric = om::Metric {
            name: METRIC.to_owned(),
            data: Some(om::metric::Data::Sum(sum)),
            ..Default::default()
        };
        let attributes = vec![text("service.name", "order"), text("service.instance.id", instance)];
        let group = om::ResourceMetrics {
            resource: Some(Resource { attributes, ..Default::default() }),
            scope_metrics: vec![om::ScopeMetrics { metrics: vec![metric], ..Default::default() }],
            ..Default::default()
        };
        client.export(ExportMetricsServiceRequest { resource_metrics: vec![group] }).await.unwrap();
    }
    let end = collector.finish().unwrap();
    let rows: Vec<_> =
        end.view.ledger.iter().map(|row| (row.service.as_str(), row.outcome, row.count)).collect();
    assert_eq!(rows, [("order", Outcome::ShadowWrite, 11)]);
    assert_eq!(replay(dir.path(), Limits::default()).unwrap().ledger, end.view.ledger);
}
