//! The codec beside another implementation, on random messages cut at random places.
#![allow(clippy::unwrap_used, reason = "all of this is tests and their helpers")]

mod corpus;
mod differential;
