//! A collector that is killed: what it acknowledged is there.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use peakdrill_bottleneck::TraceClass;
use peakdrill_collector::fold::Fold;
use peakdrill_collector::journal::read_journal;
use peakdrill_collector::otlp::{Format, Texts};
use peakdrill_collector::record::{Event, Record, RecordKind};
use peakdrill_collector::{Limits, replay};
use prost::Message;

use crate::http::{post, try_post};
use crate::support::{self, MINE, T, journey, request, root};

const CHILD_DIR: &str = "PEAKDRILL_TEST_JOURNAL";

/// The process that is killed: a collector that says where it listens, and lives until its input ends.
#[test]
#[ignore = "run by another test as a process of its own"]
fn child_collector() {
    let dir = std::env::var_os(CHILD_DIR).expect("the folder");
    let collector = support::start(Some(Path::new(&dir)));
    let rows: Vec<_> = (MINE..MINE + 9).map(|trace| root(trace, 0)).collect();
    collector.push_roots(&rows);
    let mut out = std::io::stdout();
    writeln!(out, "\nlistening {}", collector.addresses().1.unwrap()).unwrap();
    out.flush().unwrap();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A collector as a process of its own, and where it takes HTTP.
fn spawn_child(dir: &Path) -> (Killed, SocketAddr) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::child_collector", "--ignored", "--nocapture", "--test-threads=1"])
        .env(CHILD_DIR, dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = Killed(child.unwrap());
    let lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let address =
        lines.map(Result::unwrap).find_map(|line| line.strip_prefix("listening ").map(str::to_owned));
    (child, address.expect("an address").parse().unwrap())
}

#[test]
fn what_was_acknowledged_outlives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let (child, address) = spawn_child(dir.path());
    let headers = [("content-type", "application/x-protobuf")];
    for (at, trace) in (MINE..MINE + 9).enumerate() {
        let body = request(journey(trace, at as i64 * 40)).encode_to_vec();
        assert_eq!(post(address, "/v1/traces", &headers, &body).status, 200);
    }
    drop(child);

    let rows: Vec<_> = (MINE..MINE + 9).map(|trace| root(trace, 0)).collect();
    let cells = |dir: &Path| {
        let replayed = replay(dir, Limits::default()).unwrap();
        let file = peakdrill_collector::CellsFile::new(replayed.origin_ns, replayed.cells);
        (file.to_bytes().unwrap(), replayed.missing)
    };
    assert_eq!(cells(dir.path()), (support::expected(MINE..MINE + 9, &rows), vec![]));

    // The same, killed in the middle of a write: the last request was not acknowledged.
    let segment = dir.path().join("segment-000000.journal");
    let bytes = fs::read(&segment).unwrap();
    fs::write(&segment, &bytes[..bytes.len() - 3]).unwrap();
    let (found, missing) = cells(dir.path());
    assert!(missing.len() == 1 && missing[0].contains("half-written"), "{missing:?}");
    assert_ne!(found, support::expected(MINE..MINE + 9, &rows));
}

/// Kills a collector when so many requests were acknowledged and others are under way, and looks at what is left.
fn killed_after(acknowledged_min: usize) {
    const SENDERS: usize = 4;
    let dir = tempfile::tempdir().unwrap();
    let traces = MINE..MINE + 60;
    let requests: Vec<Vec<u8>> = support::shuffled(traces).iter().map(Message::encode_to_vec).collect();
    let (child, address) = spawn_child(dir.path());
    let (next, acknowledged) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let (reached, has_reached) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..SENDERS {
            let reached = reached.clone();
            scope.spawn(|| {
                let reached = reached;
                let headers = [("content-type", "application/x-protobuf")];
                while let at = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(body) = requests.get(at)
                    && try_post(address, "/v1/traces", &headers, body)
                        .is_some_and(|answer| answer.status == 200)
                {
                    let mut acknowledged = acknowledged.lock().unwrap();
                    acknowledged.push(at);
                    if acknowledged.len() == acknowledged_min {
                        reached.send(()).unwrap();
                    }
                }
            });
        }
        has_reached.recv_timeout(support::PATIENCE).unwrap();
        drop(child);
    });

    let mut kept = Vec::new();
    read_journal(dir.path(), |record| {
        if record.kind == RecordKind::Traces(Format::Protobuf) {
            kept.push(
                requests.iter().position(|sent| *sent == record.payload).expect("a request that was sent"),
            );
        }
    })
    .unwrap();
    kept.sort_unstable();
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!(acknowledged.iter().all(|at| kept.binary_search(at).is_ok()), "{acknowledged:?} in {kept:?}");
    assert!(kept.len() <= acknowledged.len() + SENDERS, "{} kept", kept.len());

    // The same requests, folded in another order and by nobody who was killed.
    let (mut fold, mut texts) = (Fold::new(Limits::default()), Texts::default());
    for at in &kept {
        let recv_ns = i64::MAX;
        let record = Record {
            kind: RecordKind::Traces(Format::Protobuf),
            recv_ns,
            classes: (MINE..MINE + 60).map(|trace| (trace, TraceClass::Mine)).collect(),
            payload: requests[*at].clone().into(),
        };
        fold.event(record.event(&mut texts).unwrap(), recv_ns, &record.classes);
    }
    fold.event(Event::Origin(T), T, &[]);
    let rows: Vec<_> = (MINE..MINE + 9).map(|trace| root(trace, 0)).collect();
    fold.event(Event::Roots(rows), T, &[]);
    fold.settle();
    let replayed = replay(dir.path(), Limits::default()).unwrap();
    let bytes = |cells| peakdrill_collector::CellsFile::new(Some(T), cells).to_bytes().unwrap();
    assert_eq!(bytes(replayed.cells), bytes(Arc::new(fold.cells().clone())));
}

#[test]
fn killed_at_any_point_it_has_lost_nothing_that_was_acknowledged() {
    for acknowledged_min in [1, 2, 11, 37, 90, 171, 222] {
        killed_after(acknowledged_min);
    }
}
