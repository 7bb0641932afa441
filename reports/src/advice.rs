//! A finding in the words of somebody who explains it: what, how sure, and what to do.

use peakdrill_bottleneck::Growth;
use peakdrill_drill_model::verdict::{AnalysisState, Bottleneck, NodeKind, NodeVerdict, Verdict};

use crate::numbers::{figure, percent};

/// Callers that are named before "and others".
const CALLERS_MAX: usize = 3;

/// What most of a node's growth is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    Work,
    Wait,
    Gap,
    Unknown,
}

fn nature(growth: Option<&Growth>) -> Nature {
    let Some(growth) = growth else { return Nature::Unknown };
    let parts =
        [(growth.wait_ms, Nature::Wait), (growth.self_ms, Nature::Work), (growth.gap_ms, Nature::Gap)];
    let grew = parts.into_iter().filter(|(ms, _)| ms.is_finite() && *ms > 0.0);
    grew.max_by(|a, b| a.0.total_cmp(&b.0)).map_or(Nature::Unknown, |(_, nature)| nature)
}

/// What is said of a node, as a heading.
pub(crate) fn claim(verdict: &Verdict, node: &Bottleneck) -> String {
    let name = &node.node;
    match (node.verdict, verdict.analysis.state) {
        (NodeVerdict::Bottleneck, AnalysisState::Found) => format!("{name} limits the system"),
        (NodeVerdict::Clear, _) => format!("nothing points at {name}"),
        (_, AnalysisState::Withheld) => format!("{name} may limit the system, but that is not certain"),
        _ => format!("{name} adds to the waiting, but one sign is not enough to blame it"),
    }
}

/// How sure that is.
pub(crate) fn certainty(verdict: &Verdict, node: &Bottleneck) -> String {
    let mut said = match (node.verdict, verdict.analysis.state) {
        (NodeVerdict::Bottleneck, AnalysisState::Found) => {
            "Sure: at least two signs that do not depend on each other agree.".to_owned()
        }
        (_, AnalysisState::Withheld) => {
            format!("Not sure: {}.", verdict.analysis.because.join("; "))
        }
        (NodeVerdict::Clear, _) => "No sign was found.".to_owned(),
        _ => "A suspicion: only one sign was found, and a finding needs two.".to_owned(),
    };
    if let (Some(share), Some(low), Some(high)) = (node.share.estimate, node.share.low, node.share.high) {
        said.push_str(&format!(
            " Of the time that requests take longer, {} arises here (between {} and {}, with 95% certainty).",
            percent(Some(share)),
            percent(Some(low)),
            percent(Some(high))
        ));
    }
    let capacity = &node.capacity_per_s;
    if let (Some(middle), Some(low), Some(high)) = (capacity.estimate, capacity.low, capacity.high) {
        said.push_str(&format!(
            " It carries {} journeys a second (between {} and {}).",
            figure(middle),
            figure(low),
            figure(high)
        ));
    }
    said
}

/// What to do about a node, one step a sentence.
pub(crate) fn steps(verdict: &Verdict, node: &Bottleneck, growth: Option<&Growth>) -> Vec<String> {
    let mut steps = vec![first_step(verdict, node, nature(growth))];
    let low = node.capacity_per_s.low.filter(|_| node.headroom.is_some_and(|room| room < 1.1));
    if let Some(low) = low {
        steps.push(format!(
            "Until then keep the load below {} journeys a second, the low end of what it carries.",
            figure(low)
        ));
    }
    steps.push("Drill again after each change: what limits the system moves on to the next node.".to_owned());
    steps
}

fn first_step(verdict: &Verdict, node: &Bottleneck, nature: Nature) -> String {
    let (name, callers) = (&node.node, callers(verdict, &node.node));
    match (node.kind, nature) {
        (NodeKind::Queue, _) => format!(
            "Messages come into {name} faster than they are processed: run more consumers, or make each message \
             cheaper. What waits here arrives late, although no request waits for it."
        ),
        (_, Nature::Gap) => format!(
            "The time is lost on the way to {name}, not in it: look at the connection pools of {callers}, at the \
             network, and at how fast {name} accepts connections."
        ),
        (NodeKind::Service, Nature::Work) => format!(
            "{name} works longer on each call under load: take a profile of it at the peak, and look at processor \
             time, garbage collection and locks."
        ),
        (NodeKind::Service, _) => format!(
            "Find out what calls queue for inside {name}: worker threads, a lock, a connection pool. Raise that \
             limit, or run more instances of {name}."
        ),
        (NodeKind::Database, _) => format!(
            "The wait for a connection and the query both count here: compare the connection pools of {callers} with \
             what {name} allows, then look for slow queries and locks at the peak."
        ),
        (NodeKind::Cache, _) => format!(
            "Look at how many connections {callers} may open to {name}, at single keys that most calls go to, and at \
             how many lookups miss."
        ),
        (NodeKind::External, _) => format!(
            "{name} is not seen from inside: ask whoever runs it which rate it is meant to carry. Until then let \
             {callers} limit, cache or cut off the calls."
        ),
    }
}

fn callers(verdict: &Verdict, node: &str) -> String {
    let mut names: Vec<&str> =
        verdict.dependencies.iter().filter(|call| call.to == node).map(|call| call.from.as_str()).collect();
    names.dedup();
    match names.as_slice() {
        [] => "its callers".to_owned(),
        [rest @ .., last] if names.len() <= CALLERS_MAX && !rest.is_empty() => {
            format!("{} and {last}", rest.join(", "))
        }
        [only] => (*only).to_owned(),
        many => {
            format!("{} and others", many.iter().take(CALLERS_MAX).copied().collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn growth(self_ms: f64, wait_ms: f64, gap_ms: f64) -> Growth {
        Growth { node: "stock".to_owned(), self_ms, wait_ms, gap_ms }
    }

    #[test]
    fn the_largest_part_of_what_grew_says_what_to_look_at() {
        assert_eq!(nature(Some(&growth(1.0, 5.0, 2.0))), Nature::Wait);
        assert_eq!(nature(Some(&growth(9.0, 5.0, 2.0))), Nature::Work);
        assert_eq!(nature(Some(&growth(-9.0, -5.0, 2.0))), Nature::Gap);
        assert_eq!(nature(Some(&growth(-9.0, f64::NAN, -2.0))), Nature::Unknown);
        assert_eq!(nature(None), Nature::Unknown);
    }
}
