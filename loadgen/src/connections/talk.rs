//! What is said over a connection, by its protocol.
//!
//! A talk has no socket and no clock: it is given what was received, and when, and tells what has ended by that.

use std::collections::VecDeque;
use std::io;

use peakdrill_timebase::MonoNs;

use super::connection::Writing;
use super::http1::Http1;
use crate::driver::{Completion, ExchangeId};

/// What is said over one connection.
pub(super) enum Talk {
    /// One exchange after the other.
    Http1(Http1),
}

/// What became of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    /// Whether an exchange has ended, so that there may be room for another.
    pub(super) freed: bool,
    /// Whether the connection goes on.
    pub(super) open: bool,
}

impl Turn {
    pub(super) const NOTHING: Self = Self { freed: false, open: true };
}

impl Talk {
    /// Whether it can take another exchange now.
    pub(super) fn has_room(&self) -> bool {
        match self {
            Self::Http1(talk) => talk.is_idle(),
        }
    }

    /// Whether no exchange is under way.
    pub(super) fn is_idle(&self) -> bool {
        match self {
            Self::Http1(talk) => talk.is_idle(),
        }
    }

    pub(super) fn carries(&self, id: ExchangeId) -> bool {
        match self {
            Self::Http1(talk) => talk.carries(id),
        }
    }

    /// Bytes were received. `writing` is how far the requests are that were handed over.
    pub(super) fn received(
        &mut self,
        bytes: &[u8],
        at: MonoNs,
        writing: Writing,
        told: &mut VecDeque<Completion>,
    ) -> Turn {
        match self {
            Self::Http1(talk) => talk.received(bytes, at, writing, told),
        }
    }

    /// The peer has closed, or the connection broke. It does not go on.
    pub(super) fn ended(
        &mut self,
        broken: Option<&io::Error>,
        at: MonoNs,
        told: &mut VecDeque<Completion>,
    ) -> Turn {
        match self {
            Self::Http1(talk) => talk.ended(broken, at, told),
        }
    }
}
