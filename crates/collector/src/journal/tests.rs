use std::fs;
use std::path::Path;

use peakdrill_bottleneck::TraceClass;
use proptest::prelude::*;

use super::*;
use crate::limits::Limits;
use crate::otlp::Format;
use crate::record::{Record, RecordKind};

fn record(number: u8, payload_bytes: usize) -> Record {
    Record {
        kind: if number.is_multiple_of(2) { RecordKind::Traces(Format::Protobuf) } else { RecordKind::Roots },
        recv_ns: -i64::from(number),
        classes: vec![(u128::from(number), TraceClass::Mine), (u128::MAX, TraceClass::OtherRun)],
        // Hard to compress, so that sizes mean something.
        payload: (0..payload_bytes)
            .map(|at| (at * at * 31 + usize::from(number) * 7 + at / 13) as u8)
            .collect(),
    }
}

/// A whole block of these bytes.
fn block(sequence: u64, records: &[u8]) -> Vec<u8> {
    let mut packer = format::Packer::new().unwrap();
    packer.pack(sequence, records).unwrap();
    packer.bytes().to_vec()
}

fn write(dir: &Path, records: &[Record], limits: &Limits) {
    let mut writer = JournalWriter::create(dir, limits).unwrap();
    for record in records {
        writer.append([record]).unwrap();
    }
}

fn read(dir: &Path) -> (Vec<Record>, Vec<String>) {
    let mut records = Vec::new();
    let missing = read_journal(dir, |record| records.push(record)).unwrap();
    (records, missing)
}

#[test]
fn what_is_written_is_read_over_segments() {
    let dir = tempfile::tempdir().unwrap();
    let records: Vec<_> = (0..20).map(|number| record(number, 300)).collect();
    write(dir.path(), &records, &Limits { segment_bytes_max: 1_000, ..Limits::default() });
    assert!(fs::read_dir(dir.path()).unwrap().count() > 3);
    assert_eq!(read(dir.path()), (records, vec![]));
}

#[test]
fn records_at_once_make_one_block() {
    let dir = tempfile::tempdir().unwrap();
    let records: Vec<_> = (0..5).map(|number| record(number, 400_000)).collect();
    let mut writer = JournalWriter::create(dir.path(), &Limits::default()).unwrap();
    writer.append(&records).unwrap();
    writer.append(&records[..2]).unwrap();
    writer.append(&[]).unwrap();
    let written = [&records[..], &records[..2]].concat();
    assert_eq!(read(dir.path()), (written, vec![]));
    let bytes = fs::read(dir.path().join(segment_name(0))).unwrap();
    assert_eq!(SegmentReader::new(&bytes, 0).count(), 2);
}

#[test]
fn what_is_over_the_limit_of_a_block_is_refused_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = JournalWriter::create(dir.path(), &Limits::default()).unwrap();
    let large = Record { payload: vec![0; 100 << 20].into(), ..record(0, 0) };
    assert!(matches!(writer.append([&large, &large]), Err(JournalError::Io { .. })));
    writer.append([&record(1, 10)]).unwrap();
    assert_eq!(read(dir.path()), (vec![record(1, 10)], vec![]));
}

#[test]
fn two_runs_do_not_mix() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[], &Limits::default());
    let again = JournalWriter::create(dir.path(), &Limits::default());
    assert!(matches!(again, Err(JournalError::NotEmpty(_))));
}

#[test]
fn a_full_journal_refuses_and_stays_readable() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer =
        JournalWriter::create(dir.path(), &Limits { journal_bytes_max: 2_000, ..Limits::default() }).unwrap();
    let records: Vec<_> = (0..20).map(|number| record(number, 300)).collect();
    let taken = records.iter().take_while(|record| writer.append([*record]).is_ok()).count();
    assert!((2..20).contains(&taken), "{taken}");
    assert!(matches!(writer.append(&records), Err(JournalError::Full { limit_bytes: 2_000 })));
    // What would have room by itself is refused as well: nobody is told that it is full and then that it is not.
    assert!(matches!(writer.append([&record(1, 1)]), Err(JournalError::Full { .. })));
    assert!(writer.bytes().0 + 200 < writer.bytes().1, "{:?}", writer.bytes());
    assert_eq!(read(dir.path()), (records[..taken].to_vec(), vec![]));
}

#[test]
fn a_disk_is_not_filled() {
    let dir = tempfile::tempdir().unwrap();
    // There is no room for it either: but it is not packed, so that nobody knows.
    let limits = Limits { disk_free_min: u64::MAX, journal_bytes_max: 10, ..Limits::default() };
    let mut writer = JournalWriter::create(dir.path(), &limits).unwrap();
    let refused = writer.append([&record(1, 10)]);
    assert!(matches!(refused, Err(JournalError::DiskShort { left_bytes: u64::MAX, .. })), "{refused:?}");
    assert_eq!(read(dir.path()), (vec![], vec![]));
}

