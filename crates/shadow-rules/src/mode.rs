//! How strict a hop is, and what may be done with a resource.

use serde::{Deserialize, Serialize};

/// What a hop does with work that is neither stamped nor tagged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It passes as live, and is counted: how one starts. A hop in this mode takes no shadow work.
    Observe,
    /// It is refused. The default, since in doubt nothing passes.
    #[default]
    Enforce,
}

/// What shadow work may do with a resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Reads and writes go to the shadow.
    Shadow,
    /// Reads go to live data, writes are refused.
    ReadLive,
    /// Reads look into the shadow first, writes copy. Not built yet for SQL.
    Overlay,
    /// Answered by a stub. Not built yet for SQL.
    Mock,
    /// Refused; so is everything that is not declared.
    #[default]
    Deny,
}
