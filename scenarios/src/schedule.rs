//! Load schedules in the words of other tools: a row of calls such as `line(1,100,10m) const(100,5m)`.

use std::fmt::{self, Display};
use std::ops::{Range, RangeInclusive};

use peakdrill_timebase::{NS_PER_MS, format_duration, parse_duration};

use crate::codes::{Code, E0313, E0428};
use crate::limits;

pub mod jmeter;
pub mod tank;

/// Most calls of a schedule.
pub const MAX_SCHEDULE_CALLS: usize = 10_000;
/// Lengths that a part may have.
const LEN_RANGE_NS: RangeInclusive<u64> = NS_PER_MS..=limits::MAX_DURATION_NS;

/// Why a text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleError {
    /// Its stable code.
    pub code: Code,
    /// One line.
    pub message: String,
    /// What to do.
    pub help: String,
    /// The bytes of the text that are wrong.
    pub range: Range<usize>,
}

impl Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for ScheduleError {}

fn wrong(range: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> ScheduleError {
    ScheduleError { code: E0428, message: message.into(), help: help.into(), range }
}

/// Known to the other tool, but nothing here carries it out.
fn not_built(range: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> ScheduleError {
    ScheduleError { code: E0313, ..wrong(range, message, help) }
}

/// `name(argument, argument)`: places in the text.
struct Call {
    name: Range<usize>,
    arguments: Vec<Range<usize>>,
    whole: Range<usize>,
}

/// Cuts a text into calls with blanks between them. `form` says what a call looks like, for messages.
fn calls(text: &str, form: &str) -> Result<Vec<Call>, ScheduleError> {
    let mut out = Vec::new();
    let mut at = 0;
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        if at == text.len() {
            break;
        }
        if out.len() == MAX_SCHEDULE_CALLS {
            return Err(wrong(at..text.len(), "the schedule is too long", "use a `curve` from a CSV file"));
        }
        let rest = &text[at..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let open = at + end + (rest[end..].len() - rest[end..].trim_start().len());
        if end == 0 || !text[open..].starts_with('(') {
            let piece = rest.split_whitespace().next().unwrap_or(rest);
            return Err(wrong(at..at + piece.len(), format!("`{piece}` is no part of a schedule"), form));
        }
        let Some(close) = text[open..].find(')').map(|found| open + found) else {
            return Err(wrong(at..text.len(), "a `(` without its `)`", form));
        };
        let mut start = open + 1;
        let arguments = text[start..close].split(',').map(|part| {
            let here = trimmed(text, start..start + part.len());
            start += part.len() + 1;
            here
        });
        out.push(Call { name: at..at + end, arguments: arguments.collect(), whole: at..close + 1 });
        at = close + 1;
    }
    if out.is_empty() {
        return Err(wrong(0..text.len(), "the schedule is empty", form));
    }
    Ok(out)
}

fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

/// A plain number of at least 0.
fn number(text: &str, range: &Range<usize>) -> Option<f64> {
    let digits = |c: char| c.is_ascii_digit() || c == '.';
    let written = &text[range.clone()];
    written.parse().ok().filter(|n: &f64| written.chars().all(digits) && n.is_finite())
}

fn rate_in_range(per_s: f64, range: &Range<usize>) -> Result<f64, ScheduleError> {
    if per_s > limits::MAX_RATE_PER_S {
        return Err(wrong(range.clone(), "the rate is out of range", "at most 1000000 a second"));
    }
    Ok(per_s)
}

/// A length such as `10m`, `10 min` or `1h30m`. `seconds`: a bare number counts seconds.
fn length(text: &str, range: &Range<usize>, seconds: bool) -> Result<u64, ScheduleError> {
    let written = &text[range.clone()];
    let ns = match number(text, range).filter(|_| seconds) {
        Some(s) => Some((s * 1e9).round() as u64),
        None => parse_duration(&plain_units(written)).ok(),
    };
    let Some(ns) = ns else {
        return Err(wrong(
            range.clone(),
            format!("`{written}` is no length of time"),
            "write `10m` or `90s`",
        ));
    };
    if !LEN_RANGE_NS.contains(&ns) {
        let (low, high) = (format_duration(*LEN_RANGE_NS.start()), format_duration(*LEN_RANGE_NS.end()));
        return Err(wrong(
            range.clone(),
            format!("`{written}` is out of range"),
            format!("must be {low} to {high}"),
        ));
    }
    Ok(ns)
}

/// Spelt-out units as the short ones.
fn plain_units(written: &str) -> String {
    let mut out = written.to_ascii_lowercase();
    for (long, short) in [
        ("seconds", "s"),
        ("second", "s"),
        ("secs", "s"),
        ("sec", "s"),
        ("minutes", "m"),
        ("minute", "m"),
        ("mins", "m"),
        ("min", "m"),
        ("hours", "h"),
        ("hour", "h"),
    ] {
        out = out.replace(long, short);
    }
    out
}

/// A length that [`length`] reads back to the same.
struct Length(u64);

impl Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units =
            [(3_600_000_000_000, "h"), (60_000_000_000, "m"), (1_000_000_000, "s"), (1_000_000, "ms")];
        match units.iter().find(|(size, _)| self.0.is_multiple_of(*size)) {
            Some((size, unit)) => write!(f, "{}{unit}", self.0 / size),
            None => write!(f, "{}ns", self.0),
        }
    }
}
