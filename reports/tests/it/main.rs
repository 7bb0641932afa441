//! Records in, renderings out.

mod comparison;
mod dependencies;
mod isolation;
mod properties;
mod resources;
mod snapshots;
mod synthetic;
mod verdicts;
