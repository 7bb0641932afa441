//! Which resources are known, and how each is measured.

use std::collections::BTreeMap;
use std::sync::Arc;

use peakdrill_drill_model::verdict::{Estimate, Finding, FindingKind, ResourceKind, ResourceUse};
use peakdrill_trace_model::metric::{Measure, is_single_threaded};

use super::{Ground, Measured, Row, placed};
use crate::analyse::readings::{Of, PerSecond, add, mean_over, ratio};
use crate::analyse::resample::{Resample, interval};
use crate::analyse::words::percent;

/// A queue grows when it grew by so many messages over the peak at least.
const GREW_MESSAGES: f64 = 10.0;
/// Periods in which a quota was used up, as a part of all, from which on a service waits for it.
const THROTTLED: f64 = 0.05;

/// All that has servers, or is memory.
pub(super) fn all(ground: &Ground<'_>) -> Vec<Measured> {
    let readings = &ground.readings;
    let cpu = [Measure::CpuTime, Measure::CpuUsage, Measure::CpuUtilisation];
    let mut out: Vec<Measured> = readings.all(&cpu).iter().filter_map(|of| processors(ground, of)).collect();
    out.extend(readings.all(&[Measure::HostBusy]).iter().filter_map(|of| machine(ground, of)));
    out.extend(readings.all(&[Measure::PoolMax]).iter().filter_map(|of| pool(ground, of)));
    out.extend(readings.all(&[Measure::MemoryLimit]).iter().filter_map(|of| memory(ground, of)));
    out
}

/// Time or processors in use by those that may be used; else what the service itself calls its utilisation.
fn processors(ground: &Ground<'_>, of: &Of) -> Option<Measured> {
    let readings = &ground.readings;
    let counts = readings.per_instance(Measure::CpuCount, of);
    let single = readings.source(Measure::CpuTime, of).is_some_and(is_single_threaded);
    let known = level(&counts).or(single.then_some(1.0));
    let direct = [Measure::CpuTime, Measure::CpuUsage].into_iter().find_map(|measure| {
        let used = readings.per_instance(measure, of);
        let known = known.filter(|_| !used.is_empty())?;
        let part = |(instance, used): (Arc<str>, PerSecond)| {
            let limit = counts.get(&instance).and_then(highest).unwrap_or(known);
            used.into_iter().map(|used| used.map(|used| used / limit)).collect::<PerSecond>()
        };
        Some((measure, used.into_iter().map(part).collect()))
    });
    let (measure, used) = direct.or_else(|| {
        let said = readings.per_instance(Measure::CpuUtilisation, of);
        (!said.is_empty()).then(|| (Measure::CpuUtilisation, said.into_values().collect()))
    })?;
    measured(ground, ResourceKind::Processors, of, used, known, measure)
}

/// Busy time by all time: of a time series the sum of both is the number of processors.
fn machine(ground: &Ground<'_>, of: &Of) -> Option<Measured> {
    let busy = ground.readings.per_instance(Measure::HostBusy, of);
    let idle = ground.readings.per_instance(Measure::HostIdle, of);
    let mut processors: Vec<f64> = Vec::new();
    let used = busy.into_iter().filter_map(|(instance, busy)| {
        let mut all = idle.get(&instance)?.clone();
        add(&mut all, &busy);
        processors.extend(highest(&all));
        Some(ratio(&busy, &all))
    });
    let used: Vec<PerSecond> = used.collect();
    let counted = processors.iter().sum::<f64>() / processors.len().max(1) as f64;
    let servers = (counted > 0.0).then(|| counted.round().max(1.0));
    measured(ground, ResourceKind::Machine, of, used, servers, Measure::HostBusy)
}

fn pool(ground: &Ground<'_>, of: &Of) -> Option<Measured> {
    let used = ground.readings.per_instance(Measure::PoolUsed, of);
    let most = ground.readings.per_instance(Measure::PoolMax, of);
    let servers = level(&most);
    let used = used.into_iter().filter_map(|(instance, used)| Some(ratio(&used, most.get(&instance)?)));
    measured(ground, ResourceKind::Pool, of, used.collect(), servers, Measure::PoolUsed)
}

fn memory(ground: &Ground<'_>, of: &Of) -> Option<Measured> {
    let used = ground.readings.per_instance(Measure::MemoryUsed, of);
    let limits = ground.readings.per_instance(Measure::MemoryLimit, of);
    let known = level(&limits)?;
    let part = |(instance, used): (Arc<str>, PerSecond)| {
        let limit = limits.get(&instance).and_then(highest).unwrap_or(known);
        used.into_iter().map(|used| used.map(|used| used / limit)).collect::<PerSecond>()
    };
    let used = used.into_iter().map(part).collect();
    measured(ground, ResourceKind::Memory, of, used, Some(known), Measure::MemoryUsed)
}

