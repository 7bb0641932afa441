//! What the engine knows of a protocol: requests go in, completions with their times come out.

use std::task::Context;

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_timebase::MonoNs;
use peakdrill_wire_http1::Method;

use crate::answer::{Answer, Wanted};
use crate::extract::Fault;
use crate::message::Message;

/// Names one exchange of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExchangeId {
    /// Place of its session.
    pub(crate) key: u32,
    /// Tells it from the others of that place.
    pub(crate) seq: u32,
}

/// A request to be sent as soon as there is a connection for it.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) id: ExchangeId,
    pub(crate) target: usize,
    /// The request as it goes out: its head in the form of the target's protocol, and its body.
    pub(crate) wire: Vec<u8>,
    /// Where the body begins.
    pub(crate) head_bytes: usize,
    pub(crate) method: Method,
    pub(crate) wanted: Wanted,
    /// The Unix second from which it must not be sent any more.
    pub(crate) not_after_unix_s: u64,
    /// It asks for a connection of its journey's own.
    pub(crate) opening: Option<Box<Opening>>,
    /// How often it was handed over and came back unprocessed. That it was handed over is told once.
    pub(crate) returned: u8,
}

impl Submission {
    /// What is told of a request that is given up. One of which it was told that it was handed over has failed.
    pub(crate) fn not_sent(&self, at: MonoNs, why: NotSent) -> Completion {
        let id = self.id;
        if self.returned == 0 {
            return Completion::NotSent { id, at, why };
        }
        let (class, because) = match why {
            NotSent::NoConnection => (ErrorClass::ConnectTimeout, "no other connection was free in time"),
            NotSent::Expired => {
                (ErrorClass::Cancelled, "its token ran out before another connection took it")
            }
            NotSent::Stopped => {
                (ErrorClass::Cancelled, "the load was stopped before another connection took it")
            }
        };
        let detail = format!("the peer did not look at it, and {because}");
        Completion::Done { id, at, result: Err(Fault { class, detail }) }
    }
}

/// Names a connection that belongs to a journey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    /// Place of its session.
    pub(crate) key: u32,
    /// Tells it from others that had the same place.
    pub(crate) birth: u32,
    /// Which one of the session's.
    pub(crate) connection: u8,
}

/// What is asked for by a request that makes a connection its journey's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opening {
    pub(crate) owner: Owner,
    /// What the answer must prove itself by.
    pub(crate) accept: String,
    /// The subprotocols that are offered, of which it must take one; it may not take any when there are none.
    pub(crate) offered: Vec<String>,
    /// The Unix second from which nothing may be sent over it.
    pub(crate) not_after_unix_s: u64,
    /// How many of the bytes received last belonged to the answer that grants it; 0: it is not granted.
    pub(crate) granted: usize,
    /// Whether some step only waits: what comes while no step does is kept for it.
    pub(crate) keeps: bool,
}

/// Messages that were not the answer of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Passed {
    /// That came before it, since the step before on the same connection.
    pub(crate) over: u32,
    /// That no step can see any more: there were more than are kept.
    pub(crate) dropped: u32,
}

/// When a request was submitted, and whether it was handed to a connection then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Submitted {
    pub(crate) at: MonoNs,
    pub(crate) sent: bool,
}

/// Why a request was never sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotSent {
    /// All connections were busy for as long as opening one may take.
    NoConnection,
    /// Its token ran out while it waited.
    Expired,
    /// The load was stopped while it waited.
    Stopped,
}

/// What became of a submission. `Done` may come without `Sent`: then no connection could be opened.
#[derive(Debug)]
pub(crate) enum Completion {
    /// Handed over to a connection.
    Sent { id: ExchangeId, at: MonoNs },
    /// Answered in full, or failed.
    Done { id: ExchangeId, at: MonoNs, result: Result<Answer, Fault> },
    /// Messages were passed over: comes before `Done`.
    Passed { id: ExchangeId, passed: Passed },
    /// Given up.
    NotSent { id: ExchangeId, at: MonoNs, why: NotSent },
}

/// A protocol. Nothing blocks.
pub(crate) trait Driver {
    /// An empty buffer for a request.
    fn buffer(&mut self) -> Vec<u8>;
    /// Takes a buffer back.
    fn recycle(&mut self, buffer: Vec<u8>);
    /// Takes a request. When it was handed to a connection at once, no `Sent` comes. Other completions come later.
    fn submit(&mut self, submission: Submission) -> Submitted;
    /// Gives up an exchange, and the connection it is on if that carries one at a time and belongs to nobody; no completion
    /// of it comes any more but one that is there. Tells what it had passed over.
    fn cancel(&mut self, id: ExchangeId) -> Passed;
    /// Sends a message over a connection of its journey's own, or waits for one. Completions come as for a request.
    fn say(&mut self, message: Message) -> Submitted;
    /// The journey of the session at this place is over: connections that were its own are closed, and leave is taken of
    /// the peers of its WebSockets, the set bits of `sockets`.
    fn leave(&mut self, key: u32, birth: u32, sockets: u8);
    /// Whether peers that leave was taken of have not closed yet. It does not last.
    fn is_leaving(&self) -> bool;
    /// Whether nothing of it needs the runtime now: then it is waited for by [`Self::wait`], else by [`Self::turn`] in a
    /// task.
    fn is_alone(&self) -> bool;
    /// Sends what was handed over and is kept back to leave together, without waiting. Waiting does that too.
    fn flush(&mut self);
    /// What keeps it from going on for good, if anything does.
    fn failure(&self) -> Option<String>;
    /// Waits until something can be moved, at most so many nanoseconds, and moves it, up to a limit. With some patience,
    /// in nanoseconds, it may wait for that long for more of it.
    fn wait(&mut self, limit_ns: u64, patience_ns: u64);
    /// Moves what can be moved, up to a limit, without waiting. The task is woken when there is more.
    fn turn(&mut self, cx: &mut Context<'_>);
    /// Whether the last turn, or wait, left something that could be moved.
    fn has_turns(&self) -> bool;
    /// Whether so much was moved in the last turn, or wait, that more of the kind has probably come meanwhile.
    fn moved_many(&self) -> bool;
    /// Whether all is read that is known to be there.
    fn all_read(&self) -> bool;
    /// The next completion.
    fn next(&mut self) -> Option<Completion>;
    /// Whether there is a completion.
    fn has_next(&self) -> bool;
    /// Gives up what has waited too long, and does what was put off.
    fn tick(&mut self, now: MonoNs);
    /// Gives up everything that waits for a connection, and messages that are not written yet.
    fn withdraw(&mut self, now: MonoNs);
    /// Drops every connection; no completion comes any more.
    fn abort(&mut self);
    /// Connections opened so far.
    fn opened(&self) -> u64;
}
