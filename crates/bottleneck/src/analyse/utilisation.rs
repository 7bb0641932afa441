//! How full resources were, and at which rate of journeys each comes to its limit: the utilisation law.
//!
//! `U = b + D·λ` is fitted to seconds in which the system kept up; `λ* = (U_max − b) / D`. A resource of m servers is
//! as full as it may be at `U_max = (m + 1)^(−1/m)`, where the tangent of the waiting time begins to rise faster than
//! the use (0.50, 0.58, 0.67, 0.76, 0.84, 0.90 for 1, 2, 4, 8, 16, 32 servers). The interval is by moving blocks.

mod findings;
mod pool;
mod resources;

use std::collections::BTreeMap;
use std::sync::Arc;

use peakdrill_drill_model::verdict::{Estimate, Finding, NodeKind, ResourceKind, ResourceUse};

use crate::analyse::law::BEYOND;
use crate::analyse::names::Names;
use crate::analyse::readings::{PerSecond, Readings, mean_over};
use crate::analyse::resample::{Resample, interval};
use crate::analyse::series::{Series, mean};
use crate::analyse::summary::COMPLETE;
use crate::analyse::telemetry::Telemetry;
use crate::analyse::windows::Windows;
use crate::analyse::words::{percent, rate};
use crate::analysis::{AnalysisInput, WARM_UP_S};
use crate::cells::Cells;

/// Resources that are looked at; of more, the last are left out: memory first, then pools.
const ROWS_MAX: usize = 500;
/// Queues that are looked at, by service and name; the rest is left out.
const QUEUES_MAX: usize = 500;
/// A second in which what was finished differs from what was offered by no more than this part is steady.
const STEADY: f64 = 0.05;
/// Fewer steady stretches than this, or rates that lie closer together: all stretches count, at the rate at which
/// journeys were finished.
const FEW_POINTS: usize = 8;
/// See [`FEW_POINTS`].
const SPREAD: f64 = 1.3;
/// Stretches that a law is fitted to: those of a longer load are longer.
const POINTS_MAX: usize = 2_000;
/// Without a known number of servers a resource is full from here on.
const FULL_UNKNOWN: f64 = 0.9;
/// Memory is no server: nobody waits for it.
const MEMORY_FULL: f64 = 0.9;
/// An instance that is fuller than the mean by this factor is spoken of.
const UNEVEN: f64 = 1.3;

/// How full a resource of so many servers may be before those who need it wait long.
pub(crate) fn knee(servers: f64) -> f64 {
    let m = servers.max(1.0);
    (m + 1.0).powf(-1.0 / m)
}

/// A resource as it was measured.
pub(crate) struct Measured {
    pub(crate) kind: ResourceKind,
    pub(crate) service: Arc<str>,
    pub(crate) name: Arc<str>,
    /// In use by the limit, per instance.
    pub(crate) used: Vec<PerSecond>,
    /// Servers of an instance: processors, connections.
    pub(crate) servers: Option<f64>,
    /// Seconds between two measurements.
    pub(crate) every_s: f64,
}

/// A resource, judged.
pub(crate) struct Row {
    /// The node that it limits, by its position in the series.
    at: Option<usize>,
    pub(crate) row: ResourceUse,
    /// Estimate and interval of the rate at which it is full.
    capacity: Option<(f64, f64, f64)>,
    /// Messages a second by which a queue grew for sure.
    growth: Option<f64>,
}

/// What the resources say.
pub(crate) struct Used {
    rows: Vec<Row>,
    /// Nodes whose processors a quota stopped, by their position in the series, and how often.
    throttled: Vec<(usize, String)>,
    findings: Vec<Finding>,
    /// Part of its spans that a service handed on, where its SDK says so.
    handed_on: BTreeMap<String, f64>,
}

