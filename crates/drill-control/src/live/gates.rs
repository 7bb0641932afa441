//! Gates on the data so far: for screens alone. The verdict is made from the record.

use peakdrill_drill_model::condition::{Measured, Selectors, Stat, Stats};
use peakdrill_drill_model::frame::Tally;
use peakdrill_drill_model::plan::{Gate, Plan};
use peakdrill_drill_model::snapshot::GateRow;
use peakdrill_drill_model::verdict::Judgement;

use super::guards::write_value;
use super::totals::Totals;
use super::window::IsolationNow;

/// The phases that a gate looks at.
struct SoFar<'a> {
    plan: &'a Plan,
    totals: &'a Totals,
    phases: Vec<u16>,
    isolation: IsolationNow,
}

impl SoFar<'_> {
    fn requests(&self, select: &Selectors) -> Tally {
        self.sum(select, |_| true)
    }

    fn sum(&self, select: &Selectors, wanted: impl Fn(u16) -> bool) -> Tally {
        let fits = |step: u16| {
            let info = self.plan.steps.get(usize::from(step)).filter(|_| wanted(step));
            info.is_some_and(|info| select.fits(&info.journey, &info.step))
        };
        self.totals.of_phases(|phase, step| self.phases.contains(&phase) && step.is_some_and(fits))
    }

    fn journeys(&self) -> Tally {
        self.totals.of_phases(|phase, step| self.phases.contains(&phase) && step.is_none())
    }
}

impl Stats for SoFar<'_> {
    fn measure(&self, stat: Stat, select: &Selectors) -> Option<Measured> {
        let quantile = |histogram: &peakdrill_latency::Histogram, q| {
            Some(Measured { value: histogram.quantile(q)? as f64, samples: histogram.count() })
        };
        let count = |n: Option<u64>| n.map(|n| Measured { value: n as f64, samples: 1 });
        match stat {
            Stat::Latency(q) => quantile(&self.requests(select).latency, q),
            Stat::Service(q) => quantile(&self.requests(select).service, q),
            Stat::ErrorRate => {
                let tally = self.requests(select);
                Measured::share(tally.error_count(), tally.completed)
            }
            Stat::ScheduleMiss => {
                let tally = self.journeys();
                Measured::share(tally.missed, tally.intended)
            }
            Stat::AckMissing => {
                let tally = self.sum(select, |step| self.plan.is_tagged(step));
                Measured::share(tally.ack_missing, tally.answers())
            }
            Stat::Leaks => count(self.isolation.leaks),
            Stat::TagLost => count(self.isolation.tag_lost),
            // Known only over whole phases, or when the run is over.
            Stat::Rate | Stat::InFlight | Stat::Capacity => None,
        }
    }

    fn target_rate(&self) -> Option<f64> {
        None
    }
}

/// How each gate stands.
#[must_use]
pub fn rows(plan: &Plan, totals: &Totals, isolation: IsolationNow) -> Vec<GateRow> {
    plan.gates.iter().map(|gate| row(gate, plan, totals, isolation)).collect()
}

fn row(gate: &Gate, plan: &Plan, totals: &Totals, isolation: IsolationNow) -> GateRow {
    let all = plan.load.phases.iter().enumerate();
    let phases = all.filter(|(_, phase)| gate.looks_at(&phase.name, phase.measure));
    let phases = phases.filter_map(|(index, _)| u16::try_from(index).ok()).collect();
    let found = gate.condition.evaluate(&SoFar { plan, totals, phases, isolation });
    let enough = found.filter(|found| found.measured.samples >= gate.min_samples);
    GateRow {
        name: gate.name.clone(),
        verdict: enough.map(|found| if found.holds { Judgement::Pass } else { Judgement::Fail }),
        value: found.map_or_else(
            || "not yet".to_owned(),
            |found| write_value(gate.condition.stat, found.measured.value),
        ),
    }
}
