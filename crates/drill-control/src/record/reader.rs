//! Reads a record, whole or torn, and renders it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;

use peakdrill_bottleneck::{Cells, analyse, calls_under_load};
use peakdrill_collector::{CellsFile, Limits, replay};
use peakdrill_drill_model::event::Event;
use peakdrill_drill_model::exit::Exit;
use peakdrill_drill_model::frame::Frame;
use peakdrill_drill_model::ledger::Ledger;
use peakdrill_drill_model::owners::{OWNERS_VERSION, Owners};
use peakdrill_drill_model::plan::{Plan, Report};
use peakdrill_drill_model::verdict::Verdict;
use peakdrill_reports::{Environment, Record, Together, html, junit, markdown, verdict, verdict_json};
use serde::de::DeserializeOwned;

use super::files::{at, write_atomic};
use super::{CELLS, ENVIRONMENT, EVENTS, FRAMES, ISOLATION, JOURNAL, OWNERS, PLAN, SAMPLES};
use crate::arrivals::Arrivals;
use crate::error::ControlError;
use peakdrill_drill_model::timeline::Timeline;

/// Reads what is there; what is not is named in `missing`.
///
/// # Errors
/// When the folder holds no plan: then it is no record.
pub fn read(folder: &Path) -> Result<Record, ControlError> {
    let mut missing = Vec::new();
    let plan = plan(folder)?;
    let (events, _) = lines::<Event>(folder, EVENTS, &mut missing);
    let Load { frames, arrivals, torn: torn_frames } = load(folder, &mut missing);
    let environment: Option<Environment> = whole(folder, ENVIRONMENT, &mut missing);
    let environment = environment.unwrap_or_default();
    let (timeline, _) = Timeline::of_record(&plan.load, environment.started_unix_ns, &events);
    // Most records have none.
    let kept = folder.join(OWNERS).exists().then(|| whole(folder, OWNERS, &mut missing)).flatten();
    let owners = kept.and_then(|owners| known(owners, &mut missing)).unwrap_or_default();
    let cells = cells_from(folder, &mut missing).map(|(_, cells)| cells);
    let mut input = crate::snapshot::analysis_input(&plan, &timeline, &arrivals);
    input.owners = owners.teams();
    let (samples, _) = lines(folder, SAMPLES, &mut missing);
    let over = events.iter().any(|event| event.data["over"] == true || event.data["refused"] == true);
    if !over {
        missing.push(
            "the end of the run: it was killed, or still runs; figures are those up to its last second"
                .into(),
        );
    }
    let told = folder.join(ISOLATION).exists();
    let ledger: Option<Ledger> = told.then(|| whole(folder, ISOLATION, &mut missing)).flatten();
    if !told && plan.shadow.is_some() {
        missing.push(format!("{ISOLATION}: no ledger was received"));
    }
    Ok(Record {
        environment,
        frames,
        torn_frames,
        analysis: cells.as_ref().map(|cells| analyse(cells, &input)),
        calls: cells.map_or_else(Vec::new, |cells| calls_under_load(&cells, &input)),
        owners,
        events,
        torn_ledger: told && ledger.is_none(),
        ledger,
        samples,
        plan,
        ended: over,
        missing,
    })
}

/// The owners, if they are of the version that is read here.
fn known(owners: Owners, missing: &mut Vec<String>) -> Option<Owners> {
    if owners.v == OWNERS_VERSION {
        return Some(owners);
    }
    missing.push(format!("{OWNERS}: has version {}; expected {OWNERS_VERSION}", owners.v));
    None
}

/// The plan: without it a folder is no record.
///
/// # Errors
/// When it is not there, or is no plan.
pub fn plan(folder: &Path) -> Result<Plan, ControlError> {
    let path = folder.join(PLAN);
    let text = std::fs::read_to_string(&path).map_err(at(&path))?;
    serde_json::from_str(&text).map_err(|error| at(&path)(error.into()))
}

