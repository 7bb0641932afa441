//! The connections to one target.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_timebase::{Clock as _, MonoNs, OsClock};

use super::PoolConfig;
use crate::driver::{Completion, ExchangeId, NotSent, Submission};
use crate::exchange::{Abort, Exchanged, Link};
use crate::extract::Fault;
use crate::hub::Hub;

/// Connections that one pool opens at the same time, at most.
pub const CONNECTING_MAX: usize = 64;
/// Shortest time from one try to have a connection that must be there to the next, in milliseconds, where the first
/// came to nothing: it failed, or it ended without an exchange.
const REOPEN_PAUSE_MS: u64 = 100;
/// How often progress of opening is looked at before the start, in milliseconds.
const PREOPEN_POLL_MS: u64 = 1;

pub(crate) struct Pool {
    config: PoolConfig,
    hub: Rc<Hub>,
    clock: OsClock,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Submission>,
    idle: Vec<Rc<Slot>>,
    /// All open connections.
    slots: Vec<Rc<Slot>>,
    connecting: usize,
    opened: u64,
    closing: bool,
    /// Nothing more is to be sent.
    stopped: bool,
    /// The first thing that went wrong before the start.
    preopening: bool,
    preopen_fault: Option<Fault>,
}

/// The door to a connection's task.
#[derive(Default)]
struct Slot {
    job: RefCell<Option<Submission>>,
    current: Cell<Option<ExchangeId>>,
    abort: Abort,
}

impl Pool {
    pub(super) fn new(config: PoolConfig, hub: Rc<Hub>, clock: OsClock) -> Rc<Self> {
        Rc::new(Self { config, hub, clock, state: RefCell::default() })
    }

    pub(super) fn name(&self) -> &str {
        self.config.dialer.name()
    }

    pub(super) fn opened(&self) -> u64 {
        self.state.borrow().opened
    }

    /// Opens all connections, if they have to be open before the start. They may take as long as opening a connection
    /// may, once for each [`CONNECTING_MAX`] of them.
    pub(super) async fn preopen(self: &Rc<Self>) -> Result<(), Fault> {
        if !self.config.exact {
            return Ok(());
        }
        self.state.borrow_mut().preopening = true;
        self.open_more();
        let waves = u32::try_from(self.config.max_connections.div_ceil(CONNECTING_MAX)).unwrap_or(u32::MAX);
        let limit = self.config.dialer.timeout().saturating_mul(waves);
        let over = tokio::time::timeout(limit, self.all_open()).await;
        let mut state = self.state.borrow_mut();
        let result = over.unwrap_or_else(|_| Err(self.not_all_open(&state, limit)));
        state.preopening = false;
        state.closing |= result.is_err();
        result
    }

    /// Ready when as many connections are open as have to be, or one could not be opened.
    async fn all_open(&self) -> Result<(), Fault> {
        let mut opened = 0;
        loop {
            {
                let mut state = self.state.borrow_mut();
                if let Some(fault) = state.preopen_fault.take() {
                    return Err(fault);
                }
                // One that was opened just now may be closed by a peer that has enough of them: it has to last.
                if state.idle.len() >= self.config.max_connections && opened == state.opened {
                    return Ok(());
                }
                opened = state.opened;
            }
            tokio::time::sleep(Duration::from_millis(PREOPEN_POLL_MS)).await;
        }
    }

    fn not_all_open(&self, state: &State, limit: Duration) -> Fault {
        let (open, wanted) = (state.idle.len(), self.config.max_connections);
        let mut detail = format!("{open} of {wanted} connections are open after {} ms", limit.as_millis());
        let ended = state.opened.saturating_sub(open as u64);
        if ended > 0 {
            detail += &format!("; the peer closed {ended} others before any request");
        }
        Fault { class: ErrorClass::ConnectTimeout, detail }
    }

    pub(super) fn submit(self: &Rc<Self>, submission: Submission) {
        let slot = self.state.borrow_mut().idle.pop();
        if let Some(slot) = slot {
            slot.job.replace(Some(submission));
            slot.abort.wake();
            return;
        }
        self.state.borrow_mut().waiting.push_back(submission);
        self.open_more();
    }

    pub(super) fn cancel(&self, id: ExchangeId) -> bool {
        let state = self.state.borrow();
        let found = state.slots.iter().find(|slot| slot.current.get() == Some(id));
        found.inspect(|slot| slot.abort.abort()).is_some()
    }

    /// Gives up what has waited for as long as opening a connection may take. While connections are open, they were
    /// all busy: the request is given up unsent. While none is, the target cannot be reached.
    pub(super) fn expire(&self, now: MonoNs) {
        let limit = u64::try_from(self.config.dialer.timeout().as_nanos()).unwrap_or(u64::MAX);
        let mut state = self.state.borrow_mut();
        let unreachable = state.slots.is_empty() && state.connecting > 0;
        while let Some(first) = state.waiting.pop_front() {
            if now.since(first.submitted) < limit {
                state.waiting.push_front(first);
                break;
            }
            let id = first.id;
            self.hub.push(if unreachable {
                let fault =
                    Fault { class: ErrorClass::ConnectTimeout, detail: "no connection in time".into() };
                Completion::Done { id, at: now, result: Err(fault) }
            } else {
                Completion::NotSent { id, at: now, why: NotSent::NoConnection }
            });
        }
    }

    pub(super) fn withdraw(&self, at: MonoNs) {
        self.state.borrow_mut().stopped = true;
        let waiting = std::mem::take(&mut self.state.borrow_mut().waiting);
        for Submission { id, .. } in waiting {
            self.hub.push(Completion::NotSent { id, at, why: NotSent::Stopped });
        }
    }

