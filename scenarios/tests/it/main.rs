//! The language from outside.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

mod corpus;
mod grpc;
mod library;
mod meaning;
mod properties;
mod quick;
mod render;
mod schema;

use std::path::{Path, PathBuf};

use peakdrill_scenarios::{Files, Input, Parsed, parse};

/// A folder of data files.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Files for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        std::fs::read(self.0.join(path)).map_err(|_| "no such file".to_owned())
    }
}

pub(crate) fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Reads a text beside the corpus, with nothing set.
pub(crate) fn read(name: &str, text: &str) -> Parsed {
    let files = Folder(here("tests/corpus"));
    parse(&Input { name, text, sets: &[], env: &|_| None, files: &files })
}

/// The corpus by name, in order.
pub(crate) fn corpus() -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = std::fs::read_dir(here("tests/corpus"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    out.sort();
    out
}
