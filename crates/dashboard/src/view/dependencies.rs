//! Who calls whom, and which node limits.

use peakdrill_drill_model::snapshot::{FINDINGS_MAX, Snapshot};
use peakdrill_drill_model::verdict::{Bottleneck, FindingKind, NodeVerdict};
use peakdrill_timebase::format_rate;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::stale_ranking;
use super::style::Palette;
use super::words::{count, cut, ms, percent, time};

/// Length of a full bar.
const BAR: usize = 16;

pub(crate) fn draw(frame: &mut Frame<'_>, area: Rect, now: &Snapshot, palette: &Palette, ascii: bool) {
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    let mut lines = vec![
        freshness(now, palette),
        Line::raw(format!(" {}", cut(&now.analysis_note, width.saturating_sub(2)))),
    ];
    if !now.analysis_ended.is_empty() {
        let why = cut(&now.analysis_ended, width.saturating_sub(4));
        lines.push(Line::styled(format!(" ✗ {why}"), palette.bad));
    }
    lines.extend(ranking(now, palette, ascii, height / 3));
    if let Some(first) = now.ranking.first() {
        lines.extend(
            first
                .evidence
                .iter()
                .take(3)
                .map(|text| Line::styled(format!("   {}", cut(text, width.saturating_sub(4))), palette.note)),
        );
    }
    lines.extend(findings(now, palette, width, height / 6));
    lines.push(Line::raw(""));
    lines.extend(calls(now, palette));
    frame.render_widget(Paragraph::new(lines), area);
}

/// What there is to know besides the ranking, under a heading; nothing where there is nothing.
fn findings<'a>(now: &Snapshot, palette: &Palette, width: usize, rows: usize) -> Vec<Line<'a>> {
    if now.findings.is_empty() || rows == 0 {
        return Vec::new();
    }
    // Of the most pressing ones: there may be more than these.
    let heading = match now.findings.len().saturating_sub(rows) {
        0 => " FINDINGS".to_owned(),
        _ if now.findings.len() == FINDINGS_MAX => " FINDINGS   (and more)".to_owned(),
        more => format!(" FINDINGS   ({more} more)"),
    };
    let mut lines = vec![Line::raw(""), Line::styled(heading, palette.strong)];
    lines.extend(now.findings.iter().take(rows).map(|found| {
        let (sign, style) = match found.kind {
            FindingKind::LiveUsersHurt => ("✗", palette.bad),
            _ => ("▲", palette.warn),
        };
        let text = cut(&found.text, width.saturating_sub(4));
        Line::from(vec![Span::styled(format!(" {sign} "), style), Span::raw(text)])
    }));
    lines
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
    let late = match now.late_waiting {
        0 => String::new(),
        waiting => format!(", {} late spans and rows count at the end", count(waiting)),
    };
    let spans = format!(" {} spans, the newest {} ago{late}", count(now.spans.unwrap_or(0)), time(age));
    let mut line = Line::from(Span::styled(spans, palette.note));
    if let Some(age_ns) = now.ranking_age_ns {
        line.push_span(Span::styled("; ranking ", palette.note));
        let calm = || Span::styled(format!("age {}", time(age_ns)), palette.note);
        line.push_span(stale_ranking(now, palette).unwrap_or_else(calm));
    }
    line
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
    let mut label = vec![Span::styled(" LIMIT     ".to_owned(), palette.strong)];
    if let Some(stale) = stale_ranking(now, palette) {
        label.extend([stale, Span::raw("  ")]);
    }
    let used: usize = label.iter().map(Span::width).sum();
    let Some(first) = now.ranking.first().filter(|node| node.verdict != NodeVerdict::Clear) else {
        let text = if now.span_age_ns.is_none() {
            "no spans yet: no bottleneck can be named"
        } else {
            "no node stands out so far"
        };
        label.push(Span::styled(text, palette.note));
        return Line::from(label);
    };
    let share =
        first.share.estimate.map_or_else(String::new, |share| format!(" {} of the growth", percent(share)));
    let evidence = first.evidence.first().map_or("", String::as_str);
    let style = if first.verdict == NodeVerdict::Bottleneck { palette.bad } else { palette.warn };
    let name = first.node.clone();
    let left = width.saturating_sub(used + 3 + name.chars().count() + share.chars().count());
    label.extend([
        Span::styled(name, style),
        Span::raw(share),
        Span::styled(format!("  {}", cut(evidence, left)), palette.note),
    ]);
    Line::from(label)
}
