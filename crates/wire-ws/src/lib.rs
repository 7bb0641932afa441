#![doc = include_str!("../README.md")]

mod close;
mod decode;
mod encode;
mod error;
mod frame;
mod handshake;

pub use close::{Close, GOING_AWAY, NORMAL};
pub use decode::{Decoder, Sink};
pub use encode::{put_close, put_message, put_pong};
pub use error::Error;
pub use frame::{CONTROL_MAX_BYTES, Kind};
pub use handshake::{KEY_BYTES, accept_of, key_of};
