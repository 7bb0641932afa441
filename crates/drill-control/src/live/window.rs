//! The trailing second, in ticks of 250 ms: what guards and screens look at.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use peakdrill_drill_model::condition::{Measured, Selectors, Stat, Stats};
use peakdrill_drill_model::frame::{Packed, Tally};
use peakdrill_drill_model::plan::{Plan, StepId};
use peakdrill_latency::{Histogram, Sparse};

/// Length of a tick.
pub const TICK_NS: u64 = 250_000_000;
/// Ticks that conditions look back over: one second.
pub const WINDOW_TICKS: usize = 4;
/// Ticks that screens may look back over where a second has few samples: five seconds.
pub const LONG_WINDOW_TICKS: usize = 20;

/// What one tick brought.
#[derive(Debug, Clone, Default)]
pub struct Tick {
    /// Counted in this tick, per step; journeys under `None`.
    pub tallies: BTreeMap<Option<StepId>, Tally>,
    /// Planned rate over the tick, journeys a second; `None` in a closed loop, and behind the planned end.
    pub target_rate: Option<f64>,
    /// Time that the counts cover, nanoseconds: shards tell on their own beat, which is not the ticks'.
    pub span_ns: u64,
}

/// A tick as it is kept.
#[derive(Debug, Clone, Default)]
struct Kept {
    tallies: BTreeMap<Option<StepId>, Packed>,
    target_rate: Option<f64>,
    span_ns: u64,
}

impl Kept {
    fn of(tick: &Tick) -> Self {
        Self {
            tallies: tick.tallies.iter().map(|(step, tally)| (*step, tally.pack())).collect(),
            target_rate: tick.target_rate,
            span_ns: tick.span_ns,
        }
    }
}

/// What is known besides the load: the ledger's sums for this run. `None`: nobody reported.
#[derive(Debug, Clone, Copy, Default)]
pub struct IsolationNow {
    /// Shadow operations that reached live data.
    pub leaks: Option<u64>,
    /// Tags lost.
    pub tag_lost: Option<u64>,
}

/// A sliding window over the load.
#[derive(Debug, Clone)]
pub struct Window {
    steps: Vec<(String, String)>,
    /// Steps whose requests carry no tag.
    untagged: BTreeSet<StepId>,
    ticks: VecDeque<Kept>,
    ages: BTreeMap<StepId, Sparse>,
    in_flight: u64,
    isolation: IsolationNow,
    span: usize,
}

