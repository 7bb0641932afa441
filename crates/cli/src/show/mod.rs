//! How the command speaks: results to stdout, everything else to stderr.

pub(crate) mod lines;

use std::io::{IsTerminal, Write};
use std::path::Path;

use peakdrill_drill_model::verdict::Verdict;

/// Writes a result. A closed pipe is no error of ours.
pub(crate) fn out(text: &str) {
    let mut stdout = anstream::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Writes a remark.
pub(crate) fn note(text: &str) {
    let mut stderr = anstream::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// Writes why a command failed. Diagnostics come with their own `error`.
pub(crate) fn error(text: &str) {
    let lead = if text.starts_with("error") || text.starts_with('\u{1b}') { "" } else { "peakdrill: " };
    note(&format!("{lead}{}\n", text.trim_end()));
}

/// Writes the verdict card.
pub(crate) fn card(verdict: &Verdict, folder: Option<&Path>) {
    let (width, color) = terminal();
    let report = folder.map(|folder| folder.join("report.html").display().to_string());
    out(&peakdrill_reports::card(verdict, width, color, unicode(), report.as_deref()));
}

/// Columns of the terminal, and whether it is one that shows colours.
pub(crate) fn terminal() -> (usize, bool) {
    let color = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    (crossterm_width().unwrap_or(100), color)
}

/// Whether the terminal speaks UTF-8.
pub(crate) fn unicode() -> bool {
    !peakdrill_dashboard::ascii()
}

fn crossterm_width() -> Option<usize> {
    peakdrill_dashboard::terminal_width()
}

/// Flags whose values may hold secrets.
const SECRET_VALUES: [&str; 7] = ["-H", "--header", "-d", "--data", "--set", "--postgres", "--dsn"];

/// The command line without what may be secret.
pub(crate) fn command_line(arguments: impl Iterator<Item = String>) -> String {
    let mut shown = Vec::new();
    let mut hide = false;
    for argument in arguments {
        let flag = argument.split('=').next().unwrap_or_default().to_owned();
        let glued = ["-H", "-d"].iter().any(|short| argument.len() > 2 && argument.starts_with(short));
        if hide {
            shown.push("…".to_owned());
        } else if SECRET_VALUES.contains(&flag.as_str()) && argument.contains('=') {
            shown.push(format!("{flag}=…"));
        } else if glued {
            shown.push(format!("{}…", &argument[..2]));
        } else {
            shown.push(without_query(&argument));
        }
        hide = !hide && SECRET_VALUES.contains(&argument.as_str());
    }
    shown.join(" ")
}

/// An argument; of a URL what stands before its query, which may hold a key.
fn without_query(argument: &str) -> String {
    match argument.split_once('?') {
        Some((before, _)) if before.contains("://") => format!("{before}?…"),
        _ => argument.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let said = [
            "peakdrill",
            "run",
            "--target",
            "http://x/a?token=s3cret",
            "--target=http://x/b?token=s3cret",
            "-H",
            "authorization: s3cret",
            "-ds3cret",
            "--set=a=s3cret",
        ];
        let shown = command_line(said.iter().map(|one| (*one).to_owned()));
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(shown.contains("--target http://x/a?… --target=http://x/b?… -H"), "{shown}");
    }
}
