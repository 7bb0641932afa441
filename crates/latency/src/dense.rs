//! The recording histogram.

use base64::Engine as _;
use hdrhistogram::serialization::Deserializer;

use crate::buckets::{bucket_of, highest_in};
use crate::{HIGHEST_NS, Quantiles, Sparse, v2};

/// Buckets of a page: a sixteenth of a doubling. Larger ones hold more that is never counted: with pages four times as
/// large a drill took half a mebibyte more.
const PAGE_BUCKETS: usize = 64;

type Page = Box<[u64; PAGE_BUCKETS]>;

/// An HDR histogram of nanoseconds, 1 ns to 1 hour at three significant digits.
///
/// Counts are kept in pages, and only of pages that a sample fell into: latencies of a second lie close together, so
/// that a histogram takes a part of the 270 KiB that all its buckets would take, and merging two costs neither the rest of
/// the range nor its memory.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    pages: Vec<Option<Page>>,
    count: u64,
}

/// A stored histogram could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a stored histogram: {0}")]
pub struct DecodeError(String);

/// Same samples, to the resolution of the buckets.
impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count && self.buckets().eq(other.buckets())
    }
}

impl Histogram {
    /// An empty histogram.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Records one sample.
    pub fn record(&mut self, ns: u64) {
        self.record_n(ns, 1);
    }

    /// Records one sample `count` times.
    pub fn record_n(&mut self, ns: u64, count: u64) {
        let bucket = bucket_of(ns) as usize;
        let page = self.page(bucket / PAGE_BUCKETS);
        if let Some(known) = page.get_mut(bucket % PAGE_BUCKETS) {
            *known = known.saturating_add(count);
        }
        self.count = self.count.saturating_add(count);
    }

    fn page(&mut self, at: usize) -> &mut [u64; PAGE_BUCKETS] {
        if at >= self.pages.len() {
            self.pages.resize_with(at + 1, || None);
        }
        self.pages[at].get_or_insert_with(|| Box::new([0; PAGE_BUCKETS]))
    }

    /// Adds all samples of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (at, theirs) in other.pages.iter().enumerate() {
            if let Some(theirs) = theirs {
                let sums = self.page(at).iter_mut().zip(theirs.iter());
                sums.for_each(|(known, more)| *known = known.saturating_add(*more));
            }
        }
        self.count = self.count.saturating_add(other.count);
    }

    /// Adds all samples of a stored one; counts below zero add nothing.
    pub fn merge_sparse(&mut self, other: &Sparse) {
        for (bucket, count) in other.iter() {
            self.record_n(highest_in(bucket), u64::try_from(count).unwrap_or(0));
        }
    }

    /// Buckets that hold samples, with their counts, ascending.
    fn buckets(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        let pages = self.pages.iter().enumerate().filter_map(|(at, page)| Some((at, page.as_ref()?)));
        let buckets = pages.flat_map(|(at, page)| {
            page.iter().enumerate().map(move |(slot, count)| ((at * PAGE_BUCKETS + slot) as u32, *count))
        });
        buckets.filter(|(_, count)| *count > 0)
    }

    /// The number of samples.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The value at a quantile in 0..=1, in nanoseconds (the upper end of its bucket); `None` without samples.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let wanted = ((q.clamp(0.0, 1.0) * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0_u64;
        let reached = |(_, count): &(u32, u64)| {
            seen = seen.saturating_add(*count);
            seen >= wanted
        };
        self.buckets().find(reached).map(|(bucket, _)| highest_in(bucket))
    }

    /// The usual quantiles; `None` without samples.
    #[must_use]
    pub fn quantiles(&self) -> Option<Quantiles> {
        let at = |q| self.quantile(q);
        Some(Quantiles { p50: at(0.5)?, p90: at(0.9)?, p99: at(0.99)?, p99_9: at(0.999)?, max: at(1.0)? })
    }

    /// The same samples, sparse.
    #[must_use]
    pub fn to_sparse(&self) -> Sparse {
        let count = |count| i64::try_from(count).unwrap_or(i64::MAX);
        Sparse::of_buckets(self.buckets().map(|(bucket, n)| (bucket, count(n))))
    }

    /// HdrHistogram V2 compressed form in base64, as interval logs carry it. Empty text for no samples.
    #[must_use]
    pub fn encode(&self) -> String {
        if self.count() == 0 {
            return String::new();
        }
        let bytes = v2::compressed(&v2::plain(self.buckets()));
        bytes.map(|bytes| base64::engine::general_purpose::STANDARD.encode(bytes)).unwrap_or_default()
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// When the text is not base64 or not a V2 histogram.
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        let mut out = Self::new();
        if text.is_empty() {
            return Ok(out);
        }
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(text)
            .map_err(|error| DecodeError(error.to_string()))?;
        let read: hdrhistogram::Histogram<u64> = Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .map_err(|error| DecodeError(format!("{error:?}")))?;
        if read.max() > highest_in(bucket_of(HIGHEST_NS)) {
            return Err(DecodeError(format!("it holds a value of {} ns, more than an hour", read.max())));
        }
        read.iter_recorded()
            .for_each(|value| out.record_n(value.value_iterated_to(), value.count_at_value()));
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn stored_and_read_again_is_the_same(samples in prop::collection::vec(0_u64..10_000_000_000, 0..200)) {
            let mut one = Histogram::new();
            samples.iter().for_each(|s| one.record(*s));
            let two = Histogram::decode(&one.encode()).unwrap();
            prop_assert_eq!(one.to_sparse(), two.to_sparse());
            prop_assert_eq!(one.quantiles(), two.quantiles());
        }

        #[test]
        fn sparse_and_dense_agree(samples in prop::collection::vec(1_u64..10_000_000_000, 1..200), q in 0.0..=1.0_f64) {
            let mut dense = Histogram::new();
            let mut sparse = Sparse::default();
            for s in &samples {
                dense.record(*s);
                sparse.add(*s, 1);
            }
            prop_assert_eq!(dense.to_sparse(), sparse.clone());
            let mut twice = dense.clone();
            twice.merge_sparse(&sparse);
            dense.merge(&dense.clone());
            prop_assert_eq!(&twice, &dense);
            sparse.merge(&sparse.clone());
            prop_assert_eq!(dense.quantile(q), sparse.quantile(q));
        }

        #[test]
        fn the_library_sees_the_same(
            a in prop::collection::vec(0_u64..10_000_000_000, 1..200),
            b in prop::collection::vec(0_u64..100_000, 0..200),
            q in 0.0..=1.0_f64,
        ) {
            let mut library = hdrhistogram::Histogram::<u64>::new_with_bounds(1, HIGHEST_NS, 3).unwrap();
            a.iter().chain(&b).for_each(|ns| library.saturating_record(*ns));
            let of = |samples: &[u64]| {
                let mut own = Histogram::new();
                samples.iter().for_each(|ns| own.record(*ns));
                own
            };
            let mut own = of(&a);
            own.merge(&of(&b));
            prop_assert_eq!(own.quantile(q), Some(library.value_at_quantile(q)));
            prop_assert_eq!(own.quantile(1.0), Some(library.max()));
            let theirs = library.iter_recorded().map(|value| (value.value_iterated_to(), value.count_at_value()));
            let ours = own.buckets().map(|(bucket, n)| (highest_in(bucket), n));
            prop_assert!(theirs.eq(ours));
        }

        #[test]
        fn no_text_panics(text in "[A-Za-z0-9+/=]{0,80}") {
            let _ = Histogram::decode(&text);
        }
    }
}
