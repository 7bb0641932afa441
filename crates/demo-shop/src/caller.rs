//! Calls from one service to another, each with its client span.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::SdkTracer;
use peakdrill_shadow_router::{HttpClient, REFUSED_HEADER};
use peakdrill_shadow_tag::{baggage, traceparent};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::trace::{self, Incoming, JSON};

/// How long a call may take in all.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(120);
/// How long connecting may take.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Idle connections that are kept to one peer.
pub(crate) const IDLE_CONNECTIONS_MAX: usize = 512;
/// Longest answer that is read.
pub(crate) const ANSWER_MAX_BYTES: usize = 1024 * 1024;

/// Another service, or the bank.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
}

/// What is asked of a peer.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    /// The path without the values in it, for the span's name.
    pub(crate) template: &'static str,
    pub(crate) path: String,
    pub(crate) body: Option<Bytes>,
}

impl Ask {
    pub(crate) fn get(template: &'static str, path: String) -> Self {
        Self { method: Method::GET, template, path, body: None }
    }

    pub(crate) fn post(template: &'static str, body: Bytes) -> Self {
        Self { method: Method::POST, template, path: template.to_owned(), body: Some(body) }
    }

    pub(crate) fn post_json(template: &'static str, body: &impl Serialize) -> Result<Self, Failure> {
        let body = serde_json::to_vec(body).map_err(|error| internal(&error))?;
        Ok(Self::post(template, body.into()))
    }
}

fn internal(error: &dyn std::error::Error) -> Failure {
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error)
}

/// What a peer, or a stub in its place, answered.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) peer: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    pub(crate) refused: Option<HeaderValue>,
    pub(crate) mocked: bool,
}

impl Reply {
    /// The body of a success; any other answer becomes this service's failure.
    pub(crate) fn success<T: DeserializeOwned>(self) -> Result<T, Failure> {
        if self.status.is_success() {
            return serde_json::from_slice(&self.body).map_err(|error| internal(&error));
        }
        let status = match self.status {
            kept @ (StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::CONFLICT
            | StatusCode::UNPROCESSABLE_ENTITY
            | StatusCode::SERVICE_UNAVAILABLE) => kept,
            _ => StatusCode::BAD_GATEWAY,
        };
        let body = String::from_utf8_lossy(&self.body);
        let message = format!("{} answered {}: {body}", self.peer, self.status.as_u16());
        Err(Failure { refused: self.refused, ..Failure::new(status, "peer_failed", message) })
    }
}

/// How a service calls others.
#[derive(Debug)]
pub(crate) enum Client {
    /// By way of the router: each call carries whose work it is, and shadow work does not leave the house.
    Routed(HttpClient),
    /// As a service without router does: trace context and baggage are passed on.
    Raw(reqwest::Client),
}

/// The client half of a service.
#[derive(Debug)]
pub(crate) struct Caller {
    client: Client,
    tracer: SdkTracer,
}

/// The set-up of the HTTP client under every call.
pub(crate) fn plain_client() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .timeout(CALL_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .redirect(reqwest::redirect::Policy::none())
}

impl Caller {
    pub(crate) fn new(client: Client, tracer: SdkTracer) -> Self {
        Self { client, tracer }
    }

    /// Asks a peer, below the span of this work.
    pub(crate) async fn ask(&self, work: &Incoming, peer: Peer, ask: Ask) -> Result<Reply, Failure> {
        let attributes = vec![
            KeyValue::new("http.request.method", ask.method.to_string()),
            KeyValue::new("url.template", ask.template),
            KeyValue::new("server.address", peer.address.ip().to_string()),
            KeyValue::new("server.port", i64::from(peer.address.port())),
            KeyValue::new("service.peer.name", peer.name),
        ];
        let name = format!("{} {}", ask.method, ask.template);
        let span = trace::open(&self.tracer, SpanKind::Client, name, attributes, work);
        let outcome = self.send(span.work(), peer, ask).await;
        match &outcome {
            Ok(reply) => {
                span.set("http.response.status_code", i64::from(reply.status.as_u16()));
                if reply.mocked {
                    span.set("peakdrill.mocked", true);
                }
                let failed = reply.status.is_client_error() || reply.status.is_server_error();
                span.end(failed.then_some(reply.status.as_str()));
            }
            Err(failure) => span.end(Some(failure.code)),
        }
        outcome
    }

    async fn send(&self, work: &Incoming, peer: Peer, ask: Ask) -> Result<Reply, Failure> {
        let url = format!("http://{}{}", peer.address, ask.path);
        let traceparent = trace::traceparent_of(&work.context);
        match &self.client {
            Client::Routed(client) => {
                let mut request = client.request(ask.method, url);
                if let Some(value) = traceparent {
                    request = request.header(traceparent::HEADER, value);
                }
                if let Some(body) = ask.body {
                    request = request.header(header::CONTENT_TYPE, JSON.1).body(body);
                }
                let answer = request.send().await.map_err(|error| failed(peer, &error))?;
                let (status, mocked) = (answer.status(), answer.is_mocked());
                let refused = answer.headers().get(REFUSED_HEADER).cloned();
                let body = answer.bytes().await.map_err(|error| failed(peer, &error))?;
                Ok(Reply { peer: peer.name, status, body, refused, mocked })
            }
            Client::Raw(client) => {
                let mut request = client.request(ask.method, url);
                if let Some(value) = traceparent {
                    request = request.header(traceparent::HEADER, value);
                }
                for value in &work.baggage {
                    request = request.header(baggage::HEADER, value);
                }
                if let Some(body) = ask.body {
                    request = request.header(header::CONTENT_TYPE, JSON.1).body(body);
                }
                let response =
                    request.send().await.map_err(|error| unreachable(peer, &error, error.is_timeout()))?;
                read(peer, response).await
            }
        }
    }
}

fn failed(peer: Peer, error: &peakdrill_shadow_router::Error) -> Failure {
    match error.refused() {
        Some(refused) => Failure::refused(refused.code(), refused),
        None => unreachable(peer, error, error.is_timeout()),
    }
}

async fn read(peer: Peer, mut response: reqwest::Response) -> Result<Reply, Failure> {
    let (status, refused) = (response.status(), response.headers().get(REFUSED_HEADER).cloned());
    let mut body = bytes::BytesMut::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|error| unreachable(peer, &error, error.is_timeout()))?
    {
        if body.len() + chunk.len() > ANSWER_MAX_BYTES {
            let text = format!("{} answered more than {ANSWER_MAX_BYTES} bytes", peer.name);
            return Err(Failure::new(StatusCode::BAD_GATEWAY, "answer_too_long", text));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Reply { peer: peer.name, status, body: body.freeze(), refused, mocked: false })
}

fn unreachable(peer: Peer, error: &dyn std::error::Error, timeout: bool) -> Failure {
    let (status, code) = if timeout {
        (StatusCode::GATEWAY_TIMEOUT, "timeout")
    } else {
        (StatusCode::BAD_GATEWAY, "unreachable")
    };
    Failure::new(status, code, format!("{}: {error}", peer.name))
}
