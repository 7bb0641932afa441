//! How often a journey calls on each node.

use std::collections::BTreeMap;

use crate::analyse::names::Names;
use crate::analyse::series::{is_load, starts_journey};
use crate::analysis::AnalysisInput;
use crate::cells::Cells;
use crate::key::{Entry, NodeKey, TraceClass};

/// Calls a journey on one node.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Visits {
    pub(crate) mean: f64,
    /// Standard error of the mean.
    pub(crate) error: f64,
}

/// Calls a journey on every node, over the journeys of some classes.
pub(crate) struct Mix {
    /// Journeys of which spans were asked for.
    pub(crate) journeys: f64,
    pub(crate) nodes: BTreeMap<NodeKey, Visits>,
}

/// Roots of one entry.
struct Roots {
    count: f64,
    /// Of these, those of which spans were asked for.
    sampled: f64,
    /// Ended well and seen: what visits are counted over. A span that is lost is missing here as it is among what a
    /// node got done, so that the ratio of the two stands.
    ok: f64,
    /// Whether they are first in their journeys: of such, a journey has exactly one.
    first: bool,
}

/// Moments of the calls of a journey on a node.
#[derive(Default)]
struct Moments {
    mean: f64,
    first_mean: f64,
    first_square: f64,
    /// Variance of the calls by roots that are not first.
    other_variance: f64,
}

impl Moments {
    /// `part`: roots of the entry a journey; `mean`, `square`: of the calls by one such root.
    fn add(&mut self, first: bool, part: f64, mean: f64, square: f64) {
        self.mean += part * mean;
        if first {
            self.first_mean += part * mean;
            self.first_square += part * square;
        } else {
            // A step that a journey comes to with chance `part`, or so many times for sure when above one.
            let expected = (part * mean).powi(2) / part.max(1.0);
            self.other_variance += (part * square - expected).max(0.0);
        }
    }

    /// First roots exclude each other; other steps are added to them, and vary by themselves.
    fn variance(&self) -> f64 {
        (self.first_square - self.first_mean.powi(2)).max(0.0) + self.other_variance
    }
}

/// Visits per journey of some classes: per entry over the roots that ended well, weighted by the mix of all
/// roots. So neither a backlog nor requests that were given up bend it.
pub(crate) fn of(
    cells: &Cells,
    input: &AnalysisInput,
    names: &Names,
    with_steps: bool,
    classes: &dyn Fn(TraceClass) -> bool,
) -> Mix {
    let mut roots: BTreeMap<(&Entry, TraceClass), Roots> = BTreeMap::new();
    for ((entry, class), seconds) in cells.roots.iter().filter(|((_, class), _)| classes(*class)) {
        let during = seconds.iter().filter(|(second, _)| **second >= 0);
        let (count, unsampled, ok) = during.fold((0, 0, 0), |(n, unsampled, ok), (_, cell)| {
            (n + cell.count, unsampled + cell.unsampled, ok + cell.ok_seen)
        });
        if is_load(entry, *class, with_steps) {
            let first = starts_journey(input, entry, *class, with_steps);
            let sampled = (count - unsampled) as f64;
            roots.insert((entry, *class), Roots { count: count as f64, sampled, ok: ok as f64, first });
        }
    }
    let first = || roots.values().filter(|r| r.first);
    let journeys: f64 = first().map(|r| r.count).sum();
    let sampled: f64 = first().map(|r| r.sampled).sum();
    let mut moments: BTreeMap<NodeKey, Moments> = BTreeMap::new();
    for ((entry, class, node), cell) in &cells.visits {
        let Some(roots) = roots.get(&(entry, *class)).filter(|r| r.ok > 0.0 && journeys > 0.0) else {
            continue;
        };
        let (mean, square) = (cell.ops as f64 / roots.ok, cell.ops_squared as f64 / roots.ok);
        let part = roots.count / journeys;
        moments.entry(names.of(node)).or_default().add(roots.first, part, mean, square);
    }
    let visits = |m: &Moments| Visits { mean: m.mean, error: (m.variance() / sampled.max(1.0)).sqrt() };
    Mix { journeys: sampled, nodes: moments.iter().map(|(node, m)| (node.clone(), visits(m))).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_exclude_each_other_vary_with_the_mix() {
        let mut moments = Moments::default();
        // Eight of ten journeys call once, the others never.
        moments.add(true, 0.8, 1.0, 1.0);
        moments.add(true, 0.2, 0.0, 0.0);
        assert!((moments.variance() - 0.16).abs() < 1e-12);
    }

    #[test]
    fn steps_that_every_journey_has_do_not_vary() {
        let mut moments = Moments::default();
        moments.add(true, 1.0, 1.0, 1.0);
        moments.add(false, 1.0, 2.0, 4.0);
        assert_eq!((moments.mean, moments.variance()), (3.0, 0.0));
        // One in two journeys comes to a third step, of one call.
        moments.add(false, 0.5, 1.0, 1.0);
        assert_eq!((moments.mean, moments.variance()), (3.5, 0.25));
    }

    #[test]
    fn a_step_that_comes_twice_a_journey_varies_by_its_calls_alone() {
        let mut moments = Moments::default();
        // Two requests a journey, each with one or three calls.
        moments.add(false, 2.0, 2.0, 5.0);
        assert_eq!(moments.variance(), 2.0);
    }
}
