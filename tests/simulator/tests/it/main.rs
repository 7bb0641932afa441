//! A small part of the table, on every run of the tests; and what the simulator promises of itself.
#![allow(clippy::unwrap_used, reason = "all of this is tests and their helpers")]

mod damage;
mod engine;
mod held_out;
mod otlp;
mod truth;
