//! Metrics of the drill itself, for other tools: as a Prometheus text, and as an OTLP request that is sent. Both from
//! one list.

mod otlp;

use std::fmt::Write;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use peakdrill_drill_model::plan::Tls;
use peakdrill_tls::Keys;
use prost::Message;

use crate::http::{FetchError, Server};

/// Characters kept of what a receiver says of points that it rejected.
const WHY_CHARS_MAX: usize = 200;

/// Names and values.
pub type Labels = Vec<(&'static str, String)>;

/// A metric with its values.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// Its name, as Prometheus has names.
    pub name: &'static str,
    /// What it says, in one line.
    pub help: &'static str,
    /// Whether it is a count that only grows.
    pub grows: bool,
    /// Values by their labels.
    pub samples: Vec<(Labels, f64)>,
}

/// Media type of [`prometheus`].
pub const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A Prometheus text (format 0.0.4).
#[must_use]
pub fn prometheus(families: &[Family]) -> String {
    let mut out = String::new();
    for Family { name, help, grows, samples } in families {
        let kind = if *grows { "counter" } else { "gauge" };
        // Writing to a String cannot fail.
        _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let labels: Vec<String> =
                labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
            _ = writeln!(out, "{name}{{{}}} {value}", labels.join(","));
        }
    }
    out
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Where metrics are sent to: OTLP over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `host:port`.
    pub authority: String,
    /// The path: `/v1/metrics`.
    pub path: String,
    /// `Some` exactly for one that is reached over TLS.
    pub tls: Option<Tls>,
}

/// Why metrics were not taken.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The endpoint cannot be reached within the time, or answers with another status than 200.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Its answer is not that of an OTLP receiver.
    #[error("what it answers is no OTLP; expected an ExportMetricsServiceResponse as protocol buffers: {0}")]
    Answer(#[from] prost::DecodeError),
    /// It took the request, but not all of it.
    #[error("it rejected {points} points: {why}")]
    Rejected {
        /// How many.
        points: i64,
        /// Why, in its own words.
        why: String,
    },
}

/// A receiver, ready to be sent to: certificates are read.
pub struct Receiver {
    server: Server,
    endpoint: Endpoint,
}

impl Receiver {
    /// `keys`: what the settings of its TLS are called.
    ///
    /// # Errors
    /// [`FetchError::Setup`] when TLS cannot be set up. Nothing is connected yet.
    pub fn new(endpoint: Endpoint, keys: Keys) -> Result<Self, FetchError> {
        Ok(Self { server: Server::new(&endpoint.authority, endpoint.tls.as_ref(), keys)?, endpoint })
    }

    /// Who is sent to, where its certificate is not verified.
    #[must_use]
    pub fn unverified(&self) -> Option<&str> {
        let is_insecure = self.endpoint.tls.as_ref().is_some_and(|tls| tls.insecure);
        is_insecure.then_some(self.endpoint.authority.as_str())
    }

    /// Sends metrics. `start_ns`: when what grows began, `at_ns`: now, both Unix nanoseconds.
    ///
    /// # Errors
    /// [`PushError`] when the endpoint cannot be reached within the time, or does not take all of them.
    pub fn push(
        &self,
        families: &[Family],
        start_ns: i64,
        at_ns: i64,
        limit: Duration,
    ) -> Result<(), PushError> {
        let (path, host) = (&self.endpoint.path, self.server.host());
        let body = otlp::request(families, start_ns, at_ns);
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\nuser-agent: peakdrill\r\nconnection: close\r\n\r\n",
            body.len()
        );
        taken(&self.server.exchange(&[head.into_bytes(), body].concat(), limit)?.body)
    }
}

/// Whether an answer says that all was taken.
fn taken(answer: &[u8]) -> Result<(), PushError> {
    match ExportMetricsServiceResponse::decode(answer)?.partial_success {
        Some(part) if part.rejected_data_points > 0 => {
            // Its words are shown to people: no more than a line of them.
            let why = part.error_message.chars().take(WHY_CHARS_MAX).collect();
            Err(PushError::Rejected { points: part.rejected_data_points, why })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_rejects_points_is_an_error() {
        use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsPartialSuccess;
        let answer = |rejected_data_points| {
            let part =
                ExportMetricsPartialSuccess { rejected_data_points, error_message: "no room".to_owned() };
            ExportMetricsServiceResponse { partial_success: Some(part) }.encode_to_vec()
        };
        assert!(taken(b"").is_ok() && taken(&answer(0)).is_ok());
        let error = taken(&answer(3)).unwrap_err().to_string();
        assert_eq!(error, "it rejected 3 points: no room");
        assert!(matches!(taken(b"<html>"), Err(PushError::Answer(_))));
    }

    #[test]
    fn a_text_names_each_family_once_and_escapes_its_labels() {
        let family = |name, grows, samples| Family { name, help: "Said.", grows, samples };
        let text = prometheus(&[
            family("a_total", true, vec![(vec![("x", "a\"b\\c\nd".to_owned())], 3.0), (vec![], 0.5)]),
            family("b", false, vec![]),
        ]);
        assert_eq!(
            text,
            "# HELP a_total Said.\n# TYPE a_total counter\na_total{x=\"a\\\"b\\\\c\\nd\"} 3\na_total{} 0.5\n\
             # HELP b Said.\n# TYPE b gauge\n"
        );
    }
}
