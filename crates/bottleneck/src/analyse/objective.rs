//! Up to which rate the requests kept to an objective.

use peakdrill_drill_model::verdict::Estimate;

use crate::analyse::Facts;
use crate::analyse::resample::{Resample, interval};
use crate::analyse::series::is_load;
use crate::analyse::windows::Level;
use crate::analysis::{Objective, Question};
use crate::key::Entry;

/// Fewer requests than this at a level say nothing of it.
const FEW: f64 = 30.0;
/// Levels that lie further apart than this part of the higher rate: where between them is anybody's guess.
const APART: f64 = 0.25;
/// Of the resamples, the part that may miss an end of the interval.
const MISSED: f64 = 0.025;

/// Requests of one second: how many, and how many failed at the objective.
pub(crate) type Kept = Vec<(f64, f64)>;

/// Per second of the load, the requests that an objective is about.
pub(crate) fn kept(facts: &Facts<'_>, objective: &Objective) -> Kept {
    let mut out = vec![(0.0, 0.0); facts.series.load];
    let (class, with_steps) = (facts.series.class, facts.series.with_steps);
    let about = |entry: &Entry| match entry {
        Entry::Step(step) => objective.steps.is_empty() || objective.steps.contains(step),
        Entry::Op(_) => objective.steps.is_empty() && is_load(entry, class, with_steps),
    };
    let roots = facts.cells.roots.iter();
    for (_, seconds) in roots.filter(|((entry, of), _)| *of == class && about(entry)) {
        for (second, cell) in seconds {
            let Some(sum) = usize::try_from(*second).ok().and_then(|at| out.get_mut(at)) else { continue };
            sum.0 += cell.count as f64;
            sum.1 += match objective.asks {
                Question::WithinNs(limit) => cell.latency.count_above(limit) as f64,
                Question::Succeed => cell.errors as f64,
            };
        }
    }
    out
}

/// Where the part that fails goes beyond what is allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Crossing {
    /// Already at the lowest level.
    Before,
    /// Between the rates of two levels: that of the last which kept to it, where between them, that of the next.
    At(f64, f64, f64),
    /// At none.
    Beyond,
}

/// A level: its rate, its requests, and those that failed at the objective.
type Point = (f64, f64, f64);

/// The rate up to which requests keep to an objective: estimate and 95 % interval; only a lower end where they do at
/// every level, only an upper one where they do at none; no estimate where nothing near it was tested. `None` where too few
/// requests are known. `levels`: each with whether it is not kept at it, whatever its requests say.
pub(crate) fn crossing(
    kept: &Kept,
    share: f64,
    levels: &[(&Level, bool)],
    resamples: u32,
    mut draws: Resample,
) -> Option<Estimate> {
    let known = levels.iter().filter(|(level, _)| sum(kept, &level.seconds).0 >= FEW);
    let levels: Vec<(&Level, bool)> = known.copied().collect();
    let (first, last) = (levels.first()?.0.rate, levels.last()?.0.rate);
    let mut points = |drawn: bool| -> Vec<Point> {
        let point = |(level, over): &(&Level, bool)| {
            let (all, bad) =
                if drawn { sum(kept, &draws.pick(&level.seconds)) } else { sum(kept, &level.seconds) };
            (level.rate, all, if *over { all } else { bad })
        };
        levels.iter().map(point).collect()
    };
    let (estimate, between) = match find(&points(false), share) {
        Crossing::Before => return Some(Estimate { high: Some(first), ..Estimate::default() }),
        Crossing::Beyond => return Some(Estimate { low: Some(last), ..Estimate::default() }),
        Crossing::At(low, estimate, high) => (estimate, (low, high)),
    };
    let rates: Vec<Option<f64>> = (0..resamples)
        .map(|_| match find(&points(true), share) {
            Crossing::Before => Some(first),
            Crossing::At(_, rate, _) => Some(rate),
            Crossing::Beyond => None,
        })
        .collect();
    let beyond = rates.iter().filter(|rate| rate.is_none()).count() as f64;
    let (low, high) = interval(rates.into_iter().flatten().collect()).unwrap_or(between);
    // Between two levels nothing was measured: the interval holds all of that.
    Some(Estimate {
        estimate: (between.1 - between.0 <= APART * between.1).then_some(estimate),
        low: Some(low.min(between.0)),
        high: (beyond <= MISSED * f64::from(resamples)).then(|| high.max(between.1)),
    })
}

fn sum(kept: &Kept, seconds: &[usize]) -> (f64, f64) {
    let of = seconds.iter().filter_map(|s| kept.get(*s));
    of.fold((0.0, 0.0), |(all, bad), (more, more_bad)| (all + more, bad + more_bad))
}