/// What it is judged with.
pub(crate) struct Ground<'a> {
    pub(crate) cells: &'a Cells,
    pub(crate) names: &'a Names,
    pub(crate) series: &'a Series,
    pub(crate) windows: &'a Windows,
    pub(crate) readings: Readings<'a>,
    pub(crate) resamples: u32,
    pub(crate) seed: u64,
}

impl Used {
    /// Looks at all resources that metrics tell of; nothing where there are none.
    pub(crate) fn new(
        cells: &Cells,
        input: &AnalysisInput,
        names: &Names,
        series: &Series,
        windows: &Windows,
    ) -> Self {
        let readings = Readings::new(cells, series.offered.len());
        let (resamples, seed) = (input.settings.resamples, input.settings.seed);
        let ground = Ground { cells, names, series, windows, readings, resamples, seed };
        let mut measured = resources::all(&ground);
        measured.truncate(ROWS_MAX);
        let mut rows: Vec<Row> = measured.iter().enumerate().map(|(i, m)| judge(&ground, m, i)).collect();
        rows.extend(resources::queues(&ground).take(QUEUES_MAX));
        let findings = findings::all(&ground, &rows);
        let at = |service: &str| series.nodes.iter().position(|node| *node.key.name == *service);
        let throttled = resources::throttled(&ground).into_iter();
        let throttled = throttled.filter_map(|one| Some((at(&one.service)?, one.words()))).collect();
        Self { rows, throttled, findings, handed_on: findings::handed_on(&ground) }
    }

    /// Whether a resource of the node was as full as it may be.
    pub(crate) fn at_limit(&self, at: usize) -> bool {
        let full = self.of(at).any(|row| row.row.at_limit && row.row.kind != ResourceKind::Memory);
        full || self.throttled.iter().any(|(node, _)| *node == at)
    }

    /// The lowest rate at which a resource of the node is full, journeys a second: estimate and interval.
    pub(crate) fn capacity(&self, at: usize) -> Option<(f64, f64, f64)> {
        self.of(at).filter_map(|row| row.capacity).min_by(|a, b| a.0.total_cmp(&b.0))
    }

    /// What is to be said of the node's resources. `capacities`: whether the run can tell what they carry.
    pub(crate) fn words(&self, at: usize, capacities: bool) -> impl Iterator<Item = String> {
        let throttled = self.throttled.iter().filter(move |(node, _)| *node == at);
        self.of(at)
            .filter_map(move |row| sentence(row, capacities))
            .chain(throttled.map(|(_, words)| words.clone()))
    }

    /// A service that dropped spans is not complete, however many of them are known by others.
    pub(crate) fn correct(&self, telemetry: &mut Telemetry) {
        for service in &mut telemetry.services {
            if let Some(part) = self.handed_on.get(&service.service) {
                service.share = Some(service.share.map_or(*part, |share| share.min(*part)));
            }
        }
        for (service, part) in self.handed_on.iter().filter(|(_, part)| **part < COMPLETE) {
            if !telemetry.thin.iter().any(|(known, _)| known == service) {
                telemetry.thin.push((service.clone(), *part));
            }
        }
    }

    /// For the record and the report. `capacities` as for [`Self::words`].
    pub(crate) fn into_parts(self, capacities: bool) -> (Vec<ResourceUse>, Vec<Finding>) {
        let told = |Row { row, .. }: Row| {
            if capacities { row } else { ResourceUse { capacity_per_s: Estimate::default(), ..row } }
        };
        (self.rows.into_iter().map(told).collect(), self.findings)
    }

    fn of(&self, at: usize) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.at == Some(at))
    }
}

