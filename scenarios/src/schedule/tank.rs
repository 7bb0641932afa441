//! Yandex Tank's schedule: `line(1,100,10m) const(100,5m) step(5,25,5,60s)`. Rates are a second, bare lengths seconds.

use std::fmt::{self, Display};
use std::str::FromStr;

use peakdrill_drill_model::shape::Piece;

use super::{Call, Length, ScheduleError, calls, length, number, rate_in_range, wrong};
use crate::limits;

const FORM: &str = "write `line(from,to,time)`, `const(rate,time)` or `step(from,to,by,time)`";

/// A part of the schedule. Rates are a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Part {
    /// Straight from one rate to another.
    Line {
        /// At the start.
        from: f64,
        /// At the end.
        to: f64,
        /// How long.
        for_ns: u64,
    },
    /// One rate.
    Const {
        /// The rate.
        rate: f64,
        /// How long.
        for_ns: u64,
    },
    /// A staircase, up or down.
    Step {
        /// First stair.
        from: f64,
        /// Last stair.
        to: f64,
        /// Height of a stair.
        by: f64,
        /// Length of a stair.
        every_ns: u64,
    },
}

/// A whole schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Tank(pub Vec<Part>);

impl Tank {
    /// The schedule as straight pieces.
    #[must_use]
    pub fn pieces(&self) -> Vec<Piece> {
        let mut out = Vec::new();
        for part in &self.0 {
            match *part {
                Part::Line { from, to, for_ns } => out.push(Piece { len_ns: for_ns, from, to }),
                Part::Const { rate, for_ns } => out.push(Piece::flat(for_ns, rate)),
                Part::Step { from, to, by, every_ns } => {
                    let count = stairs(from, to, by);
                    let stair = |k: u32| {
                        let up = by * f64::from(k);
                        Piece::flat(
                            every_ns,
                            if to < from { (from - up).max(to) } else { (from + up).min(to) },
                        )
                    };
                    out.extend((0..count).map(stair));
                }
            }
        }
        out
    }
}

/// The last stair is the first that reaches the end.
fn stairs(from: f64, to: f64, by: f64) -> u32 {
    // A hair below, so that an end which is an exact multiple gets no extra stair.
    (((to - from).abs() / by - 1e-9).ceil().clamp(0.0, limits::MAX_STAIRS)) as u32 + 1
}

impl FromStr for Tank {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        calls(text, FORM)?.iter().map(|call| part(text, call)).collect::<Result<_, _>>().map(Self)
    }
}

fn part(text: &str, call: &Call) -> Result<Part, ScheduleError> {
    let name = &text[call.name.clone()];
    let wanted = match name {
        "line" => 3,
        "const" => 2,
        "step" => 4,
        _ => {
            return Err(wrong(call.name.clone(), format!("`{name}` is no part of a Tank schedule"), FORM));
        }
    };
    if call.arguments.len() != wanted {
        let message = format!("`{name}` takes {wanted} values, not {}", call.arguments.len());
        return Err(wrong(call.whole.clone(), message, FORM));
    }
    let rate = |at: usize| {
        let range = call.arguments.get(at).cloned().unwrap_or_default();
        match number(text, &range) {
            Some(rate) => rate_in_range(rate, &range),
            None => {
                let message = format!("`{}` is no rate", &text[range.clone()]);
                Err(wrong(range, message, "write a bare number: Tank's rates are a second"))
            }
        }
    };
    let time = |at: usize| length(text, &call.arguments.get(at).cloned().unwrap_or_default(), true);
    match name {
        "line" => Ok(Part::Line { from: rate(0)?, to: rate(1)?, for_ns: time(2)? }),
        "const" => Ok(Part::Const { rate: rate(0)?, for_ns: time(1)? }),
        _ => {
            let (from, to, by) = (rate(0)?, rate(1)?, rate(2)?);
            if by <= 0.0 || (to - from).abs() / by > limits::MAX_STAIRS {
                let message = format!(
                    "the height of a stair must be above 0, with at most {} stairs",
                    limits::MAX_STAIRS
                );
                return Err(wrong(call.arguments.get(2).cloned().unwrap_or_default(), message, FORM));
            }
            Ok(Part::Step { from, to, by, every_ns: time(3)? })
        }
    }
}

impl Display for Tank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            match *part {
                Part::Line { from, to, for_ns } => write!(f, "line({from},{to},{})", Length(for_ns)),
                Part::Const { rate, for_ns } => write!(f, "const({rate},{})", Length(for_ns)),
                Part::Step { from, to, by, every_ns } => {
                    write!(f, "step({from},{to},{by},{})", Length(every_ns))
                }
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

    #[test]
    fn the_words_of_its_manual_mean_what_they_say() {
        let tank: Tank =
            "line(1, 100, 10m) const(100,5m)\n step(5,25,5,60) step(25, 4, 10, 1m30s)".parse().unwrap();
        let pieces = tank.pieces();
        assert_eq!(pieces[0], Piece { len_ns: 600 * S, from: 1.0, to: 100.0 });
        assert_eq!(pieces[1], Piece::flat(300 * S, 100.0));
        let rates: Vec<f64> = pieces[2..].iter().map(|piece| piece.from).collect();
        assert_eq!(rates, [5.0, 10.0, 15.0, 20.0, 25.0, 25.0, 15.0, 5.0, 4.0]);
        assert_eq!((pieces[2].len_ns, pieces[8].len_ns), (60 * S, 90 * S));
    }

    #[test]
    fn errors_point_at_their_place() {
        for (text, piece) in [
            ("line(1,100,10m) cons(100,5m)", "cons"),
            ("line(1,100) const(1,1)", "line(1,100)"),
            ("const(5/s,10m)", "5/s"),
            ("const(5,10 parsecs)", "10 parsecs"),
            ("const(5,25h)", "25h"),
            ("const(-5,5)", "-5"),
            ("step(1,5,0,10)", "0"),
            ("const(2000000,5)", "2000000"),
            ("const(5,5) ramp", "ramp"),
            ("const(5,5", "const(5,5"),
            ("  ", "  "),
        ] {
            let error = text.parse::<Tank>().unwrap_err();
            assert_eq!(&text[error.range.clone()], piece, "{error}");
        }
    }

    fn any_part() -> impl Strategy<Value = Part> {
        let rate = || 0.0..1e6_f64;
        let time = || 1_000_000..86_400 * S;
        prop_oneof![
            (rate(), rate(), time()).prop_map(|(from, to, for_ns)| Part::Line { from, to, for_ns }),
            (rate(), time()).prop_map(|(rate, for_ns)| Part::Const { rate, for_ns }),
            (rate(), rate(), 200.0..1e6_f64, time()).prop_map(|(from, to, by, every_ns)| Part::Step {
                from,
                to,
                by,
                every_ns
            }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(parts in proptest::collection::vec(any_part(), 1..8)) {
            let tank = Tank(parts);
            prop_assert_eq!(tank.to_string().parse::<Tank>().unwrap(), tank);
        }

        #[test]
        fn no_text_panics(text in "[a-z(), 0-9.µé]{0,60}") {
            if let Err(error) = text.parse::<Tank>() {
                prop_assert!(text.get(error.range).is_some());
            }
        }
    }
}
