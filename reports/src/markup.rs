//! A page in the making. Fixed text goes in as it is, everything else escaped: there is no third way.

use std::fmt::{self, Display, Write};

/// A HTML or XML text.
#[derive(Debug, Default)]
pub(crate) struct Page(String);

impl Page {
    /// Fixed markup.
    pub(crate) fn raw(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    /// Any text, escaped.
    pub(crate) fn text(&mut self, text: impl Display) {
        // Writing to a String cannot fail.
        let _ = write!(Escaping(&mut self.0), "{text}");
    }

    /// Fixed markup with `{}` for values, which are escaped. A value too few leaves its place empty.
    pub(crate) fn put(&mut self, markup: &'static str, values: &[&dyn Display]) {
        let mut values = values.iter();
        for (index, piece) in markup.split("{}").enumerate() {
            if index > 0
                && let Some(value) = values.next()
            {
                self.text(value);
            }
            self.0.push_str(piece);
        }
        debug_assert!(values.next().is_none(), "a value has no place in {markup}");
    }

    /// The text.
    pub(crate) fn finish(self) -> String {
        self.0
    }
}

struct Escaping<'a>(&'a mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' | '\t' => self.0.push(c),
                // Not allowed in XML, of no use in HTML.
                c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => self.0.push('\u{fffd}'),
                // Would let a name reorder the text around it.
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => self.0.push('\u{fffd}'),
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}
