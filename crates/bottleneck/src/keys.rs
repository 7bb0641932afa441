//! Keys that work was about, in a table of fixed size of integer sums: by these, the one that most of a bucket's work was
//! about can be read.

use std::sync::Arc;

use foldhash::HashMap;
use peakdrill_drill_model::verdict::NodeKind;
use peakdrill_trace_model::{SpanKey, stable_hash};
use serde::{Deserialize, Serialize};

use crate::cells::{Cell, Cells, Seconds};
use crate::key::{NodeKey, TraceClass};

/// Slots for places, of each of which there are [`SpanKey::BUCKETS`] cells.
pub const KEY_SLOTS: u16 = 512;
/// Of these, for databases, caches and queues, where work waits for a key: services take no room of theirs.
const STORE_SLOTS: u16 = 384;

const BITS: usize = 8 * SpanKey::BYTES;
/// What a bit of a key is read by: so much of the work has it ...
const CLEAR: f64 = 0.75;
/// ... and of few keys so many standard deviations more than half: of two keys with as much work each, chance makes one
/// look like the only one in less than 1 % of draws.
const SURE: f64 = 2.8;
/// Fewer keys than this say nothing: all of fewer may be of one of two by chance.
const FEW_NAMED: i64 = 8;

/// Durations are kept in units of some 65 µs ...
const UNIT_NS: u64 = 1 << 16;
/// ... and no longer than two minutes, so that few squares do not fill a number.
const UNITS_MAX: u64 = 1 << 21;

/// A place: an operation of a node, as part of one operation of who called it. Work of another kind takes as long as it
/// takes whatever the key. By hashes without a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlaceId {
    /// Where it is counted. Two places may have one.
    pub(crate) slot: u16,
    op: u32,
    caller: u32,
}

impl PlaceId {
    /// `caller`: the calling operation; empty where none is known.
    pub(crate) fn of(node: &NodeKey, op: &str, caller: &str) -> Self {
        let (op, caller) = (op_id(node, op), caller_id(caller));
        let both = stable_hash(op.to_le_bytes().into_iter().chain(caller.to_le_bytes()));
        let slot = |slots: u16| (both % u64::from(slots)) as u16;
        let is_store = matches!(node.kind, NodeKind::Database | NodeKind::Cache | NodeKind::Queue);
        let slot = if is_store { slot(STORE_SLOTS) } else { STORE_SLOTS + slot(KEY_SLOTS - STORE_SLOTS) };
        Self { slot, op, caller }
    }
}

fn op_id(node: &NodeKey, op: &str) -> u32 {
    let kind = match node.kind {
        NodeKind::Service => 0,
        NodeKind::Database => 1,
        NodeKind::Cache => 2,
        NodeKind::Queue => 3,
        NodeKind::External => 4,
    };
    // No text has the byte between them.
    (stable_hash(node.name.bytes().chain([0xff, kind]).chain(op.bytes())) >> 32) as u32
}

fn caller_id(caller: &str) -> u32 {
    (stable_hash(caller.bytes()) >> 32) as u32
}

/// Work of the drill at the places of one slot, on one of the parts of all keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyCell {
    /// Operations.
    pub ops: i64,
    /// Sum of the ids of their nodes' operations: where all are at one place, the mean of them is its id.
    pub places: i64,
    /// The same of the calling operations.
    pub callers: i64,
    /// How long they took by themselves, without calls behind them, in units of 2¹⁶ ns.
    pub took: i64,
    /// Sum of the squares of that.
    pub took_squared: i64,
    /// Of how many the key's bits were counted.
    pub named: i64,
    /// How many of these keys had each bit set.
    #[serde(skip_serializing_if = "Bits::is_empty")]
    bits: Bits,
}

