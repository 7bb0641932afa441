//! What is said over a connection, by its protocol.
//!
//! A talk has no socket and no clock: it is given what was received, and when, and tells what has ended by that.

use std::collections::VecDeque;
use std::io;

use peakdrill_timebase::MonoNs;
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use super::connection::Writing;
use super::http1::Http1;
use super::http2::Http2;
use super::websocket::WebSocket;
use crate::answer::Buffers;
use crate::driver::{Completion, ExchangeId, Opening, Submission};

/// What is said over one connection.
#[expect(
    clippy::large_enum_variant,
    reason = "most connections are of the largest, and are looked at twice a request"
)]
pub(super) enum Talk {
    /// One exchange after the other. Each request is handed to the socket by itself.
    Http1(Http1),
    /// Many at a time. What is to be sent comes together, and is taken out.
    Http2(Box<Http2>),
    /// Messages both ways, of one journey.
    WebSocket(Box<WebSocket>),
}

/// What talks tell, and the memory they use.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// At most two per exchange in flight.
    pub(super) completions: VecDeque<Completion>,
    /// Requests that nobody looked at: they may go over other connections.
    pub(super) back: Vec<Submission>,
    pub(super) buffers: Buffers,
}

/// What became of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    /// Whether there may be room for another exchange, or something to send.
    pub(super) freed: bool,
    /// Whether the connection goes on.
    pub(super) open: bool,
}

impl Turn {
    pub(super) const NOTHING: Self = Self { freed: false, open: true };
}

impl Talk {
    /// Whether it carries many exchanges at a time.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Self::Http2(_))
    }

    /// Whether it can take another exchange now.
    pub(super) fn has_room(&self) -> bool {
        match self {
            Self::Http1(talk) => talk.is_idle(),
            Self::Http2(talk) => talk.has_room(),
            Self::WebSocket(_) => false,
        }
    }

    /// Whether it never takes another one, though it goes on with those under way.
    pub(super) fn is_closing(&self) -> bool {
        match self {
            Self::Http1(_) | Self::WebSocket(_) => false,
            Self::Http2(talk) => talk.is_closing(),
        }
    }

    /// Whether no exchange is under way.
    pub(super) fn is_idle(&self) -> bool {
        match self {
            Self::Http1(talk) => talk.is_idle(),
            Self::Http2(talk) => talk.is_idle(),
            Self::WebSocket(talk) => talk.is_idle(),
        }
    }

    /// Whether it belongs to a journey, and ends with that.
    pub(super) fn is_owned(&self) -> bool {
        matches!(self, Self::WebSocket(_))
    }

    pub(super) fn carries(&self, id: ExchangeId) -> bool {
        match self {
            Self::Http1(talk) => talk.carries(id),
            Self::Http2(talk) => talk.carries(id),
            Self::WebSocket(talk) => talk.carries(id),
        }
    }

    /// Whether there is something to be taken out and sent.
    pub(super) fn has_out(&self) -> bool {
        match self {
            Self::Http1(_) => false,
            Self::Http2(talk) => talk.has_out(),
            Self::WebSocket(talk) => talk.has_out(),
        }
    }

    /// What is to be sent at this time and Unix second; masks are drawn from `random`. What has run out meanwhile is not,
    /// so that there may be nothing.
    pub(super) fn take_out(
        &mut self,
        now: (MonoNs, u64),
        random: &mut ChaCha8Rng,
        told: &mut Told,
    ) -> Vec<u8> {
        match self {
            Self::Http1(_) => Vec::new(),
            Self::Http2(talk) => talk.take_out(),
            Self::WebSocket(talk) => {
                talk.take_out(now, || random.next_u32().to_ne_bytes(), &mut told.completions)
            }
        }
    }

    /// What was taken out last was handed to the socket; how far it is.
    pub(super) fn handed(&mut self, writing: Writing, at: MonoNs, told: &mut Told) {
        if let Self::WebSocket(talk) = self {
            talk.handed(writing, at, &mut told.completions);
        }
    }

    /// Takes the memory of what was sent.
    pub(super) fn give(&mut self, buffer: Vec<u8>, buffers: &mut Buffers) {
        match self {
            Self::Http1(_) | Self::WebSocket(_) => buffers.give(buffer),
            Self::Http2(talk) => talk.give(buffer, buffers),
        }
    }

    /// Nothing of what was taken out last has left: the connection has ended.
    pub(super) fn not_sent(&mut self, at: MonoNs, told: &mut Told) {
        match self {
            Self::Http1(_) => {}
            Self::Http2(talk) => talk.not_sent(at, told),
            Self::WebSocket(talk) => _ = talk.ended(None, at, &mut told.completions),
        }
    }

    /// Bytes were received. `writing` is how far the requests are that were handed over.
    pub(super) fn received(&mut self, bytes: &[u8], at: MonoNs, writing: Writing, told: &mut Told) -> Turn {
        match self {
            Self::Http1(talk) => {
                let turn = talk.received(bytes, at, writing, told);
                match talk.take_switched().filter(|_| turn.freed) {
                    Some(opening) => {
                        let rest = bytes.get(opening.granted..).unwrap_or_default();
                        self.switch(*opening, rest, at, told)
                    }
                    None => turn,
                }
            }
            Self::Http2(talk) => talk.received(bytes, at, told),
            Self::WebSocket(talk) => talk.received(bytes, at, &mut told.completions),
        }
    }

    /// The peer has closed, or the connection broke. It does not go on.
    pub(super) fn ended(&mut self, broken: Option<&io::Error>, at: MonoNs, told: &mut Told) -> Turn {
        match self {
            Self::Http1(talk) => talk.ended(broken, at, told),
            Self::Http2(talk) => talk.ended(broken, at, told),
            Self::WebSocket(talk) => talk.ended(broken, at, &mut told.completions),
        }
    }

    /// The connection belongs to a journey from now on; `rest` came behind the answer that grants it.
    fn switch(&mut self, opening: Opening, rest: &[u8], at: MonoNs, told: &mut Told) -> Turn {
        let mut talk = Box::new(WebSocket::new(opening));
        let Turn { open, .. } = talk.received(rest, at, &mut told.completions);
        *self = Self::WebSocket(talk);
        Turn { freed: true, open }
    }
}
