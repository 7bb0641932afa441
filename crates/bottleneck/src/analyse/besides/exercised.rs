//! What the drill says nothing of: nodes that live users come to and the drill never does, and nodes that it met as a
//! stub only. Their capacity was not exercised, however well the drill went.

use std::collections::BTreeMap;

use peakdrill_drill_model::verdict::{Finding, FindingKind};

use crate::analyse::Facts;
use crate::analyse::words::rate;
use crate::key::{NodeKey, TraceClass};

/// Fewer calls of live users than this say nothing.
const FEW_CALLS: i64 = 20;
/// Fewer requests of the drill than this: it hardly began.
const FEW_ROOTS: i64 = 30;
/// Nodes that are told of, those that live users call most first.
const NODES_MAX: usize = 20;

/// Operations of a node during the load.
#[derive(Default)]
struct Ops {
    live: i64,
    drill: i64,
    stubbed: i64,
}

pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mine = facts.cells.roots.iter().filter(|((_, class), _)| *class == TraceClass::Mine);
    let roots: i64 = mine.flat_map(|(_, seconds)| seconds.values()).map(|cell| cell.count).sum();
    if roots < FEW_ROOTS {
        return Vec::new();
    }
    let mut nodes: Vec<(NodeKey, Ops)> = ops(facts).into_iter().collect();
    nodes.sort_by(|a, b| b.1.live.cmp(&a.1.live).then_with(|| a.0.cmp(&b.0)));
    let told = nodes.iter().filter_map(|(key, ops)| finding(facts, key, ops));
    told.take(NODES_MAX).collect()
}

fn ops(facts: &Facts<'_>) -> BTreeMap<NodeKey, Ops> {
    let mut out: BTreeMap<NodeKey, Ops> = BTreeMap::new();
    for ((key, class), seconds) in &facts.cells.nodes {
        let ops = out.entry(facts.names.of(key)).or_default();
        // Live users are looked at while the load was there; of the drill any call counts, its probes included.
        let load = 0..facts.series.load as i64;
        match class {
            TraceClass::Live => {
                ops.live += seconds.range(load).map(|(_, cell)| cell.ops).sum::<i64>();
            }
            TraceClass::Mine => {
                for cell in seconds.values() {
                    ops.drill += cell.ops;
                    ops.stubbed += cell.mocked;
                }
            }
            TraceClass::OtherRun => {}
        }
    }
    out
}

fn finding(facts: &Facts<'_>, key: &NodeKey, ops: &Ops) -> Option<Finding> {
    let name = &key.name;
    let live = rate(ops.live as f64 / facts.series.load.max(1) as f64);
    let (text, action) = if ops.drill == 0 && ops.live >= FEW_CALLS {
        (
            format!(
                "live users call {name}, {live}, and the drill never did: what it carries was not exercised"
            ),
            format!(
                "add a journey that comes to {name}, or say beside the result that it does not speak for {name}"
            ),
        )
    } else if ops.stubbed > 0 && ops.stubbed * 2 > ops.drill {
        let all = if ops.stubbed == ops.drill { "all" } else { "most" };
        let beside =
            if ops.live > 0 { format!("; live users came to the real one, {live}") } else { String::new() };
        (
            format!(
                "a stub answered {all} of the drill's {} calls of {name}: what the real one carries was not \
                 exercised{beside}",
                ops.drill
            ),
            format!("ask who runs {name} what it carries, or drill against a test system of theirs"),
        )
    } else {
        return None;
    };
    Some(Finding { kind: FindingKind::NotExercised, node: name.to_string(), text, action })
}
