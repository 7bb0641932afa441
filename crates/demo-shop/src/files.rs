//! Files that are never half written.

use std::io::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::Error;

/// Writes the value as JSON in one step: whoever reads sees the old file or the new one.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| Error::content(path, error))?;
    text.push(b'\n');
    let beside = path.with_extension("json.new");
    std::fs::write(&beside, text).map_err(Error::file(&beside))?;
    std::fs::rename(&beside, path).map_err(Error::file(path))
}

/// Adds a line at the end of a file.
pub(crate) fn append_line(path: &Path, line: &str) -> Result<(), Error> {
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes())).map_err(Error::file(path))
}

/// Reads a text file that must not be longer than the limit.
pub(crate) fn read_text(path: &Path, max_bytes: u64) -> Result<String, Error> {
    let length = std::fs::metadata(path).map_err(Error::file(path))?.len();
    if length > max_bytes {
        return Err(Error::content(path, format!("longer than {max_bytes} bytes")));
    }
    std::fs::read_to_string(path).map_err(Error::file(path))
}
