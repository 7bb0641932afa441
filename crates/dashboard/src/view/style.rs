//! Few colours, each with a meaning, and none alone: a sign or a word always goes with it.

use ratatui::style::{Color, Modifier, Style};

/// The styles of the view.
pub(crate) struct Palette {
    pub(crate) strong: Style,
    pub(crate) note: Style,
    pub(crate) good: Style,
    pub(crate) warn: Style,
    pub(crate) bad: Style,
    pub(crate) chosen: Style,
    pub(crate) sent: Style,
    pub(crate) planned: Style,
    pub(crate) latency: Style,
}

impl Palette {
    /// The palette; without colours where they are not wanted.
    pub(crate) fn new(plain: bool) -> Self {
        let color = |color| if plain { Style::new() } else { Style::new().fg(color) };
        Self {
            strong: Style::new().add_modifier(Modifier::BOLD),
            note: Style::new().add_modifier(Modifier::DIM),
            good: color(Color::Green),
            warn: color(Color::Yellow).add_modifier(Modifier::BOLD),
            bad: color(Color::Red).add_modifier(Modifier::BOLD),
            chosen: Style::new().add_modifier(Modifier::REVERSED),
            sent: color(Color::Cyan),
            planned: Style::new().add_modifier(Modifier::DIM),
            latency: color(Color::Magenta),
        }
    }
}
