//! Gates, timeline, steps.

use peakdrill_drill_model::event::{Event, EventKind};
use peakdrill_drill_model::verdict::Judgement;

use crate::markup::Page;
use crate::numbers::{clock, count, millis, percent, plural};
use crate::sentences::{apart, has_apart, sign, word};
use crate::text::markdown::gate_value;

use super::head::tone;
use super::{Report, section};

/// Lines of the timeline that are drawn; the record has them all.
const EVENTS_MAX: usize = 400;
/// Lines that are shown without unfolding.
const EVENTS_OPEN: usize = 12;

/// Writes the gates.
pub(crate) fn gates(page: &mut Page, report: &Report<'_>) {
    let gates = &report.verdict.gates;
    let with = |judgement| gates.iter().filter(|gate| gate.verdict == judgement).count() as u64;
    let lead = match gates.len() as u64 {
        0 => "No gates were set: nothing was asked of this run but to be valid.".to_owned(),
        n => format!(
            "{}: {} held, {} failed, {} could not be decided.",
            plural(n, "gate", "gates"),
            with(Judgement::Pass),
            with(Judgement::Fail),
            with(Judgement::Inconclusive)
        ),
    };
    section(page, "gates", "Did it hold what was asked?", &lead);
    if !gates.is_empty() {
        page.raw("<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">verdict</th><th scope=\"col\">gate</th>");
        page.raw("<th scope=\"col\">wanted</th><th scope=\"col\" class=\"n\">measured</th>");
        page.raw("<th scope=\"col\">because</th></tr></thead>\n<tbody>\n");
        for (index, gate) in gates.iter().enumerate() {
            let planned = report.record.plan.gates.get(index);
            page.put(
                "<tr><td class=\"verdict {}\"><span aria-hidden=\"true\">{}</span> {}</td>",
                &[&tone(gate.verdict), &sign(gate.verdict, true), &word(gate.verdict)],
            );
            let warns = if planned.is_some_and(|planned| planned.warn_only) { " (warns only)" } else { "" };
            page.put("<th scope=\"row\">{}{}</th><td><code>{}</code></td><td class=\"n\">{}</td><td>{}</td></tr>\n", &[
                &gate.name,
                &warns,
                &gate.assert,
                &gate_value(gate, planned.map(|planned| planned.condition.stat)),
                &gate.because,
            ]);
        }
        page.raw("</tbody></table></div>\n");
    }
    page.raw("</section>\n");
}

fn what(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Run => "run",
        EventKind::Preflight => "preflight",
        EventKind::Phase => "phase",
        EventKind::Guard => "guard",
        EventKind::Operator => "operator",
        EventKind::Finding => "finding",
        EventKind::Error => "error",
        _ => "other",
    }
}

fn event(page: &mut Page, event: &Event) {
    page.put(
        "<tr><td class=\"n\">{}</td><td><span class=\"kind k-{}\">{}</span></td><td>{}</td></tr>\n",
        &[&clock(event.t_ns as f64 / 1e9), &what(event.kind), &what(event.kind), &event.text],
    );
}

/// Writes the timeline.
pub(crate) fn timeline(page: &mut Page, report: &Report<'_>) {
    let events = &report.record.events;
    let guards = report.record.plan.guards.stop.len() as u64;
    let lead = match (&report.verdict.stopped_by, guards) {
        (Some(by), _) => format!("The run was stopped by {}.", by.replacen(": ", " – ", 1)),
        (None, 0) => "No guards were set; nothing stopped the run.".to_owned(),
        (None, n) => format!("{} watched the run; none fired.", plural(n, "guard", "guards")),
    };
    section(page, "timeline", "What happened, and when?", &lead);
    if events.is_empty() {
        page.raw("<p class=\"none\">The record holds no events.</p>\n");
    } else {
        const HEAD: &str = "<div class=\"scroll\"><table class=\"events\">\n<thead><tr><th scope=\"col\" class=\"n\">\
            at</th><th scope=\"col\">what</th><th scope=\"col\"></th></tr></thead>\n<tbody>\n";
        page.raw(HEAD);
        events.iter().take(EVENTS_OPEN).for_each(|line| event(page, line));
        page.raw("</tbody></table></div>\n");
        if events.len() > EVENTS_OPEN {
            page.put("<details><summary>{} more</summary>", &[&count((events.len() - EVENTS_OPEN) as u64)]);
            page.raw(HEAD);
            events.iter().take(EVENTS_MAX).skip(EVENTS_OPEN).for_each(|line| event(page, line));
            page.raw("</tbody></table></div>");
            if events.len() > EVENTS_MAX {
                page.put(
                    "<p class=\"small\">The first {} are shown; the record has all.</p>",
                    &[&EVENTS_MAX],
                );
            }
            page.raw("</details>\n");
        }
    }
    if !report.record.plan.guards.stop.is_empty() {
        page.raw("<p class=\"small\">Guards: ");
        for (index, guard) in report.record.plan.guards.stop.iter().enumerate() {
            page.raw(if index > 0 { ", " } else { "" });
            page.put("<code>{}</code>", &[&guard.text]);
        }
        page.raw("</p>\n");
    }
    page.raw("</section>\n");
}

/// Writes the steps.
pub(crate) fn steps(page: &mut Page, report: &Report<'_>) {
    let worst = report.verdict.steps.iter().filter_map(|step| step.latency_ms.p99).fold(0.0, f64::max);
    section(
        page,
        "steps",
        "Which step was slow?",
        "Counts are over the whole load, latency over its measured phases.",
    );
    page.raw(
        "<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">step</th><th scope=\"col\">journey</th>",
    );
    page.raw("<th scope=\"col\" class=\"n\">requests</th><th scope=\"col\" class=\"n\">errors</th>");
    let has_apart = report.verdict.steps.iter().any(has_apart);
    if has_apart {
        page.raw("<th scope=\"col\">counted apart</th>");
    }
    page.raw("<th scope=\"col\" class=\"n\">p50</th><th scope=\"col\" class=\"n\">p90</th>");
    page.raw("<th scope=\"col\" class=\"n\">p99</th><th scope=\"col\" class=\"n\">max</th>");
    page.raw("<th scope=\"col\" class=\"bars\">p99, compared</th></tr></thead>\n<tbody>\n");
    for step in &report.verdict.steps {
        let errors = (step.completed > 0).then(|| step.errors as f64 / step.completed as f64);
        page.put(
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>",
            &[&step.step, &step.journey, &count(step.completed), &percent(errors)],
        );
        if has_apart {
            page.put("<td>{}</td>", &[&apart(step)]);
        }
        for value in [step.latency_ms.p50, step.latency_ms.p90, step.latency_ms.p99, step.latency_ms.max] {
            page.put("<td class=\"n\">{}</td>", &[&millis(value)]);
        }
        let share = step.latency_ms.p99.map_or(0.0, |p99| p99 / worst.max(f64::MIN_POSITIVE));
        page.put("<td class=\"bars\"><svg width=\"100%\" height=\"10\" aria-hidden=\"true\"><rect class=\"bar s2\" \
            width=\"{}\" height=\"10\" rx=\"2\"/></svg></td></tr>\n", &[&super::chart::pct(share)]);
    }
    page.raw("</tbody></table></div>\n</section>\n");
}
