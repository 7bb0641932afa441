//! What every part of the lowering needs: the text, the variables, and a place for findings.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use peakdrill_drill_model::plan::DataFile;

use crate::codes::{Code, E0421, E0424, E0426};
use crate::diag::{Diagnostic, Level};
use crate::input::Input;
use crate::limits;
use crate::node::{Node, Span};
use crate::source::Source;

mod fields;
mod values;

pub(crate) use fields::Fields;
#[cfg(test)]
pub(crate) use fields::asked;

/// A finding before its place is turned into a line.
#[derive(Debug)]
pub(crate) struct Draft {
    code: Code,
    span: Span,
    message: String,
    label: String,
    help: Option<String>,
    notes: Vec<String>,
}

impl Draft {
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    pub(crate) fn at(mut self, span: Span) -> Self {
        self.span = span;
        self
    }
}

/// Starts a finding.
pub(crate) fn draft(code: Code, span: Span, message: impl Into<String>) -> Draft {
    Draft { code, span, message: message.into(), label: String::new(), help: None, notes: Vec::new() }
}

/// One pass over one scenario.
pub(crate) struct Ctx<'a> {
    pub(crate) input: &'a Input<'a>,
    pub(crate) source: Source,
    drafts: RefCell<Vec<Draft>>,
    /// Declared variables and their values; `None` when the value itself is broken.
    pub(crate) vars: RefCell<BTreeMap<String, Option<String>>>,
    /// Variables that something used.
    pub(crate) used_vars: RefCell<BTreeSet<String>>,
    /// Files whose bytes requests send, each once.
    pub(crate) files: RefCell<Vec<DataFile>>,
    /// What the text took from the environment: part of its hash.
    pub(crate) taken_env: RefCell<BTreeMap<String, String>>,
}

impl<'a> Ctx<'a> {
    pub(crate) fn new(input: &'a Input<'a>) -> Self {
        Self {
            input,
            source: Source::new(input.name, input.text),
            drafts: RefCell::default(),
            vars: RefCell::default(),
            used_vars: RefCell::default(),
            files: RefCell::default(),
            taken_env: RefCell::default(),
        }
    }

    /// Keeps a finding.
    pub(crate) fn push(&self, mut draft: Draft) {
        draft.message = clip(draft.message);
        draft.label = clip(draft.label);
        draft.help = draft.help.map(clip);
        let mut drafts = self.drafts.borrow_mut();
        let known = |d: &Draft| d.code == draft.code && d.span == draft.span && d.message == draft.message;
        // Whether there is an error decides over the plan: it counts apart from warnings.
        let is_warning = draft.code.is_warning();
        let kept = drafts.iter().filter(|kept| kept.code.is_warning() == is_warning).count();
        if kept < limits::MAX_DIAGNOSTICS && !drafts.iter().any(known) {
            drafts.push(draft);
        }
    }

    /// Whether an error was kept.
    pub(crate) fn has_errors(&self) -> bool {
        self.drafts.borrow().iter().any(|draft| !draft.code.is_warning())
    }

    /// The findings, in the order of the text.
    pub(crate) fn into_diagnostics(self) -> Vec<Diagnostic> {
        let mut drafts = self.drafts.into_inner();
        drafts.sort_by_key(|draft| (draft.span.start, draft.code));
        drafts.into_iter().map(|draft| finish(draft, &self.source)).collect()
    }

    /// The place of a piece of text within a scalar; the scalar itself when it cannot be found.
    pub(crate) fn within(&self, node: &Node, piece: &str) -> Span {
        match self.source.find(node.span, piece) {
            Some(at) if !piece.is_empty() => {
                let start = node.span.start + at;
                Span { start, end: start + piece.len() }
            }
            _ => node.span,
        }
    }

    /// Reads a data file that a node names, confined to the scenario's folder.
    pub(crate) fn data_file(&self, node: &Node, path: &str) -> Option<Vec<u8>> {
        if !is_confined(path) {
            let help = "use a path relative to the scenario's folder, without `..`";
            self.push(draft(E0424, node.span, format!("`{path}` leaves the scenario's folder")).help(help));
            return None;
        }
        match self.input.files.read(path) {
            Ok(bytes) if bytes.len() > limits::MAX_DATA_FILE_BYTES => {
                let limit = limits::MAX_DATA_FILE_BYTES >> 20;
                self.push(draft(E0426, node.span, format!("`{path}` is larger than {limit} MiB")));
                None
            }
            Ok(bytes) => Some(bytes),
            Err(why) => {
                self.push(draft(E0421, node.span, format!("cannot read `{path}`: {why}")));
                None
            }
        }
    }
}

/// Whether a path stays in the folder it is relative to, on every platform.
pub(crate) fn is_confined(path: &str) -> bool {
    let drive = path.as_bytes().get(1) == Some(&b':');
    !path.is_empty()
        && !drive
        && !path.starts_with(['/', '\\', '~'])
        && !path.contains('\0')
        && path.split(['/', '\\']).all(|part| part != "..")
}

/// Cuts a text that repeats what a scenario holds: a finding stays small whatever is written.
fn clip(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(limits::MAX_SHOWN_CHARS) {
        text.truncate(end);
        text.push('…');
    }
    text
}

fn finish(draft: Draft, source: &Source) -> Diagnostic {
    let file = source.file(draft.span.start);
    let (line, column) = file.place(draft.span.start);
    let (end_line, end) = file.place(draft.span.end);
    let line_end = file.line(line).chars().count() + 1;
    let end_column = if end_line == line { end } else { line_end };
    Diagnostic {
        level: if draft.code.is_warning() { Level::Warning } else { Level::Error },
        code: draft.code,
        message: draft.message,
        file: file.name.clone(),
        line,
        column,
        end_column: end_column.min(line_end).max(column + 1),
        source_line: clip(file.line(line).to_owned()),
        label: draft.label,
        help: draft.help,
        notes: draft.notes,
    }
}

/// The known word nearest to a written one, when it is near enough to be a slip.
pub(crate) fn nearest<'w>(written: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let far = (written.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&written.to_lowercase(), &word.to_lowercase()), word))
        .filter(|(distance, _)| *distance <= far)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// `a, b or c`.
pub(crate) fn list_of(words: &[&str]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [one] => format!("`{one}`"),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(|word| format!("`{word}`")).collect();
            format!("{} or `{last}`", first.join(", "))
        }
    }
}
