//! Whether this machine can generate the load of a drill.
//!
//! What is known of the machine ([`Facts`]) and what a drill wants of it ([`Need`]) are plain data; what follows from
//! them is decided by pure functions. `/proc` and `/sys` are read at the edge, under roots of the caller's choice.

mod facts;
mod judge;
mod limits;
mod measure;
mod need;
mod read;

pub use facts::{Clock, Facts, FileLimits, Memory, Network, Ports, Processor};
pub use judge::{Finding, Level, examine, examine_plan};
pub use limits::raise_file_limit;
pub use measure::measure;
pub use need::{Need, TargetNeed};
pub use read::{Roots, read};
