//! The stored histogram.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Quantiles, bucket_of, highest_in, middle_of};

/// A histogram as bucket → count. Adding is associative, commutative and can be undone, so a fold over it
/// does not depend on the order of its input. Equal content is equal bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sparse(Counts);

/// Buckets with counts that are not 0. Each content has one form: a single sample, which most histograms of a single
/// trace are, needs no memory of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Counts {
    #[default]
    None,
    One(u32, i64),
    /// Two at least.
    Many(BTreeMap<u32, i64>),
}

impl Serialize for Sparse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Sparse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::of_buckets(BTreeMap::<u32, i64>::deserialize(deserializer)?.into_iter()))
    }
}

impl Sparse {
    /// Of buckets of which each comes once.
    pub(crate) fn of_buckets(buckets: impl Iterator<Item = (u32, i64)>) -> Self {
        Self::of_map(buckets.filter(|(_, count)| *count != 0).collect())
    }

    fn of_map(map: BTreeMap<u32, i64>) -> Self {
        let mut buckets = map.iter();
        Self(match (buckets.next(), buckets.next()) {
            (None, _) => Counts::None,
            (Some((bucket, count)), None) => Counts::One(*bucket, *count),
            _ => Counts::Many(map),
        })
    }

    /// Adds `count` samples of a value in nanoseconds; a negative count takes them back.
    pub fn add(&mut self, ns: u64, count: i64) {
        self.add_bucket(bucket_of(ns), count);
    }

    fn add_bucket(&mut self, bucket: u32, count: i64) {
        if let Counts::Many(map) = &mut self.0 {
            let entry = map.entry(bucket).or_insert(0);
            *entry += count;
            if *entry == 0 {
                map.remove(&bucket);
                if map.len() < 2 {
                    *self = Self::of_map(std::mem::take(map));
                }
            }
            return;
        }
        let known = match self.0 {
            Counts::One(bucket, count) => Some((bucket, count)),
            Counts::None | Counts::Many(_) => None,
        };
        let sum = count + known.filter(|(known, _)| *known == bucket).map_or(0, |(_, count)| count);
        let other = known.filter(|(known, _)| *known != bucket);
        *self = match (other, sum) {
            (None, 0) => Self::default(),
            (None, sum) => Self(Counts::One(bucket, sum)),
            (Some(_), 0) => return,
            (Some(other), sum) => Self::of_map(BTreeMap::from([other, (bucket, sum)])),
        };
    }

    /// Adds samples by their buckets: ascending, each bucket once.
    pub fn add_sorted(&mut self, samples: impl IntoIterator<Item = (u32, i64)>) {
        if self.0 == Counts::None {
            *self = Self::of_buckets(samples.into_iter());
        } else {
            samples.into_iter().for_each(|(bucket, count)| self.add_bucket(bucket, count));
        }
    }

    /// Adds all samples of another.
    pub fn merge(&mut self, other: &Self) {
        other.iter().for_each(|(bucket, count)| self.add_bucket(bucket, count));
    }

    /// Takes all samples of another back.
    pub fn subtract(&mut self, other: &Self) {
        other.iter().for_each(|(bucket, count)| self.add_bucket(bucket, -count));
    }

    /// The number of samples.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.iter().map(|(_, count)| count).sum()
    }

    /// Buckets and their counts, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u32, i64)> + '_ {
        let (one, many) = match &self.0 {
            Counts::None => (None, None),
            Counts::One(bucket, count) => (Some((*bucket, *count)), None),
            Counts::Many(map) => (None, Some(map)),
        };
        one.into_iter().chain(many.into_iter().flatten().map(|(bucket, count)| (*bucket, *count)))
    }

    /// The sum of all samples in nanoseconds, each taken as the middle of its bucket.
    #[must_use]
    pub fn sum_ns(&self) -> i128 {
        self.iter().map(|(bucket, count)| i128::from(middle_of(bucket)) * i128::from(count)).sum()
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
        for (bucket, count) in self.iter() {
            seen += count;
            if seen >= wanted {
                return Some(highest_in(bucket));
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
