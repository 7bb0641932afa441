//! Records in, renderings out.

mod properties;
mod resources;
mod snapshots;
mod synthetic;
mod verdicts;
