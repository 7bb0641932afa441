//! A span, as the analysis needs it: normalised over protocols and over old and new semantic conventions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::SpanKey;

/// Role of a span in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpanKind {
    /// Work inside a service.
    Internal,
    /// The called side.
    Server,
    /// The calling side.
    Client,
    /// Puts a message.
    Producer,
    /// Processes a message.
    Consumer,
}

/// What a peer is, as far as attributes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerKind {
    /// A service called by HTTP or RPC: `external` when it never sends spans itself.
    Service,
    /// A database.
    Database,
    /// A cache.
    Cache,
    /// A queue or topic.
    Queue,
}

/// The other side of a client, producer or consumer span.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Peer {
    /// Node name: peer name, else for databases `system@host:port` or `system/namespace`, for queues
    /// `system/destination` (which both sides know) or `system@host:port`, else `host:port`.
    pub node: Arc<str>,
    /// What it is.
    pub kind: PeerKind,
}

/// What a messaging span does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Messaging {
    /// Puts a message on its way.
    Send,
    /// Fetches messages.
    Receive,
    /// Works on a message.
    Process,
    /// Acknowledges a message.
    Settle,
}

/// A reference to a span of another trace, or of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Link {
    /// Trace id.
    pub trace: u128,
    /// Span id.
    pub span: u64,
}

/// One span.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// Trace id, big-endian.
    pub trace: u128,
    /// Span id, big-endian.
    pub id: u64,
    /// Parent span id; 0: none.
    pub parent: u64,
    /// Role.
    pub kind: SpanKind,
    /// `service.name`.
    pub service: Arc<str>,
    /// `service.instance.id`, else host and process; empty: unknown.
    pub instance: Arc<str>,
    /// Operation: route, RPC method, query summary or span name; of low cardinality.
    pub op: Arc<str>,
    /// Start, Unix nanoseconds, on the service's own clock.
    pub start_ns: i64,
    /// End, Unix nanoseconds, never before the start.
    pub end_ns: i64,
    /// Status is error, or a server's 5xx, or a client's 4xx/5xx.
    pub error: bool,
    /// HTTP status, or what stands for the status of a gRPC call that was refused: 429 or 503; 0: none.
    pub status: u16,
    /// The other side.
    pub peer: Option<Peer>,
    /// What a messaging span does.
    pub messaging: Option<Messaging>,
    /// `http.request.resend_count`.
    pub resend: u16,
    /// Of a span that processes a message: what tells the message from others, and one group of consumers from another,
    /// as a number by a fixed hash; 0: not known.
    #[serde(default)]
    pub message: u64,
    /// The partition of the queue that a messaging span is of, where it is a small number.
    pub partition: Option<u16>,
    /// The service handled the tag: `user_agent.synthetic.type` is `test`.
    pub synthetic: bool,
    /// The call was answered by the isolation layer's stub (`peakdrill.mocked` is true).
    pub mocked: bool,
    /// Links to other spans.
    pub links: SmallVec<[Link; 1]>,
    /// The key that the work is about: an item, an account, a tenant. Most spans name none. Never written: it may be a live
    /// user's.
    #[serde(skip)]
    pub key: Option<Box<SpanKey>>,
}

impl Span {
    /// A span of a service that says nothing else: ids and times of 0, no status, no other side.
    #[must_use]
    pub fn bare(kind: SpanKind, service: impl Into<Arc<str>>) -> Self {
        Self {
            trace: 0,
            id: 0,
            parent: 0,
            kind,
            service: service.into(),
            instance: Arc::default(),
            op: Arc::default(),
            start_ns: 0,
            end_ns: 0,
            error: false,
            status: 0,
            peer: None,
            messaging: None,
            resend: 0,
            message: 0,
            partition: None,
            synthetic: false,
            mocked: false,
            links: SmallVec::new(),
            key: None,
        }
    }

    /// Duration in nanoseconds.
    #[must_use]
    pub fn duration_ns(&self) -> u64 {
        u64::try_from(self.end_ns - self.start_ns).unwrap_or(0)
    }
}
