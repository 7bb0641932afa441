//! Writing files so that a reader at any moment finds a whole one.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::error::ControlError;

/// An I/O error with its place.
pub(crate) fn at(path: &Path) -> impl FnOnce(std::io::Error) -> ControlError + '_ {
    move |error| ControlError::Record { path: path.display().to_string(), error }
}

/// Writes a file beside its place and moves it there.
///
/// # Errors
/// When it cannot be written or moved.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<(), ControlError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(at(folder))?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = Path::new(&beside);
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(mode)
        .open(beside)
        .map_err(at(beside))?;
    file.write_all(bytes).map_err(at(beside))?;
    drop(file);
    std::fs::rename(beside, path).map_err(at(path))
}
