//! What follows from how full resources were, in words, with what to do.

use std::collections::BTreeMap;

use peakdrill_drill_model::verdict::{Finding, FindingKind, NodeKind, ResourceKind};
use peakdrill_trace_model::metric::Measure;

use super::resources::throttled;
use super::{Ground, Row, knee, pool, short, subject};
use crate::analyse::readings::{Of, PerSecond, add, mean_over, ratio};
use crate::analyse::words::{percent, rate};
use crate::key::TraceClass;

/// A cache's hit rate that fell by so much is spoken of.
const COLDER: f64 = 0.1;
/// Spans that a service dropped, as a part of all, from which on it is spoken of.
const DROPPED: f64 = 0.01;
/// Two ways of counting requests in progress may differ by this part.
const LITTLE: f64 = 0.1;
/// And by so many standard errors: a gauge is a sample.
const ERRORS: f64 = 2.0;
/// Fewer requests in progress than this are not compared.
const FEW_IN_PROGRESS: f64 = 1.0;
/// Metrics that come less often than this, in seconds, are too coarse for the seconds of a load.
const SELDOM_S: f64 = 5.0;
/// The queue for spans that a drill needs at least, its batch, and its delay in milliseconds.
const SPAN_QUEUE: f64 = 32_768.0;
/// See [`SPAN_QUEUE`].
const SPAN_BATCH: f64 = 2_048.0;
/// See [`SPAN_QUEUE`].
const SPAN_DELAY_MS: f64 = 200.0;
/// An export may take so long before the queue runs over, in seconds.
const EXPORT_S: f64 = 1.0;

/// All findings, by kind and node.
pub(super) fn all(ground: &Ground<'_>, rows: &[Row]) -> Vec<Finding> {
    let mut out: Vec<Finding> = rows.iter().filter_map(|row| of_row(ground, row)).collect();
    out.extend(throttled(ground).into_iter().map(|found| found.finding()));
    out.extend(caches(ground));
    out.extend(telemetry(ground));
    out.extend(counts(ground));
    out.extend(seldom(ground));
    out.sort_by(|a, b| (a.kind, &a.node).cmp(&(b.kind, &b.node)));
    out
}

fn of_row(ground: &Ground<'_>, row: &Row) -> Option<Finding> {
    let of = &row.row;
    if !of.at_limit {
        return None;
    }
    let peak = of.peak?;
    let node = of.node.clone().unwrap_or_else(|| of.service.clone());
    let fullest = of.peak_fullest.unwrap_or(peak);
    match of.kind {
        ResourceKind::Processors | ResourceKind::Machine => Some(Finding {
            kind: FindingKind::ProcessorsFull,
            node,
            text: format!(
                "{}: {} in use at peak, {} at the fullest instance; work waits from about {} on",
                subject(of),
                percent(peak),
                percent(fullest),
                percent(of.limit.map_or(fullest, knee))
            ),
            action: "give it more processors or instances, or make what it does cheaper".to_owned(),
        }),
        ResourceKind::Memory => Some(Finding {
            kind: FindingKind::MemoryFull,
            node,
            text: format!("{}: {} in use at peak", subject(of), percent(fullest)),
            action: "raise its limit, or find what it holds: the next step is a restart or long collections"
                .to_owned(),
        }),
        ResourceKind::Pool => pool::finding(ground, row, node),
        ResourceKind::Queue => queue(ground, row, node),
    }
}

fn queue(ground: &Ground<'_>, row: &Row, node: String) -> Option<Finding> {
    let of = Of { service: row.row.service.as_str().into(), name: row.row.name.as_str().into() };
    let depth = ground.readings.sum(Measure::QueueDepth, &of)?;
    let grew = row.growth?;
    let last = depth.iter().rev().flatten().next().copied();
    let left = last.map(|last| format!("; {last:.0} were left at the end")).unwrap_or_default();
    Some(Finding {
        kind: FindingKind::QueueGrows,
        node,
        text: format!("{} grew by {} at the highest rate of journeys{left}", subject(&row.row), rate(grew)),
        action: "add consumers, or make processing faster: at this rate it never drains".to_owned(),
    })
}

