//! The drill record: a folder that is valid after every second.

mod compared;
pub mod files;
mod parquet;
pub mod reader;
mod redact;
pub mod writer;

pub use compared::side;
pub use parquet::write_parquet;
pub use reader::{Rendered, plan, publish, read, rerender};
pub use writer::{RecordWriter, failed, keep_owners};

/// The resolved plan.
pub const PLAN: &str = "plan.json";
/// Versions, machine, limits.
pub const ENVIRONMENT: &str = "environment.json";
/// The load, a line a second and step.
pub const FRAMES: &str = "frames.jsonl";
/// The received telemetry.
pub const JOURNAL: &str = "journal";
/// The collector's cells.
pub const CELLS: &str = "cells.json";
/// The event log.
pub const EVENTS: &str = "events.jsonl";
/// The ledger.
pub const ISOLATION: &str = "isolation.json";
/// Who owns the nodes; only where it was given.
pub const OWNERS: &str = "owners.json";
/// Failed and slow requests.
pub const SAMPLES: &str = "samples.jsonl";
