//! How sockets are moved: over `io_uring` where the system allows it, else over epoll.

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
    /// `io_uring`, or the load does not start. It takes less processor time. What is sent leaves together with up to 16
    /// other requests.
    Uring,
}

/// What is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// How connections in the clear are moved. Those in TLS are always watched by epoll.
    pub kind: Kind,
    /// Why it is not the one that would be better, where it is not.
    pub because: Option<String>,
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        self.because.as_ref().map_or(Ok(()), |because| write!(f, ": {because}"))
    }
}

impl Transport {
    /// Tries what is asked for.
    ///
    /// # Errors
    /// When `io_uring` is asked for and not to be had.
    pub fn choose(self) -> Result<Chosen, StartError> {
        let uring = Chosen { kind: Kind::Uring, because: None };
        let epoll = |because| Ok(Chosen { kind: Kind::Epoll, because });
        match self {
            Self::Epoll => epoll(None),
            Self::Uring => Sockets::new(Kind::Uring).map(|_| uring).map_err(StartError::os("io_uring")),
            Self::Auto => match Sockets::new(Kind::Uring) {
                Ok(_) => Ok(uring),
                Err(error) => epoll(Some(format!("io_uring is not to be had here ({error})"))),
            },
        }
    }
}
