//! Trace and span ids as W3C Trace Context writes them.

use std::fmt;
use std::str::FromStr;

/// Why a text is not a trace or span id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceIdError {
    /// The text has another length, or a character that is not lower-case hex.
    #[error("an id is lower-case hex: 32 characters for a trace, 16 for a span")]
    NotHex,
    /// All bytes are zero, which W3C Trace Context calls invalid.
    #[error("an id of zeros only is invalid")]
    Zero,
}

const NO_DIGIT: u8 = 0xff;
const LOWER: [u8; 256] = digits(false);
const ANY_CASE: [u8; 256] = digits(true);

/// The value of each character as a hex digit.
const fn digits(any_case: bool) -> [u8; 256] {
    let mut table = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16_u8 {
        let letter = value.wrapping_sub(10);
        let lower = if value < 10 { b'0' + value } else { b'a' + letter };
        table[lower as usize] = value;
        if any_case {
            table[lower.to_ascii_uppercase() as usize] = value;
        }
        value += 1;
    }
    table
}

/// Reads `2 * N` hex characters; upper case too when `any_case`.
#[inline]
pub(crate) fn hex<const N: usize>(text: &[u8], any_case: bool) -> Option<[u8; N]> {
    let table = if any_case { &ANY_CASE } else { &LOWER };
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    let mut seen = 0;
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (table[usize::from(*high)], table[usize::from(*low)]);
        seen |= high | low;
        *byte = high << 4 | low;
    }
    (seen < 16).then_some(bytes)
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        ///
        /// Never all zeros. Shown and read as lower-case hex; in JSON a string.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Takes the bytes in wire order; `None` when all are zero.
            #[must_use]
            pub fn from_bytes(bytes: [u8; $bytes]) -> Option<Self> {
                (bytes != [0; $bytes]).then_some(Self(bytes))
            }

            /// The bytes in wire order.
            #[must_use]
            pub fn to_bytes(self) -> [u8; $bytes] {
                self.0
            }

            pub(crate) fn from_hex(text: &[u8], any_case: bool) -> Result<Self, TraceIdError> {
                let bytes = hex(text, any_case).ok_or(TraceIdError::NotHex)?;
                Self::from_bytes(bytes).ok_or(TraceIdError::Zero)
            }
        }

        impl FromStr for $name {
            type Err = TraceIdError;

            fn from_str(text: &str) -> Result<Self, TraceIdError> {
                Self::from_hex(text.as_bytes(), false)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hex_id! {
    /// The id of a trace, 16 bytes.
    TraceId, 16
}
hex_id! {
    /// The id of a span, 8 bytes.
    SpanId, 8
}

impl TraceId {
    pub(crate) fn from_halves(high: u64, low: std::num::NonZeroU64) -> Self {
        Self((u128::from(high) << 64 | u128::from(low.get())).to_be_bytes())
    }

    /// The first eight bytes, read big-endian.
    #[must_use]
    #[inline]
    pub fn high(self) -> u64 {
        (u128::from_be_bytes(self.0) >> 64) as u64
    }

    /// The last eight bytes, read big-endian.
    #[must_use]
    #[inline]
    pub fn low(self) -> u64 {
        u128::from_be_bytes(self.0) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::{SpanId, TraceId, TraceIdError};

    #[test]
    fn hex_both_ways() {
        let text = "0102030405060708090a0b0c0d0e0fff";
        let id: TraceId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!((id.high(), id.low()), (0x0102_0304_0506_0708, 0x090a_0b0c_0d0e_0fff));
        assert_eq!(text.to_uppercase().parse::<TraceId>(), Err(TraceIdError::NotHex));
        assert_eq!("0".repeat(32).parse::<TraceId>(), Err(TraceIdError::Zero));
        assert_eq!("0".repeat(16).parse::<SpanId>(), Err(TraceIdError::Zero));
        for bad in ["", "00", "0102030405060708090a0b0c0d0e0ff", "g102030405060708090a0b0c0d0e0fff"] {
            assert_eq!(bad.parse::<TraceId>(), Err(TraceIdError::NotHex), "{bad}");
        }
    }
}
