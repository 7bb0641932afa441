//! The connections of a shard: a pool per target, all moved by the shard itself, each with a talk in its protocol.
//!
//! A request is handed to one connection. It is never sent again once a byte of it went out: a connection that breaks
//! before the answer is complete is an error of its own class.

mod connection;
mod greeting;
mod handing;
mod http1;
mod http2;
mod owned;
mod per_user;
mod pool;
mod preopen;
mod ready;
mod renew;
mod secured;
mod talk;
mod websocket;

use std::collections::HashMap;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_sockets::{Event, Sockets};
use peakdrill_timebase::{Clock as _, MonoNs, OsClock};
use slab::Slab;
use tokio::io::unix::AsyncFd;
use tokio::task::{Id, JoinSet};

use crate::alarm::register;
use crate::dial::{Dialed, Stream};
use crate::driver::{Completion, Driver, ExchangeId, NotSent, Passed, Submission, Submitted};
use crate::error::StartError;
use crate::extract::Fault;
use crate::message::Message;
use connection::{Connection, Life, Writing};
use greeting::open;
use handing::Back;
use owned::Owned;
pub use owned::WS_LEAVE_MAX_MS;
pub(crate) use pool::PoolConfig;
pub use pool::{CONNECTING_MAX, CONNECTING_USERS_MAX};
use pool::{Errand, Pool, Waiting};
use ready::Ready;
pub(crate) use renew::Lifetime;
use secured::Secured;
use talk::{Talk, Told, Turn};
pub use websocket::{
    WS_KEPT_MAX, WS_KEPT_MAX_BYTES, WS_MESSAGE_MAX_BYTES, WS_PASSED_MAX, WS_PASSED_MAX_BYTES,
};

/// Most that is read at once from a connection in TLS, in bytes. One piece of memory serves all of them.
const ROOM_BYTES: usize = 64 * 1024;
/// Things that happen to sockets in one wait from which on there are many: a burst. No more than patience waits for.
const MANY: usize = 32;
/// Connections that get their turn before the shard looks at the clock again.
const TURNS_MAX: usize = 256;
/// Waits for sockets that may fail in a row before it is given up.
const FAILED_WAITS_MAX: u32 = 100;

/// All connections of a shard.
pub(crate) struct Connections {
    clock: OsClock,
    pools: Vec<Pool>,
    connections: Slab<Connection>,
    /// The connections in the clear, under their keys.
    sockets: Sockets,
    /// Tells the runtime that sockets have something to do, while it has other things to do as well.
    watch: AsyncFd<OwnedFd>,
    /// Sockets that have to be closed, or got free, while they were told of.
    over: Vec<usize>,
    freed: Vec<usize>,
    /// All that was known to be there was read.
    drained: bool,
    /// The runtime is told of what happens to sockets.
    watched: bool,
    /// Things that happened to sockets, told of by the last wait.
    moved: usize,
    /// Waits for sockets that failed in a row, and why the last one did.
    failed_waits: u32,
    failure: Option<String>,
    /// Connections in TLS.
    secured: usize,
    ready: Arc<Ready>,
    /// Connections in TLS whose turn it is, last first.
    turns: Vec<usize>,
    room: Box<[u8]>,
    dials: JoinSet<Result<(Dialed, Talk), Fault>>,
    /// The pools that these are for, and what they are opened for.
    dialing: HashMap<Id, (usize, Errand)>,
    /// What talks tell.
    told: Told,
    /// Connections whose talks have something to send.
    unsent: Vec<usize>,
    /// Those that belong to journeys.
    owned: Owned,
    /// Nothing that waits is to be sent any more.
    stopped: bool,
    closing: bool,
}

impl Connections {
    /// Must be used inside of a runtime.
    pub(crate) fn new(pools: Vec<PoolConfig>, sockets: Sockets, clock: OsClock) -> Result<Self, StartError> {
        let watch = sockets.as_fd().try_clone_to_owned().and_then(register);
        Ok(Self {
            clock,
            pools: pools.into_iter().map(Pool::new).collect(),
            connections: Slab::new(),
            sockets,
            watch: watch.map_err(StartError::os("watching sockets"))?,
            over: Vec::new(),
            freed: Vec::new(),
            drained: true,
            watched: false,
            moved: 0,
            failed_waits: 0,
            failure: None,
            secured: 0,
            ready: Arc::default(),
            turns: Vec::new(),
            room: vec![0; ROOM_BYTES].into_boxed_slice(),
            dials: JoinSet::new(),
            dialing: HashMap::new(),
            told: Told::default(),
            unsent: Vec::new(),
            owned: Owned::new()?,
            stopped: false,
            closing: false,
        })
    }

