//! A comparison for terminals, programs, pipelines and comments.

use peakdrill_drill_model::comparison::{Compared, Comparison, Quantity, Subject};
use peakdrill_drill_model::verdict::Judgement;

use super::card::{Card, Tone};
use super::json::pretty;
use super::junit::{Case, Ending, Suite};
use super::markdown::{Lines, md};
use crate::comparison::is_step;
use crate::comparison::words::{against, change, errors_tolerated, headline, shown};
use crate::numbers::{percent, plural};
use crate::sentences::{sign, word};

/// Calls, and parts that were not compared, that are named in a terminal, at most.
const NAMED_MAX: usize = 12;

/// The comparison as pretty-printed JSON with a final newline.
#[must_use]
pub fn comparison_json(comparison: &Comparison) -> String {
    pretty(comparison)
}

/// The comparison on the lines of a terminal, with a final newline; the arguments are those of [`card`](crate::card).
#[must_use]
pub fn comparison_card(comparison: &Comparison, width: usize, color: bool, unicode: bool) -> String {
    let mut card = Card::new(width, color, unicode);
    let about = format!("{} · {}", comparison.run.drill, against(comparison));
    card.head(comparison.verdict, &about, &headline(comparison), &comparison.because);
    let line = |one: &Compared| {
        let text = format!("{} {}: {}", sign(one.verdict, unicode), one.quantity.text(), one.because);
        (Tone::of(one.verdict), text)
    };
    let mut label = "steps";
    for same in comparison.compared.chunk_by(|a, b| (&a.phase, &a.of) == (&b.phase, &b.of)) {
        let rows: Vec<_> = same.iter().filter(|one| is_step(&one.of)).map(line).collect();
        if !rows.is_empty() {
            let about = (Tone::Strong, format!("{} · {}", same[0].phase, same[0].of));
            card.row(label, &[&[about], rows.as_slice()].concat());
            label = "";
        }
    }
    card.row("calls", &calls(comparison, &card));
    let rest = comparison.not_compared.iter();
    let mut rest: Vec<_> =
        rest.take(NAMED_MAX).map(|one| (Tone::Quiet, format!("{}: {}", one.what, one.because))).collect();
    rest.extend(more(comparison.not_compared.len()));
    card.row("left out", &rest);
    let notes: Vec<_> = comparison.notes.iter().map(|text| (Tone::Warn, text.clone())).collect();
    card.row("note", &notes);
    card.out
}

/// Calls that got worse by name, all others by number.
fn calls(comparison: &Comparison, card: &Card) -> Vec<(Tone, String)> {
    let of = |judgement: Judgement| {
        let calls = comparison.compared.iter().filter(|one| !is_step(&one.of));
        calls.filter(move |one| one.verdict == judgement)
    };
    let line = |one: &Compared| {
        let name = format!("{} · {} {}", one.phase, one.of, one.quantity.text());
        (Tone::Bad, format!("{} {name}: {}", sign(one.verdict, card.unicode), one.because))
    };
    let failed = of(Judgement::Fail).count();
    let mut rows: Vec<_> = of(Judgement::Fail).take(NAMED_MAX).map(line).collect();
    rows.extend(more(failed));
    for (judgement, what) in [
        (Judgement::Pass, "not shown to be worse"),
        (Judgement::Inconclusive, "cannot be told, which leaves nothing open since the requests are judged"),
    ] {
        let n = of(judgement).count();
        rows.extend(
            (n > 0).then(|| (Tone::Quiet, format!("{what}: {}", plural(n as u64, "figure", "figures")))),
        );
    }
    rows
}

fn more(all: usize) -> Option<(Tone, String)> {
    (all > NAMED_MAX).then(|| (Tone::Quiet, format!("{} more in the JSON", all - NAMED_MAX)))
}

