#![doc = include_str!("../README.md")]

mod chunked;
mod error;
mod fields;
mod framing;
mod request;
mod response;

pub use error::Error;
pub use fields::{Fields, NameLengths, is_field_value};
pub use framing::Method;
pub use request::put_decimal;
pub use response::{FIELDS_MAX, INFORMATIONAL_MAX, Limits, Progress, ResponseDecoder, Sink};
