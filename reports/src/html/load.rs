//! Was the load really sent, and how long did it take.

use peakdrill_drill_model::verdict::Millis;

use crate::fold::Point;
use crate::markup::Page;
use crate::numbers::{clock, count, length, millis, percent, rate};
use crate::phases::expected;

use super::chart::{Chart, Line};
use super::scale::Scale;
use super::{Report, section};

/// Writes the sections on load and latency.
pub(crate) fn write(page: &mut Page, report: &Report<'_>) {
    section(page, "load", "Was the load really sent?", &lead(report));
    if report.load.points.is_empty() {
        page.raw("<p class=\"none\">The record holds no load.</p>\n");
    } else {
        sent(report).write(page);
        phases(page, report);
    }
    page.raw("</section>\n");
    section(page, "latency", "How long did requests take?", LATENCY_LEAD);
    quantiles(page, report);
    if !report.load.points.is_empty() {
        latency(report).write(page);
    }
    page.raw("</section>\n");
}

const LATENCY_LEAD: &str = "Latency runs from the time a request was planned for, service time from its first byte. \
    They differ when requests wait before they are sent: for a free connection, or for an earlier answer of their \
    journey. Users feel the latency.";

fn lead(report: &Report<'_>) -> String {
    let load = &report.verdict.load;
    if load.intended == 0 {
        return String::new();
    }
    let share = |n: u64| percent(Some(n as f64 / load.intended as f64));
    let missed = match load.missed {
        0 => "none was missed".to_owned(),
        n => format!("{} ({}) were missed", count(n), share(n)),
    };
    format!(
        "{} of {} planned journeys were started ({}); {missed}.",
        count(load.sent),
        count(load.intended),
        share(load.sent)
    )
}

/// A chart over time without lines yet.
pub(crate) fn blank<'a>(report: &'a Report<'_>, title: &'a str, unit: &'a str, scale: Scale) -> Chart<'a> {
    let stop = crate::validity::stopped_at_s(report.record);
    let planned = report.load.spans.last().map_or(0.0, |span| span.end_s);
    let load_s = report.load.load_s.unwrap_or(0.0);
    // Journeys go on after the last of them was started.
    let behind = report.load.points.last().map_or(0.0, |point| point.from_s + point.len_s);
    let seconds = load_s.max(planned.min(load_s * 1.5)).max(behind);
    Chart {
        title,
        summary: String::new(),
        unit,
        seconds,
        spans: &report.load.spans,
        points: report.load.points.iter().map(|point| (point.from_s, point.len_s)).collect(),
        lines: Vec::new(),
        scale,
        read: crate::numbers::figure,
        hints: Vec::new(),
        marks: stop.filter(|stop| *stop > 0.0).map(|stop| (stop, "stopped")).into_iter().collect(),
    }
}

fn sent<'a>(report: &'a Report<'_>) -> Chart<'a> {
    let points = &report.load.points;
    let per_s = |point: &Point, n: u64| n as f64 / point.len_s;
    let planned: Vec<Option<f64>> = points
        .iter()
        .map(|point| {
            Some(expected(&report.load.spans, point.from_s, point.from_s + point.len_s)? / point.len_s)
        })
        .collect();
    let sent: Vec<Option<f64>> = points.iter().map(|point| Some(per_s(point, point.arrivals[1]))).collect();
    let lost = |point: &Point| (point.arrivals[2] > 0).then(|| per_s(point, point.arrivals[2]));
    let missed: Vec<Option<f64>> = points.iter().map(lost).collect();
    let any_missed = missed.iter().any(Option::is_some);
    let largest = planned.iter().chain(&sent).flatten().copied().fold(0.0, f64::max);
    let mut chart = blank(report, "Planned and sent", "journeys a second", Scale::from_zero(largest, 4));
    chart.read = |value| crate::numbers::rate(Some(value)).trim_end_matches("/s").to_owned();
    chart.hints = points
        .iter()
        .zip(&planned)
        .map(|(point, planned)| {
            format!(
                "{} · planned {} · sent {} · missed {}",
                clock(point.from_s),
                rate(*planned),
                rate(Some(per_s(point, point.arrivals[1]))),
                count(point.arrivals[2])
            )
        })
        .collect();
    chart.summary =
        format!("{} Peak sent: {}.", lead(report), rate(sent.iter().flatten().copied().reduce(f64::max)));
    chart.lines.push(Line { label: "sent".to_owned(), class: "s1", values: sent, area: true });
    if planned.iter().any(Option::is_some) {
        chart.lines.push(Line { label: "planned".to_owned(), class: "plan", values: planned, area: false });
    }
    if any_missed {
        chart.lines.push(Line { label: "missed".to_owned(), class: "bad", values: missed, area: false });
    }
    chart
}

