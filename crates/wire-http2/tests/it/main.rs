//! The codec, against peers of every kind.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is tests and their helpers")]

mod answers;
mod corpus;
mod differential;
mod hostile;
mod peer;
mod sending;

#[path = "../../fuzz/check.rs"]
mod check;
