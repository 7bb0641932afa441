//! The samples of resources, unrolled: per instance and second of the load.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use peakdrill_trace_model::metric::{Measure, rank};

use crate::cells::Cells;
use crate::resources::{Sample, SampleKind, Samples, SeriesKey};

/// A value that is older than this says nothing of now, and a growth over more nothing of a second, nanoseconds.
const STALE_NS: i64 = 15_000_000_000;
/// A second of which a growth covers less than this part is not known.
const COVERED: f64 = 0.5;
const NS_PER_S: f64 = 1e9;

/// A value per second of the load, where it is known.
pub(crate) type PerSecond = Vec<Option<f64>>;

/// Whose a resource is, and which of several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Of {
    pub(crate) service: Arc<str>,
    pub(crate) name: Arc<str>,
}

/// What metrics said of resources, over the seconds of a load.
pub(crate) struct Readings<'a> {
    series: BTreeMap<(Measure, Of), Vec<(&'a SeriesKey, &'a Samples)>>,
    origin_ns: i64,
    seconds: usize,
}

impl<'a> Readings<'a> {
    /// Of several metrics that measure the same, the closest to the resource counts.
    pub(crate) fn new(cells: &'a Cells, seconds: usize) -> Self {
        let mut series: BTreeMap<(Measure, Of), Vec<(&SeriesKey, &Samples)>> = BTreeMap::new();
        // Without a start of the load no second is known.
        let origin_ns = cells.resources.origin_ns;
        for (key, samples) in cells.resources.series().filter(|_| origin_ns.is_some()) {
            let of = Of { service: Arc::clone(&key.service), name: Arc::clone(&key.of) };
            series.entry((key.measure, of)).or_default().push((key, samples));
        }
        for group in series.values_mut() {
            let best = group.iter().map(|(key, _)| rank(&key.source)).min();
            group.retain(|(key, _)| Some(rank(&key.source)) == best);
        }
        Self { series, origin_ns: origin_ns.unwrap_or(0), seconds }
    }

    /// All that one of the measures is known of.
    pub(crate) fn all(&self, measures: &[Measure]) -> BTreeSet<Of> {
        self.series.keys().filter(|(m, _)| measures.contains(m)).map(|(_, of)| of.clone()).collect()
    }

    /// The metric that a measure comes from.
    pub(crate) fn source(&self, measure: Measure, of: &Of) -> Option<&str> {
        Some(&self.series.get(&(measure, of.clone()))?.first()?.0.source)
    }

    /// Per instance: gauges as they stood, what grows as growth a second. Parts (modes of a processor, partitions of
    /// a topic) are summed.
    pub(crate) fn per_instance(&self, measure: Measure, of: &Of) -> BTreeMap<Arc<str>, PerSecond> {
        let mut out: BTreeMap<Arc<str>, PerSecond> = BTreeMap::new();
        for (key, samples) in self.series.get(&(measure, of.clone())).into_iter().flatten() {
            let read = self.read(key.kind, samples, measure.steps());
            match out.get_mut(&key.instance) {
                Some(sum) => add(sum, &read),
                None => drop(out.insert(Arc::clone(&key.instance), read)),
            }
        }
        out
    }

    /// The sum over instances.
    pub(crate) fn sum(&self, measure: Measure, of: &Of) -> Option<PerSecond> {
        self.per_instance(measure, of).into_values().reduce(|mut sum, more| {
            add(&mut sum, &more);
            sum
        })
    }

    /// By how much a count grew in these seconds, as far as it is known to: what the rate of a part of a second would make
    /// of the whole is not in it. 0 of gauges.
    pub(crate) fn grew(&self, measure: Measure, of: &Of, seconds: &[usize]) -> f64 {
        let all = self.series.get(&(measure, of.clone())).into_iter().flatten();
        let grows = all.filter(|(key, _)| key.kind != SampleKind::Gauge);
        let over = |growth: Growth| {
            seconds.iter().filter_map(|s| growth.sums.get(*s)).map(|(sum, _)| sum).sum::<f64>()
        };
        grows.map(|(key, samples)| over(self.growth(key.kind, samples, measure.steps()))).sum()
    }

