//! Requests handed to connections: when one has room, when it has ended, when it is closed.

use peakdrill_sockets::Handed;
use peakdrill_timebase::{Clock as _, MonoNs};

use super::Connections;
use super::connection::Writing;
use super::pool::Waiting;
use super::talk::Talk;
use crate::answer::Answer;
use crate::driver::{Completion, NotSent, Submission};

impl Connections {
    pub(super) fn close(&mut self, key: usize) {
        if let Some(connection) = self.connections.try_remove(key) {
            match connection.secured {
                Some(_) => self.secured -= 1,
                None => self.sockets.remove(key),
            }
            if let Some(pool) = self.pools.get_mut(connection.pool) {
                pool.has_closed(key, &connection);
            }
            self.open_more(connection.pool);
        }
    }

    /// A connection may have room: it takes what has waited longest, or its pool gets to know. One that is somebody's
    /// own takes nobody else's.
    pub(super) fn free(&mut self, key: usize) {
        while !self.is_over(key) {
            let Some(connection) = self.connections.get_mut(key).filter(|known| !known.listed) else {
                return;
            };
            let place = connection.pool;
            let Some(pool) = self.pools.get_mut(place).filter(|_| connection.talk.has_room()) else { return };
            let shared = !pool.is_per_user();
            let Some(Waiting { since, job, .. }) = pool.waiting.pop_front_if(|_| shared) else {
                connection.listed = true;
                return pool.put(key, connection.user);
            };
            if !self.serve(key, since, job) {
                return;
            }
        }
    }

    /// Hands over what has waited; whether the connection is still there.
    pub(super) fn serve(&mut self, key: usize, since: MonoNs, job: Submission) -> bool {
        let id = job.id;
        match self.hand_over(key, job) {
            Ok(at) => self.completions.push_back(Completion::Sent { id, at }),
            Err(Back::Expired(at)) => {
                self.completions.push_back(Completion::NotSent { id, at, why: NotSent::Expired });
            }
            Err(Back::Closed(job)) => {
                self.put_off(since, job);
                return false;
            }
        }
        true
    }

    /// Hands a request to a connection that has room, and tells when. When that has ended, it is not there any more.
    pub(super) fn hand_over(&mut self, key: usize, job: Submission) -> Result<MonoNs, Back> {
        let Some(connection) = self.connections.get_mut(key) else {
            return Err(Back::Closed(job));
        };
        let at = self.clock.mono();
        if job.not_after_unix_s <= self.clock.unix_of(at).seconds().max(0).unsigned_abs() {
            return Err(Back::Expired(at));
        }
        let Submission { id, method, keep_body, wire, .. } = job;
        match &mut connection.talk {
            Talk::Http1(talk) => talk.begin(id, method, Answer::new(self.buffers.take(), keep_body)),
        }
        connection.used = true;
        self.transmit(key, wire).map(|()| at).map_err(|wire| {
            self.close(key);
            Back::Closed(Submission { wire, ..job })
        })
    }

    /// Hands bytes to the socket of a connection, or gives them back: then it has ended, and nothing of them was sent.
    pub(super) fn transmit(&mut self, key: usize, bytes: Vec<u8>) -> Result<(), Vec<u8>> {
        let Some(connection) = self.connections.get_mut(key) else { return Err(bytes) };
        connection.writing = match &mut connection.secured {
            Some(secured) => secured.send(bytes, &mut self.buffers),
            None => match self.sockets.send(key, bytes) {
                Handed::Refused(bytes) => return Err(bytes),
                Handed::UnderWay => Writing::UnderWay,
                Handed::Sent(buffer) => {
                    self.buffers.give(buffer);
                    Writing::Done
                }
            },
        };
        Ok(())
    }

    /// Whether a connection that was taken off its pool's list has room still.
    pub(super) fn is_ready(&mut self, key: usize) -> bool {
        let Some(connection) = self.connections.get_mut(key) else { return false };
        connection.listed = false;
        // What has happened to it may be that it has ended.
        let has_news = connection.secured.as_ref().is_some_and(|secured| secured.has_news());
        !(has_news && connection.talk.is_idle()) || self.turn_of(key)
    }

    /// A request that nothing of was sent waits for another connection, before the others.
    pub(super) fn put_off(&mut self, since: MonoNs, job: Submission) {
        let (place, id) = (job.target, job.id);
        if self.stopped {
            let (at, why) = (self.clock.mono(), NotSent::Stopped);
            return self.completions.push_back(Completion::NotSent { id, at, why });
        }
        if let Some(pool) = self.pools.get_mut(place) {
            pool.put_off(since, job);
        }
        self.open_more(place);
    }
}

/// A request that was not sent.
pub(super) enum Back {
    /// Its token has run out.
    Expired(MonoNs),
    /// The connection has ended: another one may take it.
    Closed(Submission),
}
