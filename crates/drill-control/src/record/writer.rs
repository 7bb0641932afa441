//! Writes the record while the drill runs.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use peakdrill_drill_model::event::{Chain, Event, EventKind};
use peakdrill_drill_model::frame::Frame;
use peakdrill_drill_model::ledger::Ledger;
use peakdrill_drill_model::owners::Owners;
use peakdrill_drill_model::plan::Plan;
use serde::Serialize;

use super::files::{at, write_atomic};
use super::{ENVIRONMENT, EVENTS, FRAMES, ISOLATION, PLAN, SAMPLES};
use crate::error::ControlError;

/// Lines of the event log that are kept for screens.
const RECENT_EVENTS: usize = 50;

/// An open record.
#[derive(Debug)]
pub struct RecordWriter {
    folder: PathBuf,
    frames: File,
    events: File,
    samples: File,
    chain: Chain,
    recent: std::collections::VecDeque<Event>,
}

impl RecordWriter {
    /// Opens a new record. The folder may exist but must not hold a record.
    ///
    /// # Errors
    /// When the folder cannot be made, or holds a record already.
    pub fn create(folder: &Path, plan: &Plan) -> Result<Self, ControlError> {
        std::fs::create_dir_all(folder).map_err(at(folder))?;
        let plan_path = folder.join(PLAN);
        if plan_path.exists() {
            let error = std::io::Error::new(
                std::io::ErrorKind::AlreadyExists,
                "holds a record already: choose another --out",
            );
            return Err(ControlError::Record { path: folder.display().to_string(), error });
        }
        write_json(&plan_path, &super::redact::redacted(plan))?;
        Ok(Self {
            folder: folder.to_path_buf(),
            frames: append(&folder.join(FRAMES))?,
            events: append(&folder.join(EVENTS))?,
            samples: append(&folder.join(SAMPLES))?,
            chain: Chain::default(),
            recent: std::collections::VecDeque::new(),
        })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes what is known of the machine and the generator.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn environment(&self, environment: &impl Serialize) -> Result<(), ControlError> {
        write_json(&self.folder.join(ENVIRONMENT), environment)
    }

    /// Appends frames.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn frames(&mut self, frames: &[Frame]) -> Result<(), ControlError> {
        write_lines(&mut self.frames, &self.folder.join(FRAMES), frames)
    }

    /// Appends samples.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn samples<T: Serialize>(&mut self, samples: &[T]) -> Result<(), ControlError> {
        write_lines(&mut self.samples, &self.folder.join(SAMPLES), samples)
    }

    /// Appends an event.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn event(
        &mut self,
        at_ns: i64,
        t_ns: i64,
        kind: EventKind,
        text: impl Into<String>,
        data: serde_json::Value,
    ) -> Result<(), ControlError> {
        let event = self.chain.next(at_ns, t_ns, kind, text.into(), data);
        write_lines(&mut self.events, &self.folder.join(EVENTS), std::slice::from_ref(&event))?;
        if self.recent.len() == RECENT_EVENTS {
            self.recent.pop_front();
        }
        self.recent.push_back(event);
        Ok(())
    }

    /// The newest events, oldest first.
    pub fn recent(&self) -> impl Iterator<Item = &Event> {
        self.recent.iter()
    }

    /// Writes the ledger as it stands.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn ledger(&self, ledger: &Ledger) -> Result<(), ControlError> {
        write_json(&self.folder.join(ISOLATION), ledger)
    }

    /// Writes the cells.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn cells(&self, bytes: &[u8]) -> Result<(), ControlError> {
        write_atomic(&self.folder.join(super::CELLS), bytes, 0o644)
    }
}

/// Writes who owns the nodes, instead of what the record said of that before.
///
/// # Errors
/// When the file cannot be written.
pub fn keep_owners(folder: &Path, owners: &Owners) -> Result<(), ControlError> {
    write_json(&folder.join(super::OWNERS), owners)
}

/// Notes why a run ended without an end, behind what its log holds.
///
/// # Errors
/// When the log cannot be read or written.
pub fn failed(folder: &Path, why: &str) -> Result<(), ControlError> {
    let path = folder.join(EVENTS);
    let text = std::fs::read_to_string(&path).map_err(at(&path))?;
    let last: Option<Event> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).next_back();
    let mut chain = last.as_ref().map_or_else(Chain::default, Chain::after);
    let (at_ns, t_ns) = last.map_or((0, 0), |last| (last.at_ns, last.t_ns));
    let data = serde_json::json!({ "engine_failed": true });
    let event = chain.next(at_ns, t_ns, EventKind::Run, format!("the drill failed: {why}"), data);
    write_lines(&mut append(&path)?, &path, &[event])
}

fn append(path: &Path) -> Result<File, ControlError> {
    OpenOptions::new().create(true).append(true).open(path).map_err(at(path))
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), ControlError> {
    let json = serde_json::to_string_pretty(value)
        .map_err(|error| ControlError::Record { path: path.display().to_string(), error: error.into() })?;
    write_atomic(path, (json + "\n").as_bytes(), 0o644)
}

/// One write for all lines: a kill tears at most the last line, which readers leave out and report.
fn write_lines<T: Serialize>(file: &mut File, path: &Path, values: &[T]) -> Result<(), ControlError> {
    let mut text = Vec::new();
    for value in values {
        serde_json::to_writer(&mut text, value).map_err(|error| ControlError::Record {
            path: path.display().to_string(),
            error: error.into(),
        })?;
        text.push(b'\n');
    }
    if text.is_empty() { Ok(()) } else { file.write_all(&text).map_err(at(path)) }
}
