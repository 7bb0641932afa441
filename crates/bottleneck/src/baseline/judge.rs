//! From what was measured to what follows.

use peakdrill_drill_model::comparison::Quantity;
use peakdrill_drill_model::verdict::Judgement;

use super::{ERRORS_WIDE, Measured};

/// Part of the comparisons called worse that may be so by chance alone: the tail of a 95 % interval on the side of worse.
const FALSE_MAX: f64 = 0.025;

/// Why it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The whole interval is over the limit.
    Worse,
    /// So it is, and yet of so many comparisons one like it is to be expected.
    OneOfMany,
    /// None of the interval is over the limit.
    Within,
    /// It is not shown to be worse, and the interval is narrow enough to have shown it.
    NotShown,
    /// The interval is too wide to tell.
    Wide,
}

impl Why {
    /// The verdict.
    #[must_use]
    pub fn verdict(self) -> Judgement {
        match self {
            Self::Worse => Judgement::Fail,
            Self::Within | Self::NotShown => Judgement::Pass,
            Self::OneOfMany | Self::Wide => Judgement::Inconclusive,
        }
    }
}

/// Judges all comparisons of two runs together.
///
/// One fails when the low end of its interval is over the limit and it is among those that the procedure of Benjamini and
/// Hochberg (Journal of the Royal Statistical Society B 57, 1995, 289) picks out: of all that fail, at most one in forty is
/// to do so by chance, however many are compared.
#[must_use]
pub fn judge(measured: &[&Measured], tolerance: f64) -> Vec<Why> {
    let picked = picked(measured.iter().map(|one| one.p(tolerance)));
    measured.iter().map(|one| why(one, tolerance, one.p(tolerance) <= picked)).collect()
}

fn why(one: &Measured, tolerance: f64, is_picked: bool) -> Why {
    let limit = one.limit(tolerance);
    let (low, high) = (one.effect.low, one.effect.high);
    let is_wide = match one.quantity {
        Quantity::Errors => high - low > (2.0 * tolerance * one.baseline).max(ERRORS_WIDE),
        _ => high.exp() - low.exp() > 2.0 * tolerance,
    };
    match (low > limit, high <= limit) {
        (true, _) if is_picked => Why::Worse,
        (true, _) => Why::OneOfMany,
        (_, true) => Why::Within,
        _ if is_wide => Why::Wide,
        _ => Why::NotShown,
    }
}

/// The largest p that is picked out.
fn picked(all: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = all.collect();
    sorted.sort_by(f64::total_cmp);
    let share = FALSE_MAX / sorted.len().max(1) as f64;
    let is_low = |(at, p): &(usize, &f64)| **p <= (at + 1) as f64 * share;
    sorted.iter().enumerate().rfind(is_low).map_or(-1.0, |(_, p)| *p)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::Effect;

    /// The example of Benjamini and Hochberg's paper, section 4.1: at 5 % the four smallest of fifteen.
    #[test]
    fn as_many_are_picked_as_in_the_paper() {
        let all = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
            0.6528, 0.7590, 1.0,
        ];
        // Half of each, at half of the rate.
        assert_eq!(picked(all.iter().rev().map(|p| p / 2.0)), 0.0095 / 2.0);
        assert_eq!(picked(all.iter().map(|p| p.max(0.5))), -1.0);
        assert_eq!(picked(std::iter::empty()), -1.0);
    }

    #[test]
    fn what_follows_depends_on_the_interval() {
        let one = |quantity, low: f64, high: f64, spread: f64| Measured {
            quantity,
            baseline: 0.01,
            run: 0.01,
            effect: Effect { estimate: f64::midpoint(low, high), low, high, spread, freedom: 40.0 },
            windows: 60,
            second_opinion: None,
        };
        let ratio = |low: f64, high: f64, spread| one(Quantity::P99, low.ln(), high.ln(), spread);
        for (measured, wanted) in [
            (ratio(1.06, 1.4, 0.03), Why::Worse),
            (ratio(1.06, 1.4, 0.2), Why::OneOfMany),
            (ratio(0.5, 1.04, 0.2), Why::Within),
            (ratio(0.98, 1.07, 0.02), Why::NotShown),
            (ratio(0.94, 1.07, 0.03), Why::Wide),
            (one(Quantity::Errors, 0.002, 0.02, 0.003), Why::Worse),
            (one(Quantity::Errors, -0.004, 0.0009, 0.001), Why::Within),
            (one(Quantity::Errors, -0.001, 0.004, 0.001), Why::NotShown),
            (one(Quantity::Errors, -0.004, 0.007, 0.002), Why::Wide),
        ] {
            assert_eq!(judge(&[&measured], 0.05), [wanted], "{measured:?}");
        }
    }
}
