//! The search for the capacity, tick by tick: settle, judge, recover. Pure: what was seen in, the next rate out.
//!
//! A probe settles, which is not judged, and is then judged over its window alone. What counts as answered is what was
//! answered in the window, against what was intended in it: the difference is what waits longer now than before (or was
//! missed), which is how an overloaded target shows at once in an open loop. A probe that cannot be saved any more ends
//! early. After one that failed, a low rate is held until the target answers as it did before.

use std::collections::BTreeMap;

use peakdrill_drill_model::condition::{Condition, Evaluated, Limit, Measured, Op, Selectors, Stat, Stats};
use peakdrill_drill_model::plan::{Plan, StepId};
use peakdrill_drill_model::search::{CapacityFound, Ended, Next, Probe, Range, Search, capacity};
use peakdrill_drill_model::shape::Shape;
use peakdrill_latency::{Sparse, bucket_of};
use peakdrill_timebase::{NS_PER_MS, NS_PER_S, format_duration, format_rate};

use super::guards::written;
use super::window::{Tick, Window};

/// Of the lowest rate: what is sent while the target recovers.
const RECOVER_SHARE: f64 = 0.2;
/// Shortest recovery: the trailing second lies in it as a whole.
const RECOVER_MIN_NS: u64 = 1_250 * NS_PER_MS;
/// Longest recovery is as long as a probe, between these.
const RECOVER_RANGE_NS: (u64, u64) = (5 * NS_PER_S, 60 * NS_PER_S);
/// Recovered: nine in ten are answered within twice the time that they took at the last rate that held, and this.
const RECOVERED_SLACK_NS: f64 = 2.0 * NS_PER_MS as f64;
/// So much of a window is judged before a probe may end early.
const EARLY_AFTER_NS: u64 = NS_PER_S;
/// Fewer requests than this prove nothing early.
const EARLY_MIN: f64 = 20.0;
/// Told late: time that the last answers' counts may need on their way.
const TOLD_LATE_NS: u64 = NS_PER_S;

/// What one tick shows.
pub(crate) struct Seen<'a> {
    /// Now, nanoseconds from the start of the load, as all times here.
    pub(crate) t_ns: u64,
    /// The tick's counts begin here.
    pub(crate) from_ns: u64,
    /// And end here.
    pub(crate) to_ns: u64,
    /// The counts.
    pub(crate) tick: &'a Tick,
    /// The trailing second.
    pub(crate) trailing: &'a Window,
    /// Journeys in flight.
    pub(crate) in_flight: u64,
    /// Ages of the requests in flight.
    pub(crate) ages: &'a BTreeMap<StepId, Sparse>,
    /// Planned end of the phase.
    pub(crate) end_ns: u64,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Order {
    /// Send at this rate.
    Rate(f64),
    /// End the phase: the search is over.
    End(Ended),
}

/// A decision: what it is, why, and the probe that it follows from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Decision {
    pub(crate) order: Order,
    pub(crate) text: String,
    pub(crate) probe: Option<Probe>,
    recovers: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Stage {
    Probing,
    Recovering,
    /// Decided, and not carried out yet.
    Decided(Decision),
    Over,
}

/// A search under way.
#[derive(Debug)]
pub(crate) struct SearchRun {
    phase: u16,
    name: String,
    range: Range,
    settle_ns: u64,
    probe_ns: u64,
    objective: Vec<Condition>,
    search: Search,
    probes: Vec<Probe>,
    /// Of the probe, what is judged.
    window: Window,
    empty: Window,
    judged_ns: u64,
    rate: f64,
    /// Since when it is sent.
    since_ns: u64,
    stage: Stage,
    /// Latency of nine in ten at the last rate that held.
    reference_ns: Option<f64>,
}

impl SearchRun {
    /// The search of a phase that begins at a time, at the lowest rate; `None` when the phase searches nothing.
    pub(crate) fn new(plan: &Plan, index: usize, start_ns: u64) -> Option<Self> {
        let phase = plan.load.phases.get(index)?;
        let Shape::Search { range, settle_ns, probe_ns, .. } = phase.shape else { return None };
        Some(Self {
            phase: index as u16,
            name: phase.name.clone(),
            range,
            settle_ns,
            probe_ns,
            objective: phase.objective.clone(),
            search: Search::new(range),
            probes: Vec::new(),
            window: Window::new(plan),
            empty: Window::new(plan),
            judged_ns: 0,
            rate: range.low,
            since_ns: start_ns,
            stage: Stage::Probing,
            reference_ns: None,
        })
    }

