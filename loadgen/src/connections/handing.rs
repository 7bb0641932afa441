//! Handing requests to connections, and bytes to sockets.

use peakdrill_sockets::Handed;
use peakdrill_timebase::{Clock as _, MonoNs, OsClock};

use super::Connections;
use super::connection::Writing;
use super::pool::Waiting;
use super::talk::Talk;
use crate::answer::Answer;
use crate::driver::{Completion, ExchangeId, NotSent, Passed, Submission};

/// A request that was not handed over.
pub(super) enum Back {
    /// Its token has run out.
    Expired(Submission, MonoNs),
    /// The connection has ended, or has no room: another one may take it.
    Closed(Submission),
}

/// The time, and its Unix second.
pub(super) fn now(clock: OsClock) -> (MonoNs, u64) {
    let at = clock.mono();
    (at, clock.unix_of(at).seconds().max(0).unsigned_abs())
}

impl Connections {
    pub(super) fn close(&mut self, key: usize) {
        self.farewell(key);
        if let Some(connection) = self.connections.try_remove(key) {
            let place = connection.pool;
            match connection.secured {
                Some(_) => self.has_unsecured(),
                None => self.sockets.remove(key),
            }
            if let Some(pool) = self.pools.get_mut(place) {
                if !connection.retired {
                    pool.has_retired();
                }
                pool.has_closed(key, &connection);
            }
            if let Talk::WebSocket(socket) = connection.talk {
                self.owned.let_go(socket);
            }
            self.open_more(place);
        }
    }

    /// One connection in TLS less. Without any, nobody asks for turns any more.
    fn has_unsecured(&mut self) {
        self.secured -= 1;
        if self.secured == 0 {
            self.turns.clear();
            self.ready.clear();
        }
    }

