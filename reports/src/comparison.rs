//! One run beside others that came before: what got worse, by how much, and how sure that is.

mod alike;
mod parts;
mod windows;
pub(crate) mod words;

use std::collections::BTreeSet;
use std::sync::Arc;

use peakdrill_bottleneck::Cells;
use peakdrill_bottleneck::baseline::{
    CallSeconds, Lack, Measured, Runs, Settings, Why, Window, calls, judge, measure,
};
use peakdrill_drill_model::comparison::{
    COMPARISON_VERSION, Compared, Comparison, NotCompared, Quantity, RunName, Subject,
};
use peakdrill_drill_model::plan::{Plan, StepId};
use peakdrill_drill_model::verdict::{Estimate, Judgement, Verdict};

use crate::Environment;
pub use windows::LoadWindows;

/// Of calls it is told how long they take and how many fail; how many there are follows from the requests.
const OF_CALLS: [Quantity; 4] = [Quantity::P50, Quantity::P95, Quantity::P99, Quantity::Errors];
/// So many calls between two nodes are compared, those with the most calls first.
const CALLS_MAX: usize = 200;

/// A run, as far as it is compared.
#[derive(Debug, Clone)]
pub struct Side {
    /// Its plan.
    pub plan: Plan,
    /// Where it ran.
    pub environment: Environment,
    /// What it came to by itself.
    pub verdict: Verdict,
    /// Its load.
    pub load: LoadWindows,
    /// What its spans said; `None`: none were received.
    pub cells: Option<Arc<Cells>>,
}

/// How they are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// By how much a figure may be worse, as a part.
    pub tolerance: f64,
    /// Whether runs are compared that are not of the same drill, and are told to be not.
    pub mismatched: bool,
}

/// Compares a run with its baselines, which stand for one. The same records give the same comparison.
#[must_use]
pub fn compare(run: &Side, baselines: &[Side], terms: &Terms) -> Comparison {
    let mut out = Comparison {
        v: COMPARISON_VERSION,
        run: name(run),
        baselines: baselines.iter().map(name).collect(),
        tolerance: terms.tolerance,
        verdict: Judgement::Inconclusive,
        because: invalid(run, baselines),
        notes: Vec::new(),
        compared: Vec::new(),
        not_compared: Vec::new(),
    };
    for side in baselines {
        let differences = alike::differences(run, side);
        let said = differences.into_iter().map(|text| format!("beside run {}: {text}", side.verdict.run));
        if terms.mismatched {
            out.notes.extend(said)
        } else {
            out.because.extend(said)
        }
        out.notes.extend(
            alike::remarks(run, side)
                .into_iter()
                .map(|text| format!("beside run {}: {text}", side.verdict.run)),
        );
    }
    out.notes.extend(words::notes(run, baselines));
    if out.because.is_empty() {
        let mut all = Beside::new(run, baselines);
        all.steps();
        all.calls(&mut out.notes);
        all.finish(&mut out, terms);
    }
    out
}

fn name(side: &Side) -> RunName {
    let Verdict { run, drill, started, .. } = side.verdict.clone();
    RunName { run, drill, started }
}

fn invalid(run: &Side, baselines: &[Side]) -> Vec<String> {
    let all = [run].into_iter().chain(baselines);
    let of = |side: &Side| {
        let why = side.verdict.invalid_because.join("; ");
        (!side.verdict.valid).then(|| format!("run {} is not valid: {why}", side.verdict.run))
    };
    let mut said: Vec<String> = all.filter_map(of).collect();
    said.dedup();
    said
}

/// Something that is compared, before it is judged beside all others.
struct Open {
    phase: String,
    of: Subject,
    quantity: Quantity,
    width_s: u32,
    found: Result<Measured, Lack>,
}

impl Open {
    /// Whether it binds although nothing was measured.
    fn is_open(&self) -> bool {
        matches!((&self.of, self.quantity), (Subject::Step { .. }, quantity)
            if !matches!((quantity, &self.found), (Quantity::P95 | Quantity::P99, Err(Lack::Samples { .. }))))
    }
}

