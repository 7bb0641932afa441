//! Owns the terminal while the view is on.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossterm::event::{self, Event, KeyEventKind};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use peakdrill_drill_model::snapshot::Snapshot;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use crate::state::{Action, State};
use crate::view::draw;

/// Time between two drawings.
const FRAME: Duration = Duration::from_millis(250);

/// Whether the view has the terminal.
static ON: AtomicBool = AtomicBool::new(false);

/// Restores the terminal whatever happens.
struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back, if the view has it: for a process that is about to end without returning.
pub fn restore() {
    if !ON.swap(false, Ordering::SeqCst) {
        return;
    }
    // Nothing can be done when the terminal is gone.
    let _ = disable_raw_mode();
    let _ = execute!(io::stdout(), LeaveAlternateScreen, crossterm::cursor::Show);
}

/// Shows the run until it is over and a key was pressed (or `linger` has passed), or until a person leaves.
///
/// # Errors
/// When the terminal cannot be set up or drawn to. It is restored in any case, also after a panic on any thread.
pub fn run(
    latest: &dyn Fn() -> Option<Arc<Snapshot>>,
    act: &dyn Fn(Action),
    over: &dyn Fn() -> bool,
    linger: Duration,
) -> io::Result<()> {
    let before: Arc<dyn Fn(&std::panic::PanicHookInfo<'_>) + Send + Sync> =
        Arc::from(std::panic::take_hook());
    let for_panic = Arc::clone(&before);
    std::panic::set_hook(Box::new(move |info| {
        restore();
        for_panic(info);
    }));
    ON.store(true, Ordering::SeqCst);
    let guard = Restore;
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen)?;
    let mut terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
    let result = watch(&mut terminal, latest, act, over, linger);
    drop(guard);
    std::panic::set_hook(Box::new(move |info| before(info)));
    result
}

fn watch(
    terminal: &mut Terminal<CrosstermBackend<io::Stdout>>,
    latest: &dyn Fn() -> Option<Arc<Snapshot>>,
    act: &dyn Fn(Action),
    over: &dyn Fn() -> bool,
    linger: Duration,
) -> io::Result<()> {
    let mut state = State::new(ascii(), std::env::var_os("NO_COLOR").is_some());
    let mut ended = None;
    loop {
        if ended.is_none() && over() {
            state.over = true;
            ended = Some(Instant::now());
        }
        let snapshot = latest();
        terminal.draw(|frame| draw(frame, &state, snapshot.as_deref()))?;
        let next = Instant::now() + FRAME;
        while let Some(wait) = next.checked_duration_since(Instant::now()).filter(|wait| !wait.is_zero()) {
            if !event::poll(wait)? {
                break;
            }
            if let Event::Key(key) = event::read()?
                && key.kind == KeyEventKind::Press
            {
                state.key(key).into_iter().for_each(act);
                break;
            }
        }
        if state.leave || ended.is_some_and(|at: Instant| at.elapsed() >= linger) {
            return Ok(());
        }
    }
}

/// Whether the locale has no UTF-8.
#[must_use]
pub fn ascii() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
    locale.is_some_and(|locale| locale == "C" || locale == "POSIX")
}

/// The width of the terminal on stdout, in columns.
#[must_use]
pub fn terminal_width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    crossterm::terminal::size().ok().map(|(width, _)| usize::from(width))
}
