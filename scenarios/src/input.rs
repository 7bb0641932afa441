//! What a scenario is read from, and what reading gives.

use peakdrill_drill_model::plan::Plan;

use crate::diag::Diagnostic;

/// Data files beside a scenario.
pub trait Files {
    /// The bytes of a file. The path is relative to the scenario's folder and was checked not to leave it by `..`;
    /// whoever implements this still decides about symbolic links.
    ///
    /// # Errors
    /// One line of why not, for a person.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;
}

/// A scenario without data files.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _path: &str) -> Result<Vec<u8>, String> {
        Err("no such file".to_owned())
    }
}

/// Everything that reading a scenario depends on.
pub struct Input<'a> {
    /// The file's name, for diagnostics.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
    /// `--set name=value`, in order: the last of a name counts.
    pub sets: &'a [(String, String)],
    /// The environment: `PEAKDRILL_VAR_name` for variables, and `${env:NAME}`.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The files beside it.
    pub files: &'a dyn Files,
}

/// What reading gives.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The plan; `Some` exactly when no diagnostic is an error.
    pub plan: Option<Plan>,
    /// All findings, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}
