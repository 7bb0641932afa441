//! Whom a span called: the identity of a node that may never send spans of its own.

use super::key::Key;
use super::{Attributes, DescribedPeer, NODE_BYTES_MAX, cut};
use crate::{Messaging, PeerKind, SpanKind};

/// Database systems that were renamed, old name and new.
const RENAMED_SYSTEMS: [(&str, &str); 18] = [
    ("mssql", "microsoft.sql_server"),
    ("oracle", "oracle.db"),
    ("dynamodb", "aws.dynamodb"),
    ("h2", "h2database"),
    ("spanner", "gcp.spanner"),
    ("redshift", "aws.redshift"),
    ("cosmosdb", "azure.cosmosdb"),
    ("db2", "ibm.db2"),
    ("hanadb", "sap.hana"),
    ("maxdb", "sap.maxdb"),
    ("adabas", "softwareag.adabas"),
    ("firebird", "firebirdsql"),
    ("informix", "ibm.informix"),
    ("ingres", "actian.ingres"),
    ("netezza", "ibm.netezza"),
    ("intersystems_cache", "intersystems.cache"),
    ("mssqlcompact", "microsoft.sql_server"),
    ("postgres", "postgresql"),
];

/// Systems that are used as a cache in front of something else.
const CACHES: [&str; 9] =
    ["redis", "memcached", "valkey", "keydb", "dragonfly", "hazelcast", "infinispan", "geode", "coherence"];

/// The other side, for the kinds that have one.
pub(super) fn peer(
    attributes: &Attributes<'_>,
    kind: SpanKind,
    messaging: Option<Messaging>,
) -> Option<DescribedPeer> {
    match kind {
        SpanKind::Internal | SpanKind::Server if messaging.is_none() => return None,
        _ => {}
    }
    let (node, kind) = if messaging.is_some() {
        (queue_node(attributes), PeerKind::Queue)
    } else if let Some(system) = attributes.db_system() {
        let system = current_system(system);
        let kind = if CACHES.contains(&system) { PeerKind::Cache } else { PeerKind::Database };
        (Some(database_node(attributes, system)), kind)
    } else {
        (host_port(attributes), PeerKind::Service)
    };
    let named = attributes.text(&[Key::PeerName, Key::PeerServiceOld]).map(str::to_owned);
    named.or(node).map(|node| DescribedPeer { node: cut(node, NODE_BYTES_MAX), kind })
}

fn current_system(system: &str) -> &str {
    RENAMED_SYSTEMS.iter().find(|(old, _)| *old == system).map_or(system, |(_, new)| new)
}

/// By host, not by the name of the database: many databases on one server share its limits, and one name on many
/// hosts does not.
fn database_node(attributes: &Attributes<'_>, system: &str) -> String {
    if let Some(host) = host_port(attributes) {
        return format!("{system}@{host}");
    }
    let namespace = attributes.text(&[Key::DbNamespace, Key::DbNameOld, Key::DbMssqlInstanceOld]);
    let index = || attributes.number(&[Key::DbRedisIndexOld]).map(|index| index.to_string());
    match namespace.map(str::to_owned).or_else(index) {
        Some(namespace) => format!("{system}/{namespace}"),
        None => system.to_owned(),
    }
}

/// By destination, which both sides know; the consumer often does not say where the broker is.
fn queue_node(attributes: &Attributes<'_>) -> Option<String> {
    let system = attributes.text(&[Key::MessagingSystem]).unwrap_or("queue");
    match (destination(attributes), host_port(attributes)) {
        (Some(destination), _) => Some(format!("{system}/{destination}")),
        (None, Some(host)) => Some(format!("{system}@{host}")),
        (None, None) => attributes.text(&[Key::MessagingSystem]).map(str::to_owned),
    }
}

/// The destination of a message, of low cardinality.
pub(super) fn destination<'a>(attributes: &Attributes<'a>) -> Option<&'a str> {
    let template = attributes.text(&[Key::MessagingDestinationTemplate]);
    let passing = [Key::MessagingTemporary, Key::MessagingAnonymous];
    if template.is_none() && attributes.get(&passing).is_some_and(super::Value::is_true) {
        return Some("(temporary)");
    }
    template.or_else(|| attributes.text(&[Key::MessagingDestinationName, Key::MessagingDestinationOld]))
}

fn host_port(attributes: &Attributes<'_>) -> Option<String> {
    let named = [
        (Key::ServerAddress, Key::ServerPort),
        (Key::NetPeerNameOld, Key::NetPeerPortOld),
        (Key::NetworkPeerAddress, Key::NetworkPeerPort),
        (Key::NetSockPeerNameOld, Key::NetSockPeerPortOld),
        (Key::NetSockPeerAddrOld, Key::NetSockPeerPortOld),
        (Key::NetPeerIpOld, Key::NetPeerPortOld),
    ];
    for (address, port) in named {
        if let Some(address) = attributes.text(&[address]) {
            let port = attributes.number(&[port, Key::ServerPort]);
            return Some(port.map_or_else(|| address.to_owned(), |port| format!("{address}:{port}")));
        }
    }
    let url = attributes.text(&[Key::UrlFull, Key::HttpUrlOld]).and_then(authority);
    url.or_else(|| attributes.text(&[Key::HttpHostOld])).map(str::to_owned)
}

/// Host and port of a URL, without user and password.
fn authority(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (!host.is_empty()).then_some(host)
}
