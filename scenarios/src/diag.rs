//! What is wrong, where, and what to do about it.

use serde::Serialize;

use crate::codes::Code;

mod render;

pub use render::{render_github, render_human, render_json};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// There is no plan.
    Error,
    /// There is a plan, with something to look at.
    Warning,
}

/// One finding about a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub level: Level,
    /// Its stable code.
    pub code: Code,
    /// One line.
    pub message: String,
    /// The file's name, as the caller gave it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// One past the last column on the same line.
    pub end_column: usize,
    /// The text of the line.
    pub source_line: String,
    /// What stands under the carets.
    pub label: String,
    /// What to do.
    pub help: Option<String>,
    /// Further facts.
    pub notes: Vec<String>,
}
