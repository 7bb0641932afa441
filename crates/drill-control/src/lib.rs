#![doc = include_str!("../README.md")]

pub mod authority;
mod control;
mod environment;
mod error;
pub mod live;
pub mod preflight;
pub mod record;
pub mod registry;
mod snapshot;
mod stage;

#[cfg(test)]
mod testing;

pub use authority::Secrets;
pub use control::{Command, Finished, Hooks, Options, run};
pub use environment::max_rss_mib;
pub use error::ControlError;
pub use stage::{CollectorMode, Stage, StageSettings};
