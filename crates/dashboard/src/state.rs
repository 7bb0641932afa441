//! What the view remembers, and what keys mean.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// The load, at a glance.
    Overview,
    /// Who calls whom, and what limits.
    Dependencies,
    /// What happened.
    Timeline,
    /// The keys.
    Help,
}

/// What a key asks of the drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// No new arrivals.
    Stop,
    /// Connections are cut.
    Cut,
}

/// What the view remembers between two drawings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The screen shown.
    pub screen: Screen,
    /// The drill was asked to stop.
    pub stopping: bool,
    /// The view shall end.
    pub leave: bool,
    /// Line drawing by ASCII only.
    pub ascii: bool,
    /// No colours.
    pub plain: bool,
    /// The drill is over.
    pub over: bool,
}

impl State {
    /// The state at the start.
    #[must_use]
    pub fn new(ascii: bool, plain: bool) -> Self {
        Self { screen: Screen::Overview, stopping: false, leave: false, ascii, plain, over: false }
    }

    /// Takes a key.
    pub fn key(&mut self, key: KeyEvent) -> Option<Action> {
        if self.over {
            self.leave = true;
            return None;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => return Some(self.stop()),
            KeyCode::Char('x' | 'X') => return Some(self.stop()),
            KeyCode::Char('1') => self.screen = Screen::Overview,
            KeyCode::Char('2') => self.screen = Screen::Dependencies,
            KeyCode::Char('3') => self.screen = Screen::Timeline,
            KeyCode::Char('?') => self.screen = Screen::Help,
            KeyCode::Tab => self.screen = self.next(),
            KeyCode::Esc => self.screen = Screen::Overview,
            // Leaving the view is not leaving the drill: it goes on in plain lines.
            KeyCode::Char('q') => self.leave = true,
            _ => {}
        }
        None
    }

    /// The first time stops, the second cuts.
    fn stop(&mut self) -> Action {
        let action = if self.stopping { Action::Cut } else { Action::Stop };
        self.stopping = true;
        action
    }

    fn next(&self) -> Screen {
        match self.screen {
            Screen::Overview => Screen::Dependencies,
            Screen::Dependencies => Screen::Timeline,
            Screen::Timeline | Screen::Help => Screen::Overview,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: KeyCode) -> KeyEvent {
        KeyEvent::new(code, KeyModifiers::NONE)
    }

    #[test]
    fn stopping_is_one_key_and_cutting_the_same_key_again() {
        let mut state = State::new(false, false);
        assert_eq!(state.key(key(KeyCode::Char('X'))), Some(Action::Stop));
        assert_eq!(state.key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Some(Action::Cut));
    }

    #[test]
    fn leaving_the_view_does_not_stop_the_drill() {
        let mut state = State::new(false, false);
        assert_eq!(state.key(key(KeyCode::Char('q'))), None);
        assert!(state.leave && !state.stopping);
    }

    #[test]
    fn after_the_end_any_key_leaves() {
        let mut state = State { over: true, ..State::new(false, false) };
        assert_eq!(state.key(key(KeyCode::Char('x'))), None);
        assert!(state.leave);
    }
}
