#![doc = include_str!("../README.md")]

mod hash;
mod key;
pub mod metric;
pub mod semconv;
mod span;

pub use hash::stable_hash;
pub use key::SpanKey;
pub use span::{Link, Messaging, Peer, PeerKind, Span, SpanKind};
