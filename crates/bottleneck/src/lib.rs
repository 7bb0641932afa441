#![doc = include_str!("../README.md")]

mod analyse;
mod analysis;
mod cells;
mod compare;
mod contribute;
mod key;
mod pairs;
mod path;
mod sums;
mod tree;

pub use analyse::analyse;
pub use analysis::{
    Analysis, AnalysisInput, CurvePoint, Growth, NodeCurve, QueueWait, Ranked, Settings, WARM_UP_S,
};
pub use cells::{
    Cells, Contribution, EdgeCell, NodeCell, PathCell, RootCell, Seconds, TelemetryCell, VisitCell,
};
pub use compare::compare;
pub use contribute::{contribute, contribute_late};
pub use key::{EdgeKey, Entry, LOAD, NodeKey, TraceClass, USERS};
pub use path::{Part, Segment, critical_path};
pub use sums::{Filed, Sums};
