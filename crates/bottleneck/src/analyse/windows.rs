//! Which seconds are light load, and which are peak.

use std::ops::Range;

use crate::analyse::series::{Series, mean};
use crate::analysis::{AnalysisInput, WARM_UP_S};

/// Half the width of the moving mean over the rate, in seconds.
const SMOOTH_S: usize = 1;
/// Seconds at or above this part of the highest rate are peak.
const PEAK_PART: f64 = 0.9;
/// Light load ends before the rate first comes to this part of the highest.
const BEFORE_PART: f64 = 0.8;
/// A rate whose lowest seconds are above this part of the highest counts as constant.
const CONSTANT_PART: f64 = 0.7;
/// Fewer light seconds than this before the peak: those after it count too.
pub(crate) const FEW_SECONDS: usize = 3;
/// Width of the mean that the tested rate is read from, in seconds.
const TESTED_OVER_S: usize = 5;

/// Light load and peak.
pub(crate) struct Windows {
    /// Seconds of light load.
    pub(crate) light: Vec<usize>,
    /// Seconds of the highest rate, and those after it in which requests still suffer from it.
    pub(crate) peak: Vec<usize>,
    /// Seconds of the highest rate alone.
    pub(crate) top: Vec<usize>,
    /// Seconds that are in none of the windows because all nodes were slow together.
    pub(crate) left_out: Vec<usize>,
    /// Moving mean of the offered rate.
    pub(crate) smooth: Vec<f64>,
    /// Highest rate that was sent over some seconds, journeys a second.
    pub(crate) tested: Option<f64>,
    /// Whether the rate rose at all.
    pub(crate) rose: bool,
}

impl Windows {
    pub(crate) fn new(series: &Series, input: &AnalysisInput) -> Self {
        let smooth = smoothed(&series.offered[..series.load.min(series.offered.len())]);
        let within = measured(smooth.len(), input);
        let warm: Vec<usize> = within.iter().copied().filter(|s| *s as i64 >= WARM_UP_S).collect();
        let warm = if warm.len() < FEW_SECONDS { within.clone() } else { warm };
        let highest = within.iter().map(|s| smooth[*s]).fold(0.0, f64::max);
        let top: Vec<usize> = within.iter().copied().filter(|s| smooth[*s] >= PEAK_PART * highest).collect();
        let mut rates: Vec<f64> = warm.iter().map(|s| smooth[*s]).collect();
        rates.sort_by(f64::total_cmp);
        let at =
            |part: f64| rates.get(((rates.len().max(1) - 1) as f64 * part) as usize).copied().unwrap_or(0.0);
        let rose = at(0.1) < CONSTANT_PART * highest;
        let (light, top) = if rose {
            (light_before_peak(&smooth, &warm, at(0.25), highest), top)
        } else {
            // A constant rate can still build a backlog: the start is compared with the end.
            (warm[..warm.len().div_ceil(4)].to_vec(), warm[warm.len() / 2..].to_vec())
        };
        let mut peak = top.clone();
        // Of what is not settled half may be missing: it looks like whatever is there.
        let settled = input.settled_before.map_or(series.load, |t| usize::try_from(t).unwrap_or(0));
        peak.extend(suffering(series, settled.min(series.load), &light, &top));
        let tested = tested_rate(&series.started, &within);
        Self { light, peak, top, left_out: Vec::new(), smooth, tested, rose }
    }
}

/// The seconds in which light load and peak are looked for.
fn measured(seconds: usize, input: &AnalysisInput) -> Vec<usize> {
    let measured = |s: &usize| {
        let s = *s as i64;
        input.measured.is_empty() || input.measured.iter().any(|(from, to)| (*from..*to).contains(&s))
    };
    let all: Vec<usize> =
        (0..seconds).filter(|s| input.settled_before.is_none_or(|t| (*s as i64) < t)).collect();
    let within: Vec<usize> = all.iter().copied().filter(measured).collect();
    if within.is_empty() { all } else { within }
}

fn smoothed(rate: &[f64]) -> Vec<f64> {
    (0..rate.len())
        .map(|s| {
            let around = &rate[s.saturating_sub(SMOOTH_S)..(s + SMOOTH_S + 1).min(rate.len())];
            around.iter().sum::<f64>() / around.len() as f64
        })
        .collect()
}

