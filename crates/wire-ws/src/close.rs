//! Why a connection is closed (RFC 6455, 7.4).

use crate::error::Error;

/// What is to be done is done.
pub const NORMAL: u16 = 1000;
/// The peer goes away: it stops, or a page is left.
pub const GOING_AWAY: u16 = 1001;

/// A peer's close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close<'a> {
    /// Why; `None`: it does not say.
    pub code: Option<u16>,
    /// More about it; may be empty.
    pub reason: &'a str,
}

impl<'a> Close<'a> {
    /// Reads the payload of a close frame.
    pub(crate) fn read(payload: &'a [u8]) -> Result<Self, Error> {
        let Some((code, reason)) = payload.split_first_chunk::<2>() else {
            return match payload {
                [] => Ok(Self { code: None, reason: "" }),
                _ => Err(Error::Frame("a close frame has half a code")),
            };
        };
        let code = u16::from_be_bytes(*code);
        // Those that no frame carries: below 1000, reserved, and what is told of a connection that broke.
        if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
            return Err(Error::Frame("a close frame has a code that no frame may carry"));
        }
        let reason = std::str::from_utf8(reason).map_err(|_| Error::NotText)?;
        Ok(Self { code: Some(code), reason })
    }
}
