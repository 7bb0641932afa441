//! Writing files so that a reader at any moment finds a whole one.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

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
    let (beside, mut file) = Beside::create(path, mode)?;
    file.write_all(bytes).map_err(at(&beside.path))?;
    drop(file);
    beside.put()
}

/// A file that is written beside its place.
pub(crate) struct Beside {
    path: PathBuf,
    place: PathBuf,
}

impl Beside {
    /// Opens it, in a folder that is made.
    pub(crate) fn create(place: &Path, mode: u32) -> Result<(Self, File), ControlError> {
        if let Some(folder) = place.parent() {
            std::fs::create_dir_all(folder).map_err(at(folder))?;
        }
        let mut path = place.as_os_str().to_owned();
        path.push(".new");
        let path = PathBuf::from(path);
        let mut options = OpenOptions::new();
        let file =
            options.create(true).write(true).truncate(true).mode(mode).open(&path).map_err(at(&path))?;
        Ok((Self { path, place: place.to_owned() }, file))
    }

    /// Moves it to its place, when it is written.
    pub(crate) fn put(self) -> Result<(), ControlError> {
        std::fs::rename(&self.path, &self.place).map_err(at(&self.place))
    }

    /// Where it is going to be.
    pub(crate) fn place(&self) -> &Path {
        &self.place
    }
}
