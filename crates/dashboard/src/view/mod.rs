//! Draws a snapshot. Pure: state and snapshot in, cells out.

mod chart;
mod dependencies;
mod help;
mod overview;
mod style;
mod timeline;
mod words;

use peakdrill_drill_model::snapshot::{RunState, Snapshot};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::state::{Screen, State};
use style::Palette;
use words::{clock, time};

/// Data older than this is drawn as stale: a frozen number must look frozen.
const STALE_NS: u64 = 1_500_000_000;

/// Draws one frame.
pub fn draw(frame: &mut Frame<'_>, state: &State, snapshot: Option<&Snapshot>) {
    let palette = Palette::new(state.plain);
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)])
            .areas(frame.area());
    let Some(now) = snapshot else {
        frame.render_widget(Paragraph::new(" peakdrill is getting ready …"), body);
        return;
    };
    frame.render_widget(header(now, &palette, head), head);
    match state.screen {
        _ if now.state == RunState::Preflight => preflight(frame, body, now, &palette),
        Screen::Overview => overview::draw(frame, body, now, &palette, state.ascii),
        Screen::Dependencies => dependencies::draw(frame, body, now, &palette, state.ascii),
        Screen::Timeline => timeline::draw(frame, body, now, &palette),
        Screen::Help => help::draw(frame, body, &palette),
    }
    frame.render_widget(footer(state, &palette), foot);
}

fn header<'a>(now: &'a Snapshot, palette: &Palette, area: Rect) -> Paragraph<'a> {
    let (mark, style) = match now.state {
        RunState::Preflight => ("◌ PREFLIGHT", palette.note),
        RunState::Running => ("● RUNNING", palette.good),
        RunState::Draining => ("◐ DRAINING", palette.warn),
        RunState::Done => ("■ DONE", palette.note),
    };
    let environment =
        if now.environment == "production" { "PRODUCTION".to_owned() } else { now.environment.clone() };
    let left = format!(" {} · {environment} · run {}", now.drill, now.run);
    let right = match now.state {
        RunState::Preflight | RunState::Done => String::new(),
        _ => format!(
            "  {}{} {}  total {}/{} ",
            now.phase,
            if now.phase_note.is_empty() { String::new() } else { format!(": {},", now.phase_note) },
            clock(now.phase_ns.saturating_sub(now.phase_elapsed_ns)),
            clock(now.elapsed_ns.min(now.total_ns)),
            clock(now.total_ns)
        ),
    };
    let used = left.chars().count() + mark.chars().count() + right.chars().count() + 2;
    let gap = usize::from(area.width).saturating_sub(used);
    Paragraph::new(Line::from(vec![
        Span::styled(left, palette.strong),
        Span::raw(" ".repeat(gap / 2 + 2)),
        Span::styled(mark, style),
        Span::raw(" ".repeat(gap - gap / 2)),
        Span::styled(right, palette.note),
    ]))
}

fn footer<'a>(state: &State, palette: &Palette) -> Paragraph<'a> {
    if state.over {
        return Paragraph::new(Span::styled(
            " the run is over: any key leaves; the verdict follows below",
            palette.strong,
        ));
    }
    let tab = |name: &'static str, screen: Screen| {
        let style = if state.screen == screen { palette.chosen } else { palette.note };
        Span::styled(name, style)
    };
    let stop = if state.stopping { "stopping; X again cuts" } else { "X stop" };
    Paragraph::new(Line::from(vec![
        Span::raw(" "),
        tab("[1] overview", Screen::Overview),
        Span::raw("  "),
        tab("[2] dependencies", Screen::Dependencies),
        Span::raw("  "),
        tab("[3] timeline", Screen::Timeline),
        Span::raw("   "),
        Span::styled(stop, if state.stopping { palette.warn } else { palette.note }),
        Span::raw("  "),
        tab("? help", Screen::Help),
    ]))
}

fn preflight(frame: &mut Frame<'_>, area: Rect, now: &Snapshot, palette: &Palette) {
    let lines = vec![
        Line::raw(""),
        Line::from(vec![
            Span::raw("  Before any load: "),
            Span::styled(now.activity.clone(), palette.strong),
        ]),
        Line::raw(""),
        Line::styled(
            "  Targets must answer, the tag must reach every hop, and shadow tables must stand.",
            palette.note,
        ),
        Line::styled("  No load is sent before all of it holds.", palette.note),
    ];
    frame.render_widget(Paragraph::new(lines), area);
}

/// The age of the load data, dim and named when it is stale.
fn data_age<'a>(now: &Snapshot, palette: &Palette) -> Span<'a> {
    let stale = stale(now, now.data_age_ns, now.data_age_ns, palette);
    stale.unwrap_or_else(|| Span::styled(format!("data age {}", time(now.data_age_ns)), palette.note))
}

/// How old the ranking is, when it is behind with what was received.
fn stale_ranking<'a>(now: &Snapshot, palette: &Palette) -> Option<Span<'a>> {
    stale(now, now.ranking_behind_ns, now.ranking_age_ns?, palette)
}

/// What is said of data that is too old, while the load runs.
fn stale<'a>(now: &Snapshot, behind_ns: u64, age_ns: u64, palette: &Palette) -> Option<Span<'a>> {
    let is_stale = behind_ns > STALE_NS && now.state == RunState::Running;
    is_stale.then(|| Span::styled(format!("STALE {}", time(age_ns)), palette.bad))
}

#[cfg(test)]
pub(crate) mod tests;
