//! Appends to the journal.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::format;
use super::segment_name;
use crate::limits::Limits;
use crate::record::Record;

/// Records should be gathered into blocks of about this size, if so many wait.
pub const BLOCK_BYTES: usize = 1 << 20;

/// How often the room on the disk is looked at. In between, less than what is to be left is written.
const DISK_LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why nothing was appended.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The folder holds a journal already: two runs must not mix.
    #[error("{} holds a journal already", .0.display())]
    NotEmpty(PathBuf),
    /// The journal has reached its limit.
    #[error("the journal is full: {limit_bytes} bytes")]
    Full {
        /// The limit.
        limit_bytes: u64,
    },
    /// There is room on the disk, but it is to be left.
    #[error("{}: {free_bytes} bytes are left on the disk, and {left_bytes} are to stay free", .path.display())]
    DiskShort {
        /// The journal's folder.
        path: PathBuf,
        /// What is free.
        free_bytes: u64,
        /// What the journal leaves.
        left_bytes: u64,
    },
    /// The file system refused.
    #[error("{}: {source}", .path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The journal of one run, open at its end.
#[derive(Debug)]
pub struct JournalWriter {
    dir: PathBuf,
    segment_bytes_max: u64,
    journal_bytes_max: u64,
    disk_free_min: u64,
    /// What was free on the disk, and when that was looked at.
    disk: Option<(Instant, u64)>,
    file: File,
    segment: u32,
    segment_bytes: u64,
    total_bytes: u64,
    sequence: u64,
    /// A block had no room: from then on none is taken, however small, so that what was refused for good stays refused.
    is_full: bool,
    /// A failed write could not be undone: go on in a new segment.
    broken: bool,
    /// The records of a block, and what packs them: kept for their memory alone.
    records: Vec<u8>,
    packer: format::Packer,
}

impl JournalWriter {
    /// Begins a journal in a folder, which is made when it is not there.
    ///
    /// # Errors
    /// [`JournalError`] when the folder cannot be used or holds a journal.
    pub fn create(dir: &Path, limits: &Limits) -> Result<Self, JournalError> {
        fs::create_dir_all(dir).map_err(|source| JournalError::Io { path: dir.to_owned(), source })?;
        let file = new_segment(dir, 0)?;
        Ok(Self {
            dir: dir.to_owned(),
            segment_bytes_max: limits.segment_bytes_max,
            journal_bytes_max: limits.journal_bytes_max,
            disk_free_min: limits.disk_free_min,
            disk: None,
            file,
            segment: 0,
            segment_bytes: format::SEGMENT_HEADER_BYTES as u64,
            total_bytes: format::SEGMENT_HEADER_BYTES as u64,
            sequence: 0,
            is_full: false,
            broken: false,
            records: Vec::new(),
            packer: format::Packer::new()
                .map_err(|source| JournalError::Io { path: dir.to_owned(), source })?,
        })
    }

    /// Appends records as one block and hands them to the operating system: from here on they outlive this process,
    /// though not a power cut.
    ///
    /// # Errors
    /// [`JournalError`]; then none of the records are in the journal.
    pub fn append<'a>(&mut self, records: impl IntoIterator<Item = &'a Record>) -> Result<(), JournalError> {
        if self.is_full {
            return Err(JournalError::Full { limit_bytes: self.journal_bytes_max });
        }
        self.records.clear();
        self.records.shrink_to(2 * BLOCK_BYTES);
        records.into_iter().for_each(|record| format::put_record(record, &mut self.records));
        if self.records.is_empty() { Ok(()) } else { self.write_block() }
    }

    /// Bytes that were written, and that may be.
    #[must_use]
    pub fn bytes(&self) -> (u64, u64) {
        (self.total_bytes, self.journal_bytes_max)
    }

    /// Refuses what would fill the disk. A file system that does not tell what is free is written to until it refuses.
    fn look_at_disk(&mut self) -> Result<(), JournalError> {
        let free_bytes = match self.disk {
            Some((at, free_bytes)) if at.elapsed() < DISK_LOOK_EVERY => free_bytes,
            _ => {
                let told = rustix::fs::statvfs(&self.dir);
                let free_bytes = told.map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
                self.disk = Some((Instant::now(), free_bytes));
                free_bytes
            }
        };
        if free_bytes >= self.disk_free_min {
            return Ok(());
        }
        Err(JournalError::DiskShort { path: self.dir.clone(), free_bytes, left_bytes: self.disk_free_min })
    }

    /// Makes what was appended outlive a power cut.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn sync(&mut self) -> Result<(), JournalError> {
        let path = self.dir.join(segment_name(self.segment));
        self.file.sync_data().map_err(|source| JournalError::Io { path, source })
    }

    fn write_block(&mut self) -> Result<(), JournalError> {
        // Before the work of packing: while the disk is short, all that comes is refused here.
        self.look_at_disk()?;
        let path = self.dir.join(segment_name(self.segment));
        let packed = self.packer.pack(self.sequence, &self.records);
        packed.map_err(|source| JournalError::Io { path: path.clone(), source })?;
        let block_bytes = self.packer.bytes().len() as u64;
        if self.total_bytes + block_bytes > self.journal_bytes_max {
            self.is_full = true;
            return Err(JournalError::Full { limit_bytes: self.journal_bytes_max });
        }
        let full = self.segment_bytes > format::SEGMENT_HEADER_BYTES as u64
            && self.segment_bytes + block_bytes > self.segment_bytes_max;
        if full || self.broken {
            self.next_segment()?;
        }
        if let Err(source) = self.file.write_all(self.packer.bytes()) {
            // Half a block would make what comes after it unreadable.
            let undone = self.file.set_len(self.segment_bytes);
            let undone = undone.and_then(|()| self.file.seek(SeekFrom::Start(self.segment_bytes)));
            self.broken = undone.is_err();
            return Err(JournalError::Io { path, source });
        }
        self.segment_bytes += block_bytes;
        self.total_bytes += block_bytes;
        self.sequence += 1;
        Ok(())
    }

    fn next_segment(&mut self) -> Result<(), JournalError> {
        self.file = new_segment(&self.dir, self.segment + 1)?;
        self.segment += 1;
        self.segment_bytes = format::SEGMENT_HEADER_BYTES as u64;
        self.total_bytes += self.segment_bytes;
        self.broken = false;
        Ok(())
    }
}

fn new_segment(dir: &Path, number: u32) -> Result<File, JournalError> {
    let path = dir.join(segment_name(number));
    let opened = OpenOptions::new().write(true).create_new(true).open(&path);
    let mut file = opened.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => JournalError::NotEmpty(dir.to_owned()),
        _ => JournalError::Io { path: path.clone(), source },
    })?;
    file.write_all(&format::segment_header(number)).map_err(|source| JournalError::Io { path, source })?;
    Ok(file)
}