/// The sentence of a resource, for the evidence of its node.
fn sentence(row: &Row, capacities: bool) -> Option<String> {
    let of = &row.row;
    let (light, peak) = (of.light?, of.peak?);
    let what = subject(of);
    if of.kind == ResourceKind::Queue {
        return Some(format!("{what} held {light:.0} messages at light load and {peak:.0} at peak"));
    }
    let fullest = of.peak_fullest.filter(|fullest| of.instances > 1 && *fullest >= UNEVEN * peak);
    let fullest = fullest.map(|f| format!(" ({} at the fullest instance)", percent(f))).unwrap_or_default();
    let limit = match row.capacity {
        _ if !capacities => String::new(),
        Some((capacity, low, high)) => {
            format!("; full at {capacity:.0} journeys a second ({low:.0} to {high:.0})")
        }
        None => {
            of.capacity_per_s.low.map(|low| format!("; not full below {}", rate(low))).unwrap_or_default()
        }
    };
    Some(format!(
        "{what}: {} in use at peak{fullest}, {} at light load{limit}",
        percent(peak),
        percent(light)
    ))
}

/// What a resource is called.
pub(crate) fn subject(of: &ResourceUse) -> String {
    let named = if of.name.is_empty() { String::new() } else { format!(" `{}`", of.name) };
    let limit = |unit: &str| of.limit.map(|limit| format!(" ({} {unit})", short(limit))).unwrap_or_default();
    match of.kind {
        ResourceKind::Processors => format!("the processors of {}{}", of.service, limit("an instance")),
        ResourceKind::Machine => format!("the processors of {}{}", of.service, limit("in all")),
        ResourceKind::Memory => format!("the memory of {}", of.service),
        ResourceKind::Pool if of.name.is_empty() => {
            format!("the connections of {}{}", of.service, limit("an instance"))
        }
        ResourceKind::Pool => {
            format!("the connections of pool{named} of {}{}", of.service, limit("an instance"))
        }
        ResourceKind::Queue => format!("queue{named}"),
    }
}

/// A number without digits that say nothing.
pub(crate) fn short(value: f64) -> String {
    if (value - value.round()).abs() < 0.05 { format!("{value:.0}") } else { format!("{value:.1}") }
}

fn judge(ground: &Ground<'_>, measured: &Measured, number: usize) -> Row {
    let windows = ground.windows;
    let mean = mean_of(&measured.used);
    let over = |seconds: &[usize]| mean_over(&mean, seconds);
    let fullest = measured.used.iter().filter_map(|used| mean_over(used, &windows.peak)).reduce(f64::max);
    let full = match (measured.kind, measured.servers) {
        (ResourceKind::Memory, _) => MEMORY_FULL,
        (_, Some(servers)) => knee(servers),
        (_, None) => FULL_UNKNOWN,
    };
    let law = match measured.kind {
        ResourceKind::Memory => None,
        _ => measured.servers.and_then(|_| law(ground, &mean, measured.every_s, full, number)),
    };
    let (estimate, capacity) = known(law, ground.windows.tested);
    let row = ResourceUse {
        service: measured.service.to_string(),
        node: None,
        kind: measured.kind,
        name: measured.name.to_string(),
        instances: u32::try_from(measured.used.len()).unwrap_or(u32::MAX),
        limit: measured.servers,
        light: over(&windows.light),
        peak: over(&windows.peak),
        peak_fullest: fullest,
        at_limit: fullest.is_some_and(|fullest| fullest >= full),
        capacity_per_s: estimate,
    };
    placed(ground, row, capacity)
}

/// The row at the node that it limits.
pub(crate) fn placed(ground: &Ground<'_>, mut row: ResourceUse, capacity: Option<(f64, f64, f64)>) -> Row {
    let at = node_of(ground, &row);
    row.node = at.and_then(|at| ground.series.nodes.get(at)).map(|node| node.key.name.to_string());
    Row { at, row, capacity, growth: None }
}

/// `topic` of `group/topic`.
fn last_part(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, last)| last)
}

