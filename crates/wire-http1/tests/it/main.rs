//! The codec, on responses as servers send them.
#![allow(clippy::unwrap_used, reason = "all of this is tests and their helpers")]

mod corpus;
mod decode;
mod differential;
