//! What a cell is about.

use std::sync::Arc;

use peakdrill_drill_model::plan::StepId;
use peakdrill_drill_model::verdict::NodeKind;
use serde::{Deserialize, Serialize};

/// Name of the caller of a drill's own requests.
pub const LOAD: &str = "load";
/// Name of the caller of requests that no drill made.
pub const USERS: &str = "users";
/// Name of a caller whose span is missing.
pub(crate) const UNKNOWN: &str = "unknown";

/// The name that stands for all names for which there is no room.
pub const OTHER: &str = "other";

/// The names that are filed with nearly every trace, made once: a text is found fastest by its address.
pub(crate) mod text {
    use std::sync::{Arc, LazyLock};

    pub(crate) static LOAD: LazyLock<Arc<str>> = LazyLock::new(|| super::LOAD.into());
    pub(crate) static USERS: LazyLock<Arc<str>> = LazyLock::new(|| super::USERS.into());
    pub(crate) static UNKNOWN: LazyLock<Arc<str>> = LazyLock::new(|| super::UNKNOWN.into());
    /// What is not known.
    pub(crate) static NONE: LazyLock<Arc<str>> = LazyLock::new(|| "".into());
}

/// Longest operation name that is kept, in bytes.
pub(crate) const OP_LIMIT_BYTES: usize = 96;

/// Whose work a trace is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraceClass {
    /// Of the drill that is being analysed. The least of them.
    Mine,
    /// Of another drill: load on the system, like live traffic.
    OtherRun,
    /// Of live users.
    Live,
}

/// A node of the call graph: a service, or what a service calls.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeKey {
    /// Its name.
    pub name: Arc<str>,
    /// Its kind.
    pub kind: NodeKind,
}

/// A dependency.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EdgeKey {
    /// The caller: a node's name, [`LOAD`] or [`USERS`].
    pub from: Arc<str>,
    /// The called node.
    pub to: NodeKey,
    /// The operation, of bounded cardinality: digits and long hexadecimal runs are `#`, queries are cut off.
    pub op: Arc<str>,
}

/// Whose clock a time is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClockKey {
    /// The service, or [`LOAD`].
    pub service: Arc<str>,
    /// The instance of it; empty: not known, so that the service counts as having one clock.
    pub instance: Arc<str>,
}

/// How a request entered the system: the class of roots within which latencies are compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A step of the plan.
    Step(StepId),
    /// Service and operation of the root span, where no generator's row exists.
    Op(Arc<str>),
}

/// An operation name that cannot grow without bound by itself: digits, and long runs of hexadecimal
/// digits, become `#`, what follows a `?` goes, and so does what is over [`OP_LIMIT_BYTES`].
///
/// The name depends on the span alone, never on which names came before, so that a fold does not depend
/// on the order of its input.
pub(crate) fn bounded_op(op: &str) -> Arc<str> {
    let op = op.split('?').next().unwrap_or_default();
    let mut out = String::with_capacity(op.len().min(OP_LIMIT_BYTES));
    let mut rest = op;
    while let Some(first) = rest.chars().next() {
        if out.len() + first.len_utf8() > OP_LIMIT_BYTES {
            break;
        }
        let run = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
        let has_digit = rest[..run].bytes().any(|b| b.is_ascii_digit());
        let step = if run >= 6 && has_digit {
            out.push('#');
            run
        } else if first.is_ascii_digit() {
            out.push('#');
            rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())
        } else {
            out.push(first);
            first.len_utf8()
        };
        rest = &rest[step..];
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_ids_become_one() {
        for (raw, wanted) in [
            ("GET /orders/{id}", "GET /orders/{id}"),
            ("GET /orders/81723", "GET /orders/#"),
            ("GET /orders/5f2b1c9e-11aa-4c", "GET /orders/#-#aa-#c"),
            ("GET /items?page=2", "GET /items"),
            ("face", "face"),
        ] {
            assert_eq!(&*bounded_op(raw), wanted);
        }
        assert!(bounded_op(&"ä".repeat(500)).len() <= OP_LIMIT_BYTES);
    }
}
