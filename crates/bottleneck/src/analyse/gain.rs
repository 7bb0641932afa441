//! What would be won if a node were no limit: how much shorter requests would be, and which limit comes next.

use peakdrill_drill_model::verdict::{Gain, NextLimit, NodeVerdict};

use crate::analyse::judge::{Finding, SAME};
use crate::analyse::words::{journeys, ms};
use crate::analyse::{Facts, estimate};

/// Less than this, nanoseconds a request, is not worth a sentence.
const WORTH_NS: f64 = 1_000_000.0;

/// An estimate and its 95 % interval.
type Interval = (f64, f64, f64);

/// The limits of a system, by what they carry.
pub(super) struct Limits {
    /// The least that a named node carries, journeys a second.
    now: f64,
    /// What comes next.
    next: Option<NextLimit>,
}

/// The limit that holds now, and the one that comes next: of the nodes that wait for no other one, that which carries the least
/// beyond it. Of nodes that the load never bent nothing is known. `None` where no node is named whose capacity is known.
pub(super) fn limits(facts: &Facts<'_>, findings: &[Finding]) -> Option<Limits> {
    let named = findings.iter().filter(|f| f.verdict == NodeVerdict::Bottleneck);
    let least = named.filter_map(|f| facts.capacity(f)).min_by(|a, b| a.0.total_cmp(&b.0));
    let (now, _, _) = least.filter(|(now, _, _)| *now > 0.0)?;
    let free = findings.iter().filter(|f| f.held_by.is_empty());
    let next = least_beyond(now, free.filter_map(|f| Some((f.at, facts.capacity(f)?))));
    let next = next.map(|(at, capacity)| NextLimit {
        node: facts.series.nodes[at].key.name.to_string(),
        per_s: estimate(Some(capacity)),
        times: capacity.0 / now,
    });
    Some(Limits { now, next })
}

/// Of nodes and what they carry, the least that is more than so much: what carries no more was only fed at what the first lets
/// through.
fn least_beyond(now: f64, carried: impl Iterator<Item = (usize, Interval)>) -> Option<(usize, Interval)> {
    let later = carried.filter(|(_, (capacity, _, _))| *capacity > now * (1.0 + SAME));
    later.min_by(|(_, a), (_, b)| a.0.total_cmp(&b.0))
}

/// What is won at a node that is named. The next limit is told at the one that holds now.
pub(super) fn gain(facts: &Facts<'_>, finding: &Finding, limits: Option<&Limits>) -> Option<Gain> {
    if finding.verdict != NodeVerdict::Bottleneck {
        return None;
    }
    let holds_now = |limits: &&Limits| {
        facts.capacity(finding).is_some_and(|(capacity, _, _)| capacity <= limits.now * (1.0 + SAME))
    };
    let alone = shortened(finding).all(|at| facts.growths.alone[at]);
    let saved_ms = (alone && grew_ns(facts, finding) > 0.0).then(|| grew_ns(facts, finding) / 1e6);
    Some(Gain { saved_ms, next: limits.filter(holds_now).and_then(|limits| limits.next.clone()) })
}

/// The node, and those that only wait for it.
fn shortened(finding: &Finding) -> impl Iterator<Item = usize> {
    std::iter::once(finding.at).chain(finding.holds.iter().copied())
}

/// What these grew by on critical paths, nanoseconds a request.
fn grew_ns(facts: &Facts<'_>, finding: &Finding) -> f64 {
    shortened(finding).map(|at| facts.growths.added[at].own + facts.growths.added[at].gap).sum()
}

/// The same in sentences.
pub(super) fn words(facts: &Facts<'_>, finding: &Finding, gain: &Gain) -> Vec<String> {
    let grew_ns = grew_ns(facts, finding);
    let mut out = Vec::new();
    if grew_ns >= WORTH_NS {
        let (most, beside) = match gain.saved_ms {
            Some(_) => ("", ""),
            None => ("at most ", ": other calls run beside it"),
        };
        out.push(format!(
            "were it as quick as at light load, a request at peak would take {most}{} less{beside}",
            ms(grew_ns)
        ));
    }
    if let (Some(next), Some(per_s)) = (&gain.next, gain.next.as_ref().and_then(|next| next.per_s.estimate)) {
        out.push(format!(
            "behind this limit the next one that was seen is {}, at {} ({:.1} times as many)",
            next.node,
            journeys(per_s),
            next.times
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_limit_is_the_least_that_is_surely_another() {
        let carried =
            |of: [f64; 4]| of.into_iter().map(|capacity| (capacity, capacity, capacity)).enumerate();
        let next = |of| least_beyond(100.0, carried(of)).map(|(at, _)| at);
        assert_eq!(next([500.0, 100.0, 300.0, 109.0]), Some(2));
        assert_eq!(next([105.0, 100.0, 20.0, 109.0]), None);
    }
}
