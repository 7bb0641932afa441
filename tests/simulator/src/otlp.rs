//! The spans of a run as the OTLP that services would send: attributes by a [`Wording`], [`Export`]s of a batch
//! processor, bytes. Written from the protocol alone, so that it and the collector's reading are held against each other.

mod exports;
mod json;
mod protobuf;
mod wording;

use peakdrill_trace_model::SpanKind;

pub use exports::{Export, exports, late};
pub use wording::{Names, Peers, Wording};

/// `STATUS_CODE_ERROR`.
const STATUS_ERROR: u64 = 2;
/// Name of the instrumentation scope, and of the SDK.
const SCOPE: &str = "peakdrill-simulator";

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Text(String),
    Number(i64),
    Yes,
}

/// An attribute.
type Attribute = (&'static str, Value);

impl Export {
    /// An `ExportTraceServiceRequest` as protocol buffers.
    #[must_use]
    pub fn protobuf(&self, wording: Wording) -> Vec<u8> {
        protobuf::request(self, wording)
    }

    /// The same as OTLP's JSON, on one line.
    #[must_use]
    pub fn json(&self, wording: Wording) -> String {
        json::request(self, wording).to_string()
    }

    /// Who sends it.
    fn resource(&self) -> Vec<Attribute> {
        let text = |text: &str| Value::Text(text.to_owned());
        vec![
            ("service.name", text(&self.service)),
            ("service.instance.id", text(&self.instance)),
            ("host.name", Value::Text(format!("{}.host", self.instance))),
            ("telemetry.sdk.name", text(SCOPE)),
        ]
    }
}

/// `SpanKind` of the protocol.
fn kind(kind: SpanKind) -> u64 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

/// Unix nanoseconds as the protocol has them.
fn unsigned(ns: i64) -> u64 {
    u64::try_from(ns).unwrap_or(0)
}