impl Window {
    /// An empty window over a plan's steps.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let steps = plan.steps.iter().map(|info| (info.journey.clone(), info.step.clone())).collect();
        let ids = 0..StepId::try_from(plan.steps.len()).unwrap_or(StepId::MAX);
        Self {
            steps,
            untagged: ids.filter(|step| !plan.is_tagged(*step)).collect(),
            ticks: VecDeque::with_capacity(LONG_WINDOW_TICKS),
            ages: BTreeMap::new(),
            in_flight: 0,
            isolation: IsolationNow::default(),
            span: WINDOW_TICKS,
        }
    }

    /// Adds a tick; the oldest leaves.
    pub fn push(&mut self, tick: &Tick) {
        if self.ticks.len() == LONG_WINDOW_TICKS {
            self.ticks.pop_front();
        }
        self.ticks.push_back(Kept::of(tick));
    }

    /// Adds a tick to the newest, so that the two are looked at as one.
    pub fn gather(&mut self, tick: &Tick) {
        let Some(newest) = self.ticks.back_mut() else { return self.push(tick) };
        for (step, tally) in &tick.tallies {
            newest.tallies.entry(*step).or_default().merge(&tally.pack());
        }
        newest.span_ns += tick.span_ns;
    }

    /// Ages of the requests in flight now, and their number.
    pub fn set_in_flight(&mut self, in_flight: u64, ages: BTreeMap<StepId, Sparse>) {
        self.in_flight = in_flight;
        self.ages = ages;
    }

    /// What the ledger says now.
    pub fn set_isolation(&mut self, isolation: IsolationNow) {
        self.isolation = isolation;
    }

    /// How many of the last ticks are looked at: a second for guards, more for screens.
    pub fn set_span(&mut self, ticks: usize) {
        self.span = ticks.clamp(1, LONG_WINDOW_TICKS);
    }

    fn recent(&self) -> impl Iterator<Item = &Kept> {
        self.ticks.iter().rev().take(self.span)
    }

    /// Length of what is looked at, in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.recent().map(|tick| tick.span_ns).sum::<u64>() as f64 / 1e9
    }

    /// Whether a step is selected.
    #[must_use]
    pub fn is_selected(&self, step: StepId, select: &Selectors) -> bool {
        self.selected(Some(step), select)
    }

    /// Whether a step is selected. Journeys (`None`) are never.
    fn selected(&self, step: Option<StepId>, select: &Selectors) -> bool {
        let Some((journey, name)) = step.and_then(|id| self.steps.get(usize::from(id))) else { return false };
        select.fits(journey, name)
    }

    /// The merged tally of the selected steps.
    #[must_use]
    pub fn requests(&self, select: &Selectors) -> Tally {
        self.sum(|step| self.selected(step, select))
    }

    /// The same without steps whose requests carry no tag.
    #[must_use]
    pub fn tagged(&self, select: &Selectors) -> Tally {
        let tagged = |step: Option<StepId>| step.is_some_and(|step| !self.untagged.contains(&step));
        self.sum(|step| tagged(step) && self.selected(step, select))
    }

    fn sum(&self, wanted: impl Fn(Option<StepId>) -> bool) -> Tally {
        let mut all = Tally::default();
        for tick in self.recent() {
            tick.tallies
                .iter()
                .filter(|(step, _)| wanted(**step))
                .for_each(|(_, tally)| all.merge_packed(tally));
        }
        all
    }

    /// The merged tally of journeys.
    #[must_use]
    pub fn journeys(&self) -> Tally {
        let mut all = Tally::default();
        self.recent().filter_map(|tick| tick.tallies.get(&None)).for_each(|tally| all.merge_packed(tally));
        all
    }

    /// A quantile over what was answered and what still waits. The ages of waiting requests are lower bounds,
    /// so they may raise the quantile and never lower it: a target that freezes completes nothing, and still
    /// its latency grows.
    fn latency(&self, q: f64, select: &Selectors) -> Option<Measured> {
        let answered = self.requests(select).latency;
        let mut with_waiting = answered.clone();
        for (step, ages) in &self.ages {
            if self.selected(Some(*step), select) {
                with_waiting.merge_sparse(ages);
            }
        }
        measured(&answered, q)
            .into_iter()
            .chain(measured(&with_waiting, q))
            .max_by(|a, b| a.value.total_cmp(&b.value))
    }

    fn rate(&self, select: &Selectors) -> Option<Measured> {
        let any = *select != Selectors::default();
        let sent = if any { self.requests(select).sent } else { self.journeys().sent };
        (self.seconds() > 0.0).then(|| Measured { value: sent as f64 / self.seconds(), samples: sent })
    }
}

fn measured(histogram: &Histogram, q: f64) -> Option<Measured> {
    Some(Measured { value: histogram.quantile(q)? as f64, samples: histogram.count() })
}

impl Stats for Window {
    fn measure(&self, stat: Stat, select: &Selectors) -> Option<Measured> {
        match stat {
            Stat::Latency(q) => self.latency(q, select),
            Stat::Service(q) => measured(&self.requests(select).service, q),
            Stat::ErrorRate => {
                let tally = self.requests(select);
                Measured::share(tally.error_count(), tally.completed)
            }
            Stat::Rate => self.rate(select),
            Stat::InFlight => Some(Measured { value: self.in_flight as f64, samples: 1 }),
            Stat::ScheduleMiss => {
                let tally = self.journeys();
                Measured::share(tally.missed, tally.intended)
            }
            Stat::AckMissing => {
                let tally = self.tagged(select);
                Measured::share(tally.ack_missing, tally.answers())
            }
            Stat::Leaks => self.isolation.leaks.map(|n| Measured { value: n as f64, samples: 1 }),
            Stat::TagLost => self.isolation.tag_lost.map(|n| Measured { value: n as f64, samples: 1 }),
            // Known only when the run is over.
            Stat::Capacity => None,
        }
    }

    /// `None` also where a part of the window has none: what was sent in that part is in the rate all the same.
    fn target_rate(&self) -> Option<f64> {
        let rates: Option<Vec<f64>> = self.recent().map(|tick| tick.target_rate).collect();
        let rates = rates.filter(|rates| !rates.is_empty())?;
        Some(rates.iter().sum::<f64>() / rates.len() as f64)
    }
}

#[cfg(test)]
mod tests;
