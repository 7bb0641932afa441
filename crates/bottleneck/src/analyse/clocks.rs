//! Clocks that differ, in words, with what to do.

use std::collections::BTreeSet;

use peakdrill_drill_model::verdict::{Finding, FindingKind};

use crate::analyse::words::ms;
use crate::cells::Cells;
use crate::clocks::{CLOCK_WINDOW_S, ClockPair, ClockWindow, Offset, clock_pairs};
use crate::key::{ClockKey, LOAD};

/// Of the stretches, the part in which no offset may fit without that being told: one span may be wrong, or a clock be set.
const ODD: f64 = 0.05;
/// Pairs of clocks that are spoken of, the farthest apart first.
const TOLD_MAX: usize = 20;

/// What is to be said of the clocks.
pub(crate) fn findings(cells: &Cells) -> Vec<Finding> {
    let mut told: Vec<(i64, Finding)> = clock_pairs(cells).iter().filter_map(finding).collect();
    told.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| (&x.node, &x.text).cmp(&(&y.node, &y.text))));
    told.into_iter().take(TOLD_MAX).map(|(_, finding)| finding).collect()
}

/// What is to be said of two clocks, and by how much they are apart; where no offset fits in more than
/// a few stretches, that comes first.
fn finding(pair: &ClockPair) -> Option<(i64, Finding)> {
    let offsets: Vec<Offset> = pair.windows.iter().map(ClockWindow::offset).collect();
    let inconsistent = offsets.iter().filter(|offset| **offset == Offset::Inconsistent).count();
    if inconsistent as f64 > ODD * offsets.len() as f64 {
        return Some((i64::MAX, no_offset_fits(pair, inconsistent)));
    }
    let ahead = offsets.iter().filter_map(|offset| match offset {
        Offset::Ahead { ns, uncertainty_ns } => Some((*ns, *uncertainty_ns)),
        _ => None,
    });
    let ahead: BTreeSet<(i64, i64)> = ahead.collect();
    let (first, last) = (ahead.first()?, ahead.last()?);
    let (ns, uncertainty_ns) = *ahead.iter().max_by_key(|(ns, _)| ns.abs())?;
    let range = if last.0 - first.0 > 2 * uncertainty_ns {
        format!("; from {} to {} within the run", signed(-last.0), signed(-first.0))
    } else {
        String::new()
    };
    let side = if ns > 0 { "behind" } else { "ahead of" };
    let finding = Finding {
        kind: FindingKind::ClocksDiffer,
        node: pair.called.service.to_string(),
        text: format!(
            "the clock of {} is {} {side} that of {} (give or take {}{range})",
            name(&pair.called),
            ms(ns.unsigned_abs() as f64),
            name(&pair.caller),
            ms(uncertainty_ns as f64)
        ),
        action: "set the clocks of both hosts by NTP: durations do not suffer from it, but the seconds in which work is \
                 shown do, and the delay of messages between the two"
            .to_owned(),
    };
    Some((ns.abs(), finding))
}

fn no_offset_fits(pair: &ClockPair, inconsistent: usize) -> Finding {
    Finding {
        kind: FindingKind::ClocksInconsistent,
        node: pair.called.service.to_string(),
        text: format!(
            "no offset between the clocks of {} and {} fits the calls between them, in {inconsistent} of {} stretches of \
             {CLOCK_WINDOW_S} s",
            name(&pair.caller),
            name(&pair.called),
            pair.windows.len()
        ),
        action: "give each instance a `service.instance.id` of its own, and let no clock be set during a run: until then \
                 the delay of messages between the two is not to be trusted"
            .to_owned(),
    }
}

fn signed(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "+" };
    format!("{sign}{}", ms(ns.unsigned_abs() as f64))
}

fn name(clock: &ClockKey) -> String {
    match (&*clock.service, &*clock.instance) {
        (LOAD, "") => "the load generator".to_owned(),
        (service, "") => service.to_owned(),
        (service, instance) => format!("{service} ({instance})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_odd_stretch_of_many_does_not_hide_the_offset() {
        let clock = |service: &str| ClockKey { service: service.into(), instance: "".into() };
        let of = |odd: i64| {
            let window = |at: i64| {
                let (least_ns, most_ns) = if at < odd { (90_000_000, 0) } else { (50_000_000, 52_000_000) };
                ClockWindow { second: at * CLOCK_WINDOW_S, calls: 50, least_ns, most_ns }
            };
            let windows = (0..60).map(window).collect();
            finding(&ClockPair { caller: clock("a"), called: clock("b"), windows }).unwrap().1.kind
        };
        assert_eq!([0, 1, 3].map(of), [FindingKind::ClocksDiffer; 3]);
        assert_eq!(of(4), FindingKind::ClocksInconsistent);
    }
}
