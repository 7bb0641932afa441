//! Telemetry that a drill fetches itself.

use serde::{Deserialize, Serialize};

/// What is fetched while a drill runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Telemetry {
    /// Prometheus endpoints.
    pub scrape: Vec<Scrape>,
}

impl Telemetry {
    /// Whether nothing is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scrape.is_empty()
    }
}

/// A Prometheus endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scrape {
    /// As written: `http://host:port/path`.
    pub url: String,
    /// `host:port`.
    pub authority: String,
    /// Path and query.
    pub path: String,
    /// Whose resources it tells of, by the name of a node; `None`: each series says so by its labels.
    pub service: Option<String>,
    /// Time between two looks.
    pub every_ns: u64,
}
