//! How much of the telemetry is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use peakdrill_drill_model::verdict::{Completeness, NodeKind};

use crate::analyse::names::Names;
use crate::analyse::summary::COMPLETE;
use crate::analysis::AnalysisInput;
use crate::bounds::OfClass;
use crate::cells::{Cell as _, Cells, TelemetryCell};
use crate::key::{EdgeKey, Entry, NodeKey, TraceClass};

/// Fewer expected spans than this say nothing about a service.
const FEW_EXPECTED: i64 = 20;

/// How much of the telemetry is there.
pub(crate) struct Telemetry {
    /// Per service.
    pub(crate) services: Vec<Completeness>,
    /// Services below the limit, and their share.
    pub(crate) thin: Vec<(String, f64)>,
    /// Services of whose operations so many name a caller whose span is not there that the caller must be silent, and their
    /// part.
    pub(crate) fatherless: Vec<(Arc<str>, f64)>,
    /// Queues that the drill's messages are sent to and that nobody is seen to take from.
    pub(crate) untaken: Vec<Arc<str>>,
    /// Part of the requests without error whose first service's span is there.
    pub(crate) traced: Option<f64>,
    /// The service that most requests come to first.
    pub(crate) entry: Option<String>,
}

/// Received by expected spans. Expected is what a caller's span tells of, or the generator's row where it asked for
/// spans; requests that failed do not count, since the other side may not have seen them.
pub(crate) fn completeness(cells: &Cells, input: &AnalysisInput, names: &Names) -> Telemetry {
    let mut sums: BTreeMap<Arc<str>, TelemetryCell> = BTreeMap::new();
    // Of live users' names, where some were left out, the spans may be there and the calls not, or the other way round.
    let others_are_whole = !cells.thinned(TraceClass::Live).is_some_and(OfClass::thins_services);
    let others = (others_are_whole || cells.telemetry.is_empty()).then_some(&cells.telemetry_of_others);
    let named = cells.telemetry.iter().chain(others.into_iter().flatten());
    for (name, cell) in named.filter(|(name, _)| !names.stands_for_many(name)) {
        let name = names.service(name).unwrap_or_else(|| Arc::clone(name));
        sums.entry(name).or_default().add(cell);
    }
    let (mut ok, mut traced) = (0, 0);
    let mut first: BTreeMap<&Arc<str>, i64> = BTreeMap::new();
    for ((entry, class), seconds) in &cells.roots {
        if *class != TraceClass::Mine {
            continue;
        }
        let settled = |second: i64| second >= 0 && input.settled_before.is_none_or(|t| second < t);
        let here = seconds.iter().filter(|(second, _)| settled(**second));
        // Of requests of which nobody asked for spans none is missing.
        let (known, seen) = here.fold((0, 0), |(a, b), (_, c)| (a + c.ok - c.ok_unsampled, b + c.ok_traced));
        ok += known;
        traced += seen;
        // Requests without any span are missed where the others of their kind came first.
        let of_entry = |(e, service): &(Entry, Arc<str>)| e == entry && !names.stands_for_many(service);
        let at = cells.entries.iter().filter(|(key, _)| of_entry(key)).max_by_key(|(_, n)| **n);
        if let Some(((_, service), _)) = at {
            *first.entry(service).or_insert(0) += known;
            let cell = TelemetryCell { expected: known, received: seen, ..TelemetryCell::default() };
            sums.entry(Arc::clone(service)).or_default().add(&cell);
        }
    }
    let known = |cell: &&TelemetryCell| cell.received > 0;
    let shares: Vec<(String, i64, f64)> = sums
        .iter()
        .filter(|(_, cell)| known(cell))
        .map(|(name, c)| (name.to_string(), c.expected, c.received as f64 / c.expected.max(1) as f64))
        .collect();
    Telemetry {
        fatherless: fatherless(cells, &sums),
        untaken: untaken(cells),
        thin: shares
            .iter()
            .filter(|(_, expected, share)| *expected >= FEW_EXPECTED && *share < COMPLETE)
            .map(|(name, _, share)| (name.clone(), *share))
            .collect(),
        services: shares
            .into_iter()
            .map(|(service, _, share)| Completeness { service, share: Some(share.clamp(0.0, 1.0)) })
            .collect(),
        traced: (ok > 0).then(|| traced as f64 / ok as f64),
        entry: first.into_iter().max_by_key(|(_, n)| *n).map(|(name, _)| name.to_string()),
    }
}

