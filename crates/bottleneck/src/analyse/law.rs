//! Capacity of a node that was never full: from the bend of its time against the rate, when it bends.

use crate::analyse::common::Common;
use crate::analyse::resample::{Resample, interval};
use crate::analyse::series::NodeSeries;
use crate::analyse::windows::{Level, Windows};
use crate::laws::{FEW_POINTS, SERVERS, aicc};

/// Levels of load that the curve is read at, at most.
pub(crate) const LEVELS: usize = 10;
/// Fewer levels than this fit any curve.
const FEW_LEVELS: usize = FEW_POINTS;
/// The node's time at the highest level must be above that at the lowest by this factor.
const BENT: f64 = 1.3;
/// And by this, in nanoseconds: less is noise.
const BENT_NS: f64 = 1_000_000.0;
/// Capacities that are tried, as parts of the highest tested rate.
const TRIED: (f64, f64, usize) = (1.02, 4.0, 60);
/// Above this part of the highest tested rate a capacity is no number any more.
pub(super) const BEYOND: f64 = 1.5;
/// Above this part of it, the upper end of the interval says that nothing is known.
const UNKNOWN: f64 = 2.0;

/// A point of the curve: rate of journeys, and the node's time an operation in nanoseconds.
type Point = (f64, f64);

/// `R = S / (1 − (λ/λ*)^m)`, Sakasegawa's and Bolch's form for m servers, by least squares over a grid of λ*
/// and m; S follows in closed form. Gives λ* and the sum of squares.
fn fit_law(points: &[Point], tested: f64) -> Option<(f64, f64)> {
    let (from, to, count) = TRIED;
    let ratio = (to / from).powf(1.0 / (count - 1) as f64);
    let capacities = (0..count).map(|i| tested * from * ratio.powi(i as i32));
    let mut best: Option<(f64, f64)> = None;
    for capacity in capacities {
        for m in SERVERS {
            let shape: Vec<f64> =
                points.iter().map(|(rate, _)| 1.0 / (1.0 - (rate / capacity).powi(m))).collect();
            let cross: f64 = shape.iter().zip(points).map(|(x, (_, y))| x * y).sum();
            let square: f64 = shape.iter().map(|x| x * x).sum();
            let s = cross / square;
            let rest: f64 = shape.iter().zip(points).map(|(x, (_, y))| (y - s * x).powi(2)).sum();
            if rest.is_finite() && best.is_none_or(|(_, least)| rest < least) {
                best = Some((capacity, rest));
            }
        }
    }
    best
}

/// The sum of squares about a straight line.
fn fit_line(points: &[Point]) -> f64 {
    let n = points.len() as f64;
    let (mx, my) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let sxx: f64 = points.iter().map(|p| (p.0 - mx).powi(2)).sum();
    let sxy: f64 = points.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum();
    let slope = if sxx > 0.0 { sxy / sxx } else { 0.0 };
    points.iter().map(|p| (p.1 - my - slope * (p.0 - mx)).powi(2)).sum()
}

fn points(
    node: &NodeSeries,
    levels: &[Level],
    mut seconds_of: impl FnMut(&Level) -> Vec<usize>,
) -> Vec<Point> {
    levels.iter().filter_map(|l| Some((l.rate, node.mean_own_ns(&seconds_of(l))?))).collect()
}

/// The capacity of a node in journeys a second with its 95 % interval, when its curve bends towards one that
/// is near enough to the tested rates; `None`: no knee up to them. What all nodes became slower by is no bend.
pub(crate) fn knee(
    node: &NodeSeries,
    levels: &[Level],
    windows: &Windows,
    common: &Common,
    resamples: u32,
    mut draws: Resample,
) -> Option<(f64, f64, f64)> {
    let tested = windows.tested?;
    let curve = points(node, levels, |l| l.seconds.clone());
    let (first, last) = (curve.first()?, curve.last()?);
    if curve.len() < FEW_LEVELS || last.1 < BENT * first.1 || last.1 - first.1 < BENT_NS + common.slower_ns {
        return None;
    }
    let highest = curve.iter().map(|p| p.0).fold(tested, f64::max);
    let (capacity, rest) = fit_law(&curve, highest)?;
    // Parameters with the variance: S, m, λ*; slope, intercept.
    if aicc(rest, curve.len(), 4.0) >= aicc(fit_line(&curve), curve.len(), 3.0) {
        return None;
    }
    let drawn = (0..resamples.min(100)).filter_map(|_| {
        let curve = points(node, levels, |l| draws.pick(&l.seconds));
        fit_law(&curve, highest).map(|(capacity, _)| capacity)
    });
    let (low, high) = interval(drawn.collect())?;
    let known = capacity <= BEYOND * tested && high <= UNKNOWN * tested;
    known.then(|| (capacity, low.min(capacity * 0.97), high.max(capacity * 1.03)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_law_finds_its_own_capacity() {
        let curve: Vec<Point> = (1..=9)
            .map(|i| {
                let rate = f64::from(i) * 10.0;
                (rate, 5e6 / (1.0 - (rate / 100.0).powi(4)))
            })
            .collect();
        let (capacity, rest) = fit_law(&curve, 90.0).unwrap();
        assert!((capacity - 100.0).abs() < 3.0, "{capacity}");
        assert!(aicc(rest, curve.len(), 4.0) < aicc(fit_line(&curve), curve.len(), 3.0));
    }

    #[test]
    fn a_line_stays_a_line() {
        let curve: Vec<Point> = (1..=9).map(|i| (f64::from(i), 5e6 + f64::from(i) * 1e5)).collect();
        let (_, rest) = fit_law(&curve, 9.0).unwrap();
        assert!(aicc(rest, curve.len(), 4.0) > aicc(fit_line(&curve), curve.len(), 3.0));
    }
}
