//! Where the system stops holding, by each definition that can be measured.

use peakdrill_drill_model::verdict::{Estimate, Knee, KneeBy};

use crate::analyse::Facts;
use crate::analyse::judge::{Finding, PLATEAU, inner, plateau};
use crate::analyse::objective::{crossing, kept};
use crate::analyse::resample::{Resample, interval};
use crate::analyse::scaling::scaling;
use crate::analyse::series::mean;
use crate::analyse::windows::{Level, steady};
use crate::analyse::words::rate;
use crate::analysis::{Peak, Question};

/// Levels that an objective is looked at on: more than for a curve, since nothing is known between two of them.
const LEVELS: usize = 20;
/// Standard errors of a count that chance explains.
const CHANCE: f64 = 2.0;
/// Objectives that are looked at.
const OBJECTIVES_MAX: usize = 64;
/// Resamples of an objective, at most.
const RESAMPLES_MAX: u32 = 200;
/// Separates the draws of these estimates from others.
const DRAWS: u64 = 1 << 32;

/// All of them, the smallest rate first; those that were not reached come last.
pub(crate) fn knees(facts: &Facts<'_>, findings: &[Finding]) -> Vec<Knee> {
    let levels = steady(facts.series, facts.windows, LEVELS);
    let mut out = objectives(facts, &levels);
    if facts.capacities {
        out.extend(capacity(facts, findings));
        out.extend(throughput(facts));
        out.extend(peak(facts, &levels));
    }
    let place = |knee: &Knee| knee.per_s.estimate.or(knee.per_s.high).unwrap_or(f64::INFINITY);
    out.sort_by(|a, b| place(a).total_cmp(&place(b)).then(a.by.cmp(&b.by)));
    out
}

fn objectives(facts: &Facts<'_>, levels: &[Level]) -> Vec<Knee> {
    let settings = &facts.input.settings;
    let over: Vec<bool> = levels.iter().map(|level| piled_up(facts, level)).collect();
    let asked = facts.input.objectives.iter().take(OBJECTIVES_MAX).enumerate();
    asked
        .filter_map(|(i, objective)| {
            let resamples = settings.resamples.min(RESAMPLES_MAX);
            let draws = Resample::new(settings.seed, DRAWS + 1 + i as u64);
            let kept = kept(facts, objective);
            // What waits is late in the end, however quick requests still were; it need not fail.
            let waits = matches!(objective.asks, Question::WithinNs(_));
            let levels: Vec<(&Level, bool)> =
                levels.iter().zip(&over).map(|(level, over)| (level, waits && *over)).collect();
            let per_s = crossing(&kept, objective.share, &levels, resamples, draws)?;
            let because = match (per_s.estimate, per_s.low, per_s.high) {
                (_, Some(low), Some(high)) => {
                    format!("kept up to {}, and not at {} any more", rate(low), rate(high))
                }
                (Some(_), Some(low), None) => format!("kept up to {} for sure", rate(low)),
                (None, Some(low), None) => format!("kept at every rate that was tested, up to {}", rate(low)),
                _ => format!("not even kept at the lowest rate, {}", rate(per_s.high?)),
            };
            Some(Knee { by: KneeBy::Objective, of: objective.text.clone(), per_s, because })
        })
        .collect()
}

/// Whether fewer journeys were finished at a level than were due to be, beyond chance: those that were offered as long
/// before as a request takes at light load.
fn piled_up(facts: &Facts<'_>, level: &Level) -> bool {
    let series = facts.series;
    let takes_s = series.mean_latency_ns(&facts.windows.light).unwrap_or(0.0) / 1e9;
    more_than_done(&series.offered, &series.finished, &level.seconds, takes_s)
}

