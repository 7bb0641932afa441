//! OTLP bytes to spans, ledger points and samples of resources. Pure; no byte sequence makes it panic.

mod json;
mod ledger;
mod points;
mod protobuf;
mod resources;
mod spans;
mod texts;
mod wire;
pub(crate) mod write;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use peakdrill_bottleneck::resources::ResourcePoint;
use peakdrill_trace_model::Span;
use peakdrill_trace_model::semconv::{Attributes, Value};
use prost::Message;

use crate::counters::Counters;
pub use ledger::{LedgerKey, LedgerPoint};
pub(crate) use spans::normalise;
pub use texts::Texts;

/// How a request is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Protocol buffers.
    Protobuf,
    /// OTLP's JSON: ids in hex, 64-bit integers as text or number.
    Json,
}

/// The request as a whole cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an OTLP request: {0}")]
pub struct Malformed(String);

impl Malformed {
    pub(crate) fn new(why: String) -> Self {
        Self(why)
    }
}

/// What a request held.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded<T> {
    /// The items that can be used.
    pub items: Vec<T>,
    /// How many cannot: the sender is told.
    pub rejected: u64,
    /// Why, and what else was odd.
    pub counters: Counters,
}

impl<T> Default for Decoded<T> {
    fn default() -> Self {
        Self { items: Vec::new(), rejected: 0, counters: Counters::default() }
    }
}

/// Decodes an `ExportTraceServiceRequest` (or `TracesData`, which is the same on the wire).
///
/// `recv_ns`: when it was received, Unix nanoseconds; spans that end far beyond it are refused. `i64::MAX` where
/// that is not known. `texts`: those of requests before, which rows share.
///
/// # Errors
/// [`Malformed`] when the bytes are no such message; a single span that cannot be used is rejected and counted.
pub fn decode_traces(
    payload: &[u8],
    format: Format,
    recv_ns: i64,
    texts: &mut Texts,
) -> Result<Decoded<Span>, Malformed> {
    match format {
        Format::Protobuf => protobuf::traces(payload, recv_ns, texts),
        Format::Json => Ok(normalise(&json::traces(payload)?, recv_ns, texts)),
    }
}

/// What a metric's point says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetricPoint {
    /// A count of the isolation ledger.
    Ledger(LedgerPoint),
    /// How full a resource is.
    Resource(ResourcePoint),
}

/// Decodes an `ExportMetricsServiceRequest`.
///
/// `recv_ns`: when it was received, Unix nanoseconds: the time of points that have none.
///
/// # Errors
/// As for [`decode_traces`].
pub fn decode_metrics(
    payload: &[u8],
    format: Format,
    recv_ns: i64,
) -> Result<Decoded<MetricPoint>, Malformed> {
    let request = match format {
        Format::Protobuf => ExportMetricsServiceRequest::decode(payload).map_err(protobuf)?,
        Format::Json => json::metrics(payload)?,
    };
    Ok(points::read(request, recv_ns))
}

fn protobuf(error: prost::DecodeError) -> Malformed {
    Malformed(error.to_string())
}

fn attributes(pairs: &[KeyValue]) -> Attributes<'_> {
    Attributes::read(pairs.iter().filter_map(pair))
}

fn pair(pair: &KeyValue) -> Option<(&str, Value<'_>)> {
    let AnyValue { value: Some(value) } = pair.value.as_ref()? else { return None };
    let value = match value {
        any_value::Value::StringValue(text) => Value::Text(text),
        any_value::Value::BoolValue(yes) => Value::Bool(*yes),
        any_value::Value::IntValue(number) => Value::Int(*number),
        any_value::Value::DoubleValue(number) => Value::Double(*number),
        _ => return None,
    };
    Some((pair.key.as_str(), value))
}

#[cfg(test)]
mod tests;
