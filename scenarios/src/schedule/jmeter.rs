//! JMeter's schedule of an open model: `rate(0/min) even_arrivals(10 min) rate(50/min) pause(1 min)`.
//!
//! `rate` sets the rate at its place. Between two rates, arrivals go straight from one to the other; arrivals with no
//! rate behind them keep the one before. It is 0 at the beginning, and the same after a pause as before it.

use std::fmt::{self, Display};
use std::str::FromStr;

use peakdrill_drill_model::plan::Arrivals;
use peakdrill_drill_model::shape::Piece;

use super::{Call, Length, ScheduleError, calls, length, not_built, number, rate_in_range, trimmed, wrong};

const FORM: &str =
    "write `rate(50/min)`, `random_arrivals(10 min)`, `even_arrivals(10 min)` or `pause(1 min)`";

/// A part of the schedule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Part {
    /// From here on, or up to here: so many a second.
    Rate(f64),
    /// Arrivals, for so many nanoseconds.
    Arrivals(Arrivals, u64),
    /// None, for so many nanoseconds.
    Pause(u64),
}

/// A whole schedule. Its arrivals are all spaced alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Jmeter(Vec<Part>);

impl Jmeter {
    /// The schedule as straight pieces.
    #[must_use]
    pub fn pieces(&self) -> Vec<Piece> {
        let mut out = Vec::new();
        let mut rate = 0.0;
        for (at, part) in self.0.iter().enumerate() {
            match *part {
                Part::Rate(new) => rate = new,
                Part::Pause(len_ns) => out.push(Piece::flat(len_ns, 0.0)),
                Part::Arrivals(_, len_ns) => {
                    let to = if let Some(Part::Rate(to)) = self.0.get(at + 1) { *to } else { rate };
                    out.push(Piece { len_ns, from: rate, to });
                }
            }
        }
        out
    }

    /// How its arrivals are spaced; `None` without any.
    #[must_use]
    pub fn spacing(&self) -> Option<Arrivals> {
        self.0
            .iter()
            .find_map(|part| if let Part::Arrivals(spacing, _) = part { Some(*spacing) } else { None })
    }
}

impl FromStr for Jmeter {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let bare = without_comments(text)?;
        let mut parts = Vec::new();
        let mut spacing = None;
        for call in calls(&bare, FORM)? {
            let part = part(&bare, &call)?;
            if let Part::Arrivals(this, _) = part
                && *spacing.get_or_insert(this) != this
            {
                let message =
                    "random and even arrivals in one schedule are not built: a phase has one spacing";
                return Err(not_built(call.whole, message, "write a phase for each"));
            }
            parts.push(part);
        }
        let lasts = |part: &Part| !matches!(part, Part::Rate(_));
        if !parts.iter().any(lasts) {
            return Err(wrong(0..text.len(), "the schedule takes no time", FORM));
        }
        Ok(Self(parts))
    }
}

/// The text with comments as blanks, so that places stay.
fn without_comments(text: &str) -> Result<String, ScheduleError> {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(found) = text[at..].find("/*").into_iter().chain(text[at..].find("//")).min() {
        let start = at + found;
        let rest = &text[start..];
        let end = if rest.starts_with("/*") {
            let close = rest.find("*/").map(|close| start + close + 2);
            close.ok_or_else(|| wrong(start..text.len(), "a comment without its end", "write `*/`"))?
        } else {
            rest.find('\n').map_or(text.len(), |end| start + end)
        };
        out.push_str(&text[at..start]);
        out.extend(std::iter::repeat_n(' ', end - start));
        at = end;
    }
    out.push_str(&text[at..]);
    Ok(out)
}

fn part(text: &str, call: &Call) -> Result<Part, ScheduleError> {
    let name = &text[call.name.clone()];
    if !matches!(name, "rate" | "random_arrivals" | "even_arrivals" | "pause") {
        return Err(wrong(call.name.clone(), format!("`{name}` is no part of a JMeter schedule"), FORM));
    }
    let [argument] = call.arguments.as_slice() else {
        return Err(wrong(call.whole.clone(), format!("`{name}` takes one value"), FORM));
    };
    match name {
        "rate" => rate(text, argument.clone()).map(Part::Rate),
        "pause" => length(text, argument, false).map(Part::Pause),
        _ => {
            let spacing = if name == "even_arrivals" { Arrivals::Even } else { Arrivals::Poisson };
            length(text, argument, false).map(|len_ns| Part::Arrivals(spacing, len_ns))
        }
    }
}