fn measured(
    ground: &Ground<'_>,
    kind: ResourceKind,
    of: &Of,
    used: Vec<PerSecond>,
    servers: Option<f64>,
    measure: Measure,
) -> Option<Measured> {
    let every_s = ground.readings.every_s(measure, of).unwrap_or(1.0);
    let (service, name) = (Arc::clone(&of.service), Arc::clone(&of.name));
    let known = used.iter().flatten().any(Option::is_some);
    known.then_some(Measured { kind, service, name, used, servers, every_s })
}

/// The highest known value: a limit that was raised during the run counts as raised.
fn highest(values: &PerSecond) -> Option<f64> {
    values.iter().flatten().copied().filter(|value| *value > 0.0).reduce(f64::max)
}

/// The mean of a limit over instances.
fn level(instances: &BTreeMap<Arc<str>, PerSecond>) -> Option<f64> {
    let known: Vec<f64> = instances.values().filter_map(highest).collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

/// Queues: a depth has no limit, but must not grow for good. What several instances tell of one queue is added.
pub(super) fn queues(ground: &Ground<'_>) -> impl Iterator<Item = Row> {
    let all = ground.readings.all(&[Measure::QueueDepth]).into_iter().enumerate();
    all.filter_map(|(number, of)| queue(ground, &of, number))
}

fn queue(ground: &Ground<'_>, of: &Of, number: usize) -> Option<Row> {
    let per_instance = ground.readings.per_instance(Measure::QueueDepth, of);
    let instances = u32::try_from(per_instance.len()).unwrap_or(u32::MAX);
    let depth = ground.readings.sum(Measure::QueueDepth, of)?;
    let growth = growth(ground, &depth, number);
    let row = ResourceUse {
        service: of.service.to_string(),
        node: None,
        kind: ResourceKind::Queue,
        name: of.name.to_string(),
        instances,
        limit: None,
        light: mean_over(&depth, &ground.windows.light),
        peak: mean_over(&depth, &ground.windows.peak),
        peak_fullest: None,
        at_limit: growth.is_some(),
        capacity_per_s: Estimate::default(),
    };
    Some(Row { growth, ..placed(ground, row, None) })
}

/// Messages a second by which a queue grew while the rate was highest, where it surely did.
fn growth(ground: &Ground<'_>, depth: &PerSecond, number: usize) -> Option<f64> {
    let top = &ground.windows.top;
    let steps = top.windows(2).filter(|w| w[0] + 1 == w[1]);
    let grew: Vec<f64> =
        steps.filter_map(|w| Some(depth.get(w[1]).copied()?? - depth.get(w[0]).copied()??)).collect();
    let sum: f64 = grew.iter().sum();
    if grew.is_empty() || sum < GREW_MESSAGES {
        return None;
    }
    let mut draws = Resample::new(ground.seed, 200_000 + number as u64);
    let means = (0..ground.resamples).map(|_| {
        let drawn = draws.draw(grew.len());
        drawn.iter().map(|i| grew[*i]).sum::<f64>() / grew.len() as f64
    });
    let (low, _) = interval(means.collect())?;
    (low > 0.0).then(|| sum / grew.len() as f64)
}

/// A service whose quota stopped its processors.
pub(crate) struct Throttled {
    pub(crate) service: Arc<str>,
    /// Periods in which the quota was used up, by all, at light load and at peak.
    light: f64,
    peak: f64,
}

impl Throttled {
    pub(crate) fn words(&self) -> String {
        format!(
            "the quota stopped the processors of {} in {} of its periods at peak, {} at light load",
            self.service,
            percent(self.peak),
            percent(self.light)
        )
    }

    pub(super) fn finding(&self) -> Finding {
        Finding {
            kind: FindingKind::Throttled,
            node: self.service.to_string(),
            text: self.words(),
            action: "raise its processor limit: it waits although its mean use is below it".to_owned(),
        }
    }
}

/// Services that were stopped by their quota often, at peak more than at light load.
pub(super) fn throttled(ground: &Ground<'_>) -> Vec<Throttled> {
    let readings = &ground.readings;
    let one = |of: Of| {
        let stopped = readings.sum(Measure::ThrottledPeriods, &of)?;
        let periods = readings.sum(Measure::CpuPeriods, &of)?;
        let part = |seconds: &[usize]| {
            let periods = mean_over(&periods, seconds).filter(|periods| *periods > 0.0)?;
            Some(mean_over(&stopped, seconds)? / periods)
        };
        let (light, peak) = (part(&ground.windows.light)?, part(&ground.windows.peak)?);
        let often = peak >= THROTTLED && peak > light;
        often.then(|| Throttled { service: Arc::clone(&of.service), light, peak })
    };
    readings.all(&[Measure::ThrottledPeriods]).into_iter().filter_map(one).collect()
}
