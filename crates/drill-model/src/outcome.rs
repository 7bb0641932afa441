//! How a request ended.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a request counts as an error. The text form is stable and is the key in `errors_by_class`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// The name did not resolve.
    Dns,
    /// The connection was refused.
    ConnectRefused,
    /// The connection was not up in time.
    ConnectTimeout,
    /// Any other failure to connect.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// The peer closed or reset before a full answer.
    Closed,
    /// The peer gave up this exchange alone, with the connection going on (HTTP/2: `RST_STREAM`).
    Reset,
    /// No full answer in time.
    Timeout,
    /// The answer is not HTTP.
    Malformed,
    /// The answer's head is over the limit.
    HeadTooLarge,
    /// The body ended before its promised length.
    BodyShort,
    /// The body is over the limit.
    BodyTooLarge,
    /// A status of 400 and above that no check speaks of.
    Status(u16),
    /// A check failed.
    CheckFailed,
    /// A value could not be extracted.
    ExtractFailed,
    /// The isolation layer refused the operation.
    IsolationRefused,
    /// The run was stopped before the answer came.
    Cancelled,
    /// The upgrade to WebSocket was answered, and not granted: another status than 101 below 400, or a head that does
    /// not prove that the peer speaks the protocol.
    WsRefused,
    /// The peer closed the WebSocket, in form, before the answer came.
    WsClosed,
    /// More messages came than a step passes over, and none of them was the one it waits for.
    WsUnmatched,
}

impl ErrorClass {
    /// Whether the peer gave an answer, though a wrong one.
    #[must_use]
    pub fn answered(self) -> bool {
        matches!(
            self,
            Self::Status(_)
                | Self::CheckFailed
                | Self::ExtractFailed
                | Self::BodyShort
                | Self::BodyTooLarge
                | Self::IsolationRefused
                | Self::WsRefused
        )
    }
}

/// Of requests that ended, those that got an answer at all.
#[must_use]
pub fn answers(completed: u64, errors: &BTreeMap<ErrorClass, u64>) -> u64 {
    let without = errors.iter().filter(|(class, _)| !class.answered());
    completed.saturating_sub(without.fold(0, |sum, (_, n)| sum.saturating_add(*n)))
}

const NAMES: [(ErrorClass, &str); 19] = [
    (ErrorClass::Dns, "dns"),
    (ErrorClass::ConnectRefused, "connect_refused"),
    (ErrorClass::ConnectTimeout, "connect_timeout"),
    (ErrorClass::Connect, "connect"),
    (ErrorClass::Tls, "tls"),
    (ErrorClass::Closed, "closed"),
    (ErrorClass::Reset, "reset"),
    (ErrorClass::Timeout, "timeout"),
    (ErrorClass::Malformed, "malformed"),
    (ErrorClass::HeadTooLarge, "head_too_large"),
    (ErrorClass::BodyShort, "body_short"),
    (ErrorClass::BodyTooLarge, "body_too_large"),
    (ErrorClass::CheckFailed, "check_failed"),
    (ErrorClass::ExtractFailed, "extract_failed"),
    (ErrorClass::IsolationRefused, "isolation_refused"),
    (ErrorClass::Cancelled, "cancelled"),
    (ErrorClass::WsRefused, "ws_refused"),
    (ErrorClass::WsClosed, "ws_closed"),
    (ErrorClass::WsUnmatched, "ws_unmatched"),
];

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(code) => write!(f, "status_{code}"),
            other => {
                f.write_str(NAMES.iter().find(|(class, _)| class == other).map_or("other", |(_, name)| name))
            }
        }
    }
}

/// The text is no error class.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no error class")]
pub struct UnknownErrorClass(String);

impl FromStr for ErrorClass {
    type Err = UnknownErrorClass;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(code) = text.strip_prefix("status_").and_then(|code| code.parse().ok()) {
            return Ok(Self::Status(code));
        }
        let found = NAMES.iter().find(|(_, name)| *name == text);
        found.map(|(class, _)| *class).ok_or_else(|| UnknownErrorClass(text.to_owned()))
    }
}

impl Serialize for ErrorClass {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ErrorClass {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_reads_back() {
        for class in NAMES.iter().map(|(class, _)| *class).chain([ErrorClass::Status(503)]) {
            assert_eq!(class.to_string().parse(), Ok(class));
        }
        assert!("status_x".parse::<ErrorClass>().is_err());
    }
}
