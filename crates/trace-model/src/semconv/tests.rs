use super::*;
use proptest::prelude::*;

fn describe(kind: SpanKind, name: &str, pairs: &[(&'static str, Value<'static>)]) -> Described {
    Attributes::read(pairs.iter().copied()).describe(kind, name, false)
}

fn node(kind: SpanKind, pairs: &[(&'static str, Value<'static>)]) -> Option<(String, PeerKind)> {
    describe(kind, "x", pairs).peer.map(|peer| (peer.node, peer.kind))
}

fn text(text: &'static str) -> Value<'static> {
    Value::Text(text)
}

#[test]
fn a_new_name_wins_over_an_old_one() {
    let pairs = [
        ("db.system", text("mssql")),
        ("net.peer.name", text("old-host")),
        ("db.system.name", text("postgresql")),
        ("server.address", text("new-host")),
        ("server.port", Value::Int(5432)),
    ];
    let expected = Some(("postgresql@new-host:5432".to_owned(), PeerKind::Database));
    assert_eq!(node(SpanKind::Client, &pairs), expected);
}

#[test]
fn nodes_by_old_names() {
    let mssql =
        [("db.system", text("mssql")), ("net.peer.name", text("h")), ("net.peer.port", Value::Int(1))];
    let expected = Some(("microsoft.sql_server@h:1".to_owned(), PeerKind::Database));
    assert_eq!(node(SpanKind::Client, &mssql), expected);
    let redis = [("db.system", text("redis")), ("db.redis.database_index", Value::Int(3))];
    assert_eq!(node(SpanKind::Client, &redis), Some(("redis/3".to_owned(), PeerKind::Cache)));
    let named = [("peer.service", text("bank")), ("server.address", text("10.0.0.1"))];
    assert_eq!(node(SpanKind::Client, &named), Some(("bank".to_owned(), PeerKind::Service)));
    let url = [("http.url", text("https://user:pw@shop.test:8443/a/b?c"))];
    assert_eq!(node(SpanKind::Client, &url), Some(("shop.test:8443".to_owned(), PeerKind::Service)));
    assert_eq!(node(SpanKind::Client, &[]), None);
    assert_eq!(node(SpanKind::Server, &named), None);
    assert_eq!(node(SpanKind::Internal, &named), None);
}

#[test]
fn both_sides_of_a_queue_are_one_node() {
    let send = [
        ("messaging.system", text("kafka")),
        ("messaging.destination.name", text("orders")),
        ("server.address", text("broker-1")),
        ("messaging.operation.type", text("send")),
    ];
    let process = [
        ("messaging.system", text("kafka")),
        ("messaging.destination", text("orders")),
        ("messaging.operation", text("deliver")),
    ];
    let expected = Some(("kafka/orders".to_owned(), PeerKind::Queue));
    assert_eq!(node(SpanKind::Producer, &send), expected);
    assert_eq!(node(SpanKind::Consumer, &process), expected);
    let read = describe(SpanKind::Consumer, "x", &process);
    assert_eq!((read.messaging, read.op.as_str()), (Some(Messaging::Process), "process orders"));
}

#[test]
fn the_operation_type_decides_and_the_kind_only_without_it() {
    let receive = [("messaging.operation.type", text("receive"))];
    assert_eq!(describe(SpanKind::Consumer, "x", &receive).messaging, Some(Messaging::Receive));
    assert_eq!(describe(SpanKind::Client, "x", &receive).messaging, Some(Messaging::Receive));
    assert_eq!(describe(SpanKind::Consumer, "x", &[]).messaging, Some(Messaging::Process));
    assert_eq!(describe(SpanKind::Producer, "x", &[]).messaging, Some(Messaging::Send));
    assert_eq!(describe(SpanKind::Client, "x", &[]).messaging, None);
}

#[test]
fn a_temporary_destination_is_no_name() {
    let reply = [
        ("messaging.system", text("rabbitmq")),
        ("messaging.destination.name", text("amq.gen-JzTY20BRgKO")),
        ("messaging.destination.temporary", Value::Bool(true)),
    ];
    let expected = Some(("rabbitmq/(temporary)".to_owned(), PeerKind::Queue));
    assert_eq!(node(SpanKind::Producer, &reply), expected);
}

#[test]
fn operations() {
    let op = |kind, name, pairs: &[(&'static str, Value<'static>)]| describe(kind, name, pairs).op;
    let route = [("http.method", text("GET")), ("http.route", text("/orders/{id}"))];
    assert_eq!(op(SpanKind::Server, "GET", &route), "GET /orders/{id}");
    assert_eq!(op(SpanKind::Server, "GET /orders/17/items", &[]), "GET /orders/{}/items");
    assert_eq!(op(SpanKind::Server, "/u/7b1e0f3c-8d1f-4d7e-9f00-4a1b2c3d4e5f?x=1", &[]), "/u/{}");
    assert_eq!(
        op(SpanKind::Client, "hipstershop.CartService/GetCart", &[]),
        "hipstershop.CartService/GetCart"
    );
    assert_eq!(op(SpanKind::Internal, "decade/face", &[]), "decade/face");
    let old_rpc = [("rpc.system", text("grpc")), ("rpc.service", text("a.B")), ("rpc.method", text("C"))];
    assert_eq!(op(SpanKind::Client, "x", &old_rpc), "a.B/C");
    let new_rpc = [("rpc.system.name", text("grpc")), ("rpc.method", text("a.B/C"))];
    assert_eq!(op(SpanKind::Client, "x", &new_rpc), "a.B/C");
    let summary = [("db.system.name", text("mysql")), ("db.query.summary", text("SELECT a"))];
    assert_eq!(op(SpanKind::Client, "x", &summary), "SELECT a");
    let sql = [("db.system.name", text("mysql"))];
    let named = |name: &'static str| op(SpanKind::Client, name, &sql);
    assert_eq!(named("select a, b from `orders` where id = 'secret'"), "SELECT orders");
    assert_eq!(named("INSERT INTO orders(id) VALUES (17)"), "INSERT orders");
    assert_eq!(named("UPDATE stock SET n = 1"), "UPDATE stock");
    let table = [("db.system", text("mysql")), ("db.operation", text("GET")), ("db.sql.table", text("t"))];
    assert_eq!(op(SpanKind::Client, "x", &table), "GET t");
}

#[test]
fn an_in_process_database_call_is_a_clients() {
    let sqlite = [("db.system.name", text("sqlite")), ("service.peer.name", text("order-db"))];
    let read = describe(SpanKind::Internal, "INSERT orders", &sqlite);
    assert_eq!(read.kind, SpanKind::Client);
    assert_eq!(
        read.peer.map(|peer| (peer.node, peer.kind)),
        Some(("order-db".to_owned(), PeerKind::Database))
    );
}

#[test]
fn errors_by_side() {
    let error = |kind, key: &'static str, value| describe(kind, "x", &[(key, value)]).error;
    let not_found = Value::Int(404);
    assert!(!error(SpanKind::Server, "http.response.status_code", not_found));
    assert!(error(SpanKind::Client, "http.response.status_code", not_found));
    assert!(error(SpanKind::Server, "http.status_code", Value::Text("503")));
    assert!(error(SpanKind::Server, "error.type", text("timeout")));
    assert!(!error(SpanKind::Server, "rpc.grpc.status_code", Value::Int(5)));
    assert!(error(SpanKind::Client, "rpc.grpc.status_code", Value::Int(5)));
    assert!(error(SpanKind::Server, "rpc.grpc.status_code", Value::Int(14)));
    assert!(!error(SpanKind::Client, "rpc.response.status_code", text("OK")));
    assert!(error(SpanKind::Server, "rpc.response.status_code", text("UNAVAILABLE")));
    assert!(Attributes::read([]).describe(SpanKind::Server, "x", true).error);
}

#[test]
fn a_refusal_by_grpc_has_the_status_that_stands_for_it() {
    let status = |key: &'static str, value| describe(SpanKind::Server, "x", &[(key, value)]).status;
    assert_eq!(status("rpc.grpc.status_code", Value::Int(8)), 429);
    assert_eq!(status("rpc.grpc.status_code", Value::Int(14)), 503);
    assert_eq!(status("rpc.response.status_code", text("RESOURCE_EXHAUSTED")), 429);
    assert_eq!(status("rpc.response.status_code", text("UNAVAILABLE")), 503);
    assert_eq!(
        (status("rpc.grpc.status_code", Value::Int(5)), status("rpc.grpc.status_code", Value::Int(0))),
        (0, 0)
    );
    // A server is not to blame for what it does not take in.
    assert!(!describe(SpanKind::Server, "x", &[("rpc.grpc.status_code", Value::Int(8))]).error);
    let both = [("rpc.grpc.status_code", Value::Int(14)), ("http.response.status_code", Value::Int(200))];
    assert_eq!(describe(SpanKind::Client, "x", &both).status, 503);
}

#[test]
fn partitions_are_small_numbers_of_queues() {
    let partition = |kind, key: &'static str, value| describe(kind, "x", &[(key, value)]).partition;
    assert_eq!(partition(SpanKind::Consumer, "messaging.destination.partition.id", text("7")), Some(7));
    assert_eq!(
        partition(SpanKind::Consumer, "messaging.kafka.destination.partition", Value::Int(0)),
        Some(0)
    );
    assert_eq!(partition(SpanKind::Producer, "messaging.kafka.partition", Value::Int(255)), Some(255));
    assert_eq!(partition(SpanKind::Consumer, "messaging.kafka.partition", Value::Int(256)), None);
    assert_eq!(partition(SpanKind::Consumer, "messaging.kafka.partition", Value::Int(-1)), None);
    assert_eq!(partition(SpanKind::Consumer, "messaging.destination.partition.id", text("eu-1")), None);
    assert_eq!(partition(SpanKind::Server, "messaging.kafka.partition", Value::Int(3)), None);
}

#[test]
fn a_message_is_known_by_its_id_or_its_place_in_the_log_and_by_its_group() {
    let of = |kind, pairs: &[(&'static str, Value<'static>)]| describe(kind, "x", pairs).message;
    let processed = |pairs: &[(&'static str, Value<'static>)]| of(SpanKind::Consumer, pairs);
    let id = |id| [("messaging.message.id", text(id))];
    assert_ne!(processed(&id("a")), 0);
    assert_eq!(processed(&id("a")), processed(&[("messaging.message_id", text("a"))]));
    assert_ne!(processed(&id("a")), processed(&id("b")));
    // Only what is processed: sending and fetching are no processing.
    assert_eq!((of(SpanKind::Producer, &id("a")), of(SpanKind::Server, &id("a"))), (0, 0));
    assert_eq!(processed(&[id("a")[0], ("messaging.operation.type", text("receive"))]), 0);
    // An offset counts within its partition, by old names and new, as number and as text.
    let kafka = |partition, offset| {
        [("messaging.destination.partition.id", partition), ("messaging.kafka.offset", offset)]
    };
    let new = processed(&kafka(text("3"), Value::Int(41)));
    let old = processed(&[
        ("messaging.kafka.partition", Value::Int(3)),
        ("messaging.kafka.message.offset", text("41")),
    ]);
    assert_eq!(new, old);
    assert_ne!(new, processed(&kafka(text("4"), Value::Int(41))));
    assert_ne!(new, processed(&kafka(text("3"), Value::Int(42))));
    assert_eq!(processed(&[("messaging.destination.partition.id", text("3"))]), 0, "not which message");
    assert_eq!(processed(&[("messaging.kafka.offset", Value::Int(41))]), 0, "every partition has one");
    assert_eq!(processed(&id("")), 0);
    // Every group gets each message once.
    let group = |key, group| processed(&[id("a")[0], (key, text(group))]);
    let new = group("messaging.consumer.group.name", "mail");
    assert_eq!(new, group("messaging.kafka.consumer.group", "mail"));
    assert_ne!(new, group("messaging.consumer.group.name", "bill"));
}

#[test]
fn the_rest() {
    let pairs = [
        ("http.resend_count", Value::Int(2)),
        ("user_agent.synthetic.type", text("test")),
        ("peakdrill.mocked", Value::Bool(true)),
        ("http.status_code", Value::Int(201)),
    ];
    let read = describe(SpanKind::Client, "x", &pairs);
    assert_eq!((read.resend, read.synthetic, read.mocked, read.status), (2, true, true, 201));
    let read = describe(SpanKind::Client, "x", &[("user_agent.synthetic.type", text("bot"))]);
    assert!(!read.synthetic && !read.mocked);
}

#[test]
fn resources() {
    let read = |pairs: &[(&'static str, Value<'static>)]| {
        let attributes = Attributes::read(pairs.iter().copied());
        (attributes.service().to_owned(), attributes.instance())
    };
    assert_eq!(read(&[]), (UNKNOWN_SERVICE.to_owned(), String::new()));
    let host = [("service.name", text("a")), ("host.name", text("h")), ("process.pid", Value::Int(7))];
    assert_eq!(read(&host), ("a".to_owned(), "h/7".to_owned()));
    let id = [("service.instance.id", text("i")), ("host.name", text("h"))];
    assert_eq!(read(&id).1, "i");
    let long = "ä".repeat(NODE_BYTES_MAX);
    let read = Attributes::read([("service.name", Value::Text(&long))]);
    assert_eq!(read.service(), "ä".repeat(NODE_BYTES_MAX / 2));
}

proptest! {
    #[test]
    fn anything_is_read_and_bounded(
        name in ".{0,400}",
        system in proptest::option::of(".{0,300}"),
        host in ".{0,400}",
        port in any::<i64>(),
        kind in 0..5_usize,
    ) {
        let kind = [
            SpanKind::Internal, SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer,
        ][kind];
        let mut pairs = vec![
            ("server.address", Value::Text(&host)),
            ("server.port", Value::Int(port)),
            ("http.url", Value::Text(&name)),
            ("db.statement", Value::Text(&name)),
            ("http.status_code", Value::Int(port)),
        ];
        pairs.extend(system.as_deref().map(|system| ("db.system", Value::Text(system))));
        let read = Attributes::read(pairs).describe(kind, &name, false);
        prop_assert!(read.op.len() <= OP_BYTES_MAX);
        prop_assert!(read.peer.is_none_or(|peer| peer.node.len() <= NODE_BYTES_MAX));
    }
}
