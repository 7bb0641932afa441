//! The bytes of a segment. Pure; no byte sequence makes the reader panic.
//!
//! Segment: `PDJ1`, number (u32). Block: checksum (CRC-32 of all that follows in the block), length of the frame
//! (u32), length of the records (u32), sequence number (u64), frame. Record: length of what follows (u32), kind
//! (u8), time (i64), number of classes (u32), classes (trace id u128, class u8), payload. All little-endian.

use std::io;

use bytes::Bytes;
use flate2::Crc;
use peakdrill_bottleneck::TraceClass;

use crate::limits::DECODED_BYTES_MAX;
use crate::otlp::Format;
use crate::record::{Record, RecordKind};

const MAGIC: [u8; 4] = *b"PDJ1";
/// Bytes in front of the first block.
pub const SEGMENT_HEADER_BYTES: usize = 8;
/// Bytes in front of a block's frame.
pub const BLOCK_HEADER_BYTES: usize = 20;
/// Most bytes of records in a block: the largest request, and a class for each of its spans.
const BLOCK_RECORDS_BYTES_MAX: usize = 4 * DECODED_BYTES_MAX;
/// Fast, and a quarter of the size: the journal must not slow the acknowledgement.
const ZSTD_LEVEL: i32 = 1;
/// Memory that is kept from block to block: an unusually large one is let go.
const PACKED_BYTES_KEPT: usize = 4 << 20;
const CLASS_BYTES: usize = 17;
const RECORD_FIXED_BYTES: usize = 13;

/// What is wrong in a segment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Not a segment, or of a version that is not known.
    #[error("this is no segment of a journal that this version reads")]
    NotASegment,
    /// The file ends inside a block.
    #[error("the last {bytes} bytes are half-written: the writer was killed")]
    Torn {
        /// Bytes after the last whole block.
        bytes: usize,
    },
    /// A block is not what was written.
    #[error("block {sequence} is damaged, {bytes} bytes")]
    Damaged {
        /// The block that was expected.
        sequence: u64,
        /// Its length.
        bytes: usize,
    },
    /// Blocks are not there.
    #[error("{count} blocks are missing before block {sequence}")]
    Gap {
        /// The block that was found.
        sequence: u64,
        /// How many are missing.
        count: u64,
    },
}

/// A whole block.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Counted over all segments, from 0.
    pub sequence: u64,
    /// Its records, in order.
    pub records: Vec<Record>,
}

pub(super) fn segment_header(number: u32) -> [u8; SEGMENT_HEADER_BYTES] {
    let mut header = [0; SEGMENT_HEADER_BYTES];
    header[..4].copy_from_slice(&MAGIC);
    header[4..].copy_from_slice(&number.to_le_bytes());
    header
}

pub(super) fn put_record(record: &Record, out: &mut Vec<u8>) {
    let length = RECORD_FIXED_BYTES + record.classes.len() * CLASS_BYTES + record.payload.len();
    out.extend_from_slice(&(length as u32).to_le_bytes());
    out.push(kind_byte(record.kind));
    out.extend_from_slice(&record.recv_ns.to_le_bytes());
    out.extend_from_slice(&(record.classes.len() as u32).to_le_bytes());
    for (trace, class) in &record.classes {
        out.extend_from_slice(&trace.to_le_bytes());
        out.push(class_byte(*class));
    }
    out.extend_from_slice(&record.payload);
}

/// Packs records into blocks. Its memory is used again from block to block.
pub(super) struct Packer {
    zstd: zstd::bulk::Compressor<'static>,
    out: Vec<u8>,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer").finish_non_exhaustive()
    }
}

impl Packer {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { zstd: zstd::bulk::Compressor::new(ZSTD_LEVEL)?, out: Vec::new() })
    }

    /// Makes a block of records that [`put_record`] wrote.
    pub(super) fn pack(&mut self, sequence: u64, records: &[u8]) -> io::Result<()> {
        self.out.clear();
        if records.len() > BLOCK_RECORDS_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a record is over the limit of a block"));
        }
        self.out.shrink_to(PACKED_BYTES_KEPT);
        self.out.resize(BLOCK_HEADER_BYTES + zstd::zstd_safe::compress_bound(records.len()), 0);
        let frame_bytes = self.zstd.compress_to_buffer(records, &mut self.out[BLOCK_HEADER_BYTES..])?;
        self.out.truncate(BLOCK_HEADER_BYTES + frame_bytes);
        self.out[4..8].copy_from_slice(&(frame_bytes as u32).to_le_bytes());
        self.out[8..12].copy_from_slice(&(records.len() as u32).to_le_bytes());
        self.out[12..20].copy_from_slice(&sequence.to_le_bytes());
        let sum = checksum(&self.out[4..]);
        self.out[..4].copy_from_slice(&sum.to_le_bytes());
        Ok(())
    }

    /// The block that was made last.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.out
    }
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// The blocks of one segment, in order. After damage it goes on with the next block that is whole where the
/// lengths allow, and ends where they do not.
pub struct SegmentReader<'a> {
    rest: &'a [u8],
    expected: u64,
    failed: Option<Damage>,
}

