//! A unit of work: its class, and what carries the class on.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use peakdrill_shadow_tag::{Class, RunId, Token, Traceparent, baggage, traceparent};

/// The header beside `traceparent` that vendors write into.
pub(crate) const TRACESTATE: &str = "tracestate";

/// A unit of work: a request, a message, a job. Its class never changes; clones are cheap.
#[derive(Clone)]
pub struct Work(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    class: Class,
    stamp: Stamp,
    header: HeaderName,
    /// The baggage of others, without our member.
    baggage: Vec<u8>,
    trace: Option<Traceparent>,
    tracestate: Option<HeaderValue>,
}

/// What our member of the baggage says on the way out.
#[derive(Clone)]
pub(crate) enum Stamp {
    Token(Token),
    Live,
    Nothing,
}

impl Work {
    pub(crate) fn new(class: Class, stamp: Stamp, header: HeaderName) -> Self {
        Self(Arc::new(Inner { class, stamp, header, baggage: Vec::new(), trace: None, tracestate: None }))
    }

    /// With the baggage of others and the trace, as they came in.
    pub(crate) fn with_context(self, headers: &HeaderMap, trace: Option<Traceparent>) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.0);
        inner.baggage = foreign_baggage(headers);
        inner.trace = trace;
        inner.tracestate = trace.and_then(|_| headers.get(TRACESTATE).cloned());
        Self(Arc::new(inner))
    }

    /// The class.
    #[must_use]
    pub fn class(&self) -> &Class {
        &self.0.class
    }

    /// Whether it belongs to a drill.
    #[must_use]
    pub fn is_shadow(&self) -> bool {
        matches!(self.0.class, Class::Shadow(_))
    }

    /// The drill's run, for shadow work.
    #[must_use]
    pub fn run(&self) -> Option<RunId> {
        crate::ledger::run_of(&self.0.class)
    }

    /// The trace and the span that caused this work.
    #[must_use]
    pub fn traceparent(&self) -> Option<Traceparent> {
        self.0.trace
    }

    /// The same work with another parent span for what it causes: the span that was just begun. Shadow work stays
    /// in its trace, whose id carries the mark: of a parent in another trace, only the span is taken.
    #[must_use]
    pub fn with_traceparent(&self, parent: Traceparent) -> Self {
        let mut inner = (*self.0).clone();
        inner.trace = Some(self.in_trace(parent));
        Self(Arc::new(inner))
    }

    pub(crate) fn in_trace(&self, parent: Traceparent) -> Traceparent {
        match self.0.trace {
            Some(own) if self.is_shadow() => Traceparent { trace_id: own.trace_id, ..parent },
            _ => parent,
        }
    }

    /// The headers that carry this work on to another hop inside: token, baggage, trace.
    #[must_use]
    pub fn carriers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = HeaderMap::new();
        self.put_carriers(&mut headers);
        headers.into_iter().filter_map(|(name, value)| Some((name?, value))).collect()
    }

    /// Sets the carriers in the headers of a call, in place of any of ours that stand there. A `traceparent` and the
    /// baggage members that the caller set stay, as far as they fit.
    pub(crate) fn put_carriers(&self, headers: &mut HeaderMap) {
        let inner = &*self.0;
        headers.remove(&inner.header);
        if let Stamp::Token(token) = &inner.stamp {
            put(headers, inner.header.clone(), token.as_bytes());
        }
        let own = if headers.contains_key(baggage::HEADER) {
            foreign_baggage(headers)
        } else {
            inner.baggage.clone()
        };
        headers.remove(baggage::HEADER);
        put(headers, HeaderName::from_static(baggage::HEADER), &inner.stamp.baggage(&own));
        self.put_trace(headers);
    }

    fn put_trace(&self, headers: &mut HeaderMap) {
        let given =
            headers.get(traceparent::HEADER).and_then(|value| Traceparent::parse(value.as_bytes()).ok());
        headers.remove(traceparent::HEADER);
        let trace = given.map(|given| self.in_trace(given)).or(self.0.trace);
        if let Some(trace) = trace {
            put(headers, HeaderName::from_static(traceparent::HEADER), trace.to_string().as_bytes());
        }
        if let Some(state) = &self.0.tracestate
            && !headers.contains_key(TRACESTATE)
        {
            headers.insert(HeaderName::from_static(TRACESTATE), state.clone());
        }
    }
}

impl Stamp {
    /// The baggage with our member first. Where both do not fit, the baggage of others gives way.
    fn baggage<'b>(&self, others: &'b [u8]) -> Cow<'b, [u8]> {
        let with = |others: &[u8]| match self {
            Self::Token(token) => baggage::with_token(others, token).ok(),
            Self::Live => baggage::with_live(others).ok(),
            Self::Nothing => None,
        };
        match self {
            Self::Nothing => Cow::Borrowed(others),
            _ => Cow::Owned(with(others).or_else(|| with(b"")).unwrap_or_default()),
        }
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &[u8]) {
    if value.is_empty() {
        return;
    }
    if let Ok(mut value) = HeaderValue::from_bytes(value) {
        // Tokens are not for logs.
        value.set_sensitive(name != traceparent::HEADER);
        headers.insert(name, value);
    }
}

/// All baggage of the headers in one field, without our member.
pub(crate) fn foreign_baggage(headers: &HeaderMap) -> Vec<u8> {
    let mut all = Vec::new();
    for value in headers.get_all(baggage::HEADER) {
        let kept = baggage::strip(value.as_bytes());
        if !kept.trim_ascii().is_empty() {
            if !all.is_empty() {
                all.push(b',');
            }
            all.extend_from_slice(&kept);
        }
    }
    all
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("class", &self.0.class).finish_non_exhaustive()
    }
}
