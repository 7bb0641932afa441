//! Over HTTP, with a client that is a socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use peakdrill_collector::counters::counter;
use prost::Message;

use crate::support::{self, PATIENCE, journey, request};

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value))
    }
}

pub(crate) fn post(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    try_post(address, path, headers, body).expect("an answer")
}

/// `None` when the server is gone.
pub(crate) fn try_post(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    // A server that refuses early may close before it has read everything.
    let _ = stream.write_all(body);
    read_answer(stream)
}

/// The answer, when the server closes the connection after it.
pub(crate) fn read_answer(mut stream: TcpStream) -> Option<Answer> {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Some(Answer { status, head, body: bytes[end..].to_vec() })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn protobuf_and_json_plain_and_compressed() {
    let collector = support::start(None);
    let address = collector.addresses().1.unwrap();
    let body = |trace| request(journey(trace, 0)).encode_to_vec();
    let send = |headers: &[(&str, &str)], body: &[u8]| {
        let answer = post(address, "/v1/traces", headers, body);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    };
    let plain = send(&[PROTOBUF], &body(1));
    assert_eq!((plain.header("content-type"), plain.body.len()), (Some("application/x-protobuf"), 0));
    send(&[PROTOBUF, ("content-encoding", "gzip")], &gzip(&body(2)));
    send(&[PROTOBUF, ("content-encoding", "zstd")], &zstd::encode_all(&body(3)[..], 3).unwrap());
    let json = serde_json::to_vec(&request(journey(4, 0))).unwrap();
    assert_eq!(send(&[JSON], &json).body, b"{}");
    let mut half_bad = request(journey(5, 0));
    half_bad.resource_spans[0].scope_spans[0].spans[0].span_id = Vec::new();
    let json = serde_json::to_vec(&half_bad).unwrap();
    let answer = send(&[JSON, ("content-encoding", "gzip")], &gzip(&json));
    assert!(String::from_utf8_lossy(&answer.body).contains("\"rejectedSpans\":\"1\""));
    let metrics = post(address, "/v1/metrics", &[JSON], b"{\"resourceMetrics\":[]}");
    assert_eq!(metrics.status, 200);
    let end = collector.finish().unwrap();
    assert_eq!(end.view.spans(), 4 * 4 + 3);
    assert_eq!(end.view.counters.get(counter::METRIC_REQUESTS), 1);
}

#[test]
fn what_cannot_be_taken_is_refused_for_good() {
    let collector = support::start(None);
    let address = collector.addresses().1.unwrap();
    let status = |headers: &[(&str, &str)], body: &[u8]| post(address, "/v1/traces", headers, body).status;
    assert_eq!(status(&[JSON], b"{nonsense"), 400);
    assert_eq!(status(&[PROTOBUF], &[0xff; 20]), 400);
    assert_eq!(status(&[PROTOBUF, ("content-encoding", "gzip")], b"no gzip"), 400);
    assert_eq!(status(&[PROTOBUF, ("content-encoding", "zstd")], b"no zstd"), 400);
    assert_eq!(status(&[], b""), 415);
    assert_eq!(status(&[("content-type", "text/plain")], b""), 415);
    assert_eq!(status(&[PROTOBUF, ("content-encoding", "br")], b""), 415);
    let bomb = zstd::encode_all(&vec![0; 40 << 20][..], 3).unwrap();
    assert_eq!(status(&[PROTOBUF, ("content-encoding", "zstd")], &bomb), 413);
    assert_eq!(status(&[PROTOBUF, ("content-encoding", "gzip")], &gzip(&vec![0; 40 << 20])), 413);
    assert_eq!(post(address, "/v1/logs", &[JSON], b"{}").status, 404);
    let end = collector.finish().unwrap();
    assert_eq!((end.view.spans(), end.view.counters.get(counter::MALFORMED)), (0, 6));
}