impl<'a> SegmentReader<'a> {
    /// Reads a segment; its first block should have the sequence number `expected`.
    #[must_use]
    pub fn new(segment: &'a [u8], expected: u64) -> Self {
        match segment.split_at_checked(SEGMENT_HEADER_BYTES) {
            Some((header, rest)) if header.starts_with(&MAGIC) => Self { rest, expected, failed: None },
            // Killed while the first bytes of the file were written.
            None if segment_header(0).starts_with(&segment[..segment.len().min(4)]) => {
                let failed = (!segment.is_empty()).then_some(Damage::Torn { bytes: segment.len() });
                Self { rest: &[], expected, failed }
            }
            _ => Self { rest: &[], expected, failed: Some(Damage::NotASegment) },
        }
    }

    /// The sequence number that the next segment should begin with.
    #[must_use]
    pub fn expected(&self) -> u64 {
        self.expected
    }

    fn step(&mut self) -> Option<Result<Block, Damage>> {
        if let Some(damage) = self.failed.take() {
            return Some(Err(damage));
        }
        if self.rest.is_empty() {
            return None;
        }
        let Some(header) = Header::read(self.rest) else {
            let bytes = self.rest.len();
            self.rest = &[];
            return Some(Err(Damage::Torn { bytes }));
        };
        let (block, rest) = self.rest.split_at(header.block_bytes);
        self.rest = rest;
        let records = (checksum(&block[4..]) == header.checksum)
            .then(|| zstd::bulk::decompress(&block[BLOCK_HEADER_BYTES..], header.records_bytes).ok())
            .flatten()
            .and_then(|records| take_records(&records));
        let Some(records) = records else {
            let sequence = self.expected;
            self.expected += 1;
            return Some(Err(Damage::Damaged { sequence, bytes: header.block_bytes }));
        };
        let sequence = header.sequence;
        let count = sequence.saturating_sub(self.expected);
        self.expected = sequence.saturating_add(1);
        self.failed = (count > 0).then_some(Damage::Gap { sequence, count });
        Some(Ok(Block { sequence, records }))
    }
}

impl Iterator for SegmentReader<'_> {
    type Item = Result<Block, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step()
    }
}

struct Header {
    checksum: u32,
    records_bytes: usize,
    sequence: u64,
    block_bytes: usize,
}

impl Header {
    /// `None` when the block is not all there, or its lengths cannot be.
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        let checksum = u32::from_le_bytes(cursor.array()?);
        let frame_bytes = u32::from_le_bytes(cursor.array()?) as usize;
        let records_bytes = u32::from_le_bytes(cursor.array()?) as usize;
        let sequence = u64::from_le_bytes(cursor.array()?);
        let fits = frame_bytes <= cursor.0.len() && records_bytes <= BLOCK_RECORDS_BYTES_MAX;
        let block_bytes = BLOCK_HEADER_BYTES + frame_bytes;
        fits.then_some(Self { checksum, records_bytes, sequence, block_bytes })
    }
}

fn take_records(bytes: &[u8]) -> Option<Vec<Record>> {
    let mut cursor = Cursor(bytes);
    let mut records = Vec::new();
    while !cursor.0.is_empty() {
        let length = u32::from_le_bytes(cursor.array()?) as usize;
        records.push(take_record(cursor.slice(length)?)?);
    }
    Some(records)
}

fn take_record(bytes: &[u8]) -> Option<Record> {
    let mut cursor = Cursor(bytes);
    let [kind] = cursor.array()?;
    let kind = byte_kind(kind)?;
    let recv_ns = i64::from_le_bytes(cursor.array()?);
    let count = u32::from_le_bytes(cursor.array()?) as usize;
    let classes = cursor.slice(count.checked_mul(CLASS_BYTES)?)?;
    let classes: Option<Vec<_>> = classes.chunks_exact(CLASS_BYTES).map(take_class).collect();
    Some(Record { kind, recv_ns, classes: classes?, payload: Bytes::copy_from_slice(cursor.0) })
}

fn take_class(bytes: &[u8]) -> Option<(u128, TraceClass)> {
    let mut cursor = Cursor(bytes);
    let trace = u128::from_le_bytes(cursor.array()?);
    let [class] = cursor.array()?;
    Some((trace, byte_class(class)?))
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.slice(N)?.try_into().ok()
    }
}

const KINDS: [(u8, RecordKind); 6] = [
    (1, RecordKind::Traces(Format::Protobuf)),
    (2, RecordKind::Traces(Format::Json)),
    (3, RecordKind::Metrics(Format::Protobuf)),
    (4, RecordKind::Metrics(Format::Json)),
    (5, RecordKind::Roots),
    (6, RecordKind::Origin),
];

fn kind_byte(kind: RecordKind) -> u8 {
    KINDS.iter().find(|(_, known)| *known == kind).map_or(0, |(byte, _)| *byte)
}

fn byte_kind(byte: u8) -> Option<RecordKind> {
    KINDS.iter().find(|(known, _)| *known == byte).map(|(_, kind)| *kind)
}

fn class_byte(class: TraceClass) -> u8 {
    match class {
        TraceClass::Live => 0,
        TraceClass::OtherRun => 1,
        TraceClass::Mine => 2,
    }
}

fn byte_class(byte: u8) -> Option<TraceClass> {
    [TraceClass::Live, TraceClass::OtherRun, TraceClass::Mine].get(usize::from(byte)).copied()
}
