//! Connections that belong to a journey, found by their owner.

use std::collections::VecDeque;

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::WS_PER_JOURNEY_MAX;
use peakdrill_timebase::{Clock as _, MonoNs, NS_PER_MS};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use rustc_hash::FxHashMap;

use super::Connections;
use super::connection::{Connection, Writing};
use super::talk::Talk;
use super::websocket::WebSocket;
use crate::answer::Answer;
use crate::driver::{Completion, ExchangeId, NotSent, Owner, Submitted};
use crate::engine::os_random;
use crate::error::StartError;
use crate::extract::Fault;
use crate::message::Message;

/// How long a peer may take to close after leave was taken of it, in milliseconds.
pub const WS_LEAVE_MAX_MS: u64 = 1_000;

/// The connections of a shard that belong to journeys.
pub(super) struct Owned {
    /// At most as many for each session as a plan lets a journey have.
    held: FxHashMap<Owner, Held>,
    /// Those whose peers are to close, and until when, in order; some of them may have closed.
    leaving: VecDeque<(MonoNs, usize, Owner)>,
    /// How many of these have not closed yet.
    leavers: usize,
    /// Seeded by the system: masks must not be foretold.
    random: ChaCha8Rng,
}

/// Where a connection that belongs to a journey is.
enum Held {
    /// The key of its connection.
    Open(usize),
    /// It has ended; what was heard before may still be asked for.
    Over(Box<WebSocket>),
}

impl Owned {
    pub(super) fn new() -> Result<Self, StartError> {
        let (held, leaving) = (FxHashMap::default(), VecDeque::new());
        Ok(Self { held, leaving, leavers: 0, random: os_random()? })
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leavers > 0
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        self.held.clear();
        self.leaving.clear();
        self.leavers = 0;
    }
}

impl Connections {
    /// A message goes out, or is waited for.
    pub(super) fn say_over(&mut self, message: Message) -> Submitted {
        let at = self.clock.mono();
        let now = (at, self.clock.unix_of(at).seconds().max(0).unsigned_abs());
        let (owner, id) = (message.owner, message.id);
        let (answer, mask) =
            (Answer::new(self.buffers.take(), message.keep_body), self.owned.random.next_u32().to_ne_bytes());
        let told = &mut self.completions;
        let key = match self.owned.held.get_mut(&owner) {
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
                self.write_out(key);
            }
            // Nobody asks for a connection that was not opened.
            _ => told.push_back(Completion::NotSent { id, at, why: NotSent::NoConnection }),
        }
        Submitted { at, sent: false }
    }

    /// A WebSocket has something to write, or is new.
    pub(super) fn write_out(&mut self, key: usize) {
        let Some(Connection { talk: Talk::WebSocket(socket), writing, .. }) = self.connections.get_mut(key)
        else {
            return;
        };
        if !socket.known {
            socket.known = true;
            self.owned.held.insert(socket.owner(), Held::Open(key));
        }
        if *writing == Writing::UnderWay || !socket.waits_to_write() {
            return;
        }
        let mut out = self.buffers.take();
        let random = &mut self.owned.random;
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

    /// A journey is over: leave is taken of the peers of its connections, the set bits.
    pub(super) fn leave_all(&mut self, key: u32, birth: u32, connections: u8) {
        let set = (0..WS_PER_JOURNEY_MAX).filter(|bit| connections >> bit & 1 == 1);
        set.for_each(|connection| self.leave_one(Owner { key, birth, connection }));
    }

    /// Leave is taken of the peer of a connection.
    fn leave_one(&mut self, owner: Owner) {
        let Some(Held::Open(key)) = self.owned.held.remove(&owner) else { return };
        let Some(Connection { talk: Talk::WebSocket(socket), .. }) = self.connections.get_mut(key) else {
            return;
        };
        socket.leave();
        let limit = self.clock.mono().plus(WS_LEAVE_MAX_MS * NS_PER_MS);
        self.owned.leaving.push_back((limit, key, owner));
        self.owned.leavers += 1;
        self.write_out(key);
    }

    /// Closes the connections whose peers took too long to do so.
    pub(super) fn end_leaves(&mut self, now: MonoNs) {
        while let Some((_, key, owner)) = self.owned.leaving.pop_front_if(|(limit, ..)| *limit <= now) {
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
            self.owned.leavers -= 1;
        } else {
            self.owned.held.insert(socket.owner(), Held::Over(socket));
        }
    }
}