/// Waiting for a pool shows as time at what the pool leads to, where that is one node only; else it is the service's.
fn node_of(ground: &Ground<'_>, row: &ResourceUse) -> Option<usize> {
    let nodes = &ground.series.nodes;
    let named = |name: &str| nodes.iter().position(|node| *node.key.name == *name);
    match row.kind {
        ResourceKind::Queue => {
            let is_it = |name: &str| last_part(name) == last_part(&row.name);
            nodes.iter().position(|node| node.key.kind == NodeKind::Queue && is_it(&node.key.name))
        }
        ResourceKind::Pool => {
            let own = named(&row.service)?;
            let calls = ground.cells.edges.keys().filter(|(edge, _)| *edge.from == *row.service);
            let mut behind: Vec<_> = calls
                .filter(|(edge, _)| matches!(edge.to.kind, NodeKind::Database | NodeKind::Cache))
                .filter(|(edge, _)| !ground.names.stands_for_many(&edge.to.name))
                .map(|(edge, _)| ground.names.of(&edge.to))
                .collect();
            behind.sort();
            behind.dedup();
            match behind.as_slice() {
                [one] => nodes.iter().position(|node| node.key == *one),
                _ => Some(own),
            }
        }
        ResourceKind::Processors | ResourceKind::Machine | ResourceKind::Memory => named(&row.service),
    }
}

/// Mean over the instances that are known in a second.
pub(crate) fn mean_of(instances: &[PerSecond]) -> PerSecond {
    let len = instances.iter().map(Vec::len).max().unwrap_or(0);
    (0..len)
        .map(|s| {
            let known = instances.iter().filter_map(|i| i.get(s).copied().flatten());
            let (sum, count) = known.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
            (count > 0.0).then(|| sum / count)
        })
        .collect()
}

/// Rate of journeys and use, over a stretch of seconds.
type Point = (f64, f64);

/// Stretches as long as two measurements, so that the use and the rate are over the same time: those in which the
/// system kept up, at the rate that was offered; where these say too little, all, at the rate that was finished.
fn points(ground: &Ground<'_>, used: &PerSecond, every_s: f64) -> Vec<Point> {
    let series = ground.series;
    let width = if every_s <= 1.5 { 1 } else { (2.0 * every_s).ceil() as usize };
    let first = usize::try_from(WARM_UP_S).unwrap_or(0);
    let seconds: Vec<usize> = (first..series.load.min(series.offered.len()))
        .filter(|s| !ground.windows.left_out.contains(s))
        .collect();
    let width = width.max(seconds.len().div_ceil(POINTS_MAX));
    let stretches: Vec<(f64, f64, f64)> = seconds
        .chunks(width)
        .filter(|chunk| {
            chunk.len() == width && chunk.iter().all(|s| used.get(*s).is_some_and(Option::is_some))
        })
        .filter_map(|chunk| {
            Some((mean(&series.offered, chunk), mean(&series.finished, chunk), mean_over(used, chunk)?))
        })
        .collect();
    let by_chance = |offered: f64| 2.0 * (offered / width as f64).sqrt();
    let steady: Vec<Point> = stretches
        .iter()
        .filter(|(offered, done, _)| (offered - done).abs() <= (STEADY * offered).max(by_chance(*offered)))
        .map(|(offered, _, used)| (*offered, *used))
        .collect();
    if steady.len() >= FEW_POINTS && spread(&steady) >= SPREAD {
        return steady;
    }
    let all: Vec<Point> = stretches.iter().map(|(_, done, used)| (*done, *used)).collect();
    if all.len() >= FEW_POINTS && spread(&all) >= SPREAD { all } else { Vec::new() }
}

/// The highest rate by the lowest, that of a tenth of the points left out at either end.
fn spread(points: &[Point]) -> f64 {
    let mut rates: Vec<f64> = points.iter().map(|(rate, _)| *rate).collect();
    rates.sort_by(f64::total_cmp);
    let at = |part: f64| rates.get(((rates.len().max(1) - 1) as f64 * part) as usize).copied().unwrap_or(0.0);
    if at(0.1) > 0.0 { at(0.9) / at(0.1) } else { f64::INFINITY }
}

