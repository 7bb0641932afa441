#![doc = include_str!("../README.md")]

pub mod comparison;
pub mod condition;
pub mod event;
pub mod exit;
mod feeder;
pub mod frame;
pub mod grpc;
mod journey;
pub mod ledger;
pub mod outcome;
pub mod owners;
pub mod pass;
pub mod plan;
mod reach;
pub mod search;
pub mod shape;
pub mod snapshot;
mod telemetry;
pub mod timeline;
pub mod verdict;
mod ws;
