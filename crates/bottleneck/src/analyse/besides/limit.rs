//! A limit that refuses: what a node answers well stays where it is, or falls, while more is asked of it, and what it
//! does not answer well fails at once. A resource that is slow makes callers wait; a limiter, a breaker that has opened,
//! or something that is sold out does not, and its critical path even shrinks.

use std::collections::BTreeMap;
use std::sync::Arc;

use peakdrill_drill_model::verdict::{Finding, FindingKind, NodeKind};

use crate::analyse::Facts;
use crate::analyse::windows::Level;
use crate::analyse::words::{journeys, ms, percent, rate};
use crate::cells::EdgeCell;

use super::calls::{ByCaller, Calls};
use super::change::{Part, mean, sum};

/// Fewer errors than this at the highest rate say nothing.
const FEW_ERRORS: i64 = 30;
/// Fewer calls than this at light load say nothing.
const FEW_CALLS: i64 = 20;
/// The part of the calls that fail is above that at light load by this.
const FAILING: f64 = 0.05;
/// A lower level of load is one with fewer calls by this factor.
const LOWER: f64 = 1.2;
/// What is answered well a second stays where it is within this part ...
const SAME: f64 = 0.1;
/// ... and so many standard errors of a count.
const ERRORS: f64 = 2.0;
/// It has fallen when it is below this part of what it was.
const FELL: f64 = 0.7;
/// What fails takes at most this part of what goes well.
const FAST: f64 = 0.5;
/// Of a node's errors, the part that did not come from behind it.
const OWN: f64 = 0.5;
/// Of the errors, the part that says of itself that it is a refusal, from which on that is told.
const REFUSED: f64 = 0.5;

/// Calls to a node at one level of load.
struct At {
    /// Journeys a second.
    offered: f64,
    /// How long it was there; where a part of the requests is traced, so many seconds of all are as many calls.
    seconds: f64,
    /// Calls that were traced, and those of them that failed.
    attempts: f64,
    failed: f64,
}

impl At {
    fn new(calls: &Calls<'_>, level: &Level, part: f64) -> Self {
        let (failed, attempts) = sum(&calls.parts(&level.seconds, attempts));
        Self { offered: level.rate, seconds: part * level.seconds.len() as f64, attempts, failed }
    }

    /// Calls a second, traced or not.
    fn asked(&self) -> f64 {
        self.attempts / self.seconds
    }

    /// Of these, those that went well.
    fn good(&self) -> f64 {
        (self.attempts - self.failed) / self.seconds
    }

    fn failing(&self) -> f64 {
        self.failed / self.attempts.max(1.0)
    }

    /// Whether the same was answered well a second as in another one.
    fn same(&self, good: f64) -> bool {
        let by_chance = ERRORS * (good / self.seconds).sqrt();
        (self.good() - good).abs() <= (SAME * good).max(by_chance)
    }
}

/// Attempts that failed, and all.
fn attempts(cell: &EdgeCell) -> Part {
    (cell.failed.count() as f64, cell.attempts as f64)
}

/// How a node refuses.
enum Refusal {
    /// So much a second is answered well, and no more.
    Stays(f64),
    /// So much a second was at a lower load.
    Fell(f64),
}

pub(super) fn findings(facts: &Facts<'_>, calls: &ByCaller<'_>, levels: &[Level]) -> Vec<Finding> {
    let mut into: BTreeMap<usize, Calls<'_>> = BTreeMap::new();
    let mut out_of: BTreeMap<Arc<str>, Calls<'_>> = BTreeMap::new();
    for ((from, to), calls) in calls {
        into.entry(*to).or_default().join(calls);
        out_of.entry(Arc::clone(from)).or_default().join(calls);
    }
    let one = |(at, calls): (&usize, &Calls<'_>)| {
        let node = facts.series.nodes.get(*at)?;
        if node.key.kind == NodeKind::Queue || node.stubbed() {
            return None;
        }
        let behind = out_of.get(&node.key.name);
        finding(facts, &node.key.name, calls, behind, levels)
    };
    into.iter().filter_map(one).collect()
}

fn finding(
    facts: &Facts<'_>,
    name: &str,
    calls: &Calls<'_>,
    behind: Option<&Calls<'_>>,
    levels: &[Level],
) -> Option<Finding> {
    let (highest, lower) = levels.split_last()?;
    let at = |level: &Level| At::new(calls, level, facts.series.part);
    let top = at(highest);
    let light = &facts.windows.light;
    let calm = mean(&calls.parts(light, attempts)).unwrap_or(0.0);
    // Nearly all nodes are left here, before anything is added up.
    if top.failing() < calm + FAILING {
        return None;
    }
    let (light, seen) = (calls.over(light), calls.over(&highest.seconds));
    if light.calls < FEW_CALLS || seen.failed.count() < FEW_ERRORS {
        return None;
    }
    let behind = behind.map_or(0.0, |calls| sum(&calls.parts(&highest.seconds, attempts)).0);
    if top.failed - behind < OWN * top.failed {
        return None;
    }
    // At light load hardly anything fails; where much does, this is too short, and nothing is told.
    let good_ns = light.latency.quantile(0.5)? as f64;
    let failed_ns = seen.failed.quantile(0.5)? as f64;
    if failed_ns > FAST * good_ns {
        return None;
    }
    let steps: Vec<At> = lower.iter().map(at).chain([top]).collect();
    let (top, lower) = steps.split_last()?;
    let refusal = refusal(top, lower, calm)?;
    let begins = steps.iter().rev().take_while(|at| at.failing() >= calm + FAILING).last();
    let refused = seen.refused as f64 / seen.failed.count() as f64;
    let words = Words { name, top, calm, good_ns, failed_ns, refused, from: begins.map(|at| at.offered) };
    Some(words.told(&refusal))
}

