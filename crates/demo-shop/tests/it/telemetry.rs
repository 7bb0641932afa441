//! What the shop tells about itself: spans and the ledger.

use std::collections::BTreeMap;

use crate::fixture::Shop;
use crate::otlp::Span;

/// Kinds as OTLP numbers them.
const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const PRODUCER: i32 = 4;
const CONSUMER: i32 = 5;

fn one<'s>(spans: &'s [Span], service: &str, kind: i32, name: &str) -> &'s Span {
    let found: Vec<&Span> = spans
        .iter()
        .filter(|span| (span.service.as_str(), span.kind, span.name.as_str()) == (service, kind, name))
        .collect();
    assert_eq!(found.len(), 1, "{service} {kind} {name}: {spans:#?}");
    found[0]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_one_tree_from_the_gateway_to_the_consumer() {
    let shop = Shop::open(|_| {}).await;
    let (tag, trace) = shop.control.tag();
    let root = tag[2].1.split('-').nth(2).unwrap().to_owned();
    assert_eq!(shop.order("shadow-1", &tag).await.status, 201);
    assert_eq!(shop.order("live-1", &[]).await.status, 201);
    let (stock_port, run) = (shop.addresses.stock.rsplit(':').next().unwrap().to_owned(), shop.control.run);
    let shop = shop.close().await;
    let spans = shop.trace(&trace);
    let ids: BTreeMap<&str, &Span> = spans.iter().map(|span| (span.id.as_str(), span)).collect();

    let gateway = one(&spans, "gateway", SERVER, "POST /orders");
    assert_eq!(gateway.parent, root);
    assert_eq!(gateway.attribute("http.route"), "/orders");
    assert_eq!(gateway.attribute("http.response.status_code"), "201");
    let order = one(&spans, "order", SERVER, "POST /orders");
    assert_eq!(ids[order.parent.as_str()].attribute("service.peer.name"), "order");
    let reserve = one(&spans, "order", CLIENT, "POST /reserve");
    assert_eq!(reserve.parent, order.id);
    assert_eq!(reserve.attribute("service.peer.name"), "stock");
    assert_eq!(
        (reserve.attribute("server.address"), reserve.attribute("server.port")),
        ("127.0.0.1", &*stock_port)
    );
    let stock = one(&spans, "stock", SERVER, "POST /reserve");
    assert_eq!(stock.parent, reserve.id);
    for (service, summary, peer) in [
        ("stock", "SELECT items", "stock-db"),
        ("stock", "INSERT reservations", "stock-db"),
        ("payment", "INSERT charges", "payment-db"),
        ("order", "INSERT orders", "order-db"),
        ("fulfilment", "INSERT shipments", "fulfilment-db"),
    ] {
        let span = one(&spans, service, CLIENT, summary);
        assert_eq!(
            (span.attribute("db.query.summary"), span.attribute("service.peer.name")),
            (summary, peer)
        );
        assert_eq!(span.attribute("db.system.name"), "sqlite");
        assert_eq!(ids[span.parent.as_str()].service, service);
    }
    let bank = one(&spans, "payment", CLIENT, "POST /pay");
    assert_eq!((bank.attribute("service.peer.name"), bank.attribute("peakdrill.mocked")), ("bank", "true"));
    let send = one(&spans, "order", PRODUCER, "send order-placed");
    assert_eq!(
        (send.parent.as_str(), send.attribute("messaging.operation.type")),
        (order.id.as_str(), "send")
    );
    assert_eq!(send.attribute("service.peer.name"), "queue");
    let process = one(&spans, "fulfilment", CONSUMER, "process order-placed");
    assert_eq!(
        (process.parent.as_str(), process.attribute("messaging.operation.type")),
        (send.id.as_str(), "process")
    );
    assert_eq!(process.attribute("messaging.destination.name"), "order-placed");
    assert!(process.start_ns >= send.start_ns);

    for span in &spans {
        assert_eq!(span.attribute("user_agent.synthetic.type"), "test", "{span:?}");
        assert!(!span.error && span.end_ns >= span.start_ns, "{span:?}");
    }
    let of_live: Vec<Span> = shop.otlp.spans().into_iter().filter(|span| span.trace != trace).collect();
    assert_eq!(of_live.len(), spans.len());
    assert!(of_live.iter().all(|span| span.attribute("user_agent.synthetic.type").is_empty()));
    assert_eq!(one(&of_live, "payment", CLIENT, "POST /pay").attribute("peakdrill.mocked"), "");
    check_ledger(&shop, run.as_str());
}

/// The ledger came by OTLP, complete.
fn check_ledger(shop: &crate::fixture::Closed, run: &str) {
    for (service, run, resource, outcome, count) in [
        ("gateway", run, "ingress", "shadow_in", 1),
        ("gateway", "", "ingress", "live_in", 1),
        ("order", run, "orders", "shadow_write", 1),
        ("order", "", "ingress", "live_in", 1),
        ("stock", run, "items", "read_live", 1),
        ("stock", run, "reservations", "shadow_write", 1),
        ("payment", run, "charges", "shadow_write", 1),
        ("fulfilment", run, "message", "shadow_in", 1),
        ("fulfilment", run, "shipments", "shadow_write", 1),
    ] {
        let values = [run, resource, outcome];
        let counted = shop.otlp.counter(service, "peakdrill.isolation.decisions", &values);
        assert_eq!(counted, count, "{service} {values:?}");
    }
    assert_eq!(shop.otlp.counter("payment", "peakdrill.isolation.decisions", &[run, "mocked"]), 1);
}
