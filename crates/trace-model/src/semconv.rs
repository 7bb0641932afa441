//! The semantic conventions, old names and new, and what a span says by them.
//!
//! After the attribute registry of the OpenTelemetry semantic conventions 1.39 and the older names that its
//! change log maps to them. A new name always wins over an old one.

mod about;
mod key;
mod message;
mod op;
mod outcome;
mod peer;

use crate::{Messaging, PeerKind, SpanKey, SpanKind};
use key::KEYS;
pub use key::Key;

/// Longest operation, in bytes. What is longer is cut: a name is shown to people.
pub const OP_BYTES_MAX: usize = 160;
/// Longest node name, in bytes.
pub const NODE_BYTES_MAX: usize = 160;
/// Name of a service that gives none, as the SDKs write it.
pub const UNKNOWN_SERVICE: &str = "unknown_service";

/// The value of an attribute. Lists and maps carry nothing that is read here: leave them out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Text.
    Text(&'a str),
    /// Yes or no.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A number.
    Double(f64),
}

impl<'a> Value<'a> {
    fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// The number, also where an instrumentation wrote it as text.
    fn number(self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(number),
            Self::Double(number) if number.fract() == 0.0 && number.abs() < 1e15 => Some(number as i64),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    fn is_true(self) -> bool {
        matches!(self, Self::Bool(true) | Self::Text("true"))
    }
}

/// The attributes of one span or resource that mean something here.
#[derive(Debug, Clone)]
pub struct Attributes<'a> {
    slots: [Option<Value<'a>>; KEYS],
}

impl Default for Attributes<'_> {
    fn default() -> Self {
        Self { slots: [None; KEYS] }
    }
}

/// Partitions of a queue that are told apart, at most: those with a higher number, or with none, are not.
pub const PARTITIONS_MAX: u16 = 256;

/// What the attributes of a span say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Role: as given, but an in-process database call, which may come as internal, is a client's.
    pub kind: SpanKind,
    /// Operation, at most [`OP_BYTES_MAX`] bytes, of low cardinality.
    pub op: String,
    /// The other side.
    pub peer: Option<DescribedPeer>,
    /// Whether it counts as an error.
    pub error: bool,
    /// HTTP status, or what stands for the status of a gRPC call that was refused: 429 or 503; 0: none.
    pub status: u16,
    /// What a messaging span does.
    pub messaging: Option<Messaging>,
    /// Which attempt this is, counted from 0.
    pub resend: u16,
    /// Which message is processed, and by which group of consumers: see [`Span::message`](crate::Span::message).
    pub message: u64,
    /// The partition of a queue, below [`PARTITIONS_MAX`].
    pub partition: Option<u16>,
    /// `user_agent.synthetic.type` is `test`.
    pub synthetic: bool,
    /// `peakdrill.mocked` is true.
    pub mocked: bool,
    /// The key that the work is about.
    pub key: Option<SpanKey>,
}

/// The other side, as text that is not shared yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedPeer {
    /// Node name, at most [`NODE_BYTES_MAX`] bytes.
    pub node: String,
    /// What it is.
    pub kind: PeerKind,
}

impl<'a> Attributes<'a> {
    /// Picks what is known. Of a name that comes twice, which the protocol forbids, the first counts.
    #[must_use]
    pub fn read(pairs: impl IntoIterator<Item = (&'a str, Value<'a>)>) -> Self {
        let mut read = Self::default();
        for (name, value) in pairs {
            if let Some(key) = Key::from_name(name.as_bytes()) {
                read.put(key, value);
            }
        }
        read
    }

    /// Puts one in; of a name that comes twice the first counts.
    pub fn put(&mut self, key: Key, value: Value<'a>) {
        self.slots[key as usize].get_or_insert(value);
    }

    /// What a span with these attributes says. `failed`: its status is error.
    #[must_use]
    pub fn describe(&self, kind: SpanKind, name: &str, failed: bool) -> Described {
        let kind = match kind {
            SpanKind::Internal if self.db_system().is_some() => SpanKind::Client,
            kind => kind,
        };
        let messaging = self.messaging(kind);
        let status = self.status();
        Described {
            kind,
            op: op::op(self, name, messaging),
            peer: peer::peer(self, kind, messaging),
            error: failed || outcome::is_error(self, kind, status),
            status,
            messaging,
            resend: self.resend(),
            message: message::message(self, messaging),
            partition: self.partition().filter(|_| messaging.is_some()),
            synthetic: self.text(&[Key::SyntheticType]) == Some("test"),
            mocked: self.get(&[Key::Mocked]).is_some_and(Value::is_true),
            key: about::key(self, kind),
        }
    }

