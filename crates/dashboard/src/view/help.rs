//! The keys.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::style::Palette;

const TEXT: [&str; 11] = [
    "",
    "  1  2  3   overview, dependencies, timeline       Tab  the next one",
    "  X         stop: no new arrivals at once, answers are awaited, the report is written",
    "  X X       cut: connections are closed at once",
    "  Ctrl-C    the same as X",
    "  q         leave this view; the drill goes on in plain lines",
    "  Esc       back to the overview",
    "",
    "  Latency runs from the time a request should have started, so a target that is slow to answer",
    "  cannot hide it by delaying the next request. Service time runs from the first byte sent.",
    "  Missed arrivals are those that could not be started; they are counted, never sent late in silence.",
];

pub(crate) fn draw(frame: &mut Frame<'_>, area: Rect, palette: &Palette) {
    let mut lines: Vec<Line<'_>> = vec![Line::styled(" KEYS", palette.strong)];
    lines.extend(TEXT.iter().map(|text| Line::raw(*text)));
    frame.render_widget(Paragraph::new(lines), area);
}
