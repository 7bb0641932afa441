//! A storm of retries: calls that are made again because they fail, the more the higher the load is.
//!
//! Attempts by logical calls is what callers add to the load by themselves. Where it grows together with the part of
//! first attempts that fail, each failure makes more of the load that caused it.

use peakdrill_drill_model::verdict::{Finding, FindingKind};

use crate::analyse::Facts;
use crate::analyse::series::NodeSeries;
use crate::analyse::windows::Level;
use crate::analyse::words::{journeys, percent};
use crate::cells::EdgeCell;

use super::calls::{Calls, by_caller, is_service};
use super::change::{Change, Part, change, mean, times};
use super::step_down::{StepDown, step_down};

/// Fewer calls than this at light load or at peak say nothing.
const FEW_CALLS: i64 = 30;
/// Attempts a call must have grown by this factor ...
const GREW: f64 = 1.2;
/// ... and by this one at the low end of the interval.
const GREW_FOR_SURE: f64 = 1.1;
/// The part that fails must have grown by this.
const FAILING: f64 = 0.05;
/// Attempts a call beside another that are spoken of.
const BESIDE: f64 = 0.1;
/// What is left of the growth of attempts when they count as calm again.
pub(super) const CALM_PART: f64 = 0.2;
/// Storms that are told of, the largest first.
const STORMS_MAX: usize = 5;

/// Attempts, and logical calls.
fn attempts(cell: &EdgeCell) -> Part {
    (cell.attempts as f64, cell.calls as f64)
}

struct Storm<'a> {
    from: &'a str,
    at: usize,
    attempts: Change,
    /// Part that failed at light load and at peak.
    failing: (f64, f64),
    /// Journeys a second from which on there were more attempts.
    from_rate: Option<f64>,
    end: StepDown,
    /// Attempts at peak that were none of the first.
    wasted: f64,
    /// Attempts a call at peak that began while one before was under way.
    beside: f64,
}

pub(super) fn findings(facts: &Facts<'_>, levels: &[Level]) -> Vec<Finding> {
    let all = by_caller(facts, |class| class == facts.series.class);
    let from_inside = all.iter().filter(|((from, _), _)| is_service(facts, from));
    let mut storms: Vec<Storm<'_>> =
        from_inside.filter_map(|((from, at), calls)| storm(facts, from, *at, calls, levels)).collect();
    storms.sort_by(|a, b| b.wasted.total_cmp(&a.wasted));
    storms.truncate(STORMS_MAX);
    storms.iter().map(|storm| storm.told(facts)).collect()
}

fn storm<'a>(
    facts: &Facts<'_>,
    from: &'a str,
    at: usize,
    calls: &Calls<'_>,
    levels: &[Level],
) -> Option<Storm<'a>> {
    let (light, peak) = (calls.over(&facts.windows.light), calls.over(&facts.windows.peak));
    if light.calls.min(peak.calls) < FEW_CALLS {
        return None;
    }
    let each = |cell: &EdgeCell| cell.attempts as f64 / cell.calls as f64;
    if each(&peak) < GREW * each(&light) {
        return None;
    }
    let failing = failing(&light, &peak)?;
    let parts = |seconds: &[usize]| calls.parts(seconds, attempts);
    let settings = &facts.input.settings;
    let grown = change(&parts(&facts.windows.light), &parts(&facts.windows.peak), times, settings)?;
    if grown.low < GREW_FOR_SURE {
        return None;
    }
    let every: Vec<usize> = (0..facts.series.load).collect();
    // Calm is what has less than a fifth of the growth.
    let calm = grown.light + CALM_PART * (grown.peak - grown.light);
    let stormy = levels.iter().rev().take_while(|l| mean(&parts(&l.seconds)).is_some_and(|each| each > calm));
    let stormy = stormy.count();
    let calm_rate = levels.iter().rev().nth(stormy).map(|level| level.rate);
    Some(Storm {
        from,
        at,
        attempts: grown,
        failing,
        from_rate: stormy.checked_sub(1).and_then(|last| levels.iter().rev().nth(last)).map(|l| l.rate),
        end: step_down(facts.windows, calm_rate, calm, &parts(&every)),
        wasted: (peak.attempts - peak.calls) as f64,
        beside: peak.beside as f64 / peak.calls as f64,
    })
}

/// The part that failed at light load and at peak, where it grew: of the attempts, or of the calls where one span stands
/// for all attempts and only the last of them tells that the caller's patience was over.
fn failing(light: &EdgeCell, peak: &EdgeCell) -> Option<(f64, f64)> {
    let attempts = |cell: &EdgeCell| cell.failed.count() as f64 / cell.attempts as f64;
    let calls = |cell: &EdgeCell| cell.errors as f64 / cell.calls as f64;
    let (by_attempts, by_calls) = ((attempts(light), attempts(peak)), (calls(light), calls(peak)));
    let grew = |(light, peak): (f64, f64)| peak - light;
    let most = if grew(by_calls) > grew(by_attempts) { by_calls } else { by_attempts };
    (grew(most) >= FAILING).then_some(most)
}

impl Storm<'_> {
    fn told(&self, facts: &Facts<'_>) -> Finding {
        let node = &facts.series.nodes[self.at];
        let (name, from, of) = (&node.key.name, self.from, &self.attempts);
        let since = self.from_rate.map(|r| format!(", from {} on", journeys(r))).unwrap_or_default();
        let load = more_work(facts, node).unwrap_or_default();
        let beside = Some(self.beside).filter(|beside| *beside >= BESIDE);
        let beside = beside.map(|b| format!(", {b:.1} of these while one before was still under way"));
        let beside = beside.unwrap_or_default();
        // While the load runs it is not known what becomes of it.
        let is_open = matches!(self.end, StepDown::NotTested | StepDown::TooShort { .. });
        let is_over = facts.input.settled_before.is_none();
        let end = if is_open && !is_over { String::new() } else { format!("; {}", self.end.words()) };
        let text = format!(
            "{from} called {name} {:.1} times for each call that it had to make at peak and {:.1} times at light load \
             ({:.1} to {:.1} times as often){beside}{since}: {} failed at peak ({} at light load){load}{end}",
            of.peak,
            of.light,
            of.low,
            of.high,
            percent(self.failing.1),
            percent(self.failing.0),
        );
        let stays = matches!(self.end, StepDown::Stays { .. });
        let bound = format!(
            "give {from} a budget for retries (at most one for ten calls), growing pauses with chance in them, and none \
             for what was refused or has run out of time"
        );
        let action = if stays {
            format!(
                "keep a way at hand to shed load or to stop retries, since waiting does not help; {bound}"
            )
        } else {
            bound
        };
        let kind = if stays { FindingKind::Metastable } else { FindingKind::RetryStorm };
        Finding { kind, node: name.to_string(), text, action }
    }
}

/// What a request asks of the node against light load, however the calls came about, where that grew for sure.
fn more_work(facts: &Facts<'_>, node: &NodeSeries) -> Option<String> {
    let parts = |seconds: &[usize]| -> Vec<Part> {
        let requests = |s: usize| facts.series.requests.get(s).copied().unwrap_or(0.0);
        seconds.iter().map(|s| (node.ops[*s], requests(*s))).collect()
    };
    let (light, peak) = (parts(&facts.windows.light), parts(&facts.windows.peak));
    let grown = change(&light, &peak, times, &facts.input.settings).filter(|grown| grown.low > 1.0)?;
    Some(format!(
        "; a request led to {:.1} times as many calls of {} as at light load ({:.1} to {:.1})",
        grown.peak / grown.light,
        node.key.name,
        grown.low,
        grown.high
    ))
}
