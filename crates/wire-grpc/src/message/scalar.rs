//! Values of single fields: text in, wire format out.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::{Duration, Timestamp};
use prost_reflect::{EnumDescriptor, Kind};

use super::put_varint;

/// Base64 as the JSON mapping takes it: in either alphabet, with or without padding.
const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);

/// The type of a value.
#[derive(Clone, PartialEq)]
pub(super) enum Scalar {
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Float,
    Double,
    Bool,
    String,
    Bytes,
    Enum(EnumDescriptor),
    /// Content of a `google.protobuf.Timestamp`, with its length.
    Timestamp,
    /// Content of a `google.protobuf.Duration`, with its length.
    Duration,
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected())
    }
}

/// The wire types (<https://protobuf.dev/programming-guides/encoding/#structure>).
pub(super) const VARINT: u32 = 0;
pub(super) const SIXTY_FOUR: u32 = 1;
pub(super) const DELIMITED: u32 = 2;
pub(super) const GROUP_START: u32 = 3;
pub(super) const GROUP_END: u32 = 4;
pub(super) const THIRTY_TWO: u32 = 5;

/// Field number and wire type.
pub(super) fn tag(number: u32, wire_type: u32) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(u64::from(number) << 3 | u64::from(wire_type), &mut out);
    out
}

impl Scalar {
    /// `None` for messages.
    pub(super) fn of(kind: &Kind) -> Option<Self> {
        Some(match kind {
            Kind::Int32 => Self::Int32,
            Kind::Int64 => Self::Int64,
            Kind::Uint32 => Self::Uint32,
            Kind::Uint64 => Self::Uint64,
            Kind::Sint32 => Self::Sint32,
            Kind::Sint64 => Self::Sint64,
            Kind::Fixed32 => Self::Fixed32,
            Kind::Fixed64 => Self::Fixed64,
            Kind::Sfixed32 => Self::Sfixed32,
            Kind::Sfixed64 => Self::Sfixed64,
            Kind::Float => Self::Float,
            Kind::Double => Self::Double,
            Kind::Bool => Self::Bool,
            Kind::String => Self::String,
            Kind::Bytes => Self::Bytes,
            Kind::Enum(of) => Self::Enum(of.clone()),
            Kind::Message(_) => return None,
        })
    }

    pub(super) fn wire_type(&self) -> u32 {
        match self {
            Self::Fixed64 | Self::Sfixed64 | Self::Double => SIXTY_FOUR,
            Self::Fixed32 | Self::Sfixed32 | Self::Float => THIRTY_TWO,
            Self::String | Self::Bytes | Self::Timestamp | Self::Duration => DELIMITED,
            _ => VARINT,
        }
    }

    /// Whether it is a number of any kind.
    pub(super) fn is_number(&self) -> bool {
        !matches!(
            self,
            Self::Bool | Self::String | Self::Bytes | Self::Enum(_) | Self::Timestamp | Self::Duration
        )
    }

    /// What a value must be, for a person.
    pub(super) fn expected(&self) -> &'static str {
        match self {
            Self::Int32 | Self::Sint32 | Self::Sfixed32 => "a whole number of 32 bits",
            Self::Int64 | Self::Sint64 | Self::Sfixed64 => "a whole number of 64 bits",
            Self::Uint32 | Self::Fixed32 => "a whole number of 32 bits, 0 or above",
            Self::Uint64 | Self::Fixed64 => "a whole number of 64 bits, 0 or above",
            Self::Float | Self::Double => "a number",
            Self::Bool => "true or false",
            Self::String => "text",
            Self::Bytes => "Base64",
            Self::Enum(_) => "a name or number of the enum",
            Self::Timestamp => "a time such as 2026-11-11T00:00:00Z",
            Self::Duration => "a duration such as 1.5s",
        }
    }

    /// Appends the value; whether it is the default. `None` when the text is no such value: what was appended then is of
    /// no use.
    pub(super) fn put(&self, text: &str, out: &mut Vec<u8>) -> Option<bool> {
        let zig_zag = |number: i64| (number << 1 ^ number >> 63) as u64;
        Some(match self {
            Self::Int32 => put_number(i64::from(text.parse::<i32>().ok()?) as u64, out),
            Self::Int64 => put_number(text.parse::<i64>().ok()? as u64, out),
            Self::Uint32 => put_number(u64::from(text.parse::<u32>().ok()?), out),
            Self::Uint64 => put_number(text.parse::<u64>().ok()?, out),
            Self::Sint32 => put_number(zig_zag(i64::from(text.parse::<i32>().ok()?)), out),
            Self::Sint64 => put_number(zig_zag(text.parse::<i64>().ok()?), out),
            Self::Fixed32 => put_bytes(&text.parse::<u32>().ok()?.to_le_bytes(), out),
            Self::Fixed64 => put_bytes(&text.parse::<u64>().ok()?.to_le_bytes(), out),
            Self::Sfixed32 => put_bytes(&text.parse::<i32>().ok()?.to_le_bytes(), out),
            Self::Sfixed64 => put_bytes(&text.parse::<i64>().ok()?.to_le_bytes(), out),
            Self::Float => {
                let value = text.parse::<f32>().ok()?;
                put_bytes(&value.to_le_bytes(), out);
                value == 0.0
            }
            Self::Double => {
                let value = text.parse::<f64>().ok()?;
                put_bytes(&value.to_le_bytes(), out);
                value == 0.0
            }
            Self::Bool => put_number(u64::from(text.parse::<bool>().ok()?), out),
            Self::String => put_delimited(text.as_bytes(), out),
            Self::Bytes => put_delimited(&base64(text)?, out),
            Self::Enum(of) => {
                let named = of.get_value_by_name(text).map(|value| value.number());
                let number = named.or_else(|| text.parse::<i32>().ok())?;
                put_number(i64::from(number) as u64, out);
                number == of.default_value().number()
            }
            Self::Timestamp => {
                put_delimited(&text.parse::<Timestamp>().ok()?.encode_to_vec(), out);
                false
            }
            Self::Duration => {
                put_delimited(&text.parse::<Duration>().ok()?.encode_to_vec(), out);
                false
            }
        })
    }
}

fn put_number(number: u64, out: &mut Vec<u8>) -> bool {
    put_varint(number, out);
    number == 0
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(bytes);
    bytes.iter().all(|byte| *byte == 0)
}

fn put_delimited(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
    bytes.is_empty()
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let url = text.contains(['-', '_']);
    if url { URL_SAFE.decode(text).ok() } else { STANDARD.decode(text).ok() }
}
