//! Telemetry that a drill fetches itself.

use serde::{Deserialize, Serialize};

use crate::reach::Tls;

/// What is fetched while a drill runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Telemetry {
    /// Prometheus endpoints.
    pub scrape: Vec<Scrape>,
    /// Of a million requests, those that services are asked for spans of; `None`: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traces_ppm: Option<u32>,
}

impl Telemetry {
    /// Whether nothing is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scrape.is_empty() && self.traces_ppm.is_none()
    }

    /// Whether services are asked for spans of a request, by the id of its trace.
    #[must_use]
    pub fn is_sampled(&self, trace: u128) -> bool {
        self.traces_ppm.is_none_or(|ppm| is_sampled(trace, ppm))
    }
}

/// Whether a trace is among these of a million, by the lowest 56 bits of its id: the rule of OpenTelemetry's consistent
/// probability sampling, so that samplers on the way that follow it agree. Who is asked twice says the same.
#[must_use]
pub fn is_sampled(trace: u128, ppm: u32) -> bool {
    const BITS: u32 = 56;
    const MILLION: u128 = 1_000_000;
    let random = trace & ((1 << BITS) - 1);
    random * MILLION >= (MILLION - u128::from(ppm).min(MILLION)) << BITS
}

/// A Prometheus endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scrape {
    /// As written: `http://host:port/path`, or `https://…`.
    pub url: String,
    /// `host:port`.
    pub authority: String,
    /// Path and query.
    pub path: String,
    /// Whose resources it tells of, by the name of a node; `None`: each series says so by its labels.
    pub service: Option<String>,
    /// Time between two looks.
    pub every_ns: u64,
    /// `Some` exactly for an endpoint that is read over TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
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
    fn so_many_of_a_million_are_sampled() {
        let id = |at: u64| u128::from(at.wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1 << 80;
        let of = |ppm: u32| (0..100_000).filter(|at| is_sampled(id(*at), ppm)).count();
        assert_eq!((of(0), of(1_000_000), of(u32::MAX)), (0, 100_000, 100_000));
        assert!((950..1_050).contains(&of(10_000)), "{}", of(10_000));
        // What is among few is among more.
        let grows = |at: u64| !is_sampled(id(at), 1_000) || is_sampled(id(at), 50_000);
        assert!((0..100_000).all(grows));
        let all = Telemetry::default();
        assert!(all.is_empty() && (0..1_000).all(|at| all.is_sampled(id(at))));
        let few = Telemetry { traces_ppm: Some(10_000), ..all };
        assert!(!few.is_empty() && (0..100_000).any(|at| !few.is_sampled(id(at))));
    }

    #[test]
    fn a_place_has_no_query() {
        let place = |url: &str| {
            let (authority, path) = ("h:1".to_owned(), "/m".to_owned());
            Scrape { url: url.to_owned(), authority, path, service: None, every_ns: 1, tls: None }.place()
        };
        assert_eq!(place("http://h:1/m"), "http://h:1/m");
        assert_eq!(place("http://h:1/m?token=s-123#a?b"), "http://h:1/m?…");
        assert_eq!(place("http://h:1/m#s-123?x"), "http://h:1/m");
    }
}
