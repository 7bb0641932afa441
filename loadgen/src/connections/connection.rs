//! One connection: what is said over it, and what carries it.

use peakdrill_timebase::MonoNs;

use super::secured::Secured;
use super::talk::Talk;

pub(super) struct Connection {
    pub(super) pool: usize,
    pub(super) opened_at: MonoNs,
    /// Whether a request was ever handed to it.
    pub(super) used: bool,
    /// Whether its pool knows that it has room.
    pub(super) listed: bool,
    /// Whether its pool does not count it any more: it ends with what is under way.
    pub(super) retired: bool,
    /// Whether it is on the list of those whose talks have something to send.
    pub(super) unsent: bool,
    pub(super) talk: Talk,
    pub(super) writing: Writing,
    /// TLS over a socket of the runtime; `None`: one of the shard's own sockets, under the same key.
    pub(super) secured: Option<Box<Secured>>,
}

/// How far what was handed over is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    /// Something of it is still to be written, or held back by TLS.
    UnderWay,
    /// The peer does not take it. It may still have answered.
    Failed,
    Done,
}

impl Connection {
    pub(super) fn new(pool: usize, talk: Talk, secured: Option<Box<Secured>>, opened_at: MonoNs) -> Self {
        Self {
            pool,
            opened_at,
            used: false,
            listed: false,
            retired: false,
            unsent: false,
            talk,
            writing: Writing::Done,
            secured,
        }
    }

    /// Whether it can take another exchange now.
    pub(super) fn has_room(&self) -> bool {
        self.writing != Writing::Failed && self.talk.has_room()
    }

    /// Whether it never takes another one.
    pub(super) fn is_closing(&self) -> bool {
        self.writing == Writing::Failed || self.talk.is_closing()
    }
}
