#![doc = include_str!("../README.md")]

mod arrivals;
pub mod authority;
mod control;
mod environment;
mod error;
pub mod exposition;
mod hearers;
pub mod live;
pub mod machine;
mod objectives;
pub mod preflight;
pub mod record;
pub mod registry;
mod roots;
mod snapshot;
mod stage;

#[cfg(test)]
mod testing;

pub use authority::Secrets;
pub use control::{Command, Finished, Hooks, Options, run};
pub use environment::max_rss_mib;
pub use error::ControlError;
pub use stage::{CollectorMode, Stage, StageSettings};
