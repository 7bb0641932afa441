//! Protocol spans to the model's: checked, counted, and read by the semantic conventions.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1 as otlp;
use peakdrill_trace_model::{Link, Peer, Span, SpanKind};
use rustc_hash::FxHashMap;

use super::{Decoded, attributes};
use crate::counters::counter;
use crate::limits::{FUTURE_NS_MAX, LINKS_PER_SPAN_MAX, SPAN_NS_MAX};

/// `STATUS_CODE_ERROR`.
const STATUS_ERROR: i32 = 2;

pub(super) fn normalise(request: ExportTraceServiceRequest, recv_ns: i64) -> Decoded<Span> {
    let mut out = Decoded::default();
    let mut texts = Texts::default();
    for group in request.resource_spans {
        let resource = group.resource.unwrap_or_default();
        let read = attributes(&resource.attributes);
        let source = Source { service: texts.share(read.service()), instance: texts.share(&read.instance()) };
        for span in group.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            match one(&span, &source, &mut texts, recv_ns, &mut out) {
                Ok(span) => out.items.push(span),
                Err(reason) => {
                    out.rejected += 1;
                    out.counters.add(reason, 1);
                }
            }
        }
    }
    out.counters.add(counter::SPANS, out.items.len() as u64);
    out
}

/// Equal texts of one request, held once.
#[derive(Default)]
struct Texts(FxHashMap<String, Arc<str>>);

impl Texts {
    fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(shared) = self.0.get(text) {
            return Arc::clone(shared);
        }
        let shared: Arc<str> = Arc::from(text);
        self.0.insert(text.to_owned(), Arc::clone(&shared));
        shared
    }
}

struct Source {
    service: Arc<str>,
    instance: Arc<str>,
}

fn one(
    span: &otlp::Span,
    source: &Source,
    texts: &mut Texts,
    recv_ns: i64,
    out: &mut Decoded<Span>,
) -> Result<Span, &'static str> {
    let trace = trace_id(&span.trace_id).ok_or(counter::BAD_TRACE_ID)?;
    let id = span_id(&span.span_id).ok_or(counter::BAD_SPAN_ID)?;
    let parent = span_id(&span.parent_span_id).unwrap_or(0);
    let (start_ns, end_ns) = times(span, recv_ns, out)?;
    if parent == id {
        out.counters.add(counter::SELF_PARENT, 1);
    }
    let failed = span.status.as_ref().is_some_and(|status| status.code == STATUS_ERROR);
    let read = attributes(&span.attributes).describe(kind(span.kind), &span.name, failed);
    Ok(Span {
        trace,
        id,
        parent,
        kind: read.kind,
        service: Arc::clone(&source.service),
        instance: Arc::clone(&source.instance),
        op: texts.share(&read.op),
        start_ns,
        end_ns,
        error: read.error,
        status: read.status,
        peer: read.peer.map(|peer| Peer { node: texts.share(&peer.node), kind: peer.kind }),
        messaging: read.messaging,
        resend: read.resend,
        synthetic: read.synthetic,
        mocked: read.mocked,
        links: span.links.iter().filter_map(link).take(LINKS_PER_SPAN_MAX).collect(),
    })
}

fn times(span: &otlp::Span, recv_ns: i64, out: &mut Decoded<Span>) -> Result<(i64, i64), &'static str> {
    let instant = |ns| i64::try_from(ns).map_err(|_| counter::BAD_TIME);
    let (start_ns, mut end_ns) = (instant(span.start_time_unix_nano)?, instant(span.end_time_unix_nano)?);
    if start_ns == 0 {
        return Err(counter::BAD_TIME);
    }
    if end_ns < start_ns {
        out.counters.add(counter::END_BEFORE_START, 1);
        end_ns = start_ns;
    } else if end_ns == start_ns {
        out.counters.add(counter::ZERO_DURATION, 1);
    }
    if end_ns - start_ns > SPAN_NS_MAX {
        return Err(counter::OVER_LONG);
    }
    if end_ns > recv_ns.saturating_add(FUTURE_NS_MAX) {
        return Err(counter::FAR_FUTURE);
    }
    if end_ns > recv_ns {
        out.counters.add(counter::FUTURE, 1);
    }
    Ok((start_ns, end_ns))
}

/// An unspecified or unknown kind is internal, as the protocol allows.
fn kind(kind: i32) -> SpanKind {
    match otlp::span::SpanKind::try_from(kind) {
        Ok(otlp::span::SpanKind::Server) => SpanKind::Server,
        Ok(otlp::span::SpanKind::Client) => SpanKind::Client,
        Ok(otlp::span::SpanKind::Producer) => SpanKind::Producer,
        Ok(otlp::span::SpanKind::Consumer) => SpanKind::Consumer,
        Ok(otlp::span::SpanKind::Internal | otlp::span::SpanKind::Unspecified) | Err(_) => SpanKind::Internal,
    }
}

fn trace_id(bytes: &[u8]) -> Option<u128> {
    let id = u128::from_be_bytes(bytes.try_into().ok()?);
    (id != 0).then_some(id)
}

fn span_id(bytes: &[u8]) -> Option<u64> {
    let id = u64::from_be_bytes(bytes.try_into().ok()?);
    (id != 0).then_some(id)
}

fn link(link: &otlp::span::Link) -> Option<Link> {
    Some(Link { trace: trace_id(&link.trace_id)?, span: span_id(&link.span_id)? })
}