/// Whether more was asked, and no more was answered well.
fn refusal(top: &At, lower: &[At], calm: f64) -> Option<Refusal> {
    let less = || lower.iter().filter(|at| at.asked() * LOWER <= top.asked());
    let most = less().map(At::good).fold(0.0, f64::max);
    if most > 0.0 && top.good() < FELL * most {
        return Some(Refusal::Fell(most));
    }
    // At two rates at least it refused, and what it answered well was the same; or it refused at the highest only, and
    // at a lower one everything went well that is answered now.
    let refusing = || lower.iter().filter(|at| at.failing() >= calm + FAILING);
    let flat = refusing().all(|at| at.same(top.good()));
    let known = less().any(|at| at.good() * (1.0 + SAME) >= top.good());
    (flat && known).then(|| Refusal::Stays(top.good()))
}

struct Words<'a> {
    name: &'a str,
    top: &'a At,
    calm: f64,
    good_ns: f64,
    failed_ns: f64,
    refused: f64,
    from: Option<f64>,
}

impl Words<'_> {
    fn told(&self, refusal: &Refusal) -> Finding {
        let (name, top) = (self.name, self.top);
        let asked = rate(top.asked());
        let (head, action) = match refusal {
            Refusal::Stays(good) => (
                format!(
                    "{name} answers {} well and no more, although {asked} were asked of it at the peak",
                    rate(*good)
                ),
                format!(
                    "find the limit that is set in front of {name} or in it (rate limiter, quota, breaker): if it is meant, \
                     the drill shows that it holds; if not, raise it, for until then nobody knows what {name} itself carries"
                ),
            ),
            Refusal::Fell(most) => (
                format!(
                    "{name} answered {} well at the peak, when {asked} were asked of it, and {} before that at a lower load",
                    rate(top.good()),
                    rate(*most)
                ),
                format!(
                    "find out what {name} said when it failed: a breaker that has opened, a quota that was used up, or data of \
                     the drill that were sold out; from there on the drill tested the refusal and not the work"
                ),
            ),
        };
        let since = self.from.map(|r| format!(", from {} on", journeys(r))).unwrap_or_default();
        let said = if self.refused >= REFUSED {
            let part = percent(self.refused);
            format!("; {part} of these say so themselves (too many requests, or unavailable)")
        } else {
            String::new()
        };
        let text = format!(
            "{head}: {} failed ({} at light load){since}, and what failed was answered in {} where what goes well takes {}: \
             a limit, and not a slow resource{said}",
            percent(top.failing()),
            percent(self.calm),
            ms(self.failed_ns),
            ms(self.good_ns),
        );
        Finding { kind: FindingKind::LimitBinds, node: name.to_owned(), text, action }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten seconds at so many calls a second, of which so many go well.
    fn at(asked: f64, good: f64) -> At {
        At { offered: asked, seconds: 10.0, attempts: asked * 10.0, failed: (asked - good) * 10.0 }
    }

    fn stays(steps: &[(f64, f64)]) -> Option<bool> {
        let steps: Vec<At> = steps.iter().map(|(asked, good)| at(*asked, *good)).collect();
        let (top, lower) = steps.split_last().unwrap();
        refusal(top, lower, 0.0).map(|found| matches!(found, Refusal::Stays(_)))
    }

    #[test]
    fn what_stays_and_what_falls_are_told_from_what_rises() {
        assert_eq!(stays(&[(20.0, 20.0), (60.0, 60.0), (100.0, 60.0), (150.0, 61.0)]), Some(true));
        assert_eq!(stays(&[(20.0, 20.0), (60.0, 59.0), (150.0, 60.0)]), Some(true));
        assert_eq!(stays(&[(20.0, 20.0), (60.0, 60.0), (100.0, 5.0)]), Some(false));
        // A part fails at any rate, or more of it: what goes well still rises.
        assert_eq!(stays(&[(20.0, 16.0), (60.0, 48.0), (100.0, 80.0)]), None);
        assert_eq!(stays(&[(20.0, 20.0), (60.0, 54.0), (100.0, 80.0)]), None);
        // From one rate to the next nobody knows where it stopped.
        assert_eq!(stays(&[(20.0, 20.0), (160.0, 100.0)]), None);
    }
}
