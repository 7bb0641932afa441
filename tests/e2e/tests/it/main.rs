//! Whole drills.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests: a panic is the failure")]

mod command;
mod demo;
mod guards;
mod isolation;
mod lease;
mod record;
mod support;
mod vectors;