/// What is offered and what is finished are no independent counts: over a second they differ by the change of what is in
/// flight, which is Poisson at either end, of the mean that Little's law gives.
fn more_than_done(offered: &[f64], finished: &[f64], seconds: &[usize], takes_s: f64) -> bool {
    let (whole, part) = (takes_s.trunc() as usize, takes_s.fract());
    let before =
        |s: usize, back: usize| s.checked_sub(back).and_then(|s| offered.get(s)).copied().unwrap_or(0.0);
    let due: f64 =
        seconds.iter().map(|s| (1.0 - part) * before(*s, whole) + part * before(*s, whole + 1)).sum();
    let n = seconds.len().max(1) as f64;
    let (due, rate, done) = (due / n, mean(offered, seconds), mean(finished, seconds));
    let by_chance = CHANCE * (2.0 * rate * takes_s / n).sqrt();
    due - done > ((1.0 - PLATEAU) * rate).max(by_chance)
}

/// The node that carries the least.
fn capacity(facts: &Facts<'_>, findings: &[Finding]) -> Option<Knee> {
    let known = findings.iter().filter_map(|f| Some((f, facts.capacity(f)?)));
    let (least, (estimate, low, high)) = known.min_by(|(_, a), (_, b)| a.0.total_cmp(&b.0))?;
    let name = &facts.series.nodes[least.at].key.name;
    let how =
        if least.saturation.is_some() { "it was full" } else { "its time or a resource of it bends there" };
    Some(Knee {
        by: KneeBy::Capacity,
        of: name.to_string(),
        per_s: Estimate { estimate: Some(estimate), low: Some(low), high: Some(high) },
        because: format!("of all nodes {name} carries the least: {how}"),
    })
}

/// What the whole system got done while more was offered.
fn throughput(facts: &Facts<'_>) -> Option<Knee> {
    let estimate = plateau(facts)?;
    let top = inner(&facts.windows.top);
    let mut draws = Resample::new(facts.input.settings.seed, DRAWS);
    let drawn = (0..facts.input.settings.resamples.min(RESAMPLES_MAX))
        .map(|_| mean(&facts.series.finished, &draws.pick(top)));
    let (low, high) = interval(drawn.collect())?;
    Some(Knee {
        by: KneeBy::Throughput,
        of: String::new(),
        per_s: Estimate {
            estimate: Some(estimate),
            low: Some(low.min(estimate)),
            high: Some(high.max(estimate)),
        },
        because: format!(
            "{} were finished while {} were offered",
            rate(estimate),
            rate(mean(&facts.series.offered, top))
        ),
    })
}

/// Where more in progress got less done.
fn peak(facts: &Facts<'_>, levels: &[Level]) -> Option<Knee> {
    let series = facts.series;
    let system = |seconds: &[usize]| {
        let in_flight_ns: f64 =
            seconds.iter().filter_map(|s| series.latency.get(*s)).map(|h| h.sum_ns() as f64).sum();
        let n = in_flight_ns / 1e9 / seconds.len().max(1) as f64;
        (n, mean(&series.finished, seconds))
    };
    let settings = &facts.input.settings;
    let found = scaling(system, levels, settings.resamples, Resample::new(settings.seed, DRAWS - 1))?;
    let Peak { peak_at: at, peak_per_s: per_s } = found.peak?;
    Some(Knee {
        by: KneeBy::Peak,
        of: String::new(),
        per_s,
        because: format!("with more than {:.0} requests in progress less gets done, not more", at.estimate?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_flight_is_no_pile() {
        let flat = |rate: f64| vec![rate; 20];
        let seconds = [10, 11];
        // 20 requests of 200 ms are in flight, so that two seconds may differ by 9 a second.
        assert!(!more_than_done(&flat(100.0), &flat(92.0), &seconds, 0.2));
        assert!(more_than_done(&flat(100.0), &flat(90.0), &seconds, 0.2));
        // Of quick ones hardly any are: what is beyond a twentieth is left standing.
        assert!(!more_than_done(&flat(100.0), &flat(96.0), &seconds, 0.01));
        assert!(more_than_done(&flat(100.0), &flat(94.0), &seconds, 0.01));
        // On a climb what ends was offered earlier, at a lower rate.
        let climb: Vec<f64> = (0..20).map(|s| 40.0 * f64::from(s)).collect();
        let late: Vec<f64> = climb.iter().map(|rate| (rate - 1.5 * 40.0).max(0.0)).collect();
        assert!(!more_than_done(&climb, &late, &seconds, 1.5));
        assert!(more_than_done(&climb, &flat(300.0), &seconds, 1.5));
    }
}