fn caches(ground: &Ground<'_>) -> Vec<Finding> {
    let readings = &ground.readings;
    let one = |of: Of| {
        let hits = readings.sum(Measure::CacheHits, &of)?;
        let mut all = readings.sum(Measure::CacheMisses, &of)?;
        add(&mut all, &hits);
        let share = |seconds: &[usize]| {
            let all = mean_over(&all, seconds).filter(|all| *all > 0.0)?;
            Some(mean_over(&hits, seconds)? / all)
        };
        let (light, peak) = (share(&ground.windows.light)?, share(&ground.windows.peak)?);
        (light - peak >= COLDER).then(|| Finding {
            kind: FindingKind::CacheMisses,
            node: of.service.to_string(),
            text: format!(
                "cache {} answered {} of the look-ups at light load and {} at peak",
                of.service,
                percent(light),
                percent(peak)
            ),
            action: "give it more room or longer lifetimes: what misses it goes to what lies behind"
                .to_owned(),
        })
    };
    readings.all(&[Measure::CacheHits]).into_iter().filter_map(one).collect()
}

/// Spans that a service's SDK handled, and those it dropped, per second and over all instances.
fn spans(ground: &Ground<'_>, of: &Of) -> Option<(PerSecond, PerSecond)> {
    let dropped = ground.readings.sum(Measure::SpansDropped, of)?;
    let handled = ground.readings.sum(Measure::SpansProcessed, of);
    let all = match handled {
        Some(mut all) => {
            add(&mut all, &dropped);
            all
        }
        None => ground.readings.sum(Measure::SpansStarted, of)?,
    };
    Some((all, dropped))
}

fn total(values: &PerSecond) -> f64 {
    values.iter().flatten().sum()
}

/// Part of their spans that services handed on, where that is not all.
pub(super) fn handed_on(ground: &Ground<'_>) -> BTreeMap<String, f64> {
    let known = ground.readings.all(&[Measure::SpansDropped]);
    let one = |of: Of| {
        let (all, dropped) = spans(ground, &of)?;
        let all = Some(total(&all)).filter(|all| *all > 0.0)?;
        let part = total(&dropped) / all;
        (part >= DROPPED).then(|| (of.service.to_string(), (1.0 - part).clamp(0.0, 1.0)))
    };
    known.into_iter().filter_map(one).collect()
}

fn telemetry(ground: &Ground<'_>) -> Vec<Finding> {
    let one = |(service, part): (String, f64)| {
        let of = Of { service: service.as_str().into(), name: "".into() };
        let (all, _) = spans(ground, &of)?;
        let instances = ground.readings.per_instance(Measure::SpansDropped, &of).len().max(1) as f64;
        let most = all.iter().flatten().copied().fold(0.0, f64::max) / instances;
        let power = |needed: f64, least: f64| 2_f64.powf(needed.max(least).log2().ceil());
        let queue = power(2.0 * most * (EXPORT_S + SPAN_DELAY_MS / 1e3), SPAN_QUEUE);
        let batch = power(most * SPAN_DELAY_MS / 1e3, SPAN_BATCH).min(queue);
        Some(Finding {
            kind: FindingKind::TelemetrySaturated,
            node: service.clone(),
            text: format!(
                "{service} dropped {} of its spans because its queue for them was full (up to {} an instance)",
                percent(1.0 - part),
                rate(most)
            ),
            action: format!(
                "start it with OTEL_BSP_MAX_QUEUE_SIZE={queue:.0} OTEL_BSP_MAX_EXPORT_BATCH_SIZE={batch:.0} OTEL_BSP_SCHEDULE_DELAY={SPAN_DELAY_MS:.0}"
            ),
        })
    };
    handed_on(ground).into_iter().filter_map(one).collect()
}

