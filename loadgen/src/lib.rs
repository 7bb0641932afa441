#![doc = include_str!("../README.md")]

mod alarm;
mod answer;
mod arrivals;
mod batch;
mod check;
mod connections;
mod control;
mod cookies;
mod cpu;
mod dial;
mod draw;
mod driver;
mod engine;
mod error;
mod extract;
mod feeder;
mod form;
mod grpc;
mod json;
mod kept;
mod message;
mod pacer;
mod probe;
mod program;
mod recorder;
mod sample;
mod secrets;
mod session;
mod shard;
mod tagging;
mod target;
mod template;
mod tls;
mod transport;

pub use answer::{BODY_MAX_BYTES, BODY_START_BYTES, HEAD_MAX_BYTES};
pub use arrivals::{Arrival, ChangeError, Schedule, Stream, USERS_INDEX_BITS, UserPhase};
pub use batch::{BATCH_EVERY_MS, BATCH_QUEUE_LEN_MAX, Batch, Sample, SampleKind, TallyKey};
pub use connections::{
    CONNECTING_MAX, CONNECTING_USERS_MAX, WS_KEPT_MAX, WS_KEPT_MAX_BYTES, WS_LEAVE_MAX_MS,
    WS_MESSAGE_MAX_BYTES, WS_PASSED_MAX, WS_PASSED_MAX_BYTES,
};
pub use control::CHANGES_MAX;
pub use cookies::{COOKIE_MAX_BYTES, COOKIES_MAX, COOKIES_MAX_BYTES};
pub use dial::{ADDRESSES_MAX, AVOIDED_S, DNS_TTL_S, Resolver, TRIES_MAX};
pub use engine::{
    CHANGE_LEAD_MS, Config, Engine, EngineReport, Refused, SHARDS_MAX, START_SLACK_MS, USERS_MAX, start,
};
pub use error::StartError;
pub use feeder::FEEDER_ROWS_MAX;
pub use grpc::{Asked, REFLECTION_TIMEOUT_MS, Types, types};
pub use kept::EXTRACTED_MAX_BYTES;
pub use pacer::{ECONOMY_QUANTUM_NS, LEAD_MAX_NS, POLLING_MAX_SHARE, ROOM_SHARE};
pub use probe::{ProbeOptions, ProbeOutcome, probe};
pub use program::{JOURNEY_NODES_MAX, LOOP_TURNS_MAX};
pub use recorder::{ROOTS_MAX, TALLIES_MAX};
pub use sample::{BODY_SHOWN_MAX_BYTES, FAILED_PER_BATCH_MAX, FAILED_PER_STEP_MAX, HELD_MAX};
pub use secrets::Secrets;
pub use shard::{LAST_BATCH_WAIT_MS, OVERDUE_MAX_NS, ShardReport, TICK_MS};
pub use tagging::{REFUSED_HEADER, ShadowTagging, Tagging, TokenCell};
pub use transport::{Chosen, Transport};
