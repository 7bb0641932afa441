//! The text of conditions: `STAT{selectors} OP VALUE [for DURATION]`.

use std::ops::Range;

use peakdrill_drill_model::condition::{Condition, Limit, Op, Selectors, Stat};

use crate::codes::{Code, E0313, E0501, E0502, E0504};
use crate::foreign;

mod value;

/// Where a condition stands; what it may ask for depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Stops the run; looked at every 250 ms.
    Guard,
    /// Decides the verdict; looked at once, over whole phases.
    Gate,
    /// Ends a phase; looked at every 250 ms.
    Until,
    /// What a search aims at; looked at over the window of a probe.
    Objective,
}

/// Why a text is no condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionError {
    /// Its stable code.
    pub code: Code,
    /// One line.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// The bytes of the text that are wrong.
    pub range: Range<usize>,
}

impl std::fmt::Display for ConditionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for ConditionError {}

impl ConditionError {
    fn new(code: Code, message: impl Into<String>, range: Range<usize>) -> Self {
        Self { code, message: message.into(), help: None, range }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

const OPS: [(&str, Op); 6] =
    [("<=", Op::Le), (">=", Op::Ge), ("==", Op::Eq), ("!=", Op::Ne), ("<", Op::Lt), (">", Op::Gt)];

/// Statistics of the language that nothing measures yet.
const LATER: &[&str] =
    &["agents.lost", "agent.cpu", "clock_offset", "recovery_time", "cell_share", "schedule_lag", "prom"];

/// Reads a condition.
///
/// # Errors
/// When the text is none, asks for something unknown, compares with the wrong unit, or cannot stand there.
pub fn parse_condition(text: &str, kind: Kind) -> Result<Condition, ConditionError> {
    let all = 0..text.len();
    let Some((at, sign, op)) = find_op(text) else {
        let found = ConditionError::new(E0501, format!("`{text}` compares with nothing"), all);
        return Err(found.help("write `p99{journey=checkout} < 300ms`"));
    };
    let left = trimmed(text, 0..at);
    let right = trimmed(text, at + sign..text.len());
    let (name, selectors) = split_selectors(text, left)?;
    let stat = statistic(text, name)?;
    let select = selectors.map_or(Ok(Selectors::default()), |range| read_selectors(text, range))?;
    check_place(stat, &select, kind, text)?;
    let (value, lasting) = split_for(text, right);
    if value.is_empty() {
        return Err(ConditionError::new(E0501, "nothing to compare with", value));
    }
    let limit = value::limit(text, value, stat, kind)?;
    if kind == Kind::Objective && matches!(limit, Limit::OfTarget(_)) && select != Selectors::default() {
        let found =
            ConditionError::new(E0504, "what was intended is known of all journeys together", 0..text.len());
        return Err(found.help("remove the selectors"));
    }
    let for_ns = lasting.map_or(Ok(0), |range| value::lasting(text, range, kind))?;
    Ok(Condition { text: text.to_owned(), stat, select, op, limit, for_ns })
}

/// The first comparison outside braces and brackets: its byte, its length, its meaning.
fn find_op(text: &str) -> Option<(usize, usize, Op)> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' | '(' => depth += 1,
            '}' | ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => {
                if let Some((sign, op)) = OPS.iter().find(|(sign, _)| text[at..].starts_with(sign)) {
                    return Some((at, sign.len(), *op));
                }
            }
            _ => {}
        }
    }
    None
}

fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..(start + part.trim().len())
}

type Ranges = (Range<usize>, Option<Range<usize>>);

fn split_selectors(text: &str, left: Range<usize>) -> Result<Ranges, ConditionError> {
    let part = &text[left.clone()];
    let Some(open) = part.find('{') else { return Ok((left, None)) };
    if !part.ends_with('}') {
        return Err(ConditionError::new(E0501, "the selectors have no closing `}`", left));
    }
    let name = trimmed(text, left.start..left.start + open);
    Ok((name, Some(left.start + open + 1..left.end - 1)))
}

fn statistic(text: &str, range: Range<usize>) -> Result<Stat, ConditionError> {
    let name = &text[range.clone()];
    let stat = match name {
        "error_rate" => Stat::ErrorRate,
        "rate" => Stat::Rate,
        "in_flight" => Stat::InFlight,
        "schedule_miss" => Stat::ScheduleMiss,
        "leaks" => Stat::Leaks,
        "ack_missing" => Stat::AckMissing,
        "capacity" => Stat::Capacity,
        "tag_lost" => Stat::TagLost,
        "max" => Stat::Latency(1.0),
        "service_max" => Stat::Service(1.0),
        _ => match name.strip_prefix("service_") {
            Some(rest) => Stat::Service(quantile(rest).ok_or_else(|| unknown(name, range))?),
            None => Stat::Latency(quantile(name).ok_or_else(|| unknown(name, range))?),
        },
    };
    Ok(stat)
}

