#![doc = include_str!("../README.md")]

mod connection;
mod error;
mod frame;
mod head;
pub mod hpack;
mod settings;
mod sink;

pub use connection::{
    CONNECTION_WINDOW_BYTES, CONTINUATIONS_MAX, Connection, Ended, How, IDLE_FRAMES_MAX, INFORMATIONAL_MAX,
    Limits, OUT_MAX_BYTES, Request, STREAM_WINDOW_BYTES, STREAMS_MAX,
};
pub use error::{Code, Error};
pub use sink::Sink;
