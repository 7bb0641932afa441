//! The first screen: verdict, reasons, figures, bottleneck.

use peakdrill_drill_model::verdict::{AnalysisState, Judgement};

use crate::capacity::{Known, lowest};
use crate::markup::Page;
use crate::numbers::{count, figure, length, maybe_count, millis, percent, plural, rate};
use crate::sentences::{bottleneck, capacity, has_leaked, headline, limiting, reasons, sign, word};

use super::Report;

/// The first screen names so many reasons; all of them are in their sections.
const REASONS_MAX: usize = 6;

/// Writes the head of the report.
pub(crate) fn write(page: &mut Page, report: &Report<'_>) {
    title(page, report);
    missing(page, report);
    hero(page, report);
    tiles(page, report);
    limit(page, report);
    contents(page, report);
}

pub(crate) fn tone(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Pass => "good",
        Judgement::Fail => "bad",
        Judgement::Inconclusive => "unsure",
    }
}

fn title(page: &mut Page, report: &Report<'_>) {
    let verdict = report.verdict;
    page.put("<header>\n<h1>{}</h1>\n<p class=\"about\">", &[&verdict.drill]);
    let environment = &report.record.plan.environment;
    page.put("<span class=\"tag\">{}</span> run <code>{}</code>", &[environment, &verdict.run]);
    if !verdict.started.is_empty() {
        page.put(
            " · <time datetime=\"{}\">{}</time>",
            &[&verdict.started, &verdict.started.replace('T', " ").replace('Z', " UTC")],
        );
    }
    if let Some(seconds) = verdict.seconds {
        page.put(" · {} of load", &[&length(seconds)]);
    }
    for (name, value) in &report.record.plan.labels {
        page.put(" · {} {}", &[name, value]);
    }
    page.raw("</p>\n</header>\n");
}

fn missing(page: &mut Page, report: &Report<'_>) {
    if report.record.missing.is_empty() {
        return;
    }
    page.raw("<aside class=\"partial\"><strong>This record is not whole.</strong> Not in it:<ul>");
    report.record.missing.iter().for_each(|text| page.put("<li>{}</li>", &[text]));
    page.raw("</ul></aside>\n");
}

fn hero(page: &mut Page, report: &Report<'_>) {
    let verdict = report.verdict;
    page.put("<section class=\"hero {}\" aria-label=\"Verdict\">\n", &[&tone(verdict.verdict)]);
    page.put(
        "<p class=\"judged\"><span class=\"sign\" aria-hidden=\"true\">{}</span>{}</p>\n",
        &[&sign(verdict.verdict, true), &word(verdict.verdict)],
    );
    page.raw("<div>");
    page.put("<p class=\"headline\">{}.</p>\n", &[&sentence_case(&headline(verdict))]);
    let reasons = reasons(verdict);
    if !reasons.is_empty() {
        page.raw("<ul>");
        reasons.iter().take(REASONS_MAX).for_each(|text| page.put("<li>{}</li>", &[text]));
        if reasons.len() > REASONS_MAX {
            page.put("<li>and {} more, below</li>", &[&(reasons.len() - REASONS_MAX)]);
        }
        page.raw("</ul>\n");
    }
    page.raw("</div>\n");
    let told: Vec<&String> =
        verdict.warnings.iter().filter(|text| !text.starts_with("not in the record")).collect();
    if !told.is_empty() {
        page.raw("<ul class=\"warnings\">");
        told.iter().for_each(|text| page.put("<li>{}</li>", &[text]));
        page.raw("</ul>\n");
    }
    page.raw("</section>\n");
}