struct Beside<'a> {
    run: &'a Side,
    baselines: &'a [Side],
    settings: Settings,
    open: Vec<Open>,
    not_compared: Vec<NotCompared>,
}

impl<'a> Beside<'a> {
    fn new(run: &'a Side, baselines: &'a [Side]) -> Self {
        Self { run, baselines, settings: Settings::default(), open: Vec::new(), not_compared: Vec::new() }
    }

    /// Index of the part in each of the runs, the one that is judged first; `None` where it is not the same in all.
    fn part(&self, at: usize) -> Option<Vec<usize>> {
        let part = self.run.load.parts.get(at)?;
        let same = |side: &Side| {
            let parts = &side.load.parts;
            parts.iter().position(|other| other.name == part.name && other.width_s == part.width_s)
        };
        [Some(at)].into_iter().chain(self.baselines.iter().map(same)).collect()
    }

    fn sides(&self) -> impl Iterator<Item = &'a Side> {
        [self.run].into_iter().chain(self.baselines)
    }

    fn steps(&mut self) {
        for at in 0..self.run.load.parts.len() {
            let Some(parts) = self.part(at) else {
                let what = self.run.load.parts[at].name.clone();
                let because = "a baseline has no such part of the load, or one of another length".to_owned();
                self.not_compared.push(NotCompared { what, because });
                continue;
            };
            for (id, info) in (0..StepId::MAX).zip(&self.run.plan.steps) {
                let of = |side: &Side| {
                    let same = |other: &_| other == info;
                    side.plan.steps.iter().position(same).and_then(|at| StepId::try_from(at).ok())
                };
                let ids: Option<Vec<StepId>> =
                    [Some(id)].into_iter().chain(self.baselines.iter().map(of)).collect();
                let subject = Subject::Step { journey: info.journey.clone(), step: info.step.clone() };
                let Some(ids) = ids else {
                    self.leave_out(&subject, "it is no step of a baseline");
                    continue;
                };
                let sides = self.sides().zip(&parts).zip(ids);
                let windows: Vec<Vec<Window>> =
                    sides.map(|((side, part), id)| side.load.of(*part, id)).collect();
                // A phase's mix may leave a journey out.
                if windows.iter().flatten().any(|window| window.ended > 0) {
                    self.measure(at, subject, &windows, &Quantity::ALL);
                }
            }
        }
    }

    fn calls(&mut self, notes: &mut Vec<String>) {
        let with: Option<Vec<&Cells>> = self.sides().map(|side| side.cells.as_deref()).collect();
        let Some(cells) = with else {
            let some = self.sides().any(|side| side.cells.is_some());
            notes
                .extend(some.then(|| "calls are not compared: one of the runs received no spans".to_owned()));
            return;
        };
        let of_runs = calls(&cells);
        let Some((new, old)) = of_runs.split_first() else { return };
        let mut known: Vec<_> =
            new.keys().filter(|call| old.iter().all(|of| of.contains_key(*call))).collect();
        let known_set: BTreeSet<_> = known.iter().copied().collect();
        for call in new.keys().filter(|call| !known_set.contains(call)) {
            self.leave_out(&subject(call), "there is no such call in a baseline");
        }
        let gone = |call: &&(String, String)| {
            old.iter().any(|of| of.contains_key(*call)) && !new.contains_key(*call)
        };
        let gone: BTreeSet<_> = old.iter().flat_map(CallSeconds::keys).filter(gone).collect();
        for call in gone {
            self.leave_out(&subject(call), "there is no such call in the run");
        }
        let count = |call: &(String, String)| new[call].values().map(|window| window.ended).sum::<u64>();
        known.sort_by_key(|call| std::cmp::Reverse(count(call)));
        if known.len() > CALLS_MAX {
            notes.push(format!("{} calls with the fewest calls are not compared", known.len() - CALLS_MAX));
            known.truncate(CALLS_MAX);
        }
        for at in 0..self.run.load.parts.len() {
            let Some(parts) = self.part(at) else { continue };
            for call in &known {
                let sides = self.sides().zip(&parts).zip(&of_runs);
                let windows: Vec<Vec<Window>> = sides
                    .filter_map(|((side, part), of)| Some(side.load.of_seconds(*part, of.get(*call)?)))
                    .collect();
                self.measure(at, subject(call), &windows, &OF_CALLS);
            }
        }
    }

    fn leave_out(&mut self, of: &Subject, because: &str) {
        let out = NotCompared { what: of.to_string(), because: because.to_owned() };
        if !self.not_compared.contains(&out) {
            self.not_compared.push(out);
        }
    }

    fn measure(&mut self, part: usize, of: Subject, windows: &[Vec<Window>], wanted: &[Quantity]) {
        let Some((run, baselines)) = windows.split_first() else { return };
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

    /// Judges all of them together.
    fn finish(self, out: &mut Comparison, terms: &Terms) {
        out.not_compared = self.not_compared;
        let measured: Vec<&Measured> = self.open.iter().filter_map(|one| one.found.as_ref().ok()).collect();
        let among = measured.len();
        let mut whys = judge(&measured, terms.tolerance).into_iter();
        for one in &self.open {
            match &one.found {
                Ok(found) => {
                    if let Some(why) = whys.next() {
                        out.compared.push(compared(one, found, why, among, terms.tolerance));
                    }
                }
                Err(lack) if one.is_open() => out.compared.push(unmeasured(one, *lack)),
                Err(lack) => out.not_compared.push(NotCompared {
                    what: format!("{} · {} · {}", one.phase, one.of, one.quantity.text()),
                    because: words::lack(*lack),
                }),
            }
        }
        out.verdict = overall(&out.compared);
        if out.verdict == Judgement::Inconclusive && out.compared.is_empty() {
            out.because.push("no measured phase was run in all of them".to_owned());
        }
    }
}

