//! The recording histogram.

use base64::Engine as _;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

use crate::{HIGHEST_NS, Quantiles, Sparse};

/// A dense HDR histogram of nanoseconds, 1 ns to 1 hour at three significant digits.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram(hdrhistogram::Histogram<u64>);

/// A stored histogram could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a stored histogram: {0}")]
pub struct DecodeError(String);

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// An empty histogram.
    ///
    /// # Panics
    /// Never: the configuration is a constant that is within the library's bounds.
    #[must_use]
    #[allow(clippy::expect_used, reason = "a constant configuration, proven by every test that makes one")]
    pub fn new() -> Self {
        Self(hdrhistogram::Histogram::new_with_bounds(1, HIGHEST_NS, 3).expect("bounds are constants"))
    }

    /// Records one sample.
    pub fn record(&mut self, ns: u64) {
        self.0.saturating_record(ns.min(HIGHEST_NS));
    }

    /// Records one sample `count` times.
    pub fn record_n(&mut self, ns: u64, count: u64) {
        self.0.saturating_record_n(ns.min(HIGHEST_NS), count);
    }

    /// Adds all samples of another histogram.
    pub fn merge(&mut self, other: &Self) {
        // Same bounds on both sides: adding cannot fail.
        let _ = self.0.add(&other.0);
    }

    /// Forgets all samples, keeps the memory.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// The number of samples.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The value at a quantile in 0..=1, in nanoseconds (the upper end of its bucket); `None` without samples.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<u64> {
        (self.count() > 0).then(|| self.0.value_at_quantile(q))
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
        let mut sparse = Sparse::default();
        for value in self.0.iter_recorded() {
            sparse.add(value.value_iterated_to(), i64::try_from(value.count_at_value()).unwrap_or(i64::MAX));
        }
        sparse
    }

    /// HdrHistogram V2 compressed form in base64, as interval logs carry it. Empty text for no samples.
    #[must_use]
    pub fn encode(&self) -> String {
        if self.count() == 0 {
            return String::new();
        }
        let mut bytes = Vec::new();
        if V2DeflateSerializer::new().serialize(&self.0, &mut bytes).is_err() {
            return String::new();
        }
        base64::engine::general_purpose::STANDARD.encode(bytes)
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
        out.0.add(&read).map_err(|error| DecodeError(error.to_string()))?;
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
            prop_assert_eq!(dense.quantile(q), sparse.quantile(q));
        }

        #[test]
        fn no_text_panics(text in "[A-Za-z0-9+/=]{0,80}") {
            let _ = Histogram::decode(&text);
        }
    }
}
