#![doc = include_str!("../README.md")]

mod epoll;
mod sockets;
#[allow(unsafe_code, reason = "rings of shared memory with the kernel have no safe interface")]
mod uring;

pub use epoll::Epoll;
pub use sockets::{EVENTS_MAX, Event, Handed, Kind, Sockets};
pub use uring::Uring;
