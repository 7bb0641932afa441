//! The HTTP/1.1 driver: a pool of keep-alive connections per target, all moved by the shard itself.
//!
//! A request is handed to one connection. It is never sent again once a byte of it went out: a connection that breaks
//! before the answer is complete is an error of its own class.

mod connection;
mod pool;
mod ready;

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_timebase::{Clock as _, MonoNs, OsClock};
use slab::Slab;
use tokio::task::{Id, JoinSet};

use crate::answer::Buffers;
use crate::dial::Stream;
use crate::driver::{Completion, Driver, ExchangeId, NotSent, Submission, Submitted};
use crate::extract::Fault;
use connection::Connection;
pub use pool::CONNECTING_MAX;
use pool::Pool;
pub(crate) use pool::PoolConfig;
use ready::Ready;

/// Most that is read at once, in bytes. One piece of memory serves all connections.
const ROOM_BYTES: usize = 64 * 1024;
/// Connections that get their turn before the shard looks at the clock again.
const TURNS_MAX: usize = 256;
/// How long connections have to last before the start, in milliseconds.
const PREOPEN_LAST_MS: u64 = 1;
/// How often it is looked before the start whether connections that ended may be opened again, in milliseconds.
const PREOPEN_RETRY_MS: u64 = 10;

/// All connections of a shard.
pub(crate) struct Http1 {
    clock: OsClock,
    pools: Vec<Pool>,
    connections: Slab<Connection>,
    ready: Arc<Ready>,
    /// Connections whose turn it is, last first.
    turns: Vec<usize>,
    room: Box<[u8]>,
    dials: JoinSet<Result<Stream, Fault>>,
    /// The pools that these are for.
    dialing: HashMap<Id, usize>,
    /// At most two per exchange in flight.
    completions: VecDeque<Completion>,
    buffers: Buffers,
    /// Nothing that waits is to be sent any more.
    stopped: bool,
    closing: bool,
}

impl Http1 {
    /// Must be used inside of a runtime.
    pub(crate) fn new(pools: Vec<PoolConfig>, clock: OsClock) -> Self {
        Self {
            clock,
            pools: pools.into_iter().map(Pool::new).collect(),
            connections: Slab::new(),
            ready: Arc::default(),
            turns: Vec::new(),
            room: vec![0; ROOM_BYTES].into_boxed_slice(),
            dials: JoinSet::new(),
            dialing: HashMap::new(),
            completions: VecDeque::new(),
            buffers: Buffers::default(),
            stopped: false,
            closing: false,
        }
    }

    /// Opens the connections of all targets that want them open before the start.
    ///
    /// # Errors
    /// The target's name, and the first thing that went wrong.
    pub(crate) async fn preopen(&mut self) -> Result<(), (String, Fault)> {
        for place in 0..self.pools.len() {
            let Some(pool) = self.pools.get_mut(place).filter(|pool| pool.exact) else {
                continue;
            };
            let limit = pool.preopen_limit();
            self.open_more(place);
            let over = tokio::time::timeout(limit, self.all_open(place)).await;
            if let Some(pool) = self.pools.get(place) {
                let result = over.unwrap_or_else(|_| Err(pool.not_all_open(limit)));
                result.map_err(|fault| (pool.dialer.name().to_owned(), fault))?;
            }
        }
        Ok(())
    }

    /// Ready when as many connections are open as have to be, or one could not be opened.
    async fn all_open(&mut self, place: usize) -> Result<(), Fault> {
        loop {
            let opening = poll_fn(|cx| {
                self.turn(cx);
                match self.pools.get_mut(place).map_or(Ok(true), Pool::is_preopened) {
                    Ok(false) => Poll::Pending,
                    Ok(true) => Poll::Ready(Ok(())),
                    Err(fault) => Poll::Ready(Err(fault)),
                }
            });
            let pause = Duration::from_millis(PREOPEN_RETRY_MS);
            if let Ok(opened) = tokio::time::timeout(pause, opening).await {
                opened?;
            } else {
                // What ended unused is tried again after a pause, of which nothing else tells.
                self.open_more(place);
                continue;
            }
            // One that was opened just now may be closed by a peer that has enough of them: it has to last.
            let opened = self.opened();
            let idly = poll_fn(|cx| {
                self.turn(cx);
                Poll::<()>::Pending
            });
            let _ = tokio::time::timeout(Duration::from_millis(PREOPEN_LAST_MS), idly).await;
            if opened == self.opened() && self.pools.get_mut(place).map_or(Ok(true), Pool::is_preopened)? {
                return Ok(());
            }
        }
    }

