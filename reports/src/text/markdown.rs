//! Markdown for job summaries and comments.

use peakdrill_drill_model::condition::Stat;
use peakdrill_drill_model::verdict::{GateResult, Millis, Told, Verdict};

use super::card::is_direction_mark;
use crate::Record;
use crate::numbers::{NOT_MEASURED, count, figure, millis, percent};
use crate::resources::{resource, used};
use crate::sentences::{
    apart, bottleneck, has_apart, headline, isolation, limiting, load, share, sign, standing, whose, within,
};

/// The summary is never longer than this: GitHub drops a whole job summary above 1 MiB.
pub const MARKDOWN_LIMIT_BYTES: usize = 900 * 1024;
const CUT: &str = "\n_Cut here: the rest is in the report._\n";

/// The verdict as a short Markdown page, at most [`MARKDOWN_LIMIT_BYTES`] long.
#[must_use]
pub fn markdown(verdict: &Verdict, record: &Record) -> String {
    let mut out = Lines(String::new());
    out.line(&format!(
        "## {} {}: {} — {}\n",
        sign(verdict.verdict, true),
        crate::sentences::word(verdict.verdict),
        md(&verdict.drill),
        md(&headline(verdict))
    ));
    for reason in &verdict.invalid_because {
        out.line(&format!("> **Not valid:** {}\n", md(reason)));
    }
    gates(&mut out, verdict, record);
    out.line(&format!("{} · valid {}\n", md(&load(verdict)), if verdict.valid { "✓" } else { "✗" }));
    out.line(&format!("**{}**\n", md(&bottleneck(verdict))));
    if let Some(node) = limiting(verdict) {
        node.evidence.iter().for_each(|text| out.line(&format!("- {}", md(text))));
        if let Some(owner) = verdict.owners.get(&node.node) {
            out.line(&format!("- {}", md(&whose(owner))));
        }
        out.line("");
    }
    findings(&mut out, verdict);
    latency(&mut out, verdict);
    out.line(&format!("Isolation: {}\n", md(&isolation(verdict))));
    for warning in &verdict.warnings {
        out.line(&format!("- ⚠ {}", md(warning)));
    }
    steps(&mut out, verdict);
    ranking(&mut out, verdict);
    resources(&mut out, verdict);
    out.line(&format!("\nRun `{}`, seed {}, scenario `{}`", code(&verdict.run), verdict.seed, {
        code(record.plan.scenario_sha256.get(..12).unwrap_or(&record.plan.scenario_sha256))
    }));
    out.0
}

/// Lines up to the limit.
pub(super) struct Lines(pub(super) String);

impl Lines {
    pub(super) fn line(&mut self, text: &str) {
        let full = self.0.ends_with(CUT);
        if full {
            return;
        }
        if self.0.len() + text.len() + 1 + CUT.len() > MARKDOWN_LIMIT_BYTES {
            self.0.push_str(CUT);
            return;
        }
        self.0.push_str(text);
        self.0.push('\n');
    }
}

fn gates(out: &mut Lines, verdict: &Verdict, record: &Record) {
    if verdict.gates.is_empty() {
        return;
    }
    out.line("| gate | wanted | this run | | |\n|--|--|--:|--|--|");
    for (index, gate) in verdict.gates.iter().enumerate() {
        let planned = record.plan.gates.get(index);
        let value = gate_value(gate, planned.map(|planned| planned.condition.stat));
        let warns = if planned.is_some_and(|planned| planned.warn_only) { " (warns only)" } else { "" };
        out.line(&format!(
            "| {}{warns} | `{}` | {value} | {} | {} |",
            md(&gate.name),
            code(&gate.assert),
            sign(gate.verdict, true),
            md(&gate.because)
        ));
    }
    out.line("");
}

/// What a gate measured, for people.
pub(crate) fn gate_value(gate: &GateResult, stat: Option<Stat>) -> String {
    let Some(value) = gate.value else { return NOT_MEASURED.to_owned() };
    match stat {
        Some(stat @ (Stat::Latency(_) | Stat::Service(_))) => crate::gates::shown(stat, value * 1e6),
        Some(stat) => crate::gates::shown(stat, value),
        None => figure(value),
    }
}

