//! The stored histogram.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Quantiles, bucket_of, highest_in, middle_of};

/// A histogram as bucket → count. Adding is associative, commutative and can be undone, so a fold over it
/// does not depend on the order of its input. Equal content is equal bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sparse(BTreeMap<u32, i64>);

impl Sparse {
    /// Of buckets of which each comes once.
    pub(crate) fn of_buckets(buckets: impl Iterator<Item = (u32, i64)>) -> Self {
        Self(buckets.filter(|(_, count)| *count != 0).collect())
    }

    /// Adds `count` samples of a value in nanoseconds; a negative count takes them back.
    pub fn add(&mut self, ns: u64, count: i64) {
        self.add_bucket(bucket_of(ns), count);
    }

    fn add_bucket(&mut self, bucket: u32, count: i64) {
        let entry = self.0.entry(bucket).or_insert(0);
        *entry += count;
        if *entry == 0 {
            self.0.remove(&bucket);
        }
    }

    /// Adds samples by their buckets: ascending, each bucket once.
    pub fn add_sorted(&mut self, samples: impl IntoIterator<Item = (u32, i64)>) {
        if self.0.is_empty() {
            *self = Self::of_buckets(samples.into_iter());
        } else {
            samples.into_iter().for_each(|(bucket, count)| self.add_bucket(bucket, count));
        }
    }

    /// Adds all samples of another.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(bucket, count)| self.add_bucket(*bucket, *count));
    }

    /// Takes all samples of another back.
    pub fn subtract(&mut self, other: &Self) {
        other.0.iter().for_each(|(bucket, count)| self.add_bucket(*bucket, -*count));
    }

    /// The number of samples.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.0.values().sum()
    }

    /// Buckets and their counts, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u32, i64)> + '_ {
        self.0.iter().map(|(bucket, count)| (*bucket, *count))
    }

    /// The sum of all samples in nanoseconds, each taken as the middle of its bucket.
    #[must_use]
    pub fn sum_ns(&self) -> i128 {
        self.0.iter().map(|(bucket, count)| i128::from(middle_of(*bucket)) * i128::from(*count)).sum()
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