    /// Starts opening connections for what waits, or to have exactly as many as wanted.
    fn open_more(&mut self, place: usize) {
        let now = self.clock.mono();
        while !self.closing
            && let Some(pool) = self.pools.get_mut(place)
            && pool.wants_another(now)
        {
            let dialer = Arc::clone(&pool.dialer);
            let dial = self.dials.spawn(async move { dialer.dial().await });
            self.dialing.insert(dial.id(), place);
        }
    }

    /// Takes in what came of opening connections.
    fn dialed(&mut self, cx: &mut Context<'_>) {
        while !self.dials.is_empty()
            && let Poll::Ready(Some(joined)) = self.dials.poll_join_next_with_id(cx)
        {
            let (id, result) = joined.unwrap_or_else(|broken| {
                let detail = format!("opening it broke down: {broken}");
                (broken.id(), Err(Fault { class: ErrorClass::Connect, detail }))
            });
            let Some(place) = self.dialing.remove(&id) else { continue };
            let Some(pool) = self.pools.get_mut(place) else { continue };
            match result {
                Ok(stream) => {
                    pool.has_opened();
                    self.add(place, stream);
                }
                Err(fault) => {
                    let completion = pool.has_failed(fault, self.clock.mono());
                    self.completions.extend(completion);
                }
            }
            self.open_more(place);
        }
    }

    fn add(&mut self, place: usize, stream: Stream) {
        let entry = self.connections.vacant_entry();
        let key = entry.key();
        entry.insert(Connection::new(place, stream, self.ready.bell(key), self.clock.mono()));
        // Its first turn makes it watched.
        if self.turn_of(key) {
            self.free(key);
        }
    }

    /// One connection's turn; whether it is still there.
    fn turn_of(&mut self, key: usize) -> bool {
        let Some(connection) = self.connections.get_mut(key) else {
            return false;
        };
        let turn = connection.turn(&mut self.room, &mut self.buffers, self.clock);
        let freed = turn.ended.is_some();
        if let Some((id, at, result)) = turn.ended {
            self.completions.push_back(Completion::Done { id, at, result });
        }
        if !turn.open {
            self.close(key);
        } else if freed {
            self.free(key);
        }
        turn.open
    }

    fn close(&mut self, key: usize) {
        if let Some(connection) = self.connections.try_remove(key) {
            let Connection { pool: place, used, opened_at, .. } = connection;
            if let Some(pool) = self.pools.get_mut(place) {
                pool.has_closed(key, connection.is_idle(), used, opened_at);
            }
            self.open_more(place);
        }
    }

    /// A connection has nothing to do: it takes what has waited longest, or becomes idle.
    fn free(&mut self, key: usize) {
        let Some(place) = self.connections.get(key).map(|connection| connection.pool) else {
            return;
        };
        while let Some(pool) = self.pools.get_mut(place) {
            let Some((since, job)) = pool.waiting.pop_front() else {
                return pool.put_idle(key);
            };
            let id = job.id;
            match self.hand_over(key, job) {
                Ok(at) => return self.completions.push_back(Completion::Sent { id, at }),
                Err(Back::Expired(at)) => {
                    self.completions.push_back(Completion::NotSent { id, at, why: NotSent::Expired });
                }
                Err(Back::Closed(job)) => return self.put_off(since, job),
            }
        }
    }

    /// Hands a request to a connection that is free, and tells when. When that has ended, it is not there any more.
    fn hand_over(&mut self, key: usize, job: Submission) -> Result<MonoNs, Back> {
        let Some(connection) = self.connections.get_mut(key) else {
            return Err(Back::Closed(job));
        };
        let at = self.clock.mono();
        if job.not_after_unix_s <= self.clock.unix_of(at).seconds().max(0).unsigned_abs() {
            return Err(Back::Expired(at));
        }
        match connection.send(job, &mut self.buffers) {
            Ok(()) => Ok(at),
            Err(job) => {
                self.close(key);
                Err(Back::Closed(job))
            }
        }
    }

