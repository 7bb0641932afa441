//! The connections to one target: how many, which have room, and what waits for one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::{Protocol, Sharing};
use peakdrill_timebase::{MonoNs, NS_PER_MS};
use rustc_hash::FxHashMap;

use super::connection::Connection;
use super::renew::{Lifetime, Renewal};
use crate::dial::Dialer;
use crate::driver::{Completion, ExchangeId, NotSent, Submission};
use crate::extract::Fault;

/// Connections that one pool opens at the same time, at most.
pub const CONNECTING_MAX: usize = 64;
/// The same where each journey has a connection of its own, so that opening them is part of the load.
pub const CONNECTING_USERS_MAX: usize = 4_096;
/// Shortest time from one try to have a connection that must be there to the next, in milliseconds, where the first
/// came to nothing: it failed, or it ended without an exchange.
const REOPEN_PAUSE_MS: u64 = 100;

/// What a pool is made of.
pub(crate) struct PoolConfig {
    pub(crate) dialer: Dialer,
    pub(crate) max_connections: usize,
    pub(crate) exact: bool,
    pub(crate) protocol: Protocol,
    pub(crate) sharing: Sharing,
    pub(crate) lifetime: Option<Lifetime>,
}

/// A request that waits for a connection.
pub(super) struct Waiting {
    pub(super) since: MonoNs,
    pub(super) job: Submission,
    /// One is being opened for it alone.
    called: bool,
}

impl Waiting {
    pub(super) fn new(since: MonoNs, job: Submission) -> Self {
        Self { since, job, called: false }
    }
}

/// What a connection is opened for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Errand {
    /// Whatever has waited longest when it is open, or to be there.
    Anyone,
    /// This request alone: how long opening takes is a part of its user's wait, and nobody else's.
    One(ExchangeId),
}

/// Connections that can take another exchange.
enum Roomy {
    /// Whoever comes next takes the last one.
    Shared(Vec<usize>),
    /// By the session whose own each is.
    Own(FxHashMap<u32, usize>),
}

