//! Lays runs beside each other: which parts of their load, which steps and which calls all of them have.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use peakdrill_bottleneck::Cells;
use peakdrill_bottleneck::baseline::{
    Call, Runs, Settings, WINDOWS_MIN, Window, calls, measure, worse_by_far,
};
use peakdrill_drill_model::comparison::{NotCompared, Quantity, Subject};
use peakdrill_drill_model::plan::{StepId, StepInfo};
use peakdrill_drill_model::verdict::AnalysisState;

use super::parts::{Part, is_search};
use super::{Open, Side, words};
use crate::numbers::plural;

/// Of calls it is told how long they take and how many fail; how many there are follows from the requests.
const OF_CALLS: [Quantity; 4] = [Quantity::P50, Quantity::P95, Quantity::P99, Quantity::Errors];
/// So many calls between two nodes are compared, those with the most calls first.
const CALLS_MAX: usize = 200;
/// So many steps and calls of parts of the load are compared in all.
const MEASURED_MAX: usize = 2_000;
/// Of a part of the load that one run was under for longer than another by so many windows ...
const APART_WINDOWS: u32 = 2;
/// ... and by one in so many, the longer run knows of something that the other one does not.
const APART_PART: u32 = 10;
/// The same in seconds where a run was stopped: what it was stopped for may be in the few that it lacks.
const APART_STOPPED_S: u32 = 2;

/// Runs that are laid beside each other.
pub(super) struct Beside<'a> {
    run: &'a Side,
    baselines: &'a [Side],
    settings: Settings,
    /// What was measured, or could not be.
    pub(super) open: Vec<Open>,
    pub(super) not_compared: Vec<NotCompared>,
    /// Why nothing that they have in common is enough.
    pub(super) because: Vec<String>,
    pub(super) notes: Vec<String>,
    measured: usize,
    over: u64,
}

impl<'a> Beside<'a> {
    pub(super) fn new(run: &'a Side, baselines: &'a [Side]) -> Self {
        Self {
            run,
            baselines,
            settings: Settings::default(),
            open: Vec::new(),
            not_compared: Vec::new(),
            because: Vec::new(),
            notes: Vec::new(),
            measured: 0,
            over: 0,
        }
    }

    /// Index of the part in each of the runs, the one that is judged first; `None` where it is not the same in all.
    fn part(&self, at: usize) -> Option<Vec<usize>> {
        let part = self.run.load.parts.get(at)?;
        self.sides().map(|side| side.load.parts.iter().position(|other| other.is_like(part))).collect()
    }

    fn sides(&self) -> impl Iterator<Item = &'a Side> + use<'a> {
        [self.run].into_iter().chain(self.baselines)
    }

    pub(super) fn steps(&mut self) {
        self.searches();
        self.unshared();
        for at in 0..self.run.load.parts.len() {
            let Some(parts) = self.part(at) else { continue };
            self.lengths(&parts);
            let is_way = self.passes_over(at);
            for (id, info) in (0..StepId::MAX).zip(&self.run.plan.steps) {
                let Some(ids) = self.ids(id, info) else { continue };
                if !is_way && self.is_full() {
                    continue;
                }
                let sides = self.sides().zip(&parts).zip(ids);
                let windows: Vec<Vec<Window>> =
                    sides.map(|((side, part), id)| side.load.of(*part, id)).collect();
                // A phase's mix may leave a journey out.
                match windows.iter().flatten().any(|window| window.ended > 0) {
                    true if is_way => self.look_at(at, named(info), &windows),
                    true => self.measure(at, named(info), &windows, &Quantity::ALL),
                    false => {}
                }
            }
        }
        for info in self.baselines.iter().flat_map(|side| &side.plan.steps) {
            if !self.run.plan.steps.contains(info) {
                self.leave_out(&named(info), "it is no step of the run");
            }
        }
        if self.over > 0 {
            let over = plural(self.over, "step", "steps");
            self.because.push(format!(
                "{over} of parts of the load are more than the {MEASURED_MAX} that are compared"
            ));
        }
    }

