//! Values of single fields: text in, wire format out.

use std::fmt;
use std::str::FromStr;

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

/// Most digits of a whole number of 64 bits.
const DIGITS_MAX: usize = 20;

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
            Self::Int32 => put_number(i64::from(integer::<i32>(text)?) as u64, out),
            Self::Int64 => put_number(integer::<i64>(text)? as u64, out),
            Self::Uint32 => put_number(u64::from(integer::<u32>(text)?), out),
            Self::Uint64 => put_number(integer::<u64>(text)?, out),
            Self::Sint32 => put_number(zig_zag(i64::from(integer::<i32>(text)?)), out),
            Self::Sint64 => put_number(zig_zag(integer::<i64>(text)?), out),
            Self::Fixed32 => put_bytes(&integer::<u32>(text)?.to_le_bytes(), out),
            Self::Fixed64 => put_bytes(&integer::<u64>(text)?.to_le_bytes(), out),
            Self::Sfixed32 => put_bytes(&integer::<i32>(text)?.to_le_bytes(), out),
            Self::Sfixed64 => put_bytes(&integer::<i64>(text)?.to_le_bytes(), out),
            Self::Float => {
                let value = real(text, f32::is_finite)?;
                put_bytes(&value.to_le_bytes(), out);
                value == 0.0
            }
            Self::Double => {
                let value = real(text, f64::is_finite)?;
                put_bytes(&value.to_le_bytes(), out);
                value == 0.0
            }
            Self::Bool => put_number(u64::from(text.parse::<bool>().ok()?), out),
            Self::String => put_delimited(text.as_bytes(), out),
            Self::Bytes => put_delimited(&base64(text)?, out),
            Self::Enum(of) => {
                let named = of.get_value_by_name(text).map(|value| value.number());
                let number = named.or_else(|| integer::<i32>(text))?;
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

/// A whole number, also one that is written with a point or an exponent.
fn integer<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok().or_else(|| whole(text)?.parse().ok())
}

/// The digits of a whole number that is written with a point or an exponent, exactly: of `10.00` and `1e1`, `10`. `None`
/// when it is not whole, has more digits than any type, or is no number.
fn whole(text: &str) -> Option<String> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (sign, number) = mantissa.strip_prefix('-').map_or(("", mantissa), |number| ("-", number));
    let (before, behind) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit());
    if !is_digits(before) || !is_digits(behind) {
        return None;
    }
    let digits = format!("{before}{behind}");
    let places = i64::from(exponent.parse::<i32>().ok()?) - i64::try_from(behind.len()).ok()?;
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Some("0".to_owned());
    }
    let kept = significant.trim_end_matches('0');
    let zeros = i64::try_from(significant.len() - kept.len()).ok()? + places;
    let zeros = usize::try_from(zeros).ok().filter(|zeros| kept.len() + zeros <= DIGITS_MAX)?;
    Some(format!("{sign}{kept}{:0<zeros$}", ""))
}

/// A floating-point number. One that is too large for its type is none; those that are not finite have names.
fn real<T: FromStr + Copy>(text: &str, is_finite: impl Fn(T) -> bool) -> Option<T> {
    let named = matches!(text, "NaN" | "Infinity" | "-Infinity");
    text.parse().ok().filter(|value| named || is_finite(*value))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_may_have_a_point_or_an_exponent() {
        let cases = [
            ("10.00", Some("10")),
            ("1e3", Some("1000")),
            ("-1.50E+1", Some("-15")),
            ("1200e-2", Some("12")),
            ("-0.0", Some("0")),
            ("0e99999", Some("0")),
            ("9007199254740993.0", Some("9007199254740993")),
            ("18446744073709551615.0", Some("18446744073709551615")),
            ("1e19", Some("10000000000000000000")),
            ("1e20", None),
            ("1e2147483648", None),
            ("9007199254740993.5", None),
            ("1e-1", None),
            ("1.", None),
            (".5", None),
            ("e3", None),
            ("1e", None),
            ("- 1.0", None),
            ("1.0.0", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(whole(text).as_deref(), expected, "{text}");
        }
        assert_eq!((integer::<i32>("1e9"), integer::<i32>("1e10")), (Some(1_000_000_000), None));
    }

    #[test]
    fn what_is_too_large_for_a_float_is_not_infinite() {
        let float = |text: &str| real(text, f32::is_finite);
        assert_eq!(
            (float("1.5"), float("1e39"), float("-1e39"), float("inf")),
            (Some(1.5), None, None, None)
        );
        assert_eq!((float("Infinity"), float("-Infinity")), (Some(f32::INFINITY), Some(f32::NEG_INFINITY)));
        assert!(float("NaN").is_some_and(f32::is_nan) && float("nan").is_none());
        let double = |text: &str| real(text, f64::is_finite);
        assert_eq!((double("1e39"), double("1e400"), double("x")), (Some(1e39), None, None));
    }
}
