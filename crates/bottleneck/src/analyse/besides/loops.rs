//! A request that makes the same call again and again, each after the one before was answered, where one call for all would
//! do: N+1. However fast the called node is, its callers pay the way there and back each time, and it is asked so many
//! times as often as requests come.

use std::collections::BTreeMap;

use peakdrill_drill_model::verdict::{Finding, FindingKind, NodeKind};

use crate::analyse::Facts;
use crate::analyse::words::{ms, percent};
use crate::cells::{Cell as _, LoopCell};
use crate::key::EdgeKey;

/// Fewer requests with such a loop than this say nothing.
const FEW_REQUESTS: i64 = 30;
/// Of the time of these requests, the part that the calls take.
const MUCH: f64 = 0.1;
/// Loops that are told of, those that take most time in all first.
const LOOPS_MAX: usize = 5;

pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut loops: BTreeMap<EdgeKey, LoopCell> = BTreeMap::new();
    for ((edge, class), cell) in &facts.cells.loops {
        if *class == facts.series.class {
            let edge = EdgeKey { to: facts.names.of(&edge.to), ..edge.clone() };
            loops.entry(edge).or_default().add(cell);
        }
    }
    let mut told: Vec<(&EdgeKey, &LoopCell)> = loops.iter().filter(|(_, cell)| matters(cell)).collect();
    told.sort_by(|a, b| b.1.cp_ns.cmp(&a.1.cp_ns).then_with(|| a.0.cmp(b.0)));
    told.into_iter().take(LOOPS_MAX).map(|(edge, cell)| finding(edge, cell)).collect()
}

fn share(cell: &LoopCell) -> f64 {
    cell.cp_ns as f64 / cell.request_ns.max(1) as f64
}

fn matters(cell: &LoopCell) -> bool {
    cell.requests >= FEW_REQUESTS && share(cell) >= MUCH
}

fn finding(edge: &EdgeKey, cell: &LoopCell) -> Finding {
    let (from, to, op) = (&edge.from, &edge.to.name, &edge.op);
    let requests = cell.requests as f64;
    let text = format!(
        "N+1: {from} calls {to} one by one in a loop, `{op}` {:.1} times a request on average, each after the one before \
         was answered; in the {} requests that were seen to do so that takes {} of {} ({})",
        cell.calls as f64 / requests,
        cell.requests,
        ms(cell.cp_ns as f64 / requests),
        ms(cell.request_ns as f64 / requests),
        percent(share(cell)),
    );
    let together = match edge.to.kind {
        NodeKind::Database => "fetch or write all of them with one statement: a join, `IN (…)`, a batch",
        NodeKind::Cache => "ask for all of them at once: one command with many keys, or a pipeline",
        NodeKind::Service | NodeKind::Queue | NodeKind::External => {
            "fetch all of them with one call that takes a list; where there is none, make the calls side by side, a bounded \
             number at a time"
        }
    };
    let action = format!("{together}; or keep in {from} what seldom changes");
    // What is to be changed is the caller's.
    Finding { kind: FindingKind::LoopOfCalls, node: from.to_string(), text, action }
}
