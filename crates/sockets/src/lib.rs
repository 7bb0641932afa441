#![doc = include_str!("../README.md")]

#[allow(unsafe_code, reason = "this option of sockets has no safe interface")]
mod bind;
mod epoll;
mod sockets;
#[allow(unsafe_code, reason = "rings of shared memory with the kernel have no safe interface")]
mod uring;

pub use bind::bind_without_port;
pub use epoll::Epoll;
pub use sockets::{EVENTS_MAX, Event, Handed, Kind, Sockets};
pub use uring::Uring;
