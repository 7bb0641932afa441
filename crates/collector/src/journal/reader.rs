//! Reads a journal back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::format::SegmentReader;
use super::segment_name;
use crate::record::Record;

/// Why a journal cannot be read at all. Damage inside it is no error: it is told as missing.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", .path.display())]
pub struct JournalReadError {
    path: PathBuf,
    source: io::Error,
}

/// Hands every record that is whole to `take`, in the order in which they were written, one segment in memory
/// at a time. Returns in words what is missing.
///
/// # Errors
/// [`JournalReadError`] when the folder or a file in it cannot be read, or there is no journal.
pub fn read_journal(dir: &Path, mut take: impl FnMut(Record)) -> Result<Vec<String>, JournalReadError> {
    let mut missing = Vec::new();
    let mut expected = 0;
    for number in 0.. {
        let name = segment_name(number);
        let path = dir.join(&name);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(source) if number > 0 && source.kind() == io::ErrorKind::NotFound => {
                missing.extend(later_segments(dir, number)?);
                break;
            }
            Err(source) => return Err(JournalReadError { path, source }),
        };
        let mut segment = SegmentReader::new(&bytes, expected);
        for block in segment.by_ref() {
            match block {
                Ok(block) => block.records.into_iter().for_each(&mut take),
                Err(damage) => missing.push(format!("journal {name}: {damage}")),
            }
        }
        expected = segment.expected();
    }
    Ok(missing)
}

/// Segments after one that is not there.
fn later_segments(dir: &Path, absent: u32) -> Result<Option<String>, JournalReadError> {
    let failed = |source| JournalReadError { path: dir.to_owned(), source };
    let first_absent = segment_name(absent);
    let mut later = 0;
    for entry in fs::read_dir(dir).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("segment-") && name.ends_with(".journal") && *name > *first_absent {
            later += 1;
        }
    }
    Ok((later > 0).then(|| format!("journal {first_absent} is not there, {later} later ones were not read")))
}
