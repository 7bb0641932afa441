//! A key to which so much of the drill's work goes that it waits for itself: one item, tenant or account, behind a row lock,
//! a shard or a slot of a cache.

use std::collections::BTreeMap;
use std::sync::Arc;

use peakdrill_drill_model::verdict::{Finding, FindingKind};
use peakdrill_latency::Sparse;

use super::partitions::{MOST, SLOWER, SLOWER_NS, TIMES_EVEN};
use crate::analyse::Facts;
use crate::analyse::words::{ms, percent};
use crate::cells::Cell as _;
use crate::key::NodeKey;
use crate::keys::{KeyCell, KeyRead};

/// Fewer operations than this say nothing ...
const FEW_OPS: i64 = 200;
/// ... nor do fewer of the one key, or of all that are not hot.
const FEW_OF_EACH: i64 = 30;
/// Of fewer buckets than this none stands out.
const FEW_BUCKETS: usize = 3;
/// The low end of how long the median one takes is so many times the others' median at least.
const SLOWER_LOW: f64 = 1.2;
/// Characters of a key that are shown.
const SHOWN_CHARS: usize = 24;

/// A hot key at one operation of a node.
struct Hot<'a> {
    op: &'a str,
    ops: i64,
    part: f64,
    times_even: f64,
    took_ns: f64,
    others_ns: f64,
    key: KeyRead,
}

/// `told`: where a partition is told of its key is the cause of that, and not told again.
pub(super) fn findings(facts: &Facts<'_>, told: &[Finding]) -> Vec<Finding> {
    let mut by_node: BTreeMap<NodeKey, Hot<'_>> = BTreeMap::new();
    for (place, buckets) in facts.cells.keys.places() {
        let node = facts.names.of(&place.node);
        let partition =
            |found: &Finding| found.kind == FindingKind::HotPartition && *found.node == *node.name;
        if told.iter().any(partition) {
            continue;
        }
        if let Some(hot) = hot(&place.op, buckets)
            && by_node.get(&node).is_none_or(|known| known.ops < hot.ops)
        {
            by_node.insert(node, hot);
        }
    }
    by_node.iter().map(|(node, hot)| finding(&node.name, hot)).collect()
}

/// Of the buckets that get far more than an even share, the largest that is also slow.
fn hot<'a>(op: &'a str, buckets: &BTreeMap<i64, Arc<KeyCell>>) -> Option<Hot<'a>> {
    let all: i64 = buckets.values().map(|cell| cell.ops).sum();
    if all < FEW_OPS || buckets.len() < FEW_BUCKETS {
        return None;
    }
    let part = |cell: &KeyCell| cell.ops as f64 / all as f64;
    let times_even = |cell: &KeyCell| part(cell) * buckets.len() as f64;
    let much = |cell: &KeyCell| times_even(cell) > TIMES_EVEN || part(cell) > MOST;
    let mut others = KeyCell::default();
    buckets.values().filter(|cell| !much(cell)).for_each(|cell| others.add(cell));
    let others_ns = quantile(&others.took, 0.5).filter(|_| others.ops >= FEW_OF_EACH)?;
    let slow = |(bucket, cell): (&i64, &Arc<KeyCell>)| {
        let took_ns = quantile(&cell.took, 0.5)?;
        // Two standard errors of a median's rank.
        let low_ns = quantile(&cell.took, 0.5 - 1.0 / (cell.ops as f64).sqrt())?;
        let slower = took_ns >= SLOWER * others_ns && took_ns - others_ns >= SLOWER_NS;
        (slower && low_ns >= SLOWER_LOW * others_ns).then(|| Hot {
            op,
            ops: cell.ops,
            part: part(cell),
            times_even: times_even(cell),
            took_ns,
            others_ns,
            key: cell.key(*bucket),
        })
    };
    let hot = buckets.iter().filter(|(_, cell)| much(cell) && cell.ops >= FEW_OF_EACH);
    hot.filter_map(slow).max_by_key(|hot| hot.ops)
}

fn quantile(took: &Sparse, q: f64) -> Option<f64> {
    took.quantile(q).map(|ns| ns as f64)
}

fn finding(node: &str, hot: &Hot<'_>) -> Finding {
    let Hot { op, part, times_even, took_ns, others_ns, .. } = hot;
    let key = match &hot.key {
        KeyRead::Named(text) => format!("the key {}", quoted(text)),
        KeyRead::One => "one key (its name cannot be told)".to_owned(),
        KeyRead::Several => "one key (or a few that cannot be told apart)".to_owned(),
    };
    Finding {
        kind: FindingKind::HotKey,
        node: node.to_owned(),
        text: format!(
            "{key} got {} of the drill's {op} at {node}, {times_even:.1} times an even share: the median one takes {} by \
             itself there, and {} where it is about other keys",
            percent(*part),
            ms(*took_ns),
            ms(*others_ns),
        ),
        action: format!(
            "what is about one key waits for itself (a row lock, one shard, one slot of a cache), so more of {node} does not \
             help. Look at the drill's data first: a feeder that sends everyone to one item is a fault of the drill, and its \
             keys should be as spread as those of real users. If these crowd as well, spread the key: split the counter or row \
             into several that are added up, cache what is only read, or shard by another key"
        ),
    }
}

/// As it can be shown anywhere: in quotes, and nothing in it that a terminal would act on.
fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN_CHARS).collect();
    let cut = if text.chars().nth(SHOWN_CHARS).is_some() && !shown.ends_with('…') { "…" } else { "" };
    format!("\"{}{cut}\"", shown.escape_debug())
}
