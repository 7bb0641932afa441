//! A request as OTLP's JSON: ids in hex, 64-bit integers as text, enumerations as numbers.

use peakdrill_trace_model::Span;
use serde_json::{Value as Json, json};

use super::{Attribute, Export, SCOPE, STATUS_ERROR, Value, Wording, kind, unsigned};

pub(super) fn request(export: &Export, wording: Wording) -> Json {
    let spans: Vec<Json> = export.spans.iter().map(|one| span(one, wording)).collect();
    json!({ "resourceSpans": [{
        "resource": { "attributes": attributes(&export.resource()) },
        "scopeSpans": [{ "scope": { "name": SCOPE }, "spans": spans, "schemaUrl": wording.schema() }],
    }] })
}

fn span(span: &Span, wording: Wording) -> Json {
    let mut out = json!({
        "traceId": format!("{:032x}", span.trace),
        "spanId": format!("{:016x}", span.id),
        "parentSpanId": if span.parent == 0 { String::new() } else { format!("{:016x}", span.parent) },
        "name": &*span.op,
        "kind": kind(span.kind),
        "startTimeUnixNano": unsigned(span.start_ns).to_string(),
        "endTimeUnixNano": unsigned(span.end_ns).to_string(),
        "attributes": attributes(&wording.attributes(span)),
    });
    if !span.links.is_empty() {
        let links = span.links.iter();
        let links = links.map(|link| {
            json!({ "traceId": format!("{:032x}", link.trace), "spanId": format!("{:016x}", link.span) })
        });
        out["links"] = links.collect();
    }
    if span.error {
        out["status"] = json!({ "code": STATUS_ERROR });
    }
    out
}

fn attributes(all: &[Attribute]) -> Json {
    let one = |(name, value): &Attribute| {
        let value = match value {
            Value::Text(text) => json!({ "stringValue": text }),
            Value::Number(number) => json!({ "intValue": number.to_string() }),
            Value::Yes => json!({ "boolValue": true }),
        };
        json!({ "key": name, "value": value })
    };
    all.iter().map(one).collect()
}
