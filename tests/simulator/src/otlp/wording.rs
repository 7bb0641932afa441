//! How spans are put into attributes: by the semantic conventions of today, by those of before, or by both at once.

use crate::trace::peer_kind;
use peakdrill_drill_model::verdict::NodeKind;
use peakdrill_trace_model::{Messaging, Peer, PeerKind, Span, SpanKind};

use super::{Attribute, Value};

/// Which names attributes have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Those of the stable conventions.
    New,
    /// Those that they replaced.
    Old,
    /// Both, as `OTEL_SEMCONV_STABILITY_OPT_IN=http/dup,database/dup` has it.
    Both,
}

/// How spans tell of the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peers {
    /// By a name that somebody configured: the collector knows nodes as the simulator does.
    Named,
    /// By address, system and destination alone: nodes that send no spans have other names, see [`Wording::node`].
    Addressed,
}

/// How spans are put into attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wording {
    /// Which names attributes have.
    pub names: Names,
    /// How the other side is told of.
    pub peers: Peers,
}

/// An attribute's name of today, and the one before it.
struct Key {
    new: Option<&'static str>,
    old: Option<&'static str>,
}

impl Key {
    const fn renamed(new: &'static str, old: &'static str) -> Self {
        Self { new: Some(new), old: Some(old) }
    }

    const fn always(name: &'static str) -> Self {
        Self::renamed(name, name)
    }

    const fn new(name: &'static str) -> Self {
        Self { new: Some(name), old: None }
    }

    const fn old(name: &'static str) -> Self {
        Self { new: None, old: Some(name) }
    }
}

const PEER: Key = Key::renamed("service.peer.name", "peer.service");
const ADDRESS: Key = Key::renamed("server.address", "net.peer.name");
const PORT: Key = Key::renamed("server.port", "net.peer.port");
const STATUS: Key = Key::renamed("http.response.status_code", "http.status_code");

/// The queues' system.
const QUEUES: &str = "kafka";

/// What is asked in the place of a database or cache: its system by the new name and by the old one, and its port. They
/// are asked over HTTP, so that their answers have a status as the simulator's have.
fn system(kind: PeerKind) -> Option<(&'static str, &'static str, i64)> {
    match kind {
        PeerKind::Database => Some(("aws.dynamodb", "dynamodb", 8000)),
        PeerKind::Cache => Some(("infinispan", "infinispan", 11222)),
        PeerKind::Service | PeerKind::Queue => None,
    }
}

/// Port of services.
const SERVICE_PORT: i64 = 8080;

/// The attributes of a span, so far.
struct Said {
    names: Names,
    pairs: Vec<Attribute>,
}

