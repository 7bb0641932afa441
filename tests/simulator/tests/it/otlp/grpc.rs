//! Over a real connection: receiver, journal, fold, and the second reading of what was late.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use peakdrill_bottleneck::TraceClass;
use peakdrill_collector::counters::counter;
use peakdrill_collector::{Collector, CollectorConfig, Limits, replay};
use peakdrill_drill_model::frame::RootRow;
use peakdrill_simulator::{
    Damage, Exporter, Kind, Names, ORIGIN_NS, Peers, Scenario, Topology, Wording, analysis, exports, late,
};
use prost::Message as _;

use super::{classes, direct, file, named, planted, rows};

const WORDING: Wording = Wording { names: Names::Old, peers: Peers::Addressed };

#[tokio::test]
async fn what_services_send_over_grpc_gives_the_same_cells() {
    let scenario = Scenario::new(Topology::Async, Kind::Single, 3);
    let mut traces = scenario.run().traces;
    Damage::LossAndSkew(50.0).apply(&mut traces, &[], 3);
    let mut exports = exports(&traces, Exporter::sdk());
    late(&mut exports, 60_000, 3);

    let folder = tempfile::tempdir().unwrap();
    let classes = classes(&traces);
    // Traces are let go soon, so that some of it is late.
    let limits = Limits { horizon_ns: 10_000_000_000, ..Limits::default() };
    let collector = Collector::start(CollectorConfig {
        grpc: "127.0.0.1:0".parse().unwrap(),
        http: None,
        journal_dir: Some(folder.path().to_owned()),
        classify: Arc::new(move |trace| classes.get(&trace).copied().unwrap_or(TraceClass::Live)),
        limits: limits.clone(),
    });
    let collector = collector.unwrap();
    collector.set_origin(ORIGIN_NS);
    let address = format!("http://{}", collector.addresses().0);
    let mut client = TraceServiceClient::connect(address).await.unwrap();
    let mut rows = rows(&traces).into_iter().peekable();
    let mut push = |until_ns: i64| {
        while let Some((_, lot)) = rows.next_if(|(at_ns, _): &(i64, Vec<RootRow>)| *at_ns <= until_ns) {
            collector.push_roots(&lot);
        }
    };
    for export in &exports {
        push(export.at_ns);
        let request = ExportTraceServiceRequest::decode(&export.protobuf(WORDING)[..]).unwrap();
        let answer = client.export(request).await.unwrap().into_inner();
        assert_eq!(answer.partial_success, None);
    }
    push(i64::MAX);
    drop(client);

    let end = tokio::task::spawn_blocking(move || collector.finish()).await.unwrap().unwrap();
    let counters = &end.view.counters;
    assert!(counters.get(counter::LATE) > 0, "{counters:?}");
    assert_eq!(end.missing, [""; 0]);
    assert!(end.cells_json == file(&direct(&traces, WORDING)), "other cells");
    assert_eq!(replay(folder.path(), limits).unwrap().cells, end.view.cells);
    let said = analysis(&scenario, &end.view.cells);
    let first = named(&said).first().map(|name| (*name).to_owned());
    assert_eq!(first, Some(planted(&scenario, WORDING)), "{:?}", said.summary);
}
