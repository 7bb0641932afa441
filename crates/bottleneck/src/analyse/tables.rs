//! What is shown beside the ranking.

use std::collections::BTreeMap;
use std::sync::Arc;

use peakdrill_drill_model::verdict::{Completeness, Dependency, Millis, NodeKind};

use crate::analyse::Facts;
use crate::analyse::judge::Finding;
use crate::analyse::law::LEVELS;
use crate::analyse::series::mean;
use crate::analyse::summary::COMPLETE;
use crate::analyse::windows::levels;
use crate::analysis::{CurvePoint, NodeCurve, QueueWait};
use crate::cells::{Cell as _, EdgeCell, TelemetryCell};
use crate::key::{NodeKey, TraceClass};

/// Fewer expected spans than this say nothing about a service.
const FEW_EXPECTED: i64 = 20;

/// How much of the telemetry is there.
pub(crate) struct Telemetry {
    /// Per service.
    pub(crate) services: Vec<Completeness>,
    /// Services below the limit, and their share.
    pub(crate) thin: Vec<(String, f64)>,
    /// Part of the requests without error whose first service's span is there.
    pub(crate) traced: Option<f64>,
    /// The service that most requests come to first.
    pub(crate) entry: Option<String>,
}

/// Received by expected spans. Expected is what a caller's span or the generator's row tells of; requests that
/// failed do not count, since the other side may not have seen them.
pub(crate) fn completeness(facts: &Facts<'_>) -> Telemetry {
    let mut sums: BTreeMap<Arc<str>, TelemetryCell> = BTreeMap::new();
    for (name, cell) in &facts.cells.telemetry {
        let name = facts.names.service(name).unwrap_or_else(|| Arc::clone(name));
        sums.entry(name).or_default().add(cell, 1);
    }
    let (mut ok, mut traced) = (0, 0);
    let mut first: BTreeMap<&Arc<str>, i64> = BTreeMap::new();
    for ((entry, class), seconds) in &facts.cells.roots {
        if *class != TraceClass::Mine {
            continue;
        }
        let settled = |second: i64| second >= 0 && facts.input.settled_before.is_none_or(|t| second < t);
        let cells = seconds.iter().filter(|(second, _)| settled(**second));
        let (known, seen) = cells.fold((0, 0), |(a, b), (_, c)| (a + c.ok, b + c.ok_traced));
        ok += known;
        traced += seen;
        // Requests without any span are missed where the others of their kind came first.
        let at = facts.cells.entries.iter().filter(|((e, _), _)| e == entry).max_by_key(|(_, n)| **n);
        if let Some(((_, service), _)) = at {
            *first.entry(service).or_insert(0) += known;
            let cell = TelemetryCell { expected: known, received: seen, ..TelemetryCell::default() };
            sums.entry(Arc::clone(service)).or_default().add(&cell, 1);
        }
    }
    let known = |cell: &&TelemetryCell| cell.received > 0;
    let shares: Vec<(String, i64, f64)> = sums
        .iter()
        .filter(|(_, cell)| known(cell))
        .map(|(name, c)| (name.to_string(), c.expected, c.received as f64 / c.expected.max(1) as f64))
        .collect();
    Telemetry {
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

/// Calls of this run, over all seconds of the load and after.
pub(crate) fn dependencies(facts: &Facts<'_>) -> Vec<Dependency> {
    let mut sums: BTreeMap<(Arc<str>, NodeKey), EdgeCell> = BTreeMap::new();
    for ((edge, class), seconds) in &facts.cells.edges {
        if *class == facts.series.class {
            let sum = sums.entry((Arc::clone(&edge.from), facts.names.of(&edge.to))).or_default();
            seconds.iter().filter(|(second, _)| **second >= 0).for_each(|(_, cell)| sum.add(cell, 1));
        }
    }
    let path: f64 = sums.values().map(|c| c.cp_ns as f64).sum();
    let mut rows: Vec<(i64, Dependency)> = sums
        .into_iter()
        .filter(|(_, c)| c.attempts > 0)
        .map(|((from, to), c)| {
            let row = Dependency {
                from: from.to_string(),
                to: to.name.to_string(),
                calls: u64::try_from(c.calls).unwrap_or(0),
                errors: u64::try_from(c.errors).unwrap_or(0),
                latency_ms: Millis::from(c.latency.quantiles()),
                critical_path_share: (path > 0.0).then(|| c.cp_ns as f64 / path),
                retry_amplification: (c.calls > 0).then(|| c.attempts as f64 / c.calls as f64),
            };
            (c.cp_ns, row)
        })
        .collect();
    rows.sort_by(|(a, _), (b, _)| b.cmp(a));
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Every node against the rate of journeys.
pub(crate) fn curves(facts: &Facts<'_>, findings: &[Finding]) -> Vec<NodeCurve> {
    let levels = levels(facts.series, facts.windows, LEVELS);
    let curve = |finding: &Finding| {
        let node = &facts.series.nodes[finding.at];
        let points = levels.iter().map(|level| {
            let own = node.own_over(&level.seconds);
            let at = |q: f64| own.quantile(q).map(|ns| ns as f64 / 1e6);
            CurvePoint {
                offered: level.rate,
                achieved: mean(&node.done, &level.seconds),
                p50_ms: at(0.5),
                p99_ms: at(0.99),
                concurrency: mean(&node.at_node, &level.seconds),
            }
        });
        NodeCurve { node: node.key.name.to_string(), kind: node.key.kind, points: points.collect() }
    };
    findings.iter().map(curve).collect()
}

/// Delay of messages.
pub(crate) fn queues(facts: &Facts<'_>) -> Vec<QueueWait> {
    let queues =
        facts.series.nodes.iter().filter(|n| n.key.kind == NodeKind::Queue && n.total.queued.count() > 0);
    queues
        .map(|node| {
            let wait = &node.total.queued;
            let at = |q: f64| wait.quantile(q).map(|ns| ns as f64 / 1e6);
            QueueWait {
                node: node.key.name.to_string(),
                messages: u64::try_from(wait.count()).unwrap_or(0),
                p50_ms: at(0.5),
                p99_ms: at(0.99),
                max_ms: at(1.0),
            }
        })
        .collect()
}