fn rate(text: &str, range: std::ops::Range<usize>) -> Result<f64, ScheduleError> {
    let no_rate = || wrong(range.clone(), format!("`{}` is no rate", &text[range.clone()]), "write `50/min`");
    let slash = text[range.clone()].find('/').ok_or_else(no_rate)?;
    let count = number(text, &trimmed(text, range.start..range.start + slash)).ok_or_else(no_rate)?;
    let seconds = match text[range.start + slash + 1..range.end].trim() {
        "ms" => 1e-3,
        "s" | "sec" | "second" => 1.0,
        "m" | "min" | "minute" => 60.0,
        "h" | "hour" => 3600.0,
        "d" | "day" => 86_400.0,
        _ => return Err(no_rate()),
    };
    rate_in_range(count / seconds, &range)
}

impl Display for Jmeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            match *part {
                Part::Rate(per_s) => write!(f, "rate({per_s}/sec)"),
                Part::Arrivals(Arrivals::Even, ns) => write!(f, "even_arrivals({})", Length(ns)),
                Part::Arrivals(Arrivals::Poisson, ns) => write!(f, "random_arrivals({})", Length(ns)),
                Part::Pause(ns) => write!(f, "pause({})", Length(ns)),
            }?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: u64 = 1_000_000_000;

    fn pieces(text: &str) -> Vec<(u64, f64, f64)> {
        let jmeter: Jmeter = text.parse().unwrap();
        jmeter.pieces().iter().map(|piece| (piece.len_ns / S, piece.from, piece.to)).collect()
    }

    #[test]
    fn the_words_of_its_manual_mean_what_they_say() {
        let ramp = pieces("rate(5/sec) random_arrivals(10 min) rate(15/sec)");
        assert_eq!(ramp, [(600, 5.0, 15.0)]);
        let flat_then_up = pieces("rate(3/sec) random_arrivals(1 min) random_arrivals(2 min) rate(6/sec)");
        assert_eq!(flat_then_up, [(60, 3.0, 3.0), (120, 3.0, 6.0)]);
        let restored = pieces("rate(2/s) pause(2 min) even_arrivals(5 s)");
        assert_eq!(restored, [(120, 0.0, 0.0), (5, 2.0, 2.0)]);
        let jump = pieces("even_arrivals(1 h) rate(60/min) rate(7200/hour) // up\n even_arrivals(1m)/* é */");
        assert_eq!(jump, [(3600, 0.0, 1.0), (60, 2.0, 2.0)]);
        let even: Jmeter = "rate(1/s) even_arrivals(1s)".parse().unwrap();
        assert_eq!(even.spacing(), Some(Arrivals::Even));
    }

    #[test]
    fn errors_point_at_their_place() {
        for (text, piece) in [
            ("rate(5) even_arrivals(1 s)", "5"),
            ("rate(5/week) even_arrivals(1 s)", "5/week"),
            ("rate(5/s) even_arrivals(10)", "10"),
            ("rate(5/s) odd_arrivals(10 s)", "odd_arrivals"),
            ("rate(5/s) even_arrivals(1 s) random_arrivals(1 s)", "random_arrivals(1 s)"),
            ("rate(5/s)", "rate(5/s)"),
            ("rate(5/s, 6/s) pause(1 s)", "rate(5/s, 6/s)"),
            ("rate(5/s) /* open", "/* open"),
        ] {
            let error = text.parse::<Jmeter>().unwrap_err();
            assert_eq!(&text[error.range.clone()], piece, "{error}");
        }
    }

    fn any_schedule() -> impl Strategy<Value = Jmeter> {
        let time = || 1_000_000..86_400 * S;
        let part = move |spacing: Arrivals| {
            prop_oneof![
                (0.0..1e6_f64).prop_map(Part::Rate),
                time().prop_map(move |ns| Part::Arrivals(spacing, ns)),
                time().prop_map(Part::Pause),
            ]
        };
        let parts = prop_oneof![Just(Arrivals::Even), Just(Arrivals::Poisson)]
            .prop_flat_map(move |spacing| proptest::collection::vec(part(spacing), 1..8));
        (parts, time()).prop_map(|(mut parts, ns)| {
            parts.push(Part::Pause(ns));
            Jmeter(parts)
        })
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(jmeter in any_schedule()) {
            prop_assert_eq!(jmeter.to_string().parse::<Jmeter>().unwrap(), jmeter);
        }

        #[test]
        fn no_text_panics(text in "[a-z_(), 0-9./*é]{0,60}") {
            if let Err(error) = text.parse::<Jmeter>() {
                prop_assert!(text.get(error.range).is_some());
            }
        }
    }
}