    /// `service.name` of a resource.
    #[must_use]
    pub fn service(&self) -> &'a str {
        let name = self.text(&[Key::ServiceName]).unwrap_or(UNKNOWN_SERVICE);
        &name[..name.floor_char_boundary(NODE_BYTES_MAX)]
    }

    /// What tells instances of a service apart: `service.instance.id`, else pod, container, or host and process;
    /// empty when nothing does.
    #[must_use]
    pub fn instance(&self) -> String {
        let own = [Key::ServiceInstanceId, Key::PodName, Key::ContainerId];
        if let Some(id) = self.text(&own) {
            return cut(id.to_owned(), NODE_BYTES_MAX);
        }
        let host = self.text(&[Key::HostName, Key::HostId]).unwrap_or_default();
        let process = self.number(&[Key::ProcessPid]).map(|pid| format!("/{pid}")).unwrap_or_default();
        cut(format!("{host}{process}"), NODE_BYTES_MAX)
    }

    /// The first of the keys that is there.
    fn get(&self, keys: &[Key]) -> Option<Value<'a>> {
        keys.iter().find_map(|key| self.slots[*key as usize])
    }

    fn text(&self, keys: &[Key]) -> Option<&'a str> {
        keys.iter().find_map(|key| self.slots[*key as usize].and_then(Value::text))
    }

    fn number(&self, keys: &[Key]) -> Option<i64> {
        keys.iter().find_map(|key| self.slots[*key as usize].and_then(Value::number))
    }

    fn db_system(&self) -> Option<&'a str> {
        self.text(&[Key::DbSystemName, Key::DbSystem])
    }

    fn status(&self) -> u16 {
        let http = self.number(&[Key::HttpResponseStatus, Key::HttpStatusOld]);
        let http = http.and_then(|status| u16::try_from(status).ok());
        // Of HTTP a gRPC call is always well.
        outcome::refusal(self).or(http).unwrap_or(0)
    }

    fn resend(&self) -> u16 {
        let keys = [Key::HttpResend, Key::HttpResendOld, Key::HttpRetryOld, Key::GrpcPreviousAttempts];
        self.number(&keys).and_then(|count| u16::try_from(count).ok()).unwrap_or(0)
    }

    fn partition(&self) -> Option<u16> {
        let keys =
            [Key::MessagingPartition, Key::MessagingKafkaPartitionOld, Key::MessagingKafkaPartitionOlder];
        let number = self.number(&keys).and_then(|number| u16::try_from(number).ok());
        number.filter(|number| *number < PARTITIONS_MAX)
    }

    /// The operation type decides, the span kind only where there is none: `receive` was a consumer's once and
    /// is a client's now.
    fn messaging(&self, kind: SpanKind) -> Option<Messaging> {
        let said = self.text(&[Key::MessagingOperationType, Key::MessagingOperationOld]);
        match said {
            Some("send" | "create" | "publish") => Some(Messaging::Send),
            Some("receive") => Some(Messaging::Receive),
            Some("process" | "deliver") => Some(Messaging::Process),
            Some("settle") => Some(Messaging::Settle),
            _ => match kind {
                SpanKind::Producer => Some(Messaging::Send),
                SpanKind::Consumer => Some(Messaging::Process),
                SpanKind::Internal | SpanKind::Server | SpanKind::Client => None,
            },
        }
    }
}

/// Names of OpenTracing that OpenTelemetry has another one for.
const OPEN_TRACING: [(&str, &str); 9] = [
    ("db.type", "db.system"),
    ("db.instance", "db.name"),
    ("peer.hostname", "net.peer.name"),
    ("peer.port", "net.peer.port"),
    ("peer.ipv4", "net.peer.ip"),
    ("peer.ipv6", "net.peer.ip"),
    ("message_bus.destination", "messaging.destination"),
    ("hostname", "host.name"),
    ("sql.query", "db.statement"),
];

/// The name that OpenTelemetry has for one of OpenTracing; any other as it is.
#[must_use]
pub fn from_open_tracing(name: &str) -> &str {
    OPEN_TRACING.iter().find(|(old, _)| *old == name).map_or(name, |(_, new)| new)
}

/// At most `bytes_max` bytes, cut between characters.
pub(crate) fn cut(mut text: String, bytes_max: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes_max));
    text
}

#[cfg(test)]
mod tests;