/// Seconds of the lowest rates before the peak, within what chance makes of the same rate. After the peak the
/// rate may be low again while its work is still there: such seconds count only where there are no others.
fn light_before_peak(smooth: &[f64], warm: &[usize], quartile: f64, highest: f64) -> Vec<usize> {
    let by_chance = 2.0 * (quartile / (2 * SMOOTH_S + 1) as f64).sqrt();
    let low = |s: &usize| smooth[*s] <= quartile + by_chance && smooth[*s] > 0.0;
    let first_high = warm.iter().copied().find(|s| smooth[*s] >= BEFORE_PART * highest);
    let first_high = first_high.unwrap_or(smooth.len());
    let before: Vec<usize> = warm.iter().copied().filter(|s| *s < first_high && low(s)).collect();
    if before.len() >= FEW_SECONDS {
        return before;
    }
    let mut rising: Vec<usize> =
        warm.iter().copied().filter(|s| *s < first_high && smooth[*s] > 0.0).collect();
    rising.sort_by(|a, b| smooth[*a].total_cmp(&smooth[*b]));
    rising.truncate((rising.len() / 4).max(FEW_SECONDS));
    rising.sort_unstable();
    if rising.is_empty() { warm.iter().copied().filter(low).collect() } else { rising }
}

/// Seconds right after the peak whose requests took at least half as long over light load as those of the peak, up to
/// `until`.
fn suffering(series: &Series, until: usize, light: &[usize], top: &[usize]) -> Vec<usize> {
    let mean_ns = |seconds: &[usize]| series.mean_latency_ns(seconds).unwrap_or(0.0);
    let (calm, high) = (mean_ns(light), mean_ns(top));
    let Some(last) = top.last() else { return Vec::new() };
    let bar = calm + (high - calm).max(calm) / 2.0;
    (last + 1..until).take_while(|s| mean_ns(&[*s]) >= bar).filter(|s| !light.contains(s)).collect()
}

/// The highest mean over some seconds in a row; a gap between measured phases is no part of any.
fn tested_rate(started: &[f64], within: &[usize]) -> Option<f64> {
    let runs = within.chunk_by(|a, b| a + 1 == *b);
    let means = runs.flat_map(|run| {
        let width = TESTED_OVER_S.min(run.len()).max(1);
        run.windows(width).map(|seconds| mean(started, seconds))
    });
    let highest = means.fold(0.0, f64::max);
    (highest > 0.0).then_some(highest)
}

/// Fewer seconds than this are no level.
pub(crate) const LEVEL_S: usize = 2;

/// No level is wider than this part of the highest rate.
const WIDEST: f64 = 0.2;
/// The work of the peak is gone when requests take less than this many times what they do at light load.
const CALM: f64 = 1.5;

/// Seconds of about the same rate: a level of the load curve.
pub(crate) struct Level {
    pub(crate) seconds: Vec<usize>,
    pub(crate) rate: f64,
}

impl Level {
    fn new(series: &Series, seconds: Vec<usize>) -> Self {
        Self { rate: mean(&series.offered, &seconds), seconds }
    }
}

/// Cuts the seconds of the load into at most `count` levels of rising rate, each a range of rates of the same
/// width; those of too few seconds are left out.
pub(crate) fn levels(series: &Series, windows: &Windows, count: usize) -> Vec<Level> {
    let filled = bins(windows, count, |_| true).into_iter().filter(|seconds| seconds.len() >= LEVEL_S);
    filled.map(|seconds| Level::new(series, seconds)).collect()
}

/// The same without the seconds after the peak in which its work was still there: their rate is not what made them
/// slow. Ranges of too few seconds are put together with the next ones: a short climb has one second of each rate.
pub(crate) fn steady(series: &Series, windows: &Windows, count: usize) -> Vec<Level> {
    let left_over = left_over(series, windows);
    levels_of(series, windows, count, |s| !left_over.contains(&s))
}

/// The same of the way up: what comes after the peak may still suffer from it.
pub(crate) fn rising(series: &Series, windows: &Windows, count: usize) -> Vec<Level> {
    let last = windows.top.last().copied().unwrap_or(0);
    levels_of(series, windows, count, |s| s <= last)
}

