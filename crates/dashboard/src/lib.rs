#![doc = include_str!("../README.md")]

mod state;
mod terminal;
mod view;

pub use state::{Action, Screen, State};
pub use terminal::{ascii, restore, run, terminal_width};
pub use view::draw;
