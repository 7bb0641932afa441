//! Errors by class, over time.

use std::collections::BTreeMap;

use peakdrill_drill_model::outcome::ErrorClass;

use crate::markup::Page;
use crate::numbers::{clock, count, figure, percent, plural};

use super::chart::Line;
use super::load::blank;
use super::scale::Scale;
use super::{Report, section};

/// Classes with a line of their own; all others share one.
const CLASSES_DRAWN_MAX: usize = 4;
const COLOURS: [&str; CLASSES_DRAWN_MAX] = ["s2", "s1", "s3", "s4"];

/// Writes the section.
pub(crate) fn write(page: &mut Page, report: &Report<'_>) {
    let load = &report.verdict.load;
    if load.completed == 0 && load.errors == 0 {
        return;
    }
    let share = (load.completed > 0).then(|| load.errors as f64 / load.completed as f64);
    let lead = match load.errors {
        0 => format!("None of {}.", plural(load.completed, "request", "requests")),
        n => format!("{} of {} requests: {}.", count(n), count(load.completed), percent(share)),
    };
    section(page, "errors", "What failed?", &lead);
    if load.errors > 0 {
        chart(page, report);
        table(page, report);
    }
    page.raw("</section>\n");
}

/// Classes, the most frequent first.
fn ranked(report: &Report<'_>) -> Vec<(ErrorClass, u64)> {
    let sums: BTreeMap<ErrorClass, u64> = report.load.select(|_, step| step.is_some()).errors;
    let mut classes: Vec<_> = sums.into_iter().filter(|(_, n)| *n > 0).collect();
    classes.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    classes
}

fn chart(page: &mut Page, report: &Report<'_>) {
    let classes = ranked(report);
    let drawn: Vec<ErrorClass> = classes.iter().take(CLASSES_DRAWN_MAX).map(|(class, _)| *class).collect();
    let points = &report.load.points;
    let mut lines = Vec::new();
    for (class, colour) in drawn.iter().zip(COLOURS) {
        let values = points
            .iter()
            .map(|point| Some(point.errors.get(class).copied().unwrap_or(0) as f64 / point.len_s));
        lines.push(Line {
            label: class.to_string(),
            class: colour,
            values: values.collect(),
            area: lines.is_empty(),
        });
    }
    if classes.len() > drawn.len() {
        let others = points.iter().map(|point| {
            let rest = point.errors.iter().filter(|(class, _)| !drawn.contains(class));
            Some(rest.fold(0, |sum: u64, (_, n)| sum.saturating_add(*n)) as f64 / point.len_s)
        });
        lines.push(Line { label: "others".to_owned(), class: "plan", values: others.collect(), area: false });
    }
    let largest = lines.iter().flat_map(|line| line.values.iter().flatten()).copied().fold(0.0, f64::max);
    let mut chart =
        blank(report, "Errors by class", "a second, by planned time", Scale::from_zero(largest, 4));
    chart.read = figure;
    chart.hints = points
        .iter()
        .map(|point| {
            let named: Vec<String> =
                point.errors.iter().map(|(class, n)| format!("{class} {}", count(*n))).collect();
            let named = if named.is_empty() { "no errors".to_owned() } else { named.join(" · ") };
            format!("{} · {named} · of {} requests", clock(point.from_s), count(point.completed))
        })
        .collect();
    let said: Vec<String> = classes.iter().map(|(class, n)| format!("{class} {}", count(*n))).collect();
    chart.summary = said.join(", ");
    chart.lines = lines;
    chart.write(page);
}

fn table(page: &mut Page, report: &Report<'_>) {
    let first = |class: &ErrorClass| report.load.points.iter().find(|point| point.errors.contains_key(class));
    let completed = report.verdict.load.completed;
    page.raw("<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">class</th><th scope=\"col\" class=\"n\">");
    page.raw("count</th><th scope=\"col\" class=\"n\">of requests</th><th scope=\"col\" class=\"n\">first seen</th>");
    page.raw("<th scope=\"col\">steps</th></tr></thead>\n<tbody>\n");
    for (class, n) in ranked(report) {
        let at = first(&class).map_or_else(|| "–".to_owned(), |point| clock(point.from_s));
        let mut steps: BTreeMap<u16, u64> = BTreeMap::new();
        for ((_, step), sums) in &report.load.sums {
            if let (Some(step), Some(n)) = (step, sums.errors.get(&class)) {
                let sum = steps.entry(*step).or_default();
                *sum = sum.saturating_add(*n);
            }
        }
        let name = |step: u16| report.record.plan.steps.get(usize::from(step)).map_or("?", |info| &info.step);
        let steps: Vec<String> =
            steps.iter().map(|(step, n)| format!("{} ×{}", name(*step), count(*n))).collect();
        let share = (completed > 0).then(|| n as f64 / completed as f64);
        page.put(
            "<tr><th scope=\"row\"><code>{}</code></th><td class=\"n\">{}</td><td class=\"n\">{}</td>",
            &[&class, &count(n), &percent(share)],
        );
        page.put("<td class=\"n\">{}</td><td>{}</td></tr>\n", &[&at, &steps.join(", ")]);
    }
    page.raw("</tbody></table></div>\n");
}
