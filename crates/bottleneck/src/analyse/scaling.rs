//! How throughput follows what is in progress, level by level of the load.

use peakdrill_drill_model::verdict::Estimate;

use crate::analyse::resample::{Resample, interval};
use crate::analyse::windows::Level;
use crate::analysis::Scaling;
use crate::laws::Law;

/// Most resamples: each fits four laws.
const RESAMPLES_MAX: u32 = 60;
/// Of the resamples, the part that must have a peak.
const SURE: f64 = 0.975;

/// Operations in progress and throughput a second over some seconds.
pub(crate) trait Measured {
    /// `None` where nothing is known of them.
    fn over(&self, seconds: &[usize]) -> Option<(f64, f64)>;
}

impl<F: Fn(&[usize]) -> Option<(f64, f64)>> Measured for F {
    fn over(&self, seconds: &[usize]) -> Option<(f64, f64)> {
        self(seconds)
    }
}

/// The law that the levels speak for, and where throughput has its peak if it has one within what was measured.
pub(crate) fn scaling(
    of: &impl Measured,
    levels: &[Level],
    resamples: u32,
    mut draws: Resample,
) -> Option<Scaling> {
    let points: Vec<(f64, f64)> = levels.iter().filter_map(|level| of.over(&level.seconds)).collect();
    let law = Law::of(&points)?;
    let none = Scaling { law, peak_at: None, peak_per_s: None };
    let most = points.iter().map(|(n, _)| *n).fold(0.0, f64::max);
    // A peak beyond what was measured is none.
    let Some((at, per_s)) = law.peak().filter(|(at, _)| *at < most) else { return Some(none) };
    let resamples = resamples.min(RESAMPLES_MAX);
    let drawn = (0..resamples).filter_map(|_| {
        let points: Vec<(f64, f64)> =
            levels.iter().filter_map(|level| of.over(&draws.seconds(&level.seconds))).collect();
        Law::of(&points)?.peak().filter(|(at, _)| *at < most)
    });
    let (ats, rates): (Vec<f64>, Vec<f64>) = drawn.unzip();
    if (ats.len() as f64) < SURE * f64::from(resamples) {
        return Some(none);
    }
    let around = |estimate: f64, drawn: Vec<f64>| {
        let (low, high) = interval(drawn)?;
        let (low, high) = (low.min(estimate), high.max(estimate));
        Some(Estimate { estimate: Some(estimate), low: Some(low), high: Some(high) })
    };
    Some(Scaling { law, peak_at: around(at, ats), peak_per_s: around(per_s, rates) })
}
