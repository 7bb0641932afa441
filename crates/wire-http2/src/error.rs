//! What can be wrong with an answer, or with a connection.

use std::fmt;

/// An error code of HTTP/2 (RFC 9113, 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(pub u32);

impl Code {
    /// Nothing is wrong.
    pub const NO_ERROR: Self = Self(0);
    /// The protocol was not kept to.
    pub const PROTOCOL_ERROR: Self = Self(1);
    /// More was sent than the receiver had room for.
    pub const FLOW_CONTROL_ERROR: Self = Self(3);
    /// A frame has a size that its kind does not allow.
    pub const FRAME_SIZE_ERROR: Self = Self(6);
    /// The stream was not processed at all.
    pub const REFUSED_STREAM: Self = Self(7);
    /// The stream is not needed any more.
    pub const CANCEL: Self = Self(8);
    /// The header compression came out of step.
    pub const COMPRESSION_ERROR: Self = Self(9);
    /// The peer makes too much load.
    pub const ENHANCE_YOUR_CALM: Self = Self(11);
}

/// The names of the codes, from 0 on.
const NAMES: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.get(self.0 as usize) {
            Some(name) => f.write_str(name),
            None => write!(f, "error code {:#x}", self.0),
        }
    }
}

/// Why there is no answer, or no whole one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The connection ended before the answer's head.
    #[error("the connection ended without an answer")]
    Closed,
    /// It ended within the body.
    #[error("the connection ended within the body")]
    BodyCut,
    /// The peer gave the connection up (GOAWAY), and it ended before an answer came.
    #[error("the peer gave the connection up: {0}")]
    GoneAway(Code),
    /// The peer gave the exchange up (`RST_STREAM`).
    #[error("the peer reset the stream: {0}")]
    Reset(Code),
    /// The head, or the trailer section, is longer than allowed.
    #[error("{0}")]
    HeadTooLarge(&'static str),
    /// The body is longer than allowed, in bytes.
    #[error("the body is longer than {0} bytes")]
    BodyTooLarge(u64),
    /// The stream ended before as many bytes had come as content-length promises.
    #[error("the body is shorter than its content-length")]
    BodyShort,
    /// The answer is malformed. Its stream alone is over.
    #[error("the answer is malformed: {0}")]
    Malformed(&'static str),
    /// The peer does not keep to the protocol. The connection is over.
    #[error("the peer does not speak HTTP/2: {0}")]
    Protocol(Code, &'static str),
}

impl Error {
    pub(crate) const fn protocol(why: &'static str) -> Self {
        Self::Protocol(Code::PROTOCOL_ERROR, why)
    }

    pub(crate) const fn size(why: &'static str) -> Self {
        Self::Protocol(Code::FRAME_SIZE_ERROR, why)
    }

    pub(crate) const fn flow(why: &'static str) -> Self {
        Self::Protocol(Code::FLOW_CONTROL_ERROR, why)
    }

    pub(crate) const fn compression(why: &'static str) -> Self {
        Self::Protocol(Code::COMPRESSION_ERROR, why)
    }

    pub(crate) const fn flood(why: &'static str) -> Self {
        Self::Protocol(Code::ENHANCE_YOUR_CALM, why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_names() {
        assert_eq!(Error::Reset(Code::CANCEL).to_string(), "the peer reset the stream: CANCEL");
        assert_eq!(Code::ENHANCE_YOUR_CALM.to_string(), "ENHANCE_YOUR_CALM");
        assert_eq!(Code(0x99).to_string(), "error code 0x99");
    }
}
