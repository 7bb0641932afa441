//! Calls between nodes, second by second.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analyse::Facts;
use crate::analyse::law::LEVELS;
use crate::analyse::windows::{Level, levels};
use crate::cells::{Cell as _, EdgeCell, Seconds};
use crate::key::{LOAD, NodeKey, TraceClass, UNKNOWN, USERS};

use super::change::Part;

/// Calls of one caller to one node, whatever the operation, or of several.
#[derive(Clone, Default)]
pub(super) struct Calls<'a>(Vec<&'a Seconds<EdgeCell>>);

impl<'a> Calls<'a> {
    /// Sum over some seconds.
    pub(super) fn over(&self, seconds: &[usize]) -> EdgeCell {
        let mut out = EdgeCell::default();
        self.each(seconds, |cell| out.add(cell));
        out
    }

    /// Of each second, how much and of how many.
    pub(super) fn parts(&self, seconds: &[usize], of: impl Fn(&EdgeCell) -> Part) -> Vec<Part> {
        let one = |second: &usize| {
            let mut sum = (0.0, 0.0);
            self.each(&[*second], |cell| {
                let (much, many) = of(cell);
                sum = (sum.0 + much, sum.1 + many);
            });
            sum
        };
        seconds.iter().map(one).collect()
    }

    /// Adds others to these.
    pub(super) fn join(&mut self, other: &Self) {
        self.0.extend(&other.0);
    }

    fn each(&self, seconds: &[usize], mut visit: impl FnMut(&EdgeCell)) {
        for of in &self.0 {
            let cells = seconds.iter().filter_map(|s| of.get(&i64::try_from(*s).ok()?));
            cells.for_each(|cell| visit(cell));
        }
    }
}

/// Calls by caller and called node (by its position in the series), of some classes.
pub(super) fn by_caller<'a>(
    facts: &Facts<'a>,
    classes: impl Fn(TraceClass) -> bool,
) -> BTreeMap<(Arc<str>, usize), Calls<'a>> {
    let nodes = &facts.series.nodes;
    let at: BTreeMap<&NodeKey, usize> = nodes.iter().enumerate().map(|(at, node)| (&node.key, at)).collect();
    let mut out: BTreeMap<(Arc<str>, usize), Calls<'a>> = BTreeMap::new();
    for ((edge, class), seconds) in &facts.cells.edges {
        if let Some(to) = at.get(&facts.names.of(&edge.to)).filter(|_| classes(*class)) {
            out.entry((Arc::clone(&edge.from), *to)).or_default().0.push(seconds);
        }
    }
    out
}

/// Whether a caller is a service that is known: not the generator, users, or one whose span is missing.
pub(super) fn is_service(from: &str) -> bool {
    ![LOAD, USERS, UNKNOWN].contains(&from)
}

/// Levels of load on the way up: what comes after the peak may still suffer from it.
pub(super) fn rising(facts: &Facts<'_>) -> Vec<Level> {
    let last = facts.windows.top.last().copied().unwrap_or(0);
    let mut levels = levels(facts.series, facts.windows, LEVELS);
    levels.iter_mut().for_each(|level| level.seconds.retain(|s| *s <= last));
    levels.retain(|level| level.seconds.len() >= 2);
    levels
}
