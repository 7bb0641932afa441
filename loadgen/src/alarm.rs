//! Waking at an instant, to within some tens of microseconds.
//!
//! The runtime's own timers count milliseconds. A `timerfd` counts nanoseconds and is watched by the same `epoll` as
//! the sockets, so a shard sleeps once for whatever comes first (see `docs/adr-001-pacing.md`).

use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};

use peakdrill_timebase::{Clock as _, MonoNs, NS_PER_S, OsClock};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use tokio::io::unix::AsyncFd;

use crate::error::StartError;

/// A timer in the runtime's poll set.
pub(crate) struct Alarm {
    timer: AsyncFd<OwnedFd>,
    armed: Option<MonoNs>,
    clock: OsClock,
}

impl Alarm {
    /// Must be called inside of a runtime.
    pub(crate) fn new(clock: OsClock) -> Result<Self, StartError> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let made =
            rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags).map_err(std::io::Error::from);
        let timer = made.and_then(register).map_err(StartError::os("a timer"))?;
        Ok(Self { timer, armed: None, clock })
    }

    /// Ready at `at` or a little later, or when the timer cannot be used (the caller looks at the clock anyway).
    pub(crate) fn poll_at(&mut self, at: MonoNs, cx: &mut Context<'_>) -> Poll<()> {
        if self.armed != Some(at) {
            let left = at.since(self.clock.mono());
            if left == 0 || self.arm(left).is_err() {
                self.armed = None;
                return Poll::Ready(());
            }
            self.armed = Some(at);
        }
        let Ok(mut guard) = ready!(self.timer.poll_read_ready(cx)) else {
            return Poll::Ready(());
        };
        // Arming again resets the timer's count, so it need not be read.
        guard.clear_ready();
        self.armed = None;
        Poll::Ready(())
    }

    fn arm(&self, left_ns: u64) -> rustix::io::Result<()> {
        let value = Timespec { tv_sec: (left_ns / NS_PER_S) as i64, tv_nsec: (left_ns % NS_PER_S) as _ };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once).map(drop)
    }
}

/// Puts a descriptor into the runtime's poll set. The constructor is deprecated because a type may name a descriptor
/// that it does not own; its successor is `unsafe`. An `OwnedFd` owns what it names for as long as it lives.
#[allow(deprecated, reason = "sound for an owned descriptor, and the only way without unsafe code")]
pub(crate) fn register(descriptor: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(descriptor)
}
