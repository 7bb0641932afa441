//! Files of traces that no drill made.

use std::io::{BufReader, Cursor, Read, Write};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use peakdrill_bottleneck::TraceClass;
use peakdrill_collector::counters::counter;
use peakdrill_collector::{fold_all, fold_traces, open_traces};

use crate::support::shuffled;

fn lines(requests: &[ExportTraceServiceRequest]) -> Vec<u8> {
    let mut out = Vec::new();
    for request in requests {
        serde_json::to_writer(&mut out, request).unwrap();
        out.push(b'\n');
    }
    out
}

#[test]
fn plain_gzip_and_zstd_say_the_same() {
    let requests = shuffled(1..10);
    let plain = lines(&requests);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    let packed = [gzip.finish().unwrap(), zstd::encode_all(&plain[..], 3).unwrap()];
    let (cells, counters) = fold_traces(&plain[..]).unwrap();
    assert_eq!(counters.get(counter::SPANS), 36);
    assert!(cells.roots.keys().all(|(_, class)| *class == TraceClass::Mine) && !cells.roots.is_empty());
    for bytes in &packed {
        assert_eq!(fold_traces(open_traces(Cursor::new(bytes)).unwrap()).unwrap().0, cells);
    }
    // Over two files, in the other order.
    let (first, second) = requests.split_at(10);
    let parts = [lines(second), lines(first)];
    let parts = parts.iter().map(|part| open_traces(Cursor::new(part)).unwrap());
    assert_eq!(fold_all(parts).unwrap().0, cells);
}

#[test]
fn bad_lines_are_counted() {
    let mut text = lines(&shuffled(1..3));
    text.extend_from_slice(b"\n  \n{not json}\n[]\n{}\n");
    let (cells, counters) = fold_traces(&text[..]).unwrap();
    assert!(!cells.is_empty());
    // An empty list is one of Zipkin's.
    assert_eq!((counters.get(counter::SPANS), counters.get(counter::BAD_LINES)), (8, 1));
    assert!(fold_traces(&b""[..]).unwrap().0.is_empty());
    let endless = BufReader::new(std::io::repeat(b'x'));
    assert!(fold_traces(endless).is_err());
    let endless = BufReader::new((&b"[\n"[..]).chain(std::io::repeat(b'\n')));
    assert!(fold_traces(endless).is_err());
}

#[test]
fn a_document_over_several_lines_is_read_as_one() {
    let requests = shuffled(1..3);
    let (cells, _) = fold_traces(&lines(&requests)[..]).unwrap();
    let whole = ExportTraceServiceRequest {
        resource_spans: requests.into_iter().flat_map(|request| request.resource_spans).collect(),
    };
    let written = serde_json::to_vec_pretty(&whole).unwrap();
    let (found, counters) = fold_traces(&written[..]).unwrap();
    assert_eq!((found, counters.get(counter::BAD_LINES)), (cells, 0));
    // A first line that is torn costs no other.
    let mut torn = b"{\"resourceSpans\":[\n".to_vec();
    torn.extend(lines(&[whole]));
    assert_eq!(fold_traces(&torn[..]).unwrap().1.get(counter::BAD_LINES), 1);
    assert_eq!(fold_traces(&torn[..]).unwrap().1.get(counter::SPANS), 8);
}

#[test]
fn the_same_traces_of_zipkin_give_the_same_cells() {
    let span = |trace: u64, service: &str, id: u64, parent: u64, kind: &str, at_us: (u64, u64)| {
        serde_json::json!({ "traceId": format!("{trace:016x}"), "id": format!("{id:016x}"),
            "parentId": format!("{parent:016x}"), "name": "GET /a", "kind": kind,
            "timestamp": 1_700_000_000_000_000 + at_us.0, "duration": at_us.1 - at_us.0,
            "localEndpoint": { "serviceName": service }, "tags": {} })
    };
    let mut traces = Vec::new();
    for trace in 1..10 {
        let start = (trace - 1) * 40_000;
        let at = |from: u64, to: u64| (start + from * 1_000, start + to * 1_000);
        let mut query = span(trace, "order", 4, 3, "CLIENT", at(20, 60));
        query["tags"] = serde_json::json!({ "db.system.name": "sqlite", "service.peer.name": "order-db" });
        traces.push(serde_json::json!([
            span(trace, "gateway", 1, 0, "SERVER", at(0, 100)),
            span(trace, "gateway", 2, 1, "CLIENT", at(5, 95)),
            span(trace, "order", 3, 2, "SERVER", at(10, 90)),
            query,
        ]));
    }
    let written = serde_json::to_vec_pretty(&traces).unwrap();
    let (cells, _) = fold_traces(&lines(&shuffled(1..10))[..]).unwrap();
    assert_eq!(fold_traces(&written[..]).unwrap().0, cells);
}
