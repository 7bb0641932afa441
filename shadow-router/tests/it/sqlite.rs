use std::path::Path;

use peakdrill_shadow_router::{Args, Outcome, PoolConfig, Router, SqlitePool, with};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};

use crate::support::*;

const RULES: &str = r#"{"v":1,"stores":[{"kind":"sqlite","service":"order",
    "mode":{"shadow_table":{"prefix":"shadow_"}},
    "tables":{"orders":"shadow","products":"read_live"}}]}"#;
const INSERT: &str = "INSERT INTO orders (id, n) VALUES (?, ?)";

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(std::time::Duration::from_secs(30))
}

/// The test's own connection, which knows nothing of classes.
struct Truth(SqliteConnection);

impl Truth {
    async fn new(path: &Path) -> Self {
        let mut connection = options(path).connect().await.unwrap();
        sqlx::raw_sql(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, n INTEGER);
             CREATE TABLE shadow_orders (id INTEGER PRIMARY KEY, n INTEGER);
             CREATE TABLE products (id INTEGER PRIMARY KEY, n INTEGER);
             CREATE TABLE secrets (id INTEGER);
             INSERT INTO products VALUES (1, 100);",
        )
        .execute(&mut connection)
        .await
        .unwrap();
        Self(connection)
    }

    async fn sum(&mut self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&mut self.0).await.unwrap()
    }
}

async fn set_up(folder: &tempfile::TempDir) -> (Router, SqlitePool, Truth) {
    let path = folder.path().join("orders.db");
    let truth = Truth::new(&path).await;
    let router = inner(RULES);
    let config = PoolConfig::new(options(&path)).connections(2, 2);
    let pool = SqlitePool::connect(&router, config).await.unwrap();
    (router, pool, truth)
}

#[tokio::test]
async fn live_and_shadow_rows_land_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (router, pool, mut truth) = set_up(&folder).await;
    let (live, shadow) = (live_work(&router), shadow_work(&router, 7));
    let insert = |id: i64| pool.execute(INSERT, Args::new().bind(id).bind(id * 10));
    assert_eq!(with(live.clone(), insert(1)).await.unwrap(), 1);
    assert_eq!(with(shadow.clone(), insert(1)).await.unwrap(), 1);
    assert_eq!(with(shadow.clone(), insert(2)).await.unwrap(), 1);
    assert_eq!(truth.sum("SELECT count(*) FROM orders").await, 1);
    assert_eq!(truth.sum("SELECT count(*) FROM shadow_orders").await, 2);

    let count = || pool.fetch_one("SELECT count(orders.id) FROM orders", Args::new());
    assert_eq!(with(live.clone(), count()).await.unwrap().get::<i64, _>(0), 1);
    assert_eq!(with(shadow.clone(), count()).await.unwrap().get::<i64, _>(0), 2);
    let upsert =
        "INSERT INTO orders (id, n) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET n = orders.n + excluded.n
        RETURNING orders.n";
    let row = with(shadow.clone(), pool.fetch_one(upsert, Args::new().bind(1).bind(5))).await.unwrap();
    assert_eq!(row.get::<i64, _>(0), 15);
    let update = "UPDATE orders SET n = orders.n + (SELECT max(n) FROM products) WHERE orders.id = ?";
    assert_eq!(with(shadow.clone(), pool.execute(update, Args::new().bind(1))).await.unwrap(), 1);
    assert_eq!(
        with(shadow.clone(), pool.execute("DELETE FROM orders WHERE id = 2", Args::new())).await.unwrap(),
        1
    );
    assert_eq!(truth.sum("SELECT n FROM orders").await, 10);
    assert_eq!(truth.sum("SELECT n FROM shadow_orders").await, 115);

    let products = pool.fetch_all("SELECT * FROM products", Args::new());
    assert_eq!(with(shadow.clone(), products).await.unwrap().len(), 1);
    for (resource, outcome, expected) in [
        ("orders", Outcome::LiveWrite, 1),
        ("orders", Outcome::LiveRead, 1),
        ("orders", Outcome::ShadowWrite, 5),
        ("orders", Outcome::ShadowRead, 1),
        ("products", Outcome::ReadLive, 2),
    ] {
        assert_eq!(counted(&router, resource, outcome), expected, "{resource} {outcome:?}");
    }
    let rows = router.ledger_snapshot();
    assert!(rows.iter().filter(|row| row.outcome == Outcome::ShadowWrite).all(|row| row.run == "run-1"));
}

