//! What can be wrong with a response.

/// Why a response is none. The connection it came on is of no further use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The connection ended before the first byte of a response.
    #[error("the connection ended without an answer")]
    Closed,
    /// It ended within the head.
    #[error("the connection ended within the head of the answer")]
    HeadShort,
    /// It ended within the body.
    #[error("the connection ended {0}")]
    BodyShort(&'static str),
    /// The head, or the trailer section, is longer than allowed, or has too many fields.
    #[error("{0}")]
    HeadTooLarge(&'static str),
    /// The body is longer than allowed, in bytes.
    #[error("the body is longer than {0} bytes")]
    BodyTooLarge(u64),
    /// The head does not follow the grammar.
    #[error("the head is malformed: {0}")]
    Head(httparse::Error),
    /// The fields that say where the body ends make no sense.
    #[error("the head is malformed: {0}")]
    Framing(&'static str),
    /// The chunked coding is broken.
    #[error("the chunked body is malformed: {0}")]
    Chunk(&'static str),
    /// Protocols were switched without being asked.
    #[error("protocols switched without being asked")]
    Switched,
}