    /// Starts opening connections for what waits, or to have exactly as many as wanted.
    fn open_more(&mut self, place: usize) {
        let now = self.clock.mono();
        while !self.closing
            && let Some(pool) = self.pools.get_mut(place)
            && let Some(errand) = pool.wants_another(now)
        {
            let (dialer, protocol) = (Arc::clone(&pool.dialer), pool.protocol);
            let dial = self.dials.spawn(async move { open(&dialer, protocol).await });
            self.dialing.insert(dial.id(), (place, errand));
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
            let Some((place, errand)) = self.dialing.remove(&id) else { continue };
            let Some(pool) = self.pools.get_mut(place) else { continue };
            match result {
                Ok((dialed, talk)) => {
                    pool.has_opened();
                    self.add((place, errand), dialed, talk);
                }
                Err(fault) => pool.has_failed(errand, &fault, self.clock.mono(), &mut self.told.completions),
            }
            self.open_more(place);
        }
    }

    fn add(&mut self, (place, errand): (usize, Errand), Dialed { stream, peer }: Dialed, talk: Talk) {
        let (entry, opened_at) = (self.connections.vacant_entry(), self.clock.mono());
        let Some(pool) = self.pools.get(place) else { return };
        let life = Life { opened_at, until: pool.renewal.until(pool.opened, opened_at), peer };
        let key = entry.key();
        let open = match stream {
            Stream::Tls(stream) => {
                let secured = Secured::new(*stream, self.ready.bell(key));
                entry.insert(Connection::new(place, talk, Some(Box::new(secured)), life));
                self.secured += 1;
                // Its first turn makes it watched.
                self.turn_of(key)
            }
            Stream::Plain(stream) => {
                entry.insert(Connection::new(place, talk, None, life));
                let added = stream.into_std().and_then(|socket| self.sockets.add(key, socket)).is_ok();
                if !added {
                    self.close(key);
                }
                added
            }
        };
        if open { self.employ(key, errand) } else { self.lost(place, errand) }
    }

    /// The turn of one connection in TLS; whether it is still there.
    fn turn_of(&mut self, key: usize) -> bool {
        let Some(connection) = self.connections.get_mut(key) else {
            return false;
        };
        let Connection { talk, writing, secured: Some(secured), .. } = connection else {
            return true;
        };
        let turn = secured.turn(talk, writing, &mut self.room, &mut self.told, self.clock);
        self.turned(key, turn);
        turn.open
    }

    /// After a turn of a connection: it is closed, or may have room.
    fn turned(&mut self, key: usize, turn: Turn) {
        self.send_back();
        if !turn.open {
            self.close(key);
        } else if turn.freed {
            self.free(key);
        }
    }

    /// Waits for sockets, and takes in what happened to them; whether anything did.
    fn move_sockets(&mut self, limit: Duration, patience: Duration) -> bool {
        if let Err(error) = self.sockets.wait(limit, patience) {
            self.cannot_wait(&error);
            return false;
        }
        self.failed_waits = 0;
        let Self { clock, sockets, connections, told, over, freed, .. } = self;
        let waited = sockets.received_before().then(|| clock.mono());
        let mut moved = 0;
        self.drained = sockets.drain(|key, event| {
            moved += 1;
            let Some(Connection { talk, writing, .. }) = connections.get_mut(key) else { return };
            let at = || waited.unwrap_or_else(|| clock.mono());
            let turn = match event {
                Event::Received(bytes) => talk.received(bytes, at(), *writing, told),
                Event::Ended(broken) => talk.ended(broken.as_ref(), at(), told),
                Event::Sent(buffer) => {
                    *writing = Writing::Done;
                    talk.give(buffer, &mut told.buffers);
                    Turn { freed: talk.is_shared() || talk.has_out(), open: true }
                }
                Event::NotSent(buffer) => {
                    *writing = Writing::Failed;
                    told.buffers.give(buffer);
                    Turn { freed: talk.is_shared(), open: true }
                }
            };
            if !turn.open {
                over.push(key);
            } else if turn.freed {
                freed.push(key);
            }
        });
        self.send_back();
        while let Some(key) = self.over.pop() {
            self.close(key);
        }
        while let Some(key) = self.freed.pop() {
            self.free(key);
        }
        self.moved = moved;
        moved > 0
    }

    fn cannot_wait(&mut self, error: &std::io::Error) {
        (self.drained, self.moved) = (false, 0);
        self.failed_waits += 1;
        if self.failed_waits >= FAILED_WAITS_MAX {
            self.failure = Some(format!("waiting for sockets fails again and again: {error}"));
        }
    }

    /// Whether the runtime is to be told of what happens to sockets.
    fn watch(&mut self, watched: bool) {
        if self.watched != watched {
            self.watched = watched;
            self.sockets.watch(watched);
        }
    }

    /// The same inside of the runtime, whose own sockets have something to do as well.
    fn turn_sockets(&mut self, cx: &mut Context<'_>) {
        self.watch(true);
        // Until it is pending: only then this task is woken by the next thing that happens.
        while let Poll::Ready(Ok(mut guard)) = self.watch.poll_read_ready(cx) {
            guard.clear_ready();
        }
        // There may be more, of which nothing tells again.
        if self.move_sockets(Duration::ZERO, Duration::ZERO) || !self.drained {
            cx.waker().wake_by_ref();
        }
    }
}

