//! Senders that mean no good, or are slow: they cost others nothing for long.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use peakdrill_collector::counters::counter;
use peakdrill_collector::{Collector, CollectorConfig, Limits};
use prost::Message;

use crate::http::{Answer, post, read_answer};
use crate::support::{self, PATIENCE, journey, request};

const BUDGET: usize = 8 << 20;
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

fn start(limits: Limits) -> (Collector, SocketAddr) {
    let collector = Collector::start(CollectorConfig { limits, ..support::config(None) }).unwrap();
    collector.set_origin(support::T);
    let address = collector.addresses().1.unwrap();
    (collector, address)
}

fn open(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends a part of a body of 4 MiB, and no more.
fn unfinished(address: SocketAddr, bytes: usize) -> TcpStream {
    let mut stream = open(address);
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n{}: {}\r\n\r\n",
        4 << 20,
        PROTOBUF.0,
        PROTOBUF.1
    );
    stream.write_all(head.as_bytes()).unwrap();
    // Who is refused is not read from any more.
    let _ = stream.write_all(&vec![0; bytes]);
    stream
}

/// Waits until requests have held so many bytes at once.
#[track_caller]
fn holds(collector: &Collector, bytes: usize) {
    let until = Instant::now() + PATIENCE;
    while collector.held_bytes_most() < bytes {
        assert!(Instant::now() < until, "{} bytes are held, not {bytes}", collector.held_bytes_most());
        std::thread::yield_now();
    }
}

/// Tries again as it is told to, but at once.
fn served_in_the_end(address: SocketAddr) -> u32 {
    let body = request(journey(1, 0)).encode_to_vec();
    let until = Instant::now() + PATIENCE;
    for tries in 1.. {
        let answer = post(address, "/v1/traces", &[PROTOBUF], &body);
        if answer.status == 200 {
            return tries;
        }
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
        assert!(Instant::now() < until, "nobody is served");
    }
    unreachable!()
}

#[test]
fn unfinished_bodies_hold_the_budget_and_no_more() {
    let (collector, address) = start(Limits { queue_bytes_max: BUDGET, ..Limits::default() });
    let hostile: Vec<TcpStream> = (0..30).map(|_| unfinished(address, 1 << 20)).collect();
    holds(&collector, BUDGET / 2);
    served_in_the_end(address);
    drop(hostile);
    let most = collector.held_bytes_most();
    assert!((BUDGET / 2..=BUDGET).contains(&most), "{most}");
    assert!(collector.finish().unwrap().view.counters.get(counter::OVERLOADED) > 0);
}

