//! How throughput follows what is in progress, level by level of the load.

use peakdrill_drill_model::verdict::Estimate;

use crate::analyse::resample::{Resample, interval};
use crate::analyse::windows::Level;
use crate::analysis::{Peak, Scaling};
use crate::laws::Law;

/// Most resamples: each fits four laws.
const RESAMPLES_MAX: u32 = 60;
/// Of the resamples, the part that must have a peak.
const SURE: f64 = 0.975;

/// The law that the levels speak for, and where throughput has its peak if it surely has one. `of`: operations in
/// progress and throughput a second over some seconds.
pub(crate) fn scaling(
    of: impl Fn(&[usize]) -> (f64, f64),
    levels: &[Level],
    resamples: u32,
    mut draws: Resample,
) -> Option<Scaling> {
    let points: Vec<(f64, f64)> = levels.iter().map(|level| of(&level.seconds)).collect();
    let law = Law::of(&points)?;
    let Some((at, per_s)) = law.peak() else { return Some(Scaling { law, peak: None }) };
    let resamples = resamples.min(RESAMPLES_MAX);
    let drawn = (0..resamples).filter_map(|_| {
        let points: Vec<(f64, f64)> = levels.iter().map(|level| of(&draws.pick(&level.seconds))).collect();
        Law::of(&points)?.peak()
    });
    let (ats, rates): (Vec<f64>, Vec<f64>) = drawn.unzip();
    let sure = ats.len() as f64 >= SURE * f64::from(resamples);
    let around = |estimate: f64, drawn: Vec<f64>| {
        let (low, high) = interval(drawn)?;
        let (low, high) = (low.min(estimate), high.max(estimate));
        Some(Estimate { estimate: Some(estimate), low: Some(low), high: Some(high) })
    };
    let peak = around(at, ats).zip(around(per_s, rates)).filter(|_| sure);
    Some(Scaling { law, peak: peak.map(|(peak_at, peak_per_s)| Peak { peak_at, peak_per_s }) })
}
