#![doc = include_str!("../README.md")]

mod client;
mod files;
mod keys;
mod unverified;

pub use client::{ALPN_HTTP1, ALPN_HTTP2, Client};
pub use files::{CA_CERTIFICATES_MAX, CHAIN_CERTIFICATES_MAX};
pub use keys::Keys;

/// Why TLS cannot be set up: which key is wrong, and what is expected there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SetupError(String);
