//! Jaeger's JSON, as its user interface and its query service give it.

use std::collections::HashMap;

use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{Span, span};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{ATTRIBUTES_MAX, Group, REFERENCES_MAX, Requests, attribute, failed, id, ns, text};

#[derive(Deserialize)]
struct Trace<'a> {
    #[serde(borrow, default)]
    spans: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    processes: HashMap<String, &'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Process {
    #[serde(rename = "serviceName")]
    service: String,
    tags: Vec<Tag>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Tag {
    key: String,
    #[serde(rename = "type")]
    kind: String,
    value: Value,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Reference {
    #[serde(rename = "refType")]
    kind: String,
    #[serde(rename = "traceID")]
    trace: String,
    #[serde(rename = "spanID")]
    span: String,
}

#[derive(Deserialize)]
struct One {
    #[serde(rename = "traceID")]
    trace: String,
    #[serde(rename = "spanID")]
    id: String,
    #[serde(rename = "parentSpanID", default)]
    parent: Option<String>,
    #[serde(rename = "operationName", default)]
    name: String,
    #[serde(default)]
    references: Option<Vec<Reference>>,
    #[serde(rename = "startTime", default)]
    start: Option<Value>,
    #[serde(default)]
    duration: Option<Value>,
    #[serde(default)]
    tags: Option<Vec<Tag>>,
    #[serde(rename = "processID", default)]
    process_id: String,
    #[serde(default)]
    process: Option<Process>,
}

/// A process of a trace, and where its spans go.
struct Known {
    resource: Vec<KeyValue>,
    group: Option<Group>,
}

/// A trace: spans, and the processes that they name.
pub(super) fn trace(text: &str, out: &mut Requests<'_>) {
    let Ok(trace) = serde_json::from_str::<Trace<'_>>(text) else { return out.bad() };
    let mut processes: HashMap<&str, Known> = HashMap::new();
    for (name, process) in &trace.processes {
        match serde_json::from_str::<Process>(process.get()) {
            Ok(process) => {
                drop(processes.insert(name, Known { resource: resource(&process), group: None }));
            }
            Err(_) => out.bad(),
        }
    }
    for span in trace.spans {
        match serde_json::from_str::<One>(span.get()) {
            Ok(one) => put(&one, processes.get_mut(one.process_id.as_str()), out),
            Err(_) => out.bad(),
        }
    }
}

/// A span on its own, as stores keep it: its process is in it.
pub(super) fn lone_span(text: &str, out: &mut Requests<'_>) {
    match serde_json::from_str::<One>(text) {
        Ok(one) => put(&one, None, out),
        Err(_) => out.bad(),
    }
}

/// Adds a span: to its own process, else to the one that it names. What a process says is copied once a request.
fn put(one: &One, known: Option<&mut Known>, out: &mut Requests<'_>) {
    match (&one.process, known) {
        (None, Some(known)) => {
            let group = known.group.filter(|group| out.is_open(*group));
            let group = group.unwrap_or_else(|| out.open(known.resource.clone()));
            known.group = Some(group);
            out.put(group, span(one));
        }
        (own, _) => out.push(own.as_ref().map(resource).unwrap_or_default(), span(one)),
    }
}

fn resource(process: &Process) -> Vec<KeyValue> {
    let name = (!process.service.is_empty()).then(|| text("service.name", &process.service));
    name.into_iter().chain(process.tags.iter().take(ATTRIBUTES_MAX).filter_map(tag)).collect()
}

/// A tag by its type, which says more than the form of its value: numbers come as text, too.
fn tag(tag: &Tag) -> Option<KeyValue> {
    let value = match (&tag.value, tag.kind.as_str()) {
        (Value::String(text), "bool") => any_value::Value::BoolValue(text == "true"),
        (Value::String(text), "int64") => any_value::Value::IntValue(text.parse().ok()?),
        (Value::String(text), "float64") => any_value::Value::DoubleValue(text.parse().ok()?),
        (Value::String(_), "binary") => return None,
        (Value::String(text), _) => any_value::Value::StringValue(text.clone()),
        (Value::Bool(yes), _) => any_value::Value::BoolValue(*yes),
        (Value::Number(number), _) => match number.as_i64() {
            Some(whole) => any_value::Value::IntValue(whole),
            None => any_value::Value::DoubleValue(number.as_f64()?),
        },
        _ => return None,
    };
    Some(attribute(&tag.key, value))
}

fn span(one: &One) -> Span {
    let tags = || one.tags.iter().flatten();
    let said = |name: &str| tags().find(|tag| tag.key == name).map(|tag| &tag.value);
    let is = |name: &str, text: &str| said(name).and_then(Value::as_str) == Some(text);
    let failed_by = said("error").is_some_and(|error| error == true || error == "true");
    let start_ns = ns(one.start.as_ref());
    let (parent, links) = references(one);
    Span {
        trace_id: id::<16>(&one.trace),
        span_id: id::<8>(&one.id),
        parent_span_id: parent,
        name: one.name.clone(),
        kind: kind(said("span.kind").and_then(Value::as_str)) as i32,
        start_time_unix_nano: start_ns,
        end_time_unix_nano: start_ns.saturating_add(ns(one.duration.as_ref())),
        attributes: tags().take(ATTRIBUTES_MAX).filter_map(tag).collect(),
        links,
        status: if failed_by || is("otel.status_code", "ERROR") { failed() } else { None },
        ..Default::default()
    }
}

fn kind(said: Option<&str>) -> span::SpanKind {
    match said {
        Some("server") => span::SpanKind::Server,
        Some("client") => span::SpanKind::Client,
        Some("producer") => span::SpanKind::Producer,
        Some("consumer") => span::SpanKind::Consumer,
        _ => span::SpanKind::Internal,
    }
}

/// The parent is what the span is a child of in its own trace, else what it follows from there; all others are links.
fn references(one: &One) -> (Vec<u8>, Vec<span::Link>) {
    let trace = id::<16>(&one.trace);
    let all = || one.references.iter().flatten().take(REFERENCES_MAX);
    let own = |kind: &'static str| move |to: &&Reference| to.kind == kind;
    let here = |to: &&Reference| id::<16>(&to.trace) == trace;
    let parent = all().filter(here).find(own("CHILD_OF"));
    let parent = parent.or_else(|| all().filter(here).find(own("FOLLOWS_FROM")));
    let named = parent.map(|to| to.span.as_str()).or(one.parent.as_deref()).unwrap_or_default();
    let links = all().filter(|to| !parent.is_some_and(|parent| std::ptr::eq(*to, parent)));
    let links = links.map(|to| span::Link {
        trace_id: id::<16>(&to.trace),
        span_id: id::<8>(&to.span),
        ..Default::default()
    });
    (id::<8>(named), links.collect())
}
