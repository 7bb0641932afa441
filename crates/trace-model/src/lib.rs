#![doc = include_str!("../README.md")]

pub mod metric;
pub mod semconv;
mod span;

pub use span::{Link, Messaging, Peer, PeerKind, Span, SpanKind};