/// Least squares: intercept and slope.
fn line(points: &[Point]) -> Option<(f64, f64)> {
    let n = points.len() as f64;
    let (sum_x, sum_y) = points.iter().fold((0.0, 0.0), |(x, y), p| (x + p.0, y + p.1));
    let (mean_x, mean_y) = (sum_x / n, sum_y / n);
    let square: f64 = points.iter().map(|p| (p.0 - mean_x).powi(2)).sum();
    let cross: f64 = points.iter().map(|p| (p.0 - mean_x) * (p.1 - mean_y)).sum();
    (square > 0.0).then(|| (mean_y - cross / square * mean_x, cross / square))
}

/// The rate at which the use comes to `full`, with its interval; `None` where the use does not surely grow with the rate.
fn law(
    ground: &Ground<'_>,
    used: &PerSecond,
    every_s: f64,
    full: f64,
    number: usize,
) -> Option<(f64, f64, f64)> {
    let points = points(ground, used, every_s);
    let crossing = |(b, d): (f64, f64)| (d > 0.0).then(|| ((full - b) / d).max(0.0));
    let estimate = crossing(line(&points)?)?;
    let mut draws = Resample::new(ground.seed, 100_000 + number as u64);
    let lines: Vec<(f64, f64)> = (0..ground.resamples).filter_map(|_| line(&draws.pick(&points))).collect();
    let (least, _) = interval(lines.iter().map(|(_, d)| *d).collect())?;
    if least <= 0.0 {
        return None;
    }
    let (low, high) = interval(lines.into_iter().filter_map(crossing).collect())?;
    Some((estimate, low.min(estimate), high.max(estimate)))
}

/// What is known of a capacity: far beyond what was tested, that it is not below.
fn known(law: Option<(f64, f64, f64)>, tested: Option<f64>) -> (Estimate, Option<(f64, f64, f64)>) {
    match law.zip(tested) {
        Some(((estimate, low, high), tested)) if estimate <= BEYOND * tested => {
            let all = Estimate { estimate: Some(estimate), low: Some(low), high: Some(high) };
            (all, Some((estimate, low, high)))
        }
        Some(((_, low, _), tested)) => {
            (Estimate { low: Some(low.min(BEYOND * tested)), ..Estimate::default() }, None)
        }
        None => (Estimate::default(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_knee_is_where_the_tangent_says() {
        let wanted = [(1.0, 0.5), (2.0, 0.577), (4.0, 0.669), (8.0, 0.760), (16.0, 0.838), (32.0, 0.897)];
        for (servers, at) in wanted {
            assert!((knee(servers) - at).abs() < 1e-3, "{servers}: {}", knee(servers));
        }
        assert_eq!(knee(0.25), 0.5, "a part of a processor is one server");
    }

    #[test]
    fn a_line_is_found_and_none_through_one_rate() {
        let points: Vec<Point> = (1..9).map(|x| (f64::from(x), 0.1 + 0.05 * f64::from(x))).collect();
        let (b, d) = line(&points).unwrap();
        assert!((b - 0.1).abs() < 1e-12 && (d - 0.05).abs() < 1e-12);
        assert_eq!(line(&[(3.0, 1.0), (3.0, 2.0)]), None);
        assert_eq!(line(&[]), None);
    }

    #[test]
    fn far_beyond_what_was_tested_only_the_lower_end_is_told() {
        let (estimate, capacity) = known(Some((200.0, 180.0, 230.0)), Some(100.0));
        assert_eq!(
            (estimate.estimate, estimate.low, estimate.high, capacity),
            (None, Some(150.0), None, None)
        );
        let (estimate, capacity) = known(Some((140.0, 130.0, 160.0)), Some(100.0));
        assert_eq!((estimate.estimate, capacity), (Some(140.0), Some((140.0, 130.0, 160.0))));
    }
}
