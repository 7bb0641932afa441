//! What waits goes into the journal, a block at once; its senders are told, and it is handed on to the fold.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use super::Journalled;
use crate::counters::counter;
use crate::journal::{BLOCK_BYTES, JournalError, JournalWriter};
use crate::net::{Job, Refused};
use crate::record::Event;
use crate::shared::Shared;
use crate::view::JournalRoom;

/// Requests that are written to the journal at once, at most.
pub(super) const GROUP_JOBS_MAX: usize = 256;
/// While nothing else comes, what must be in the journal is tried again so often.
const AGAIN_EVERY: Duration = Duration::from_secs(1);

/// The way through the journal.
pub(super) struct Appending<'a> {
    writer: Option<JournalWriter>,
    out: &'a Sender<Journalled>,
    shared: &'a Shared,
    /// The start of the load, where it was refused: nothing is folded before it is there, and nobody sends it again.
    origin: Option<Job>,
}

impl<'a> Appending<'a> {
    /// Without a writer all of it counts as written.
    pub(super) fn new(
        writer: Option<JournalWriter>,
        out: &'a Sender<Journalled>,
        shared: &'a Shared,
    ) -> Self {
        Self { writer, out, shared, origin: None }
    }

    /// Ends when all senders are gone, or the fold has ended.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        let (mut over, mut is_last) = (None, false);
        while !is_last {
            let first = match over.take() {
                Some(job) => Ok(job),
                None => self.wait(jobs),
            };
            is_last = matches!(first, Err(RecvTimeoutError::Disconnected));
            let mut group: Vec<Job> = self.origin.take().into_iter().chain(first.ok()).collect();
            over = fill(&mut group, jobs);
            if !group.is_empty() && !self.append(group) {
                return;
            }
        }
        if self.origin.is_some() {
            self.shared.count(counter::JOURNAL_LOST, 1);
            tracing::error!("the start of the load could not be written to the journal: nothing is counted");
        }
        if let Some(Err(error)) = self.writer.as_mut().map(JournalWriter::sync) {
            tracing::error!(%error, "journal");
        }
    }

    fn wait(&self, jobs: &Receiver<Job>) -> Result<Job, RecvTimeoutError> {
        match self.origin {
            Some(_) => jobs.recv_timeout(AGAIN_EVERY),
            None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    /// Writes all of it or none. False when the fold has ended.
    fn append(&mut self, group: Vec<Job>) -> bool {
        let written = match &mut self.writer {
            Some(writer) => writer.append(group.iter().map(|job| &job.record)),
            None => Ok(()),
        };
        if let Some(room) = self.writer.as_ref().and_then(|writer| room(&written, writer)) {
            self.shared.journal_has(room);
        }
        match written {
            Ok(()) => group.into_iter().all(|job| self.hand_on(job)),
            Err(error) => {
                // Of these two was told once.
                if !matches!(error, JournalError::Full { .. } | JournalError::DiskShort { .. }) {
                    tracing::error!(%error, "journal");
                }
                let refused = refused(&error);
                group.iter().for_each(|job| self.shared.refuses(job.record.recv_ns));
                group.into_iter().for_each(|job| self.refuse(job, &refused));
                true
            }
        }
    }

    fn hand_on(&self, Job { record, event, charge, ack }: Job) -> bool {
        if let Some(ack) = ack {
            // The client may be gone: what is in the journal counts all the same.
            let _ = ack.send(Ok(()));
        }
        self.shared.wrote(record.recv_ns);
        let journalled = Journalled { event, recv_ns: record.recv_ns, classes: record.classes, charge };
        self.out.send(journalled).is_ok()
    }

    fn refuse(&mut self, mut job: Job, refused: &Refused) {
        if let Some(ack) = job.ack.take() {
            let _ = ack.send(Err(refused.clone()));
        } else if matches!(job.event, Event::Origin(_)) && self.origin.is_none() {
            // The first counts.
            self.origin = Some(job);
        } else {
            self.shared.count(counter::JOURNAL_LOST, 1);
        }
    }
}

/// Takes what waits into a group, up to a block; what comes next and has no room in it is left over.
fn fill(group: &mut Vec<Job>, jobs: &Receiver<Job>) -> Option<Job> {
    let mut bytes: usize = group.iter().map(|job| job.record.payload.len()).sum();
    while group.len() < GROUP_JOBS_MAX
        && let Ok(job) = jobs.try_recv()
    {
        bytes += job.record.payload.len();
        if bytes > BLOCK_BYTES {
            return Some(job);
        }
        group.push(job);
    }
    None
}

/// How much room the journal has after a write. `None`: it was not written for another reason, which says nothing of room.
fn room(written: &Result<(), JournalError>, writer: &JournalWriter) -> Option<JournalRoom> {
    match *written {
        Ok(()) => Some(JournalRoom::of(writer.bytes())),
        Err(JournalError::Full { limit_bytes }) => Some(JournalRoom::Full { bytes_max: limit_bytes }),
        Err(JournalError::DiskShort { free_bytes, .. }) => Some(JournalRoom::DiskShort { free_bytes }),
        Err(JournalError::NotEmpty(_) | JournalError::Io { .. }) => None,
    }
}

fn refused(error: &JournalError) -> Refused {
    match error {
        JournalError::Full { .. } => Refused::Full(error.to_string()),
        JournalError::NotEmpty(_) | JournalError::DiskShort { .. } | JournalError::Io { .. } => {
            Refused::Journal(error.to_string())
        }
    }
}

#[cfg(test)]
mod tests;
