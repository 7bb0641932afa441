#![doc = include_str!("../README.md")]

mod analyse;
mod analysis;
mod cells;
mod clocks;
mod compare;
mod contribute;
mod dependency;
mod key;
mod pairs;
mod path;
pub mod resources;
mod sums;
mod tree;
mod usl;

pub use analyse::{analyse, calls_under_load};
pub use analysis::{
    Analysis, AnalysisInput, CurvePoint, Growth, NodeCurve, QueueWait, Ranked, Settings, WARM_UP_S,
};
pub use cells::{
    Cells, ClockCell, Contribution, EdgeCell, NodeCell, PathCell, RootCell, Seconds, TelemetryCell, VisitCell,
};
pub use clocks::{CLOCK_WINDOW_S, ClockPair, ClockWindow, Offset, clock_pairs};
pub use compare::compare;
pub use contribute::contribute;
pub use dependency::{CallCurve, CallPoint, Drop, Waterfall};
pub use key::{ClockKey, EdgeKey, Entry, LOAD, NodeKey, TraceClass, USERS};
pub use path::{Part, Segment, critical_path};
pub use sums::{Filed, Sums};
pub use usl::Usl;
