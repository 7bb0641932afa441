#![doc = include_str!("../README.md")]

mod key;
pub mod metric;
pub mod semconv;
mod span;

pub use key::{SpanKey, stable_hash};
pub use span::{Link, Messaging, Peer, PeerKind, Span, SpanKind};