impl KeyCell {
    /// One operation; a negative sign takes it back.
    pub(crate) fn count(&mut self, place: PlaceId, ns: u64, sign: i64) {
        let took = (ns / UNIT_NS).min(UNITS_MAX) as i64;
        let one = [1, i64::from(place.op), i64::from(place.caller), took, took * took];
        let sums =
            [&mut self.ops, &mut self.places, &mut self.callers, &mut self.took, &mut self.took_squared];
        sums.into_iter().zip(one).for_each(|(sum, one)| *sum = sum.wrapping_add(one * sign));
    }

    /// The key of one of the operations.
    pub(crate) fn name(&mut self, key: &SpanKey, sign: i64) {
        self.named = self.named.wrapping_add(sign);
        self.bits.count(key, sign as i32);
        self.trim();
    }

    /// No bits are kept where none are counted: equal sums are equal cells.
    fn trim(&mut self) {
        if self.named == 0 {
            self.bits.trim();
        }
    }

    /// The key that most of the operations are about.
    pub(crate) fn key(&self, bucket: i64) -> KeyRead {
        let Ok(bucket) = u8::try_from(bucket) else { return KeyRead::Several };
        if self.named < FEW_NAMED {
            return KeyRead::Several;
        }
        let (bytes, clear) = self.bits.majority(self.named);
        let text = || SpanKey::of_bytes(bucket, bytes).text();
        match clear {
            SpanKey::BYTES.. => text().map_or(KeyRead::One, KeyRead::Named),
            SpanKey::HEAD_BYTES.. => KeyRead::One,
            _ => KeyRead::Several,
        }
    }

    /// Time spent in them, seconds.
    pub(crate) fn took_s(&self) -> f64 {
        self.took as f64 * UNIT_NS as f64 / 1e9
    }

    /// How long one takes, and the square of the standard error of that, nanoseconds. `None`: there are too few.
    pub(crate) fn mean_ns(&self) -> Option<(f64, f64)> {
        if self.ops < 2 {
            return None;
        }
        let (ops, took, unit) = (self.ops as f64, self.took as f64, UNIT_NS as f64);
        let spread = (self.took_squared as f64 - took * took / ops).max(0.0) / (ops - 1.0);
        Some((took / ops * unit, spread / ops * unit * unit))
    }
}

/// What the sums of a bucket tell of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyRead {
    /// Most of the operations are about this one; of a long key the beginning.
    Named(String),
    /// Most are about one.
    One,
    /// They may be about several.
    Several,
}

impl Cell for KeyCell {
    const NUMBERS: &'static [&'static str] = &["ops", "places", "callers", "took", "took_squared", "named"];
    const HISTOGRAMS: &'static [&'static str] = &[];

    fn numbers(&self) -> Vec<i64> {
        vec![self.ops, self.places, self.callers, self.took, self.took_squared, self.named]
    }

    fn add_numbers(&mut self, other: &Self, sign: i64) {
        for (sum, more) in [
            (&mut self.ops, other.ops),
            (&mut self.places, other.places),
            (&mut self.callers, other.callers),
            (&mut self.took, other.took),
            (&mut self.took_squared, other.took_squared),
            (&mut self.named, other.named),
        ] {
            *sum = sum.wrapping_add(more.wrapping_mul(sign));
        }
        self.bits.add(&other.bits, sign as i32);
        self.trim();
    }

    fn each_histogram(&self, _visit: &mut dyn FnMut(usize, &peakdrill_latency::Sparse)) {}

    fn histogram_mut(&mut self, _which: usize) -> Option<&mut peakdrill_latency::Sparse> {
        None
    }
}

/// How often each bit was set among some keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<i32>")]
struct Bits(Vec<i32>);

impl Bits {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn count(&mut self, key: &SpanKey, sign: i32) {
        self.0.resize(BITS, 0);
        for (counts, byte) in self.0.chunks_exact_mut(8).zip(key.bytes()) {
            for (bit, count) in counts.iter_mut().enumerate() {
                *count = count.wrapping_add(sign * i32::from(byte >> bit & 1));
            }
        }
    }

