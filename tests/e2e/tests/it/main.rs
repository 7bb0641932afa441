//! Whole drills.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests: a panic is the failure")]

mod command;
mod compare;
mod demo;
mod freeze;
mod grpc;
mod guards;
mod hop;
mod isolation;
mod journey;
mod lease;
mod metrics;
mod reach;
mod record;
mod shapes;
mod shop;
mod support;
mod vectors;
mod websocket;
