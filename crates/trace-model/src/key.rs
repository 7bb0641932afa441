//! The key that a piece of work is about, of a size that does not depend on it.

use serde::{Deserialize, Serialize};

/// Bytes of a key's text that are kept.
const TEXT_BYTES: usize = 24;
/// Bytes before them: further bits of the hash, and in the last bit whether the text is longer than what is kept.
const HEAD_BYTES: usize = 3;
/// Bytes of a [`SpanKey`], without its bucket.
const BYTES: usize = HEAD_BYTES + TEXT_BYTES;
/// Bytes of a text that are looked at. Keys that are equal so far count as one.
const LOOKED_AT_BYTES: usize = 256;
const LONGER: u8 = 0x80;

/// A key by its hash and the beginning of its text. Many of them can be counted bit by bit, and the one that most of them
/// are can be read from the counts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SpanKey {
    bucket: u8,
    bytes: [u8; BYTES],
}

impl SpanKey {
    /// Bits of a key.
    pub const BITS: usize = 8 * BYTES;
    /// Of these, the first are of the hash, the last of them whether the text is longer than what is kept of it.
    pub const HEAD_BITS: usize = 8 * HEAD_BYTES;

    /// `None`: there is nothing but white space and zeros.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace()).as_bytes();
        let text = &text[..text.len().min(LOOKED_AT_BYTES)];
        if text.is_empty() {
            return None;
        }
        let [bucket, a, b, c, ..] = hash(text).to_le_bytes();
        let longer = if text.len() > TEXT_BYTES { LONGER } else { 0 };
        let mut bytes = [0; BYTES];
        bytes[..HEAD_BYTES].copy_from_slice(&[a, b, c & !LONGER | longer]);
        let kept = &text[..text.len().min(TEXT_BYTES)];
        bytes[HEAD_BYTES..HEAD_BYTES + kept.len()].copy_from_slice(kept);
        Some(Self { bucket, bytes })
    }

    /// The key of these bits, as [`Self::words`] has them; those beyond [`Self::BITS`] are not looked at.
    #[must_use]
    pub fn of_bits(bucket: u8, words: [u64; 4]) -> Self {
        let mut bytes = [0; BYTES];
        bytes
            .iter_mut()
            .zip(words.iter().flat_map(|word| word.to_le_bytes()))
            .for_each(|(to, byte)| *to = byte);
        Self { bucket, bytes }
    }

    /// The part of all keys that this one belongs to, by its hash.
    #[must_use]
    pub fn bucket(&self) -> u8 {
        self.bucket
    }

    /// The bits, the first in the lowest place of the first word. Those beyond [`Self::BITS`] are 0.
    #[must_use]
    pub fn words(&self) -> [u64; 4] {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(self.bytes.chunks(8)) {
            let mut whole = [0; 8];
            whole[..bytes.len()].copy_from_slice(bytes);
            *word = u64::from_le_bytes(whole);
        }
        words
    }

    /// The text; of a long one its beginning and `…`. `None` where the bits are no key's: the text is not of this hash.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let kept = &self.bytes[HEAD_BYTES..];
        if self.bytes[HEAD_BYTES - 1] & LONGER != 0 {
            let whole = kept.utf8_chunks().next().map_or("", |chunk| chunk.valid());
            return (!whole.is_empty()).then(|| format!("{whole}…"));
        }
        let length = kept.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let text = str::from_utf8(&kept[..length]).ok()?;
        (Self::of(text) == Some(*self)).then(|| text.to_owned())
    }
}

/// FNV-1a, then the end of MurmurHash3, by which all bits depend on all bytes. Without a seed: what is stored must be the
/// same on every machine and in every version.
fn hash(text: &[u8]) -> u64 {
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let mut hash = text.iter().fold(0xcbf2_9ce4_8422_2325, fnv);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_stored_stays_the_same() {
        let key = SpanKey::of("item-7").unwrap();
        assert_eq!(
            (key.bucket, &key.bytes[..3], &key.bytes[3..9]),
            (STORED.0, &STORED.1[..], &b"item-7"[..])
        );
        let long = SpanKey::of("3f2b1c9e-11aa-4c12-9a33-0123456789ab").unwrap();
        assert_eq!(long.text().as_deref(), Some("3f2b1c9e-11aa-4c12-9a33-…"));
        assert_eq!(SpanKey::of(&"é".repeat(30)).unwrap().text().unwrap(), format!("{}…", "é".repeat(12)));
        assert_eq!(SpanKey::of(&format!("a{}", "é".repeat(30))).unwrap().text().unwrap().chars().count(), 13);
        assert_eq!((SpanKey::of(""), SpanKey::of(" \0\n")), (None, None));
        assert_eq!(SpanKey::of(" 7 "), SpanKey::of("7"));
        let wrong = SpanKey { bucket: key.bucket ^ 1, ..key };
        assert_eq!(wrong.text(), None);
    }

    /// As it is stored: counted by another program.
    const STORED: (u8, [u8; 3]) = (35, [177, 242, 125]);

    proptest! {
        #[test]
        fn a_text_is_read_from_its_bits(text in "\\PC{1,40}") {
            let Some(key) = SpanKey::of(&text) else { return Ok(()) };
            prop_assert_eq!(SpanKey::of_bits(key.bucket(), key.words()), key);
            prop_assert_eq!(key.words()[3] >> (SpanKey::BITS - 192), 0);
            let (read, trimmed) = (key.text().unwrap(), text.trim());
            match read.strip_suffix('…').filter(|_| trimmed.len() > TEXT_BYTES) {
                Some(start) => prop_assert!(trimmed.starts_with(start) && start.len() > TEXT_BYTES - 4),
                None => prop_assert_eq!(read, trimmed),
            }
        }
    }
}