    pub(super) fn abort(&self) {
        let mut state = self.state.borrow_mut();
        state.closing = true;
        state.waiting.clear();
        state.idle.clear();
        state.slots.iter().for_each(|slot| slot.abort.abort());
    }

    /// Starts opening connections for what waits, or to have exactly as many as wanted.
    fn open_more(self: &Rc<Self>) {
        loop {
            let mut state = self.state.borrow_mut();
            let room = state.slots.len() + state.connecting < self.config.max_connections;
            let wanted = self.config.exact || state.connecting < state.waiting.len();
            if state.closing || !room || !wanted || state.connecting >= CONNECTING_MAX {
                return;
            }
            state.connecting += 1;
            drop(state);
            tokio::task::spawn_local(Rc::clone(self).open());
        }
    }

    async fn open(self: Rc<Self>) {
        let link = match self.config.dialer.dial().await {
            Ok(stream) => Link::new(stream, self.clock).await,
            Err(fault) => Err(fault),
        };
        match link {
            Ok(link) => {
                let slot = Rc::new(Slot::default());
                let since = self.clock.mono();
                {
                    let mut state = self.state.borrow_mut();
                    state.connecting -= 1;
                    state.opened += 1;
                    state.slots.push(Rc::clone(&slot));
                }
                // The place in the number of those that are being opened is free again.
                self.open_more();
                let used = self.serve(&slot, link).await;
                self.closed(&slot);
                if !used {
                    self.hold_off(since).await;
                }
            }
            Err(fault) => self.failed(fault).await,
        }
        self.open_more();
    }

    /// A connection that must be there ended without an exchange: a peer that closes at once would else be dialled
    /// without a pause.
    async fn hold_off(&self, opened_at: MonoNs) {
        let age = Duration::from_nanos(self.clock.mono().since(opened_at));
        let left = Duration::from_millis(REOPEN_PAUSE_MS).saturating_sub(age);
        if !self.config.exact || left.is_zero() {
            return;
        }
        // Its place is kept, so that nothing else opens it meanwhile.
        self.state.borrow_mut().connecting += 1;
        tokio::time::sleep(left).await;
        self.state.borrow_mut().connecting -= 1;
    }

    /// A connection could not be opened: the request that has waited longest ends with that.
    async fn failed(&self, fault: Fault) {
        let first = {
            let mut state = self.state.borrow_mut();
            if state.preopening && state.preopen_fault.is_none() {
                state.preopen_fault = Some(fault.clone());
            }
            state.waiting.pop_front()
        };
        match first {
            Some(Submission { id, .. }) => {
                self.hub.push(Completion::Done { id, at: self.clock.mono(), result: Err(fault) });
            }
            None if self.config.exact => tokio::time::sleep(Duration::from_millis(REOPEN_PAUSE_MS)).await,
            None => {}
        }
        self.state.borrow_mut().connecting -= 1;
    }

    fn closed(&self, slot: &Rc<Slot>) {
        let mut state = self.state.borrow_mut();
        state.slots.retain(|other| !Rc::ptr_eq(other, slot));
        state.idle.retain(|other| !Rc::ptr_eq(other, slot));
        // Handed over while the peer was closing, and not sent: another connection takes it.
        match slot.job.take() {
            Some(_) if state.closing => {}
            Some(job) if state.stopped => {
                self.hub.push(Completion::NotSent {
                    id: job.id,
                    at: self.clock.mono(),
                    why: NotSent::Stopped,
                });
            }
            Some(job) => state.waiting.push_front(job),
            None => {}
        }
    }

    fn take_waiting(&self) -> Option<Submission> {
        self.state.borrow_mut().waiting.pop_front()
    }

    /// The life of a connection: exchanges, one after the other, until it ends. Whether there was any.
    async fn serve(&self, slot: &Rc<Slot>, mut link: Link) -> bool {
        let mut next = self.take_waiting();
        let mut used = false;
        loop {
            let job = match next.take() {
                Some(job) => job,
                None => match self.idle(slot, &mut link).await {
                    Some(job) => job,
                    None => return used,
                },
            };
            if self.is_expired(&job) {
                self.hub.push(Completion::NotSent {
                    id: job.id,
                    at: self.clock.mono(),
                    why: NotSent::Expired,
                });
                next = self.take_waiting();
                continue;
            }
            used = true;
            slot.current.set(Some(job.id));
            self.hub.push_quietly(Completion::Sent { id: job.id, at: self.clock.mono() });
            let hold = |cx: &Context<'_>, at| self.hub.hold(cx, at);
            let ended = link.exchange(job.request, job.keep_body, &slot.abort, hold).await;
            slot.current.set(None);
            let Exchanged::Done(result) = ended else {
                return used;
            };
            let usable = result.is_ok();
            let at = if usable { link.read_at() } else { self.clock.mono() };
            self.hub.push(Completion::Done { id: job.id, at, result });
            if !usable || !link.ready().await {
                return used;
            }
            next = self.take_waiting();
        }
    }

    /// Waits for a request; `None` when the connection ended before there was one.
    async fn idle(&self, slot: &Rc<Slot>, link: &mut Link) -> Option<Submission> {
        self.state.borrow_mut().idle.push(Rc::clone(slot));
        poll_fn(|cx| {
            if slot.abort.poll(cx) || link.poll_closed(cx) {
                return Poll::Ready(None);
            }
            slot.job.take().map_or(Poll::Pending, |job| Poll::Ready(Some(job)))
        })
        .await
    }

    fn is_expired(&self, job: &Submission) -> bool {
        job.not_after_unix_s <= u64::try_from(self.clock.unix().seconds()).unwrap_or(0)
    }
}
