//! A hash for what is stored or decides what is stored.

/// FNV-1a over 64 bits, then the end of MurmurHash3, by which all bits depend on all bytes: of FNV alone the first bits
/// hardly differ. Without a seed: what is stored must be the same on every machine and in every version. Of several parts
/// each needs an end of its own, so that they do not run into each other. Nothing that is chosen by others is safe from
/// being chosen for its hash.
#[must_use]
pub fn stable_hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let mut hash = bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, fnv);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counted by another program.
    #[test]
    fn it_is_the_same_in_every_version() {
        let expected =
            [("", 0xefd0_1f60_ba99_2926), ("a", 0x82a2_a958_a9be_ce5b), ("abc", 0x33eb_af99_27cb_c5bd)];
        for (text, hash) in expected {
            assert_eq!(stable_hash(text.bytes()), hash, "{text}");
        }
    }
}
