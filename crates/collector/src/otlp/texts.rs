//! Equal texts, over spans and requests, held once.

use std::sync::Arc;

use foldhash::HashSet;

/// Texts that are held for sharing. Beyond this a text is kept by its span alone: nothing but memory changes.
const TEXTS_MAX: usize = 100_000;
/// Bytes of all of them; as above.
const TEXTS_BYTES_MAX: usize = 8 << 20;

/// The texts of a decoder.
#[derive(Debug, Default)]
pub struct Texts {
    known: HashSet<Arc<str>>,
    bytes: usize,
}

impl Texts {
    pub(super) fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(shared) = self.known.get(text) {
            return Arc::clone(shared);
        }
        let shared: Arc<str> = Arc::from(text);
        if self.known.len() < TEXTS_MAX && text.len() <= TEXTS_BYTES_MAX - self.bytes {
            self.bytes += text.len();
            self.known.insert(Arc::clone(&shared));
        }
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_held_up_to_a_number_of_bytes() {
        let mut texts = Texts::default();
        let mebibyte = |number: usize| format!("{number:02}{}", "x".repeat((1 << 20) - 2));
        (0..12).for_each(|number| drop(texts.share(&mebibyte(number))));
        assert_eq!((texts.known.len(), texts.bytes), (8, TEXTS_BYTES_MAX));
        assert!(Arc::ptr_eq(&texts.share(&mebibyte(0)), &texts.share(&mebibyte(0))));
        assert_eq!(*texts.share("more"), *"more");
        assert_eq!(texts.known.len(), 8);
    }
}
