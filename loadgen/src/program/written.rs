//! What comes of writing a request, and how it is handed to the driver.

use peakdrill_wire_ws::KEY_BYTES;

use super::RequestCode;
use crate::driver::{ExchangeId, Owner, Submission};
use crate::tagging::{Ids, NoToken};

/// What a request that was written is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) ids: Ids,
    /// The Unix second from which it must not be sent any more.
    pub(crate) not_after_unix_s: u64,
    /// Where its body begins.
    pub(crate) head_bytes: usize,
}

/// Why a request could not be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unwritten {
    /// There is no value for it, or one that does not fit.
    Unfilled(String),
    /// It may not be sent.
    NoToken,
}

impl From<NoToken> for Unwritten {
    fn from(NoToken: NoToken) -> Self {
        Self::NoToken
    }
}

impl RequestCode {
    /// The request for the driver. `opens` is whose WebSocket it opens, and by which key, where it does.
    pub(crate) fn submission(
        &self,
        id: ExchangeId,
        written: &Written,
        wire: Vec<u8>,
        opens: Option<(Owner, &[u8; KEY_BYTES])>,
    ) -> Submission {
        let Written { not_after_unix_s, head_bytes, .. } = *written;
        let opening = self.ws.as_ref().zip(opens);
        let opening = opening.and_then(|(ws, (owner, key))| ws.opening(owner, key, not_after_unix_s));
        Submission {
            id,
            target: self.target,
            wire,
            head_bytes,
            method: self.method,
            wanted: self.wanted(),
            not_after_unix_s,
            opening,
            returned: 0,
        }
    }
}
