//! The one interface.

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::{Epoll, Uring};

/// Most events that are taken at once.
pub const EVENTS_MAX: usize = 256;

/// What happened to a socket.
#[derive(Debug)]
pub enum Event<'a> {
    /// These bytes were received; at least one.
    Received(&'a [u8]),
    /// The peer sends nothing more, or the connection broke. Nothing is received after it; the socket is still to be
    /// removed.
    Ended(Option<io::Error>),
    /// All that was handed over is sent: the memory comes back.
    Sent(Vec<u8>),
    /// The peer takes no more of it. It may have sent something all the same, and that is told.
    NotSent(Vec<u8>),
}

/// What became of bytes at the hand-over.
#[derive(Debug, PartialEq, Eq)]
pub enum Handed {
    /// They are sent: the memory comes back.
    Sent(Vec<u8>),
    /// [`Event::Sent`] or [`Event::NotSent`] will tell.
    UnderWay,
    /// Nothing of them was sent: the connection has ended.
    Refused(Vec<u8>),
}

/// How sockets are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Readiness, then one system call for each thing to do.
    Epoll,
    /// Requests to the kernel in batches, and completions.
    Uring,
}

impl Kind {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Epoll => "epoll",
            Self::Uring => "io_uring",
        }
    }
}

/// Sockets, named by keys of the caller's choice. Small keys: they are indices.
///
/// One thread makes it and uses it.
#[derive(Debug)]
pub enum Sockets {
    /// Over epoll.
    Epoll(Epoll),
    /// Over `io_uring`.
    Uring(Box<Uring>),
}

impl Sockets {
    /// No sockets yet.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub fn new(kind: Kind) -> io::Result<Self> {
        Ok(match kind {
            Kind::Epoll => Self::Epoll(Epoll::new()?),
            Kind::Uring => Self::Uring(Box::new(Uring::new()?)),
        })
    }

    /// How they are moved.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Epoll(_) => Kind::Epoll,
            Self::Uring(_) => Kind::Uring,
        }
    }

    /// Takes a connected socket over, under a key that is not in use.
    ///
    /// # Errors
    /// When the system refuses it.
    pub fn add(&mut self, key: usize, socket: TcpStream) -> io::Result<()> {
        match self {
            Self::Epoll(sockets) => sockets.add(key, socket),
            Self::Uring(sockets) => sockets.add(key, socket),
        }
    }

    /// Hands over bytes to be sent. Only when what was handed over before is sent, or was not.
    pub fn send(&mut self, key: usize, bytes: Vec<u8>) -> Handed {
        match self {
            Self::Epoll(sockets) => sockets.send(key, bytes),
            Self::Uring(sockets) => sockets.send(key, bytes),
        }
    }

    /// Closes a socket. Nothing more is told of it.
    pub fn remove(&mut self, key: usize) {
        match self {
            Self::Epoll(sockets) => sockets.remove(key),
            Self::Uring(sockets) => sockets.remove(key),
        }
    }

    /// Closes all.
    pub fn clear(&mut self) {
        match self {
            Self::Epoll(sockets) => sockets.clear(),
            Self::Uring(sockets) => sockets.clear(),
        }
    }

    /// Waits until something has happened, at most so long, or not at all with a limit of zero. What happened is told
    /// by [`Self::drain`]. With some patience it may go on waiting for that long for more to happen, where that spares
    /// the processor.
    ///
    /// # Errors
    /// The system's.
    pub fn wait(&mut self, limit: Duration, patience: Duration) -> io::Result<()> {
        match self {
            Self::Epoll(sockets) => sockets.wait(limit),
            Self::Uring(sockets) => sockets.wait(limit, patience),
        }
    }

    /// Sends now what was handed over to be sent and is kept back, as far as that goes without waiting. The next
    /// [`Self::wait`] does that too.
    pub fn flush(&mut self) {
        match self {
            Self::Epoll(_) => {}
            Self::Uring(sockets) => sockets.flush(),
        }
    }

    /// Whether somebody watches the descriptor ([`AsFd`]) instead of calling [`Self::wait`] with a limit. Only then it
    /// can be relied on to tell; what happened before is told of by [`Self::wait`] alone.
    pub fn watch(&mut self, watched: bool) {
        match self {
            Self::Epoll(_) => {}
            Self::Uring(sockets) => sockets.watch(watched),
        }
    }

    /// Tells what has happened up to the last [`Self::wait`]; whether that was all.
    pub fn drain(&mut self, tell: impl FnMut(usize, Event<'_>)) -> bool {
        match self {
            Self::Epoll(sockets) => sockets.drain(tell),
            Self::Uring(sockets) => sockets.drain(tell),
        }
    }

    /// Whether what is told was there when [`Self::wait`] returned; otherwise it is received while it is told.
    #[must_use]
    pub fn received_before(&self) -> bool {
        matches!(self, Self::Uring(_))
    }
}

/// Can be watched for reading after [`Sockets::watch`], by edges: it is never read itself.
impl AsFd for Sockets {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Epoll(sockets) => sockets.as_fd(),
            Self::Uring(sockets) => sockets.as_fd(),
        }
    }
}
