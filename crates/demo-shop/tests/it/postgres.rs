//! Orders in PostgreSQL.

use peakdrill_demo_shop::{Error, OrderDatabase};
use peakdrill_testkit::postgres::Postgres;

use crate::fixture::Shop;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_land_where_they_belong_in_postgresql() {
    let server = tokio::task::spawn_blocking(Postgres::start).await.unwrap().unwrap();
    let dsn = server.dsn();
    let shop = Shop::open(|config| config.orders = OrderDatabase::Postgres(dsn.clone())).await;
    assert_eq!(shop.addresses.databases["order-db"], dsn);
    let (tag, trace) = shop.control.tag();
    assert_eq!(shop.order("shadow-1", &tag).await.status, 201);
    assert_eq!(shop.order("live-1", &[]).await.status, 201);
    assert_eq!(shop.order("live-1", &[]).await.status, 409);
    let url = format!("{}/orders/ord-shadow-1", shop.addresses.gateway);
    assert_eq!(shop.get(url.clone(), &shop.control.tag().0).await.body["qty"], 2);
    assert_eq!(shop.get(url, &[]).await.status, 404);
    assert_eq!(shop.column("order-db", "orders", "idempotency_key").await, ["live-1"]);
    assert_eq!(shop.column("order-db", "shadow_orders", "idempotency_key").await, ["shadow-1"]);
    assert_eq!(shop.column("order-db", "shadow_order_items", "order_id").await, ["ord-shadow-1"]);

    // A database that holds the tables already is not taken for a new shop.
    let mut again = shop.config.clone();
    again.dir = shop.dir.path().join("again");
    let again = peakdrill_demo_shop::run(again, |_| panic!("it opened"), async {}).await;
    assert!(matches!(again, Err(Error::Database { database: "order-db", .. })), "{again:?}");

    let shop = shop.close().await;
    let insert = |span: &&crate::otlp::Span| span.attribute("db.query.summary") == "INSERT orders";
    let spans = shop.trace(&trace);
    assert_eq!(spans.iter().find(insert).unwrap().attribute("db.system.name"), "postgresql");
}
