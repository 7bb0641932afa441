//! Header compression (RFC 7541).

mod decode;
mod dynamic;
mod encode;
mod fixed;
mod huffman;

pub use decode::{Decoder, HpackError, TABLE_MAX_BYTES};
pub use encode::{Secrecy, put_field, put_name, put_value_of};
