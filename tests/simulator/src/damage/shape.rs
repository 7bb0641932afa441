//! Traces of a shape that no call graph has.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use peakdrill_trace_model::{Link, Span, SpanKind};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use crate::trace::{ORIGIN_NS, Trace};

pub(super) fn ids_in_names(traces: &mut [Trace], part: f64, rng: &mut ChaCha8Rng) {
    for span in traces.iter_mut().flat_map(|trace| &mut trace.spans) {
        if rng.random::<f64>() < part {
            span.op = format!("{} {:032x}", span.op, rng.random::<u128>()).into();
        }
    }
}

/// A span and its parent become each other's parent.
pub(super) fn cycles(traces: &mut [Trace], part: f64, rng: &mut ChaCha8Rng) {
    for trace in traces.iter_mut().filter(|trace| trace.spans.len() > 1) {
        if rng.random::<f64>() >= part {
            continue;
        }
        let at = rng.random_range(0..trace.spans.len());
        let (id, parent) = (trace.spans[at].id, trace.spans[at].parent);
        trace.spans.iter_mut().filter(|span| span.id == parent).for_each(|span| span.parent = id);
    }
}

/// The called side takes the id of the calling one, and what is below it follows.
pub(super) fn share_ids(spans: &mut [Span], part: f64, rng: &mut ChaCha8Rng) {
    let clients: Vec<u64> = spans.iter().filter(|s| s.kind == SpanKind::Client).map(|s| s.id).collect();
    let parents: Vec<u64> = spans.iter().filter(|s| s.kind == SpanKind::Server).map(|s| s.parent).collect();
    for at in 0..spans.len() {
        let (id, parent) = (spans[at].id, spans[at].parent);
        // Of several servers of one call, attempts, all would be one span.
        let only = || parents.iter().filter(|other| **other == parent).count() == 1;
        if spans[at].kind != SpanKind::Server
            || !clients.contains(&parent)
            || !only()
            || rng.random::<f64>() >= part
        {
            continue;
        }
        let above = spans.iter().find(|s| s.id == parent).map_or(0, |s| s.parent);
        spans.iter_mut().filter(|s| s.parent == id).for_each(|s| s.parent = parent);
        (spans[at].id, spans[at].parent) = (parent, above);
    }
}

/// What is done about a message becomes a trace of its own, with a link to the span that sent it.
pub(super) fn link(traces: &mut Vec<Trace>) {
    let mut apart: Vec<Trace> = Vec::new();
    for trace in traces.iter_mut() {
        let whole = trace.id;
        let known: HashMap<u64, (u64, SpanKind)> =
            trace.spans.iter().map(|span| (span.id, (span.parent, span.kind))).collect();
        // The trace that a span is of from now on: that of the nearest consumer at or above it.
        let home = |id: u64| {
            let above = std::iter::successors(Some(id), |id| known.get(id).map(|(parent, _)| *parent));
            let is_consumer = |id: &u64| known.get(id).is_some_and(|(_, kind)| *kind == SpanKind::Consumer);
            let consumer = above.take(known.len() + 1).find(is_consumer);
            consumer.map_or(whole, |id| whole ^ u128::from(id) << 64)
        };
        let mut homes: BTreeMap<u128, Vec<Span>> = BTreeMap::new();
        for mut span in std::mem::take(&mut trace.spans) {
            span.trace = home(span.id);
            if span.kind == SpanKind::Consumer {
                span.links.push(Link { trace: home(span.parent), span: span.parent });
                span.parent = 0;
            }
            homes.entry(span.trace).or_default().push(span);
        }
        trace.spans = homes.remove(&whole).unwrap_or_default();
        let class = trace.class;
        apart.extend(homes.into_iter().map(|(id, spans)| Trace { id, spans, row: None, class, path: None }));
    }
    traces.append(&mut apart);
}

/// Each instance lasts for an equal part of the run.
pub(super) fn restart(traces: &mut [Trace], times: u32) {
    let starts = || traces.iter().flat_map(|t| &t.spans).map(|s| s.start_ns);
    let long_ns = starts().max().unwrap_or(ORIGIN_NS) - ORIGIN_NS + 1;
    for span in traces.iter_mut().flat_map(|trace| &mut trace.spans) {
        let part = (span.start_ns - ORIGIN_NS) as f64 / long_ns as f64;
        let instance = (part * f64::from(times + 1)) as u32;
        span.instance = Arc::from(format!("{}-{instance}", span.service));
    }
}

/// Adds a chain of spans below the first one of the first trace.
pub(super) fn deepen(traces: &mut [Trace], spans: u64) {
    let Some(trace) = traces.iter_mut().find(|trace| !trace.spans.is_empty()) else { return };
    let first = trace.spans[0].clone();
    let below = |at: u64| {
        let parent = if at == 0 { first.id } else { u64::MAX - at + 1 };
        Span { id: u64::MAX - at, parent, kind: SpanKind::Internal, peer: None, ..first.clone() }
    };
    trace.spans.extend((0..spans).map(below));
}
