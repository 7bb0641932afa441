#![doc = include_str!("../README.md")]

pub mod http;
mod ingress;
mod mode;
mod names;
mod refused;
mod rules;
pub mod sql;

pub use ingress::{Ingress, ingress};
pub use mode::{Mode, Policy};
pub use names::Dialect;
pub use refused::{Refused, code};
pub use rules::{
    INTERNAL_HOSTS_MAX, RULES_MAX_BYTES, RULES_VERSION, Rules, RulesError, STUB_LATENCY_MAX_NS, STUBS_MAX,
    SqlMode, SqlRules, Stub, TABLES_MAX,
};