/// The cells as they were kept, and the start of the load (Unix nanoseconds); for a torn record those of the journal,
/// which are the same.
pub(super) fn cells_from(folder: &Path, missing: &mut Vec<String>) -> Option<(Option<i64>, Arc<Cells>)> {
    if let Ok(bytes) = std::fs::read(folder.join(CELLS)) {
        match CellsFile::from_bytes(&bytes) {
            Ok(file) => return Some((file.origin_ns, file.cells)),
            Err(error) => missing.push(format!("{CELLS}: {error}")),
        }
    }
    let journal = folder.join(JOURNAL);
    if !journal.exists() {
        return None;
    }
    match replay(&journal, Limits::default()) {
        Ok(replayed) => {
            missing.extend(replayed.missing);
            Some((replayed.origin_ns, replayed.cells))
        }
        Err(error) => {
            missing.push(format!("{JOURNAL}: {error}"));
            None
        }
    }
}

/// Folds the cells of a run that is over anew when they are gone. A journal with a gap, or of a run of which
/// something was set aside, is left to [`read`], which says so each time.
fn restore_cells(folder: &Path) -> Result<(), ControlError> {
    let (path, journal) = (folder.join(CELLS), folder.join(JOURNAL));
    if path.exists() || !journal.exists() {
        return Ok(());
    }
    let Ok(replayed) = replay(&journal, Limits::default()) else { return Ok(()) };
    if !replayed.missing.is_empty() {
        return Ok(());
    }
    let file = CellsFile::new(replayed.origin_ns, replayed.cells);
    let bytes = file.to_bytes().map_err(|error| ControlError::Collector(error.to_string()))?;
    write_atomic(&path, &bytes, 0o644)
}

fn whole<T: DeserializeOwned>(folder: &Path, name: &str, missing: &mut Vec<String>) -> Option<T> {
    let text = match std::fs::read(folder.join(name)) {
        Ok(text) => text,
        Err(error) => {
            missing.push(not_read(name, &error));
            return None;
        }
    };
    serde_json::from_slice(&text).map_err(|error| missing.push(format!("{name}: {error}"))).ok()
}

/// Reads lines; torn or foreign ones are left out, reported and counted.
fn lines<T: DeserializeOwned>(folder: &Path, name: &str, missing: &mut Vec<String>) -> (Vec<T>, u64) {
    let mut read = Vec::new();
    let bad = match each_line(&folder.join(name), u64::MAX, |value| read.push(value)) {
        Ok((_, bad)) => bad,
        Err(error) => {
            missing.push(not_read(name, &error));
            return (Vec::new(), 0);
        }
    };
    tell_torn(name, bad, missing);
    (read, bad)
}

fn not_read(name: &str, error: &std::io::Error) -> String {
    if error.kind() == std::io::ErrorKind::NotFound {
        return format!("{name}: not there");
    }
    format!("{name}: cannot be read: {error}")
}

fn tell_torn(name: &str, bad: u64, missing: &mut Vec<String>) {
    if bad > 0 {
        missing.push(format!("{name}: {bad} lines are torn or unreadable and were left out"));
    }
}

/// Reads the lines in the first bytes of a file: how many bytes that were, and how many lines are no such value.
pub(super) fn each_line<T: DeserializeOwned>(
    path: &Path,
    bytes: u64,
    mut take: impl FnMut(T),
) -> std::io::Result<(u64, u64)> {
    let mut file = BufReader::new(File::open(path)?.take(bytes));
    let (mut read, mut bad, mut line) = (0, 0, Vec::new());
    loop {
        line.clear();
        let count = file.read_until(b'\n', &mut line)?;
        if count == 0 {
            return Ok((read, bad));
        }
        read += count as u64;
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        match serde_json::from_slice(text) {
            _ if text.is_empty() => {}
            Ok(value) => take(value),
            Err(_) => bad += 1,
        }
    }
}

/// What a record knows of the load.
#[derive(Default)]
struct Load {
    frames: Vec<Frame>,
    arrivals: Arrivals,
    /// Lines that could not be read.
    torn: u64,
}

