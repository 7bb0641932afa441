//! A shop, opened and used from outside.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    reason = "helpers of tests, some for the example alone"
)]

mod fixture;
mod isolation;
mod life;
mod mistakes;
mod otlp;
mod postgres;
mod slots;
mod telemetry;
