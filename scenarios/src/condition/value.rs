//! The right side of a condition, in the unit of its statistic.

use std::ops::Range;

use peakdrill_drill_model::condition::{Limit, Stat};
use peakdrill_timebase::{NS_PER_S, UnitError, parse_duration, parse_rate};

use super::{ConditionError, Kind};
use crate::codes::{E0313, E0401, E0403, E0501, E0503, E0504};

/// Longest `for`.
const MAX_LASTING_NS: u64 = 3_600 * NS_PER_S;

/// Reads what a statistic is compared with.
pub(super) fn limit(
    text: &str,
    range: Range<usize>,
    stat: Stat,
    kind: Kind,
) -> Result<Limit, ConditionError> {
    let written = &text[range.clone()];
    if written.starts_with("baseline") {
        let message = "comparing with a baseline is not built yet";
        return Err(ConditionError::new(E0313, message, range));
    }
    if written.contains(" within ") {
        return Err(ConditionError::new(E0313, "`within` is not built yet", range));
    }
    let intended = written.strip_suffix("of intended");
    if intended.is_some() && kind != Kind::Objective {
        let message =
            "`of intended` compares answers with what was intended, in the `objective` of a search alone";
        return Err(ConditionError::new(E0504, message, range).help("write `of target`"));
    }
    if let Some(share) = written.strip_suffix("of target").or(intended) {
        if stat != Stat::Rate {
            let message = "only `rate` compares with the target: the planned rate";
            return Err(ConditionError::new(E0503, message, range));
        }
        return share_of(share.trim(), range, f64::INFINITY).map(Limit::OfTarget);
    }
    let value = match stat {
        Stat::Latency(_) | Stat::Service(_) => duration(written, range)? as f64,
        Stat::ErrorRate | Stat::ScheduleMiss | Stat::AckMissing => share_of(written, range, 1.0)?,
        Stat::Rate | Stat::Capacity => rate(written, range)?,
        Stat::InFlight | Stat::Leaks | Stat::TagLost => count(written, range)?,
    };
    Ok(Limit::Value(value))
}

/// Reads how long it must hold.
pub(super) fn lasting(text: &str, range: Range<usize>, kind: Kind) -> Result<u64, ConditionError> {
    if kind == Kind::Objective {
        let found = ConditionError::new(
            E0504,
            "an objective looks at the window of a probe, so it takes no `for`",
            range,
        );
        return Err(found.help("the key `probe` of the search is how long it must hold"));
    }
    if kind == Kind::Gate {
        let found = ConditionError::new(E0504, "a gate looks at whole phases, so it takes no `for`", range);
        return Err(found.help("use `during: [phase]`, or move the condition to `guards.stop`"));
    }
    let ns = duration(&text[range.clone()], range.clone())?;
    if ns > MAX_LASTING_NS {
        return Err(ConditionError::new(E0403, "`for` is longer than an hour", range));
    }
    Ok(ns)
}

fn bare(written: &str) -> bool {
    written.parse::<f64>().is_ok()
}

fn unit_error(
    why: &UnitError,
    written: &str,
    range: Range<usize>,
    kind: &str,
    example: &str,
) -> ConditionError {
    match why {
        UnitError::NoUnit(_) if bare(written) || kind == "a share" => {
            let message = format!("`{written}` has no unit: this compares with {kind}");
            ConditionError::new(E0401, message, range).help(format!("write `{example}`"))
        }
        UnitError::OutOfRange => ConditionError::new(E0403, format!("`{written}` is out of range"), range),
        _ => {
            let message = format!("`{written}` does not fit: this compares with {kind}");
            ConditionError::new(E0503, message, range).help(format!("write for example `{example}`"))
        }
    }
}

fn duration(written: &str, range: Range<usize>) -> Result<u64, ConditionError> {
    parse_duration(written).map_err(|why| {
        let example = if bare(written) { format!("{written}ms") } else { "300ms".to_owned() };
        unit_error(&why, written, range, "a duration", &example)
    })
}

fn rate(written: &str, range: Range<usize>) -> Result<f64, ConditionError> {
    parse_rate(written).map_err(|why| {
        let example = if bare(written) { format!("{written}/s") } else { "500/s".to_owned() };
        unit_error(&why, written, range, "a rate or a share `of target`", &example)
    })
}

fn share_of(written: &str, range: Range<usize>, max: f64) -> Result<f64, ConditionError> {
    let Some(number) = written.strip_suffix('%') else {
        if written == "0" {
            return Ok(0.0);
        }
        let why = if bare(written) { UnitError::NoUnit("%") } else { UnitError::NotANumber };
        let percent = written.parse::<f64>().map_or("5%".to_owned(), |value| format!("{}%", value * 100.0));
        return Err(unit_error(&why, written, range, "a share", &percent));
    };
    match number.trim().parse::<f64>() {
        Ok(value) if value >= 0.0 && value / 100.0 <= max && value.is_finite() => Ok(value / 100.0),
        Ok(_) => Err(ConditionError::new(E0403, format!("`{written}` is out of range"), range)),
        Err(_) => Err(ConditionError::new(E0501, format!("`{written}` is no share"), range)),
    }
}

fn count(written: &str, range: Range<usize>) -> Result<f64, ConditionError> {
    match written.replace('_', "").parse::<u64>() {
        Ok(value) => Ok(value as f64),
        Err(_) => {
            let message = format!("`{written}` does not fit: this compares with a count");
            Err(ConditionError::new(E0503, message, range).help("write a bare whole number"))
        }
    }
}
