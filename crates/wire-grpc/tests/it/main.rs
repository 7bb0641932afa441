//! Messages, methods, answers and reflection, with descriptors compiled from a `.proto` file.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is tests and their helpers")]

mod answers;
mod corpus;
mod messages;
mod properties;
mod reflected;
mod types;
