//! Traces as other tools write them: Jaeger's JSON and Zipkin's, version 2, told apart from OTLP by what is in them.
//! They become OTLP requests, and go the way of all others from there on. Pure; no bytes make it panic.

mod jaeger;
mod zipkin;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use peakdrill_trace_model::semconv::from_open_tracing;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::counters::counter;
use crate::otlp::{self, Decoded, Format, Malformed, Texts, normalise, write};

/// Spans that are turned into one request.
const SPANS_PER_REQUEST: usize = 5_000;
/// Attributes that are read of one span or process; the rest is left out.
const ATTRIBUTES_MAX: usize = 256;
/// References that are read of one span.
const REFERENCES_MAX: usize = 128;
/// `STATUS_CODE_ERROR`.
const STATUS_ERROR: i32 = 2;

/// Decodes a document of traces: an OTLP JSON request, Jaeger's `{"data":[…]}`, traces and spans, or Zipkin's lists
/// and spans. What cannot be read of one span spoils that span alone, and is counted. `texts`: those of documents before.
///
/// # Errors
/// [`Malformed`] when the text is no JSON, or none of these.
pub fn decode_any(text: &[u8], texts: &mut Texts) -> Result<Decoded<peakdrill_trace_model::Span>, Malformed> {
    let mut out = Requests::new(texts);
    match text.trim_ascii_start().first() {
        Some(b'[') => {
            let items: Vec<&RawValue> = read(text)?;
            items.into_iter().for_each(|item| out.item(item.get()));
        }
        _ => {
            let top: Top<'_> = read(text)?;
            match (top.data, top.kind()) {
                (Some(data), _) => {
                    let traces: Vec<&RawValue> = read(data.get().as_bytes())?;
                    traces.into_iter().for_each(|trace| jaeger::trace(trace.get(), &mut out));
                }
                (None, Kind::Otlp) => return otlp::decode_traces(text, Format::Json, i64::MAX, out.texts),
                (None, _) => out.item(std::str::from_utf8(text).map_err(|e| Malformed::new(e.to_string()))?),
            }
        }
    }
    Ok(out.decoded())
}

fn read<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(text).map_err(|error| Malformed::new(error.to_string()))
}

/// What tells the forms apart.
#[derive(Deserialize)]
struct Top<'a> {
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    spans: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "spanID")]
    span_id: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "traceId")]
    zipkin_trace: Option<&'a RawValue>,
}

enum Kind {
    Jaeger,
    JaegerSpan,
    Zipkin,
    Otlp,
}

impl Top<'_> {
    fn kind(&self) -> Kind {
        match (self.spans, self.span_id, self.zipkin_trace) {
            (Some(_), ..) => Kind::Jaeger,
            (_, Some(_), _) => Kind::JaegerSpan,
            (.., Some(_)) => Kind::Zipkin,
            _ => Kind::Otlp,
        }
    }
}

/// Requests in the making: spans by what sent them. Decoded as soon as they are large enough.
struct Requests<'t> {
    texts: &'t mut Texts,
    groups: Vec<ResourceSpans>,
    /// Spans in the groups.
    held: usize,
    /// Requests that were decoded.
    requests: u64,
    decoded: Decoded<peakdrill_trace_model::Span>,
}

/// Where the spans of a process go, as long as their request is in the making.
#[derive(Clone, Copy)]
struct Group {
    request: u64,
    at: usize,
}

impl<'t> Requests<'t> {
    fn new(texts: &'t mut Texts) -> Self {
        let decoded = Decoded::default();
        Self { texts, groups: Vec::new(), held: 0, requests: 0, decoded }
    }

    /// A trace or span of a list, or a list of spans.
    fn item(&mut self, text: &str) {
        if text.trim_ascii_start().starts_with('[') {
            let Ok(spans) = serde_json::from_str::<Vec<&RawValue>>(text) else { return self.bad() };
            return spans.into_iter().for_each(|span| zipkin::span(span.get(), self));
        }
        let Ok(top) = serde_json::from_str::<Top<'_>>(text) else { return self.bad() };
        match top.kind() {
            Kind::Jaeger => jaeger::trace(text, self),
            Kind::JaegerSpan => jaeger::lone_span(text, self),
            Kind::Zipkin => zipkin::span(text, self),
            Kind::Otlp => self.bad(),
        }
    }

    fn bad(&mut self) {
        self.decoded.counters.add(counter::BAD_SPANS, 1);
    }

    /// Opens a group for the spans of a process.
    fn open(&mut self, resource: Vec<KeyValue>) -> Group {
        let resource = write::resource(resource);
        let scope_spans = vec![ScopeSpans::default()];
        self.groups.push(ResourceSpans { resource, scope_spans, ..Default::default() });
        Group { request: self.requests, at: self.groups.len() - 1 }
    }

    fn is_open(&self, group: Group) -> bool {
        group.request == self.requests
    }

    /// Adds a span to an open group.
    fn put(&mut self, group: Group, span: Span) {
        if let Some(scope) = self.groups.get_mut(group.at).and_then(|group| group.scope_spans.first_mut()) {
            scope.spans.push(span);
        }
        self.held += 1;
        if self.held >= SPANS_PER_REQUEST {
            self.flush();
        }
    }

    /// Adds a span that says itself what sent it.
    fn push(&mut self, resource: Vec<KeyValue>, span: Span) {
        let known =
            |group: &ResourceSpans| group.resource.as_ref().is_some_and(|known| known.attributes == resource);
        let group = if self.groups.last().is_some_and(known) {
            Group { request: self.requests, at: self.groups.len() - 1 }
        } else {
            self.open(resource)
        };
        self.put(group, span);
    }

    fn flush(&mut self) {
        let resource_spans = std::mem::take(&mut self.groups);
        self.held = 0;
        self.requests += 1;
        let request = ExportTraceServiceRequest { resource_spans };
        let decoded = normalise(&request, i64::MAX, self.texts);
        self.decoded.items.extend(decoded.items);
        self.decoded.rejected += decoded.rejected;
        self.decoded.counters.merge(&decoded.counters);
    }

    fn decoded(mut self) -> Decoded<peakdrill_trace_model::Span> {
        self.flush();
        self.decoded
    }
}

/// The bytes of an id in hexadecimal digits, of which leading zeros may be left out; none when it is not one, so
/// that the span is refused and counted as with any other id that cannot be.
fn id<const N: usize>(hex: &str) -> Vec<u8> {
    let digits = hex.len() <= 2 * N && !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let Some(number) = digits.then(|| u128::from_str_radix(hex, 16).ok()).flatten() else {
        return Vec::new();
    };
    number.to_be_bytes().get(16 - N..).unwrap_or_default().to_vec()
}

/// Microseconds, which may be a number or text, as nanoseconds; 0 when they are none.
fn ns(micros: Option<&serde_json::Value>) -> u64 {
    let Some(micros) = micros else { return 0 };
    let whole = micros.as_u64().or_else(|| micros.as_str()?.parse().ok());
    let whole = whole.or_else(|| micros.as_f64().filter(|us| (0.0..1.8e16).contains(us)).map(|us| us as u64));
    whole.unwrap_or(0).saturating_mul(1_000)
}

/// An attribute under the name that OpenTelemetry has for it.
fn attribute(name: &str, value: any_value::Value) -> KeyValue {
    write::attribute(from_open_tracing(name), value)
}

fn text(name: &str, value: &str) -> KeyValue {
    attribute(name, any_value::Value::StringValue(value.to_owned()))
}

fn failed() -> Option<Status> {
    Some(Status { code: STATUS_ERROR, ..Default::default() })
}

#[cfg(test)]
mod tests;