    /// The usual distance between samples of a measure, in seconds.
    pub(crate) fn every_s(&self, measure: Measure, of: &Of) -> Option<f64> {
        let group = self.series.get(&(measure, of.clone()))?;
        let times = |samples: &Samples| samples.iter().map(|s| s.at_ns).collect::<Vec<_>>();
        let mut gaps: Vec<i64> = group
            .iter()
            .flat_map(|(_, samples)| times(samples).windows(2).map(|w| w[1] - w[0]).collect::<Vec<_>>())
            .collect();
        gaps.sort_unstable();
        gaps.get(gaps.len() / 2).map(|gap| *gap as f64 / NS_PER_S)
    }

    fn read(&self, kind: SampleKind, samples: &Samples, steps: f64) -> PerSecond {
        if kind == SampleKind::Gauge {
            return self.held(samples, steps);
        }
        let growth = self.growth(kind, samples, steps);
        growth.sums.iter().map(|(sum, covered)| (*covered >= COVERED).then(|| sum / covered)).collect()
    }

    /// Of what grows: how much.
    fn growth(&self, kind: SampleKind, samples: &Samples, steps: f64) -> Growth {
        let mut growth = Growth { sums: vec![(0.0, 0.0); self.seconds] };
        let mut last: Option<&Sample> = None;
        for sample in samples.iter() {
            let at = |ns: i64| ns.saturating_sub(self.origin_ns);
            let before = last.replace(sample);
            match (kind, before) {
                (SampleKind::Delta, before) => {
                    let since =
                        if sample.since_ns > 0 { Some(sample.since_ns) } else { before.map(|b| b.at_ns) };
                    if let Some(since) = since {
                        growth.spread(at(since), at(sample.at_ns), sample.value as f64 / steps);
                    }
                }
                (_, Some(before)) => {
                    // A count that fell began again from 0.
                    let fell = sample.value < before.value;
                    let grew = if fell { sample.value } else { sample.value.saturating_sub(before.value) };
                    growth.spread(at(before.at_ns), at(sample.at_ns), grew as f64 / steps);
                }
                (_, None) => {}
            }
        }
        growth
    }

    /// The newest value at the end of each second.
    fn held(&self, samples: &Samples, steps: f64) -> PerSecond {
        let mut out = vec![None; self.seconds];
        let mut samples = samples.iter().peekable();
        let mut newest: Option<&Sample> = None;
        for (second, value) in out.iter_mut().enumerate() {
            let end_ns = (second as i64 + 1).saturating_mul(NS_PER_S as i64).saturating_add(self.origin_ns);
            while let Some(sample) = samples.next_if(|s| s.at_ns < end_ns) {
                newest = Some(sample);
            }
            *value =
                newest.filter(|s| end_ns.saturating_sub(s.at_ns) <= STALE_NS).map(|s| s.value as f64 / steps);
        }
        out
    }
}

/// Growth that is spread evenly over the time in which it came.
struct Growth {
    /// Per second: growth, and the part of the second that it is of.
    sums: Vec<(f64, f64)>,
}

impl Growth {
    fn spread(&mut self, from_ns: i64, to_ns: i64, grew: f64) {
        let long_ns = to_ns.saturating_sub(from_ns);
        if long_ns <= 0 || long_ns > STALE_NS {
            return;
        }
        let (from, to) = (from_ns as f64 / NS_PER_S, to_ns as f64 / NS_PER_S);
        let rate = grew / (to - from);
        let first = from.floor().max(0.0) as usize;
        for (second, sum) in self.sums.iter_mut().enumerate().skip(first) {
            let start = second as f64;
            if start >= to {
                break;
            }
            let part = to.min(start + 1.0) - from.max(start);
            if part > 0.0 {
                *sum = (sum.0 + rate * part, sum.1 + part);
            }
        }
    }
}