/// The frames are read twice: what may be put together depends on how long the load was.
fn load(folder: &Path, missing: &mut Vec<String>) -> Load {
    let path = folder.join(FRAMES);
    let mut last = 0;
    let first = each_line(&path, u64::MAX, |frame: Frame| last = last.max(frame.second));
    let (mut together, mut arrivals) = (Together::new(last), Arrivals::default());
    // A run that still writes is read as far as it was at first.
    let second = first.and_then(|(bytes, _)| {
        each_line(&path, bytes, |frame: Frame| {
            arrivals.add_frame(&frame);
            together.add(frame);
        })
    });
    match second {
        Ok((_, torn)) => {
            tell_torn(FRAMES, torn, missing);
            Load { frames: together.finish(), arrivals, torn }
        }
        Err(error) => {
            missing.push(not_read(FRAMES, &error));
            Load::default()
        }
    }
}

/// A record that was rendered.
#[derive(Debug)]
pub struct Rendered {
    /// Its verdict.
    pub verdict: Verdict,
    /// How the command that ran it ends.
    pub exit: Exit,
    /// What of the record is not there or could not be read, in words.
    pub missing: Vec<String>,
}

/// Makes the renderings anew in the record's folder.
///
/// # Errors
/// When the record cannot be read or a rendering cannot be written.
pub fn rerender(folder: &Path) -> Result<Rendered, ControlError> {
    let record = read(folder)?;
    if record.ended {
        restore_cells(folder)?;
    }
    let verdict = verdict(&record);
    let exit = peakdrill_reports::exit(&verdict, &record);
    let write = |name: &str, text: &str| write_atomic(&folder.join(name), text.as_bytes(), 0o644);
    write("verdict.json", &verdict_json(&verdict))?;
    write("report.html", &html(&record, &verdict))?;
    write("junit.xml", &junit(&verdict, &record))?;
    write("summary.md", &markdown(&verdict, &record))?;
    Ok(Rendered { verdict, exit, missing: record.missing })
}

/// Copies the renderings to where the plan wants them. Only the run itself does so: a record from elsewhere
/// must not say where its reader's files go.
///
/// # Errors
/// When a rendering is not there, or its copy cannot be written.
pub fn publish(folder: &Path, reports: &[Report]) -> Result<(), ControlError> {
    for report in reports {
        let (name, path) = match report {
            Report::Html(path) => ("report.html", path),
            Report::Junit(path) => ("junit.xml", path),
            Report::Markdown(path) => ("summary.md", path),
            Report::Json(path) => ("verdict.json", path),
        };
        let from = folder.join(name);
        let bytes = std::fs::read(&from).map_err(at(&from))?;
        write_atomic(Path::new(path), &bytes, 0o644)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_that_cannot_be_read_is_not_one_that_never_came() {
        let folder = tempfile::tempdir().unwrap();
        let mut plan = crate::testing::plan();
        plan.shadow = Some(crate::testing::shadow());
        let writer = super::super::RecordWriter::create(folder.path(), &plan).unwrap();
        let read = || {
            let record = read(folder.path()).unwrap();
            let of_ledger = record.missing.iter().find(|text| text.starts_with(ISOLATION)).cloned();
            (record.ledger.is_some(), record.torn_ledger, of_ledger)
        };
        assert_eq!(read(), (false, false, Some(format!("{ISOLATION}: no ledger was received"))));
        writer.ledger(&Ledger::default()).unwrap();
        assert_eq!(read(), (true, false, None));
        let path = folder.path().join(ISOLATION);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let (there, torn, why) = read();
        assert!(!there && torn && why.is_some_and(|why| !why.contains("received")));
    }

    #[test]
    fn owners_of_another_version_are_missing() {
        let mut missing = Vec::new();
        assert!(known(Owners::default(), &mut missing).is_some());
        assert!(known(Owners { v: 2, ..Owners::default() }, &mut missing).is_none());
        assert_eq!(missing, ["owners.json: has version 2; expected 1"]);
    }
}
