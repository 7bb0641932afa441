//! The same network told in old names, in new names, and in both: the same nodes come out of it.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};

use super::{RECV_NS, Spans, bytes, folded, names};
use crate::support::{MINE, span, text};

/// `name=value`; a value of digits alone is a number.
fn attributes(pairs: &str) -> Vec<KeyValue> {
    let one = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap();
        let Ok(number) = value.parse() else { return text(key, value) };
        let value = Some(AnyValue { value: Some(any_value::Value::IntValue(number)) });
        KeyValue { key: key.to_owned(), value, ..Default::default() }
    };
    pairs.split_whitespace().map(one).collect()
}

/// A span: service, parent, kind, from and to in milliseconds, attributes by new and by old names.
type Told = (&'static str, u64, i32, (i64, i64), &'static str, &'static str);

const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const PRODUCER: i32 = 4;
const CONSUMER: i32 = 5;

const NETWORK: [Told; 11] = [
    (
        "gateway",
        99,
        SERVER,
        (0, 100),
        "http.request.method=POST http.route=/buy http.response.status_code=200",
        "http.method=POST http.route=/buy http.status_code=200",
    ),
    (
        "gateway",
        1,
        CLIENT,
        (1, 98),
        "rpc.system.name=grpc rpc.method=shop.Order/Place server.address=order server.port=50051 rpc.response.status_code=OK",
        "rpc.system=grpc rpc.service=shop.Order rpc.method=Place net.peer.name=order net.peer.port=50051 rpc.grpc.status_code=0",
    ),
    (
        "order",
        2,
        SERVER,
        (2, 97),
        "rpc.system.name=grpc rpc.method=shop.Order/Place rpc.response.status_code=OK",
        "rpc.system=grpc rpc.service=shop.Order rpc.method=Place rpc.grpc.status_code=0",
    ),
    (
        "order",
        3,
        CLIENT,
        (3, 20),
        "db.system.name=microsoft.sql_server server.address=sql1 server.port=1433 db.namespace=shop db.operation.name=INSERT db.collection.name=orders",
        "db.system=mssql net.peer.name=sql1 net.peer.port=1433 db.name=shop db.operation=INSERT db.sql.table=orders",
    ),
    (
        "order",
        3,
        CLIENT,
        (20, 22),
        "db.system.name=redis network.peer.address=10.0.0.7 network.peer.port=6379 db.operation.name=GET",
        "db.system=redis net.sock.peer.addr=10.0.0.7 net.sock.peer.port=6379 db.operation=GET",
    ),
    (
        "order",
        3,
        CLIENT,
        (22, 60),
        "http.request.method=POST url.template=/pay server.address=bank.example http.response.status_code=503 http.request.resend_count=1 error.type=503",
        "http.method=POST http.url=https://bank.example/pay?card=4 http.status_code=503 http.resend_count=1",
    ),
    (
        "order",
        3,
        CLIENT,
        (60, 70),
        "db.system.name=mongodb server.address=docs server.port=27017 db.operation.name=find db.collection.name=items",
        "db.system=mongodb net.peer.name=docs net.peer.port=27017 db.operation=find db.mongodb.collection=items",
    ),
    (
        "order",
        3,
        CLIENT,
        (70, 80),
        "service.peer.name=stock http.request.method=GET url.template=/stock http.response.status_code=200",
        "peer.service=stock http.method=GET http.url=http://10.0.0.9:8080/stock http.status_code=200",
    ),
    (
        "order",
        3,
        CLIENT,
        (80, 85),
        "db.system.name=oracle.db db.namespace=books db.query.summary=SELECT",
        "db.system=oracle db.name=books db.operation=SELECT",
    ),
    (
        "order",
        3,
        PRODUCER,
        (90, 91),
        "messaging.system=kafka messaging.destination.name=mail messaging.operation.type=send",
        "messaging.system=kafka messaging.destination=mail messaging.operation=publish",
    ),
    (
        "mailer",
        10,
        CONSUMER,
        (95, 120),
        "messaging.system=kafka messaging.destination.name=mail messaging.operation.type=process",
        "messaging.system=kafka messaging.destination=mail messaging.operation=deliver",
    ),
];

/// The network once, in names that are chosen of the new and the old ones.
fn told(choose: impl Fn(&str, &str) -> String) -> Spans {
    let one = |(at, (service, parent, kind, from_to, new, old)): (usize, &Told)| {
        let mut span = span(MINE, at as u64 + 1, *parent, *kind, *from_to);
        // What an instrumentation without a route calls it.
        span.name = if new.contains("/stock") { "GET /stock" } else { "POST /pay" }.to_owned();
        span.attributes = attributes(&choose(new, old));
        (*service, span)
    };
    NETWORK.iter().enumerate().map(one).collect()
}

/// From a new and an old set of attributes to those that a span carries.
type Way = &'static dyn Fn(&str, &str) -> String;

#[test]
fn old_names_new_names_and_both_tell_of_the_same_network() {
    let new = folded([(told(|new, _| new.to_owned()), RECV_NS)]);
    let (nodes, _) = names(new.cells());
    let expected = [
        "bank.example",
        "gateway",
        "kafka/mail",
        "mailer",
        "microsoft.sql_server@sql1:1433",
        "mongodb@docs:27017",
        "oracle.db/books",
        "order",
        "redis@10.0.0.7:6379",
        "stock",
    ];
    assert_eq!(nodes.into_iter().collect::<Vec<_>>(), expected);
    // In both, whoever comes first; and the library of one span new, that of the next one old.
    let ways: [Way; 4] = [
        &|_, old| old.to_owned(),
        &|new, old| format!("{new} {old}"),
        &|new, old| format!("{old} {new}").replace("rpc.method=Place ", ""),
        &|new, old| if new.len() % 2 == 0 { new.to_owned() } else { old.to_owned() },
    ];
    for (at, way) in ways.into_iter().enumerate() {
        assert_eq!(bytes(&folded([(told(way), RECV_NS)])), bytes(&new), "{at}");
    }
}
