//! A partition of a queue that has far more to do than the others: more consumers do not help, since one key, or a few,
//! lead to one partition and one partition to one consumer.

use std::collections::BTreeMap;

use peakdrill_drill_model::verdict::{Finding, FindingKind};
use peakdrill_latency::Sparse;

use crate::analyse::Facts;
use crate::analyse::words::{ms, percent};
use crate::cells::{Cell as _, PartitionCell};
use crate::key::NodeKey;

/// Fewer messages of a queue than this say nothing.
const FEW_MESSAGES: i64 = 200;
/// Of fewer partitions than this none stands out.
const FEW_PARTITIONS: usize = 3;
/// The first has more than so many times an even share ...
pub(super) const TIMES_EVEN: f64 = 5.0;
/// ... or more than this part of all, where so many times an even share is more than that.
pub(super) const MOST: f64 = 0.5;
/// Its messages take so many times as long as those of the others ...
pub(super) const SLOWER: f64 = 1.5;
/// ... and so many nanoseconds longer.
pub(super) const SLOWER_NS: f64 = 5_000_000.0;

pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut queues: BTreeMap<NodeKey, BTreeMap<u16, PartitionCell>> = BTreeMap::new();
    let all = facts.cells.partitions.iter();
    for ((node, _, at), cell) in all.filter(|((node, _, _), _)| !facts.names.stands_for_many(&node.name)) {
        queues.entry(facts.names.of(node)).or_default().entry(*at).or_default().add(cell);
    }
    queues.iter().filter_map(|(node, partitions)| finding(&node.name, partitions)).collect()
}

fn finding(name: &str, partitions: &BTreeMap<u16, PartitionCell>) -> Option<Finding> {
    let all: i64 = partitions.values().map(|cell| cell.ops).sum();
    let (hot, first) = partitions.iter().max_by_key(|(_, cell)| cell.ops)?;
    if all < FEW_MESSAGES || partitions.len() < FEW_PARTITIONS {
        return None;
    }
    let part = first.ops as f64 / all as f64;
    let times_even = part * partitions.len() as f64;
    if times_even <= TIMES_EVEN && part <= MOST {
        return None;
    }
    let mut others = PartitionCell::default();
    partitions.iter().filter(|(at, _)| *at != hot).for_each(|(_, cell)| others.add(cell));
    // Where the publishing is known the wait tells more than the work.
    let known = first.awaited > 0 && others.awaited > 0;
    let of = |cell: &PartitionCell| if known { median(&cell.queued) } else { median(&cell.span) };
    let (hot_ns, other_ns) = (of(first)?, of(&others)?);
    if hot_ns < SLOWER * other_ns || hot_ns - other_ns < SLOWER_NS {
        return None;
    }
    let what = if known { "waits" } else { "takes" };
    Some(Finding {
        kind: FindingKind::HotPartition,
        node: name.to_owned(),
        text: format!(
            "partition {hot} of {name} got {} of the messages, {times_even:.1} times an even share of {} partitions: the \
             median message {what} {} there, and {} in the others",
            percent(part),
            partitions.len(),
            ms(hot_ns),
            ms(other_ns)
        ),
        action: format!(
            "look at which keys lead to partition {hot}: one tenant or product, of the drill's data perhaps, or a key that \
             hardly varies; split or salt that key, since more consumers of {name} do not help"
        ),
    })
}

fn median(took: &Sparse) -> Option<f64> {
    took.quantile(0.5).map(|ns| ns as f64)
}
