//! Columns over time: the plan as dots, what was sent as blocks.

use ratatui::text::{Line, Span};

use super::style::Palette;

const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 9] = [' ', '.', '.', ':', ':', '+', '+', '#', '#'];

/// One column.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Column {
    /// What was planned; drawn as a dot where nothing reaches it.
    pub(crate) planned: f64,
    /// What was; `None` in the future.
    pub(crate) actual: Option<f64>,
}

/// Draws columns into so many rows, the highest first. `top` is the value of a full column.
pub(crate) fn rows<'a>(
    columns: &[Column],
    height: usize,
    top: f64,
    palette: &Palette,
    ascii: bool,
) -> Vec<Line<'a>> {
    let glyphs = if ascii { &ASCII } else { &BLOCKS };
    let level = |value: f64| if top > 0.0 { (value / top * (height * 8) as f64).round() as usize } else { 0 };
    (0..height)
        .map(|row| {
            let floor = (height - 1 - row) * 8;
            let spans = columns.iter().map(|column| {
                let filled = column.actual.map_or(0, level).saturating_sub(floor).min(8);
                let planned = level(column.planned);
                let dot = planned > floor && planned <= floor + 8;
                match (filled, dot) {
                    (0, true) => Span::styled(if ascii { "-" } else { "·" }, palette.planned),
                    (0, false) => Span::raw(" "),
                    (n, _) => Span::styled(glyphs[n].to_string(), palette.sent),
                }
            });
            Line::from_iter(spans)
        })
        .collect()
}

/// One row of small columns.
pub(crate) fn spark(values: &[Option<f64>], ascii: bool) -> String {
    let glyphs = if ascii { &ASCII } else { &BLOCKS };
    let top = values.iter().flatten().copied().fold(0.0, f64::max);
    let glyph = |value: &Option<f64>| match value {
        Some(value) if top > 0.0 => glyphs[((value / top * 8.0).ceil() as usize).clamp(1, 8)],
        Some(_) => glyphs[1],
        None => ' ',
    };
    values.iter().map(glyph).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_column_fills_every_row() {
        let columns = [Column { planned: 8.0, actual: Some(8.0) }, Column { planned: 4.0, actual: None }];
        let drawn = rows(&columns, 2, 8.0, &Palette::new(true), false);
        assert_eq!(drawn[0].to_string(), "█ ");
        assert_eq!(drawn[1].to_string(), "█·");
    }

    #[test]
    fn a_spark_keeps_its_length() {
        assert_eq!(spark(&[None, Some(0.0), Some(1.0)], false), " ▁█");
    }
}