fn quantiles(name: &str, ms: &Millis) -> String {
    let cells = [ms.p50, ms.p90, ms.p99, ms.p99_9, ms.max].map(millis);
    format!("| {name} | {} |", cells.join(" | "))
}

fn latency(out: &mut Lines, verdict: &Verdict) {
    for found in &verdict.load.capacity {
        out.line(&format!("**{}**: {}\n", md(&found.phase), md(&found.to_string())));
    }
    out.line("| | p50 | p90 | p99 | p99.9 | max |\n|--|--:|--:|--:|--:|--:|");
    out.line(&quantiles("latency, from the intended time", &verdict.latency_ms));
    out.line(&quantiles("service time", &verdict.service_ms));
    out.line(&quantiles("lateness of the generator", &verdict.lateness_ms));
    out.line("");
}

fn steps(out: &mut Lines, verdict: &Verdict) {
    if verdict.steps.is_empty() {
        return;
    }
    out.line("\n<details><summary>Steps</summary>\n");
    let has_apart = verdict.steps.iter().any(has_apart);
    let (head, rule) = if has_apart { (" apart |", "--|") } else { ("", "") };
    out.line(&format!(
        "| journey | step | requests | errors | p50 | p99 |{head}\n|--|--|--:|--:|--:|--:|{rule}"
    ));
    for step in &verdict.steps {
        let errors = (step.completed > 0).then(|| step.errors as f64 / step.completed as f64);
        out.line(&format!(
            "| {} | {} | {} | {} | {} | {} |{}",
            md(&step.journey),
            md(&step.step),
            count(step.completed),
            percent(errors),
            millis(step.latency_ms.p50),
            millis(step.latency_ms.p99),
            if has_apart { format!(" {} |", md(&apart(step))) } else { String::new() }
        ));
    }
    out.line("\n</details>\n");
}

fn ranking(out: &mut Lines, verdict: &Verdict) {
    if verdict.bottlenecks.is_empty() {
        return;
    }
    out.line("<details><summary>Ranking</summary>\n");
    out.line("| node | kind | | share of the growth | capacity |\n|--|--|--|--:|--:|");
    for node in &verdict.bottlenecks {
        let owner = node.owner.as_ref().map(|owner| format!(", {}", md(owner))).unwrap_or_default();
        out.line(&format!(
            "| {} | {}{owner} | {} | {} | {} |",
            md(&node.node),
            node.kind.text(),
            standing(node.verdict),
            share(node),
            crate::sentences::capacity(node)
        ));
    }
    out.line("\n</details>");
}

fn findings(out: &mut Lines, verdict: &Verdict) {
    for Told { finding: found, owner } in &verdict.findings {
        let owner = owner.as_ref().map(|owner| format!(" ({})", md(&whose(owner))));
        let (node, owner) = (md(&found.node), owner.unwrap_or_default());
        out.line(&format!("- **{node}**{owner}: {}. _{}_", md(&found.text), md(&found.action)));
    }
    if !verdict.findings.is_empty() {
        out.line("");
    }
}

fn resources(out: &mut Lines, verdict: &Verdict) {
    if verdict.resources.is_empty() {
        return;
    }
    out.line("\n<details><summary>Resources</summary>\n");
    out.line("| resource | light load | peak | fullest instance | full at |\n|--|--:|--:|--:|--:|");
    for of in &verdict.resources {
        let cells = [of.light, of.peak, of.peak_fullest].map(|value| used(of, value));
        let full = within(&of.capacity_per_s);
        out.line(&format!("| {} | {} | {full} |", md(&resource(of)), cells.join(" | ")));
    }
    out.line("\n</details>");
}

/// Text with everything that Markdown or HTML would read escaped.
pub(super) fn md(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' | '@' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() || is_direction_mark(c) => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Text inside a code span in a table cell.
fn code(text: &str) -> String {
    let plain = |c: char| if c.is_control() || is_direction_mark(c) || c == '`' { ' ' } else { c };
    let mut out = text.chars().map(plain).collect::<String>().replace('|', "\\|");
    // Not every reader agrees that a backslash before the closing mark is a backslash.
    if out.ends_with('\\') {
        out.push(' ');
    }
    out
}
