use peakdrill_drill_model::plan::SqlMode;
use sqlx::AssertSqlSafe;

use super::*;

fn store(kind: &str, tables: &[(&str, &str)]) -> SqlStore {
    SqlStore {
        kind: kind.into(),
        service: "order".into(),
        mode: SqlMode::ShadowTable { prefix: "shadow_".into(), suffix: String::new() },
        tables: tables.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
        dsn: None,
    }
}

fn column(name: &str) -> Column {
    (name.into(), "TEXT".into(), false, 0)
}

fn found(store: &SqlStore, beside: &[&SqlStore], seen: &Seen) -> Vec<String> {
    problems(store, &rules(store).unwrap(), beside, seen)
}

fn tables(names: &[&str]) -> Seen {
    let tables = names.iter().map(|name| ((*name).to_owned(), vec![column("id")])).collect();
    Seen { tables, ..Seen::default() }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn a_missing_or_different_shadow_is_a_problem() {
    let both = store("sqlite", &[("orders", "shadow"), ("items", "shadow"), ("products", "read_live")]);
    let tables = Tables::from([
        ("orders".into(), vec![column("id"), column("sku")]),
        ("shadow_orders".into(), vec![column("id")]),
        ("items".into(), vec![column("id")]),
    ]);
    let problems = found(&both, &[], &Seen { tables, ..Seen::default() });
    assert_eq!(problems.len(), 2);
    assert!(problems.iter().any(|text| text.contains("`sku TEXT` differs or is missing")));
    assert!(problems.iter().any(|text| text.contains("`shadow_items` is not there")));
}

#[test]
fn a_star_covers_every_other_live_table() {
    let all = store("sqlite", &[("*", "shadow")]);
    let tables = Tables::from([
        ("orders".into(), vec![column("id")]),
        ("shadow_orders".into(), vec![column("id")]),
        ("carts".into(), vec![column("id")]),
    ]);
    assert_eq!(found(&all, &[], &Seen { tables, ..Seen::default() }).len(), 1);
}

#[test]
fn what_is_the_shadow_of_what_is_decided_by_the_rules() {
    // The shadow of a table with a schema stands beside it.
    let sales = store("postgres", &[("sales.orders", "shadow")]);
    assert_eq!(found(&sales, &[], &tables(&["sales.orders", "sales.shadow_orders"])), [""; 0]);
    let missing = found(&sales, &[], &tables(&["sales.orders", "shadow_sales.orders"]));
    assert!(missing.len() == 1 && missing[0].contains("`sales.shadow_orders` is not there"), "{missing:?}");
    // The star means the default schema.
    let all = store("postgres", &[("*", "shadow")]);
    assert_eq!(found(&all, &[], &tables(&["orders", "shadow_orders", "sales.orders"])), [""; 0]);
    // A shadow has the prefix and the suffix.
    let mode = SqlMode::ShadowTable { prefix: "sh_".into(), suffix: "_x".into() };
    let both = SqlStore { mode, ..all };
    let missing = found(&both, &[], &tables(&["sh_foo", "bar", "sh_bar_x"]));
    assert!(missing.len() == 1 && missing[0].contains("`sh_sh_foo_x` is not there"), "{missing:?}");
    // SQLite has one table of each name, whatever its case.
    let folded = store("sqlite", &[("Orders", "shadow"), ("*", "shadow")]);
    assert_eq!(found(&folded, &[], &tables(&["ORDERS", "Shadow_Orders", "sqlite_sequence"])), [""; 0]);
}

#[test]
fn rules_that_no_service_takes_are_a_problem() {
    let wrong = store("postgres", &[("orders", "shadow"), ("shadow_orders", "read_live")]);
    let checked = run(check(&wrong, None, &[]));
    assert!(checked.problems[0].contains("no service would take these rules"), "{:?}", checked.problems);
}

#[test]
fn stores_that_a_service_would_not_take_together_are_a_problem() {
    let orders = store("postgres", &[("orders", "shadow")]);
    let items = store("postgres", &[("items", "shadow")]);
    let other = SqlStore { service: "other".into(), ..items.clone() };
    assert!(refused(&[orders.clone(), other]).is_empty());
    let both = [orders.clone(), items];
    let told = refused(&both);
    let why = &told[orders.service.as_str()];
    assert!(told.len() == 1 && why.contains("two stores of the kind"), "{told:?}");
}

#[test]
fn shadow_tables_of_another_service_in_the_same_database_are_shadow_tables() {
    let order = store("postgres", &[("orders", "shadow")]);
    let stock = store("postgres", &[("items", "shadow")]);
    let names = ["orders", "shadow_orders", "items", "shadow_items"];
    let tables = names.map(|name| (name.to_owned(), vec![column("id")])).into_iter().collect();
    let reference =
        Effect::Reference { table: "shadow_orders".into(), column: "item".into(), to: "shadow_items".into() };
    let seen = Seen { tables, effects: BTreeSet::from([reference]), ..Seen::default() };
    for (one, other) in [(&order, &stock), (&stock, &order)] {
        assert_eq!(found(one, &[other], &seen), [""; 0]);
        assert_eq!(found(one, &[], &seen).len(), 1, "an undeclared table is a live one");
    }
}

#[test]
fn a_store_that_lets_nobody_in_is_an_error_and_not_a_wait_without_end() {
    // The system takes the connection; nobody ever speaks on it.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dsn = format!("postgres://u:secret@{}/d", silent.local_addr().unwrap());
    let store = store("postgres", &[("orders", "shadow")]);
    let error = run(look(&store, &rules(&store).unwrap(), &dsn, Duration::from_millis(50))).unwrap_err();
    assert!(error.contains("did not let preflight in"), "{error}");
}

/// The problems that the statements make, asked of the real server.
async fn on_postgres(dsn: &str, tables: &[(&str, &str)], changes: &str) -> Vec<String> {
    let mut connection = dsn.parse::<sqlx::postgres::PgConnectOptions>().unwrap().connect().await.unwrap();
    let fresh = format!("DROP SCHEMA public CASCADE; CREATE SCHEMA public; {POSTGRES_TABLES}; {changes}");
    sqlx::raw_sql(AssertSqlSafe(fresh)).execute(&mut connection).await.unwrap();
    let checked = check(&store("postgres", tables), Some(dsn), &[]).await;
    assert_eq!(checked.unobserved, None);
    checked.problems
}

const POSTGRES_TABLES: &str = "
    CREATE TABLE orders (id bigserial PRIMARY KEY, item bigint);
    CREATE TABLE items (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
    CREATE TABLE shadow_items (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
    CREATE TABLE shadow_orders (id bigserial PRIMARY KEY, item bigint);
    CREATE TABLE audit (id bigint);
    CREATE FUNCTION copy() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO audit VALUES (NEW.id); RETURN NEW; END'";

#[test]
fn what_postgres_does_by_itself_may_not_reach_live_data() {
    let server = peakdrill_testkit::postgres::Postgres::start().unwrap();
    let tables = [("orders", "shadow"), ("items", "shadow")];
    for (changes, expected) in [
        ("", vec![]),
        // A foreign key between shadows, and a sequence that is owned by a shadow under any name.
        (
            "ALTER TABLE shadow_orders ADD FOREIGN KEY (item) REFERENCES shadow_items;
             CREATE SEQUENCE s OWNED BY shadow_orders.id;
             ALTER TABLE shadow_orders ALTER COLUMN id SET DEFAULT nextval('s')",
            vec![],
        ),
        (
            "DROP TABLE shadow_orders; CREATE TABLE shadow_orders (LIKE orders INCLUDING ALL)",
            vec!["`shadow_orders.id`", "`orders_id_seq`", "CREATE SEQUENCE", "SET DEFAULT nextval("],
        ),
        (
            "ALTER TABLE shadow_orders ALTER COLUMN id SET DEFAULT nextval('orders_id_seq'::text)",
            vec!["`shadow_orders.id`", "looked up by name"],
        ),
        (
            "CREATE SEQUENCE loose; ALTER TABLE shadow_orders ALTER COLUMN item SET DEFAULT nextval('loose')",
            vec!["`shadow_orders.item`", "`loose`"],
        ),
        (
            "CREATE TRIGGER copies AFTER INSERT ON shadow_orders FOR EACH ROW EXECUTE FUNCTION copy()",
            vec!["trigger `copies` on `shadow_orders`", "DROP TRIGGER copies ON shadow_orders"],
        ),
        (
            "CREATE RULE also AS ON INSERT TO shadow_orders DO ALSO INSERT INTO audit VALUES (1)",
            vec!["rule `also` on `shadow_orders`"],
        ),
        (
            "ALTER TABLE shadow_orders ADD FOREIGN KEY (item) REFERENCES items",
            vec!["`shadow_orders.item`", "live table `items`"],
        ),
        (
            "ALTER TABLE orders ADD FOREIGN KEY (item) REFERENCES shadow_items ON DELETE CASCADE",
            vec!["live column `orders.item`", "shadow table `shadow_items`"],
        ),
        // What live tables do among themselves is no matter.
        (
            "CREATE TRIGGER copies AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION copy();
             ALTER TABLE orders ADD FOREIGN KEY (item) REFERENCES items",
            vec![],
        ),
    ] {
        let problems = run(on_postgres(&server.dsn(), &tables, changes));
        assert_eq!(problems.len(), usize::from(!expected.is_empty()), "{changes}: {problems:?}");
        for part in expected {
            assert!(problems[0].contains(part), "{changes}: {problems:?}");
        }
    }
    // The advice is one that preflight takes.
    let advice = foreign_sequence("shadow_orders", "id", Some("orders_id_seq"));
    let (_, statements) = advice.split_once("of its own: ").unwrap();
    let like = "DROP TABLE shadow_orders; CREATE TABLE shadow_orders (LIKE orders INCLUDING ALL)";
    let mended = run(on_postgres(&server.dsn(), &tables, &format!("{like}; {statements}")));
    assert_eq!(mended, Vec::<String>::new());
}

#[test]
fn what_postgres_does_to_a_partition_it_does_to_the_table() {
    let server = peakdrill_testkit::postgres::Postgres::start().unwrap();
    let parted = "CREATE TABLE shadow_audit (id bigint) PARTITION BY RANGE (id);
        CREATE TABLE part PARTITION OF shadow_audit DEFAULT;
        CREATE TRIGGER copies AFTER INSERT ON part FOR EACH ROW EXECUTE FUNCTION copy()";
    let problems = run(on_postgres(&server.dsn(), &[("audit", "shadow")], parted));
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("trigger `copies` on `shadow_audit`"), "{problems:?}");
}

#[test]
fn shadows_without_rows_beside_live_tables_with_rows_are_told() {
    let server = peakdrill_testkit::postgres::Postgres::start().unwrap();
    let dsn = server.dsn();
    let of = |tables: &[(&str, &str)], changes: &str| {
        run(async {
            assert_eq!(on_postgres(&dsn, tables, changes).await, [""; 0]);
            check(&store("postgres", tables), Some(&dsn), &[]).await.empty
        })
    };
    let empty = |changes: &str| of(&[("orders", "shadow"), ("items", "shadow")], changes);
    assert_eq!(empty(""), [""; 0], "there is nothing live either");
    let live = "INSERT INTO orders (item) VALUES (1); INSERT INTO items DEFAULT VALUES";
    assert_eq!(empty(live), ["items", "orders"]);
    assert_eq!(empty(&format!("{live}; INSERT INTO shadow_orders (item) VALUES (1)")), ["items"]);
    assert_eq!(empty(&format!("{live}; DELETE FROM orders")), ["items"], "it has pages, and no rows");
    let deleted = "INSERT INTO shadow_orders (item) VALUES (1); DELETE FROM shadow_orders";
    assert_eq!(empty(&format!("{live}; {deleted}")), ["items", "orders"]);
    assert_eq!(of(&[("orders", "shadow")], live), ["orders"], "the other is not declared");

    let parted = "CREATE TABLE \"Log\" (id bigint) PARTITION BY RANGE (id);
        CREATE TABLE part PARTITION OF \"Log\" DEFAULT;
        CREATE TABLE \"shadow_Log\" (id bigint) PARTITION BY RANGE (id);
        CREATE TABLE shadow_part PARTITION OF \"shadow_Log\" DEFAULT";
    let empty = |changes: &str| of(&[("Log", "shadow")], &format!("{parted}; {changes}"));
    assert_eq!(empty(""), [""; 0], "there is nothing live either");
    assert_eq!(empty("INSERT INTO \"Log\" VALUES (1)"), ["Log"]);
    assert_eq!(empty("INSERT INTO \"Log\" VALUES (1); INSERT INTO \"shadow_Log\" VALUES (1)"), [""; 0]);
}

#[test]
fn what_is_not_known_of_rows_refuses_no_drill() {
    let server = peakdrill_testkit::postgres::Postgres::start().unwrap();
    let dsn = server.dsn();
    run(async {
        let tables = [("orders", "shadow"), ("items", "shadow")];
        let live = "INSERT INTO orders (item) VALUES (1); INSERT INTO items DEFAULT VALUES;
            CREATE TABLE other (id bigint)";
        assert_eq!(on_postgres(&dsn, &tables, live).await, [""; 0]);
        let mut holder = dsn.parse::<sqlx::postgres::PgConnectOptions>().unwrap().connect().await.unwrap();
        let lock = "BEGIN; LOCK TABLE items, other";
        sqlx::raw_sql(lock).execute(&mut holder).await.unwrap();
        let checked = check(&store("postgres", &tables), Some(&dsn), &[]).await;
        assert_eq!((checked.problems, checked.empty), (vec![], vec!["orders".to_owned()]));
    });
    let all = store("postgres", &[("orders", "shadow")]);
    let tables = tables(&["orders", "shadow_orders"]).tables;
    let limit = Duration::from_millis(10);
    let never = async |_: String| std::future::pending::<Option<bool>>().await;
    assert_eq!(run(empty_shadows(&rules(&all).unwrap(), &tables, limit, never)), [""; 0]);
}

#[test]
fn shadows_without_rows_are_told_of_sqlite_too() {
    let folder = tempfile::tempdir().unwrap();
    let empty = |name: &str, changes: &str| {
        run(async {
            let dsn = format!("sqlite://{}", folder.path().join(name).display());
            let options: sqlx::sqlite::SqliteConnectOptions = dsn.parse().unwrap();
            let mut connection = options.create_if_missing(true).connect().await.unwrap();
            let tables = "CREATE TABLE Orders (id INTEGER PRIMARY KEY);
                CREATE TABLE shadow_orders (id INTEGER PRIMARY KEY); CREATE TABLE \"a \"\" name\" (id INTEGER);
                CREATE TABLE \"shadow_a \"\" name\" (id INTEGER); INSERT INTO \"a \"\" name\" VALUES (1);";
            let statements = AssertSqlSafe(format!("{tables} {changes}"));
            sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
            let both = store("sqlite", &[("orders", "shadow"), ("a \" name", "shadow")]);
            let checked = check(&both, Some(&dsn), &[]).await;
            assert_eq!(checked.problems, [""; 0]);
            checked.empty
        })
    };
    assert_eq!(empty("a", ""), ["a \" name"]);
    assert_eq!(empty("b", "INSERT INTO orders VALUES (1)"), ["a \" name", "orders"]);
    let both = "INSERT INTO orders VALUES (1); INSERT INTO shadow_orders VALUES (1)";
    assert_eq!(empty("c", both), ["a \" name"]);
}

async fn sqlite_with(changes: &str) -> Seen {
    let options: sqlx::sqlite::SqliteConnectOptions = "sqlite::memory:".parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    let tables = "CREATE TABLE items (id INTEGER PRIMARY KEY);
        CREATE TABLE shadow_items (id INTEGER PRIMARY KEY);
        CREATE TABLE orders (id INTEGER PRIMARY KEY, item INTEGER);";
    sqlx::raw_sql(AssertSqlSafe(format!("{tables} {changes}"))).execute(&mut connection).await.unwrap();
    sqlite(&mut connection).await.unwrap()
}

async fn on_sqlite(changes: &str) -> Vec<String> {
    let both = store("sqlite", &[("orders", "shadow"), ("items", "shadow")]);
    found(&both, &[], &sqlite_with(changes).await)
}

#[test]
fn what_sqlite_does_by_itself_may_not_reach_live_data() {
    let shadow = "CREATE TABLE shadow_orders (id INTEGER PRIMARY KEY, item INTEGER REFERENCES";
    for (changes, expected) in [
        (format!("{shadow} Shadow_Items)"), ""),
        (format!("{shadow} items)"), "`shadow_orders.item` refers to the live table `items`"),
        (
            format!(
                "{shadow} shadow_items); CREATE TRIGGER copies AFTER INSERT ON Shadow_Orders
                 BEGIN DELETE FROM orders; END"
            ),
            "trigger `copies`",
        ),
    ] {
        let problems = run(on_sqlite(&changes));
        assert_eq!(problems.len(), usize::from(!expected.is_empty()), "{changes}: {problems:?}");
        assert!(problems.iter().all(|text| text.contains(expected)), "{problems:?}");
    }
}
