//! Calls between nodes, second by second.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analyse::Facts;
use crate::cells::{Cell as _, EdgeCell, Seconds};
use crate::key::{LOAD, NodeKey, TraceClass, UNKNOWN, USERS};

use super::change::Part;

/// Calls of one caller to one node, whatever the operation, or of several: each with its weight. Of traffic that the drill
/// does not sample as much is taken as of its own.
#[derive(Clone, Default)]
pub(super) struct Calls<'a>(Vec<(&'a Seconds<EdgeCell>, f64)>);

/// By caller and called node, the latter by its position in the series.
pub(super) type ByCaller<'a> = BTreeMap<(Arc<str>, usize), Calls<'a>>;

impl<'a> Calls<'a> {
    /// Sum over some seconds, without weights: as they were seen.
    pub(super) fn over(&self, seconds: &[usize]) -> EdgeCell {
        let mut out = EdgeCell::default();
        self.each(seconds, |cell, _| out.add(cell));
        out
    }

    /// Of each second, how much and of how many, by their weights.
    pub(super) fn parts(&self, seconds: &[usize], of: impl Fn(&EdgeCell) -> Part) -> Vec<Part> {
        let one = |second: &usize| {
            let mut sum = (0.0, 0.0);
            self.each(&[*second], |cell, weight| {
                let (much, many) = of(cell);
                sum = (sum.0 + weight * much, sum.1 + weight * many);
            });
            sum
        };
        seconds.iter().map(one).collect()
    }

    /// Adds others to these.
    pub(super) fn join(&mut self, other: &Self) {
        self.0.extend(&other.0);
    }

    fn each(&self, seconds: &[usize], mut visit: impl FnMut(&EdgeCell, f64)) {
        for (of, weight) in &self.0 {
            let cells = seconds.iter().filter_map(|s| of.get(&i64::try_from(*s).ok()?));
            cells.for_each(|cell| visit(cell, *weight));
        }
    }
}

/// Calls of some classes.
pub(super) fn by_caller<'a>(facts: &Facts<'a>, classes: impl Fn(TraceClass) -> bool) -> ByCaller<'a> {
    let nodes = &facts.series.nodes;
    let at: BTreeMap<&NodeKey, usize> = nodes.iter().enumerate().map(|(at, node)| (&node.key, at)).collect();
    let mut out = ByCaller::new();
    for ((edge, class), seconds) in &facts.cells.edges {
        if let Some(to) = at.get(&facts.names.of(&edge.to)).filter(|_| classes(*class)) {
            let weight = if *class == TraceClass::Mine { 1.0 } else { facts.series.part };
            out.entry((Arc::clone(&edge.from), *to)).or_default().0.push((seconds, weight));
        }
    }
    out
}

/// Whether a caller is a service that is known: not the generator, users, one whose span is missing, or many.
pub(super) fn is_service(facts: &Facts<'_>, from: &str) -> bool {
    ![LOAD, USERS, UNKNOWN].contains(&from) && !facts.names.stands_for_many(from)
}
