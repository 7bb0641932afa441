//! Rules of thumb that a finder of bottlenecks has to beat. They are told when light load and peak are.

use std::collections::{BTreeMap, HashMap};

use peakdrill_trace_model::{Span, SpanKind};

use crate::scenario::Scenario;
use crate::trace::Trace;

/// What they rank nodes by.
pub const NAIVE: [&str; 5] = [
    "largest p99",
    "largest growth of p99",
    "largest self time",
    "most errors",
    "largest growth of self time",
];

#[derive(Default)]
struct Sums {
    /// Durations at light load and at peak.
    spans: [Vec<i64>; 2],
    own_ns: [i64; 2],
    errors: u64,
}

/// Whether each of [`NAIVE`] names a planted node first; of several with the same value each counts, and where the
/// largest is 0 none is named. The last one is no part of the usual four.
#[must_use]
pub fn naive(scenario: &Scenario, traces: &[Trace]) -> Vec<bool> {
    let (light, peak) = windows(scenario);
    let mut nodes: BTreeMap<String, Sums> = BTreeMap::new();
    let mut requests = [0_i64; 2];
    for trace in traces {
        let Some(row) = &trace.row else { continue };
        let second = (row.intended_ns - crate::ORIGIN_NS) as f64 / 1e9;
        let window = if light.contains(&second) {
            0
        } else if peak.contains(&second) {
            1
        } else {
            continue;
        };
        requests[window] += 1;
        add(&mut nodes, trace, window);
    }
    let names = scenario.names();
    let first = |value: &dyn Fn(&Sums) -> f64| {
        largest(nodes.iter().map(|(name, sums)| (name.as_str(), value(sums))))
            .iter()
            .any(|n| names.contains(n))
    };
    let p99 = |sums: &Sums, window: usize| {
        let mut sorted = sums.spans[window].clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() * 99 / 100).copied().unwrap_or(0) as f64
    };
    let own = |sums: &Sums, window: usize| sums.own_ns[window] as f64 / requests[window].max(1) as f64;
    vec![
        first(&|sums| p99(sums, 1)),
        first(&|sums| p99(sums, 1) - p99(sums, 0)),
        first(&|sums| own(sums, 1)),
        first(&|sums| sums.errors as f64),
        first(&|sums| own(sums, 1) - own(sums, 0)),
    ]
}

/// The names with the largest value, where that is more than 0.
fn largest<'a>(values: impl Iterator<Item = (&'a str, f64)> + Clone) -> Vec<&'a str> {
    let most = values.clone().map(|(_, value)| value).fold(0.0, f64::max);
    values.filter(|(_, value)| *value > 0.0 && *value >= most).map(|(name, _)| name).collect()
}

/// Seconds of light load and of the peak, by the load that was sent.
#[must_use]
pub fn windows(scenario: &Scenario) -> (std::ops::Range<f64>, std::ops::Range<f64>) {
    let mut start = 0.0;
    let mut out = (2.0..scenario.load.profile[0].0, 0.0..0.0);
    let highest = scenario.load.profile.iter().map(|p| p.1.min(p.2)).fold(0.0, f64::max);
    for (seconds, from, to) in &scenario.load.profile {
        if from.min(*to) >= highest {
            out.1 = start..start + seconds;
        }
        start += seconds;
    }
    out
}

fn add(nodes: &mut BTreeMap<String, Sums>, trace: &Trace, window: usize) {
    let mut kids: HashMap<u64, Vec<&Span>> = HashMap::new();
    trace.spans.iter().for_each(|span| kids.entry(span.parent).or_default().push(span));
    for span in &trace.spans {
        let below = kids.get(&span.id).map_or(&[][..], |kids| kids);
        let answered = below.iter().any(|kid| kid.kind == SpanKind::Server);
        // What a caller sees of a callee that sends spans is the caller's own.
        let name = match (&span.peer, span.kind) {
            (Some(peer), SpanKind::Client) if !answered => peer.node.to_string(),
            (Some(peer), SpanKind::Consumer) => peer.node.to_string(),
            _ => span.service.to_string(),
        };
        let took = span.end_ns - span.start_ns;
        let sums = nodes.entry(name).or_default();
        if span.kind != SpanKind::Producer && !(span.kind == SpanKind::Client && answered) {
            sums.spans[window].push(took);
        }
        sums.own_ns[window] += own_ns(span, below);
        sums.errors += u64::from(span.error);
    }
}

/// A span's time that none of its children covers.
fn own_ns(span: &Span, below: &[&Span]) -> i64 {
    let mut kids: Vec<(i64, i64)> = below
        .iter()
        .filter(|kid| kid.kind != SpanKind::Consumer)
        .map(|kid| (kid.start_ns.max(span.start_ns), kid.end_ns.min(span.end_ns)))
        .collect();
    kids.sort_unstable();
    let (mut own, mut at) = (0, span.start_ns);
    for (from, to) in kids {
        own += (from - at).max(0);
        at = at.max(to);
    }
    own + (span.end_ns - at).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_named_where_all_are_zero_and_each_of_the_same() {
        assert_eq!(largest([("a", 0.0), ("z", 0.0)].into_iter()), [""; 0]);
        assert_eq!(largest([("a", -1.0), ("z", -2.0)].into_iter()), [""; 0]);
        assert_eq!(largest([("a", 2.0), ("m", 1.0), ("z", 2.0)].into_iter()), ["a", "z"]);
    }
}
