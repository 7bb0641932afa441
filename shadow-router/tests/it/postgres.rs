use peakdrill_shadow_router::{Args, Outcome, PgPool, PoolConfig, Router, with};
use peakdrill_testkit::postgres::Postgres;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection, Row};

use crate::support::*;

fn rules(mode: &str) -> String {
    format!(
        r#"{{"v":1,"stores":[{{"kind":"postgres","service":"order","mode":{mode},
            "tables":{{"orders":"shadow","products":"read_live","audit":"shadow"}}}}]}}"#
    )
}

const TABLES: &str = "
    CREATE SCHEMA shadow;
    CREATE TABLE orders (id bigserial PRIMARY KEY, key text UNIQUE, n bigint NOT NULL DEFAULT 0);
    CREATE TABLE products (id bigint PRIMARY KEY, n bigint);
    CREATE TABLE audit (id bigint);
    CREATE TABLE shadow_orders (id bigserial PRIMARY KEY, key text UNIQUE, n bigint NOT NULL DEFAULT 0);
    CREATE TABLE shadow.orders (id bigserial PRIMARY KEY, key text UNIQUE, n bigint NOT NULL DEFAULT 0);
    -- A view that a careless hand has given the shadow's name: it writes into live data.
    CREATE VIEW shadow_audit AS SELECT * FROM audit;
    INSERT INTO products VALUES (1, 100);
    CREATE ROLE shadow_role LOGIN;
    GRANT USAGE ON SCHEMA shadow TO shadow_role;
    GRANT SELECT ON products TO shadow_role;
    GRANT ALL ON shadow_orders, shadow.orders TO shadow_role;
    GRANT ALL ON ALL SEQUENCES IN SCHEMA shadow TO shadow_role;
    GRANT ALL ON SEQUENCE shadow_orders_id_seq TO shadow_role;";

struct Fixture {
    _server: Postgres,
    options: PgConnectOptions,
    shadow_options: PgConnectOptions,
    truth: PgConnection,
}

impl Fixture {
    async fn new() -> Self {
        let server = tokio::task::spawn_blocking(Postgres::start).await.unwrap().unwrap();
        let options: PgConnectOptions = server.dsn().parse().unwrap();
        let mut truth = options.connect().await.unwrap();
        sqlx::raw_sql(TABLES).execute(&mut truth).await.unwrap();
        let shadow_options = server.dsn_as("shadow_role").parse().unwrap();
        Self { _server: server, options, shadow_options, truth }
    }

    async fn pool(&self, router: &Router) -> PgPool {
        let config = PoolConfig::new(self.options.clone()).shadow_options(self.shadow_options.clone());
        PgPool::connect(router, config.connections(4, 4)).await.unwrap()
    }

    async fn count(&mut self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&mut self.truth).await.unwrap()
    }
}

async fn place_orders(router: &Router, pool: &PgPool) {
    let (live, shadow) = (live_work(router), shadow_work(router, 7));
    let insert = "INSERT INTO orders (key, n) VALUES ($1, $2)
        ON CONFLICT (key) DO UPDATE SET n = orders.n + excluded.n RETURNING orders.id, orders.n";
    let place = |key: &'static str, n: i64| pool.fetch_one(insert, Args::new().bind(key).bind(n));
    with(live.clone(), place("a", 1)).await.unwrap();
    for (key, n, expected) in [("a", 10, 10), ("b", 20, 20), ("a", 5, 15)] {
        let row = with(shadow.clone(), place(key, n)).await.unwrap();
        assert_eq!(row.get::<i64, _>(1), expected);
    }
    let mut begun = with(shadow.clone(), pool.begin()).await.unwrap();
    let locked = "SELECT o.n FROM orders o JOIN products p ON p.id = 1 WHERE o.key = $1";
    let row = with(shadow.clone(), begun.fetch_one(locked, Args::new().bind("b"))).await.unwrap();
    assert_eq!(row.get::<i64, _>(0), 20);
    let moved = "WITH gone AS (DELETE FROM orders WHERE key = $1 RETURNING n)
        UPDATE orders SET n = orders.n + (SELECT sum(n)::bigint FROM gone) WHERE orders.key = $2";
    let changed = begun.execute(moved, Args::new().bind("b").bind("a"));
    assert_eq!(with(shadow.clone(), changed).await.unwrap(), 1);
    with(shadow.clone(), begun.commit()).await.unwrap();

    for (sql, code) in [
        ("SELECT nextval('orders_id_seq')", "unsafe_function"),
        ("SELECT * FROM products FOR UPDATE", "read_live_write"),
        ("TRUNCATE orders", "unsafe_statement"),
        ("COPY orders FROM STDIN", "unsafe_statement"),
        ("SELECT * FROM pg_stat_activity", "undeclared"),
    ] {
        let error = with(shadow.clone(), pool.execute(sql, Args::new())).await.unwrap_err();
        assert_eq!(error.refused().map(|refused| refused.code()), Some(code), "{sql}: {error}");
    }
    // The same text, prepared for both classes, at once.
    let reads = (0..40).map(|n| {
        let (pool, shadowed) = (pool.clone(), n % 2 == 0);
        let work = if shadowed { shadow.clone() } else { live.clone() };
        tokio::spawn(with(work, async move {
            let row =
                pool.fetch_one("SELECT n FROM orders WHERE key = $1", Args::new().bind("a")).await.unwrap();
            assert_eq!(row.get::<i64, _>(0), if shadowed { 35 } else { 1 });
        }))
    });
    for read in reads.collect::<Vec<_>>() {
        read.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_land_apart_and_the_server_agrees() {
    let mut fixture = Fixture::new().await;
    for (mode, shadow_rows) in [
        (r#"{"shadow_table":{"prefix":"shadow_"}}"#, "SELECT count(*) FROM shadow_orders"),
        (r#"{"shadow_schema":{"schema":"shadow"}}"#, "SELECT count(*) FROM shadow.orders"),
    ] {
        let router = inner(&rules(mode));
        let pool = fixture.pool(&router).await;
        place_orders(&router, &pool).await;
        assert_eq!(fixture.count("SELECT count(*) FROM orders").await, 1);
        assert_eq!(fixture.count("SELECT n FROM orders").await, 1);
        assert_eq!(fixture.count("SELECT last_value FROM orders_id_seq").await, 1);
        assert_eq!(fixture.count(shadow_rows).await, 1);
        assert_eq!(counted(&router, "orders", Outcome::LiveWrite), 1);
        assert_eq!(counted(&router, "orders", Outcome::ShadowWrite), 4);
        assert_eq!(counted(&router, "products", Outcome::ReadLive), 1);

        // A shadow that is none: what the rewriting cannot see, the role's rights stop.
        if mode.contains("table") {
            let audit = pool.execute("INSERT INTO audit VALUES (1)", Args::new());
            let error = with(shadow_work(&router, 9), audit).await.unwrap_err();
            assert!(error.is_database(), "{error}");
            assert_eq!(fixture.count("SELECT count(*) FROM audit").await, 0);
        }
        pool.close().await;
        sqlx::raw_sql("TRUNCATE orders RESTART IDENTITY").execute(&mut fixture.truth).await.unwrap();
    }
}
