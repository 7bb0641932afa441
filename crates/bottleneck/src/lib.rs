#![doc = include_str!("../README.md")]

mod analyse;
mod analysis;
pub mod baseline;
mod bounds;
mod cells;
mod clocks;
mod compare;
mod contribute;
mod dependency;
mod flat;
mod handed;
mod key;
mod keys;
mod laws;
mod pairs;
mod path;
pub mod resources;
mod seen;
mod sums;
mod tails;
mod tree;
mod usl;

pub use analyse::{Ranking, analyse, calls_under_load, completeness, rank};
pub use analysis::{
    Analysis, AnalysisInput, Coefficients, CurvePoint, Growth, NodeCurve, Objective, Peak, Question,
    QueueWait, Ranked, Scaling, Settings, WARM_UP_S,
};
pub use bounds::NameLimits;
pub use cells::{
    Cells, ClockCell, Contribution, EdgeCell, INSTANCE_WINDOW_S, InstanceCell, LinkCell, LoopCell,
    MessageCell, NodeCell, PartitionCell, PathCell, RootCell, Seconds, TelemetryCell, VisitCell,
};
pub use clocks::{CLOCK_PAIRS_MAX, CLOCK_WINDOW_S, ClockPair, ClockWindow, Clocks, Offset, clock_pairs};
pub use compare::{Comparison, compare};
pub use contribute::{LOOP_CALLS, contribute};
pub use dependency::{CallCurve, CallPoint, Drop, Waterfall};
pub use flat::{Column, StepName, Table, Values, tables};
pub use key::{ClockKey, EdgeKey, Entry, LOAD, NodeKey, OTHER, TraceClass, USERS};
pub use keys::{KEY_SLOTS, KeyCell, keys_left_out};
pub use laws::Law;
pub use path::{Part, Segment, critical_path};
pub use sums::{Filed, Sums};
pub use usl::Usl;
