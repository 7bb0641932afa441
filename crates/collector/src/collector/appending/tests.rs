use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::*;
use crate::fold::Fold;
use crate::journal::read_journal;
use crate::limits::Limits;
use crate::net::Budget;
use crate::record::{Record, RecordKind};

const ORIGIN_NS: i64 = 1_700_000_000_000_000_000;

/// Rows of no request: told apart by their time of receipt.
fn rows(recv_ns: i64) -> Job {
    // Hard to compress, so that sizes mean something.
    let payload = (0..400_usize).map(|at| (at * at * 31 + at / 13) as u8).collect::<Bytes>();
    let record = Record { kind: RecordKind::Roots, recv_ns, classes: Vec::new(), payload };
    job(record, Event::Roots(Vec::new()))
}

fn origin(recv_ns: i64) -> Job {
    job(Record::origin(ORIGIN_NS, recv_ns), Event::Origin(ORIGIN_NS))
}

fn job(record: Record, event: Event) -> Job {
    Job { record, event, charge: Budget::new(1 << 20).charge_always(1), ack: None }
}

fn shared() -> Arc<Shared> {
    Shared::new(Fold::new(Limits::default()))
}

fn lost(shared: &Shared) -> u64 {
    shared.publish().counters.get(counter::JOURNAL_LOST)
}

/// What was handed on, by its time of receipt.
fn handed_on(events: &mpsc::Receiver<Journalled>) -> Vec<i64> {
    events.try_iter().map(|journalled| journalled.recv_ns).collect()
}

fn journalled(dir: &Path) -> Vec<i64> {
    let mut times = Vec::new();
    assert_eq!(read_journal(dir, |record| times.push(record.recv_ns)).unwrap(), Vec::<String>::new());
    times
}

#[test]
fn the_start_of_the_load_is_written_as_soon_as_it_can_be() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, moved) = (dir.path().join("journal"), dir.path().join("moved"));
    // Every block is to have a segment of its own, which cannot be made where there is no folder.
    let limits = Limits { segment_bytes_max: 0, ..Limits::default() };
    let writer = JournalWriter::create(&journal, &limits).unwrap();
    let (shared, (out, events)) = (shared(), mpsc::channel());
    let mut appending = Appending::new(Some(writer), &out, &shared);
    assert!(appending.append(vec![rows(1)]));
    assert_eq!(lost(&shared), 0, "nothing of what is written is lost");

    fs::rename(&journal, &moved).unwrap();
    assert!(appending.append(vec![rows(2), origin(3)]));
    assert_eq!((handed_on(&events), lost(&shared)), (vec![1], 1), "the rows alone are lost");
    assert_eq!(shared.publish().journal, JournalRoom::Enough, "of room nothing is known");

    fs::rename(&moved, &journal).unwrap();
    let (queue, jobs) = mpsc::channel();
    queue.send(rows(4)).ok().unwrap();
    drop(queue);
    appending.run(&jobs);
    assert_eq!(handed_on(&events), [3, 4], "before all that came after it");
    assert_eq!((journalled(&journal), lost(&shared)), (vec![1, 3, 4], 1));
}

#[test]
fn what_a_full_journal_refuses_is_told_and_counted() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut one = JournalWriter::create(other.path(), &Limits::default()).unwrap();
    one.append([&rows(1).record]).unwrap();
    let bytes_max = one.bytes().0 + 10;
    let limits = Limits { journal_bytes_max: bytes_max, ..Limits::default() };
    let writer = JournalWriter::create(dir.path(), &limits).unwrap();
    let (shared, (out, events), (queue, jobs)) = (shared(), mpsc::channel(), mpsc::channel());
    let mut appending = Appending::new(Some(writer), &out, &shared);
    assert!(appending.append(vec![rows(1)]));
    assert_eq!(shared.taken_ns(), Some(1));
    let (ack, mut acked) = oneshot::channel();
    for job in [rows(2), Job { ack: Some(ack), ..rows(3) }, origin(4), origin(5)] {
        assert!(shared.hand_in(&queue, job));
    }
    assert_eq!(shared.taken_ns(), Some(5), "nobody knows yet that it is refused");
    drop(queue);
    appending.run(&jobs);
    assert!(matches!(acked.try_recv(), Ok(Err(Refused::Full(_)))));
    // Of the start of the load it is not told before the end that it came to nothing.
    assert_eq!((handed_on(&events), journalled(dir.path()), lost(&shared)), (vec![1], vec![1], 3));
    assert_eq!(shared.publish().journal, JournalRoom::Full { bytes_max });
    assert_eq!(
        shared.taken_ns(),
        Some(1),
        "nothing of what was refused waits, and what was not refused does"
    );
}
