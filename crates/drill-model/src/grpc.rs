//! Words of gRPC: its statuses, and where the message types of targets are from.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Where the message types of a gRPC target are from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageTypes {
    /// From `.proto` files.
    Files(DescriptorSet),
    /// The server is asked before the load starts.
    Reflection,
}

/// Compiled `.proto` files.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DescriptorSet {
    /// The files, as written.
    pub files: Vec<String>,
    /// SHA-256 of the descriptors, hex.
    pub sha256: String,
    /// An encoded `google.protobuf.FileDescriptorSet` with all imports; not part of `plan.json` (its hash is).
    #[serde(skip)]
    pub content: Arc<Vec<u8>>,
}

/// Names of the status codes, by their numbers
/// (<https://github.com/grpc/grpc/blob/master/doc/statuscodes.md>).
pub const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The name of a status code; `None` for a number that has none.
#[must_use]
pub fn name_of(code: u16) -> Option<&'static str> {
    CODES.get(usize::from(code)).copied()
}

/// The number of a name, in any letter case.
#[must_use]
pub fn code_of(name: &str) -> Option<u16> {
    CODES.iter().position(|known| known.eq_ignore_ascii_case(name)).map(|at| at as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_those_of_the_specification() {
        assert_eq!((name_of(0), name_of(14), name_of(17)), (Some("OK"), Some("UNAVAILABLE"), None));
        assert_eq!((code_of("not_found"), code_of("DATA_LOSS"), code_of("GONE")), (Some(5), Some(15), None));
    }
}
