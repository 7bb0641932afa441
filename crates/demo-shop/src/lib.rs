#![doc = include_str!("../README.md")]

mod caller;
mod capacity;
mod config;
mod db;
mod error;
mod failure;
mod files;
mod hop;
mod live_users;
mod queue;
mod rules;
mod services;
mod shop;
mod slots;
mod telemetry;
mod trace;

pub use capacity::{Capacity, NodeTruth, Truth};
pub use config::{
    Bottleneck, Config, LIVE_BROWSES_PER_S, LIVE_ORDERS_PER_S, LiveUsers, Mistakes, Node, OrderDatabase,
    Registry, Service, UnknownWord,
};
pub use error::Error;
pub use live_users::{COUNTS_FILE, LiveCounts, ORDERS_FILE};
pub use shop::{Addresses, DRAIN_MAX, run};
