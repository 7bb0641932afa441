//! The acknowledgement: the first hop tells the generator that it saw the tag.

use std::fmt;

use crate::TraceId;

/// The response header.
pub const HEADER: &str = "x-peakdrill-ack";

/// The value of the header: the low half of the request's trace id, 16 lower-case hex characters. Bound to the
/// request, so that a cached answer does not acknowledge another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckValue([u8; 16]);

impl AckValue {
    /// The value as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for AckValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What answers a shadow request with this trace id.
#[must_use]
pub fn ack_value(trace_id: TraceId) -> AckValue {
    let low = trace_id.low();
    let mut text = [0; 16];
    for (place, shift) in text.iter_mut().zip((0..16_u32).rev()) {
        let digit = (low >> (shift * 4) & 15) as u8;
        *place = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
    }
    AckValue(text)
}

/// Whether the header's value acknowledges the request with this trace id.
#[must_use]
pub fn ack_matches(value: &[u8], trace_id: TraceId) -> bool {
    super::trim(value) == ack_value(trace_id).0
}

#[cfg(test)]
mod tests {
    use super::{ack_matches, ack_value};

    #[test]
    fn is_the_low_half() {
        let id = "0102030405060708090a0b0c0d0e0fff".parse().unwrap();
        assert_eq!(ack_value(id).as_str(), "090a0b0c0d0e0fff");
        assert!(ack_matches(b" 090a0b0c0d0e0fff", id));
        assert!(!ack_matches(b"090A0B0C0D0E0FFF", id));
        assert!(!ack_matches(b"", id));
        assert!(!ack_matches(b"0102030405060708", id));
    }
}
