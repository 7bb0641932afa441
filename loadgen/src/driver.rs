//! What the engine knows of a protocol: requests go in, completions with their times come out.

use bytes::Bytes;
use peakdrill_timebase::MonoNs;

use crate::extract::Fault;
use crate::program::HttpRequest;

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
    pub(crate) request: HttpRequest,
    /// Whether the whole body is wanted, or its length and beginning.
    pub(crate) keep_body: bool,
    /// The Unix second from which it must not be sent any more.
    pub(crate) not_after_unix_s: u64,
    pub(crate) submitted: MonoNs,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: http::response::Parts,
    /// The body, or its beginning.
    pub(crate) body: Bytes,
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
    /// Given up.
    NotSent { id: ExchangeId, at: MonoNs, why: NotSent },
}

/// A protocol. Nothing blocks; completions are fetched, and the shard is woken when there are any.
pub(crate) trait Driver {
    /// Takes a request. Its completion comes later, never from within this call.
    fn submit(&mut self, submission: Submission);
    /// Gives up an exchange that was sent; no completion of it comes any more.
    fn cancel(&mut self, id: ExchangeId);
    /// The next completion.
    fn next(&mut self) -> Option<Completion>;
    /// Gives up what has waited too long.
    fn tick(&mut self, now: MonoNs);
    /// Gives up everything that waits for a connection.
    fn withdraw(&mut self, now: MonoNs);
    /// Drops every connection; no completion comes any more.
    fn abort(&mut self);
    /// Connections opened so far.
    fn opened(&self) -> u64;
}