    /// Whether a part is only looked at, which is told: the way to a rate that is held, or from it.
    fn passes_over(&mut self, at: usize) -> bool {
        let run = self.run;
        let Some(part) = run.load.parts.get(at).filter(|part| part.is_passing()) else { return false };
        let windows = plural(part.windows() as u64, "window", "windows");
        self.leave_out(
            &part.name,
            &format!(
                "{windows} of the {WINDOWS_MIN} it takes, and nowhere above what is held: only looked at for what is worse by far"
            ),
        );
        true
    }

    /// On a way too short for intervals something may be worse by far all the same: a system that does not recover.
    fn look_at(&mut self, part: usize, of: Subject, windows: &[Vec<Window>]) {
        let Some((run, baselines)) = windows.split_first() else { return };
        let worse = worse_by_far(run, baselines.iter().flatten());
        let name = &self.run.load.parts[part].name;
        self.because.extend(worse.map(|worse| format!("{name} · {of}: {}", words::by_far(worse))));
    }

    /// Ids of a step in all runs.
    fn ids(&mut self, id: StepId, info: &StepInfo) -> Option<Vec<StepId>> {
        let of = |side: &Side| {
            let at = side.plan.steps.iter().position(|other| other == info)?;
            StepId::try_from(at).ok()
        };
        let ids: Option<Vec<StepId>> = [Some(id)].into_iter().chain(self.baselines.iter().map(of)).collect();
        if ids.is_none() {
            self.leave_out(&named(info), "it is no step of a baseline");
        }
        ids
    }

    fn searches(&mut self) {
        for phase in self.sides().flat_map(|side| &side.plan.load.phases).filter(|phase| is_search(phase)) {
            self.leave_out(&phase.name, "a search chooses its own rates, other ones in each run");
        }
    }

    /// A part of the load that one of the runs alone was under, or under for so long, says nothing of the others: a run that
    /// ended before it came to a rate would else be as good as one that held it.
    fn unshared(&mut self) {
        for side in self.sides() {
            let has = |part: &Part| side.load.parts.iter().any(|own| own.is_like(part));
            let others = self.sides().flat_map(|other| &other.load.parts);
            let lacks: BTreeSet<&str> =
                others.filter(|part| !has(part)).map(|part| part.name.as_str()).collect();
            if !lacks.is_empty() {
                let lacks = words::some(lacks.into_iter());
                self.because.push(format!(
                    "run {} was not under all of the load that others were under, or not for as long: {lacks}",
                    side.verdict.run
                ));
            }
        }
    }

