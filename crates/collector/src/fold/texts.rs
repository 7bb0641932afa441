//! Equal texts over requests, held once.

use std::sync::Arc;

use peakdrill_trace_model::Span;
use rustc_hash::FxHashSet;

/// Texts that are held for sharing. Beyond this a text is kept by its span alone: nothing but memory changes.
const TEXTS_MAX: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Texts(FxHashSet<Arc<str>>);

impl Texts {
    pub(super) fn share(&mut self, span: &mut Span) {
        self.one(&mut span.service);
        self.one(&mut span.instance);
        self.one(&mut span.op);
        if let Some(peer) = &mut span.peer {
            self.one(&mut peer.node);
        }
    }

    fn one(&mut self, text: &mut Arc<str>) {
        if let Some(shared) = self.0.get(&**text) {
            *text = Arc::clone(shared);
        } else if self.0.len() < TEXTS_MAX {
            self.0.insert(Arc::clone(text));
        }
    }
}