    /// A request that nothing of was sent waits for another connection, before the others.
    fn put_off(&mut self, since: MonoNs, job: Submission) {
        let (place, id) = (job.target, job.id);
        if self.stopped {
            let (at, why) = (self.clock.mono(), NotSent::Stopped);
            return self.completions.push_back(Completion::NotSent { id, at, why });
        }
        if let Some(pool) = self.pools.get_mut(place) {
            pool.waiting.push_front((since, job));
        }
        self.open_more(place);
    }
}

/// A request that was not sent.
enum Back {
    /// Its token has run out.
    Expired(MonoNs),
    /// The connection has ended: another one may take it.
    Closed(Submission),
}

impl Driver for Http1 {
    fn buffer(&mut self) -> Vec<u8> {
        self.buffers.take()
    }

    fn recycle(&mut self, buffer: Vec<u8>) {
        self.buffers.give(buffer);
    }

    fn submit(&mut self, mut job: Submission) -> Submitted {
        let (place, id) = (job.target, job.id);
        while let Some(key) = self.pools.get_mut(place).and_then(Pool::take_idle) {
            // What has happened to it may be that it has ended.
            let news = self.connections.get(key).is_none_or(Connection::has_news);
            if news && !self.turn_of(key) {
                continue;
            }
            match self.hand_over(key, job) {
                Ok(at) => return Submitted { at, sent: true },
                Err(Back::Expired(at)) => {
                    self.free(key);
                    self.completions.push_back(Completion::NotSent { id, at, why: NotSent::Expired });
                    return Submitted { at, sent: false };
                }
                Err(Back::Closed(back)) => job = back,
            }
        }
        let at = self.clock.mono();
        if let Some(pool) = self.pools.get_mut(place) {
            pool.waiting.push_back((at, job));
        }
        self.open_more(place);
        Submitted { at, sent: false }
    }

    fn cancel(&mut self, id: ExchangeId) {
        let found = self.connections.iter().find(|(_, connection)| connection.carries(id));
        match found.map(|(key, _)| key) {
            Some(key) => self.close(key),
            None => self.pools.iter_mut().for_each(|pool| pool.waiting.retain(|(_, job)| job.id != id)),
        }
    }

    fn turn(&mut self, cx: &mut Context<'_>) {
        self.dialed(cx);
        let collected = self.turns.is_empty();
        if collected {
            self.ready.collect(cx.waker(), &mut self.turns);
            self.turns.reverse();
        }
        for _ in 0..TURNS_MAX {
            let Some(key) = self.turns.pop() else { break };
            self.turn_of(key);
        }
        // What came onto the list since it was collected in another turn has woken nobody who looked at it.
        if !collected || self.has_turns() {
            cx.waker().wake_by_ref();
        }
    }

    fn has_turns(&self) -> bool {
        !self.turns.is_empty()
    }

    fn all_read(&self) -> bool {
        self.turns.is_empty() && self.ready.is_empty()
    }

    fn next(&mut self) -> Option<Completion> {
        self.completions.pop_front()
    }

    fn has_next(&self) -> bool {
        !self.completions.is_empty()
    }

    fn tick(&mut self, now: MonoNs) {
        for place in 0..self.pools.len() {
            while let Some(completion) = self.pools.get_mut(place).and_then(|pool| pool.expire(now)) {
                self.completions.push_back(completion);
            }
            self.open_more(place);
        }
    }

    fn withdraw(&mut self, at: MonoNs) {
        self.stopped = true;
        for (_, job) in self.pools.iter_mut().flat_map(|pool| pool.waiting.drain(..)) {
            let id = job.id;
            self.completions.push_back(Completion::NotSent { id, at, why: NotSent::Stopped });
        }
    }

    fn abort(&mut self) {
        self.closing = true;
        self.dials.abort_all();
        self.connections.clear();
        self.completions.clear();
        self.pools.iter_mut().for_each(|pool| pool.waiting.clear());
    }

    fn opened(&self) -> u64 {
        self.pools.iter().map(|pool| pool.opened).sum()
    }
}
