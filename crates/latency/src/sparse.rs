//! The stored histogram.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;

use crate::buckets::coarse;
use crate::{Quantiles, bucket_of, highest_in, middle_of};

/// What is added has to be so many times smaller than what is there to be added bucket by bucket, in place.
const MUCH_SMALLER: usize = 8;

/// A histogram as bucket → count. Adding is associative, commutative and can be undone, so a fold over it
/// does not depend on the order of its input. Equal content is equal bytes. It is written as a map.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sparse(
    /// By bucket, ascending; no count is 0. A single sample, which most histograms of a trace are, is kept in place.
    Counts,
);

type Counts = SmallVec<[(u32, i64); 1]>;

impl Sparse {
    /// Of buckets of which each comes once, ascending.
    #[must_use]
    pub fn of_buckets(buckets: impl Iterator<Item = (u32, i64)>) -> Self {
        Self(buckets.filter(|(_, count)| *count != 0).collect())
    }

    /// Adds `count` samples of a value in nanoseconds; a negative count takes them back.
    pub fn add(&mut self, ns: u64, count: i64) {
        self.add_bucket(bucket_of(ns), count);
    }

    fn add_bucket(&mut self, bucket: u32, count: i64) {
        match self.0.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Err(_) if count == 0 => {}
            Err(at) => self.0.insert(at, (bucket, count)),
            Ok(at) => {
                self.0[at].1 += count;
                if self.0[at].1 == 0 {
                    self.0.remove(at);
                }
            }
        }
    }

    /// Adds all samples of another.
    pub fn merge(&mut self, other: &Self) {
        if other.0.len() * MUCH_SMALLER < self.0.len() {
            return other.0.iter().for_each(|(bucket, count)| self.add_bucket(*bucket, *count));
        }
        let mut sums = Counts::with_capacity(self.0.len() + other.0.len());
        let mut theirs = other.0.iter().copied().peekable();
        for &(bucket, count) in &self.0 {
            while let Some(before) = theirs.next_if(|(their, _)| *their < bucket) {
                sums.push(before);
            }
            let sum = count + theirs.next_if(|(their, _)| *their == bucket).map_or(0, |(_, count)| count);
            if sum != 0 {
                sums.push((bucket, sum));
            }
        }
        sums.extend(theirs);
        self.0 = sums;
    }

    /// The same samples in a quarter of the buckets: each as large as the largest of its four, at most 0.4 % more than it was.
    /// Doing so again changes nothing.
    #[must_use]
    pub fn coarse(&self) -> Self {
        let mut out = Self::default();
        self.iter().for_each(|(bucket, count)| out.add_bucket(coarse(bucket), count));
        out
    }

    /// The number of samples.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// Buckets and their counts, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u32, i64)> + '_ {
        self.0.iter().copied()
    }

    /// The sum of all samples in nanoseconds, each taken as the middle of its bucket.
    #[must_use]
    pub fn sum_ns(&self) -> i128 {
        self.0.iter().map(|(bucket, count)| i128::from(middle_of(*bucket)) * i128::from(*count)).sum()
    }

    /// The number of samples above a value in nanoseconds; those in its own bucket do not count.
    #[must_use]
    pub fn count_above(&self, ns: u64) -> i64 {
        let bucket = bucket_of(ns);
        self.0.iter().rev().take_while(|(above, _)| *above > bucket).map(|(_, count)| count).sum()
    }

    /// The value at a quantile in 0..=1, in nanoseconds (upper end of the bucket); `None` without samples.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let total = self.count();
        if total <= 0 {
            return None;
        }
        let wanted = ((q.clamp(0.0, 1.0) * total as f64).ceil() as i64).max(1);
        let mut seen = 0;
        for (bucket, count) in &self.0 {
            seen += count;
            if seen >= wanted {
                return Some(highest_in(*bucket));
            }
        }
        None
    }

    /// The usual quantiles; `None` without samples.
    #[must_use]
    pub fn quantiles(&self) -> Option<Quantiles> {
        let at = |q| self.quantile(q);
        Some(Quantiles { p50: at(0.5)?, p90: at(0.9)?, p99: at(0.99)?, p99_9: at(0.999)?, max: at(1.0)? })
    }
}

impl Serialize for Sparse {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(bucket, count)| (bucket, count)))
    }
}

impl<'de> Deserialize<'de> for Sparse {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let map = BTreeMap::<u32, i64>::deserialize(from)?;
        Ok(Self::of_buckets(map.into_iter()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn coarse_buckets_hold_the_same_samples_almost_where_they_were() {
        let mut fine = Sparse::default();
        (0..100_000_u64).for_each(|k| fine.add(k * 199, 1));
        let coarse = fine.coarse();
        assert_eq!((coarse.count(), coarse.coarse()), (100_000, coarse.clone()));
        assert!(coarse.iter().count() * 2 < fine.iter().count());
        for q in [0.1, 0.5, 0.9, 0.99] {
            let (a, b) = (fine.quantile(q).unwrap() as f64, coarse.quantile(q).unwrap() as f64);
            assert!(a <= b && b <= a * 1.004, "{q}: {a} {b}");
        }
    }

    fn samples() -> impl Strategy<Value = Vec<(u32, i64)>> {
        proptest::collection::vec((0..40_u32, -3..4_i64), 0..60)
    }

    fn sum(samples: &[(u32, i64)]) -> (Sparse, BTreeMap<u32, i64>) {
        let (mut sparse, mut sums) = (Sparse::default(), BTreeMap::new());
        for (bucket, count) in samples {
            sparse.add_bucket(*bucket, *count);
            *sums.entry(*bucket).or_insert(0) += count;
        }
        sums.retain(|_, count| *count != 0);
        (sparse, sums)
    }

    proptest! {
        /// One by one, together, and taken back: always the sums, and always in the one form that they have.
        #[test]
        fn it_is_a_map_of_sums(a in samples(), b in samples(), few in 0..4_usize) {
            let b = &b[..b.len() / (1 + few * few)];
            let (one, of_one) = sum(&a);
            let (other, of_other) = sum(b);
            prop_assert_eq!(one.iter().collect::<BTreeMap<_, _>>(), of_one);
            let mut both = one.clone();
            both.merge(&other);
            prop_assert_eq!(&both, &sum(&[a.as_slice(), b].concat()).0);
            prop_assert_eq!(&Sparse::of_buckets(of_other.into_iter()), &other);
            both.merge(&sum(&b.iter().map(|(bucket, count)| (*bucket, -count)).collect::<Vec<_>>()).0);
            prop_assert_eq!(&both, &one, "taken back");
            let text = format!("{:?}", one.0);
            prop_assert!(one.0.is_sorted_by(|x, y| x.0 < y.0) && one.0.iter().all(|x| x.1 != 0), "{}", text);
        }
    }
}
