//! What is known of a running drill: windows for guards, totals for gates and screens.

pub mod analysis;
mod analyst;
pub mod gates;
pub mod guards;
pub mod history;
pub(crate) mod search;
pub mod totals;
pub mod window;