impl Roomy {
    fn new(sharing: Sharing) -> Self {
        match sharing {
            Sharing::Pool => Self::Shared(Vec::new()),
            Sharing::User => Self::Own(FxHashMap::default()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Shared(keys) => keys.len(),
            Self::Own(keys) => keys.len(),
        }
    }

    fn remove(&mut self, key: usize, user: Option<u32>) {
        match (self, user) {
            (Self::Shared(keys), _) => keys.retain(|other| *other != key),
            (Self::Own(keys), Some(user)) if keys.get(&user) == Some(&key) => _ = keys.remove(&user),
            (Self::Own(_), Some(_)) => {}
            (Self::Own(_), None) => {}
        }
    }
}

/// The pool of one target. Connections are named by their keys.
pub(super) struct Pool {
    pub(super) dialer: Arc<Dialer>,
    max: usize,
    pub(super) exact: bool,
    pub(super) protocol: Protocol,
    /// What waits for a connection.
    pub(super) waiting: VecDeque<Waiting>,
    /// Those that can take another exchange.
    roomy: Roomy,
    pub(super) renewal: Renewal,
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
            renewal: Renewal::new(config.lifetime, &config.dialer.route),
            dialer: Arc::new(config.dialer),
            max: config.max_connections,
            exact: config.exact,
            protocol: config.protocol,
            waiting: VecDeque::new(),
            roomy: Roomy::new(config.sharing),
            open: 0,
            connecting: 0,
            opened: 0,
            reopen_at: MonoNs(0),
            first_fault: None,
        }
    }

    /// What another connection is to be opened for now, if one is; it counts as being opened then.
    pub(super) fn wants_another(&mut self, now: MonoNs) -> Option<Errand> {
        let own = self.is_per_user();
        let at_once = if own { CONNECTING_USERS_MAX } else { CONNECTING_MAX };
        if self.open + self.connecting >= self.max || self.connecting >= at_once {
            return None;
        }
        let errand = if own {
            let first = self.first_uncalled();
            let waiting = self.waiting.get_mut(first)?;
            waiting.called = true;
            Errand::One(waiting.job.id)
        } else {
            let missing = self.exact && now >= self.reopen_at;
            let coming = self.connecting.saturating_mul(self.room());
            (missing || coming < self.waiting.len()).then_some(Errand::Anyone)?
        };
        self.connecting += 1;
        Some(errand)
    }

    /// Where those begin that no connection is being opened for: they are called from the front, and come to the back.
    fn first_uncalled(&self) -> usize {
        self.waiting.partition_point(|waiting| waiting.called)
    }

    /// A request that nothing of was sent waits again: before the others, unless each has a connection of its own.
    pub(super) fn put_off(&mut self, since: MonoNs, job: Submission) {
        let waiting = Waiting::new(since, job);
        if self.is_per_user() { self.waiting.push_back(waiting) } else { self.waiting.push_front(waiting) }
    }

    /// Takes a request out of those that wait.
    pub(super) fn pick(&mut self, id: ExchangeId) -> Option<Waiting> {
        let place = self.waiting.iter().position(|waiting| waiting.job.id == id)?;
        self.waiting.remove(place)
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

    /// A connection could not be opened: the request that it was for, or as many as it would have taken of those that have
    /// waited longest, end with that.
    pub(super) fn has_failed(
        &mut self,
        errand: Errand,
        fault: &Fault,
        at: MonoNs,
        told: &mut VecDeque<Completion>,
    ) {
        self.connecting -= 1;
        self.first_fault.get_or_insert_with(|| fault.clone());
        let before = told.len();
        for _ in 0..self.room() {
            let waiting = match errand {
                Errand::Anyone => self.waiting.pop_front(),
                Errand::One(id) => self.pick(id),
            };
            let Some(Waiting { job: Submission { id, .. }, .. }) = waiting else { break };
            told.push_back(Completion::Done { id, at, result: Err(fault.clone()) });
        }
        if told.len() == before {
            self.reopen_at = at.plus(REOPEN_PAUSE_MS * NS_PER_MS);
        }
    }

    /// A connection takes nothing more: another may be opened in its place.
    pub(super) fn has_retired(&mut self) {
        self.open -= 1;
    }

    /// A connection has ended. One that must be there and ended without an exchange is not opened again at once: the
    /// peer may close all that come.
    pub(super) fn has_closed(&mut self, key: usize, closed: &Connection) {
        if closed.listed {
            self.roomy.remove(key, closed.user);
        }
        if !closed.used {
            self.reopen_at = self.reopen_at.max(closed.opened_at.plus(REOPEN_PAUSE_MS * NS_PER_MS));
        }
    }

    /// Whether each journey has a connection of its own.
    pub(super) fn is_per_user(&self) -> bool {
        matches!(self.roomy, Roomy::Own(_))
    }

    /// A connection has room: that of a user, where each has one. Returns one that the user had before, and that is
    /// nobody's now.
    pub(super) fn put(&mut self, key: usize, user: Option<u32>) -> Option<usize> {
        match (&mut self.roomy, user) {
            (Roomy::Own(keys), Some(user)) => keys.insert(user, key).filter(|before| *before != key),
            (Roomy::Own(_), None) => None,
            (Roomy::Shared(keys), _) => {
                keys.push(key);
                None
            }
        }
    }

    /// A connection takes nothing more.
    pub(super) fn unlist(&mut self, key: usize, user: Option<u32>) {
        self.roomy.remove(key, user);
    }

    /// A connection that has room for this user, and is not on the list any more.
    pub(super) fn take(&mut self, user: u32) -> Option<usize> {
        match &mut self.roomy {
            Roomy::Shared(keys) => keys.pop(),
            Roomy::Own(keys) => keys.remove(&user),
        }
    }

    /// Gives up what has waited for as long as opening a connection may take. While connections are open, they were
    /// all busy: the request is given up unsent. While none is, the target cannot be reached. One for which a connection
    /// is being opened ends with that.
    pub(super) fn expire(&mut self, now: MonoNs) -> Option<Completion> {
        let limit = u64::try_from(self.dialer.timeout().as_nanos()).unwrap_or(u64::MAX);
        // Not only the first: one that came back stands before those that have waited longer.
        let over = |waiting: &Waiting| !waiting.called && now.since(waiting.since) >= limit;
        let first = self.waiting.iter().position(over)?;
        let first = self.waiting.remove(first)?.job;
        let unreachable = !self.is_per_user() && self.open == 0 && self.connecting > 0;
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