/// Adds what is known; a part that is over, as a process that ended, adds nothing.
pub(crate) fn add(sum: &mut PerSecond, more: &PerSecond) {
    for (sum, more) in sum.iter_mut().zip(more) {
        *sum = match (*sum, *more) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
    }
}

/// `a` by `b` where both are known and `b` is above 0.
pub(crate) fn ratio(a: &PerSecond, b: &PerSecond) -> PerSecond {
    let one = |(a, b): (&Option<f64>, &Option<f64>)| Some((*a)? / (*b).filter(|b| *b > 0.0)?);
    a.iter().zip(b).map(one).collect()
}

/// Mean over some seconds of what is known of them.
pub(crate) fn mean_over(values: &PerSecond, seconds: &[usize]) -> Option<f64> {
    let known = seconds.iter().filter_map(|s| values.get(*s).copied().flatten());
    let (sum, count) = known.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    (count > 0.0).then(|| sum / count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::{ResourcePoint, Resources};

    const ORIGIN_NS: i64 = 1_000 * NS_PER_S as i64;

    fn of() -> Of {
        Of { service: "order".into(), name: "".into() }
    }

    fn cells(kind: SampleKind, samples: &[(f64, f64)]) -> Cells {
        let mut resources = Resources::default();
        resources.origin_ns = Some(ORIGIN_NS);
        for (at_s, value) in samples {
            let key = SeriesKey {
                service: "order".into(),
                measure: Measure::CpuTime,
                of: "".into(),
                source: "process.cpu.time".into(),
                instance: "a".into(),
                kind,
                part: 0,
            };
            let at_ns = ORIGIN_NS + (at_s * NS_PER_S) as i64;
            let value = (value * Measure::CpuTime.steps()) as i64;
            assert!(resources.put(ResourcePoint { key, sample: Sample { at_ns, value, since_ns: 0 } }));
        }
        Cells { resources, ..Cells::default() }
    }

    fn read(kind: SampleKind, samples: &[(f64, f64)]) -> Vec<f64> {
        let cells = cells(kind, samples);
        let readings = Readings::new(&cells, 5);
        let sum = readings.sum(Measure::CpuTime, &of()).unwrap();
        sum.into_iter().map(|value| value.map_or(f64::NAN, |v| (v * 1e6).round() / 1e6)).collect()
    }

    fn same(found: &[f64], wanted: &[f64]) {
        let equal = |(a, b): (&f64, &f64)| a == b || (a.is_nan() && b.is_nan());
        assert!(found.len() == wanted.len() && found.iter().zip(wanted).all(equal), "{found:?}");
    }

    #[test]
    fn what_grows_is_spread_over_the_time_in_which_it_grew() {
        let nan = f64::NAN;
        // Half a second in front of the load, 2 s at one processor, then 1.5 s at two.
        let found = read(SampleKind::Total, &[(-0.5, 10.0), (1.5, 12.0), (3.0, 15.0)]);
        same(&found, &[1.0, 1.5, 2.0, nan, nan]);
    }

    #[test]
    fn a_count_that_fell_began_again() {
        same(&read(SampleKind::Total, &[(0.0, 9.0), (1.0, 10.0), (2.0, 0.5)])[..2], &[1.0, 0.5]);
    }

    #[test]
    fn deltas_without_a_start_follow_each_other() {
        same(&read(SampleKind::Delta, &[(0.0, 7.0), (2.0, 4.0)])[..2], &[2.0, 2.0]);
    }

    #[test]
    fn a_gauge_holds_until_it_is_stale() {
        same(&read(SampleKind::Gauge, &[(0.2, 3.0), (2.1, 5.0)]), &[3.0, 3.0, 5.0, 5.0, 5.0]);
        let found = read(SampleKind::Gauge, &[(-14.5, 3.0)]);
        same(&found, &[f64::NAN; 5]);
    }

    #[test]
    fn a_gap_is_no_growth() {
        same(&read(SampleKind::Total, &[(0.0, 1.0), (60.0, 100.0)]), &[f64::NAN; 5]);
    }
}
