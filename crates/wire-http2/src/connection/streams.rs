//! The exchanges under way.

use rustc_hash::FxHashMap;
use slab::Slab;

use super::{Ended, How, Request, STREAM_WINDOW_BYTES};
use crate::error::Error;

/// One exchange.
#[derive(Debug)]
pub(super) struct Stream<S> {
    pub(super) id: u32,
    pub(super) sink: S,
    pub(super) request: Request,
    /// Of the request, that was put into what is to be sent, in bytes.
    pub(super) sent: usize,
    pub(super) send_window: i64,
    pub(super) receive_window: u32,
    pub(super) answer: Answer,
}

/// How far an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// There were so many informational ones.
    Head(u32),
    /// Bytes of the body that have come, and that are still to come where that is known.
    Body { got: u64, left: Option<u64> },
}

impl<S> Stream<S> {
    pub(super) fn new(id: u32, sink: S, request: Request, send_window: i64) -> Self {
        let (sent, answer) = (request.head_bytes, Answer::Head(0));
        Self { id, sink, request, sent, send_window, receive_window: STREAM_WINDOW_BYTES, answer }
    }

    pub(super) fn has_head(&self) -> bool {
        matches!(self.answer, Answer::Body { .. })
    }

    /// How it ends when the peer says, or it is known, that it was not looked at. A peer that has begun to answer has.
    pub(super) fn unprocessed_or(&self, error: Error) -> How {
        if self.answer == Answer::Head(0) { How::Unprocessed } else { How::Failed(error) }
    }

    pub(super) fn is_sent(&self) -> bool {
        self.sent >= self.request.bytes.len()
    }

    pub(super) fn into_ended(self, how: How) -> Ended<S> {
        Ended { sink: self.sink, request: self.request, how }
    }
}

/// All of them, by their numbers.
#[derive(Debug)]
pub(super) struct Streams<S> {
    slab: Slab<Stream<S>>,
    places: FxHashMap<u32, usize>,
}

impl<S> Streams<S> {
    pub(super) fn new() -> Self {
        Self { slab: Slab::new(), places: FxHashMap::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn insert(&mut self, stream: Stream<S>) {
        self.places.insert(stream.id, self.slab.vacant_key());
        self.slab.insert(stream);
    }

    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut Stream<S>> {
        self.slab.get_mut(*self.places.get(&id)?)
    }

    pub(super) fn remove(&mut self, id: u32) -> Option<Stream<S>> {
        self.slab.try_remove(self.places.remove(&id)?)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Stream<S>> {
        self.slab.iter().map(|(_, stream)| stream)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stream<S>> {
        self.slab.iter_mut().map(|(_, stream)| stream)
    }

    /// The numbers from one on, ascending.
    pub(super) fn from(&self, first: u32) -> Vec<u32> {
        let mut ids: Vec<u32> = self.iter().map(|stream| stream.id).filter(|id| *id >= first).collect();
        ids.sort_unstable();
        ids
    }

    /// Takes all of them out, in the order in which they began.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Stream<S>> + use<S> {
        self.places.clear();
        let mut all: Vec<Stream<S>> = self.slab.drain().collect();
        all.sort_unstable_by_key(|stream| stream.id);
        all.into_iter()
    }
}
