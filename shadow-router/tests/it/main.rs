//! The router with real servers around it.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

mod calls;
mod ingress;
mod ledger;
mod postgres;
mod registry;
mod sqlite;
mod support;
mod tasks;
