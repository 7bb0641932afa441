//! How sockets are moved: over epoll, or over `io_uring` where that is asked for and the system allows it.

use std::fmt;

use peakdrill_sockets::{Kind, Sockets};

use crate::error::StartError;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// What measures best: epoll.
    #[default]
    Auto,
    /// epoll, everywhere.
    Epoll,
    /// `io_uring`, or the load does not start. It takes less processor time at full load. What is sent leaves with the
    /// next batch, and while connections are being opened, or some are in TLS, answers may be noticed up to
    /// [`TICK_MS`](crate::TICK_MS) late.
    Uring,
}

/// What is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    /// How connections in the clear are moved. Those in TLS are always watched by epoll.
    pub kind: Kind,
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())
    }
}

impl Transport {
    /// Tries what is asked for.
    ///
    /// # Errors
    /// When `io_uring` is asked for and not to be had.
    pub fn choose(self) -> Result<Chosen, StartError> {
        if self == Self::Uring {
            let tried = Sockets::new(Kind::Uring).map_err(StartError::os("io_uring"));
            return tried.map(|_| Chosen { kind: Kind::Uring });
        }
        Ok(Chosen { kind: Kind::Epoll })
    }
}
