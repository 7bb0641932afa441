//! How throughput follows what is in progress, level by level of the load.

use peakdrill_drill_model::verdict::Estimate;

use crate::analyse::resample::{Resample, block_of, interval};
use crate::analyse::windows::Level;
use crate::analysis::{Coefficients, Peak, Scaling};
use crate::laws::Law;
use crate::usl::Usl;

/// Most resamples that are looked at for a peak: each fits four laws.
const RESAMPLES_MAX: usize = 60;
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
    let Law::Usl { sigma, kappa, .. } = law else {
        return Some(Scaling { law, peak: None, coefficients: None });
    };
    let drawn: Vec<Vec<(f64, f64)>> = (0..resamples)
        .map(|_| levels.iter().map(|level| of(&draws.pick(&level.seconds))).collect())
        .collect();
    let by = widening(levels);
    Some(Scaling { law, peak: peak(&law, &drawn, by), coefficients: coefficients(sigma, kappa, &drawn, by) })
}

/// An estimate and the interval of what was drawn.
fn around(estimate: f64, drawn: Vec<f64>) -> Option<Estimate> {
    let (low, high) = interval(drawn)?;
    let (low, high) = (low.min(estimate), high.max(estimate));
    Some(Estimate { estimate: Some(estimate), low: Some(low), high: Some(high) })
}

/// Where the law has its peak, where hardly any of the drawn points speak for a law without one.
fn peak(law: &Law, drawn: &[Vec<(f64, f64)>], by: f64) -> Option<Peak> {
    let (at, per_s) = law.peak()?;
    let looked_at = drawn.len().min(RESAMPLES_MAX);
    let peaks = drawn.iter().take(looked_at).filter_map(|points| Law::of(points)?.peak());
    let (ats, rates): (Vec<f64>, Vec<f64>) = peaks.unzip();
    let sure = ats.len() as f64 >= SURE * looked_at as f64;
    let (peak_at, peak_per_s) = around(at, ats).zip(around(per_s, rates)).filter(|_| sure)?;
    Some(Peak { peak_at: widened(peak_at, by), peak_per_s: widened(peak_per_s, by) })
}

/// Of few blocks in a level, draws with replacement vary less than the blocks do: by (blocks − 1) / blocks in the
/// variance. What is drawn stands so much closer to the estimate than the truth does: by the mean over the levels.
fn widening(levels: &[Level]) -> f64 {
    let of = |level: &Level| {
        let seconds = level.seconds.len();
        let blocks = seconds.div_ceil(block_of(seconds)).max(2) as f64;
        blocks / (blocks - 1.0)
    };
    (levels.iter().map(of).sum::<f64>() / levels.len().max(1) as f64).sqrt()
}

fn widened(Estimate { estimate, low, high }: Estimate, by: f64) -> Estimate {
    let away = |bound: Option<f64>| bound.zip(estimate).map(|(bound, from)| from + by * (bound - from));
    // Nothing of this is negative.
    Estimate { estimate, low: away(low).map(|low| low.max(0.0)), high: away(high) }
}

/// The coefficients, whatever law the drawn points speak for: how sure they are if the law is this one.
fn coefficients(sigma: f64, kappa: f64, drawn: &[Vec<(f64, f64)>], by: f64) -> Option<Coefficients> {
    let fits = drawn.iter().filter_map(|points| Usl::fit(points, None));
    let (sigmas, kappas): (Vec<f64>, Vec<f64>) = fits.map(|fit| (fit.sigma, fit.kappa)).unzip();
    let (contention, coherence) = (around(sigma, sigmas)?, around(kappa, kappas)?);
    Some(Coefficients { contention: widened(contention, by), coherence: widened(coherence, by) })
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Ten levels of twelve seconds under a law, each second off by chance: what is in progress and what gets done.
    fn measured(truth: Usl, seed: u64) -> Option<Scaling> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // About normal, of mean 0 and standard deviation 1.
        let mut chance = || (0..12).map(|_| rng.random_range(0.0..1.0)).sum::<f64>() - 6.0;
        let seconds: Vec<(f64, f64)> = (0..120)
            .map(|s| {
                let n = 8.0 * f64::from(1 + s / 12) * (1.0 + 0.02 * chance());
                (n, truth.throughput(n) * (1.0 + 0.03 * chance()))
            })
            .collect();
        let levels: Vec<Level> =
            (0..10).map(|i| Level { rate: i as f64, seconds: (12 * i..12 * i + 12).collect() }).collect();
        let of = |at: &[usize]| {
            let (n, x) = at.iter().fold((0.0, 0.0), |(n, x), s| (n + seconds[*s].0, x + seconds[*s].1));
            (n / at.len() as f64, x / at.len() as f64)
        };
        scaling(of, &levels, 400, Resample::new(seed, 1))
    }

    #[test]
    fn the_intervals_of_contention_and_coherence_cover_the_truth() {
        let truth = Usl { gamma: 20.0, sigma: 0.04, kappa: 6e-4 };
        let covers = |of: Estimate, truth: f64| {
            let (low, high) = (of.low.unwrap(), of.high.unwrap());
            assert!(low < high && of.estimate.is_some_and(|e| (low..=high).contains(&e)), "{of:?}");
            (low..=high).contains(&truth)
        };
        let (mut runs, mut sigmas, mut kappas) = (0, 0, 0);
        for found in (0..100).filter_map(|seed| measured(truth, seed)?.coefficients) {
            runs += 1;
            sigmas += usize::from(covers(found.contention, truth.sigma));
            kappas += usize::from(covers(found.coherence, truth.kappa));
        }
        println!("{runs} {sigmas} {kappas}");
        assert!(runs >= 95 && sigmas >= 88 && kappas >= 88, "{runs} {sigmas} {kappas}");
    }

    #[test]
    fn the_fewer_blocks_the_wider() {
        let of = |seconds: usize| widening(&[Level { rate: 1.0, seconds: (0..seconds).collect() }]);
        let about = |seconds: usize, by: f64| (of(seconds).powi(2) - by).abs() < 1e-9;
        assert!(about(2, 2.0) && about(3, 1.5) && about(12, 4.0 / 3.0) && about(600, 60.0 / 59.0));
        assert!(of(1).is_finite() && widening(&[]).is_finite());
    }

    #[test]
    fn only_the_scalability_law_has_coefficients() {
        let line = measured(Usl { gamma: 20.0, sigma: 0.0, kappa: 0.0 }, 1).unwrap();
        assert_eq!((line.peak, line.coefficients), (None, None), "{line:?}");
        let text = serde_json::to_string(&line).unwrap();
        assert!(!text.contains("contention"), "{text}");
        let usl = measured(Usl { gamma: 20.0, sigma: 0.04, kappa: 6e-4 }, 1).unwrap();
        assert_eq!(serde_json::from_str::<Scaling>(&serde_json::to_string(&usl).unwrap()).unwrap(), usl);
    }
}
