//! The overview: is it right, and is it safe, within a second of looking. Fits 80×24.

use peakdrill_drill_model::snapshot::{GateRow, Snapshot};
use peakdrill_drill_model::verdict::Judgement;
use peakdrill_timebase::format_rate;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::chart::{Column, rows, spark};
use super::style::Palette;
use super::words::{count, cut, ms, percent};
use super::{data_age, dependencies, timeline};

/// A guard this near its limit is shown as a warning.
const NEAR: f64 = 0.8;
/// Width of the row names.
const LABEL: usize = 11;

pub(crate) fn draw(frame: &mut Frame<'_>, area: Rect, now: &Snapshot, palette: &Palette, ascii: bool) {
    let mut text = lines(now, palette, usize::from(area.width));
    // The chart takes what the text leaves: at 80×24 ten rows, in a tall terminal up to sixteen.
    let free = area.height.saturating_sub(text.len() as u16 + 3 + 2);
    let chart = free.clamp(3, 16);
    let [top, chart_area, rest] =
        Layout::vertical([Constraint::Length(3), Constraint::Length(chart + 2), Constraint::Min(0)])
            .areas(area);
    frame.render_widget(Paragraph::new(load_lines(now, palette)), top);
    frame.render_widget(Paragraph::new(chart_lines(now, palette, chart_area, ascii)), chart_area);
    let left = usize::from(rest.height).saturating_sub(text.len());
    text.extend(more(now, palette, ascii, usize::from(area.width), left));
    frame.render_widget(Paragraph::new(text), rest);
}

/// What a tall terminal has room for besides: the ranking and the newest events.
fn more<'a>(now: &Snapshot, palette: &Palette, ascii: bool, width: usize, rows: usize) -> Vec<Line<'a>> {
    // A heading and an empty line for each, and a few rows below it.
    const SMALLEST: usize = 5;
    let mut lines = Vec::new();
    if rows >= SMALLEST && !now.ranking.is_empty() {
        lines.push(Line::raw(""));
        lines.extend(dependencies::ranking(now, palette, ascii, (rows / 2).max(SMALLEST) - 2));
    }
    let left = rows - lines.len();
    if left >= SMALLEST && !now.events.is_empty() {
        lines.push(Line::raw(""));
        lines.extend(timeline::events(now, palette, width, left - 2));
    }
    lines
}

fn label<'a>(text: &str, palette: &Palette) -> Span<'a> {
    Span::styled(format!(" {text:<width$}", width = LABEL - 1), palette.strong)
}

fn load_lines<'a>(now: &Snapshot, palette: &Palette) -> Vec<Line<'a>> {
    let target = match now.target_rate {
        Some(rate) => format_rate(rate),
        None => if now.closed_loop { "closed loop" } else { "–" }.to_owned(),
    };
    let missed = share(now.missed, now.intended);
    let missed_style = if missed > 0.005 { palette.bad } else { Style::new() };
    vec![
        Line::from(vec![
            label("LOAD", palette),
            Span::raw(format!("target {target}  sent {}  ", format_rate(now.sent_rate))),
            Span::styled(format!("missed {}", percent(missed)), missed_style),
            Span::raw(format!("  in flight {}  ", count(now.in_flight))),
            data_age(now, palette),
        ]),
        Line::from(vec![
            label("LATENCY", palette),
            Span::raw(format!("p50 {}   p90 {}   ", ms(now.latency_ms.p50), ms(now.latency_ms.p90))),
            Span::styled(format!("p99 {}", ms(now.latency_ms.p99)), palette.strong),
            Span::raw(format!("   max {}", ms(now.latency_ms.max))),
            Span::styled(format!("   (service p99 {})", ms(now.service_ms.p99)), palette.note),
        ]),
        errors_line(now, palette),
    ]
}

