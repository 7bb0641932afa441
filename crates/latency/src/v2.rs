//! The V2 form of HdrHistogram, written from buckets: the library writes it from an array of all counts, 270 KiB for each
//! histogram of each second.
//!
//! Layout (big endian): cookie, length of the counts in bytes, 0, significant digits, lowest and highest value, the
//! conversion ratio 1.0; then each count zig-zag coded in at most nine bytes of seven bits, where a value of −n stands for n
//! counts of zero. The compressed form is a cookie, a length, and that by zlib.

use std::cell::RefCell;

use flate2::{Compress, Compression, FlushCompress, Status};

use crate::HIGHEST_NS;

const COOKIE: u32 = 0x1c84_9313;
const COMPRESSED_COOKIE: u32 = 0x1c84_9314;
const DIGITS: u32 = 3;
const LOWEST: u64 = 1;
/// Of bytes that stand for seven bits each; the ninth stands for eight.
const SEVENS: u32 = 8;

thread_local! {
    // Its tables take some 300 KiB: made anew for each histogram they would be what most memory is asked for.
    static DEFLATE: RefCell<Compress> = RefCell::new(Compress::new(Compression::default(), true));
}

/// The plain form, of buckets that hold samples, ascending.
pub(crate) fn plain(buckets: impl Iterator<Item = (u32, u64)>) -> Vec<u8> {
    let mut counts = Vec::new();
    let mut next = 0_u32;
    for (bucket, count) in buckets {
        match i64::from(bucket.saturating_sub(next)) {
            0 => {}
            1 => write(&mut counts, 0),
            zeros => write(&mut counts, -zeros),
        }
        write(&mut counts, i64::try_from(count).unwrap_or(i64::MAX));
        next = bucket.saturating_add(1);
    }
    let length = u32::try_from(counts.len()).unwrap_or(u32::MAX);
    let mut out = Vec::with_capacity(40 + counts.len());
    [COOKIE, length, 0, DIGITS].iter().for_each(|word| out.extend(word.to_be_bytes()));
    [LOWEST, HIGHEST_NS].iter().for_each(|bound| out.extend(bound.to_be_bytes()));
    out.extend(1.0_f64.to_be_bytes());
    out.extend(counts);
    out
}

/// Zig-zag, then seven bits a byte, the lowest first.
fn write(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    for _ in 0..SEVENS {
        let low = (rest & 0x7f) as u8;
        rest >>= 7;
        if rest == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
    out.push(rest as u8);
}

/// The compressed form of the plain one; `None` where it cannot be made.
pub(crate) fn compressed(plain: &[u8]) -> Option<Vec<u8>> {
    // What cannot be compressed grows by a few bytes for each 16 KiB.
    let mut out = Vec::with_capacity(plain.len() + plain.len() / 1_000 + 64);
    out.extend(COMPRESSED_COOKIE.to_be_bytes());
    out.extend([0; 4]);
    let ended = DEFLATE.with_borrow_mut(|deflate| {
        deflate.reset();
        deflate.compress_vec(plain, &mut out, FlushCompress::Finish)
    });
    if !matches!(ended, Ok(Status::StreamEnd)) {
        return None;
    }
    let length = u32::try_from(out.len() - 8).ok()?;
    out[4..8].copy_from_slice(&length.to_be_bytes());
    Some(out)
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::{Serializer as _, V2Serializer};
    use proptest::prelude::*;

    use super::*;
    use crate::Histogram;

    /// Counts of one to nine bytes.
    fn any_count() -> impl Strategy<Value = u64> {
        (0..62_u32).prop_flat_map(|bits| (1_u64 << bits)..=((1 << (bits + 1)) - 1))
    }

    proptest! {
        #[test]
        fn it_is_what_the_library_writes(
            samples in prop::collection::vec((prop_oneof![0..3_000_u64, 0..HIGHEST_NS], any_count()), 1..60),
        ) {
            let mut own = Histogram::new();
            let mut full = hdrhistogram::Histogram::<u64>::new_with_bounds(LOWEST, HIGHEST_NS, 3).unwrap();
            for (ns, count) in samples {
                // More than an i64 in one bucket cannot be written.
                let count = count >> 6;
                own.record_n(ns, count.max(1));
                full.saturating_record_n(ns, count.max(1));
            }
            let mut wanted = Vec::new();
            V2Serializer::new().serialize(&full, &mut wanted).unwrap();
            prop_assert_eq!(plain(own.to_sparse().iter().map(|(bucket, n)| (bucket, n.unsigned_abs()))), wanted);
        }

        #[test]
        fn what_cannot_be_compressed_fits(bytes in prop::collection::vec(any::<u8>(), 0..40_000)) {
            prop_assert!(compressed(&bytes).is_some());
        }
    }
}
