//! What the drill says nothing of: nodes that live users come to and the drill never does, and nodes that it met as a
//! stub only. Their capacity was not exercised, however well the drill went.

use std::collections::BTreeMap;

use peakdrill_drill_model::verdict::{Finding, FindingKind, NodeKind};

use crate::analyse::Facts;
use crate::analyse::words::rate;
use crate::bounds::OfClass;
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
    /// Of the drill, those that were traced.
    drill: i64,
    stubbed: i64,
}

/// Nodes that live users come to and the drill does not. Of the drill's requests those count that were traced; where
/// these are a part of all, a node must be one that so many would have come to if they were live users'.
pub(super) fn never(facts: &Facts<'_>) -> Vec<Finding> {
    let lost = Lost::of(facts);
    // While the load runs it may still come there.
    let is_over = facts.input.settled_before.is_none();
    if lost.of_drill || !is_over {
        return Vec::new();
    }
    let part = facts.series.part;
    let (traced, live_roots) = (traced(facts), live_roots(facts));
    // Calls of the node that so many requests would lead to.
    let would_be = |ops: &Ops| ops.live as f64 * traced as f64 / live_roots.max(1) as f64;
    let enough = |ops: &Ops| ops.live >= FEW_CALLS && (part >= 1.0 || would_be(ops) >= FEW_CALLS as f64);
    let drill =
        if part < 1.0 { "no request of the drill that was traced did" } else { "the drill never did" };
    told(facts, |node, ops| {
        let name = &*node.name;
        (ops.drill == 0 && enough(ops) && lost.may_tell_of(facts, node)).then(|| Finding {
            kind: FindingKind::NotExercised,
            node: name.to_owned(),
            text: format!(
                "live users call {name}, {}, and {drill}: what it carries was not exercised",
                live(facts, ops)
            ),
            action: format!(
                "add a journey that comes to {name}, or say beside the result that it does not speak for {name}"
            ),
        })
    })
}

/// Nodes whose stub answered the drill.
pub(super) fn stubs(facts: &Facts<'_>) -> Vec<Finding> {
    told(facts, |node, ops| {
        let name = &*node.name;
        let mostly = ops.stubbed > 0 && ops.stubbed * 2 > ops.drill;
        let all = if ops.stubbed == ops.drill { "all" } else { "most" };
        let real = live(facts, ops);
        let beside =
            if ops.live > 0 { format!("; live users came to the real one, {real}") } else { String::new() };
        let calls = (ops.drill as f64 / facts.series.part).round();
        mostly.then(|| Finding {
            kind: FindingKind::NotExercised,
            node: name.to_owned(),
            text: format!(
                "a stub answered {all} of the drill's {calls} calls of {name}: what the real one carries was not \
                 exercised{beside}"
            ),
            action: format!("ask who runs {name} what it carries, or drill against a test system of theirs"),
        })
    })
}

/// What is not known of names, where some were left out.
struct Lost {
    /// What else services are called.
    aliases: bool,
    /// Of a node that the drill came to, which service it is.
    of_drill: bool,
}

impl Lost {
    fn of(facts: &Facts<'_>) -> Self {
        let (cells, names) = (facts.cells, facts.names);
        let is_thinned = |class| cells.thinned(class).is_some_and(OfClass::thins_services);
        let aliases = [TraceClass::Mine, TraceClass::Live].into_iter().any(is_thinned);
        let mut mine = cells.nodes.keys().filter(|(_, class)| *class == TraceClass::Mine);
        let is_nobody = |(node, _): &(NodeKey, TraceClass)| {
            let is_known = names.of(node).kind != NodeKind::External;
            !is_known && (aliases || names.stands_for_many(&node.name))
        };
        Self { aliases, of_drill: mine.any(is_nobody) }
    }

    /// Whether the drill's calls of a node would be under its name.
    fn may_tell_of(&self, facts: &Facts<'_>, node: &NodeKey) -> bool {
        let mine = facts.cells.thinned(TraceClass::Mine);
        mine.is_none_or(|names| names.keeps_node(&node.name))
            && !(self.aliases && node.kind == NodeKind::External)
    }
}

/// What is said of the nodes, those that live users call most first; nothing where the drill hardly began.
fn told(facts: &Facts<'_>, of: impl Fn(&NodeKey, &Ops) -> Option<Finding>) -> Vec<Finding> {
    if traced(facts) < FEW_ROOTS {
        return Vec::new();
    }
    let mut nodes: Vec<(NodeKey, Ops)> = ops(facts).into_iter().collect();
    nodes.sort_by(|a, b| b.1.live.cmp(&a.1.live).then_with(|| a.0.cmp(&b.0)));
    nodes.iter().filter_map(|(key, ops)| of(key, ops)).take(NODES_MAX).collect()
}

/// How often live users came.
fn live(facts: &Facts<'_>, ops: &Ops) -> String {
    rate(ops.live as f64 / facts.series.load.max(1) as f64)
}

/// Requests of the drill of which spans were asked for.
fn traced(facts: &Facts<'_>) -> i64 {
    let mine = facts.cells.roots.iter().filter(|((_, class), _)| *class == TraceClass::Mine);
    mine.flat_map(|(_, seconds)| seconds.values()).map(|cell| cell.count - cell.unsampled).sum()
}

/// Requests of live users during the load.
fn live_roots(facts: &Facts<'_>) -> i64 {
    let live = facts.cells.roots.iter().filter(|((_, class), _)| *class == TraceClass::Live);
    live.flat_map(|(_, seconds)| seconds.range(0..facts.series.load as i64)).map(|(_, cell)| cell.count).sum()
}

fn ops(facts: &Facts<'_>) -> BTreeMap<NodeKey, Ops> {
    let mut out: BTreeMap<NodeKey, Ops> = BTreeMap::new();
    let named = facts.cells.nodes.iter().filter(|((key, _), _)| !facts.names.stands_for_many(&key.name));
    for ((key, class), seconds) in named {
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