#[test]
fn a_body_that_holds_everything_gives_way() {
    let (collector, address) = start(Limits { queue_bytes_max: BUDGET, ..Limits::default() });
    // What is left has no room for another request.
    let hostile = unfinished(address, BUDGET / 2 - (6 << 10));
    holds(&collector, BUDGET - (8 << 10));
    assert!(served_in_the_end(address) > 1, "it is not cut off at once");
    assert_eq!(read_answer(hostile).unwrap().status, 503);
    assert!(collector.held_bytes_most() <= BUDGET);
    collector.finish().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_bodies_over_grpc_do_so_too() {
    let (collector, http) = start(Limits { queue_bytes_max: BUDGET, ..Limits::default() });
    let mut held = Vec::new();
    for _ in 0..3 {
        let tcp = tokio::net::TcpStream::connect(collector.addresses().0).await.unwrap();
        let (mut client, connection) = h2::client::handshake(tcp).await.unwrap();
        tokio::spawn(connection);
        for _ in 0..40 {
            let request =
                ::http::Request::post("http://x/opentelemetry.proto.collector.trace.v1.TraceService/Export");
            let request = request.header("content-type", "application/grpc").body(()).unwrap();
            client = client.ready().await.unwrap();
            let (answer, mut body) = client.send_request(request, false).unwrap();
            // It may have been refused by now.
            let _ = body.send_data(vec![0; 1 << 20].into(), false);
            held.push((answer, body));
        }
    }
    // The connections are served by other threads.
    holds(&collector, BUDGET / 2);
    tokio::task::spawn_blocking(move || served_in_the_end(http)).await.unwrap();
    let most = collector.held_bytes_most();
    assert!((BUDGET / 2..=BUDGET).contains(&most), "{most}");
    drop(held);
    tokio::task::spawn_blocking(|| collector.finish().unwrap()).await.unwrap();
}

#[test]
fn what_a_body_grows_when_it_is_unpacked_is_charged() {
    let (collector, address) = start(Limits { queue_bytes_max: BUDGET, ..Limits::default() });
    let bomb = zstd::encode_all(&vec![0; 20 << 20][..], 3).unwrap();
    assert!(bomb.len() < 10_000);
    let send = || post(address, "/v1/traces", &[PROTOBUF, ("content-encoding", "zstd")], &bomb).status;
    let held = unfinished(address, 1 << 20);
    holds(&collector, 2 << 20);
    assert_eq!(send(), 503);
    assert!(collector.held_bytes_most() <= BUDGET);
    drop(held);
    // One alone always fits: it is no request, however.
    let until = Instant::now() + PATIENCE;
    while send() != 400 {
        assert!(Instant::now() < until);
    }
    collector.finish().unwrap();
}

#[test]
fn a_small_packed_body_needs_little_room() {
    let (collector, address) = start(Limits { queue_bytes_max: BUDGET, ..Limits::default() });
    // Far less is left than is unpacked at once of a large one.
    let hostile = unfinished(address, BUDGET / 2 - (40 << 10));
    holds(&collector, BUDGET - (80 << 10));
    let body = zstd::encode_all(&request(journey(1, 0)).encode_to_vec()[..], 3).unwrap();
    let answer = post(address, "/v1/traces", &[PROTOBUF, ("content-encoding", "zstd")], &body);
    assert_eq!(answer.status, 200);
    assert!(collector.held_bytes_most() <= BUDGET);
    drop(hostile);
    collector.finish().unwrap();
}

#[test]
fn slow_bodies_give_way_to_a_large_packed_one() {
    let slow = Duration::from_secs(60);
    let limits = Limits { queue_bytes_max: BUDGET, body_time_max: slow, ..Limits::default() };
    let (collector, address) = start(limits);
    // There is room for the body as it comes, and not for what it may be.
    let hostile = unfinished(address, BUDGET / 2 - (512 << 10));
    holds(&collector, BUDGET - (1_100 << 10));
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (state >> 56) as u8
    });
    // No request, so that it is refused for good once it was let in.
    let body: Vec<u8> = [0xff; 16].into_iter().chain(noise.take(300 << 10)).collect();
    let packed = zstd::encode_all(&body[..], 1).unwrap();
    let until = Instant::now() + PATIENCE;
    let send = || post(address, "/v1/traces", &[PROTOBUF, ("content-encoding", "zstd")], &packed).status;
    while send() != 400 {
        assert!(Instant::now() < until, "nobody gives way");
    }
    assert_eq!(read_answer(hostile).unwrap().status, 503);
    collector.finish().unwrap();
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let limits = Limits { body_time_max: Duration::from_millis(50), ..Limits::default() };
    let (collector, address) = start(limits);
    let answer: Answer = read_answer(unfinished(address, 10)).unwrap();
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(collector.finish().unwrap().view.counters.get(counter::SLOW), 1);
}

#[test]
fn a_connection_without_a_request_is_closed() {
    let limits = Limits { idle_max: Duration::from_millis(50), ..Limits::default() };
    let (collector, http) = start(limits);
    for address in [http, collector.addresses().0] {
        for said in ["", "P", "PRI * HTTP/2.0\r\n"] {
            let mut stream = open(address);
            stream.write_all(said.as_bytes()).unwrap();
            // Whatever it says: the end comes.
            let end = stream.read_to_end(&mut Vec::new());
            assert!(end.is_ok() || end.unwrap_err().kind() == std::io::ErrorKind::ConnectionReset);
        }
    }
    assert!(collector.finish().unwrap().view.counters.get(counter::CONNECTIONS_IDLE) >= 4);
}

#[test]
fn there_are_so_many_connections_and_no_more() {
    let (collector, address) = start(Limits { connections_max: 3, ..Limits::default() });
    let mut held: Vec<TcpStream> = (0..3).map(|_| open(address)).collect();
    let mut fourth = open(address);
    let end = fourth.read(&mut [0; 1]);
    assert!(matches!(end, Ok(0)) || end.is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset));
    held.pop();
    let body = request(journey(1, 0)).encode_to_vec();
    let until = Instant::now() + PATIENCE;
    while crate::http::try_post(address, "/v1/traces", &[PROTOBUF], &body).is_none() {
        assert!(Instant::now() < until, "there is room again");
    }
    let end = collector.finish().unwrap();
    assert!(end.view.counters.get(counter::CONNECTIONS_REFUSED) >= 1 && end.view.spans() == 4);
    assert!(end.missing.iter().any(|line| line.contains("too many were open")), "{:?}", end.missing);
}
