//! Who calls whom, and which node limits.

use peakdrill_drill_model::snapshot::Snapshot;
use peakdrill_drill_model::verdict::{Bottleneck, NodeVerdict};
use peakdrill_timebase::format_rate;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::style::Palette;
use super::words::{count, cut, ms, percent, time};

/// Length of a full bar.
const BAR: usize = 16;

pub(crate) fn draw(frame: &mut Frame<'_>, area: Rect, now: &Snapshot, palette: &Palette, ascii: bool) {
    let width = usize::from(area.width);
    let mut lines = vec![freshness(now, palette), Line::raw("")];
    lines.extend(ranking(now, palette, ascii, usize::from(area.height) / 3));
    if let Some(first) = now.ranking.first() {
        lines.extend(
            first
                .evidence
                .iter()
                .take(3)
                .map(|text| Line::styled(format!("   {}", cut(text, width.saturating_sub(4))), palette.note)),
        );
    }
    lines.push(Line::raw(""));
    lines.extend(calls(now, palette));
    frame.render_widget(Paragraph::new(lines), area);
}

/// The first nodes of the ranking, under a heading.
pub(crate) fn ranking<'a>(now: &Snapshot, palette: &Palette, ascii: bool, nodes: usize) -> Vec<Line<'a>> {
    let mut lines = vec![Line::styled(
        format!(" {:<18}{:<10}{:<12}{:<24}{:<18}", "NODE", "KIND", "", "SHARE OF GROWTH", "CAPACITY"),
        palette.strong,
    )];
    lines.extend(now.ranking.iter().take(nodes).map(|node| ranked(node, palette, ascii)));
    lines
}

/// Who calls whom, under a heading.
fn calls<'a>(now: &Snapshot, palette: &Palette) -> Vec<Line<'a>> {
    let mut lines = vec![Line::styled(
        format!(" {:<34}{:>9}{:>8}{:>9}{:>9}{:>9}", "CALLS", "count", "errors", "p50", "p99", "path"),
        palette.strong,
    )];
    for edge in &now.dependencies {
        let name = cut(&format!("{} → {}", edge.from, edge.to), 33);
        let path = edge.critical_path_share.map_or_else(|| "–".to_owned(), percent);
        let errors = if edge.errors > 0 { palette.bad } else { palette.note };
        lines.push(Line::from(vec![
            Span::raw(format!(" {name:<34}{:>9}", count(edge.calls))),
            Span::styled(format!("{:>8}", count(edge.errors)), errors),
            Span::raw(format!("{:>9}{:>9}{path:>9}", ms(edge.latency_ms.p50), ms(edge.latency_ms.p99))),
        ]));
    }
    lines
}

fn freshness<'a>(now: &Snapshot, palette: &Palette) -> Line<'a> {
    let Some(age) = now.span_age_ns else {
        return Line::styled(
            " no spans yet: point the services' OpenTelemetry exporters at this drill's OTLP address",
            palette.warn,
        );
    };
    let note = if now.analysis_note.is_empty() { String::new() } else { format!("   {}", now.analysis_note) };
    let late = match now.late_waiting {
        0 => String::new(),
        waiting => format!(", {} late spans and rows count at the end", count(waiting)),
    };
    Line::from(vec![
        Span::styled(
            format!(" {} spans, the newest {} ago{late}", count(now.spans.unwrap_or(0)), time(age)),
            palette.note,
        ),
        Span::raw(note),
    ])
}

fn ranked<'a>(node: &Bottleneck, palette: &Palette, ascii: bool) -> Line<'a> {
    let (sign, style) = match node.verdict {
        NodeVerdict::Bottleneck => ("▶ limits", palette.bad),
        NodeVerdict::Contributor => ("▲ adds", palette.warn),
        NodeVerdict::Clear => ("", palette.note),
    };
    let share = node.share.estimate.unwrap_or(0.0).clamp(0.0, 1.0);
    let filled = (share * BAR as f64).round() as usize;
    let bar = (if ascii { "#" } else { "█" }).repeat(filled)
        + &(if ascii { "." } else { "░" }).repeat(BAR - filled);
    Line::from(vec![
        Span::styled(
            format!(" {:<18}", cut(&node.node, 17)),
            if sign.is_empty() { palette.note } else { palette.strong },
        ),
        Span::styled(format!("{:<10}", node.kind.text()), palette.note),
        Span::styled(format!("{sign:<12}"), style),
        Span::styled(bar, style),
        Span::raw(format!(" {:>5}  ", percent(share))),
        Span::raw(capacity(node)),
    ])
}

fn capacity(node: &Bottleneck) -> String {
    let capacity = &node.capacity_per_s;
    match (capacity.estimate, capacity.low, capacity.high) {
        (Some(estimate), Some(low), Some(high)) => format!("{} ({low:.0}–{high:.0})", format_rate(estimate)),
        (Some(estimate), ..) => format_rate(estimate),
        _ => "no limit seen".to_owned(),
    }
}

/// One line for the overview.
pub(crate) fn headline<'a>(now: &Snapshot, palette: &Palette, width: usize) -> Line<'a> {
    let label = Span::styled(" LIMIT     ".to_owned(), palette.strong);
    let Some(first) = now.ranking.first().filter(|node| node.verdict != NodeVerdict::Clear) else {
        let text = if now.span_age_ns.is_none() {
            "no spans yet: no bottleneck can be named"
        } else {
            "no node stands out so far"
        };
        return Line::from(vec![label, Span::styled(text, palette.note)]);
    };
    let share =
        first.share.estimate.map_or_else(String::new, |share| format!(" {} of the growth", percent(share)));
    let evidence = first.evidence.first().map_or("", String::as_str);
    let style = if first.verdict == NodeVerdict::Bottleneck { palette.bad } else { palette.warn };
    let name = first.node.clone();
    let left = width.saturating_sub(14 + name.chars().count() + share.chars().count());
    Line::from(vec![
        label,
        Span::styled(name, style),
        Span::raw(share),
        Span::styled(format!("  {}", cut(evidence, left)), palette.note),
    ])
}