fn latency<'a>(report: &'a Report<'_>) -> Chart<'a> {
    let points = &report.load.points;
    let ms = |ns: u64| ns as f64 / 1e6;
    let p50: Vec<_> = points.iter().map(|point| point.latency.map(|q| ms(q.p50))).collect();
    let p99: Vec<_> = points.iter().map(|point| point.latency.map(|q| ms(q.p99))).collect();
    let service: Vec<_> = points.iter().map(|point| point.service.map(|q| ms(q.p99))).collect();
    let scale = Scale::spanning(p50.iter().chain(&p99).chain(&service).flatten().copied(), 4);
    let mut chart = blank(report, "Latency over time", "all steps, by planned time", scale);
    chart.read = |value| millis(Some(value));
    let hint = |(index, point): (usize, &Point)| {
        format!(
            "{} · p50 {} · p99 {} · service p99 {}",
            clock(point.from_s),
            millis(p50[index]),
            millis(p99[index]),
            millis(service[index])
        )
    };
    chart.hints = points.iter().enumerate().map(hint).collect();
    let worst = p99.iter().flatten().copied().reduce(f64::max);
    chart.summary = format!("Worst p99 of any point: {}.", millis(worst));
    chart.lines = vec![
        Line { label: "service p99".to_owned(), class: "s3", values: service, area: false },
        Line { label: "p99".to_owned(), class: "s2", values: p99, area: false },
        Line { label: "p50".to_owned(), class: "s1", values: p50, area: false },
    ];
    chart
}

fn phases(page: &mut Page, report: &Report<'_>) {
    page.raw("<details><summary>By phase</summary><div class=\"scroll\"><table>\n<thead><tr>");
    page.raw("<th scope=\"col\">phase</th><th scope=\"col\" class=\"n\">length</th>");
    page.raw("<th scope=\"col\" class=\"n\">planned</th><th scope=\"col\" class=\"n\">sent</th>");
    page.raw("<th scope=\"col\" class=\"n\">missed</th><th scope=\"col\" class=\"n\">errors</th>");
    page.raw("<th scope=\"col\" class=\"n\">p50</th><th scope=\"col\" class=\"n\">p99</th></tr></thead>\n<tbody>\n");
    let load_s = report.load.load_s.unwrap_or(0.0);
    for (index, span) in report.load.spans.iter().enumerate() {
        let this = |phase: u16| usize::from(phase) == index;
        let arrivals = report.load.select(|phase, step| this(phase) && step.is_none());
        let requests = report.load.select(|phase, step| this(phase) && step.is_some());
        let ran = span.ran_s(load_s);
        let planned = (!span.closed_loop && span.planned_s() > 0.0)
            .then(|| span.expected(span.start_s, span.end_s) / span.planned_s());
        let ms: Millis = requests.latency.quantiles().into();
        let share = |part: u64, all: u64| percent((all > 0).then(|| part as f64 / all as f64));
        let note = if span.measure { "" } else { " (not measured)" };
        page.put(
            "<tr><th scope=\"row\">{}{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td>",
            &[&span.name, &note, &length(span.planned_s()), &rate(planned)],
        );
        page.put(
            "<td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>",
            &[
                &rate((ran > 0.0).then(|| arrivals.sent as f64 / ran)),
                &share(arrivals.missed, arrivals.intended),
                &share(requests.error_count(), requests.completed),
            ],
        );
        page.put(
            "<td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
            &[&millis(ms.p50), &millis(ms.p99)],
        );
    }
    page.raw("</tbody></table></div></details>\n");
}

fn quantiles(page: &mut Page, report: &Report<'_>) {
    page.raw("<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">measured phases</th>");
    page.raw("<th scope=\"col\" class=\"n\">p50</th><th scope=\"col\" class=\"n\">p90</th>");
    page.raw("<th scope=\"col\" class=\"n\">p99</th><th scope=\"col\" class=\"n\">p99.9</th>");
    page.raw("<th scope=\"col\" class=\"n\">max</th></tr></thead>\n<tbody>\n");
    let waits = report.load.select(|phase, step| step.is_some() && report.load.measured(phase)).conn_wait;
    let rows: [(&str, Millis); 4] = [
        ("latency, from the planned time", report.verdict.latency_ms),
        ("service time, from the first byte", report.verdict.service_ms),
        ("wait for a connection", waits.quantiles().into()),
        ("lateness of the generator", report.verdict.lateness_ms),
    ];
    for (name, ms) in rows {
        page.put("<tr><th scope=\"row\">{}</th>", &[&name]);
        for value in [ms.p50, ms.p90, ms.p99, ms.p99_9, ms.max] {
            page.put("<td class=\"n\">{}</td>", &[&millis(value)]);
        }
        page.raw("</tr>\n");
    }
    page.raw("</tbody></table></div>\n");
}
