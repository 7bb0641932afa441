//! Owns the terminal while the view is on.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossterm::event::{self, Event, KeyEventKind};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use peakdrill_drill_model::snapshot::Snapshot;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use crate::state::{Action, State};
use crate::view::draw;

/// What is new on the board is on the screen after this, at the latest.
const FRAME: Duration = Duration::from_millis(100);

/// Who has the terminal.
static HELD: AtomicU8 = AtomicU8::new(GIVEN_BACK);
/// The shell, and it keeps it.
const GIVEN_BACK: u8 = 0;
/// The view.
const BY_VIEW: u8 = 1;
/// The shell, for as long as a panic is told.
const LENT: u8 = 2;
/// Panics that are being told, and who waits until they were.
static TELLING: Mutex<usize> = Mutex::new(0);
static TOLD: Condvar = Condvar::new();

fn telling() -> MutexGuard<'static, usize> {
    TELLING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Restores the terminal whatever happens.
struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back, if the view has it: for a process that is about to end without returning.
pub fn restore() {
    if HELD.swap(GIVEN_BACK, Ordering::SeqCst) == BY_VIEW {
        give_back();
    }
}

/// The same until a panic was told.
fn lend() {
    if HELD.compare_exchange(BY_VIEW, LENT, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
        give_back();
    }
}

fn give_back() {
    // Nothing can be done when the terminal is gone.
    let _ = disable_raw_mode();
    let _ = execute!(io::stdout(), LeaveAlternateScreen, crossterm::cursor::Show);
}

fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen)
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
        *telling() += 1;
        lend();
        for_panic(info);
        *telling() -= 1;
        TOLD.notify_all();
    }));
    let guard = Restore;
    HELD.store(BY_VIEW, Ordering::SeqCst);
    enter()?;
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
    let (mut ended, mut drawn) = (None, None);
    loop {
        if ended.is_none() && over() {
            state.over = true;
            ended = Some(Instant::now());
        }
        match HELD.load(Ordering::SeqCst) {
            GIVEN_BACK => return Ok(()),
            LENT => {
                take_back(terminal)?;
                drawn = None;
            }
            _ => {}
        }
        let next = Drawn { state: state.clone(), snapshot: latest() };
        if HELD.load(Ordering::SeqCst) == BY_VIEW && drawn.as_ref().is_none_or(|drawn| next.differs(drawn)) {
            terminal.draw(|frame| draw(frame, &next.state, next.snapshot.as_deref()))?;
            drawn = Some(next);
        }
        if event::poll(FRAME)? {
            match event::read()? {
                Event::Key(key) if key.kind == KeyEventKind::Press => {
                    state.key(key).into_iter().for_each(act);
                }
                Event::Resize(..) => drawn = None,
                _ => {}
            }
        }
        if state.leave || ended.is_some_and(|at: Instant| at.elapsed() >= linger) {
            return Ok(());
        }
    }
}

/// A panic on another thread took the terminal to be told: when it was, and the run goes on, so does the view. Keys are not
/// read meanwhile: they are the shell's.
fn take_back(terminal: &mut Terminal<CrosstermBackend<io::Stdout>>) -> io::Result<()> {
    // Held until the view has the terminal: a panic that is next is told on the screen that this one was.
    let _told = TOLD.wait_while(telling(), |telling| *telling > 0);
    if HELD.compare_exchange(LENT, BY_VIEW, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
        enter()?;
        // The other screen is empty when it is entered: a new terminal knows of nothing on it, and asks the real one nothing.
        *terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
    }
    Ok(())
}

/// What is on the screen.
struct Drawn {
    state: State,
    snapshot: Option<Arc<Snapshot>>,
}

impl Drawn {
    /// Whether it is to be drawn anew. Snapshots are never changed: another one is another place.
    fn differs(&self, other: &Self) -> bool {
        let place = |drawn: &Self| drawn.snapshot.as_ref().map(Arc::as_ptr);
        self.state != other.state || place(self) != place(other)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::snapshot;

    #[test]
    fn only_what_is_new_is_drawn() {
        let state = State::new(false, false);
        let drawn = |state: &State, snapshot| Drawn { state: state.clone(), snapshot };
        let board = Arc::new(snapshot());
        let shown = drawn(&state, Some(Arc::clone(&board)));
        assert!(!drawn(&state, Some(board)).differs(&shown));
        assert!(drawn(&state, Some(Arc::new(snapshot()))).differs(&shown), "a later look");
        assert!(drawn(&state, None).differs(&shown));
        let other = State { stopping: true, ..state };
        assert!(drawn(&other, shown.snapshot.clone()).differs(&shown), "a key");
    }
}
