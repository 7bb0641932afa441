#![doc = include_str!("../README.md")]

mod base64url;
mod cache;
mod carrier;
mod classify;
mod id;
mod key;
mod mark;
mod redact;
mod refusal;
mod run;
mod token;
mod trace_id;
mod verifier;

pub use cache::CACHE_ENTRIES_PER_SHARD;
pub use carrier::{
    Claims, FIELDS_MAX, Fields, ack, baggage, sql, takin,
    traceparent::{self, Traceparent},
};
pub use classify::{By, Class, MessageClass, Position, Shadow, classify, classify_message};
pub use id::{EnvId, ID_MAX_BYTES, IdError, KeyId, RunId};
pub use key::{KEYS_FILE_MAX_BYTES, KEYS_MAX, KeyError, MintError, PublicKey, SigningKey, VerifyingKeys};
pub use mark::{MarkKey, MarkSecret, SecretError};
pub use redact::redact;
pub use refusal::Refusal;
pub use run::{
    CLOSED_RETENTION_S, RUN_TABLE_MAX_BYTES, RUNS_MAX, RunEntry, RunState, RunTable, RunTableError,
    STALE_AFTER_S, retention_over,
};
pub use token::{LEASE_BACKDATE_S, LEASE_MAX_S, LEASE_RENEW_S, LEASE_S, Lease, TOKEN_MAX_BYTES, Token};
pub use trace_id::{SpanId, TraceId, TraceIdError};
pub use verifier::{SHARDS, Verifier};

/// The private header that carries the token where no other name is set.
pub const DEFAULT_HEADER: &str = "x-peakdrill";

/// Test vectors of format v1, for implementations in other languages too: keys, run table, tokens and marks
/// that verify, and cases that must be refused, each with the code of its [`Refusal`].
pub const VECTORS_V1: &str = include_str!("../vectors/v1.json");
