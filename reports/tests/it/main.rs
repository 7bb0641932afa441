//! Records in, renderings out.

mod properties;
mod snapshots;
mod synthetic;
mod verdicts;