/// `p99`, `p99.9`, `p(99)` as 0..=1.
fn quantile(name: &str) -> Option<f64> {
    let digits = name.strip_prefix('p')?;
    let digits = digits.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(digits).trim();
    if !digits.starts_with(|c: char| c.is_ascii_digit()) || digits.contains(['e', 'E']) {
        return None;
    }
    let percent: f64 = digits.parse().ok()?;
    // Rounded, so that p99.9 is the same number as a literal 0.999.
    (percent > 0.0 && percent <= 100.0).then(|| (percent * 1e9).round() / 1e11)
}

fn unknown(name: &str, range: Range<usize>) -> ConditionError {
    if LATER.iter().any(|later| name == *later || name.starts_with(&format!("{later}("))) {
        return ConditionError::new(E0313, format!("the statistic `{name}` is not built yet"), range);
    }
    let found = ConditionError::new(E0502, format!("unknown statistic `{name}`"), range);
    if let Some((tool, here)) = foreign::statistic(name) {
        return found.help(format!("this is the name in {tool}; here it is {here}"));
    }
    let known = [
        "error_rate",
        "rate",
        "in_flight",
        "schedule_miss",
        "leaks",
        "ack_missing",
        "capacity",
        "tag_lost",
        "max",
    ];
    match crate::ctx::nearest(name, known) {
        Some(near) => found.help(format!("did you mean `{near}`?")),
        None => found.help("there are p99 (any quantile), max, service_p99, error_rate, rate, in_flight, schedule_miss, leaks, tag_lost, ack_missing, capacity"),
    }
}

fn read_selectors(text: &str, range: Range<usize>) -> Result<Selectors, ConditionError> {
    let mut out = Selectors::default();
    let mut start = range.start;
    for part in text[range.clone()].split(',') {
        let here = trimmed(text, start..start + part.len());
        start += part.len() + 1;
        let wrong = |message: &str| ConditionError::new(E0501, message, here.clone());
        let Some((key, value)) = text[here.clone()].split_once(['=', ':']) else {
            return Err(wrong("a selector is written `journey=NAME` or `step=NAME`"));
        };
        let value = value.trim().trim_matches(['\'', '"']);
        if value.is_empty() {
            return Err(wrong("a selector without a name"));
        }
        let slot = match key.trim() {
            "journey" => &mut out.journey,
            "step" => &mut out.step,
            "cell" | "event" | "target" | "outcome" => {
                let message = format!("the selector `{}` is not built yet", key.trim());
                return Err(ConditionError::new(E0313, message, here));
            }
            "scenario" | "name" | "group" | "url" => {
                let found = ConditionError::new(E0504, format!("unknown selector `{}`", key.trim()), here);
                return Err(found.help("select by `journey=` and `step=`"));
            }
            other => {
                let found = ConditionError::new(E0504, format!("unknown selector `{other}`"), here);
                return Err(found.help("select by `journey=` and `step=`"));
            }
        };
        if slot.replace(value.to_owned()).is_some() {
            return Err(wrong("a selector stands twice"));
        }
    }
    Ok(out)
}

fn check_place(stat: Stat, select: &Selectors, kind: Kind, text: &str) -> Result<(), ConditionError> {
    let all = 0..text.len();
    let selected = select.journey.is_some() || select.step.is_some();
    if stat == Stat::Capacity && kind != Kind::Gate {
        let found = ConditionError::new(E0504, "`capacity` is known only after the run", all);
        return Err(found.help("use it in `gates`"));
    }
    if matches!(stat, Stat::Leaks | Stat::TagLost) && kind == Kind::Objective {
        let message = "a search does not look at this: a leak is no question of the rate";
        return Err(ConditionError::new(E0504, message, all).help("use it in `guards.stop`"));
    }
    if stat == Stat::InFlight && kind == Kind::Gate {
        let message = "`in_flight` is known only while the run lasts: a gate could never be decided by it";
        return Err(ConditionError::new(E0504, message, all).help("use it in `guards.stop`"));
    }
    let whole =
        matches!(stat, Stat::Capacity | Stat::Leaks | Stat::TagLost | Stat::ScheduleMiss | Stat::InFlight);
    if whole && selected {
        return Err(ConditionError::new(
            E0504,
            "this statistic is of the whole run: it takes no selectors",
            all,
        ));
    }
    Ok(())
}

/// Cuts `VALUE for DURATION`.
fn split_for(text: &str, right: Range<usize>) -> Ranges {
    match text[right.clone()].find(" for ") {
        Some(at) => {
            let split = right.start + at;
            (trimmed(text, right.start..split), Some(trimmed(text, split + 5..right.end)))
        }
        None => (right, None),
    }
}

#[cfg(test)]
mod tests;