#[tokio::test]
async fn what_may_not_be_touched_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (router, pool, mut truth) = set_up(&folder).await;
    let shadow = shadow_work(&router, 7);
    for (sql, code) in [
        ("UPDATE products SET n = 0", "read_live_write"),
        ("INSERT INTO secrets VALUES (1)", "undeclared"),
        ("INSERT INTO orders (id) VALUES (1); DELETE FROM products", "multi_statement"),
        ("DROP TABLE products", "unsafe_statement"),
        ("DELETE FROM products WHERE (", "unparseable"),
    ] {
        let error = with(shadow.clone(), pool.execute(sql, Args::new())).await.unwrap_err();
        assert_eq!(error.refused().unwrap().code(), code, "{sql}");
    }
    let live = with(live_work(&router), pool.execute("DELETE FROM shadow_orders", Args::new())).await;
    assert_eq!(live.unwrap_err().refused().unwrap().code(), "live_touches_shadow");
    let unknown = pool.execute("DELETE FROM products", Args::new()).await.unwrap_err();
    assert_eq!(unknown.refused().unwrap().code(), "unstamped");
    assert!(pool.begin().await.unwrap_err().is_refused());
    assert_eq!(truth.sum("SELECT sum(n) FROM products").await, 100);
    assert_eq!(truth.sum("SELECT count(*) FROM secrets").await, 0);

    let error = with(shadow, pool.fetch_one("SELECT * FROM orders", Args::new())).await.unwrap_err();
    assert!(error.is_database() && matches!(error.as_database(), Some(sqlx::Error::RowNotFound)));
}

#[tokio::test]
async fn a_transaction_belongs_to_the_work_that_began_it() {
    let folder = tempfile::tempdir().unwrap();
    let (router, pool, mut truth) = set_up(&folder).await;
    let (live, shadow) = (live_work(&router), shadow_work(&router, 7));
    let mut begun = with(shadow.clone(), pool.begin()).await.unwrap();
    let row = || Args::new().bind(1).bind(1);
    with(shadow.clone(), begun.execute(INSERT, row())).await.unwrap();
    for other in [Some(live.clone()), None] {
        let insert = begun.execute(INSERT, Args::new().bind(2).bind(2));
        let error = match other {
            Some(work) => with(work, insert).await.unwrap_err(),
            None => insert.await.unwrap_err(),
        };
        assert_eq!(error.refused().unwrap().code(), "class_changed");
    }
    // Another request of the same run is the same class.
    let read = begun.fetch_all("SELECT * FROM orders", Args::new());
    assert_eq!(with(shadow_work(&router, 8), read).await.unwrap().len(), 1);
    with(shadow.clone(), begun.commit()).await.unwrap();
    assert_eq!(truth.sum("SELECT count(*) FROM shadow_orders").await, 1);

    let mut begun = with(live.clone(), pool.begin()).await.unwrap();
    with(live.clone(), begun.execute(INSERT, row())).await.unwrap();
    let error = with(shadow, begun.commit()).await.unwrap_err();
    assert_eq!(error.refused().unwrap().code(), "class_changed");
    let mut begun = with(live.clone(), pool.begin()).await.unwrap();
    with(live.clone(), begun.execute(INSERT, row())).await.unwrap();
    begun.rollback().await.unwrap();
    assert_eq!(truth.sum("SELECT count(*) FROM orders").await, 0);
}

#[tokio::test]
async fn shadow_work_leaves_nothing_on_a_pooled_connection() {
    let folder = tempfile::tempdir().unwrap();
    let (router, pool, mut truth) = set_up(&folder).await;
    let shadow = shadow_work(&router, 7);
    for sql in ["BEGIN", "COMMIT", "SAVEPOINT a"] {
        let error = with(shadow.clone(), pool.execute(sql, Args::new())).await.unwrap_err();
        assert!(error.to_string().contains("`begin`"), "{error}");
    }
    let mut begun = with(shadow.clone(), pool.begin()).await.unwrap();
    let error = with(shadow.clone(), begun.execute("COMMIT", Args::new())).await.unwrap_err();
    assert_eq!(error.refused().unwrap().code(), "unsafe_statement");
    for (sql, id) in [("SAVEPOINT a", 1), ("ROLLBACK TO SAVEPOINT a", 2)] {
        with(shadow.clone(), begun.execute(sql, Args::new())).await.unwrap();
        with(shadow.clone(), begun.execute(INSERT, Args::new().bind(id).bind(id))).await.unwrap();
    }
    with(shadow, begun.commit()).await.unwrap();
    assert_eq!(truth.sum("SELECT sum(id) FROM shadow_orders").await, 2);
    // A transaction that live work begins by a statement is its own affair.
    assert!(with(live_work(&router), pool.execute("BEGIN", Args::new())).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_classes_at_once_stay_apart() {
    const EACH: i64 = 100;
    let folder = tempfile::tempdir().unwrap();
    let (router, pool, mut truth) = set_up(&folder).await;
    let (live, shadow) = (live_work(&router), shadow_work(&router, 7));
    let mut tasks = Vec::new();
    for id in 0..EACH {
        for (work, n) in [(live.clone(), 1), (shadow.clone(), 1_000)] {
            let pool = pool.clone();
            tasks.push(tokio::spawn(with(work, async move {
                pool.execute(INSERT, Args::new().bind(id).bind(n)).await.unwrap();
                let seen =
                    pool.fetch_one("SELECT n FROM orders WHERE id = ?", Args::new().bind(id)).await.unwrap();
                assert_eq!(seen.get::<i64, _>(0), n);
            })));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(truth.sum("SELECT sum(n) FROM orders").await, EACH);
    assert_eq!(truth.sum("SELECT sum(n) FROM shadow_orders").await, EACH * 1_000);
    assert_eq!(counted(&router, "orders", Outcome::ShadowWrite), EACH as u64);
    assert_eq!(counted(&router, "orders", Outcome::LiveWrite), EACH as u64);
    pool.close().await;
    truth.0.close().await.unwrap();
}
