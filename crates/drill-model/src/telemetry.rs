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

impl Scrape {
    /// Where it is, for whoever reads of it: of a query, which may be a credential, it says only that there is one.
    #[must_use]
    pub fn place(&self) -> String {
        let url = self.url.split('#').next().unwrap_or_default();
        url.split_once('?').map_or_else(|| url.to_owned(), |(before, _)| format!("{before}?…"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_no_query() {
        let place = |url: &str| {
            let (authority, path) = ("h:1".to_owned(), "/m".to_owned());
            Scrape { url: url.to_owned(), authority, path, service: None, every_ns: 1 }.place()
        };
        assert_eq!(place("http://h:1/m"), "http://h:1/m");
        assert_eq!(place("http://h:1/m?token=s-123#a?b"), "http://h:1/m?…");
        assert_eq!(place("http://h:1/m#s-123?x"), "http://h:1/m");
    }
}
