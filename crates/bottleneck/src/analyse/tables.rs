//! What is shown beside the ranking.

use std::collections::BTreeMap;
use std::sync::Arc;

use peakdrill_drill_model::verdict::{Dependency, Millis, NodeKind};

use crate::analyse::Facts;
use crate::analyse::judge::Finding;
use crate::analyse::law::LEVELS;
use crate::analyse::resample::Resample;
use crate::analyse::scaling::scaling;
use crate::analyse::series::mean;
use crate::analyse::windows::steady;
use crate::analysis::{CurvePoint, NodeCurve, QueueWait};
use crate::cells::{Cell as _, EdgeCell};
use crate::key::NodeKey;

/// Separates the draws of these estimates from others.
const DRAWS: u64 = 1 << 33;

/// Calls of this run, over all seconds of the load and after.
pub(crate) fn dependencies(facts: &Facts<'_>) -> Vec<Dependency> {
    let mut sums: BTreeMap<(Arc<str>, NodeKey), EdgeCell> = BTreeMap::new();
    for ((edge, class), seconds) in &facts.cells.edges {
        if *class == facts.series.class {
            let sum = sums.entry((Arc::clone(&edge.from), facts.names.of(&edge.to))).or_default();
            seconds.iter().filter(|(second, _)| **second >= 0).for_each(|(_, cell)| sum.add(cell));
        }
    }
    // What was counted as far as spans were asked for, as an estimate of all.
    let of_all = |count: i64| (count.max(0) as f64 / facts.series.part).round() as u64;
    let path: f64 = sums.values().map(|c| c.cp_ns as f64).sum();
    let mut rows: Vec<(i64, Dependency)> = sums
        .into_iter()
        .filter(|((from, to), c)| {
            let of_many = [from, &to.name].iter().any(|name| facts.names.stands_for_many(name));
            c.attempts > 0 && !of_many
        })
        .map(|((from, to), c)| {
            let row = Dependency {
                from: from.to_string(),
                to: to.name.to_string(),
                calls: of_all(c.calls),
                errors: of_all(c.errors),
                latency_ms: Millis::from(c.latency.quantiles()),
                critical_path_share: (path > 0.0).then(|| c.cp_ns as f64 / path),
                retry_amplification: (c.calls > 0).then(|| c.attempts as f64 / c.calls as f64),
                hedges: (c.calls > 0 && c.beside > 0).then(|| c.beside as f64 / c.calls as f64),
            };
            (c.cp_ns, row)
        })
        .collect();
    rows.sort_by(|(a, _), (b, _)| b.cmp(a));
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Every node against the rate of journeys.
pub(crate) fn curves(facts: &Facts<'_>, findings: &[Finding]) -> Vec<NodeCurve> {
    let levels = steady(facts.series, facts.windows, LEVELS);
    let settings = &facts.input.settings;
    let curve = |finding: &Finding| {
        let node = &facts.series.nodes[finding.at];
        let points = levels.iter().map(|level| {
            let own = node.own_over(&level.seconds);
            let at = |q: f64| own.quantile(q).map(|ns| ns as f64 / 1e6);
            CurvePoint {
                offered: level.rate,
                achieved: mean(&node.done, &level.seconds) / facts.series.part,
                p50_ms: at(0.5),
                p99_ms: at(0.99),
                concurrency: mean(&node.at_node, &level.seconds) / facts.series.part,
            }
        });
        let part = facts.series.part;
        let of = |seconds: &[usize]| (mean(&node.at_node, seconds) / part, mean(&node.done, seconds) / part);
        let draws = Resample::new(settings.seed, DRAWS + finding.at as u64);
        NodeCurve {
            node: node.key.name.to_string(),
            kind: node.key.kind,
            points: points.collect(),
            scaling: scaling(of, &levels, settings.resamples, draws),
        }
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