    /// Looks at a tick. A decision is given until it was carried out: [`SearchRun::done`].
    pub(crate) fn look(&mut self, seen: &Seen<'_>) -> Option<Decision> {
        match &self.stage {
            Stage::Over => return None,
            Stage::Decided(decision) => return Some(decision.clone()),
            Stage::Probing => {
                if seen.from_ns >= self.since_ns + self.settle_ns {
                    self.window.gather(seen.tick);
                    self.judged_ns += seen.tick.span_ns;
                }
                self.window.set_in_flight(seen.in_flight, seen.ages.clone());
                let (held, because) = self.verdict(seen)?;
                self.end_probe(seen, held, because);
            }
            Stage::Recovering => {
                let took_ns = seen.t_ns.saturating_sub(self.since_ns);
                let given_up = took_ns >= self.recover_max_ns();
                if !given_up && !self.recovered(seen) {
                    return None;
                }
                let how = if given_up { "has not recovered" } else { "has recovered" };
                let text = format!("the target {how} after {}", format_duration(whole_ms(took_ns)));
                self.decide(seen, text, None, false);
            }
        }
        let Stage::Decided(decision) = &self.stage else { return None };
        Some(decision.clone())
    }

    /// The last decision was carried out, from an instant on.
    pub(crate) fn done(&mut self, at_ns: u64) {
        let Stage::Decided(decision) = std::mem::replace(&mut self.stage, Stage::Over) else { return };
        let Order::Rate(rate) = decision.order else { return };
        self.rate = rate;
        self.since_ns = at_ns;
        self.window.clone_from(&self.empty);
        self.judged_ns = 0;
        self.stage = if decision.recovers { Stage::Recovering } else { Stage::Probing };
    }

    /// What is known by now.
    pub(crate) fn found(&self, ended: Ended) -> CapacityFound {
        capacity(self.name.clone(), self.range, self.probes.clone(), Some(ended))
    }

    /// What it does now, for screens.
    pub(crate) fn line(&self, t_ns: u64) -> String {
        let known = match (self.search.held_per_s(), self.search.failed_per_s()) {
            (None, None) => String::new(),
            (Some(held), None) => format!(", {} held", format_rate(held)),
            (None, Some(failed)) => format!(", {} failed", format_rate(failed)),
            (Some(held), Some(failed)) => {
                format!(", {} held, {} failed", format_rate(held), format_rate(failed))
            }
        };
        let number = self.probes.len() + 1;
        let settling = t_ns < self.since_ns + self.settle_ns;
        match &self.stage {
            Stage::Over => format!("search over{known}"),
            Stage::Recovering => format!("recovering before probe {number}{known}"),
            Stage::Decided(_) => format!("between probes{known}"),
            Stage::Probing => {
                let doing = if settling { "settles" } else { "is judged" };
                format!("probe {number} at {} {doing}{known}", format_rate(self.rate))
            }
        }
    }

    fn recover_max_ns(&self) -> u64 {
        let (low, high) = RECOVER_RANGE_NS;
        (self.settle_ns + self.probe_ns).clamp(low, high)
    }

    /// Whether the probe held (`None`: too little was measured), and why; `None` while that is open.
    fn verdict(&self, seen: &Seen<'_>) -> Option<(Option<bool>, String)> {
        let over = seen.to_ns >= self.since_ns + self.settle_ns + self.probe_ns;
        let silent = seen.t_ns >= self.since_ns + self.settle_ns + self.probe_ns + TOLD_LATE_NS;
        if over || silent {
            return Some(self.judge());
        }
        if self.judged_ns < EARLY_AFTER_NS {
            return None;
        }
        let share = (self.judged_ns as f64 / self.probe_ns as f64).min(1.0);
        let lost = self.objective.iter().find(|one| self.hopeless(one, seen, share))?;
        let found = lost.evaluate(&Answered(&self.window));
        Some((Some(false), format!("{}, ended early", said(lost, found.as_ref()))))
    }

    /// A probe that is over: one condition that does not hold is enough to fail, and all must be measured to hold.
    fn judge(&self) -> (Option<bool>, String) {
        let stats = Answered(&self.window);
        let found: Vec<_> = self.objective.iter().map(|one| (one, one.evaluate(&stats))).collect();
        let holds = |(one, found): &(&Condition, Option<Evaluated>)| {
            found.filter(|found| found.measured.samples >= one.stat.min_samples()).map(|found| found.holds)
        };
        let held = match () {
            () if found.iter().any(|one| holds(one) == Some(false)) => Some(false),
            () if found.iter().any(|one| holds(one).is_none()) => None,
            () => Some(true),
        };
        let told = found.iter().filter(|one| holds(one) == held);
        let text: Vec<String> = told.map(|(one, found)| said(one, found.as_ref())).collect();
        (held, text.join(", "))
    }

