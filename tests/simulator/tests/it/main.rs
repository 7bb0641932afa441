//! A small part of the table, on every run of the tests; and what the simulator promises of itself.

mod damage;
mod engine;
mod truth;
