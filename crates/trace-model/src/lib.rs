#![doc = include_str!("../README.md")]

mod span;

pub use span::{Link, Messaging, Peer, PeerKind, Span, SpanKind};
