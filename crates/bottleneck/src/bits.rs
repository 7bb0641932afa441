//! How often each bit was set among many keys.

use peakdrill_trace_model::SpanKey;
use serde::{Deserialize, Serialize};

const WORDS: usize = 4;
/// Bits of a count that is under way.
const DEPTH: usize = 10;
/// So many keys can be counted before the counts under way have to be moved.
const STEPS_MAX: u32 = (1 << (DEPTH - 1)) - 1;

/// Counts, bit by bit, under way: the counts of 64 bits of a key stand beside each other in [`DEPTH`] words, and a key is
/// added to all of them at once, as a binary counter counts. They wrap, as numbers in two's complement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    planes: [[u64; WORDS]; DEPTH],
    steps: u32,
    moved: Bits,
}

impl Tally {
    /// Adds a key's bits, or takes them back where the sign is negative.
    pub(crate) fn add(&mut self, words: [u64; WORDS], sign: i64) {
        // Ones are carried on, when they are taken back zeros.
        let flip = if sign < 0 { u64::MAX } else { 0 };
        let mut carry = words;
        for plane in &mut self.planes {
            for (count, carry) in plane.iter_mut().zip(&mut carry) {
                let before = *count;
                *count ^= *carry;
                *carry &= before ^ flip;
            }
            if carry == [0; WORDS] {
                break;
            }
        }
        self.steps += 1;
        if self.steps >= STEPS_MAX {
            self.move_on();
        }
    }

    fn move_on(&mut self) {
        let mut counts = vec![0; SpanKey::BITS];
        for (at, count) in counts.iter_mut().enumerate() {
            for (depth, plane) in self.planes.iter().enumerate() {
                let bit = (plane[at / 64] >> (at % 64) & 1) as i64;
                // The highest stands for what is below zero.
                *count += if depth + 1 == DEPTH { -bit << depth } else { bit << depth };
            }
        }
        self.moved.add(&Bits::of(counts), 1);
        self.planes = Default::default();
        self.steps = 0;
    }

    pub(crate) fn finish(mut self) -> Bits {
        self.move_on();
        self.moved
    }
}

/// How many of some keys had each bit of [`SpanKey::words`] set. The zeros behind the last one that is not 0 are not kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<i64>")]
pub struct Bits(Vec<i64>);

impl Bits {
    fn of(mut counts: Vec<i64>) -> Self {
        counts.truncate(SpanKey::BITS);
        let length = counts.iter().rposition(|count| *count != 0).map_or(0, |last| last + 1);
        counts.truncate(length);
        Self(counts)
    }

    /// Adds `sign` times the other's counts.
    pub(crate) fn add(&mut self, other: &Self, sign: i64) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (sum, more) in self.0.iter_mut().zip(&other.0) {
            *sum = sum.wrapping_add(more.wrapping_mul(sign));
        }
        *self = Self::of(std::mem::take(&mut self.0));
    }

    /// What most of `keys` keys have at each bit, as words, and whether at least a part `clear` of them has it, at every bit
    /// of the first `bits`.
    pub(crate) fn majority(&self, keys: i64, bits: usize, clear: f64) -> ([u64; WORDS], bool) {
        let (mut words, mut all_clear) = ([0; WORDS], true);
        for at in 0..SpanKey::BITS {
            let set = self.0.get(at).copied().unwrap_or(0);
            let most = set.max(keys - set);
            all_clear &= at >= bits || most as f64 >= clear * keys as f64;
            words[at / 64] |= u64::from(2 * set > keys) << (at % 64);
        }
        (words, all_clear)
    }
}

impl From<Vec<i64>> for Bits {
    fn from(counts: Vec<i64>) -> Self {
        Self::of(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_are_those_of_counting_one_by_one(
            keys in prop::collection::vec(("[a-c]{1,30}", prop::bool::weighted(0.7)), 0..80),
            times in 1..40_usize,
        ) {
            let (mut tally, mut slow) = (Tally::default(), vec![0; SpanKey::BITS]);
            for (text, added) in keys.iter().cycle().take(keys.len() * times) {
                let words = SpanKey::of(text).unwrap().words();
                let sign = if *added { 1 } else { -1 };
                tally.add(words, sign);
                for (at, count) in slow.iter_mut().enumerate() {
                    *count += sign * (words[at / 64] >> (at % 64) & 1) as i64;
                }
            }
            prop_assert_eq!(tally.finish(), Bits::of(slow));
        }
    }

    #[test]
    fn what_comes_to_nothing_is_nothing() {
        let words = SpanKey::of("item-7").unwrap().words();
        let mut tally = Tally::default();
        (0..5_000).for_each(|_| tally.add(words, -1));
        (0..5_000).for_each(|_| tally.add(words, 1));
        assert_eq!(tally.finish(), Bits::default());
        let stored: Bits = serde_json::from_str("[1,0,0]").unwrap();
        assert_eq!(stored, Bits(vec![1]));
    }
}