    fn add(&mut self, other: &Self, sign: i32) {
        if other.is_empty() {
            return;
        }
        self.0.resize(BITS, 0);
        for (count, more) in self.0.iter_mut().zip(&other.0) {
            *count = count.wrapping_add(more.wrapping_mul(sign));
        }
    }

    fn trim(&mut self) {
        if self.0.iter().all(|count| *count == 0) {
            self.0 = Vec::new();
        }
    }

    /// What most of so many keys have at each bit, and of how many bytes from the first on that is clear.
    fn majority(&self, keys: i64) -> ([u8; SpanKey::BYTES], usize) {
        let (mut bytes, mut clear) = ([0; SpanKey::BYTES], 0);
        let all = keys as f64;
        let enough = (CLEAR * all).max(all / 2.0 + SURE * all.sqrt() / 2.0);
        for (at, counts) in self.0.chunks_exact(8).enumerate().take(SpanKey::BYTES) {
            let mut all_clear = true;
            for (bit, count) in counts.iter().enumerate() {
                let set = i64::from(*count);
                let most = set.max(keys.saturating_sub(set));
                all_clear &= most as f64 >= enough;
                bytes[at] |= u8::from(set > keys / 2) << bit;
            }
            clear += usize::from(all_clear && clear == at);
        }
        (bytes, clear)
    }
}

impl From<Vec<i32>> for Bits {
    fn from(mut counts: Vec<i32>) -> Self {
        counts.resize(BITS, 0);
        Self(counts)
    }
}

/// The places that the drill's calls tell of.
pub(crate) struct Places<'a> {
    ops: HashMap<u32, (NodeKey, &'a Arc<str>)>,
    callers: HashMap<u32, &'a str>,
}

impl<'a> Places<'a> {
    pub(crate) fn new(cells: &'a Cells) -> Self {
        let (mut ops, mut callers) = (HashMap::default(), HashMap::default());
        callers.insert(caller_id(""), "");
        for (edge, _) in cells.edges.keys().filter(|(_, class)| *class == TraceClass::Mine) {
            let op: &'a Arc<str> = &edge.op;
            callers.entry(caller_id(op)).or_insert(op);
            // The work on messages is the queue's.
            let queue = NodeKey { name: Arc::clone(&edge.from), kind: NodeKind::Queue };
            for node in [edge.to.clone(), queue] {
                ops.entry(op_id(&node, op)).or_insert((node, op));
            }
        }
        Self { ops, callers }
    }

    /// Node, operation and calling operation, where all of a slot's operations are at one place.
    pub(crate) fn of(&self, slot: &KeyCell) -> Option<(&NodeKey, &'a str, &'a str)> {
        let mean = |sum: i64| {
            let whole = sum.checked_rem(slot.ops)? == 0;
            u32::try_from(sum.checked_div(slot.ops)?).ok().filter(|_| whole)
        };
        let (node, op) = self.ops.get(&mean(slot.places)?)?;
        Some((node, op, self.callers.get(&mean(slot.callers)?)?))
    }
}

/// All that is known of a slot.
pub(crate) fn together(buckets: &Seconds<KeyCell>) -> KeyCell {
    let mut all = KeyCell::default();
    buckets.values().for_each(|cell| all.add(cell));
    all
}

/// Operations whose keys say nothing, since two places have one slot of [`KEY_SLOTS`]; and all that have keys. To be asked
/// for at the end: it goes through all cells.
#[must_use]
pub fn keys_left_out(cells: &Cells) -> (u64, u64) {
    if cells.keys.is_empty() {
        return (0, 0);
    }
    let places = Places::new(cells);
    let slots = cells.keys.values().map(together);
    slots.fold((0, 0), |(left_out, all), slot| {
        let ops = slot.ops.max(0).unsigned_abs();
        let is_mixed = places.of(&slot).is_none();
        (left_out.saturating_add(if is_mixed { ops } else { 0 }), all.saturating_add(ops))
    })
}

#[cfg(test)]
mod tests;
