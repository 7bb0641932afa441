//! Connections that belong to a journey, found by their owner.

use std::collections::VecDeque;

use peakdrill_drill_model::plan::WS_PER_JOURNEY_MAX;
use peakdrill_timebase::{Clock as _, MonoNs, NS_PER_MS};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use rustc_hash::FxHashMap;

use super::Connections;
use super::connection::Connection;
use super::handing::now;
use super::talk::Talk;
use super::websocket::WebSocket;
use crate::answer::{Answer, Wanted};
use crate::driver::{Completion, NotSent, Owner, Submitted};
use crate::engine::os_random;
use crate::error::StartError;
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

    /// What masks are drawn from.
    pub(super) fn random(&mut self) -> &mut ChaCha8Rng {
        &mut self.random
    }

    /// A WebSocket can be found by its owner from now on.
    pub(super) fn meet(&mut self, key: usize, socket: &mut WebSocket) {
        if !std::mem::replace(&mut socket.known, true) {
            self.held.insert(socket.owner(), Held::Open(key));
        }
    }

    /// A WebSocket has no connection any more.
    pub(super) fn let_go(&mut self, socket: Box<WebSocket>) {
        if socket.is_leaving() {
            self.leavers -= 1;
        } else {
            self.held.insert(socket.owner(), Held::Over(socket));
        }
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
        if !self.owned.held.contains_key(&message.owner) {
            // One that was opened just now becomes known by that.
            self.send_out();
        }
        let now = now(self.clock);
        let at = now.0;
        let (owner, id) = (message.owner, message.id);
        let answer = Answer::new(self.told.buffers.take(), Wanted { body: message.keep_body, frames: false });
        let mask = self.owned.random.next_u32().to_ne_bytes();
        let told = &mut self.told.completions;
        match self.owned.held.get_mut(&owner) {
            Some(Held::Over(socket)) => socket.say(message, answer, now, mask, told),
            Some(Held::Open(key)) => {
                let key = *key;
                if let Some(Connection { talk: Talk::WebSocket(socket), .. }) = self.connections.get_mut(key)
                {
                    socket.say(message, answer, now, mask, told);
                }
                self.mark(key);
            }
            // Nobody asks for a connection that was not opened.
            None => told.push_back(Completion::NotSent { id, at, why: NotSent::NoConnection }),
        }
        Submitted { at, sent: false }
    }

    /// A journey is over: leave is taken of the peers of its connections, the set bits.
    pub(super) fn leave_all(&mut self, key: u32, birth: u32, connections: u8) {
        // Those that were opened just now become known by that.
        let set = (0..WS_PER_JOURNEY_MAX).filter(|bit| connections >> bit & 1 == 1);
        self.send_out();
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
        self.mark(key);
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
}
