//! A key that so much of the drill's work is about that it may wait for itself: one item, tenant or account, behind a row
//! lock, a shard or a slot of a cache.

use std::collections::BTreeMap;
use std::sync::Arc;

use peakdrill_drill_model::verdict::{Finding, FindingKind};

use super::partitions::{MOST, SLOWER, SLOWER_NS, TIMES_EVEN};
use crate::analyse::Facts;
use crate::analyse::words::{ms, percent};
use crate::cells::{Cell as _, Seconds};
use crate::key::NodeKey;
use crate::keys::{self, KeyCell, KeyRead, Places};

/// Fewer operations than this say nothing ...
const FEW_OPS: i64 = 200;
/// ... nor do fewer of the one key, or of all that are not hot.
const FEW_OF_EACH: i64 = 30;
/// Of fewer buckets than this none stands out.
const FEW_BUCKETS: usize = 3;
/// What is about the key takes so many times as long as the rest at least ...
const SLOWER_LOW: f64 = 1.2;
/// ... by so many standard errors: a place has a dozen buckets that may be hot, and a system hundreds of places.
const ERRORS_OFF: f64 = 4.0;
/// What is about the key has so many operations in progress at a time. With fewer hardly any meets another, and none waits
/// for it: by Little's law.
const IN_PROGRESS: f64 = 0.5;
/// Characters of a key that are shown.
const SHOWN_CHARS: usize = 24;

/// A hot key at one place.
struct Hot<'a> {
    op: &'a str,
    caller: &'a str,
    ops: i64,
    part: f64,
    times_even: f64,
    in_progress: f64,
    took_ns: f64,
    others_ns: f64,
    key: KeyRead,
}

/// `told`: where a partition is told of its key is the cause of that, and not told again.
pub(super) fn findings(facts: &Facts<'_>, told: &[Finding]) -> Vec<Finding> {
    if facts.cells.keys.is_empty() {
        return Vec::new();
    }
    let places = Places::new(facts.cells);
    // What is known of is a part of all.
    let seconds = facts.series.load as f64 * facts.series.part;
    let mut by_node: BTreeMap<NodeKey, Hot<'_>> = BTreeMap::new();
    for buckets in facts.cells.keys.values() {
        let all = keys::together(buckets);
        let found = places.of(&all).filter(|(node, ..)| !facts.names.stands_for_many(&node.name));
        let Some((node, op, caller)) = found else { continue };
        let node = facts.names.of(node);
        let partition =
            |found: &Finding| found.kind == FindingKind::HotPartition && *found.node == *node.name;
        if told.iter().any(partition) {
            continue;
        }
        let hot = hot((op, caller), all.ops, buckets, seconds);
        if let Some(hot) = hot.filter(|hot| by_node.get(&node).is_none_or(|known| known.ops < hot.ops)) {
            by_node.insert(node, hot);
        }
    }
    by_node.iter().map(|(node, hot)| finding(&node.name, hot)).collect()
}

/// Of the buckets that get far more than an even share, the largest that is also slow, and may wait.
fn hot<'a>(
    (op, caller): (&'a str, &'a str),
    all: i64,
    buckets: &Seconds<KeyCell>,
    seconds: f64,
) -> Option<Hot<'a>> {
    if all < FEW_OPS || buckets.len() < FEW_BUCKETS {
        return None;
    }
    let part = |cell: &KeyCell| cell.ops as f64 / all as f64;
    let times_even = |cell: &KeyCell| part(cell) * buckets.len() as f64;
    let much = |cell: &KeyCell| times_even(cell) > TIMES_EVEN || part(cell) > MOST;
    let (mut others, others_buckets) =
        (KeyCell::default(), buckets.values().filter(|cell| !much(cell)).count() as f64);
    buckets.values().filter(|cell| !much(cell)).for_each(|cell| others.add(cell));
    let (others_ns, others_error) = others.mean_ns().filter(|_| others.ops >= FEW_OF_EACH)?;
    let told = |(bucket, cell): (&i64, &Arc<KeyCell>)| {
        let (took_ns, error) = cell.mean_ns()?;
        let in_progress = cell.took_s() / seconds;
        let slower = took_ns >= SLOWER * others_ns && took_ns - others_ns >= SLOWER_NS;
        let off = ERRORS_OFF * (error + SLOWER_LOW.powi(2) * others_error).sqrt();
        let sure = took_ns - off >= SLOWER_LOW * others_ns;
        (slower && sure && in_progress >= IN_PROGRESS).then(|| Hot {
            op,
            caller,
            ops: cell.ops,
            // Others fall into its bucket as into any.
            part: part(cell) - others.ops as f64 / others_buckets / all as f64,
            times_even: times_even(cell),
            in_progress,
            took_ns,
            others_ns,
            key: cell.key(*bucket),
        })
    };
    let hot = buckets.iter().filter(|(_, cell)| much(cell) && cell.ops >= FEW_OF_EACH);
    hot.filter_map(told).max_by_key(|hot| hot.ops)
}

fn finding(node: &str, hot: &Hot<'_>) -> Finding {
    let Hot { op, caller, part, times_even, in_progress, took_ns, others_ns, .. } = hot;
    let key = match &hot.key {
        KeyRead::Named(text) => format!("the key {}", quoted(text)),
        KeyRead::One => "one key (its name cannot be told)".to_owned(),
        KeyRead::Several => "one key (or a few that cannot be told apart)".to_owned(),
    };
    let of = if caller.is_empty() { String::new() } else { format!(" for {caller}") };
    Finding {
        kind: FindingKind::HotKey,
        node: node.to_owned(),
        text: format!(
            "{key} got some {} of the drill's {op} at {node}{of}, {times_even:.1} times an even share: these take {} by themselves \
             on average, {} where they are about other keys, and {in_progress:.1} of them were in progress at a time",
            percent(*part),
            ms(*took_ns),
            ms(*others_ns),
        ),
        action: format!(
            "what is about one key may wait for itself (a row lock, one shard, one slot of a cache): then more of {node} does \
             not help; or it is more work. Look at the drill's data first: a feeder that sends everyone to one item is a fault \
             of the drill, and its keys should be as spread as those of real users. If these crowd as well, spread the key: \
             split the counter or row into several that are added up, cache what is only read, or shard by another key"
        ),
    }
}

/// As it can be shown anywhere: in quotes, and nothing in it that a terminal would act on.
fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN_CHARS).collect();
    let cut = if text.chars().nth(SHOWN_CHARS).is_some() && !shown.ends_with('…') { "…" } else { "" };
    format!("\"{}{cut}\"", shown.escape_debug())
}

#[cfg(test)]
mod tests;
