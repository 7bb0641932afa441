//! Reads of records what is compared.

use std::path::Path;

use peakdrill_drill_model::frame::Frame;
use peakdrill_reports::{LoadWindows, Side, verdict};

use super::FRAMES;
use super::files::at;
use super::reader::{cells_from, each_line, read};
use crate::error::ControlError;

/// A run, for a comparison.
///
/// # Errors
/// When the folder holds no record, or its frames cannot be read.
pub fn side(folder: &Path) -> Result<Side, ControlError> {
    let mut record = read(folder)?;
    let mut load = LoadWindows::new(&record.plan, record.environment.started_unix_ns, &record.events);
    let frames = folder.join(FRAMES);
    let (_, torn) = each_line(&frames, u64::MAX, |frame: Frame| load.add(&frame)).map_err(at(&frames))?;
    // A record that is still written may be torn in other places by now.
    record.torn_frames = record.torn_frames.max(torn);
    let mut lost_spans = Vec::new();
    let cells = cells_from(folder, &mut lost_spans).map(|(_, cells)| cells);
    let verdict = verdict(&record);
    Ok(Side { verdict, environment: record.environment, plan: record.plan, load, cells, lost_spans })
}
