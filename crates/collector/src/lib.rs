#![doc = include_str!("../README.md")]

mod collector;
pub mod counters;
pub mod export;
pub mod fold;
mod http;
pub mod interop;
pub mod journal;
pub mod limits;
mod net;
pub mod otlp;
pub mod record;
mod replay;
pub mod scrape;
mod shared;
mod traces;
mod view;

pub use collector::{Collector, CollectorConfig, CollectorError, VIEW_INTERVAL};
pub use limits::Limits;
pub use net::{Classify, Refused};
pub use replay::{Replayed, replay};
pub use shared::now_ns;
pub use traces::{TraceFold, fold_all, fold_traces, open_traces};
pub use view::{CELLS_VERSION, CellsError, CellsFile, FinalView, Folded, JournalRoom, View};