fn errors_line<'a>(now: &Snapshot, palette: &Palette) -> Line<'a> {
    let errors = share(now.errors, now.completed);
    let style = if errors > 0.01 { palette.bad } else { Style::new() };
    let top: Vec<String> = now
        .top_errors
        .iter()
        .take(3)
        .map(|top| format!("{} {} ×{}", top.step, top.class, count(top.count)))
        .collect();
    Line::from(vec![
        label("ERRORS", palette),
        Span::styled(percent(errors), style),
        Span::raw(format!("   of {} answers", count(now.completed))),
        Span::styled(
            if top.is_empty() { String::new() } else { format!("   top: {}", top.join("  ")) },
            palette.note,
        ),
    ])
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Rate over the whole plan, and the 99 % latency below it.
fn chart_lines<'a>(now: &Snapshot, palette: &Palette, area: Rect, ascii: bool) -> Vec<Line<'a>> {
    let width = usize::from(area.width).saturating_sub(LABEL + 2).max(10);
    let seconds = (now.total_ns as f64 / 1e9).max(1.0);
    let second_of = |column: usize| column as f64 * seconds / width as f64;
    let top =
        now.plan_curve.iter().copied().chain(now.history.iter().map(|point| point.sent)).fold(1.0, f64::max);
    let planned =
        |column: usize| now.plan_curve.get(column * now.plan_curve.len() / width).copied().unwrap_or(0.0);
    let point = |column: usize| {
        let (from, to) = (second_of(column), second_of(column + 1).max(second_of(column) + 1.0));
        now.history
            .iter()
            .find(|point| f64::from(point.second) >= from.floor() && f64::from(point.second) < to)
    };
    let elapsed = now.elapsed_ns as f64 / 1e9;
    let columns: Vec<Column> = (0..width)
        .map(|column| Column {
            planned: planned(column),
            actual: point(column).filter(|_| second_of(column) < elapsed).map(|point| point.sent),
        })
        .collect();
    let height = usize::from(area.height).saturating_sub(2).max(1);
    let mut lines: Vec<Line<'a>> = rows(&columns, height, top, palette, ascii)
        .into_iter()
        .enumerate()
        .map(|(row, line)| {
            let name = if row == 0 { format_rate(top) } else { String::new() };
            let mut spans = vec![Span::styled(format!("{name:>10} "), palette.note)];
            spans.extend(line.spans);
            Line::from(spans)
        })
        .collect();
    let p99: Vec<Option<f64>> =
        (0..width).map(|column| point(column).and_then(|point| point.p99_ms)).collect();
    lines.push(Line::from(vec![
        Span::styled(format!("{:>10} ", "p99"), palette.note),
        Span::styled(spark(&p99, ascii), palette.latency),
    ]));
    lines.push(Line::styled(
        format!("{:>10} planned · · ·   sent ███   latency from the intended time", ""),
        palette.note,
    ));
    lines
}

fn lines<'a>(now: &Snapshot, palette: &Palette, width: usize) -> Vec<Line<'a>> {
    let mut lines = vec![guards(now, palette), gates(now, palette, width), isolation(now, palette, width)];
    lines.push(dependencies::headline(now, palette, width));
    for step in now.steps.iter().take(6) {
        let name = cut(&format!("{} / {}", step.journey, step.step), 30);
        lines.push(Line::from(vec![
            Span::raw(format!("{:>LABEL$}{name:<31}", "")),
            Span::raw(format!(
                "{:>9}  p50 {:>7}  p99 {:>7}",
                format_rate(step.rate),
                ms(step.latency_ms.p50),
                ms(step.latency_ms.p99)
            )),
            Span::styled(
                step.error_share
                    .filter(|share| *share > 0.0)
                    .map_or_else(String::new, |share| format!("  errors {}", percent(share))),
                palette.bad,
            ),
        ]));
    }
    lines.extend(generator(now, palette));
    lines
}

fn guards<'a>(now: &Snapshot, palette: &Palette) -> Line<'a> {
    let Some(nearest) = now.guards.first() else {
        return Line::from(vec![
            label("GUARDS", palette),
            Span::styled("none: nothing stops this drill by itself", palette.warn),
        ]);
    };
    let (sign, style) = match nearest.nearness {
        None => ("– no data", palette.note),
        Some(n) if n >= 1.0 => ("✗ holding", palette.bad),
        Some(n) if n >= NEAR => ("▲ near", palette.warn),
        Some(_) => ("✓ ok", palette.good),
    };
    let text = match nearest.nearness {
        None => format!("   {}", nearest.text),
        Some(near) => format!("   nearest: {}  {}  ({})", nearest.text, nearest.value, percent(near)),
    };
    Line::from(vec![label("GUARDS", palette), Span::styled(sign, style), Span::raw(text)])
}

/// As many gates as fit. Where not all do, those that fail come first, and how many are left out is said.
fn gates<'a>(now: &Snapshot, palette: &Palette, width: usize) -> Line<'a> {
    const MORE: usize = 8;
    let shown = |gate: &GateRow| {
        let (sign, style) = match gate.verdict {
            Some(Judgement::Pass) => ("✓", palette.good),
            Some(Judgement::Fail) => ("✗", palette.bad),
            Some(Judgement::Inconclusive) => ("?", palette.warn),
            None => ("–", palette.note),
        };
        (sign, style, format!("{}   ", cut(&gate.name, 26)))
    };
    let room = width.saturating_sub(LABEL);
    let length = |gate: &GateRow| shown(gate).2.chars().count() + 2;
    let mut gates: Vec<&GateRow> = now.gates.iter().collect();
    let all_fit = gates.iter().map(|gate| length(gate)).sum::<usize>() <= room + 3;
    if !all_fit {
        gates.sort_by_key(|gate| {
            (gate.verdict != Some(Judgement::Fail), gate.verdict == Some(Judgement::Pass))
        });
    }
    let mut spans = vec![label("GATES", palette)];
    if gates.is_empty() {
        spans.push(Span::styled("none", palette.note));
    }
    let mut used = 0;
    for (index, gate) in gates.iter().enumerate() {
        used += length(gate);
        if !all_fit && used + MORE > room {
            spans.push(Span::styled(format!("+{} more", gates.len() - index), palette.note));
            break;
        }
        let (sign, style, name) = shown(gate);
        spans.extend([Span::styled(format!("{sign} "), style), Span::raw(name)]);
    }
    Line::from(spans)
}

fn isolation<'a>(now: &Snapshot, palette: &Palette, width: usize) -> Line<'a> {
    let known = |value: Option<u64>| value.map_or_else(|| "–".to_owned(), count);
    let isolation = &now.isolation;
    let leaks = isolation.live_writes.unwrap_or(0) + isolation.tag_lost.unwrap_or(0);
    let leak_style = if leaks > 0 { palette.bad } else { Style::new() };
    let done = format!(
        "shadow writes {}  mocked {}  refused {}  ",
        known(isolation.shadow_writes),
        known(isolation.mocked),
        known(isolation.refused)
    );
    let leaked = format!("leaks {}  tags lost {}", known(isolation.live_writes), known(isolation.tag_lost));
    let acked =
        now.ack_share.map_or_else(String::new, |share| format!("  tag acknowledged {}", percent(share)));
    let long: usize = [&done, &leaked, &acked].iter().map(|text| text.chars().count()).sum();
    let mut spans = vec![label("ISOLATION", palette), Span::raw(done), Span::styled(leaked, leak_style)];
    // What a guard watches anyway gives way first.
    if LABEL + long <= width {
        spans.push(Span::raw(acked));
    }
    Line::from(spans)
}

fn generator<'a>(now: &Snapshot, palette: &Palette) -> Option<Line<'a>> {
    let cpu = now.generator_cpu?;
    let style = if cpu > 0.85 { palette.warn } else { palette.note };
    let text = format!("load thread cpu {}   start lateness p99 {}", percent(cpu), ms(now.lateness_ms.p99));
    Some(Line::from(vec![label("GENERATOR", palette), Span::styled(text, style)]))
}
