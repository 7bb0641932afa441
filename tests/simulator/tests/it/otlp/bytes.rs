//! What is written is what the protocol says, and is read as the span that it was.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use peakdrill_collector::counters::counter;
use peakdrill_collector::otlp::{Format, Texts, decode_traces};
use peakdrill_simulator::{
    Damage, Export, Exporter, Kind, Names, Peers, Scenario, Topology, Wording, exports,
};
use peakdrill_trace_model::{Link, Messaging, Peer, PeerKind, Span, SpanKind};
use prost::Message as _;

/// The first requests of a run, as they are exported.
fn some(topology: Topology, damage: Damage) -> Vec<Export> {
    let scenario = Scenario::new(topology, Kind::Single, 5);
    let mut traces = scenario.run().traces;
    traces.truncate(60);
    damage.apply(&mut traces, &scenario.needed(), 5);
    exports(&traces, Exporter::sdk())
}

/// Spans of every kind, with all that a span may say.
fn all_that_is_said() -> Export {
    let span = |id: u64, kind: SpanKind, op: &str, peer: Option<(&str, PeerKind)>| Span {
        trace: u128::MAX - 7,
        id,
        parent: id - 1,
        instance: "order-1".into(),
        op: op.into(),
        start_ns: 1_700_000_000_000_000_000,
        end_ns: 1_700_000_000_000_000_000 + id.cast_signed(),
        peer: peer.map(|(node, kind)| Peer { node: node.into(), kind }),
        ..Span::bare(kind, "order")
    };
    let mut spans = vec![
        span(1, SpanKind::Server, "GET /cart", None),
        span(2, SpanKind::Client, "GET /stock", Some(("stock", PeerKind::Service))),
        span(3, SpanKind::Client, "method 12", Some(("price", PeerKind::Service))),
        span(4, SpanKind::Client, "query 7", Some(("db", PeerKind::Database))),
        span(5, SpanKind::Client, "get", Some(("sessions", PeerKind::Cache))),
        span(6, SpanKind::Producer, "op of order", Some(("mail", PeerKind::Queue))),
        span(7, SpanKind::Consumer, "op of mail", Some(("mail", PeerKind::Queue))),
        span(8, SpanKind::Internal, "work", None),
        span(9, SpanKind::Client, "op of nobody", None),
    ];
    (spans[0].synthetic, spans[0].status, spans[0].error) = (true, 500, true);
    (spans[1].status, spans[1].error, spans[1].resend) = (429, true, 3);
    (spans[2].mocked, spans[2].status) = (true, 200);
    (spans[4].error, spans[7].error) = (true, true);
    spans[5].messaging = Some(Messaging::Send);
    (spans[6].messaging, spans[6].partition) = (Some(Messaging::Process), Some(3));
    spans[6].links =
        [Link { trace: 1, span: 2 }, Link { trace: u128::MAX - 7, span: 6 }].into_iter().collect();
    Export { service: "order".into(), instance: "order-1".into(), at_ns: i64::MAX, spans }
}

fn read(bytes: &[u8], format: Format) -> Vec<Span> {
    let decoded = decode_traces(bytes, format, i64::MAX, &mut Texts::default()).unwrap();
    assert_eq!((decoded.rejected, decoded.counters.get(counter::SPANS)), (0, decoded.items.len() as u64));
    decoded.items
}

#[test]
fn both_forms_are_what_the_protocol_says() {
    let damaged = [Damage::SharedIds(0.5), Damage::Cycles(0.5), Damage::Restarts(3), Damage::Loss(0.2)];
    let mut all: Vec<Export> = damaged.into_iter().flat_map(|damage| some(Topology::Async, damage)).collect();
    all.push(all_that_is_said());
    for wording in Wording::ALL {
        for export in &all {
            let bytes = export.protobuf(wording);
            let request = ExportTraceServiceRequest::decode(&bytes[..]).unwrap();
            assert_eq!(request.encode_to_vec(), bytes);
            let of_json: ExportTraceServiceRequest = serde_json::from_str(&export.json(wording)).unwrap();
            assert_eq!(of_json, request);
            let group = &request.resource_spans[0];
            let resource = &group.resource.as_ref().unwrap().attributes;
            assert!(resource.iter().any(|pair| pair.key == "host.name"), "{resource:?}");
            assert_eq!(group.scope_spans[0].spans.len(), export.spans.len());
        }
    }
}

#[test]
fn the_collector_reads_every_span_as_it_is_known() {
    let mut all: Vec<Export> = Topology::DEVELOPED.into_iter().flat_map(|t| some(t, Damage::Clean)).collect();
    all.push(all_that_is_said());
    assert!(all.len() > 50);
    for wording in Wording::ALL {
        for export in &all {
            let known: Vec<Span> = export.spans.iter().map(|span| wording.known(span)).collect();
            assert_eq!(read(&export.protobuf(wording), Format::Protobuf), known, "{wording:?}");
            assert_eq!(read(export.json(wording).as_bytes(), Format::Json), known, "{wording:?}");
            if wording.peers == Peers::Named {
                assert_eq!(known, export.spans);
            }
        }
    }
}

#[test]
fn names_are_of_one_convention_or_of_both() {
    let keys = |names: Names, peers: Peers| {
        let request = all_that_is_said().protobuf(Wording { names, peers });
        let request = ExportTraceServiceRequest::decode(&request[..]).unwrap();
        let spans = request.resource_spans.into_iter().flat_map(|g| g.scope_spans).flat_map(|s| s.spans);
        spans.flat_map(|span| span.attributes).map(|pair| pair.key).collect::<std::collections::BTreeSet<_>>()
    };
    for peers in [Peers::Named, Peers::Addressed] {
        let (new, old, both) = (keys(Names::New, peers), keys(Names::Old, peers), keys(Names::Both, peers));
        assert_eq!(&new | &old, both);
        assert!(new.contains("db.system.name") && !new.contains("db.system"));
        assert!(
            old.contains("db.system") && old.contains("http.status_code") && !old.contains("server.address")
        );
        let of_both: Vec<_> = new.intersection(&old).map(String::as_str).collect();
        let kept =
            ["http.route", "messaging.system", "peakdrill.mocked", "rpc.method", "user_agent.synthetic.type"];
        assert_eq!(of_both, kept);
    }
}
