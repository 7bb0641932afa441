//! Records in, renderings out.

mod dependencies;
mod isolation;
mod properties;
mod resources;
mod snapshots;
mod synthetic;
mod verdicts;