/// By isotonic regression (pool adjacent violators): at a higher rate no smaller part fails.
fn find(points: &[Point], share: f64) -> Crossing {
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for (_, all, bad) in points {
        pools.push((*all, *bad, 1));
        while let [.., (n0, b0, c0), (n1, b1, c1)] = pools[..]
            && b0 * n1 >= b1 * n0
        {
            pools.truncate(pools.len() - 2);
            pools.push((n0 + n1, b0 + b1, c0 + c1));
        }
    }
    let parts: Vec<f64> = pools
        .iter()
        .flat_map(|(n, bad, count)| std::iter::repeat_n(if *n > 0.0 { bad / n } else { 0.0 }, *count))
        .collect();
    let Some(next) = parts.iter().position(|part| *part > share) else { return Crossing::Beyond };
    let Some(last) = next.checked_sub(1) else { return Crossing::Before };
    let (low, high) = (points[last].0, points[next].0);
    let place = (share - parts[last]) / (parts[next] - parts[last]);
    Crossing::At(low, low + (high - low) * place.clamp(0.0, 1.0), high)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn level(rate: f64, from: usize) -> Level {
        Level { seconds: (from..from + 10).collect(), rate }
    }

    fn within(kept: &Kept, share: f64, levels: &[Level]) -> Option<Estimate> {
        let levels: Vec<(&Level, bool)> = levels.iter().map(|level| (level, false)).collect();
        crossing(kept, share, &levels, 50, Resample::new(1, 1))
    }

    proptest! {
        #[test]
        fn the_rate_lies_between_the_levels_that_say_so(fails in 1_usize..10, share in 0.001..0.1) {
            // Levels of 10/s more each; from `fails` on, ten times the allowed part fails.
            let levels: Vec<Level> = (0..10).map(|i| level(10.0 * (i + 1) as f64, i * 10)).collect();
            let second = |s: usize| (1000.0, if s / 10 >= fails { 1000.0 * share * 10.0 } else { 0.0 });
            let kept: Kept = (0..100).map(second).collect();
            let found = within(&kept, share, &levels).unwrap();
            let (low, high) = (10.0 * fails as f64, 10.0 * (fails + 1) as f64);
            prop_assert_eq!((found.low, found.high), (Some(low), Some(high)));
            prop_assert!(found.estimate.is_none_or(|at| (low..=high).contains(&at)), "{:?}", found);
            prop_assert_eq!(found.estimate.is_some(), fails >= 3);
        }

        #[test]
        fn parts_never_fall_with_the_rate(bad in prop::collection::vec(0.0..100.0, 1..12), share in 0.0..1.0) {
            let points: Vec<Point> = bad.iter().enumerate().map(|(i, b)| (i as f64, 100.0, *b)).collect();
            // The last level alone decides whether any is too bad once all are pooled towards rising parts.
            let all = bad.iter().sum::<f64>() / (100.0 * bad.len() as f64);
            match find(&points, share) {
                Crossing::Before => prop_assert!(all > share),
                Crossing::Beyond => prop_assert!(all <= share),
                Crossing::At(low, at, high) => prop_assert!(low <= at && at <= high && high - low <= 1.0),
            }
        }
    }

    #[test]
    fn a_rate_at_which_work_piles_up_is_not_kept() {
        let levels: Vec<Level> = (0..10).map(|i| level(100.0 + 10.0 * i as f64, i * 10)).collect();
        let good: Kept = vec![(100.0, 0.0); 100];
        let over: Vec<(&Level, bool)> = levels.iter().map(|level| (level, level.rate > 145.0)).collect();
        let found = crossing(&good, 0.01, &over, 50, Resample::new(1, 1)).unwrap();
        assert_eq!((found.low, found.high), (Some(140.0), Some(150.0)));
    }

    #[test]
    fn all_or_none_that_keep_to_it_give_one_end() {
        let levels = [level(10.0, 0), level(20.0, 10)];
        let good: Kept = vec![(100.0, 0.0); 20];
        let open = within(&good, 0.01, &levels).unwrap();
        assert_eq!((open.low, open.estimate, open.high), (Some(20.0), None, None));
        let bad: Kept = vec![(100.0, 50.0); 20];
        let below = within(&bad, 0.01, &levels).unwrap();
        assert_eq!((below.low, below.estimate, below.high), (None, None, Some(10.0)));
        assert_eq!(within(&vec![(1.0, 0.0); 20], 0.01, &levels), None);
    }
}