#[test]
fn no_journal_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    assert!(read_journal(dir.path(), |_| ()).is_err());
}

#[test]
fn a_torn_end_is_passed_over_at_every_length() {
    let dir = tempfile::tempdir().unwrap();
    let records: Vec<_> = (0..3).map(|number| record(number, 100)).collect();
    write(dir.path(), &records[..2], &Limits::default());
    let path = dir.path().join(segment_name(0));
    let whole_bytes = fs::metadata(&path).unwrap().len() as usize;
    let full = tempfile::tempdir().unwrap();
    write(full.path(), &records, &Limits::default());
    let bytes = fs::read(full.path().join(segment_name(0))).unwrap();
    for length in whole_bytes..bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        let (found, missing) = read(dir.path());
        assert_eq!(found, records[..2], "{length}");
        assert_eq!(missing.len(), usize::from(length > whole_bytes), "{length}");
    }
    for length in 0..SEGMENT_HEADER_BYTES {
        fs::write(&path, &bytes[..length]).unwrap();
        assert_eq!(read(dir.path()).0, []);
    }
}

#[test]
fn a_damaged_block_costs_itself_alone() {
    let dir = tempfile::tempdir().unwrap();
    let records: Vec<_> = (0..3).map(|number| record(number, 100)).collect();
    write(dir.path(), &records, &Limits::default());
    let path = dir.path().join(segment_name(0));
    let mut bytes = fs::read(&path).unwrap();
    let frame_bytes = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
    bytes[SEGMENT_HEADER_BYTES + BLOCK_HEADER_BYTES + frame_bytes + BLOCK_HEADER_BYTES + 9] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (found, missing) = read(dir.path());
    assert_eq!(found, [records[0].clone(), records[2].clone()]);
    assert!(missing.len() == 1 && missing[0].contains("block 1 is damaged"), "{missing:?}");
}

#[test]
fn a_lost_segment_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let records: Vec<_> = (0..9).map(|number| record(number, 300)).collect();
    write(dir.path(), &records, &Limits { segment_bytes_max: 1_000, ..Limits::default() });
    fs::remove_file(dir.path().join(segment_name(1))).unwrap();
    let (found, missing) = read(dir.path());
    assert!(!found.is_empty() && found == records[..found.len()]);
    assert!(missing.len() == 1 && missing[0].contains("segment-000001"), "{missing:?}");
}

#[test]
fn a_gap_in_the_sequence_is_told() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[record(1, 10)], &Limits::default());
    let bytes = fs::read(dir.path().join(segment_name(0))).unwrap();
    let mut twice = bytes.clone();
    let mut later = block(5, &[]);
    twice.append(&mut later);
    let read: Vec<_> = SegmentReader::new(&twice, 0).collect();
    assert_eq!(read.len(), 3);
    assert_eq!(read[2], Err(Damage::Gap { sequence: 5, count: 4 }));
    assert_eq!(SegmentReader::new(b"something else", 0).next(), Some(Err(Damage::NotASegment)));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let mut segment = format::segment_header(0).to_vec();
        segment.extend_from_slice(&bytes);
        SegmentReader::new(&segment, 0).for_each(drop);
        SegmentReader::new(&bytes, 0).for_each(drop);
        // A block whose checksum is right, of bytes that are no records.
        let mut segment = format::segment_header(0).to_vec();
        segment.extend(block(0, &bytes));
        SegmentReader::new(&segment, 0).for_each(drop);
    }

    #[test]
    fn any_records_read_back(
        parts in proptest::collection::vec((0..6_usize, any::<i64>(), proptest::collection::vec(any::<u8>(), 0..64)), 0..12),
    ) {
        const KINDS: [RecordKind; 6] = [
            RecordKind::Traces(Format::Protobuf), RecordKind::Traces(Format::Json),
            RecordKind::Metrics(Format::Protobuf), RecordKind::Metrics(Format::Json),
            RecordKind::Roots, RecordKind::Origin,
        ];
        let records: Vec<_> = parts.into_iter().map(|(kind, recv_ns, payload)| {
            Record { kind: KINDS[kind], recv_ns, classes: vec![(7, TraceClass::Live)], payload: payload.into() }
        }).collect();
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &records, &Limits::default());
        prop_assert_eq!(read(dir.path()), (records, vec![]));
    }
}