/// Little's check: requests in progress as the service's gauge has them, and as its spans do.
fn counts(ground: &Ground<'_>) -> Vec<Finding> {
    let all = ground.readings.all(&[Measure::InFlight]);
    let one = |of: Of| {
        let gauge = ground.readings.sum(Measure::InFlight, &of)?;
        let every_s = ground.readings.every_s(Measure::InFlight, &of)?.max(1.0);
        let spans = in_progress(ground, &of.service);
        let seconds: Vec<usize> =
            (0..ground.series.load).filter(|s| gauge.get(*s).is_some_and(Option::is_some)).collect();
        let (by_gauge, by_spans) = (mean_over(&gauge, &seconds)?, mean_over(&spans, &seconds)?);
        let square = seconds.iter().filter_map(|s| gauge[*s]).map(|v| (v - by_gauge).powi(2)).sum::<f64>();
        let count = seconds.len() as f64;
        let error = (square / count / (count / every_s).max(1.0)).sqrt();
        let off = (by_gauge - by_spans).abs();
        let differ = off > LITTLE * by_spans + ERRORS * error && by_gauge.max(by_spans) >= FEW_IN_PROGRESS;
        let why = if by_gauge > by_spans {
            "part of its spans did not arrive, or it answers requests without one"
        } else {
            "it works on more than HTTP requests, or its gauge misses some"
        };
        differ.then(|| Finding {
            kind: FindingKind::CountsDiffer,
            node: of.service.to_string(),
            text: format!(
                "{} says that {} requests were in progress on average, its spans say {}: {why}",
                of.service,
                short(by_gauge),
                short(by_spans)
            ),
            action: "look at how complete its spans are before its figures are trusted".to_owned(),
        })
    };
    // Where the service's name was left out of some traces, a part of its spans is elsewhere.
    all.into_iter().filter(|of| ground.cells.is_whole(&of.service)).filter_map(one).collect()
}

/// Operations in progress by spans, of all classes of traffic.
fn in_progress(ground: &Ground<'_>, service: &str) -> PerSecond {
    let mut out = vec![Some(0.0); ground.series.offered.len()];
    for ((key, class), seconds) in &ground.cells.nodes {
        let key = ground.names.of(key);
        let part = if *class == TraceClass::Mine { ground.series.part } else { 1.0 };
        if key.kind != NodeKind::Service || *key.name != *service {
            continue;
        }
        for (second, cell) in seconds {
            let at = usize::try_from(*second).ok().and_then(|s| out.get_mut(s));
            if let Some(Some(sum)) = at {
                *sum += cell.busy_ns as f64 / 1e9 / part;
            }
        }
    }
    out
}

fn seldom(ground: &Ground<'_>) -> Vec<Finding> {
    let measures = [
        Measure::CpuTime,
        Measure::CpuUsage,
        Measure::CpuUtilisation,
        Measure::PoolUsed,
        Measure::QueueDepth,
    ];
    let mut slowest: BTreeMap<String, f64> = BTreeMap::new();
    for measure in measures {
        for of in ground.readings.all(&[measure]) {
            let every_s = ground.readings.every_s(measure, &of).filter(|every_s| *every_s > SELDOM_S);
            if let Some(every_s) = every_s {
                let known = slowest.entry(of.service.to_string()).or_default();
                *known = known.max(every_s);
            }
        }
    }
    let one = |(service, every_s): (String, f64)| Finding {
        kind: FindingKind::MetricsTooSeldom,
        text: format!("metrics of {service} come every {} s: too coarse to follow the load", short(every_s)),
        node: service,
        action: "send them every second: OTEL_METRIC_EXPORT_INTERVAL=1000, or the interval of its scrape"
            .to_owned(),
    };
    slowest.into_iter().map(one).collect()
}

/// Mean growth of one thing by that of another, as waiting time by waits.
pub(super) fn each(
    ground: &Ground<'_>,
    sum: Measure,
    count: Measure,
    of: &Of,
    seconds: &[usize],
) -> Option<f64> {
    let (sum, count) = (ground.readings.sum(sum, of)?, ground.readings.sum(count, of)?);
    let both = ratio(&sum, &count);
    let known: Vec<usize> =
        seconds.iter().copied().filter(|s| both.get(*s).is_some_and(Option::is_some)).collect();
    Some(mean_over(&sum, &known)? / mean_over(&count, &known).filter(|count| *count > 0.0)?)
}
