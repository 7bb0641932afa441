//! What can be wrong with what a peer sends.

/// Why bytes are no messages. The connection they came on is of no further use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A frame does not follow the protocol.
    #[error("a frame is malformed: {0}")]
    Frame(&'static str),
    /// A message of text is not UTF-8.
    #[error("a message of text is not UTF-8")]
    NotText,
    /// A message is longer than allowed, in bytes.
    #[error("a message is longer than {0} bytes")]
    TooLarge(usize),
}
