//! Two traces of the same entry, one tagged and one not: where did the tag vanish? Pure.

use std::collections::{BTreeMap, BTreeSet};

use peakdrill_trace_model::{Span, SpanKind};

/// A hop: who called and who was called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hop {
    /// The calling service; `load` for the generator.
    pub from: String,
    /// The called service.
    pub to: String,
}

/// Why a hop counts as losing the tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// The service worked on the tagged request, but without handling the tag.
    NotHandled,
    /// The untagged twin reached it, the tagged probe's trace did not.
    NotReached,
}

/// A hop that loses the tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LostHop {
    /// The hop.
    pub hop: Hop,
    /// Why.
    pub loss: Loss,
}

impl std::fmt::Display for LostHop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Hop { from, to } = &self.hop;
        match self.loss {
            Loss::NotHandled => write!(
                f,
                "{from} → {to}: `{to}` worked on the tagged request without handling the tag: put the router or the \
                 sidecar in front of it"
            ),
            Loss::NotReached => write!(
                f,
                "{from} → {to}: live requests reach `{to}`, the tagged probe's trace does not: look at how `{from}` \
                 passes `baggage`, `x-peakdrill` and `traceparent` on"
            ),
        }
    }
}

/// The hops of a trace: every server and consumer span, with whether the service handled the tag.
///
/// A hop that was taken several times counts as handled only when it was every time.
#[must_use]
pub fn hops(spans: &[Span]) -> BTreeMap<Hop, bool> {
    let by_id: BTreeMap<u64, &Span> = spans.iter().map(|span| (span.id, span)).collect();
    let mut found = BTreeMap::new();
    for span in spans.iter().filter(|span| matches!(span.kind, SpanKind::Server | SpanKind::Consumer)) {
        let from =
            caller(span, &by_id).map_or_else(|| "load".to_owned(), |caller| caller.service.to_string());
        let hop = Hop { from, to: span.service.to_string() };
        let handled = found.entry(hop).or_insert(true);
        *handled = *handled && span.synthetic;
    }
    found
}

/// The parent, whatever its service: of a call of a service to itself it is that service.
fn caller<'a>(span: &Span, by_id: &BTreeMap<u64, &'a Span>) -> Option<&'a Span> {
    by_id.get(&span.parent).copied().filter(|parent| parent.id != span.id)
}

/// Every hop that loses the tag, in the order of the call tree. Empty: none.
#[must_use]
pub fn compare(probe: &[Span], twin: Option<&[Span]>) -> Vec<LostHop> {
    let tagged = hops(probe);
    let mut lost: BTreeSet<LostHop> = tagged
        .iter()
        .filter(|(_, handled)| !**handled)
        .map(|(hop, _)| LostHop { hop: hop.clone(), loss: Loss::NotHandled })
        .collect();
    for hop in twin.map(hops).unwrap_or_default().into_keys() {
        if !tagged.contains_key(&hop) {
            lost.insert(LostHop { hop, loss: Loss::NotReached });
        }
    }
    lost.into_iter().collect()
}

/// Whether every hop of the twin is there and no parent is missing but the generator's own span.
#[must_use]
pub fn is_whole(probe: &[Span], twin: Option<&[Span]>, generator_span: u64) -> bool {
    let ids: BTreeSet<u64> = probe.iter().map(|span| span.id).collect();
    let entry = probe.iter().any(|span| span.parent == generator_span);
    let closed = probe.iter().all(|span| span.parent == generator_span || ids.contains(&span.parent));
    let tagged = hops(probe);
    let same = twin.map(hops).unwrap_or_default().keys().all(|hop| tagged.contains_key(hop));
    entry && closed && same
}

/// Whether a trace of live traffic is whole: no parent is missing but that of its one entry.
#[must_use]
pub fn is_closed(live: &[Span], like: &Span) -> bool {
    let ids: BTreeSet<u64> = live.iter().map(|span| span.id).collect();
    let mut roots = live.iter().filter(|span| !ids.contains(&span.parent));
    roots.next().is_some_and(|root| root.service == like.service && root.op == like.op)
        && roots.next().is_none()
}

/// The entry of a trace: the first service's span under the generator's.
#[must_use]
pub fn entry(probe: &[Span], generator_span: u64) -> Option<&Span> {
    probe.iter().find(|span| span.parent == generator_span)
}

#[cfg(test)]
mod tests;