impl Said {
    fn put(&mut self, key: &Key, value: impl Into<Value>) {
        let value = value.into();
        let new = key.new.filter(|_| self.names != Names::Old);
        let old = key.old.filter(|_| self.names != Names::New);
        let old = old.filter(|old| Some(*old) != new);
        self.pairs.extend(new.into_iter().chain(old).map(|name| (name, value.clone())));
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl Wording {
    /// All there are.
    pub const ALL: [Self; 6] = [
        Self { names: Names::New, peers: Peers::Named },
        Self { names: Names::Old, peers: Peers::Named },
        Self { names: Names::Both, peers: Peers::Named },
        Self { names: Names::New, peers: Peers::Addressed },
        Self { names: Names::Old, peers: Peers::Addressed },
        Self { names: Names::Both, peers: Peers::Addressed },
    ];

    /// What a collector calls a node of the network.
    #[must_use]
    pub fn node(self, kind: NodeKind, name: &str) -> String {
        // A service is known by its own spans.
        if kind == NodeKind::Service { name.to_owned() } else { self.peer(peer_kind(kind), name) }
    }

    /// What a collector calls the other side of a span.
    fn peer(self, kind: PeerKind, node: &str) -> String {
        match (self.peers, kind, system(kind)) {
            (Peers::Named, ..) => node.to_owned(),
            (Peers::Addressed, PeerKind::Queue, _) => format!("{QUEUES}/{node}"),
            (Peers::Addressed, _, Some((new, _, port))) => format!("{new}@{node}:{port}"),
            (Peers::Addressed, _, None) => format!("{node}:{SERVICE_PORT}"),
        }
    }

    /// A span as a collector is to know it: with addresses in the place of names, and the operations of messages named
    /// after their destination, as the conventions have it. Where nodes are named it is the span itself.
    #[must_use]
    pub fn known(self, span: &Span) -> Span {
        let mut known = span.clone();
        let (Peers::Addressed, Some(peer)) = (self.peers, &span.peer) else { return known };
        known.peer = Some(Peer { node: self.peer(peer.kind, &peer.node).into(), kind: peer.kind });
        if let Some(messaging) = span.messaging {
            known.op = format!("{} {}", operation(messaging).0, peer.node).into();
        }
        known
    }

    /// Which conventions those of the scope are.
    pub(super) fn schema(self) -> &'static str {
        match self.names {
            Names::New | Names::Both => "https://opentelemetry.io/schemas/1.39.0",
            Names::Old => "https://opentelemetry.io/schemas/1.20.0",
        }
    }

    /// The attributes of a span.
    pub(super) fn attributes(self, span: &Span) -> Vec<Attribute> {
        let mut said = Said { names: self.names, pairs: Vec::new() };
        match (&span.peer, span.messaging) {
            (peer, Some(messaging)) => self.message(span, messaging, peer.as_ref(), &mut said),
            (Some(peer), None) => match system(peer.kind) {
                Some((new, old, port)) => {
                    said.put(&Key::new("db.system.name"), new);
                    said.put(&Key::old("db.system"), old);
                    said.put(&Key::renamed("db.query.summary", "db.operation"), &*span.op);
                    self.address(peer, port, &mut said);
                }
                None => {
                    operation_of_service(span, &mut said);
                    self.address(peer, SERVICE_PORT, &mut said);
                }
            },
            (None, None) => operation_of_service(span, &mut said),
        }
        outcome(span, &mut said);
        said.pairs
    }

    fn address(self, peer: &Peer, port: i64, said: &mut Said) {
        if self.peers == Peers::Named {
            said.put(&PEER, &*peer.node);
        }
        said.put(&ADDRESS, &*peer.node);
        said.put(&PORT, port);
    }

    fn message(self, span: &Span, messaging: Messaging, peer: Option<&Peer>, said: &mut Said) {
        let (new, old) = operation(messaging);
        said.put(&Key::always("messaging.system"), QUEUES);
        said.put(&Key::new("messaging.operation.type"), new);
        said.put(&Key::old("messaging.operation"), old);
        if let Some(peer) = peer {
            // A destination would name the operation after itself.
            let key = match self.peers {
                Peers::Named => PEER,
                Peers::Addressed => Key::renamed("messaging.destination.name", "messaging.destination"),
            };
            said.put(&key, &*peer.node);
        }
        if let Some(partition) = span.partition {
            said.put(&Key::new("messaging.destination.partition.id"), partition.to_string().as_str());
            said.put(&Key::old("messaging.kafka.destination.partition"), i64::from(partition));
        }
    }
}

/// What is done with a message, by the new name and the old one.
fn operation(messaging: Messaging) -> (&'static str, &'static str) {
    match messaging {
        Messaging::Send => ("send", "publish"),
        Messaging::Receive => ("receive", "receive"),
        Messaging::Process => ("process", "process"),
        Messaging::Settle => ("settle", "settle"),
    }
}

/// `GET /cart` is asked over HTTP by its route, any other operation of a service over JSON-RPC by its method.
fn operation_of_service(span: &Span, said: &mut Said) {
    let http = span.op.split_once(' ').filter(|(method, route)| {
        route.starts_with('/') && method.bytes().all(|byte| byte.is_ascii_uppercase())
    });
    match (span.kind, http) {
        (SpanKind::Internal, _) => {}
        (SpanKind::Server, Some((method, route))) => {
            said.put(&Key::renamed("http.request.method", "http.method"), method);
            said.put(&Key::always("http.route"), route);
        }
        (_, Some((method, route))) => {
            said.put(&Key::renamed("http.request.method", "http.method"), method);
            said.put(&Key::new("url.template"), route);
            let host = span.peer.as_ref().map_or("", |peer| &*peer.node);
            said.put(&Key::old("http.url"), format!("http://{host}:{SERVICE_PORT}{route}").as_str());
        }
        (_, None) => {
            said.put(&Key::renamed("rpc.system.name", "rpc.system"), "jsonrpc");
            said.put(&Key::always("rpc.method"), &*span.op);
        }
    }
}

/// How it ended, and what is said of any span.
fn outcome(span: &Span, said: &mut Said) {
    if span.status != 0 {
        said.put(&STATUS, i64::from(span.status));
    }
    if span.error {
        let kind = if span.status == 0 { "_OTHER".to_owned() } else { span.status.to_string() };
        said.put(&Key::new("error.type"), kind.as_str());
    }
    if span.resend > 0 {
        said.put(&Key::renamed("http.request.resend_count", "http.resend_count"), i64::from(span.resend));
    }
    if span.synthetic {
        said.put(&Key::always("user_agent.synthetic.type"), "test");
    }
    if span.mocked {
        said.pairs.push(("peakdrill.mocked", Value::Yes));
    }
}
