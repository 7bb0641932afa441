//! Protocol spans to the model's: checked, counted, and read by the semantic conventions.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1 as otlp;
use peakdrill_trace_model::semconv::Attributes;
use peakdrill_trace_model::{Link, Peer, Span, SpanKind};
use smallvec::SmallVec;

use super::texts::Texts;
use super::{Decoded, attributes};
use crate::counters::counter;
use crate::limits::{FUTURE_NS_MAX, LINKS_PER_SPAN_MAX, SPAN_NS_MAX};

/// `STATUS_CODE_ERROR`.
const STATUS_ERROR: i32 = 2;

pub(crate) fn normalise(
    request: &ExportTraceServiceRequest,
    recv_ns: i64,
    texts: &mut Texts,
) -> Decoded<Span> {
    let mut rows = Rows::new(texts, recv_ns, 0);
    for group in &request.resource_spans {
        let pairs = group.resource.as_ref().map_or(&[][..], |resource| &resource.attributes);
        let source = rows.source(&attributes(pairs));
        for span in group.scope_spans.iter().flat_map(|scope| &scope.spans) {
            rows.take(&parts(span), &source);
        }
    }
    rows.finish()
}

fn parts(span: &otlp::Span) -> Parts<'_> {
    Parts {
        trace_id: &span.trace_id,
        span_id: &span.span_id,
        parent_span_id: &span.parent_span_id,
        name: &span.name,
        kind: span.kind,
        start_ns: span.start_time_unix_nano,
        end_ns: span.end_time_unix_nano,
        status: span.status.as_ref().map_or(0, |status| status.code),
        attributes: attributes(&span.attributes),
        links: span.links.iter().filter_map(link).take(LINKS_PER_SPAN_MAX).collect(),
    }
}

/// A span as it stands in a request, in whatever form that is.
#[derive(Default)]
pub(super) struct Parts<'a> {
    pub(super) trace_id: &'a [u8],
    pub(super) span_id: &'a [u8],
    pub(super) parent_span_id: &'a [u8],
    pub(super) name: &'a str,
    pub(super) kind: i32,
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    pub(super) status: i32,
    pub(super) attributes: Attributes<'a>,
    /// Those whose ids can be, at most [`LINKS_PER_SPAN_MAX`].
    pub(super) links: SmallVec<[Link; 1]>,
}

/// Who sent spans.
pub(super) struct Source {
    service: Arc<str>,
    instance: Arc<str>,
}

/// The rows of a request, one by one.
pub(super) struct Rows<'t> {
    texts: &'t mut Texts,
    recv_ns: i64,
    out: Decoded<Span>,
}

impl<'t> Rows<'t> {
    /// `spans`: how many there may be; a guess.
    pub(super) fn new(texts: &'t mut Texts, recv_ns: i64, spans: usize) -> Self {
        Self { texts, recv_ns, out: Decoded { items: Vec::with_capacity(spans), ..Decoded::default() } }
    }

    pub(super) fn source(&mut self, resource: &Attributes<'_>) -> Source {
        let service = self.texts.share(resource.service());
        Source { service, instance: self.texts.share(&resource.instance()) }
    }

    /// Takes a span, or counts why not.
    pub(super) fn take(&mut self, span: &Parts<'_>, source: &Source) {
        match self.row(span, source) {
            Ok(row) => self.out.items.push(row),
            Err(reason) => {
                self.out.rejected += 1;
                self.out.counters.add(reason, 1);
            }
        }
    }

    pub(super) fn finish(mut self) -> Decoded<Span> {
        self.out.counters.add(counter::SPANS, self.out.items.len() as u64);
        self.out
    }

    fn row(&mut self, span: &Parts<'_>, source: &Source) -> Result<Span, &'static str> {
        let trace = trace_id(span.trace_id).ok_or(counter::BAD_TRACE_ID)?;
        let id = span_id(span.span_id).ok_or(counter::BAD_SPAN_ID)?;
        let parent = span_id(span.parent_span_id).unwrap_or(0);
        let (start_ns, end_ns) = times(span, self.recv_ns, &mut self.out)?;
        if parent == id {
            self.out.counters.add(counter::SELF_PARENT, 1);
        }
        let read = span.attributes.describe(kind(span.kind), span.name, span.status == STATUS_ERROR);
        Ok(Span {
            trace,
            id,
            parent,
            kind: read.kind,
            service: Arc::clone(&source.service),
            instance: Arc::clone(&source.instance),
            op: self.texts.share(&read.op),
            start_ns,
            end_ns,
            error: read.error,
            status: read.status,
            peer: read.peer.map(|peer| Peer { node: self.texts.share(&peer.node), kind: peer.kind }),
            messaging: read.messaging,
            resend: read.resend,
            message: read.message,
            partition: read.partition,
            synthetic: read.synthetic,
            key: read.key.map(Box::new),
            mocked: read.mocked,
            links: span.links.clone(),
        })
    }
}

fn times(span: &Parts<'_>, recv_ns: i64, out: &mut Decoded<Span>) -> Result<(i64, i64), &'static str> {
    let instant = |ns| i64::try_from(ns).map_err(|_| counter::BAD_TIME);
    let (start_ns, mut end_ns) = (instant(span.start_ns)?, instant(span.end_ns)?);
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

pub(super) fn trace_id(bytes: &[u8]) -> Option<u128> {
    let id = u128::from_be_bytes(bytes.try_into().ok()?);
    (id != 0).then_some(id)
}

pub(super) fn span_id(bytes: &[u8]) -> Option<u64> {
    let id = u64::from_be_bytes(bytes.try_into().ok()?);
    (id != 0).then_some(id)
}

fn link(link: &otlp::span::Link) -> Option<Link> {
    Some(Link { trace: trace_id(&link.trace_id)?, span: span_id(&link.span_id)? })
}
