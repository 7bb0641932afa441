//! Nanoseconds inside, written units outside.

use serde::{Deserialize, Serialize};

/// Nanoseconds in a microsecond.
pub const NS_PER_US: u64 = 1_000;
/// Nanoseconds in a millisecond.
pub const NS_PER_MS: u64 = 1_000_000;
/// Nanoseconds in a second.
pub const NS_PER_S: u64 = 1_000_000_000;

/// Monotonic time, in nanoseconds since a fixed arbitrary point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MonoNs(pub u64);

impl MonoNs {
    /// Nanoseconds from `earlier` to this; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This time and so many nanoseconds.
    #[must_use]
    pub fn plus(self, ns: u64) -> Self {
        Self(self.0.saturating_add(ns))
    }
}

/// Wall-clock time, in nanoseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixNs(pub i64);

impl UnixNs {
    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(NS_PER_S as i64)
    }
}

/// Why a written quantity could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitError {
    /// Not a number at all.
    NotANumber,
    /// A number without its unit; what units there are.
    NoUnit(&'static str),
    /// A unit that is not known; what units there are.
    UnknownUnit(&'static str),
    /// Negative, not finite or too large.
    OutOfRange,
}

impl std::fmt::Display for UnitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotANumber => f.write_str("not a number"),
            Self::NoUnit(units) => write!(f, "a unit is missing: {units}"),
            Self::UnknownUnit(units) => write!(f, "unknown unit: use {units}"),
            Self::OutOfRange => f.write_str("out of range"),
        }
    }
}

impl std::error::Error for UnitError {}

const DURATION_UNITS: &str = "ns, us, ms, s, m, h";
const RATE_UNITS: &str = "/s, /min, /h";

fn split_number(text: &str) -> Result<(f64, &str), UnitError> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_')).unwrap_or(text.len());
    let number: f64 = text[..end].replace('_', "").parse().map_err(|_| UnitError::NotANumber)?;
    if !number.is_finite() {
        return Err(UnitError::OutOfRange);
    }
    Ok((number, text[end..].trim()))
}

/// Reads a duration such as `300ms`, `1.5s`, `2h` or `1m30s` into nanoseconds.
///
/// # Errors
/// When a part is no number, has no unit or an unknown one, or the sum exceeds 100 years.
pub fn parse_duration(text: &str) -> Result<u64, UnitError> {
    const LIMIT_NS: f64 = 100.0 * 365.25 * 86_400.0 * 1e9;
    let mut rest = text.trim();
    let mut total = 0.0;
    loop {
        let (number, tail) = split_number(rest)?;
        let end = tail.find(|c: char| !c.is_ascii_alphabetic() && c != 'µ').unwrap_or(tail.len());
        let scale = match &tail[..end] {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" | "min" => 60e9,
            "h" => 3600e9,
            "" if number == 0.0 => 1.0,
            "" => return Err(UnitError::NoUnit(DURATION_UNITS)),
            _ => return Err(UnitError::UnknownUnit(DURATION_UNITS)),
        };
        total += number * scale;
        rest = tail[end..].trim();
        if rest.is_empty() {
            break;
        }
    }
    if total > LIMIT_NS { Err(UnitError::OutOfRange) } else { Ok(total.round() as u64) }
}

/// Reads a rate such as `500/s`, `0.5/s` or `6000/min` into events a second.
///
/// # Errors
/// When it is no number, has no unit or an unknown one, or exceeds 10⁹ a second.
pub fn parse_rate(text: &str) -> Result<f64, UnitError> {
    let (number, unit) = split_number(text)?;
    let per_s = match unit {
        "/s" => number,
        "/m" | "/min" => number / 60.0,
        "/h" => number / 3600.0,
        "" if number == 0.0 => 0.0,
        "" => return Err(UnitError::NoUnit(RATE_UNITS)),
        _ => return Err(UnitError::UnknownUnit(RATE_UNITS)),
    };
    if per_s > 1e9 { Err(UnitError::OutOfRange) } else { Ok(per_s) }
}

/// Writes nanoseconds as a person would: three significant digits and the largest fitting unit.
#[must_use]
pub fn format_duration(ns: u64) -> String {
    let (value, unit) = match ns {
        0..1_000 => return format!("{ns}ns"),
        1_000..1_000_000 => (ns as f64 / 1e3, "µs"),
        1_000_000..1_000_000_000 => (ns as f64 / 1e6, "ms"),
        1_000_000_000..120_000_000_000 => (ns as f64 / 1e9, "s"),
        120_000_000_000..7_200_000_000_000 => (ns as f64 / 60e9, "m"),
        _ => (ns as f64 / 3600e9, "h"),
    };
    format!("{}{unit}", three_digits(value))
}

/// Writes a rate: `120/s`, `11.9k/s`, `0.50/s`.
#[must_use]
pub fn format_rate(per_s: f64) -> String {
    if per_s >= 10_000.0 {
        format!("{}k/s", three_digits(per_s / 1e3))
    } else {
        format!("{}/s", three_digits(per_s))
    }
}

fn three_digits(value: f64) -> String {
    let text = match value {
        v if v >= 99.95 => format!("{v:.0}"),
        v if v >= 9.995 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_people_write() {
        assert_eq!(parse_duration("300ms"), Ok(300 * NS_PER_MS));
        assert_eq!(parse_duration("1m30s"), Ok(90 * NS_PER_S));
        assert_eq!(parse_duration("30"), Err(UnitError::NoUnit(DURATION_UNITS)));
        assert_eq!(parse_duration("3 parsecs"), Err(UnitError::UnknownUnit(DURATION_UNITS)));
        assert_eq!(parse_rate("6_000/min"), Ok(100.0));
        assert_eq!(parse_rate("500"), Err(UnitError::NoUnit(RATE_UNITS)));
        assert_eq!(parse_rate("-1/s"), Err(UnitError::NotANumber));
    }

    #[test]
    fn writes_what_people_read() {
        assert_eq!(format_duration(1_500_000), "1.5ms");
        assert_eq!(format_duration(90 * NS_PER_S), "90s");
        assert_eq!(format_rate(120_000.0), "120k/s");
        assert_eq!(format_rate(0.5), "0.5/s");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = parse_duration(&text);
            let _ = parse_rate(&text);
        }

        #[test]
        fn milliseconds_round_trip(ms in 0_u64..1_000_000_000) {
            prop_assert_eq!(parse_duration(&format!("{ms}ms")), Ok(ms * NS_PER_MS));
        }
    }
}
