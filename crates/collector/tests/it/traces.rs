//! Files of traces that no drill made.

use std::io::{Cursor, Write};

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
    assert_eq!((counters.get(counter::SPANS), counters.get(counter::BAD_LINES)), (8, 2));
    assert!(fold_traces(&b""[..]).unwrap().0.is_empty());
    let endless = vec![b'x'; (32 << 20) + 2];
    assert!(fold_traces(&endless[..]).is_err());
}
