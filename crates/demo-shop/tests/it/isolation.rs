//! Live and shadow orders land apart, and nothing else gets in.

use std::sync::Arc;

use peakdrill_demo_shop::Bottleneck;
use peakdrill_shadow_tag::RunState;
use serde_json::json;
use tokio::task::JoinSet;

use crate::fixture::{PATIENCE, Shop, now_s};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_land_where_they_belong() {
    let shop = Shop::open(|_| {}).await;
    let answer = shop.order("live-a", &[]).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.header("x-peakdrill-ack"), "");
    assert_eq!(answer.body["id"], "ord-live-a");
    let (tag, trace) = shop.control.tag();
    let answer = shop.order("shadow-a", &tag).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.header("x-peakdrill-ack"), &trace[16..]);

    // Each class sees its own orders and not the other's; both see the same items.
    let url = |id: &str| format!("{}/orders/{id}", shop.addresses.gateway);
    assert_eq!(shop.get(url("ord-live-a"), &[]).await.status, 200);
    assert_eq!(shop.get(url("ord-shadow-a"), &[]).await.status, 404);
    assert_eq!(shop.get(url("ord-shadow-a"), &shop.control.tag().0).await.body["qty"], 2);
    assert_eq!(shop.get(url("ord-live-a"), &shop.control.tag().0).await.status, 404);
    let items = format!("{}/items", shop.addresses.gateway);
    let live = shop.get(items.clone(), &[]).await;
    assert_eq!((live.status, live.body.as_array().map(Vec::len)), (200, Some(20)));
    assert_eq!(shop.get(items, &shop.control.tag().0).await.body, live.body);

    let again = shop.order("live-a", &[]).await;
    assert_eq!((again.status, again.body["error"]["code"].as_str()), (409, Some("duplicate")));

    // What was queued has been processed once the shop has closed.
    let column = async |database: &str, table: &str, column: &str, expect: &[&str]| {
        assert_eq!(shop.column(database, table, column).await, expect, "{database} {table}");
    };
    for (database, table) in [("order-db", "orders"), ("stock-db", "reservations"), ("payment-db", "charges")]
    {
        column(database, table, "idempotency_key", &["live-a"]).await;
        column(database, &format!("shadow_{table}"), "idempotency_key", &["shadow-a"]).await;
    }
    column("order-db", "order_items", "order_id", &["ord-live-a"]).await;
    column("order-db", "shadow_order_items", "order_id", &["ord-shadow-a"]).await;
    let shop = shop.close().await;
    assert_eq!(shop.column("fulfilment-db", "shipments", "idempotency_key").await, ["live-a"]);
    assert_eq!(shop.column("fulfilment-db", "shadow_shipments", "idempotency_key").await, ["shadow-a"]);
    // The bank was called for the live order and its repetition, without anything of ours.
    let bank = shop.json("bank.json");
    let expected =
        json!({"calls": 2, "shadow_calls": 0, "tagged_calls": 0, "marked_calls": 0, "stamped_calls": 0});
    assert_eq!(bank, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_verify_is_refused_everywhere() {
    let shop = Shop::open(|_| {}).await;
    let token = shop.control.token();
    let (_, traceparent) = shop.control.trace();
    let forged = {
        let (head, tail) = token.split_at(token.len() - 2);
        format!("{head}{}", if tail == "AA" { "BA" } else { "AA" })
    };
    let old = shop.control.key.mint(shop.control.env, shop.control.run, now_s() - 100, now_s() - 40).unwrap();
    let other = "run-2".parse().unwrap();
    let unknown = shop.control.key.mint_lease(shop.control.env, other, now_s()).unwrap();
    for (token, code) in [
        (forged.as_str(), "bad_signature"),
        (old.as_str(), "expired"),
        (unknown.as_str(), "run_unknown"),
        ("pd1.nonsense", "malformed_token"),
    ] {
        let headers = [("x-peakdrill", token.to_owned()), ("traceparent", traceparent.clone())];
        let at_edge = shop.order("refused-1", &headers).await;
        let body = json!({"idempotency_key": "refused-2", "sku": "sku-007", "qty": 1});
        let inside = shop.post(format!("{}/reserve", shop.addresses.stock), body, &headers).await;
        for answer in [at_edge, inside] {
            assert!((400..500).contains(&answer.status), "{code}: {answer:?}");
            assert_eq!(answer.header("x-peakdrill-refused"), code, "{answer:?}");
        }
    }
    // Without stamp and tag, an inner hop refuses what the gateway would take for live.
    let items = shop.get(format!("{}/items", shop.addresses.stock), &[]).await;
    assert_eq!((items.status, items.header("x-peakdrill-refused")), (403, "unstamped"));
    // A mark alone is not accepted at the edge, since trace ids stand in logs.
    let marked = shop.order("refused-3", &[("traceparent", traceparent)]).await;
    assert_eq!((marked.status, marked.header("x-peakdrill-refused")), (403, "mark_alone_at_edge"));
    for table in ["reservations", "shadow_reservations"] {
        assert!(shop.column("stock-db", table, "idempotency_key").await.is_empty(), "{table}");
    }
    shop.close().await;
}

/// Closes the run and waits until the gateway has learnt of it.
async fn close_the_run(shop: &Shop) {
    std::fs::write(shop.dir.path().join("runs.json"), shop.control.runs_json(RunState::Closed)).unwrap();
    let items = format!("{}/items", shop.addresses.gateway);
    let until = std::time::Instant::now() + PATIENCE;
    let refused = loop {
        let answer = shop.get(items.clone(), &shop.control.tag().0).await;
        // One that was on its way when the run closed is refused further in, with another status.
        if answer.status == 409 || std::time::Instant::now() > until {
            break answer;
        }
    };
    assert_eq!((refused.status, refused.header("x-peakdrill-refused")), (409, "run_closed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_closes_is_refused_and_live_goes_on() {
    let shop = Shop::open(|_| {}).await;
    assert_eq!(shop.order("shadow-1", &shop.control.tag().0).await.status, 201);
    close_the_run(&shop).await;
    assert_eq!(shop.get(format!("{}/items", shop.addresses.gateway), &[]).await.status, 200);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_a_closed_run_are_set_aside_and_live_ones_processed() {
    const ORDERS: usize = 400;
    let shop = Arc::new(Shop::open(|config| config.bottleneck = Bottleneck::Queue).await);
    let mut orders = JoinSet::new();
    for number in 0..ORDERS {
        let shop = Arc::clone(&shop);
        orders.spawn(async move { shop.order(&format!("s-{number}"), &shop.control.tag().0).await.status });
    }
    assert!(orders.join_all().await.into_iter().all(|status| status == 201));
    assert_eq!(shop.order("live-1", &[]).await.status, 201);
    close_the_run(&shop).await;
    let Some(shop) = Arc::into_inner(shop) else { panic!("still in use") };
    let shop = shop.close().await;
    let shipped = shop.column("fulfilment-db", "shadow_shipments", "order_id").await.len();
    let aside = std::fs::read_to_string(shop.addresses.dir.join("quarantine.jsonl")).unwrap();
    assert!(aside.lines().all(|line| line.contains(r#""code":"run_closed""#)), "{aside}");
    assert!(aside.lines().count() > 0);
    assert_eq!(shipped + aside.lines().count(), ORDERS);
    assert_eq!(shop.column("fulfilment-db", "shipments", "idempotency_key").await, ["live-1"]);
}
