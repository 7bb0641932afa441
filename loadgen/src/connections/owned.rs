//! Connections that belong to a journey, found by their owner.

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_timebase::{Clock as _, MonoNs, NS_PER_MS};
use rand::Rng as _;

use super::Connections;
use super::connection::{Connection, Writing};
use super::talk::Talk;
use super::websocket::WebSocket;
use crate::answer::Answer;
use crate::driver::{Completion, ExchangeId, NotSent, Owner, Submitted};
use crate::extract::Fault;
use crate::message::Message;

/// How long a peer may take to close after leave was taken of it, in milliseconds.
pub const WS_LEAVE_MAX_MS: u64 = 1_000;

/// Where a connection that belongs to a journey is.
pub(super) enum Held {
    /// The key of its connection.
    Open(usize),
    /// It has ended; what was heard before may still be asked for.
    Over(Box<WebSocket>),
}

impl Connections {
    /// A message goes out, or is waited for.
    pub(super) fn say_over(&mut self, message: Message) -> Submitted {
        let at = self.clock.mono();
        let now = (at, self.clock.unix_of(at).seconds().max(0).unsigned_abs());
        let (owner, id) = (message.owner, message.id);
        let (answer, mask) =
            (Answer::new(self.buffers.take(), message.keep_body), self.random.next_u32().to_ne_bytes());
        let told = &mut self.completions;
        let key = match self.owned.get_mut(&owner) {
            Some(Held::Open(key)) => *key,
            Some(Held::Over(socket)) => {
                socket.say(message, answer, now, mask, told);
                return Submitted { at, sent: false };
            }
            None => usize::MAX,
        };
        match self.connections.get_mut(key).map(|connection| &mut connection.talk) {
            Some(Talk::WebSocket(socket)) => {
                socket.say(message, answer, now, mask, told);
                self.serve(key);
            }
            // Nobody asks for a connection that was not opened.
            _ => told.push_back(Completion::NotSent { id, at, why: NotSent::NoConnection }),
        }
        Submitted { at, sent: false }
    }

    /// A WebSocket has something to write, or is new.
    pub(super) fn serve(&mut self, key: usize) {
        let Some(Connection { talk: Talk::WebSocket(socket), writing, .. }) = self.connections.get_mut(key)
        else {
            return;
        };
        if !socket.known {
            socket.known = true;
            self.owned.insert(socket.owner(), Held::Open(key));
        }
        if *writing == Writing::UnderWay || !socket.waits_to_write() {
            return;
        }
        let mut out = self.buffers.take();
        let random = &mut self.random;
        let sent = socket.write(&mut out, || random.next_u32().to_ne_bytes());
        let is_over = socket.is_over();
        let at = self.clock.mono();
        if let Err(out) = self.transmit(key, out) {
            self.buffers.give(out);
            return self.broken(key, sent, at);
        }
        if let Some((id, answer)) = sent {
            self.completions.push_back(Completion::Sent { id, at });
            let done = answer.map(|answer| Completion::Done { id, at, result: Ok(answer) });
            self.completions.extend(done);
        }
        // What was written last has answered the peer's close frame.
        if is_over {
            self.close(key);
        }
    }

    /// The peer takes nothing any more: the connection ends, and so does what was to be written.
    fn broken(&mut self, key: usize, unsent: Option<(ExchangeId, Option<Answer>)>, at: MonoNs) {
        let detail = "the connection had ended before the message was sent".to_owned();
        if let Some((id, Some(_))) = unsent {
            let result = Err(Fault { class: ErrorClass::Closed, detail });
            self.completions.push_back(Completion::Done { id, at, result });
        }
        if let Some(connection) = self.connections.get_mut(key) {
            let _ = connection.talk.ended(None, at, &mut self.completions);
        }
        self.close(key);
    }

    /// Leave is taken of the peer of a connection.
    pub(super) fn leave_one(&mut self, owner: Owner) {
        let Some(Held::Open(key)) = self.owned.remove(&owner) else { return };
        let Some(Connection { talk: Talk::WebSocket(socket), .. }) = self.connections.get_mut(key) else {
            return;
        };
        socket.leave();
        let limit = self.clock.mono().plus(WS_LEAVE_MAX_MS * NS_PER_MS);
        self.leaving.push_back((limit, key, owner));
        self.leavers += 1;
        self.serve(key);
    }

    /// Closes the connections whose peers took too long to do so.
    pub(super) fn end_leaves(&mut self, now: MonoNs) {
        while let Some((_, key, owner)) = self.leaving.pop_front_if(|(limit, ..)| *limit <= now) {
            let talk = self.connections.get(key).map(|connection| &connection.talk);
            if matches!(talk, Some(Talk::WebSocket(socket)) if socket.is_leaving() && socket.owner() == owner)
            {
                self.close(key);
            }
        }
    }

    /// A WebSocket has no connection any more.
    pub(super) fn let_go(&mut self, socket: Box<WebSocket>) {
        if socket.is_leaving() {
            self.leavers -= 1;
        } else {
            self.owned.insert(socket.owner(), Held::Over(socket));
        }
    }
}
