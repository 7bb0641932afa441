//! Messages of which it is not known how long they waited: what their queue adds is not in the ranking then.

use std::collections::BTreeMap;

use peakdrill_drill_model::verdict::{Finding, FindingKind, NodeKind};

use crate::analyse::Facts;
use crate::analyse::words::percent;
use crate::cells::{Cell as _, LinkCell};
use crate::key::{NodeKey, TraceClass};

/// Fewer messages than this say nothing.
const FEW_MESSAGES: i64 = 20;
/// The part of the messages up to which it may be unknown: some are on their way, some were sent before the load began.
const UNKNOWN: f64 = 0.1;

pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut out = senders(facts);
    out.extend(consumers(facts));
    out
}

/// Consumers link to spans that are not there, or sent nothing.
fn senders(facts: &Facts<'_>) -> Vec<Finding> {
    let mut queues: BTreeMap<NodeKey, LinkCell> = BTreeMap::new();
    let named = facts.cells.links.iter().filter(|((node, _), _)| !facts.names.stands_for_many(&node.name));
    named.for_each(|((node, _), cell)| queues.entry(facts.names.of(node)).or_default().add(cell));
    let told = queues.iter().filter_map(|(node, cell)| {
        let unknown = (cell.linked - cell.known).max(0) as f64 / cell.linked.max(1) as f64;
        (cell.linked >= FEW_MESSAGES && unknown > UNKNOWN).then(|| Finding {
            kind: FindingKind::WaitUnknown,
            node: node.name.to_string(),
            text: format!(
                "how long messages of {} waited is not known for {} of the {} that consumers know by links: the spans that \
                 sent them are not there",
                node.name,
                percent(unknown),
                cell.linked
            ),
            action: format!(
                "see that whoever sends to {} exports its spans, and that the consumers' links lead to the span that sent \
                 the message and not to the request's",
                node.name
            ),
        })
    });
    told.collect()
}

/// The drill sends messages, and what is done with them is in traces that have nothing to do with the sender's.
fn consumers(facts: &Facts<'_>) -> Vec<Finding> {
    let mut sent: BTreeMap<NodeKey, i64> = BTreeMap::new();
    let is_mine = |class: TraceClass| class == TraceClass::Mine;
    let to_queues = facts.cells.edges.iter().filter(|((edge, class), _)| {
        is_mine(*class) && edge.to.kind == NodeKind::Queue && facts.cells.is_whole(&edge.to.name)
    });
    for ((edge, _), seconds) in to_queues {
        *sent.entry(facts.names.of(&edge.to)).or_default() +=
            seconds.values().map(|cell| cell.calls).sum::<i64>();
    }
    let mut done: BTreeMap<NodeKey, (i64, i64)> = BTreeMap::new();
    for ((node, class), seconds) in
        facts.cells.nodes.iter().filter(|((node, _), _)| node.kind == NodeKind::Queue)
    {
        let ops = seconds.values().map(|cell| cell.ops).sum::<i64>();
        let done = done.entry(facts.names.of(node)).or_default();
        *(if is_mine(*class) { &mut done.0 } else { &mut done.1 }) += ops;
    }
    let told = sent.into_iter().filter(|(node, count)| {
        *count >= FEW_MESSAGES && done.get(node).is_some_and(|(mine, others)| *mine == 0 && *others > 0)
    });
    told.map(|(node, count)| Finding {
        kind: FindingKind::WaitUnknown,
        node: node.name.to_string(),
        text: format!(
            "the drill sent {count} messages to {}, and its consumers' traces neither go on from the senders' nor link to \
             them: how long these waited, and what the work on them takes, is not known",
            node.name
        ),
        action: format!(
            "let the consumers of {} take up the trace context that the message carries, as parent or as link; or see \
             whether they leave the drill's messages out",
            node.name
        ),
    })
    .collect()
}
