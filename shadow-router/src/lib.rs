#![doc = include_str!("../README.md")]

mod client;
mod error;
mod incoming;
mod layer;
mod ledger;
mod metrics;
mod registry;
mod router;
mod sql;
mod task;
mod work;

pub use client::{BODY_MAX_BYTES, HttpClient, RequestBuilder, Response, STUB_SLEEPING_MAX, STUB_WAIT_MAX};
pub use error::Error;
pub use incoming::{Message, REFUSED_HEADER, Rejected};
pub use layer::{ShadowLayer, ShadowService, WorkBody};
pub use ledger::LEDGER_ROWS_MAX;
pub use metrics::{EXPORT_INTERVAL, LedgerExport};
pub use peakdrill_drill_model::ledger::{LedgerRow, Outcome};
pub use peakdrill_shadow_rules::{Mode, Refused, Rules};
pub use peakdrill_shadow_tag::{Class, Position, RunId, Shadow, TraceId, Traceparent, Verifier};
pub use registry::{POLL_INTERVAL, RegistryPoller, RegistryState};
pub use router::{Router, RouterBuilder, WallClock};
pub use sql::{Args, Backend, PgPool, Pool, PoolConfig, SqlitePool, Transaction};
pub use task::{carriers, current, current_class, in_shadow, live, spawn, with};
pub use work::Work;

/// The database library whose rows and values the pools speak.
pub use sqlx;
