//! The key that a piece of work is about, of a size that does not depend on it.

use crate::stable_hash;

/// Bytes of a key's text that are kept.
const TEXT_BYTES: usize = 24;
/// Bytes before them: further bits of the hash, and in the last bit whether the text is longer than what is kept.
const HEAD_BYTES: usize = 3;
/// Bytes of a text that are looked at. Keys that are equal so far count as one.
const LOOKED_AT_BYTES: usize = 256;
const LONGER: u8 = 0x80;

/// A key by its hash and the beginning of its text. Many of them can be counted bit by bit, and the one that most of them
/// are can be read from the counts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanKey {
    bucket: u8,
    bytes: [u8; Self::BYTES],
    guessed: bool,
}

impl SpanKey {
    /// Parts of all keys, see [`Self::bucket`].
    pub const BUCKETS: u8 = 64;
    /// Bytes of a key, without its bucket.
    pub const BYTES: usize = HEAD_BYTES + TEXT_BYTES;
    /// Of these, the first are of the hash.
    pub const HEAD_BYTES: usize = HEAD_BYTES;

    /// `None`: there is nothing but white space and zeros.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace()).as_bytes();
        let text = &text[..text.len().min(LOOKED_AT_BYTES)];
        if text.is_empty() {
            return None;
        }
        let [bucket, a, b, c, ..] = stable_hash(text.iter().copied()).to_le_bytes();
        let longer = if text.len() > TEXT_BYTES { LONGER } else { 0 };
        let mut bytes = [0; Self::BYTES];
        bytes[..HEAD_BYTES].copy_from_slice(&[a, b, c & !LONGER | longer]);
        let kept = &text[..text.len().min(TEXT_BYTES)];
        bytes[HEAD_BYTES..HEAD_BYTES + kept.len()].copy_from_slice(kept);
        Some(Self { bucket: bucket % Self::BUCKETS, bytes, guessed: false })
    }

    /// The same, not said to be what the work is about, and only taken for it where nothing else is.
    #[must_use]
    pub fn guessed(self) -> Self {
        Self { guessed: true, ..self }
    }

    /// See [`Self::guessed`].
    #[must_use]
    pub fn is_guessed(&self) -> bool {
        self.guessed
    }

    /// The key of these bytes, as [`Self::bytes`] has them.
    #[must_use]
    pub fn of_bytes(bucket: u8, bytes: [u8; Self::BYTES]) -> Self {
        Self { bucket, bytes, guessed: false }
    }

    /// The part of all keys that this one belongs to, by its hash: below [`Self::BUCKETS`].
    #[must_use]
    pub fn bucket(&self) -> u8 {
        self.bucket
    }

    /// Bits of the hash, whether the text is longer than what is kept, and the beginning of the text.
    #[must_use]
    pub fn bytes(&self) -> &[u8; Self::BYTES] {
        &self.bytes
    }

    /// The text; of a long one its beginning and `…`. `None` where the bytes are no key's: the text is not of this hash.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let kept = &self.bytes[HEAD_BYTES..];
        if self.bytes[HEAD_BYTES - 1] & LONGER != 0 {
            let whole = kept.utf8_chunks().next().map_or("", |chunk| chunk.valid());
            return (!whole.is_empty()).then(|| format!("{whole}…"));
        }
        let length = kept.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let text = str::from_utf8(&kept[..length]).ok()?;
        let is_it = |key: Self| key.bucket == self.bucket && key.bytes == self.bytes;
        Self::of(text).is_some_and(is_it).then(|| text.to_owned())
    }
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
        assert_eq!(key.guessed().text().as_deref(), Some("item-7"));
        let wrong = SpanKey { bucket: key.bucket ^ 1, ..key };
        assert_eq!(wrong.text(), None);
    }

    /// As it is stored: counted by another program.
    const STORED: (u8, [u8; 3]) = (35, [177, 242, 125]);

    proptest! {
        #[test]
        fn a_text_is_read_from_its_bytes(text in "\\PC{1,40}") {
            let Some(key) = SpanKey::of(&text) else { return Ok(()) };
            prop_assert_eq!(SpanKey::of_bytes(key.bucket(), *key.bytes()), key);
            prop_assert!(key.bucket() < SpanKey::BUCKETS);
            let (read, trimmed) = (key.text().unwrap(), text.trim());
            match read.strip_suffix('…').filter(|_| trimmed.len() > TEXT_BYTES) {
                Some(start) => prop_assert!(trimmed.starts_with(start) && start.len() > TEXT_BYTES - 4),
                None => prop_assert_eq!(read, trimmed),
            }
        }
    }
}
