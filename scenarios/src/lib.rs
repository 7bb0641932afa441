#![doc = include_str!("../README.md")]

mod codes;
mod condition;
mod ctx;
mod describe;
mod diag;
mod feasible;
mod foreign;
mod hole;
mod input;
mod keys;
mod library;
pub mod limits;
mod lower;
mod node;
mod owners;
mod quick;
pub mod schedule;
mod schema;
mod source;
mod yaml;

pub use codes::{Code, codes, explain};
pub use condition::{ConditionError, Kind as ConditionKind, parse_condition};
pub use describe::{describe, describe_ascii, planned_length};
pub use diag::{Diagnostic, Level, render_github, render_human, render_json};
pub use feasible::{AtStart, at_start, expected_requests, feeder_rows, host_matches, is_loopback_target};
pub use input::{Files, Input, NoFiles, Parsed};
pub use library::{LIBRARY, LIBRARY_FILES, scaffold};
pub use lower::parse;
pub use owners::{OwnersError, read_owners};
pub use quick::{QuickRun, quick};
pub use schema::schema;
