//! Keys that work was about, by a bounded number of sums: none is kept, and the one that most of a bucket's work was about
//! can be read from its sums.

use std::collections::BTreeMap;
use std::sync::Arc;

use peakdrill_latency::Sparse;
use peakdrill_trace_model::SpanKey;
use serde::{Deserialize, Serialize};

use crate::bits::Bits;
use crate::cells::{Cell, Seconds};
use crate::key::NodeKey;
use crate::pairs;
use crate::room::Room;

/// Places whose keys are counted: nodes, operation by operation. Some 30 MB, where all have many keys.
pub const KEY_PLACES_MAX: usize = 64;
/// What a bit of a key is read by: so much of the work has it.
const CLEAR: f64 = 0.75;

/// Durations are kept to a sixteenth, and below this as one, nanoseconds: there are as many histograms as places and buckets,
/// and only medians of some milliseconds are read.
const SHORTEST_NS: u64 = 1 << 17;
const KEPT_BITS: u32 = 5;

/// A duration as it is kept.
pub(crate) fn coarse(ns: u64) -> u64 {
    let ns = ns.max(SHORTEST_NS);
    let below = u64::BITS - ns.leading_zeros() - KEPT_BITS;
    (ns >> below << below) | 1 << below >> 1
}

/// A node, and an operation of it: work of another kind takes as long as it takes whatever the key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyPlace {
    /// The node.
    pub node: NodeKey,
    /// The operation, as in [`EdgeKey::op`](crate::EdgeKey::op).
    pub op: Arc<str>,
}

/// Work of the drill on one of 256 parts of all keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyCell {
    /// Operations.
    pub ops: i64,
    /// How many of their keys had each bit set.
    pub bits: Bits,
    /// How long they took by themselves, without calls behind them, to a sixteenth.
    pub took: Sparse,
}

impl KeyCell {
    /// One operation on a key; a negative sign takes it back.
    pub(crate) fn count(&mut self, key: &SpanKey, sign: i64) {
        self.ops = self.ops.wrapping_add(sign);
        self.bits.count(key.words(), sign);
    }

    /// The key that most of the operations are about. `None`: no key is told from the others clearly enough.
    pub(crate) fn key(&self, bucket: i64) -> KeyRead {
        let (words, clear) = self.bits.majority(self.ops, SpanKey::BITS, CLEAR);
        let text = u8::try_from(bucket).ok().filter(|_| clear);
        if let Some(text) = text.and_then(|bucket| SpanKey::of_bits(bucket, words).text()) {
            return KeyRead::Named(text);
        }
        let (_, one) = self.bits.majority(self.ops, SpanKey::HEAD_BITS, CLEAR);
        if one { KeyRead::One } else { KeyRead::Several }
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
    const NUMBERS: &'static [&'static str] = &["ops"];
    const HISTOGRAMS: &'static [&'static str] = &["took"];

    fn numbers(&self) -> Vec<i64> {
        vec![self.ops]
    }

    fn add_numbers(&mut self, other: &Self, sign: i64) {
        self.ops = self.ops.wrapping_add(other.ops.wrapping_mul(sign));
        self.bits.add(&other.bits, sign);
    }

    fn each_histogram(&self, visit: &mut dyn FnMut(usize, &Sparse)) {
        visit(0, &self.took);
    }

    fn histogram_mut(&mut self, which: usize) -> Option<&mut Sparse> {
        (which == 0).then_some(&mut self.took)
    }
}

/// Work of the drill by its keys, place by place: of as many places as there is room for, in the order of their names. A
/// place for which there once was no room gets none any more, so that the order in which work comes makes no difference.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Keys {
    /// Operations at the places that are left out.
    pub left_out_ops: i64,
    /// Places from this one on are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out_from: Option<KeyPlace>,
    #[serde(with = "pairs")]
    places: BTreeMap<KeyPlace, Seconds<KeyCell>>,
}

impl Keys {
    /// The places that are kept. By the bucket of [`SpanKey::bucket`].
    #[must_use]
    pub fn places(&self) -> &BTreeMap<KeyPlace, BTreeMap<i64, Arc<KeyCell>>> {
        &self.places
    }

    /// Whether no key is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty() && self.left_out_from.is_none()
    }

    fn room(&mut self) -> Room<'_, KeyPlace, KeyCell> {
        Room {
            kept: &mut self.places,
            left_out_from: &mut self.left_out_from,
            left_out: &mut self.left_out_ops,
            max: KEY_PLACES_MAX,
            count: |cell| cell.ops,
        }
    }

    pub(crate) fn add(&mut self, place: &KeyPlace, bucket: i64, cell: &KeyCell) {
        self.room().add(place, bucket, cell);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.room().merge(&other.places, other.left_out_from.as_ref(), other.left_out_ops);
    }
}

#[cfg(test)]
mod tests;