    /// What a talk has to say before its connection is closed: why.
    fn farewell(&mut self, key: usize) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if let Talk::Http2(talk) = &mut connection.talk {
            talk.withhold();
        }
        if connection.talk.has_out() && connection.writing == Writing::Done {
            let bytes = connection.talk.take_out(now(self.clock), self.owned.random(), &mut self.told);
            if !bytes.is_empty() {
                // Of one that has ended nobody hears.
                let _ = self.transmit(key, bytes);
            }
        }
    }

    /// A connection may have room: it takes what has waited longest, or its pool gets to know. One that takes nothing
    /// more makes place for another, and one that is somebody's own takes nobody else's.
    pub(super) fn free(&mut self, key: usize) {
        self.mark(key);
        while !self.is_over(key) {
            let Some(connection) = self.connections.get_mut(key).filter(|known| !known.listed) else {
                return;
            };
            if !connection.has_room() {
                let ends =
                    connection.is_closing() && connection.talk.is_idle() && !connection.talk.is_owned();
                return if ends { self.close(key) } else { self.retire(key) };
            }
            let Some(pool) = self.pools.get_mut(connection.pool) else { return };
            let shared = !pool.is_per_user();
            if !shared && connection.user.is_none() {
                // It was opened for somebody who has not got it yet.
                return;
            }
            let Some(Waiting { since, job, .. }) = pool.waiting.pop_front_if(|_| shared) else {
                connection.listed = true;
                if let Some(before) = pool.put(key, connection.user) {
                    self.leave_behind(before);
                }
                return;
            };
            if !self.serve(key, since, job) {
                return;
            }
        }
    }

    /// Hands over what has waited; whether the connection may take more.
    pub(super) fn serve(&mut self, key: usize, since: MonoNs, job: Submission) -> bool {
        let (id, first) = (job.id, job.returned == 0);
        match self.hand_over(key, job) {
            Ok(at) if first => self.told.completions.push_back(Completion::Sent { id, at }),
            Ok(_) => {}
            Err(Back::Expired(job, at)) => {
                self.told.completions.push_back(job.not_sent(at, NotSent::Expired));
            }
            Err(Back::Closed(job)) => {
                self.put_off(since, job);
                return false;
            }
        }
        true
    }

    /// Notes that a talk has something to send, if it has.
    pub(super) fn mark(&mut self, key: usize) {
        if let Some(connection) = self.connections.get_mut(key).filter(|known| known.talk.has_out())
            && !std::mem::replace(&mut connection.unsent, true)
        {
            self.unsent.push(key);
        }
    }

    /// Lets the pool open another connection in place of one that ends with what is under way on it.
    pub(super) fn retire(&mut self, key: usize) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        // One that is somebody's own counts until it is closed: it stays open for as long as its journey does.
        if connection.retired || !connection.is_closing() || connection.talk.is_owned() {
            return;
        }
        connection.retired = true;
        let place = connection.pool;
        if let Some(pool) = self.pools.get_mut(place) {
            pool.has_retired();
        }
        self.open_more(place);
    }

    /// Hands a request to a connection that has room, and tells when. When that has ended, it is not there any more.
    pub(super) fn hand_over(&mut self, key: usize, job: Submission) -> Result<MonoNs, Back> {
        let Some(connection) = self.connections.get_mut(key) else {
            return Err(Back::Closed(job));
        };
        let (at, now_unix_s) = now(self.clock);
        if job.not_after_unix_s <= now_unix_s {
            return Err(Back::Expired(job, at));
        }
        connection.used = true;
        let answer = Answer::new(self.told.buffers.take(), job.wanted);
        match &mut connection.talk {
            Talk::Http1(talk) => {
                let Submission { id, method, wire, ref opening, .. } = job;
                talk.begin(id, method, answer, opening.clone());
                self.transmit(key, wire).map(|()| at).map_err(|wire| {
                    self.close(key);
                    Back::Closed(Submission { wire, ..job })
                })
            }
            Talk::Http2(talk) => {
                talk.begin(job, answer).map_err(Back::Closed)?;
                if !std::mem::replace(&mut connection.unsent, true) {
                    self.unsent.push(key);
                }
                Ok(at)
            }
            // It is never on a pool's list.
            Talk::WebSocket(_) => Err(Back::Closed(job)),
        }
    }

    /// Hands what talks have to send to their sockets, together for each connection.
    pub(super) fn send_out(&mut self) {
        if self.unsent.is_empty() {
            return;
        }
        let (at, now_unix_s) = now(self.clock);
        while let Some(key) = self.unsent.pop() {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            connection.unsent = false;
            if let Talk::WebSocket(socket) = &mut connection.talk {
                self.owned.meet(key, socket);
            }
            if let Talk::Http2(talk) = &mut connection.talk
                && talk.recall_expired(now_unix_s, at, &mut self.told)
            {
                self.send_back();
            }
            let Some(connection) = self.connections.get_mut(key) else { continue };
            // What is under way goes first; when it is sent, the rest is looked at.
            if connection.writing != Writing::Done || !connection.talk.has_out() {
                continue;
            }
            let bytes = connection.talk.take_out((at, now_unix_s), self.owned.random(), &mut self.told);
            if bytes.is_empty() && connection.talk.is_owned() {
                continue;
            }
            if let Err(bytes) = self.transmit(key, bytes) {
                self.told.buffers.give(bytes);
                if let Some(connection) = self.connections.get_mut(key) {
                    connection.writing = Writing::Failed;
                    connection.talk.not_sent(self.clock.mono(), &mut self.told);
                }
                self.send_back();
                self.retire(key);
            } else if let Some(connection) = self.connections.get_mut(key) {
                connection.talk.handed(connection.writing, self.clock.mono(), &mut self.told);
                if connection.writing == Writing::Done {
                    // A long body goes on, and there may be room again.
                    self.free(key);
                }
            }
        }
    }

    /// Hands bytes to the socket of a connection, or gives them back: then it has ended, and nothing of them was sent.
    fn transmit(&mut self, key: usize, bytes: Vec<u8>) -> Result<(), Vec<u8>> {
        let Some(connection) = self.connections.get_mut(key) else { return Err(bytes) };
        connection.writing = match &mut connection.secured {
            Some(secured) => secured.send(bytes, &mut self.told.buffers),
            None => match self.sockets.send(key, bytes) {
                Handed::Refused(bytes) => return Err(bytes),
                Handed::UnderWay => Writing::UnderWay,
                Handed::Sent(buffer) => {
                    connection.talk.give(buffer, &mut self.told.buffers);
                    Writing::Done
                }
            },
        };
        Ok(())
    }

    /// Whether a connection that was taken off its pool's list has room still.
    pub(super) fn is_ready(&mut self, key: usize) -> bool {
        let Some(connection) = self.connections.get_mut(key) else { return false };
        // What has happened to it may be that it has ended.
        let has_news = connection.secured.as_ref().is_some_and(|secured| secured.has_news());
        if has_news && connection.talk.is_idle() && !self.turn_of(key) {
            return false;
        }
        let Some(connection) = self.connections.get_mut(key) else { return false };
        connection.listed = false;
        connection.has_room()
    }

    /// Sends what came back unprocessed over other connections, before all that waits.
    pub(super) fn send_back(&mut self) {
        while let Some(job) = self.told.back.pop() {
            let (at, place, user) = (self.clock.mono(), job.target, job.id.key);
            // A journey's own connection that did not take it makes place for another.
            if let Some(pool) = self.pools.get_mut(place).filter(|pool| pool.is_per_user())
                && let Some(key) = pool.take(user)
            {
                self.leave_behind(key);
            }
            self.put_off(at, job);
            // One that has room takes it now; else one is opened, or gets room. For a journey one is opened anyway.
            while self.pools.get(place).is_some_and(|pool| !pool.is_per_user() && !pool.waiting.is_empty())
                && let Some(key) = self.pools.get_mut(place).and_then(|pool| pool.take(user))
            {
                if let Some(connection) = self.connections.get_mut(key) {
                    connection.listed = false;
                }
                self.free(key);
            }
        }
    }

    /// A request that nothing of was sent, or that nobody looked at, waits for a connection, before the others.
    fn put_off(&mut self, since: MonoNs, job: Submission) {
        let place = job.target;
        if self.stopped {
            let at = self.clock.mono();
            return self.told.completions.push_back(job.not_sent(at, NotSent::Stopped));
        }
        if let Some(pool) = self.pools.get_mut(place) {
            pool.put_off(since, job);
        }
        self.open_more(place);
    }

    /// Gives up an exchange of a connection, and the connection with it where that carries no other.
    /// One that belongs to a journey goes on; what was passed over for the exchange.
    pub(super) fn give_up(&mut self, key: usize, id: ExchangeId) -> Passed {
        let Some(connection) = self.connections.get_mut(key) else { return Passed::default() };
        match &mut connection.talk {
            Talk::WebSocket(talk) => return talk.cancel(),
            Talk::Http1(_) => self.close(key),
            Talk::Http2(talk) => {
                talk.cancel(id, &mut self.told.buffers);
                // A journey may be over with that, and its connection is not to outlive it.
                if connection.user.is_some() { self.close(key) } else { self.free(key) }
            }
        }
        Passed::default()
    }
}
