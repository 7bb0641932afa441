//! One connection: what is said over it, and what carries it.

use std::net::SocketAddr;

use peakdrill_timebase::MonoNs;

use super::secured::Secured;
use super::talk::Talk;

pub(super) struct Connection {
    pub(super) pool: usize,
    pub(super) opened_at: MonoNs,
    /// Where it leads to.
    pub(super) peer: SocketAddr,
    /// From when on it takes nothing more.
    pub(super) until: MonoNs,
    /// The place of the session whose own it is.
    pub(super) user: Option<u32>,
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

/// Where a new connection leads to, and how long it takes requests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    pub(super) opened_at: MonoNs,
    pub(super) until: MonoNs,
    pub(super) peer: SocketAddr,
}

/// The time of a connection that takes nothing more.
pub(super) const OVER: MonoNs = MonoNs(0);

impl Connection {
    pub(super) fn new(pool: usize, talk: Talk, secured: Option<Box<Secured>>, life: Life) -> Self {
        let Life { opened_at, until, peer } = life;
        Self {
            pool,
            opened_at,
            peer,
            until,
            user: None,
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
        self.until != OVER && self.writing != Writing::Failed && self.talk.has_room()
    }

    /// Whether it never takes another one.
    pub(super) fn is_closing(&self) -> bool {
        self.until == OVER || self.writing == Writing::Failed || self.talk.is_closing()
    }
}