fn sentence_case(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn tile(page: &mut Page, tone: &'static str, label: &str, value: &str, note: &str) {
    page.put(
        "<div class=\"tile {}\"><dt>{}</dt><dd><b>{}</b><span>{}</span></dd></div>\n",
        &[&tone, &label, &value, &note],
    );
}

fn tiles(page: &mut Page, report: &Report<'_>) {
    let verdict = report.verdict;
    let load = &verdict.load;
    let share = |part: u64, all: u64| (all > 0).then(|| part as f64 / all as f64);
    page.raw("<dl class=\"tiles\">\n");
    let sent =
        format!("{} of plan · {} missed", percent(share(load.sent, load.intended)), count(load.missed));
    tile(page, if verdict.valid { "" } else { "alarm" }, "Journeys sent", &rate(load.rate_per_s), &sent);
    let beside =
        format!("p50 {} · service p99 {}", millis(verdict.latency_ms.p50), millis(verdict.service_ms.p99));
    tile(page, "", "Latency p99", &millis(verdict.latency_ms.p99), &beside);
    let errors = format!("{} of {} requests", count(load.errors), count(load.completed));
    tile(page, "", "Errors", &percent(share(load.errors, load.completed)), &errors);
    let (value, note) = capacity_tile(report);
    tile(page, "", "Capacity", &value, &note);
    let isolation = &verdict.isolation;
    let lost = isolation.tag_lost.filter(|n| *n > 0);
    let note = lost.map_or_else(
        || format!("{} shadow writes", maybe_count(isolation.shadow_writes)),
        |n| format!("the tag was lost {}", plural(n, "time", "times")),
    );
    let tone = if has_leaked(verdict) { "alarm" } else { "" };
    tile(page, tone, "Writes to live data", &maybe_count(isolation.live_writes), &note);
    page.raw("</dl>\n");
}

fn capacity_tile(report: &Report<'_>) -> (String, String) {
    let verdict = report.verdict;
    if !verdict.load.capacity.is_empty() {
        return match lowest(&verdict.load.capacity) {
            Some((Known::At(held), found)) => {
                (rate(Some(held)), format!("held; {} failed", rate(found.failed_per_s)))
            }
            Some((Known::Below(failed), _)) => {
                (format!("< {}", rate(Some(failed))), "the lowest rate failed".to_owned())
            }
            Some((Known::AtLeast(held), _)) => {
                (format!("≥ {}", rate(Some(held))), "held; the limit is not certain".to_owned())
            }
            None => ("–".to_owned(), "a search found none".to_owned()),
        };
    }
    match (verdict.analysis.state, limiting(verdict)) {
        (AnalysisState::NoneUpTo, _) => {
            (format!("≥ {}", rate(verdict.analysis.tested_to_per_s)), "no bottleneck up to there".to_owned())
        }
        (_, Some(node)) => {
            let range = match (node.capacity_per_s.low, node.capacity_per_s.high) {
                (Some(low), Some(high)) => {
                    format!("{}–{} journeys/s, at {}", figure(low), figure(high), node.node)
                }
                _ => format!("journeys, at {}", node.node),
            };
            (rate(node.capacity_per_s.estimate), range)
        }
        _ => ("–".to_owned(), "not measured".to_owned()),
    }
}

fn limit(page: &mut Page, report: &Report<'_>) {
    page.raw("<section class=\"limit\" aria-labelledby=\"h-limit\">\n<h2 id=\"h-limit\">What limits the system?</h2>\n");
    page.put("<p class=\"finding\">{}</p>\n", &[&bottleneck(report.verdict)]);
    if let Some(node) = limiting(report.verdict) {
        if !node.evidence.is_empty() {
            page.raw("<ul>");
            node.evidence.iter().for_each(|text| page.put("<li>{}</li>", &[text]));
            page.raw("</ul>\n");
        }
        if let Some(owner) = report.verdict.owners.get(&node.node) {
            page.put("<p class=\"who\">To be told: <b>{}</b>", &[&owner.team]);
            super::ranking::runbook(page, owner);
            page.raw(" · <a href=\"#ranking\">what to do</a></p>\n");
        }
        if node.capacity_per_s.low.is_some() {
            page.put(
                "<p class=\"small\">{}: estimate and 95% interval in root journeys at this run's mix, live \
                traffic included. <a href=\"#curves\">The curves behind it</a></p>\n",
                &[&capacity(node)],
            );
        }
    }
    page.raw("</section>\n");
}

fn contents(page: &mut Page, report: &Report<'_>) {
    let verdict = report.verdict;
    let part = report.record.analysis.as_ref();
    page.raw("<nav aria-label=\"Sections\"><a href=\"#load\">Load</a><a href=\"#latency\">Latency</a>");
    if verdict.load.completed > 0 || verdict.load.errors > 0 {
        page.raw("<a href=\"#errors\">Errors</a>");
    }
    if !verdict.load.capacity.is_empty() {
        page.raw("<a href=\"#capacity\">Capacity</a>");
    }
    if !verdict.analysis.knees.is_empty() {
        page.raw("<a href=\"#knees\">Knees</a>");
    }
    page.raw("<a href=\"#gates\">Gates</a><a href=\"#timeline\">Timeline</a><a href=\"#steps\">Steps</a>");
    page.raw("<a href=\"#map\">Map</a>");
    if !report.record.calls.is_empty() && part.is_some() {
        page.raw("<a href=\"#curves\">Curves</a>");
    }
    if part.is_some_and(|part| !part.waterfall.rows.is_empty()) {
        page.raw("<a href=\"#growth\">Growth</a>");
    }
    if !verdict.bottlenecks.is_empty() {
        page.raw("<a href=\"#ranking\">Ranking</a>");
    }
    if !verdict.findings.is_empty() {
        page.raw("<a href=\"#findings\">Findings</a>");
    }
    page.raw("<a href=\"#isolation\">Isolation</a><a href=\"#about\">About this run</a></nav>\n");
}
