//! The statistics of conditions, over the frames of some phases.

use peakdrill_drill_model::condition::{Measured, Selectors, Stat, Stats};
use peakdrill_drill_model::ledger::{LedgerRow, decisions, leaks, tag_lost};
use peakdrill_drill_model::outcome::answers;
use peakdrill_drill_model::plan::{Journey, Node, StepId};
use peakdrill_drill_model::search::CapacityFound;
use peakdrill_drill_model::shape::Shape;
use peakdrill_drill_model::verdict::{AnalysisState, NodeVerdict};
use peakdrill_latency::Sparse;

use crate::Record;
use crate::capacity::{Known, known, lowest, searches};
use crate::fold::{Folded, Sums};
use crate::phases::Span;

/// The part of a load that a gate looks at.
#[derive(Debug)]
pub(crate) struct Window<'a> {
    pub(crate) record: &'a Record,
    pub(crate) load: &'a Folded,
    /// Indices of phases.
    pub(crate) phases: Vec<u16>,
}

impl Window<'_> {
    fn spans(&self) -> impl Iterator<Item = &Span> {
        self.phases.iter().filter_map(|phase| self.load.spans.get(usize::from(*phase)))
    }

    /// How long the phases really ran, seconds.
    pub(crate) fn ran_s(&self) -> f64 {
        let load_s = self.load.load_s.unwrap_or(0.0);
        self.spans().map(|span| span.ran_s(load_s)).sum()
    }

    fn arrivals(&self) -> Sums {
        self.load.select(|phase, step| step.is_none() && self.phases.contains(&phase))
    }

    /// Of the planned arrivals, the part that was not started; 0 without any.
    pub(crate) fn missed_share(&self) -> f64 {
        let sums = self.arrivals();
        sums.missed as f64 / sums.intended.max(1) as f64
    }

    fn steps(&self, select: &Selectors) -> Vec<StepId> {
        let steps = self.record.plan.steps.iter().enumerate();
        let chosen = steps.filter(|(_, info)| select.fits(&info.journey, &info.step));
        chosen.filter_map(|(id, _)| StepId::try_from(id).ok()).collect()
    }

    fn requests(&self, steps: &[StepId]) -> Sums {
        let chosen = |phase, step: Option<StepId>| {
            self.phases.contains(&phase) && step.is_some_and(|step| steps.contains(&step))
        };
        self.load.select(chosen)
    }

    /// Journeys or requests sent a second.
    fn rate(&self, select: &Selectors) -> Option<Measured> {
        let sent = match (&select.journey, &select.step) {
            (_, Some(_)) => self.requests(&self.steps(select)).sent,
            (None, None) => self.arrivals().sent,
            // Arrivals are not counted per journey: those of a journey are the requests that open it.
            (Some(name), None) => {
                let journey = self.record.plan.journeys.iter().find(|journey| journey.name == *name)?;
                self.requests(&[opening_step(journey)?]).sent
            }
        };
        let ran = self.ran_s();
        (ran > 0.0).then(|| Measured { value: sent as f64 / ran, samples: sent })
    }

    /// Searches of the phases that are looked at, or else all.
    fn searches(&self) -> Vec<(u16, CapacityFound)> {
        let mut all = searches(self.record);
        if all.iter().any(|(phase, _)| self.phases.contains(phase)) {
            all.retain(|(phase, _)| self.phases.contains(phase));
        }
        all
    }

    /// What searches found: what was tried goes before what is estimated. Of several the lowest; nothing when one of them
    /// knows nothing.
    pub(crate) fn searched(&self) -> Option<Known> {
        let searches = self.searches();
        lowest(searches.iter().map(|(_, found)| found)).map(|(known, _)| known)
    }

    /// Why a search knows nothing, in its words.
    pub(crate) fn why_not_searched(&self) -> Option<String> {
        self.searches().iter().find(|(_, found)| known(found).is_none()).map(|(_, found)| found.to_string())
    }

    /// Whether a search was planned.
    fn has_search(&self) -> bool {
        self.record.plan.load.phases.iter().any(|phase| matches!(phase.shape, Shape::Search { .. }))
    }

    /// Capacity that a search found; without one, that of the first bottleneck (lower end of its interval), or the highest tested rate when none
    /// was found up to it: a lower bound. See [`Window::capacity_is_bound`].
    fn capacity(&self) -> Option<Measured> {
        if self.has_search() {
            return Some(Measured {
                // What is known to be below a rate has not reached it.
                value: match self.searched()? {
                    Known::Below(rate) => rate.next_down(),
                    known => known.rate(),
                },
                samples: self.requests(&self.steps(&Selectors::default())).completed,
            });
        }
        let analysis = self.record.analysis.as_ref()?;
        let value = match analysis.summary.state {
            AnalysisState::Withheld => None,
            AnalysisState::NoneUpTo => analysis.summary.tested_to_per_s,
            AnalysisState::Found => {
                let limits = |node: &&peakdrill_drill_model::verdict::Bottleneck| {
                    node.verdict == NodeVerdict::Bottleneck
                };
                analysis.bottlenecks.iter().find(limits).and_then(|node| node.capacity_per_s.low)
            }
        }?;
        Some(Measured { value, samples: self.requests(&self.steps(&Selectors::default())).completed })
    }

    /// Whether the capacity is only known to be at least its value.
    pub(crate) fn capacity_is_bound(&self) -> bool {
        if self.has_search() {
            return matches!(self.searched(), Some(Known::AtLeast(_)));
        }
        self.record.analysis.as_ref().is_some_and(|part| part.summary.state == AnalysisState::NoneUpTo)
    }
}

