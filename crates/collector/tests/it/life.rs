//! Preflight's questions, and what a collector says of its end.

use std::path::Path;
use std::time::Duration;

use peakdrill_collector::counters::counter;
use peakdrill_collector::{
    CellsFile, Collector, CollectorConfig, CollectorError, JournalRoom, Limits, replay,
};
use prost::Message;

use crate::http::post;
use crate::support::{self, MINE, PATIENCE, journey, request};

fn send(collector: &Collector, trace: u128, part: std::ops::Range<usize>) {
    let spans = journey(trace, 0).drain(part).collect();
    let address = collector.addresses().1.unwrap();
    let headers = [("content-type", "application/x-protobuf")];
    assert_eq!(post(address, "/v1/traces", &headers, &request(spans).encode_to_vec()).status, 200);
}

#[test]
fn a_trace_is_waited_for() {
    let collector = support::start(None);
    let found = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| collector.wait_for(5, |spans| spans.len() == 4, PATIENCE));
        send(&collector, 5, 2..4);
        send(&collector, 5, 0..2);
        waiting.join().unwrap()
    });
    assert_eq!(found.map(|spans| spans.len()), Some(4));
    assert_eq!(collector.trace(5).len(), 4);
    assert_eq!(collector.wait_for(5, |spans| spans.len() == 5, Duration::from_millis(20)), None);
    let twin = collector.recent_live("gateway", "GET /a").unwrap();
    assert_eq!((twin[0].trace, twin.len()), (5, 4));
    send(&collector, MINE, 0..4);
    assert!(collector.wait_for(MINE, |spans| spans.len() == 4, PATIENCE).is_some());
    assert_eq!(collector.recent_live("gateway", "GET /a").unwrap()[0].trace, 5);
    collector.finish().unwrap();
}

#[test]
fn what_is_looked_for_is_found_when_it_comes_and_given_up_when_it_does_not() {
    let collector = support::start(None);
    let found = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            collector
                .wait_until(PATIENCE, |collector| Some(collector.trace(7).len()).filter(|spans| *spans == 4))
        });
        send(&collector, 7, 0..2);
        send(&collector, 7, 2..4);
        waiting.join().unwrap()
    });
    assert_eq!(found, Some(4));
    let mut looks = 0;
    let none = collector.wait_until(Duration::from_millis(20), |_| {
        looks += 1;
        None::<()>
    });
    assert!(none.is_none());
    assert!(looks > 0, "it looks at least once");
    collector.finish().unwrap();
}

#[test]
fn the_view_follows() {
    let collector = support::start(None);
    let mut changes = collector.changes();
    send(&collector, MINE, 0..4);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let seen = runtime.block_on(async {
        tokio::time::timeout(PATIENCE, async {
            while collector.view().cells.is_empty() {
                changes.changed().await.unwrap();
            }
        })
        .await
    });
    assert!(seen.is_ok());
    let view = collector.view();
    assert_eq!((view.spans(), view.newest_span_end_ns), (4, Some(support::T + 100_000_000)));
    collector.finish().unwrap();
}

#[test]
fn a_folder_with_a_journal_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    support::start(Some(dir.path())).finish().unwrap();
    let again = Collector::start(support::config(Some(dir.path())));
    assert!(matches!(again, Err(CollectorError::Journal(_))));
}

#[test]
fn what_came_after_the_seal_is_put_in_by_the_run_and_by_its_replay() {
    let dir = tempfile::tempdir().unwrap();
    let collector = with_late_spans(Some(dir.path()), short());
    let seen = collector.wait_until(PATIENCE, |collector| Some(collector.view()).filter(|v| v.spans() == 12));
    assert_eq!(seen.map(|view| view.late_waiting()), Some(6));
    let end = collector.finish().unwrap();
    assert_eq!((&end.missing, end.view.late_waiting()), (&vec![], 0));
    let count = |name| end.view.counters.get(name);
    assert_eq!((count(counter::LATE), count(counter::DUPLICATES), count(counter::AMENDED)), (6, 4, 1));
    let replayed = replay(dir.path(), short()).unwrap();
    let file = CellsFile::new(replayed.origin_ns, replayed.cells);
    assert_eq!(file.to_bytes().unwrap(), end.cells_json);
    assert_eq!((&replayed.counters, &replayed.missing), (&end.view.counters, &end.missing));
    // Where nothing is sealed, nothing is late.
    let in_time = replay(dir.path(), Limits::default()).unwrap();
    assert_eq!(in_time.counters.get(counter::LATE), 0);
    assert_eq!(CellsFile::new(in_time.origin_ns, in_time.cells).to_bytes().unwrap(), end.cells_json);
}

