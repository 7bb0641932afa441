//! A comparison in words, the same in every rendering.

use peakdrill_bottleneck::baseline::{BASELINES_TOLD, ERRORS_TOLERATED, Far, Lack, WINDOWS_MIN, Why};
use peakdrill_drill_model::comparison::{Compared, Comparison, Quantity};
use peakdrill_drill_model::verdict::Judgement;

use super::{Side, is_step};
use crate::numbers::{NOT_MEASURED, count, figure, millis, percent, plural, rate};

/// The other test is told where it says otherwise: it sees nothing of what was found ...
const SEES_NOTHING: f64 = 0.05;
/// ... or is sure of what was not.
const IS_SURE: f64 = 0.001;

/// So many of a list are named.
const SOME: usize = 5;

/// Why nothing can be measured.
pub(super) fn lack(lack: Lack) -> String {
    match lack {
        Lack::Windows(windows) => format!(
            "{} that all of them have, of the {WINDOWS_MIN} it takes: hold the load for longer",
            plural(windows as u64, "window", "windows")
        ),
        Lack::Samples { had, wanted } => {
            format!("{} of the {} it takes", plural(had, "sample", "samples"), count(wanted))
        }
    }
}

/// What is worse by far on a way that is too short to be judged.
pub(super) fn by_far(far: Far) -> String {
    let (what, run, baseline) = match far {
        Far::Errors { run, baseline } => ("errors", percent(Some(run)), percent(Some(baseline))),
        Far::Median { run, baseline } => {
            let ms = |ns: u64| millis(Some(ns as f64 / 1e6));
            ("p50", ms(run), ms(baseline))
        }
    };
    format!("{what} {run}, {baseline} before: worse by far, and too short to be judged")
}

/// The first few of many, and how many more.
pub(super) fn some(all: impl Iterator<Item: AsRef<str>>) -> String {
    let mut named: Vec<String> = Vec::new();
    let mut more = 0_usize;
    for one in all {
        if named.len() < SOME { named.push(one.as_ref().to_owned()) } else { more += 1 }
    }
    if more > 0 {
        named.push(format!("{more} more"));
    }
    named.join(", ")
}

/// By how much a share of errors may rise, however small it was.
pub(crate) fn errors_tolerated() -> String {
    points(ERRORS_TOLERATED)
}

fn points(share: f64) -> String {
    format!("{} points", figure(100.0 * share))
}

/// What was found, and what follows; with what is tolerated of the figure.
pub(super) fn because(one: &Compared, why: Why, among: usize, tolerated: f64) -> String {
    let is_errors = one.quantity == Quantity::Errors;
    let tolerated = if is_errors { points(tolerated) } else { percent(Some(tolerated)) };
    let found = format!("{}, {} before: {}", shown(one, one.run), shown(one, one.baseline), change(one));
    let follows = match why {
        Why::Worse => format!(", worse by more than the {tolerated} that are tolerated"),
        Why::OneOfMany if among == 1 => {
            ", over the limit, and yet chance alone would show as much too often: hold the load for longer"
                .to_owned()
        }
        Why::OneOfMany => {
            format!(
                ", over the limit by itself; of {among} comparisons, chance alone would show one like this"
            )
        }
        Why::Within | Why::NotShown if is_errors => format!(", of {tolerated} that are tolerated"),
        Why::Within | Why::NotShown => String::new(),
        Why::Wide => "; the interval is too wide to tell: hold the load for longer".to_owned(),
    };
    let other = one.second_opinion.filter(|other| match why {
        Why::Worse => other.p > SEES_NOTHING,
        Why::Within | Why::NotShown => other.p < IS_SURE,
        Why::OneOfMany | Why::Wide => false,
    });
    let other = other.map(|other| {
        let sees = if why == Why::Worse {
            "do not show it"
        } else {
            "show that it got worse, by less than is tolerated"
        };
        format!("; ranks of blocks {sees} (p {:.4})", other.p)
    });
    found + &follows + &other.unwrap_or_default()
}

/// A figure in its unit.
pub(crate) fn shown(one: &Compared, value: Option<f64>) -> String {
    match one.quantity {
        Quantity::Errors => percent(value),
        Quantity::Throughput => rate(value),
        _ => millis(value),
    }
}

/// By how much it changed, with the interval: `+19% (+14% to +25%)`.
pub(crate) fn change(one: &Compared) -> String {
    let (unit, points) = if one.quantity == Quantity::Errors { ("", " points") } else { ("%", "") };
    let part = |value: Option<f64>| {
        value.map_or_else(
            || NOT_MEASURED.to_owned(),
            |value| {
                let value = 100.0 * value;
                let sign = if value > 0.0 { "+" } else { "" };
                // Neither -0 nor digits that no interval has.
                let value = if value.abs() < 0.005 { 0.0 } else { value };
                format!("{sign}{}{unit}", figure(value))
            },
        )
    };
    let [estimate, low, high] = [one.change.estimate, one.change.low, one.change.high].map(part);
    format!("{estimate}{points} ({low} to {high})")
}

/// What came out, in half a sentence.
pub(crate) fn headline(comparison: &Comparison) -> String {
    let of = |judgement: Judgement| comparison.compared.iter().filter(move |one| one.verdict == judgement);
    let all = plural(comparison.compared.len() as u64, "comparison", "comparisons");
    let failed = of(Judgement::Fail).count();
    let open = of(Judgement::Inconclusive).filter(|one| is_step(&one.of)).count();
    let tolerance = percent(Some(comparison.tolerance));
    match comparison.verdict {
        _ if comparison.compared.is_empty() => "the runs cannot be compared".to_owned(),
        Judgement::Fail => format!("worse than the baseline in {failed} of {all}"),
        Judgement::Inconclusive if open == 0 => {
            "what the runs have in common is not all of their load".to_owned()
        }
        Judgement::Inconclusive => format!("{open} of {all} cannot be told"),
        Judgement::Pass => format!(
            "nothing is shown to be worse by more than {tolerance}, errors by more than that or {}, in {all}",
            errors_tolerated()
        ),
    }
}

/// The runs that it is held against.
pub(crate) fn against(comparison: &Comparison) -> String {
    let runs: Vec<&str> = comparison.baselines.iter().map(|run| run.run.as_str()).collect();
    format!("run {} against {}", comparison.run.run, runs.join(", "))
}

/// What a reader of the runs themselves would be told.
pub(super) fn notes(run: &Side, baselines: &[Side]) -> Vec<String> {
    let mut out = Vec::new();
    for side in [run].into_iter().chain(baselines) {
        let name = &side.verdict.run;
        if let Some(by) = &side.verdict.stopped_by {
            out.push(format!("run {name} was stopped early ({by}): what all runs have is compared"));
        }
        out.extend(side.verdict.warnings.iter().map(|text| format!("run {name}: {text}")));
    }
    if baselines.len() < BASELINES_TOLD {
        let few = if baselines.len() == 1 { "one baseline does" } else { "two baselines do" };
        out.push(format!(
            "{few} not tell what differs from run to run of the same thing, {BASELINES_TOLD} do: the intervals are of \
             these runs alone"
        ));
    }
    out
}
