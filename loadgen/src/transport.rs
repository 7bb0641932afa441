//! How sockets are moved: `io_uring` where the system allows it, else epoll.

use std::fmt;

use peakdrill_sockets::{Kind, Sockets};

use crate::error::StartError;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// `io_uring` where the system allows it, else epoll.
    #[default]
    Auto,
    /// epoll, everywhere.
    Epoll,
    /// `io_uring`, or the load does not start.
    Uring,
}

/// What is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// How connections in the clear are moved. Those in TLS are always watched by epoll.
    pub kind: Kind,
    /// Why it is not `io_uring`, where that was wanted.
    pub because: Option<String>,
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, &self.because) {
            (Kind::Uring, _) => f.write_str("io_uring"),
            (Kind::Epoll, None) => f.write_str("epoll"),
            (Kind::Epoll, Some(because)) => write!(f, "epoll, since io_uring is not to be had: {because}"),
        }
    }
}

impl Transport {
    /// Tries what is asked for.
    ///
    /// # Errors
    /// When `io_uring` is asked for and not to be had.
    pub fn choose(self) -> Result<Chosen, StartError> {
        if self == Self::Epoll {
            return Ok(Chosen { kind: Kind::Epoll, because: None });
        }
        match Sockets::new(Kind::Uring) {
            Ok(_) => Ok(Chosen { kind: Kind::Uring, because: None }),
            Err(source) if self == Self::Uring => Err(StartError::Os { what: "io_uring", source }),
            Err(error) => Ok(Chosen { kind: Kind::Epoll, because: Some(error.to_string()) }),
        }
    }
}