    /// Whether a condition can hardly hold any more, were the rest of the window without fault. `share` is judged.
    fn hopeless(&self, one: &Condition, seen: &Seen<'_>, share: f64) -> bool {
        let below = matches!(one.op, Op::Lt | Op::Le);
        let tally = self.window.requests(&one.select);
        let (bad, allowed) = match (one.stat, one.limit) {
            (Stat::Latency(q), Limit::Value(limit)) if below => {
                let waiting: f64 = seen
                    .ages
                    .iter()
                    .filter(|(step, _)| self.window.is_selected(**step, &one.select))
                    .map(|(_, ages)| slower(ages, limit))
                    .sum();
                let bad = slower(&tally.latency.to_sparse(), limit) + waiting;
                (bad, 2.0 * (1.0 - q) * tally.completed as f64 / share)
            }
            (Stat::ErrorRate, Limit::Value(limit)) if below => {
                (tally.error_count() as f64, 2.0 * limit * tally.completed as f64 / share)
            }
            (Stat::Rate, Limit::OfTarget(wanted)) if matches!(one.op, Op::Ge | Op::Gt) => {
                let journeys = self.window.journeys();
                let intended = journeys.intended as f64;
                let bad = intended - journeys.answers() as f64;
                // What waits may still be answered: more than that must be missing by far.
                (bad, 3.0 * (1.0 - wanted) * intended / share + 0.05 * intended)
            }
            _ => return false,
        };
        bad >= EARLY_MIN && bad > allowed
    }

    fn recovered(&self, seen: &Seen<'_>) -> bool {
        if seen.to_ns < self.since_ns + RECOVER_MIN_NS {
            return false;
        }
        let now = seen.trailing.measure(Stat::Latency(0.9), &Selectors::default());
        match (self.reference_ns, now) {
            (_, None) => false,
            (Some(reference), Some(now)) => now.value <= 2.0 * reference + RECOVERED_SLACK_NS,
            // Nothing has held yet: what waits is no more than what comes in a second.
            (None, Some(_)) => seen.in_flight as f64 <= self.rate.max(1.0),
        }
    }

    fn end_probe(&mut self, seen: &Seen<'_>, held: Option<bool>, because: String) {
        if held == Some(true) {
            let p90 = self.window.measure(Stat::Latency(0.9), &Selectors::default());
            self.reference_ns = p90.map(|p90| p90.value).or(self.reference_ns);
        }
        self.search.tell(self.rate, held);
        let probe = Probe {
            number: self.probes.len() as u32 + 1,
            phase: self.phase,
            rate: self.rate,
            from_ns: self.since_ns,
            to_ns: seen.to_ns.max(self.since_ns),
            held,
            because,
        };
        let how = match held {
            Some(true) => "held",
            Some(false) => "failed",
            None => "could not be judged",
        };
        let text = format!("probe {} at {} {how}: {}", probe.number, format_rate(probe.rate), probe.because);
        self.probes.push(probe.clone());
        self.decide(seen, text, Some(probe), held == Some(false));
    }

    fn decide(&mut self, seen: &Seen<'_>, text: String, probe: Option<Probe>, failed: bool) {
        let needs_ns = self.settle_ns
            + self.probe_ns
            + 2 * TOLD_LATE_NS
            + if failed { self.recover_max_ns() } else { 0 };
        let next = match self.search.next() {
            Next::Probe(_) if seen.t_ns + needs_ns > seen.end_ns => Next::Done(Ended::OutOfTime),
            next => next,
        };
        let (order, text) = match next {
            Next::Done(ended) => (Order::End(ended), format!("{text}; {}", self.found(ended))),
            Next::Probe(_) if failed => {
                let rate = self.range.low * RECOVER_SHARE;
                (Order::Rate(rate), format!("{text}; recovering at {}", format_rate(rate)))
            }
            Next::Probe(rate) => (Order::Rate(rate), format!("{text}; next {}", format_rate(rate))),
        };
        self.stage = Stage::Decided(Decision { order, text, probe, recovers: failed });
    }
}

fn whole_ms(ns: u64) -> u64 {
    ns / NS_PER_MS * NS_PER_MS
}

fn said(condition: &Condition, found: Option<&Evaluated>) -> String {
    let text = &condition.text;
    let Some(found) = found else { return format!("{text} (nothing was measured)") };
    let (samples, least) = (found.measured.samples, condition.stat.min_samples());
    if samples < least {
        return format!("{text} (from {samples} samples of the {least} it needs)");
    }
    format!("{text} ({})", written(condition, found))
}

/// Requests that took longer than a limit.
fn slower(histogram: &Sparse, limit_ns: f64) -> f64 {
    let limit = bucket_of(limit_ns.max(0.0) as u64);
    histogram.iter().filter(|(bucket, _)| *bucket > limit).map(|(_, count)| count as f64).sum()
}

/// A window in which `rate` is what was answered, and the target what was intended.
struct Answered<'a>(&'a Window);

impl Stats for Answered<'_> {
    fn measure(&self, stat: Stat, select: &Selectors) -> Option<Measured> {
        if stat != Stat::Rate {
            return self.0.measure(stat, select);
        }
        let any = *select != Selectors::default();
        let tally = if any { self.0.requests(select) } else { self.0.journeys() };
        let answered = tally.answers();
        let seconds = self.0.seconds();
        (seconds > 0.0).then(|| Measured { value: answered as f64 / seconds, samples: answered })
    }

    fn target_rate(&self) -> Option<f64> {
        let seconds = self.0.seconds();
        (seconds > 0.0).then(|| self.0.journeys().intended as f64 / seconds)
    }
}

#[cfg(test)]
mod tests;