impl Stats for Window<'_> {
    fn measure(&self, stat: Stat, select: &Selectors) -> Option<Measured> {
        let steps = self.steps(select);
        if steps.is_empty() && *select != Selectors::default() {
            return None;
        }
        match stat {
            Stat::Latency(q) => at(&self.requests(&steps).latency, q),
            Stat::Service(q) => at(&self.requests(&steps).service, q),
            Stat::ErrorRate => {
                let sums = self.requests(&steps);
                Measured::share(sums.error_count(), sums.completed)
            }
            Stat::Rate => self.rate(select),
            Stat::InFlight => None,
            Stat::ScheduleMiss => {
                let sums = self.arrivals();
                Measured::share(sums.missed, sums.intended)
            }
            Stat::Leaks => ledger_count(self.record, leaks),
            Stat::TagLost => ledger_count(self.record, tag_lost),
            Stat::AckMissing => {
                // Without this no answer was looked at.
                self.record.plan.shadow.as_ref()?.ack_require?;
                let tagged = |step: &StepId| self.record.plan.is_tagged(*step);
                let sums = self.requests(&steps.into_iter().filter(tagged).collect::<Vec<_>>());
                Measured::share(sums.ack_missing, answers(sums.completed, &sums.errors))
            }
            Stat::Capacity => self.capacity(),
        }
    }

    /// The arrivals that the schedule held; or what the plan expects of it when clearly fewer are recorded,
    /// so that lost frames do not lower the mark.
    fn target_rate(&self) -> Option<f64> {
        if self.spans().any(|span| span.closed_loop) {
            return None;
        }
        let load_s = self.load.load_s?;
        let expected: f64 =
            self.spans().map(|span| span.expected(span.start_s, span.end_s.min(load_s))).sum();
        let held = self.arrivals().intended as f64;
        let arrivals = if held < expected - 4.0 * expected.sqrt() { expected } else { held };
        let ran = self.ran_s();
        (ran > 0.0).then(|| arrivals / ran)
    }
}

fn at(histogram: &Sparse, q: f64) -> Option<Measured> {
    let samples = u64::try_from(histogram.count()).unwrap_or(0);
    histogram.quantile(q).map(|ns| Measured { value: ns as f64, samples })
}

/// The first step that every start of a journey sends; `None` when chance decides.
fn opening_step(journey: &Journey) -> Option<StepId> {
    let mut steps = journey.steps.as_slice();
    loop {
        match steps.iter().find(|node| !node.is_pause())? {
            Node::Request(request) => return Some(request.step),
            Node::Loop(turns) if turns.min == 1 && turns.max == 1 => steps = &turns.steps,
            _ => return None,
        }
    }
}

/// A figure of the ledger over the rows of this run; `None` where no hop reported on it.
fn ledger_count(record: &Record, figure: fn(&[LedgerRow], &str) -> u64) -> Option<Measured> {
    let ledger = record.ledger.as_ref()?;
    let samples = decisions(&ledger.rows, &record.environment.run)?;
    Some(Measured { value: figure(&ledger.rows, &record.environment.run) as f64, samples })
}
