//! Diagnostics for people, programs and pull requests.

use std::fmt::Write;

use serde_json::json;

use super::{Diagnostic, Level};

/// Longest underline.
const MAX_CARETS: usize = 200;
/// Version of the JSON rendering.
const JSON_VERSION: u32 = 1;

struct Paint {
    bold: &'static str,
    level: &'static str,
    edge: &'static str,
    off: &'static str,
}

impl Paint {
    fn of(level: Level, color: bool) -> Self {
        match (color, level) {
            (false, _) => Self { bold: "", level: "", edge: "", off: "" },
            (true, Level::Error) => {
                Self { bold: "\x1b[1m", level: "\x1b[1;31m", edge: "\x1b[1;34m", off: "\x1b[0m" }
            }
            (true, Level::Warning) => {
                Self { bold: "\x1b[1m", level: "\x1b[1;33m", edge: "\x1b[1;34m", off: "\x1b[0m" }
            }
        }
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
    }
}

/// The form for people: each finding with its line and carets, then a count.
#[must_use]
pub fn render_human(diagnostics: &[Diagnostic], color: bool) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        human(&mut out, diagnostic, color);
        out.push('\n');
    }
    let errors = diagnostics.iter().filter(|d| d.level == Level::Error).count();
    let warnings = diagnostics.len() - errors;
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    match (errors, warnings) {
        (0, 0) => {}
        (0, w) => _ = writeln!(out, "{}", plural(w, "warning")),
        (e, 0) => _ = writeln!(out, "{}", plural(e, "error")),
        (e, w) => _ = writeln!(out, "{}, {}", plural(e, "error"), plural(w, "warning")),
    }
    out
}

// Writing to a String cannot fail, so the results of `writeln!` are dropped.
fn human(out: &mut String, d: &Diagnostic, color: bool) {
    let Paint { bold, level, edge, off } = Paint::of(d.level, color);
    let number = d.line.to_string();
    let pad = " ".repeat(number.len());
    _ = writeln!(out, "{level}{}[{}]{off}{bold}: {}{off}", word(d.level), d.code, printable(&d.message));
    _ = writeln!(out, "{pad}{edge}-->{off} {}:{}:{}", d.file, d.line, d.column);
    _ = writeln!(out, "{pad} {edge}|{off}");
    _ = writeln!(out, "{edge}{number} |{off} {}", printable(&d.source_line));
    let indent: String = d.source_line.chars().take(d.column - 1).map(|_| ' ').collect();
    let carets = "^".repeat(d.end_column.saturating_sub(d.column).clamp(1, MAX_CARETS));
    let label = if d.label.is_empty() { String::new() } else { format!(" {}", printable(&d.label)) };
    _ = writeln!(out, "{pad} {edge}|{off} {indent}{level}{carets}{label}{off}");
    _ = writeln!(out, "{pad} {edge}|{off}");
    if let Some(help) = &d.help {
        _ = writeln!(out, "{pad} {edge}={off} {bold}help{off}: {}", printable(help));
    }
    for note in &d.notes {
        _ = writeln!(out, "{pad} {edge}={off} {bold}note{off}: {}", printable(note));
    }
    _ = writeln!(out, "{pad} {edge}={off} {bold}note{off}: run `peakdrill explain {}`", d.code);
}

/// A scenario is untrusted text: what would move the cursor or change colours is shown as one blank.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// For programs: one JSON array; each entry carries the version of its form, `v`.
#[must_use]
pub fn render_json(diagnostics: &[Diagnostic]) -> String {
    let list: Vec<_> = diagnostics
        .iter()
        .map(|diagnostic| {
            let mut value = json!({ "v": JSON_VERSION });
            if let (Some(out), Ok(serde_json::Value::Object(fields))) =
                (value.as_object_mut(), serde_json::to_value(diagnostic))
            {
                out.extend(fields);
            }
            value
        })
        .collect();
    format!("{}\n", serde_json::Value::Array(list))
}

/// Workflow commands of GitHub Actions, one line a finding.
#[must_use]
pub fn render_github(diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for d in diagnostics {
        let mut text = d.message.clone();
        if !d.label.is_empty() {
            text = format!("{text}\n{}", d.label);
        }
        if let Some(help) = &d.help {
            text = format!("{text}\nhelp: {help}");
        }
        _ = writeln!(
            out,
            "::{} file={},line={},endLine={},col={},endColumn={},title={}::{}",
            word(d.level),
            property(&d.file),
            d.line,
            d.line,
            d.column,
            d.end_column,
            property(&format!("peakdrill {}", d.code)),
            data(&text)
        );
    }
    out
}

/// Escapes the text after `::`, as the runner's toolkit does.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property's value.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
