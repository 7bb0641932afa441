//! Spans: the server's around each request, the client's around each call, and how a trace goes on.

use std::borrow::Cow;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, header};
use opentelemetry::trace::{
    SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SdkTracer, Span};
use peakdrill_shadow_router::current;
use peakdrill_shadow_tag::{Traceparent, baggage, traceparent};

/// Most baggage values of one request that are passed on.
const BAGGAGE_VALUES_MAX: usize = 4;

/// What a unit of work came with: its span, and the baggage as OpenTelemetry would pass it on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Incoming {
    pub(crate) context: Context,
    pub(crate) baggage: Vec<HeaderValue>,
}

impl Incoming {
    /// The context that the headers carry; an empty one when there is no valid `traceparent`.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let remote = headers
            .get(traceparent::HEADER)
            .and_then(|value| Traceparent::parse(value.as_bytes()).ok())
            .map(|parent| {
                SpanContext::new(
                    TraceId::from_bytes(parent.trace_id.to_bytes()),
                    SpanId::from_bytes(parent.parent_id.to_bytes()),
                    TraceFlags::default().with_sampled(parent.sampled()),
                    true,
                    TraceState::NONE,
                )
            });
        let context =
            remote.map_or_else(Context::new, |remote| Context::new().with_remote_span_context(remote));
        let values = headers.get_all(baggage::HEADER).iter().take(BAGGAGE_VALUES_MAX);
        Self { context, baggage: values.cloned().collect() }
    }

    /// This work with a span of its own opened below it.
    pub(crate) fn with_span(&self, span: Span) -> Self {
        Self { context: self.context.with_span(span), baggage: self.baggage.clone() }
    }
}

/// The `traceparent` that makes what is called a child of this context's span.
pub(crate) fn traceparent_of(context: &Context) -> Option<HeaderValue> {
    let span = context.span();
    let span = span.span_context();
    let text = format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8() & 1);
    span.is_valid().then(|| HeaderValue::from_str(&text).ok()).flatten()
}

/// Opens a span below the work's own.
pub(crate) fn open(
    tracer: &SdkTracer,
    kind: SpanKind,
    name: impl Into<Cow<'static, str>>,
    attributes: Vec<KeyValue>,
    parent: &Incoming,
) -> OpenSpan {
    let builder = SpanBuilder::from_name(name).with_kind(kind).with_attributes(attributes);
    start(builder, tracer, parent)
}

/// Opens a prepared span below the work's own.
pub(crate) fn start(builder: SpanBuilder, tracer: &SdkTracer, parent: &Incoming) -> OpenSpan {
    let span = builder.start_with_context(tracer, &parent.context);
    let open = OpenSpan { work: parent.with_span(span), told: false };
    if current().is_some_and(|work| work.is_shadow()) {
        open.mark_synthetic();
    }
    open
}

/// A span that is open. Dropped before its outcome is told, it says that the work was given up.
#[derive(Debug)]
pub(crate) struct OpenSpan {
    work: Incoming,
    told: bool,
}

impl OpenSpan {
    /// The work that goes on below this span.
    pub(crate) fn work(&self) -> &Incoming {
        &self.work
    }

    pub(crate) fn set(&self, key: &'static str, value: impl Into<opentelemetry::Value>) {
        self.work.context.span().set_attribute(KeyValue::new(key, value));
    }

    /// Says that this telemetry comes of a drill.
    pub(crate) fn mark_synthetic(&self) {
        mark_synthetic(&self.work);
    }

    /// The work is done, and this is how it went: `Some` is the type of its error.
    pub(crate) fn end(mut self, error: Option<&str>) {
        self.told = true;
        if let Some(error) = error {
            self.fail(error.to_owned());
        }
        self.work.context.span().end();
    }

    fn fail(&self, error: String) {
        self.set("error.type", error.clone());
        self.work.context.span().set_status(Status::error(error));
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        if !self.told {
            self.fail("cancelled".to_owned());
            self.work.context.span().end();
        }
    }
}

/// A route and who traces it.
#[derive(Debug, Clone)]
pub(crate) struct Traced {
    pub(crate) tracer: SdkTracer,
    pub(crate) route: &'static str,
}

/// The server span around a request, the router's own work included; the handler finds its [`Incoming`] among
/// the request's extensions.
pub(crate) async fn server_span(State(traced): State<Traced>, mut request: Request, next: Next) -> Response {
    let method = request.method().to_string();
    let incoming = Incoming::from_headers(request.headers());
    let attributes = vec![
        KeyValue::new("http.request.method", method.clone()),
        KeyValue::new("http.route", traced.route),
        KeyValue::new("url.scheme", "http"),
    ];
    let name = format!("{method} {}", traced.route);
    let span = open(&traced.tracer, SpanKind::Server, name, attributes, &incoming);
    request.extensions_mut().insert(span.work().clone());
    let response = next.run(request).await;
    let status = response.status();
    span.set("http.response.status_code", i64::from(status.as_u16()));
    span.end(status.is_server_error().then_some(status.as_str()));
    response
}

/// Inside the router: tells the server span what the router decided.
pub(crate) async fn tell_class(request: Request, next: Next) -> Response {
    if let Some(incoming) = request.extensions().get::<Incoming>()
        && current().is_some_and(|work| work.is_shadow())
    {
        mark_synthetic(incoming);
    }
    next.run(request).await
}

fn mark_synthetic(work: &Incoming) {
    work.context.span().set_attribute(KeyValue::new("user_agent.synthetic.type", "test"));
}

/// The JSON content type.
pub(crate) const JSON: (header::HeaderName, HeaderValue) =
    (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
