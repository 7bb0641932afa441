//! The connections to one target: how many, which have room, and what waits for one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::Protocol;
use peakdrill_timebase::{MonoNs, NS_PER_MS};

use crate::dial::Dialer;
use crate::driver::{Completion, NotSent, Submission};
use crate::extract::Fault;

/// Connections that one pool opens at the same time, at most.
pub const CONNECTING_MAX: usize = 64;
/// Shortest time from one try to have a connection that must be there to the next, in milliseconds, where the first
/// came to nothing: it failed, or it ended without an exchange.
const REOPEN_PAUSE_MS: u64 = 100;

/// What a pool is made of.
pub(crate) struct PoolConfig {
    pub(crate) dialer: Dialer,
    pub(crate) max_connections: usize,
    pub(crate) exact: bool,
    pub(crate) protocol: Protocol,
}

/// The pool of one target. Connections are named by their keys.
pub(super) struct Pool {
    pub(super) dialer: Arc<Dialer>,
    max: usize,
    pub(super) exact: bool,
    pub(super) protocol: Protocol,
    /// What waits for a connection, and since when.
    pub(super) waiting: VecDeque<(MonoNs, Submission)>,
    /// Those that can take another exchange; the one to be used next comes last.
    roomy: Vec<usize>,
    open: usize,
    connecting: usize,
    pub(super) opened: u64,
    /// Nothing that must be there is opened before.
    reopen_at: MonoNs,
    /// The first thing that went wrong.
    first_fault: Option<Fault>,
}

impl Pool {
    pub(super) fn new(config: PoolConfig) -> Self {
        Self {
            dialer: Arc::new(config.dialer),
            max: config.max_connections,
            exact: config.exact,
            protocol: config.protocol,
            waiting: VecDeque::new(),
            roomy: Vec::new(),
            open: 0,
            connecting: 0,
            opened: 0,
            reopen_at: MonoNs(0),
            first_fault: None,
        }
    }

    /// Whether another connection is to be opened now; if so it counts as being opened.
    pub(super) fn wants_another(&mut self, now: MonoNs) -> bool {
        let room = self.open + self.connecting < self.max && self.connecting < CONNECTING_MAX;
        let missing = self.exact && now >= self.reopen_at;
        let wanted = room && (missing || self.connecting.saturating_mul(self.room()) < self.waiting.len());
        self.connecting += usize::from(wanted);
        wanted
    }

    /// Exchanges that a new connection takes.
    fn room(&self) -> usize {
        match self.protocol {
            Protocol::Http1 => 1,
            Protocol::Http2 { streams } => streams.max(1) as usize,
        }
    }

    /// A connection was opened.
    pub(super) fn has_opened(&mut self) {
        self.connecting -= 1;
        self.open += 1;
        self.opened += 1;
    }

    /// A connection could not be opened: the request that has waited longest ends with that.
    pub(super) fn has_failed(&mut self, fault: Fault, at: MonoNs) -> Option<Completion> {
        self.connecting -= 1;
        if self.first_fault.is_none() {
            self.first_fault = Some(fault.clone());
        }
        let Some((_, Submission { id, .. })) = self.waiting.pop_front() else {
            self.reopen_at = at.plus(REOPEN_PAUSE_MS * NS_PER_MS);
            return None;
        };
        Some(Completion::Done { id, at, result: Err(fault) })
    }

    /// A connection takes nothing more: another may be opened in its place.
    pub(super) fn has_retired(&mut self) {
        self.open -= 1;
    }

    /// A connection has ended. One that must be there and ended without an exchange is not opened again at once: the
    /// peer may close all that come.
    pub(super) fn has_closed(&mut self, key: usize, listed: bool, used: bool, opened_at: MonoNs) {
        if listed {
            self.roomy.retain(|other| *other != key);
        }
        if !used {
            self.reopen_at = self.reopen_at.max(opened_at.plus(REOPEN_PAUSE_MS * NS_PER_MS));
        }
    }

    /// A connection has room.
    pub(super) fn put(&mut self, key: usize) {
        self.roomy.push(key);
    }

    /// A connection that has room, and is not on the list any more.
    pub(super) fn take(&mut self) -> Option<usize> {
        self.roomy.pop()
    }

    /// Gives up what has waited for as long as opening a connection may take. While connections are open, they were
    /// all busy: the request is given up unsent. While none is, the target cannot be reached.
    pub(super) fn expire(&mut self, now: MonoNs) -> Option<Completion> {
        let limit = u64::try_from(self.dialer.timeout().as_nanos()).unwrap_or(u64::MAX);
        let unreachable = self.open == 0 && self.connecting > 0;
        let (_, first) = self.waiting.pop_front_if(|(since, _)| now.since(*since) >= limit)?;
        Some(if unreachable {
            let fault = Fault { class: ErrorClass::ConnectTimeout, detail: "no connection in time".into() };
            Completion::Done { id: first.id, at: now, result: Err(fault) }
        } else {
            first.not_sent(now, NotSent::NoConnection)
        })
    }

    /// Whether all are open that have to be, or what stands against it.
    pub(super) fn is_preopened(&mut self) -> Result<bool, Fault> {
        match self.first_fault.take() {
            Some(fault) => Err(fault),
            None => Ok(!self.exact || self.roomy.len() >= self.max),
        }
    }

    /// How long opening all may take: once the limit for each [`CONNECTING_MAX`] of them.
    pub(super) fn preopen_limit(&self) -> Duration {
        let waves = u32::try_from(self.max.div_ceil(CONNECTING_MAX)).unwrap_or(u32::MAX);
        self.dialer.timeout().saturating_mul(waves)
    }

    pub(super) fn not_all_open(&self, limit: Duration) -> Fault {
        let (open, wanted) = (self.roomy.len(), self.max);
        let mut detail = format!("{open} of {wanted} connections are open after {} ms", limit.as_millis());
        let ended = self.opened.saturating_sub(open as u64);
        if ended > 0 {
            detail += &format!("; the peer closed {ended} others before any request");
        }
        Fault { class: ErrorClass::ConnectTimeout, detail }
    }
}
