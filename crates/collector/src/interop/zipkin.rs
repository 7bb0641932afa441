//! Zipkin's JSON, version 2. Both sides of a call may share one span id, which the collector allows anyway.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::{Span, span};
use serde::Deserialize;
use serde_json::Value;

use super::{ATTRIBUTES_MAX, Requests, attribute, failed, id, ns, text};

#[derive(Deserialize)]
struct One {
    #[serde(rename = "traceId")]
    trace: String,
    id: String,
    #[serde(rename = "parentId", default)]
    parent: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    timestamp: Option<Value>,
    #[serde(default)]
    duration: Option<Value>,
    #[serde(rename = "localEndpoint", default)]
    local: Option<Endpoint>,
    #[serde(rename = "remoteEndpoint", default)]
    remote: Option<Endpoint>,
    #[serde(default)]
    tags: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Endpoint {
    #[serde(rename = "serviceName")]
    service: Option<String>,
    ipv4: Option<String>,
    ipv6: Option<String>,
    port: Option<u16>,
}

impl Endpoint {
    fn service(&self) -> Option<&str> {
        self.service.as_deref().filter(|name| !name.is_empty())
    }

    fn address(&self) -> Option<&str> {
        self.ipv4.as_deref().or(self.ipv6.as_deref()).filter(|address| !address.is_empty())
    }
}

/// Tags of messaging libraries: the tag that names the destination, and the system it means.
const DESTINATIONS: [(&str, &str); 4] = [
    ("kafka.topic", "kafka"),
    ("rabbit.queue", "rabbitmq"),
    ("rabbit.routing_key", "rabbitmq"),
    ("jms.queue", "jms"),
];

/// One span.
pub(super) fn span(json: &str, out: &mut Requests<'_>) {
    let Ok(one) = serde_json::from_str::<One>(json) else { return out.bad() };
    let local = one.local.as_ref();
    let name = local.and_then(Endpoint::service).map(|name| text("service.name", name));
    let host = local.and_then(Endpoint::address).map(|address| text("host.name", address));
    let resource: Vec<KeyValue> = name.into_iter().chain(host).collect();
    let start_ns = ns(one.timestamp.as_ref());
    let kind = kind(one.kind.as_deref());
    // The value of the tag is a message, which may be empty.
    let tags = || one.tags.iter().flatten();
    let error = tags().any(|(name, value)| name == "error" && value != "false")
        || tags().any(|(name, value)| name == "otel.status_code" && value == "ERROR");
    out.push(
        resource,
        Span {
            trace_id: id::<16>(&one.trace),
            span_id: id::<8>(&one.id),
            parent_span_id: id::<8>(one.parent.as_deref().unwrap_or_default()),
            name: one.name.clone().unwrap_or_default(),
            kind: kind as i32,
            start_time_unix_nano: start_ns,
            end_time_unix_nano: start_ns.saturating_add(ns(one.duration.as_ref())),
            attributes: attributes(&one, kind),
            status: if error { failed() } else { None },
            ..Default::default()
        },
    );
}

fn kind(said: Option<&str>) -> span::SpanKind {
    match said {
        Some("SERVER") => span::SpanKind::Server,
        Some("CLIENT") => span::SpanKind::Client,
        Some("PRODUCER") => span::SpanKind::Producer,
        Some("CONSUMER") => span::SpanKind::Consumer,
        _ => span::SpanKind::Internal,
    }
}

fn attributes(one: &One, kind: span::SpanKind) -> Vec<KeyValue> {
    let tags =
        || one.tags.iter().flatten().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    let tag = |name: &str| tags().find(|(key, _)| *key == name).map(|(_, value)| value);
    let mut out: Vec<KeyValue> = tags().take(ATTRIBUTES_MAX).map(|(name, value)| text(name, value)).collect();
    if tag("sql.query").is_some() && tag("db.system").is_none() {
        out.push(text("db.system", "other_sql"));
    }
    if let Some((system, destination)) =
        DESTINATIONS.iter().find_map(|(name, system)| Some((*system, tag(name)?)))
    {
        out.push(text("messaging.system", system));
        out.push(text("messaging.destination.name", destination));
    }
    let Some(remote) = one.remote.as_ref().filter(|_| kind != span::SpanKind::Server) else { return out };
    if let Some(name) = remote.service() {
        out.push(text("peer.service", name));
    }
    if let Some(address) = remote.address() {
        out.push(text("network.peer.address", address));
    }
    if let Some(port) = remote.port {
        out.push(attribute(
            "network.peer.port",
            opentelemetry_proto::tonic::common::v1::any_value::Value::IntValue(i64::from(port)),
        ));
    }
    out
}
