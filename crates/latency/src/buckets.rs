//! The bucket arithmetic of an HDR histogram with three significant digits and unit magnitude 0:
//! 2048 linear sub-buckets, then 1024 for each doubling.

/// The largest value kept: one hour. Larger ones are recorded as this.
pub const HIGHEST_NS: u64 = 3_600_000_000_000;

const SUB_BUCKETS: u64 = 2048;
const HALF: u64 = SUB_BUCKETS / 2;
const HALF_BITS: u32 = 10;

/// The index of the bucket that holds a value in nanoseconds (clamped to [`HIGHEST_NS`]).
#[must_use]
pub fn bucket_of(ns: u64) -> u32 {
    let ns = ns.min(HIGHEST_NS);
    // The number of doublings above the linear range.
    let doublings = (64 - (ns | (SUB_BUCKETS - 1)).leading_zeros()) - (HALF_BITS + 1);
    let sub = ns >> doublings;
    ((u64::from(doublings) << HALF_BITS) + sub) as u32
}

/// The last of the four neighbours among which a bucket is: as fine as a 256th of a doubling, 0.4 % of the value.
pub(crate) fn coarse(index: u32) -> u32 {
    index | 3
}

fn bounds(index: u32) -> (u64, u64) {
    let index = u64::from(index);
    if index < SUB_BUCKETS {
        return (index, 1);
    }
    let doublings = (index >> HALF_BITS) - 1;
    let sub = (index & (HALF - 1)) + HALF;
    (sub << doublings, 1 << doublings)
}

/// The largest value that falls into a bucket.
#[must_use]
pub fn highest_in(index: u32) -> u64 {
    let (low, width) = bounds(index);
    low + width - 1
}

/// The middle of a bucket: what its samples are taken for in sums.
#[must_use]
pub fn middle_of(index: u32) -> u64 {
    let (low, width) = bounds(index);
    low + width / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
            #[test]
            fn a_value_is_in_its_bucket(ns in 0..=HIGHEST_NS) {
                let (low, width) = bounds(bucket_of(ns));
                prop_assert!(low <= ns && ns < low + width);
                prop_assert!(width <= 1 + ns / 1024, "three digits are kept");
            }

            #[test]
            fn buckets_keep_the_order(a in 0..=HIGHEST_NS, b in 0..=HIGHEST_NS) {
    let (low, high) = (a.min(b), a.max(b));
                prop_assert!(bucket_of(low) <= bucket_of(high));
            }
        }
}
