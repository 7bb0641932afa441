//! The journal: what was received, in the order in which it was taken in, on disk before it is acknowledged.
//!
//! A folder of segment files. A segment begins with its version and number; blocks follow, each with lengths,
//! sequence number and checksum in front of a zstd frame of records. What a killed process left half-written at
//! the end is told by these and passed over; it was never acknowledged.

mod format;
mod reader;
mod writer;

pub use format::{BLOCK_HEADER_BYTES, Block, Damage, SEGMENT_HEADER_BYTES, SegmentReader};
pub use reader::{JournalReadError, read_journal};
pub use writer::{BLOCK_BYTES, JournalError, JournalWriter};

/// Name of a segment file.
fn segment_name(number: u32) -> String {
    format!("segment-{number:06}.journal")
}

#[cfg(test)]
mod tests;