fn levels_of(series: &Series, windows: &Windows, count: usize, stays: impl Fn(usize) -> bool) -> Vec<Level> {
    let together = together(bins(windows, count, stays));
    together.into_iter().map(|seconds| Level::new(series, seconds)).collect()
}

/// The seconds that stay, by ranges of the rate of the same width.
fn bins(windows: &Windows, count: usize, stays: impl Fn(usize) -> bool) -> Vec<Vec<usize>> {
    let mut out: Vec<Vec<usize>> = vec![Vec::new(); count];
    let highest = windows.smooth.iter().copied().fold(0.0, f64::max);
    if highest <= 0.0 {
        return out;
    }
    let skip = usize::try_from(WARM_UP_S).unwrap_or(0).min(windows.smooth.len());
    let seconds = windows.smooth.iter().enumerate().skip(skip);
    for (s, rate) in seconds.filter(|(s, _)| stays(*s) && !windows.left_out.contains(s)) {
        let level = ((rate / highest * count as f64) as usize).min(count - 1);
        out[level].push(s);
    }
    out
}

/// Puts bins of too few seconds together with those above them, within [`WIDEST`]; what is too short by itself even so
/// is left out.
fn together(bins: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    let reach = ((bins.len() as f64 * WIDEST) as usize).max(1);
    let mut out = Vec::new();
    let (mut open, mut from) = (Vec::new(), 0);
    for (at, seconds) in bins.into_iter().enumerate().filter(|(_, seconds)| !seconds.is_empty()) {
        // What is a level by itself is not blurred.
        if seconds.len() >= LEVEL_S || at - from >= reach {
            open.clear();
        }
        if open.is_empty() {
            from = at;
        }
        open.extend(seconds);
        if open.len() >= LEVEL_S {
            open.sort_unstable();
            out.push(std::mem::take(&mut open));
        }
    }
    out
}

/// The seconds right behind the peak whose requests took longer than at light load.
fn left_over(series: &Series, windows: &Windows) -> Range<usize> {
    let from = windows.top.last().map_or(series.load, |last| last + 1);
    let Some(calm_ns) = series.mean_latency_ns(&windows.light) else { return from..from };
    let slow = |s: &usize| series.mean_latency_ns(&[*s]).is_some_and(|ns| ns > CALM * calm_ns);
    from..(from..series.load).find(|s| !slow(s)).unwrap_or(series.load.max(from))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn single_seconds_are_put_together_with_their_neighbours_only() {
        let of = |bins: &[&[usize]]| together(bins.iter().map(|bin| bin.to_vec()).collect());
        // Ten bins: two next to each other are within a fifth.
        let climb: [&[usize]; 10] = [&[0, 1], &[], &[2], &[3], &[4], &[], &[5], &[6], &[], &[7, 8, 9]];
        assert_eq!(of(&climb), [vec![0, 1], vec![2, 3], vec![5, 6], vec![7, 8, 9]]);
        let up_and_down: [&[usize]; 10] = [&[0, 9], &[8], &[1], &[], &[], &[], &[], &[], &[2], &[3, 4, 5]];
        assert_eq!(of(&up_and_down), [vec![0, 9], vec![1, 8], vec![3, 4, 5]]);
    }

    proptest! {
        #[test]
        fn levels_rise_and_no_second_is_in_two(rates in prop::collection::vec(0_usize..20, 0..60)) {
            let mut bins = vec![Vec::new(); 20];
            rates.iter().enumerate().for_each(|(s, rate)| bins[*rate].push(s));
            let found = together(bins);
            let bounds = |seconds: &Vec<usize>| {
                let of = || seconds.iter().map(|s| rates[*s]);
                (of().min().unwrap(), of().max().unwrap())
            };
            prop_assert!(found.iter().all(|seconds| seconds.len() >= LEVEL_S && seconds.is_sorted()));
            prop_assert!(found.iter().map(bounds).all(|(low, high)| high - low < 4));
            prop_assert!(found.windows(2).all(|two| bounds(&two[0]).1 < bounds(&two[1]).0));
        }
    }
}
