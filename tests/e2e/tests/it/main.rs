//! Whole drills.

mod command;
mod demo;
mod guards;
mod isolation;
mod lease;
mod record;
mod support;
mod vectors;
