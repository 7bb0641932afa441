//! Equal texts, over spans and requests, held once.

use std::sync::Arc;

use rustc_hash::FxHashSet;

/// Texts that are held for sharing. Beyond this a text is kept by its span alone: nothing but memory changes.
const TEXTS_MAX: usize = 100_000;

/// The texts of a decoder.
#[derive(Debug, Default)]
pub struct Texts(FxHashSet<Arc<str>>);

impl Texts {
    pub(super) fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(shared) = self.0.get(text) {
            return Arc::clone(shared);
        }
        let shared: Arc<str> = Arc::from(text);
        if self.0.len() < TEXTS_MAX {
            self.0.insert(Arc::clone(&shared));
        }
        shared
    }
}
