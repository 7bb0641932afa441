//! Records in, renderings out.

mod dependencies;
mod properties;
mod snapshots;
mod synthetic;
mod verdicts;
