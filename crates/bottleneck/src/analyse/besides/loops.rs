//! A request that makes the same call again and again, each after the one before was answered, where one call for all would
//! do: N+1. However fast the called node is, its callers pay the way there and back each time, and it is asked so many
//! times as often as requests come.

use std::collections::BTreeMap;

use peakdrill_drill_model::verdict::{Finding, FindingKind, NodeKind};

use crate::analyse::Facts;
use crate::analyse::names::Names;
use crate::analyse::words::{ms, percent};
use crate::cells::{Cells, LoopCell};
use crate::key::{EdgeKey, TraceClass};

/// Fewer requests with such a loop than this say nothing.
const FEW_REQUESTS: i64 = 30;
/// And if they are less than one of so many that were traced.
const OF_MANY: i64 = 100;
/// Of the time of these requests, the part that the calls take.
const MUCH: f64 = 0.1;
/// Loops a request from which on it is said that there are several.
const SEVERAL: f64 = 1.05;
/// Loops that are told of, those that take most time in all first.
const LOOPS_MAX: usize = 5;

pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let loops = by_node(facts.cells, facts.names, facts.series.class);
    let roots = facts.cells.roots.iter().filter(|((_, class), _)| *class == facts.series.class);
    let traced: i64 = roots.flat_map(|(_, seconds)| seconds.values()).map(|root| root.pathed).sum();
    let mut told: Vec<(&EdgeKey, &LoopCell)> =
        loops.iter().map(|(edge, cell)| (edge, *cell)).filter(|(_, cell)| matters(cell, traced)).collect();
    told.sort_by(|a, b| b.1.cp_ns.cmp(&a.1.cp_ns).then_with(|| a.0.cmp(b.0)));
    told.into_iter().take(LOOPS_MAX).map(|(edge, cell)| finding(edge, cell, traced)).collect()
}

/// Loops by what they call, by the name of its node. One that callers know by several: the same request may be in the cells of
/// each, or of one alone, so that no sum is true; what is said is of the one that takes most time.
fn by_node<'a>(cells: &'a Cells, names: &Names, class: TraceClass) -> BTreeMap<EdgeKey, &'a LoopCell> {
    let mut loops: BTreeMap<EdgeKey, &LoopCell> = BTreeMap::new();
    let of_one = |edge: &EdgeKey| {
        [&edge.from, &edge.to.name, &edge.op].into_iter().all(|name| !cells.stands_for_many(name))
    };
    for ((edge, _), cell) in cells.loops.iter().filter(|((edge, of), _)| *of == class && of_one(edge)) {
        let edge = EdgeKey { to: names.of(&edge.to), ..edge.clone() };
        let most = loops.entry(edge).or_insert(cell);
        if cell.cp_ns > most.cp_ns {
            *most = cell;
        }
    }
    loops
}

fn share(cell: &LoopCell) -> f64 {
    cell.cp_ns as f64 / cell.request_ns.max(1) as f64
}

fn matters(cell: &LoopCell, traced: i64) -> bool {
    let many = cell.requests >= FEW_REQUESTS && cell.requests.saturating_mul(OF_MANY) >= traced;
    many && share(cell) >= MUCH
}

/// `traced`: requests of which it would be known.
fn finding(edge: &EdgeKey, cell: &LoopCell, traced: i64) -> Finding {
    let (from, to, op) = (&edge.from, &edge.to.name, &edge.op);
    let requests = cell.requests as f64;
    let loops = cell.loops as f64 / requests;
    let loops = if loops >= SEVERAL { format!(" in {loops:.1} loops") } else { String::new() };
    let text = format!(
        "N+1: in {} of {traced} traced requests {from} calls {to} one by one in a loop, `{op}` {:.1} times each{loops}, \
         every call after the one before was answered; in these requests that takes {} of {} ({})",
        cell.requests,
        cell.calls as f64 / requests,
        ms(cell.cp_ns as f64 / requests),
        ms(cell.request_ns as f64 / requests),
        percent(share(cell)),
    );
    let together = match edge.to.kind {
        NodeKind::Database => "fetch or write all of them with one statement: a join, `IN (…)`, a batch",
        NodeKind::Service | NodeKind::Cache | NodeKind::Queue | NodeKind::External => {
            "fetch all of them with one call that takes a list; where there is none, make the calls side by side, a bounded \
             number at a time"
        }
    };
    let action = format!("{together}; or keep in {from} what seldom changes");
    // What is to be changed is the caller's.
    Finding { kind: FindingKind::LoopOfCalls, node: from.to_string(), text, action }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::NodeKey;

    #[test]
    fn a_node_of_two_names_is_not_counted_twice() {
        let mut cells = Cells::default();
        let loops = |name: &str, kind, requests| {
            let to = NodeKey { name: name.into(), kind };
            let edge = EdgeKey { from: "order".into(), to, op: "GET /price".into() };
            let cell = LoopCell { requests, loops: requests, calls: 6 * requests, ..LoopCell::default() };
            let cell = LoopCell { cp_ns: 6 * requests, request_ns: 20 * requests, ..cell };
            ((edge, TraceClass::Mine), cell)
        };
        let [a, b] = [loops("price:80", NodeKind::External, 300), loops("price", NodeKind::Service, 290)];
        cells.aliases.insert(("price:80".into(), "price".into()), 5);
        cells.loops.extend([a.clone(), b.clone(), loops("stock", NodeKind::Service, 7)]);
        let found = by_node(&cells, &Names::new(&cells), TraceClass::Mine);
        let found: Vec<_> = found.iter().map(|(edge, cell)| (&*edge.to.name, (*cell).clone())).collect();
        assert_eq!(found, [("price", a.1), ("stock", loops("stock", NodeKind::Service, 7).1)]);
    }
}
