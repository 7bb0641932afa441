//! Where time comes from: always from outside.

use crate::{MonoNs, UnixNs};

/// A source of time. Implementations are cheap to ask and never go backwards on `mono`.
pub trait Clock: Send + Sync {
    /// Time since an arbitrary, fixed point.
    fn mono(&self) -> MonoNs;
    /// Wall-clock time. Derived from `mono` by one anchor, so that both move together within a run.
    fn unix(&self) -> UnixNs;
}

/// The machine's clocks: monotonic time, and wall-clock time anchored once at creation, so that a step of
/// the system clock during a drill cannot bend it.
#[cfg(feature = "os")]
#[derive(Debug, Clone, Copy)]
pub struct OsClock {
    origin: std::time::Instant,
    unix_at_origin: i64,
}

#[cfg(feature = "os")]
impl OsClock {
    /// Anchors now.
    #[must_use]
    pub fn new() -> Self {
        let unix = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX));
        Self { origin: std::time::Instant::now(), unix_at_origin: unix }
    }

    /// The instant that `mono` zero stands for, to wait for a time with a runtime's timer.
    #[must_use]
    pub fn origin(&self) -> std::time::Instant {
        self.origin
    }

    /// The wall-clock time of monotonic zero.
    #[must_use]
    pub fn unix_at_origin(&self) -> UnixNs {
        UnixNs(self.unix_at_origin)
    }

    /// The wall-clock time of a monotonic one.
    #[must_use]
    pub fn unix_of(&self, at: MonoNs) -> UnixNs {
        UnixNs(self.unix_at_origin.saturating_add_unsigned(at.0))
    }
}

#[cfg(feature = "os")]
impl Default for OsClock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "os")]
impl Clock for OsClock {
    fn mono(&self) -> MonoNs {
        // Read for every request: without a detour over 128 bits.
        let since = self.origin.elapsed();
        MonoNs(since.as_secs().wrapping_mul(crate::NS_PER_S).wrapping_add(u64::from(since.subsec_nanos())))
    }

    fn unix(&self) -> UnixNs {
        self.unix_of(self.mono())
    }
}
