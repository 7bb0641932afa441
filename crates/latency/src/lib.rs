#![doc = include_str!("../README.md")]

mod buckets;
mod dense;
mod sparse;
mod v2;

pub use buckets::{HIGHEST_NS, bucket_of, highest_in, middle_of};
pub use dense::{DecodeError, Histogram};
pub use sparse::Sparse;

/// The quantiles that are shown everywhere, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Quantiles {
    /// Half of the samples are at or below this.
    pub p50: u64,
    /// 90 %.
    pub p90: u64,
    /// 99 %.
    pub p99: u64,
    /// 99.9 %.
    pub p99_9: u64,
    /// The largest sample, to the histogram's resolution.
    pub max: u64,
}
