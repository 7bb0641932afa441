//! How often each bit was set among many keys.

use peakdrill_trace_model::SpanKey;
use serde::{Deserialize, Serialize};

const WORDS: usize = 4;
/// Bits of a count: beyond them it wraps.
const DEPTH_MAX: usize = 64;

/// One bit of the counts of all bits of a key.
type Plane = [u64; WORDS];

/// How many of some keys had each bit of [`SpanKey::words`] set.
///
/// The counts stand across: the first plane has the lowest bit of all counts, the last one the sign, in two's complement, and
/// is there as often as is needed. So a key is added to all counts at once, as a binary counter counts, and what keys there
/// are a hundred times takes eight planes. Equal counts are equal planes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Plane>")]
pub struct Bits(Vec<Plane>);

impl Bits {
    /// Adds a key's bits, or takes them back where the sign is negative.
    pub(crate) fn count(&mut self, words: Plane, sign: i64) {
        self.make_room(1);
        // Ones are carried on, when they are taken back zeros.
        let flip = if sign < 0 { u64::MAX } else { 0 };
        let mut carry = words;
        for plane in &mut self.0 {
            for (bits, carry) in plane.iter_mut().zip(&mut carry) {
                let before = *bits;
                *bits ^= *carry;
                *carry &= before ^ flip;
            }
            if carry == [0; WORDS] {
                break;
            }
        }
        self.trim();
    }

    /// Adds the other's counts, or takes them away where the sign is negative.
    pub(crate) fn add(&mut self, other: &Self, sign: i64) {
        self.make_room(other.0.len());
        let flip = if sign < 0 { u64::MAX } else { 0 };
        let mut carry = [flip; WORDS];
        let above = other.0.last().copied().unwrap_or_default();
        for (at, plane) in self.0.iter_mut().enumerate() {
            let theirs = other.0.get(at).unwrap_or(&above);
            if at >= other.0.len() && sign > 0 && carry == [0; WORDS] && above == [0; WORDS] {
                break;
            }
            for ((bits, carry), theirs) in plane.iter_mut().zip(&mut carry).zip(theirs) {
                let (a, b) = (*bits, *theirs ^ flip);
                *bits = a ^ b ^ *carry;
                *carry = (a & b) | (*carry & (a ^ b));
            }
        }
        self.trim();
    }

    /// A plane more than this, and than there are.
    fn make_room(&mut self, planes: usize) {
        let sign = self.0.last().copied().unwrap_or_default();
        let wanted = (self.0.len().max(planes) + 1).min(DEPTH_MAX);
        self.0.resize(wanted, sign);
    }

    /// Keeps no plane that is the sign again.
    fn trim(&mut self) {
        while let Some((last, rest)) = self.0.split_last()
            && *last == rest.last().copied().unwrap_or_default()
        {
            self.0.pop();
        }
    }

    fn at(&self, bit: usize) -> i64 {
        let of = |plane: &Plane| (plane[bit / 64] >> (bit % 64) & 1) as i64;
        let sign = self.0.last().map_or(0, of);
        self.0.iter().rev().fold(-sign, |count, plane| count << 1 | of(plane))
    }

    /// What most of `keys` keys have at each bit, as words, and whether at least a part `clear` of them has it, at every bit
    /// of the first `bits`.
    pub(crate) fn majority(&self, keys: i64, bits: usize, clear: f64) -> (Plane, bool) {
        let (mut words, mut all_clear) = ([0; WORDS], true);
        for at in 0..SpanKey::BITS {
            let set = self.at(at);
            let most = set.max(keys - set);
            all_clear &= at >= bits || most as f64 >= clear * keys as f64;
            words[at / 64] |= u64::from(2 * set > keys) << (at % 64);
        }
        (words, all_clear)
    }
}

impl From<Vec<Plane>> for Bits {
    fn from(mut planes: Vec<Plane>) -> Self {
        planes.truncate(DEPTH_MAX);
        let mut read = Self(planes);
        read.trim();
        read
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
            times in 1..20_usize,
            parts in 1..7_usize,
        ) {
            let (mut sums, mut slow) = (vec![Bits::default(); parts], vec![0; SpanKey::BITS]);
            for (number, (text, added)) in keys.iter().cycle().take(keys.len() * times).enumerate() {
                let words = SpanKey::of(text).unwrap().words();
                let sign = if *added { 1 } else { -1 };
                sums[number % parts].count(words, sign);
                for (at, count) in slow.iter_mut().enumerate() {
                    *count += sign * (words[at / 64] >> (at % 64) & 1) as i64;
                }
            }
            let mut whole = Bits::default();
            sums.iter().for_each(|part| whole.add(part, 1));
            let read: Vec<i64> = (0..SpanKey::BITS).map(|at| whole.at(at)).collect();
            prop_assert_eq!(read, slow);
            let stored = serde_json::to_string(&whole).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Bits>(&stored).unwrap(), &whole);
            sums.iter().rev().for_each(|part| whole.add(part, -1));
            prop_assert_eq!(whole, Bits::default());
        }
    }

    #[test]
    fn what_comes_to_nothing_is_nothing() {
        let words = SpanKey::of("item-7").unwrap().words();
        let mut bits = Bits::default();
        (0..5_000).for_each(|_| bits.count(words, -1));
        (0..5_000).for_each(|_| bits.count(words, 1));
        assert_eq!(bits, Bits::default());
        assert_eq!(Bits::from(vec![[1, 0, 0, 0], [0; 4], [0; 4]]), Bits(vec![[1, 0, 0, 0], [0; 4]]));
        // What no run writes wraps, and does not grow.
        let highest = (0..80).map(|at| if at < 63 { [u64::MAX; 4] } else { [0; 4] });
        let mut full = Bits::from(highest.collect::<Vec<_>>());
        full.count(words, 1);
        assert!(full.0.len() <= DEPTH_MAX);
    }
}