impl Driver for Connections {
    fn buffer(&mut self) -> Vec<u8> {
        self.told.buffers.take()
    }

    fn recycle(&mut self, buffer: Vec<u8>) {
        self.told.buffers.give(buffer);
    }

    fn submit(&mut self, mut job: Submission) -> Submitted {
        let (place, user) = (job.target, job.id.key);
        while let Some(key) = self.pools.get_mut(place).and_then(|pool| pool.take(user)) {
            if !self.is_ready(key) {
                self.free(key);
                continue;
            }
            let result = self.hand_over(key, job);
            match result {
                Ok(at) => {
                    if self.connections.get(key).is_some_and(Connection::has_room) {
                        self.free(key);
                    }
                    return Submitted { at, sent: true };
                }
                Err(Back::Expired(job, at)) => {
                    self.free(key);
                    self.told.completions.push_back(job.not_sent(at, NotSent::Expired));
                    return Submitted { at, sent: false };
                }
                Err(Back::Closed(back)) => job = back,
            }
        }
        let at = self.clock.mono();
        if let Some(pool) = self.pools.get_mut(place) {
            pool.waiting.push_back(Waiting::new(at, job));
        }
        self.open_more(place);
        Submitted { at, sent: false }
    }

    fn cancel(&mut self, id: ExchangeId) -> Passed {
        let found = self.connections.iter().find(|(_, connection)| connection.talk.carries(id));
        match found.map(|(key, _)| key) {
            Some(key) => self.give_up(key, id),
            None => {
                self.pools.iter_mut().for_each(|pool| pool.waiting.retain(|waiting| waiting.job.id != id));
                Passed::default()
            }
        }
    }

    fn say(&mut self, message: Message) -> Submitted {
        self.say_over(message)
    }

    fn leave(&mut self, key: u32, birth: u32, sockets: u8) {
        self.close_own(key);
        if sockets != 0 {
            self.leave_all(key, birth, sockets);
        }
    }

    fn is_leaving(&self) -> bool {
        self.owned.is_leaving()
    }

    fn is_alone(&self) -> bool {
        self.secured == 0 && self.dials.is_empty()
    }

    fn flush(&mut self) {
        self.send_out();
        self.sockets.flush();
    }

    fn failure(&self) -> Option<String> {
        self.failure.clone()
    }

    fn wait(&mut self, limit_ns: u64, patience_ns: u64) {
        self.watch(false);
        self.send_out();
        self.move_sockets(Duration::from_nanos(limit_ns), Duration::from_nanos(patience_ns));
    }

    fn turn(&mut self, cx: &mut Context<'_>) {
        self.dialed(cx);
        self.send_out();
        self.turn_sockets(cx);
        let collected = self.turns.is_empty();
        if collected {
            self.ready.collect(cx.waker(), &mut self.turns);
            self.turns.reverse();
        }
        for _ in 0..TURNS_MAX {
            let Some(key) = self.turns.pop() else { break };
            self.turn_of(key);
        }
        self.send_out();
        // What came onto the list since it was collected in another turn has woken nobody who looked at it.
        if !collected || !self.turns.is_empty() {
            cx.waker().wake_by_ref();
        }
    }

    fn has_turns(&self) -> bool {
        !self.turns.is_empty() || !self.drained
    }

    fn moved_many(&self) -> bool {
        self.moved >= MANY
    }

    fn all_read(&self) -> bool {
        self.drained && self.turns.is_empty() && self.ready.is_empty()
    }

    fn next(&mut self) -> Option<Completion> {
        self.told.completions.pop_front()
    }

    fn has_next(&self) -> bool {
        !self.told.completions.is_empty()
    }

    fn tick(&mut self, now: MonoNs) {
        for place in 0..self.pools.len() {
            while let Some(completion) = self.pools.get_mut(place).and_then(|pool| pool.expire(now)) {
                self.told.completions.push_back(completion);
            }
            self.renew(place, now);
            self.open_more(place);
        }
        self.end_leaves(now);
    }

    fn withdraw(&mut self, at: MonoNs) {
        self.stopped = true;
        for waiting in self.pools.iter_mut().flat_map(|pool| pool.waiting.drain(..)) {
            self.told.completions.push_back(waiting.job.not_sent(at, NotSent::Stopped));
        }
        for (_, Connection { talk, .. }) in &mut self.connections {
            if let Talk::WebSocket(socket) = talk {
                socket.withdraw(at, &mut self.told.completions);
            }
        }
    }

    fn abort(&mut self) {
        self.closing = true;
        self.dials.abort_all();
        self.unsent.clear();
        self.connections.clear();
        self.owned.clear();
        self.sockets.clear();
        self.secured = 0;
        self.told.completions.clear();
        self.pools.iter_mut().for_each(|pool| pool.waiting.clear());
    }

    fn opened(&self) -> u64 {
        self.pools.iter().map(|pool| pool.opened).sum()
    }
}
