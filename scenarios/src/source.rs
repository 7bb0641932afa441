//! Byte offsets to files, lines and columns.

use std::cell::RefCell;
use std::rc::Rc;

use crate::node::Span;

/// The texts of a scenario: its own, and behind it those of the files that it includes. Offsets count through all of
/// them, so that a place says which file it is in.
pub(crate) struct Source {
    files: RefCell<Vec<Rc<File>>>,
}

/// A text and where its lines begin.
pub(crate) struct File {
    /// As it is called in findings.
    pub(crate) name: String,
    pub(crate) text: String,
    /// Offset of its first byte.
    pub(crate) base: usize,
    starts: Vec<usize>,
}

impl Source {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        Self { files: RefCell::new(vec![Rc::new(File::new(name, text, 0))]) }
    }

    /// Adds an included file; its nodes' places are to be moved by [`File::base`].
    pub(crate) fn add(&self, name: &str, text: &str) -> Rc<File> {
        let mut files = self.files.borrow_mut();
        let base = files.last().map_or(0, |last| last.base + last.text.len() + 1);
        let file = Rc::new(File::new(name, text, base));
        files.push(Rc::clone(&file));
        file
    }

    /// The scenario's own text, and those that it includes, in order.
    pub(crate) fn files(&self) -> Vec<Rc<File>> {
        self.files.borrow().clone()
    }

    /// The file that an offset is in.
    pub(crate) fn file(&self, byte: usize) -> Rc<File> {
        let files = self.files.borrow();
        let at = files.partition_point(|file| file.base <= byte).max(1);
        files.get(at - 1).cloned().unwrap_or_else(|| Rc::new(File::new("", "", 0)))
    }

    /// Where a piece stands in the text of a span, as an offset from the span's start.
    pub(crate) fn find(&self, span: Span, piece: &str) -> Option<usize> {
        let file = self.file(span.start);
        let text = file.text.get(span.start - file.base..span.end.checked_sub(file.base)?)?;
        text.find(piece)
    }

    /// Line and column of an offset in its file, both from 1, columns in characters.
    pub(crate) fn place(&self, byte: usize) -> (usize, usize) {
        self.file(byte).place(byte)
    }
}

impl File {
    fn new(name: &str, text: &str, base: usize) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let starts = std::iter::once(0).chain(ends).collect();
        Self { name: name.to_owned(), text: text.to_owned(), base, starts }
    }

    pub(crate) fn place(&self, byte: usize) -> (usize, usize) {
        let byte = byte.saturating_sub(self.base).min(self.text.len());
        let line = self.starts.partition_point(|start| *start <= byte).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let column = self.text.get(start..byte).map_or(byte - start, |before| before.chars().count());
        (line, column + 1)
    }

    /// A line's text, without its end.
    pub(crate) fn line(&self, line: usize) -> &str {
        let Some(start) = line.checked_sub(1).and_then(|at| self.starts.get(at)) else { return "" };
        let end = self.starts.get(line).copied().unwrap_or(self.text.len());
        self.text.get(*start..end).unwrap_or("").trim_end_matches(['\n', '\r'])
    }

    /// The offset of a line and column, clamped to the text.
    pub(crate) fn byte(&self, (line, column): (usize, usize)) -> usize {
        let line = line.clamp(1, self.starts.len());
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let text = self.line(line);
        self.base + start + text.char_indices().nth(column.saturating_sub(1)).map_or(text.len(), |(at, _)| at)
    }
}
