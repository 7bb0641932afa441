#![doc = include_str!("../README.md")]

mod epoll;
#[allow(unsafe_code, reason = "these questions to the kernel have no safe interface")]
mod kernel;
mod sockets;
#[allow(unsafe_code, reason = "rings of shared memory with the kernel have no safe interface")]
mod uring;

pub use epoll::Epoll;
pub use kernel::{ClockState, bind_without_port, clock_state, one_arena_per_core};
pub use sockets::{EVENTS_MAX, Event, Handed, Kind, Sockets};
pub use uring::Uring;
