//! Messages that a consumer processes again: it failed at them, or did not say in time that it was done. Each time is work
//! besides what comes in, and whatever is not safe to repeat is done twice.

use std::collections::BTreeMap;

use peakdrill_drill_model::verdict::{Finding, FindingKind};

use crate::analyse::Facts;
use crate::cells::{Cell as _, MessageCell};
use crate::key::EdgeKey;

/// Fewer messages than this that were processed again say nothing.
const FEW_AGAIN: i64 = 10;
/// The part of the messages from which on it is spoken of.
const PART: f64 = 0.01;
/// Of the processings beyond the first, the part after an error from which on errors are the reason.
const FAILED: f64 = 0.5;
/// Consumers that are told of, those that process most again first.
const CONSUMERS_MAX: usize = 5;

pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    // Of all traffic: the drill's messages and those of live users stand in the same queues.
    let mut consumers: BTreeMap<(&str, &str), MessageCell> = BTreeMap::new();
    let of_one = |edge: &EdgeKey| {
        [&edge.from, &edge.to.name].into_iter().all(|name| !facts.cells.stands_for_many(name))
    };
    for ((edge, _), cell) in facts.cells.messages.iter().filter(|((edge, _), _)| of_one(edge)) {
        consumers.entry((&edge.from, &edge.to.name)).or_default().add(cell);
    }
    let mut told: Vec<_> = consumers.into_iter().filter(|(_, cell)| matters(cell)).collect();
    told.sort_by(|a, b| b.1.again.cmp(&a.1.again).then_with(|| a.0.cmp(&b.0)));
    told.iter().take(CONSUMERS_MAX).map(|((queue, by), cell)| finding(queue, by, cell)).collect()
}

fn part(cell: &MessageCell) -> f64 {
    cell.again as f64 / cell.messages.max(1) as f64
}

fn matters(cell: &MessageCell) -> bool {
    cell.again >= FEW_AGAIN && part(cell) >= PART
}

fn finding(queue: &str, by: &str, cell: &MessageCell) -> Finding {
    let failed = cell.after_error as f64 >= FAILED * cell.again as f64;
    let why = format!("{} of these times after it had failed at it", cell.after_error);
    let text = format!(
        "{by} processed messages of {queue} again: {} times beside {} messages ({:.1} %), {why}; told by the messages' own \
         traces, so that what came again in another trace is not in it",
        cell.again,
        cell.messages,
        100.0 * part(cell)
    );
    let bound = format!("and make what {by} does safe to repeat");
    let action = if failed {
        format!(
            "find why {by} fails, try again after growing pauses, set aside what fails some times (a dead-letter queue), \
             {bound}"
        )
    } else {
        format!(
            "let {by} acknowledge each message once it is done and within the queue's time limit (longer limit, fewer \
             messages at a time, no rebalancing under load), {bound}"
        )
    };
    // What is to be changed is the consumer's.
    Finding { kind: FindingKind::Redelivered, node: by.to_owned(), text, action }
}