#[test]
fn what_was_set_aside_is_said_by_the_run_and_by_its_replay() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { late_traces_max: 0, ..short() };
    let missing = with_late_spans(Some(dir.path()), limits.clone()).finish().unwrap().missing;
    assert!(missing.len() == 1 && missing[0].contains("6 spans came after"), "{missing:?}");
    assert_eq!(replay(dir.path(), limits).unwrap().missing, missing);
    // Without a journal nothing can be read again.
    assert_eq!(with_late_spans(None, short()).finish().unwrap().missing, missing);
}

#[test]
fn a_journal_that_lacks_records_amends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let collector = with_late_spans(Some(dir.path()), short());
    std::fs::write(dir.path().join("segment-000000.journal"), b"PDJ1\0\0\0\0").unwrap();
    let missing = collector.finish().unwrap().missing;
    assert_eq!(missing.len(), 2, "{missing:?}");
    assert!(missing[0].contains("what came late is left out") && missing[1].contains("6 spans and rows"));
}

fn short() -> Limits {
    Limits { horizon_ns: 1_000_000_000, ..Limits::default() }
}

/// Half of a trace comes when it is sealed, and then all of it once more.
fn with_late_spans(journal: Option<&Path>, limits: Limits) -> Collector {
    let collector = Collector::start(CollectorConfig { limits, ..support::config(journal) }).unwrap();
    collector.set_origin(support::T);
    let address = collector.addresses().1.unwrap();
    let headers = [("content-type", "application/x-protobuf")];
    let mut late = journey(1, 0);
    let early = late.split_off(2);
    for spans in [early, journey(2, 5_000), late, journey(1, 0)] {
        assert_eq!(post(address, "/v1/traces", &headers, &request(spans).encode_to_vec()).status, 200);
    }
    collector
}

/// Sends the same once more; the status, and what the sender is told of trying again.
fn send_same(collector: &Collector) -> (u16, Option<String>) {
    let body = request(journey(1, 0)).encode_to_vec();
    let headers = [("content-type", "application/x-protobuf")];
    let answer = post(collector.addresses().1.unwrap(), "/v1/traces", &headers, &body);
    (answer.status, answer.header("retry-after").map(str::to_owned))
}

fn shows(collector: &Collector, is_it: impl Fn(JournalRoom) -> bool) {
    let seen = collector.wait_until(PATIENCE, |now| Some(()).filter(|()| is_it(now.view().journal)));
    assert!(seen.is_some(), "{:?}", collector.view().journal);
}

#[test]
fn a_full_journal_is_said_before_and_after() {
    // Both times in two blocks.
    let begun = |config| {
        let collector = Collector::start(config).unwrap();
        collector.set_origin(support::T);
        let origin = collector.wait_until(PATIENCE, |now| now.view().origin_ns);
        assert_eq!(origin, Some(support::T));
        collector
    };
    let measured = tempfile::tempdir().unwrap();
    let collector = begun(support::config(Some(measured.path())));
    assert_eq!(send_same(&collector), (200, None));
    let end = collector.finish().unwrap();
    assert_eq!(end.view.journal, JournalRoom::Enough);
    let bytes = std::fs::metadata(measured.path().join("segment-000000.journal")).unwrap().len();

    let dir = tempfile::tempdir().unwrap();
    let mut config = support::config(Some(dir.path()));
    config.limits.journal_bytes_max = bytes * 6 / 5;
    let collector = begun(config);
    assert_eq!(send_same(&collector), (200, None));
    shows(&collector, |room| matches!(room, JournalRoom::Nearly { .. }));
    assert_eq!(send_same(&collector), (507, None));
    shows(&collector, |room| room == JournalRoom::Full { bytes_max: bytes * 6 / 5 });
    // Rows of the generator would have room by themselves: they are lost all the same, and nobody was told to try again.
    collector.push_roots(&[support::root(MINE, 0)]);
    let end = collector.finish().unwrap();
    assert_eq!((end.view.spans(), end.view.counters.get(counter::JOURNAL_FULL)), (4, 1));
    for said in ["1 requests were refused for good", "1 records of the drill's own"] {
        assert!(end.missing.iter().any(|line| line.contains(said)), "{:?}", end.missing);
    }
    assert_eq!(end.view.journal, JournalRoom::Full { bytes_max: bytes * 6 / 5 });
}

#[test]
fn a_disk_with_hardly_any_room_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = support::config(Some(dir.path()));
    config.limits.disk_free_min = u64::MAX;
    let collector = Collector::start(config).unwrap();
    assert_eq!(send_same(&collector), (503, Some("1".to_owned())));
    shows(&collector, |room| matches!(room, JournalRoom::DiskShort { .. }));
    let end = collector.finish().unwrap();
    assert_eq!((end.view.spans(), end.view.counters.get(counter::JOURNAL_FAILED)), (0, 1));
}