/// A tracer names a span as parent only where it made one: where that is missing as often as no loss explains, somebody
/// between the first service and this one sends nothing.
fn fatherless(cells: &Cells, sums: &BTreeMap<Arc<str>, TelemetryCell>) -> Vec<(Arc<str>, f64)> {
    let mut operations: BTreeMap<&Arc<str>, i64> = BTreeMap::new();
    let mine =
        |(node, class): &(NodeKey, TraceClass)| node.kind == NodeKind::Service && *class == TraceClass::Mine;
    for ((node, _), seconds) in cells.nodes.iter().filter(|(key, _)| mine(key)) {
        *operations.entry(&node.name).or_insert(0) += seconds.values().map(|cell| cell.ops).sum::<i64>();
    }
    // What a service takes from a queue is the queue's operation.
    let queues: BTreeSet<&Arc<str>> = cells
        .nodes
        .keys()
        .filter(|(node, _)| node.kind == NodeKind::Queue)
        .map(|(node, _)| &node.name)
        .collect();
    let handed = |(edge, class): &(EdgeKey, TraceClass)| {
        *class == TraceClass::Mine && edge.to.kind == NodeKind::Service && queues.contains(&edge.from)
    };
    for ((edge, _), seconds) in cells.edges.iter().filter(|(key, _)| handed(key)) {
        *operations.entry(&edge.to.name).or_insert(0) += seconds.values().map(|cell| cell.calls).sum::<i64>();
    }
    let part = |(name, cell): (&Arc<str>, &TelemetryCell)| {
        let of = operations.get(name).copied().unwrap_or(0).max(cell.orphans);
        let part = cell.orphans as f64 / of.max(1) as f64;
        (cell.orphans >= FEW_EXPECTED && part >= 1.0 - COMPLETE).then(|| (Arc::clone(name), part))
    };
    sums.iter().filter_map(part).collect()
}

/// Consumers that export nothing leave queues that are filled alone: whether messages are waiting there is not known.
fn untaken(cells: &Cells) -> Vec<Arc<str>> {
    let mut sent: BTreeMap<&NodeKey, i64> = BTreeMap::new();
    let mine = cells.edges.iter().filter(|((_, class), _)| *class == TraceClass::Mine);
    for ((edge, _), seconds) in mine.filter(|((edge, _), _)| edge.to.kind == NodeKind::Queue) {
        *sent.entry(&edge.to).or_insert(0) += seconds.values().map(|cell| cell.calls).sum::<i64>();
    }
    // Who takes from it may be among those whose names were left out.
    sent.retain(|node, _| cells.is_whole(&node.name));
    // Whoever takes a message may lose its class, and is there all the same.
    for ((node, _), seconds) in &cells.nodes {
        if seconds.values().any(|cell| cell.ops > 0) {
            sent.remove(node);
        }
    }
    sent.into_iter().filter(|(_, n)| *n >= FEW_EXPECTED).map(|(node, _)| Arc::clone(&node.name)).collect()
}

impl Telemetry {
    /// The part of a service's own time at it that is really a call's, as a factor of the time that its known calls
    /// take. A call's span that is lost leaves its time with the caller; a server's span that is lost leaves the time
    /// of the calls behind it with the node, as its caller sees it. Which of them are missing is told by the parts of
    /// the server's spans that are there.
    pub(crate) fn leak(&self, service: &str) -> f64 {
        let share = self.services.iter().find(|s| s.service == service).and_then(|s| s.share);
        let missing = 1.0 - share.unwrap_or(1.0).max(COMPLETE);
        // Nobody sees a first service whose span is lost.
        let ways = if self.entry.as_deref() == Some(service) { 1.0 } else { 2.0 };
        ways * missing / (1.0 - ways * missing)
    }
}
