//! The collector as its clients and its drill see it: over real connections, and killed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "all of this is tests and their helpers")]

mod corpus;
mod damage;
mod export;
mod grpc;
mod hostile;
mod http;
mod keys;
mod killed;
mod life;
mod scrape;
mod support;
mod traces;