    /// Says so where runs were under a part for quite different times. Where one was stopped, a few seconds are enough.
    fn lengths(&mut self, parts: &[usize]) {
        let run = self.run;
        let of = |(side, part): (&'a Side, &usize)| (side.load.ran_s(*part), side);
        let ran: Vec<(u32, &Side)> = self.sides().zip(parts).map(of).collect();
        let (longest, shortest) = (ran.iter().max_by_key(|(s, _)| *s), ran.iter().min_by_key(|(s, _)| *s));
        let (Some(&(most, _)), Some(&(least, side))) = (longest, shortest) else { return };
        let Some(part) = parts.first().and_then(|at| run.load.parts.get(*at)) else { return };
        let apart = most - least;
        let is_apart = if self.sides().any(Side::is_stopped) {
            apart > APART_STOPPED_S
        } else {
            apart > APART_WINDOWS * part.width_s && apart > most / APART_PART
        };
        if is_apart {
            self.because.push(format!(
                "of {}, run {} has {}, and another run has {most}",
                part.name,
                side.verdict.run,
                plural(u64::from(least), "second", "seconds")
            ));
        }
    }

    pub(super) fn calls(&mut self) {
        if self.sides().all(|side| side.cells.is_none()) {
            return;
        }
        let untold = self.sides().find_map(|side| Some((side, no_calls(side)?)));
        if let Some((side, why)) = untold {
            self.notes.push(format!("calls are not compared: run {} {why}", side.verdict.run));
            return;
        }
        let cells: Vec<&Cells> = self.sides().filter_map(|side| side.cells.as_deref()).collect();
        let of_runs = calls(&cells, CALLS_MAX);
        let Some((new, old)) = of_runs.counts.split_first() else { return };
        for call in new.keys().filter(|call| !old.iter().all(|of| of.contains_key(*call))) {
            self.leave_out(&subject(call), "there is no such call in a baseline");
        }
        for call in old.iter().flat_map(BTreeMap::keys).filter(|call| !new.contains_key(*call)) {
            self.leave_out(&subject(call), "there is no such call in the run");
        }
        let all = new.keys().filter(|call| old.iter().all(|of| of.contains_key(*call))).count();
        if all > CALLS_MAX {
            self.notes.push(format!("{} calls with the fewest calls are not compared", all - CALLS_MAX));
        }
        self.over = 0;
        for at in 0..self.run.load.parts.len() {
            if self.passes_over(at) {
                continue;
            }
            let Some(parts) = self.part(at) else { continue };
            for call in &of_runs.kept {
                if self.is_full() {
                    continue;
                }
                let sides = self.sides().zip(&parts).zip(&of_runs.seconds);
                let windows: Vec<Vec<Window>> = sides
                    .filter_map(|((side, part), of)| Some(side.load.of_seconds(*part, of.get(call)?)))
                    .collect();
                self.measure(at, subject(call), &windows, &OF_CALLS);
            }
        }
        if self.over > 0 {
            let over = plural(self.over, "call", "calls");
            self.notes.push(format!(
                "{over} of parts of the load are more than the {MEASURED_MAX} steps and calls that are compared"
            ));
        }
    }

    fn leave_out(&mut self, what: &impl Display, because: &str) {
        let out = NotCompared { what: what.to_string(), because: because.to_owned() };
        if !self.not_compared.contains(&out) {
            self.not_compared.push(out);
        }
    }

    /// Whether no more are compared; then one more is counted as left out.
    fn is_full(&mut self) -> bool {
        let full = self.measured >= MEASURED_MAX;
        self.over += u64::from(full);
        full
    }

    fn measure(&mut self, part: usize, of: Subject, windows: &[Vec<Window>], wanted: &[Quantity]) {
        let Some((run, baselines)) = windows.split_first() else { return };
        self.measured += 1;
        let baselines: Vec<&[Window]> = baselines.iter().map(Vec::as_slice).collect();
        let found = measure(Runs { run, baselines: &baselines }, wanted, &self.settings);
        let part = &self.run.load.parts[part];
        let open = |(quantity, found)| Open {
            phase: part.name.clone(),
            of: of.clone(),
            quantity,
            width_s: part.width_s,
            found,
        };
        self.open.extend(found.into_iter().map(open));
    }
}

/// Why nothing can be said of the calls of a run.
fn no_calls(side: &Side) -> Option<String> {
    let analysis = &side.verdict.analysis;
    match () {
        () if side.cells.is_none() => Some("received no spans".to_owned()),
        () if analysis.state == AnalysisState::Withheld => {
            Some(format!("has spans that no verdict is given on: {}", words::some(analysis.because.iter())))
        }
        () if !side.lost_spans.is_empty() => {
            Some(format!("does not have all of its spans: {}", words::some(side.lost_spans.iter())))
        }
        () => None,
    }
}

fn named(info: &StepInfo) -> Subject {
    Subject::Step { journey: info.journey.clone(), step: info.step.clone() }
}

fn subject((from, to): &Call) -> Subject {
    Subject::Call { from: from.clone(), to: to.clone() }
}
