//! Opening and closing, and the live users' own counts.

use std::collections::BTreeSet;

use peakdrill_demo_shop::{Bottleneck, Error, LiveCounts, LiveUsers};

use crate::fixture::{PATIENCE, Shop};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_users_count_exactly_what_they_did() {
    let shop = Shop::open(|config| config.live = LiveUsers { orders_per_s: 40.0, browses_per_s: 20.0 }).await;
    let until = tokio::time::Instant::now() + PATIENCE;
    let counts = |shop: &Shop| serde_json::from_value::<LiveCounts>(shop.json("live-users.json")).unwrap();
    let mut shadow_orders = 0;
    while counts(&shop).orders_placed < 40 {
        assert!(tokio::time::Instant::now() < until, "{:?}", counts(&shop));
        assert_eq!(shop.order(&format!("s-{shadow_orders}"), &shop.control.tag().0).await.status, 201);
        shadow_orders += 1;
    }
    let shop = shop.close().await;
    let counts: LiveCounts = serde_json::from_value(shop.json("live-users.json")).unwrap();
    assert_eq!((counts.orders_rejected, counts.orders_unknown, counts.orders_skipped), (0, 0, 0));
    assert_eq!(counts.orders_sent, counts.orders_placed);
    assert!(counts.browses_ok > 0 && counts.browses_failed == 0, "{counts:?}");
    let lines = std::fs::read_to_string(shop.addresses.dir.join("live-orders.jsonl")).unwrap();
    let keys: BTreeSet<String> = lines
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["key"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(keys.len() as u64, counts.orders_placed);
    for (database, table) in [("order-db", "orders"), ("fulfilment-db", "shipments")] {
        let rows: BTreeSet<String> =
            shop.column(database, table, "idempotency_key").await.into_iter().collect();
        assert_eq!(rows, keys, "{table}");
    }
    let shadow_rows = shop.column("order-db", "shadow_orders", "id").await.len();
    assert_eq!(shadow_rows, shadow_orders);
    assert_eq!(shop.json("bank.json")["calls"], counts.orders_placed);
    assert_eq!(shop.json("bank.json")["shadow_calls"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_in_use_is_left_alone() {
    let shop = Shop::open(|config| config.bottleneck = Bottleneck::Bank).await;
    assert_eq!(shop.json("truth.json")["bottleneck"], "bank");
    assert_eq!(shop.json("truth.json")["nodes"]["bank"]["ops_per_s"], 100.0);
    let dir = shop.addresses.dir.clone();
    let config = shop.config.clone();
    let again = peakdrill_demo_shop::run(config, |_| panic!("it opened"), async {}).await;
    assert!(matches!(again, Err(Error::DirInUse(used)) if used == dir));
    let health = shop.get(format!("{}/healthz", shop.addresses.bank), &[]).await;
    assert_eq!(health.status, 200);
    shop.close().await;
}
