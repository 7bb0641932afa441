//! Messages of which it is not known how long they waited: what their queue adds is not in the ranking then.

use std::collections::BTreeMap;

use peakdrill_drill_model::verdict::{Finding, FindingKind};

use crate::analyse::Facts;
use crate::analyse::words::percent;
use crate::cells::{Cell as _, LinkCell};
use crate::key::{NodeKey, TraceClass};

/// Fewer messages than this say nothing.
const FEW_MESSAGES: i64 = 20;
/// The part of the messages up to which it may be unknown: some are on their way, some were sent before the load began.
const UNKNOWN: f64 = 0.1;
/// Where fewer than one in so many of the drill's messages are known to be processed, the rest is in other traces.
const LITTLE_ONE_IN: i64 = 10;

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
    queues.iter().filter_map(|(node, cell)| unknown(&node.name, cell)).collect()
}

fn unknown(queue: &str, cell: &LinkCell) -> Option<Finding> {
    let unknown = (cell.linked - cell.known).max(0) as f64 / cell.linked.max(1) as f64;
    if cell.looked_at < FEW_MESSAGES || unknown <= UNKNOWN {
        return None;
    }
    let about = if cell.looked_at == cell.linked { "" } else { "about " };
    // A trace with a single message is the drill's because that one is.
    let or_live =
        if cell.batches > 0 { ", or live users sent them: batches may hold messages of both" } else { "" };
    let share = percent(unknown);
    Some(Finding {
        kind: FindingKind::WaitUnknown,
        node: queue.to_owned(),
        text: format!(
            "how long messages of {queue} waited is not known for {share} of the {about}{} that consumers know by links: \
             the spans that sent them are not there{or_live}",
            cell.linked
        ),
        action: format!(
            "see that whoever sends to {queue} exports its spans, and that the consumers' links lead to the span that sent \
             the message and not to the request's"
        ),
    })
}

/// Messages of one queue.
#[derive(Default)]
struct Handled {
    /// By the drill.
    sent: i64,
    /// In traces of the drill.
    processed: i64,
    /// In traces of others.
    by_others: i64,
    /// Known by links.
    linked: i64,
}

/// The drill sends messages, and what is done with nearly all of them is in traces that have nothing to do with the senders',
/// or, though consumers link, in none.
fn consumers(facts: &Facts<'_>) -> Vec<Finding> {
    let told = handled(facts).into_iter().filter(|(_, queue)| {
        let is_little = queue.processed < queue.sent / LITTLE_ONE_IN;
        queue.sent >= FEW_MESSAGES && queue.by_others + queue.linked > 0 && is_little
    });
    told.map(|(node, queue)| {
        let tell = if queue.linked > 0 { in_part } else { apart };
        tell(&node.name, &queue)
    })
    .collect()
}

/// Consumers that link begin traces, and whether those are recorded is decided anew.
fn in_part(queue: &str, Handled { sent, processed, .. }: &Handled) -> Finding {
    Finding {
        kind: FindingKind::WaitUnknown,
        node: queue.to_owned(),
        text: format!(
            "the drill sent {sent} messages to {queue}, of which {processed} are known to be processed: its consumers link to \
             the senders, but only a part of their traces may be recorded, or the others still wait; how long those waited, \
             and what the work on them takes, is not known"
        ),
        action: format!(
            "see how the sampler of the consumers of {queue} decides: a trace that begins with a link is no child of the \
             sender's, and is sampled by itself; let it keep what links to a sampled span, or all; see whether {queue} \
             is empty after the drill; or whether other consumers do not link, or leave the drill's messages out"
        ),
    }
}

fn apart(queue: &str, Handled { sent, processed, .. }: &Handled) -> Finding {
    let known = match *processed {
        0 => String::new(),
        some => format!(", of which {some} are known to be processed"),
    };
    Finding {
        kind: FindingKind::WaitUnknown,
        node: queue.to_owned(),
        text: format!(
            "the drill sent {sent} messages to {queue}{known}, and its consumers' {}traces neither go on from the senders' nor \
             link to them: how long these waited, and what the work on them takes, is not known",
            if *processed == 0 { "" } else { "other " },
        ),
        action: format!(
            "let the consumers of {queue} take up the trace context that the message carries, as parent or as link; or see \
             whether they leave the drill's messages out"
        ),
    }
}

/// By queue. What consumers fetch or acknowledge is not counted: that is done whosever messages they are.
fn handled(facts: &Facts<'_>) -> BTreeMap<NodeKey, Handled> {
    let mut queues: BTreeMap<NodeKey, Handled> = BTreeMap::new();
    let whole = facts.cells.links.iter().filter(|((node, _), _)| facts.cells.is_whole(&node.name));
    for ((node, class), cell) in whole {
        let queue = queues.entry(facts.names.of(node)).or_default();
        queue.sent += cell.sent;
        queue.linked += cell.linked;
        *(if *class == TraceClass::Mine { &mut queue.processed } else { &mut queue.by_others }) +=
            cell.processed;
    }
    queues
}

#[cfg(test)]
mod tests;