/// The comparison as JUnit XML, a test case a figure: worse → `failure`; of a step that cannot be told → `error`, of a call
/// → `skipped`, as is what was not compared. Why the comparison as a whole cannot be told is one more test case.
#[must_use]
pub fn comparison_junit(comparison: &Comparison) -> String {
    let baselines: Vec<&str> = comparison.baselines.iter().map(|run| run.run.as_str()).collect();
    let tolerance = percent(Some(comparison.tolerance));
    let assert = |quantity: Quantity| match quantity {
        Quantity::Errors => {
            format!("no more than {tolerance} or {} worse than the baseline", errors_tolerated())
        }
        _ => format!("no more than {tolerance} worse than the baseline"),
    };
    let case = |one: &Compared| Case {
        name: format!("{} · {} · {}", one.phase, one.of, one.quantity.text()),
        assert: assert(one.quantity),
        because: one.because.clone(),
        ending: match (one.verdict, &one.of) {
            (Judgement::Pass, _) => Ending::Passed,
            (Judgement::Fail, _) => Ending::Failure,
            (Judgement::Inconclusive, Subject::Step { .. }) => Ending::Error,
            (Judgement::Inconclusive, Subject::Call { .. }) => Ending::Skipped,
        },
    };
    let mut cases: Vec<Case> = comparison.compared.iter().map(case).collect();
    cases.extend(comparison.not_compared.iter().map(|one| Case {
        name: one.what.clone(),
        assert: "compared with the baseline".to_owned(),
        because: one.because.clone(),
        ending: Ending::Skipped,
    }));
    if !comparison.because.is_empty() {
        let because = comparison.because.join("; ");
        let name = "the comparison".to_owned();
        cases.insert(
            0,
            Case {
                name,
                assert: "valid runs of the same drill, under the same load".into(),
                because,
                ending: Ending::Error,
            },
        );
    }
    let suite = Suite {
        name: &comparison.run.drill,
        seconds: 0.0,
        started: &comparison.run.started,
        properties: vec![
            ("peakdrill.run", comparison.run.run.clone()),
            ("peakdrill.baselines", baselines.join(",")),
            ("peakdrill.verdict", comparison.verdict.text().to_owned()),
        ],
        cases,
    };
    suite.xml()
}

/// The comparison as a short Markdown page for a comment, at most [`MARKDOWN_LIMIT_BYTES`](crate::MARKDOWN_LIMIT_BYTES) long.
#[must_use]
pub fn comparison_markdown(comparison: &Comparison) -> String {
    let mut out = Lines(String::new());
    out.line(&format!(
        "## {} {}: {} — {}\n",
        sign(comparison.verdict, true),
        word(comparison.verdict),
        md(&comparison.run.drill),
        md(&headline(comparison))
    ));
    comparison.because.iter().for_each(|reason| out.line(&format!("> {}\n", md(reason))));
    let is_told = |one: &&Compared| one.verdict == Judgement::Fail || is_step(&one.of);
    let (first, rest): (Vec<&Compared>, Vec<&Compared>) =
        comparison.compared.iter().partition(|one| one.verdict != Judgement::Pass && is_told(one));
    table(&mut out, &first);
    if !rest.is_empty() {
        out.line(&format!("\n<details><summary>{} more</summary>\n", rest.len()));
        table(&mut out, &rest);
        out.line("\n</details>\n");
    }
    let left_out =
        comparison.not_compared.iter().map(|one| format!("not compared: {}: {}", one.what, one.because));
    left_out.chain(comparison.notes.iter().cloned()).for_each(|text| out.line(&format!("- {}", md(&text))));
    out.line(&format!("\n{}", md(&against(comparison))));
    out.0
}

fn table(out: &mut Lines, rows: &[&Compared]) {
    if rows.is_empty() {
        return;
    }
    out.line("| phase | of | figure | before | this run | change (95 %) | |\n|--|--|--|--:|--:|--:|--|");
    for one in rows {
        out.line(&format!(
            "| {} | {} | {} | {} | {} | {} | {} |",
            md(&one.phase),
            md(&one.of.to_string()),
            one.quantity.text(),
            shown(one, one.baseline),
            shown(one, one.run),
            change(one),
            sign(one.verdict, true)
        ));
    }
}
