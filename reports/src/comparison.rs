//! One run beside others that came before: what got worse, by how much, and how sure that is.

mod alike;
mod beside;
mod parts;
mod windows;
pub(crate) mod words;

use std::collections::BTreeSet;
use std::sync::Arc;

use peakdrill_bottleneck::Cells;
use peakdrill_bottleneck::baseline::{Lack, Measured, Why, judge};
use peakdrill_drill_model::comparison::{
    COMPARISON_VERSION, Compared, Comparison, NotCompared, Quantity, RunName, Subject,
};
use peakdrill_drill_model::plan::Plan;
use peakdrill_drill_model::verdict::{Estimate, Judgement, Verdict};

use crate::Environment;
use beside::Beside;
pub use windows::LoadWindows;

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
    /// What of its spans is known not to be in the cells, in words.
    pub lost_spans: Vec<String>,
}

impl Side {
    /// Whether a guard or a person ended it early.
    fn is_stopped(&self) -> bool {
        self.verdict.stopped_by.is_some()
    }
}

/// How they are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// By how much a figure may be worse, as a part.
    pub tolerance: f64,
    /// Whether runs are compared that are not of the same drill, and are told to be not.
    pub mismatched: bool,
}

/// A run that is given twice: as two it would tell of a certainty that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeated {
    /// Its id.
    pub run: String,
}

impl std::fmt::Display for Repeated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "run {} is given twice: a run is not held against itself, nor counted as two", self.run)
    }
}

impl std::error::Error for Repeated {}

/// Compares a run with its baselines, which stand for one. The same records give the same comparison.
///
/// # Errors
/// When a run is among them twice.
pub fn compare(run: &Side, baselines: &[Side], terms: &Terms) -> Result<Comparison, Repeated> {
    let mut seen = BTreeSet::new();
    // A record that does not name its run is not valid, and said to be so.
    for side in [run].into_iter().chain(baselines).filter(|side| !side.verdict.run.is_empty()) {
        if !seen.insert(&side.verdict.run) {
            return Err(Repeated { run: side.verdict.run.clone() });
        }
    }
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
        all.calls();
        finish(all, &mut out, terms);
    }
    Ok(out)
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
    all.filter_map(of).collect()
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
        if !matches!(
            (quantity, &self.found),
            (Quantity::P95 | Quantity::P99 | Quantity::Errors, Err(Lack::Samples { .. }))
        ))
    }
}

/// Judges all of them together.
fn finish(all: Beside<'_>, out: &mut Comparison, terms: &Terms) {
    (out.not_compared, out.because) = (all.not_compared, all.because);
    out.notes.extend(all.notes);
    let measured: Vec<&Measured> = all.open.iter().filter_map(|one| one.found.as_ref().ok()).collect();
    let among = measured.len();
    let mut whys = judge(&measured, terms.tolerance).into_iter();
    for one in &all.open {
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
    if out.because.is_empty() && !out.compared.iter().any(|one| is_step(&one.of)) {
        out.because.push("no step of a measured phase can be compared in all of them".to_owned());
    }
    out.verdict = overall(&out.compared, out.because.is_empty());
}

/// One that failed fails all. What cannot be told of a call leaves nothing open: requests that make it are judged.
fn overall(compared: &[Compared], is_whole: bool) -> Judgement {
    let any = |judgement: Judgement, calls: bool| {
        compared.iter().any(|one| one.verdict == judgement && (calls || is_step(&one.of)))
    };
    match () {
        () if any(Judgement::Fail, true) => Judgement::Fail,
        () if !is_whole || any(Judgement::Inconclusive, false) => Judgement::Inconclusive,
        () => Judgement::Pass,
    }
}

/// Whether it is a step of the load.
pub(crate) fn is_step(of: &Subject) -> bool {
    matches!(of, Subject::Step { .. })
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
    one.because = words::because(&one, why, among, found.tolerated(tolerance));
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
