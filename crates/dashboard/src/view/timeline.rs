//! What happened, the newest last.

use peakdrill_drill_model::snapshot::Snapshot;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::style::Palette;
use super::words::{cut, percent};

pub(crate) fn draw(frame: &mut Frame<'_>, area: Rect, now: &Snapshot, palette: &Palette) {
    let mut lines = events(now, palette, usize::from(area.width), usize::MAX);
    lines.push(Line::raw(""));
    lines.push(Line::styled(" GUARDS", palette.strong));
    for guard in &now.guards {
        let near = guard.nearness.map_or_else(|| "no data".to_owned(), percent);
        let held = if guard.held_share > 0.0 {
            format!("  held {}", percent(guard.held_share))
        } else {
            String::new()
        };
        let style = if guard.held_share > 0.0 { palette.warn } else { palette.note };
        lines.push(Line::from(vec![
            Span::raw(format!(
                "  {:<33}{:<24}{near:>8} of its limit",
                cut(&guard.text, 32),
                cut(&guard.value, 23)
            )),
            Span::styled(held, style),
        ]));
    }
    lines.push(Line::raw(""));
    lines.push(Line::from(vec![Span::styled(" RECORD ", palette.strong), Span::raw(now.record.clone())]));
    frame.render_widget(Paragraph::new(lines), area);
}

/// The newest events, the newest last, under a heading.
pub(crate) fn events<'a>(now: &Snapshot, palette: &Palette, width: usize, most: usize) -> Vec<Line<'a>> {
    let older = now.events.len().saturating_sub(most);
    let mut lines = vec![Line::styled(" EVENTS", palette.strong)];
    let text = |event: &String| Line::raw(format!("  {}", cut(event, width.saturating_sub(3))));
    lines.extend(now.events.iter().skip(older).map(text));
    lines
}