/// One that failed fails all. What cannot be told of a call leaves nothing open: requests that make it are judged.
fn overall(compared: &[Compared]) -> Judgement {
    let any = |judgement: Judgement, calls: bool| {
        compared.iter().any(|one| one.verdict == judgement && (calls || is_step(&one.of)))
    };
    match () {
        () if any(Judgement::Fail, true) => Judgement::Fail,
        () if any(Judgement::Inconclusive, false) || !any(Judgement::Pass, false) => Judgement::Inconclusive,
        () => Judgement::Pass,
    }
}

/// Whether it is a step of the load.
pub(crate) fn is_step(of: &Subject) -> bool {
    matches!(of, Subject::Step { .. })
}

fn subject((from, to): &(String, String)) -> Subject {
    Subject::Call { from: from.clone(), to: to.clone() }
}

fn compared(open: &Open, found: &Measured, why: Why, among: usize, tolerance: f64) -> Compared {
    let unit = |value: f64| match open.quantity {
        Quantity::Errors => value,
        Quantity::Throughput => value / f64::from(open.width_s),
        // Whole microseconds: more digits than the histogram has would be noise.
        _ => (value / 1e3).round() / 1e3,
    };
    let mut one = Compared {
        phase: open.phase.clone(),
        of: open.of.clone(),
        quantity: open.quantity,
        baseline: Some(unit(found.baseline)),
        run: Some(unit(found.run)),
        change: found.change(),
        p: Some(found.p(tolerance)),
        windows: u32::try_from(found.windows).unwrap_or(u32::MAX),
        second_opinion: found.second_opinion,
        verdict: why.verdict(),
        because: String::new(),
    };
    one.because = words::because(&one, why, among, tolerance);
    one
}

fn unmeasured(open: &Open, lack: Lack) -> Compared {
    let windows = if let Lack::Windows(windows) = lack { windows } else { 0 };
    Compared {
        phase: open.phase.clone(),
        of: open.of.clone(),
        quantity: open.quantity,
        baseline: None,
        run: None,
        change: Estimate::default(),
        p: None,
        windows: u32::try_from(windows).unwrap_or(u32::MAX),
        second_opinion: None,
        verdict: Judgement::Inconclusive,
        because: words::lack(lack),
    }
}
