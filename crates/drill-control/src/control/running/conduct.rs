//! What changes the schedule while it runs: conditions that end a phase, and a search for the capacity.

use peakdrill_drill_model::event::EventKind;
use peakdrill_drill_model::search::{ENDED_KEY, PROBE_KEY};
use peakdrill_drill_model::snapshot::RunState;
use peakdrill_drill_model::timeline::{CHANGE_KEY, Change};
use peakdrill_loadgen::Refused;
use serde_json::json;

use super::Running;
use crate::error::ControlError;
use crate::live::guards::{Found, Guards};
use crate::live::search::{Order, SearchRun, Seen};
use crate::live::window::{TICK_NS, Tick, WINDOW_TICKS};

/// A change of the schedule is made for so far ahead: time for every shard to hear of it.
pub(super) const AHEAD_NS: u64 = 250_000_000;
/// Conditions of a phase look at nothing but the phase: the trailing second, and what is told late.
const OWN_WINDOW_NS: u64 = (WINDOW_TICKS as u64 + 2) * TICK_NS;

/// What the counts of a tick cover, nanoseconds from the start of the load.
#[derive(Debug, Clone, Copy)]
pub(super) struct Covered {
    pub(super) from_ns: u64,
    pub(super) to_ns: u64,
}

impl Running {
    /// Looks whether the schedule is to change. Called every tick of the load, until a stop.
    pub(super) fn conduct(&mut self, t_ns: u64, tick: &Tick, covered: Covered) -> Result<(), ControlError> {
        let Some((_, index)) = self.timeline.rate_at(t_ns).filter(|_| self.state == RunState::Running) else {
            return Ok(());
        };
        if self.conducted != Some(index) {
            self.conducted = Some(index);
            let until = self.plan.load.phases.get(index).map(|phase| phase.until.as_slice());
            self.until = Guards::new(until.unwrap_or_default());
            let start_ns = self.timeline.phases().get(index).map_or(0, |laid| laid.start_ns);
            self.search = SearchRun::new(&self.plan, index, start_ns);
        }
        if self.search.is_some() {
            return self.conduct_search(t_ns, tick, covered, index);
        }
        let Some(laid) = self.timeline.phases().get(index) else { return Ok(()) };
        if t_ns < laid.start_ns + OWN_WINDOW_NS || laid.end_ns <= t_ns + AHEAD_NS {
            return Ok(());
        }
        let mut found = self.until.tick(&self.window, true).into_iter();
        let fired = found.find_map(|found| match found {
            Found::Fired { guard, measured } => Some((guard, measured)),
            Found::Near(_) => None,
        });
        let Some((condition, measured)) = fired else { return Ok(()) };
        let name = self.plan.load.phases.get(index).map_or("", |phase| &phase.name).to_owned();
        let change = Change::End { phase: index as u16, at_ns: t_ns + AHEAD_NS };
        let text = format!("phase `{name}` ends early: {condition} ({measured})");
        let data = json!({ "phase": name, "because": condition, "measured": measured });
        self.change(change, text, data).map(drop)
    }

    fn conduct_search(
        &mut self,
        t_ns: u64,
        tick: &Tick,
        covered: Covered,
        index: usize,
    ) -> Result<(), ControlError> {
        let end_ns = self.timeline.phases().get(index).map_or(0, |laid| laid.end_ns);
        let (in_flight, ages) = self.in_flight();
        let seen = Seen {
            t_ns,
            from_ns: covered.from_ns,
            to_ns: covered.to_ns,
            tick,
            trailing: &self.window,
            in_flight,
            ages: &ages,
            end_ns,
        };
        let Some(search) = &mut self.search else { return Ok(()) };
        let Some(decision) = search.look(&seen) else { return Ok(()) };
        let phase = index as u16;
        let mut data = json!({});
        if let Some(probe) = &decision.probe {
            data[PROBE_KEY] = json!(probe);
        }
        let at_ns = t_ns + AHEAD_NS;
        let change = match decision.order {
            Order::Rate(rate) => Change::Rate { phase, from_ns: at_ns, rate },
            Order::End(ended) => {
                data[ENDED_KEY] = json!({ "phase": phase, "ended": ended });
                Change::End { phase, at_ns }
            }
        };
        if at_ns >= end_ns {
            // The phase ends by itself before anything could be changed.
            self.event(EventKind::Phase, decision.text, data)?;
        } else if !self.change(change, decision.text, data)? {
            return Ok(());
        }
        if let Some(search) = &mut self.search {
            search.done(at_ns);
        }
        Ok(())
    }

    /// What a search does now.
    pub(super) fn search_line(&self, t_ns: u64) -> String {
        self.search.as_ref().map_or_else(String::new, |search| search.line(t_ns))
    }

    /// Changes the schedule everywhere: the engine, the timeline, and the event log. Whether it was done; not when the
    /// instant is too near already, since this thread was held up.
    pub(super) fn change(
        &mut self,
        change: Change,
        text: String,
        mut data: serde_json::Value,
    ) -> Result<bool, ControlError> {
        let mut timeline = self.timeline.clone();
        timeline.apply(&change).map_err(|error| ControlError::Engine(error.to_string()))?;
        match self.engine().map(|engine| engine.change(change)) {
            Some(Ok(())) => {}
            None | Some(Err(Refused::TooSoon)) => return Ok(false),
            Some(Err(refused)) => return Err(ControlError::Engine(refused.to_string())),
        }
        self.timeline = timeline;
        data[CHANGE_KEY] = json!(change);
        self.event(EventKind::Phase, text, data)?;
        Ok(true)
    }
}
