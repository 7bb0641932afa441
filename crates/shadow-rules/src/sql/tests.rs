mod corpus;
mod grammar;

use peakdrill_drill_model::ledger::Outcome;
use peakdrill_shadow_tag::{By, Class, RunState, Shadow};

use super::{Decision, DecisionCache, GENERATION_MAX_ENTRIES, Place, decide};
use crate::rules::SqlRules;
use crate::{Dialect, Mode, Rules};

/// `orders`, `items` and `other.ledger` are shadowed, `products` is read live, `secrets` is denied, all else is not
/// declared; except with `*`, where all else is shadowed.
fn rules(dialect: Dialect, mode: &str, star: bool) -> SqlRules {
    let star = if star { r#","*":"shadow""# } else { "" };
    let other = if mode.contains("schema") { "" } else { r#","other.ledger":"shadow""# };
    let text = format!(
        r#"{{"v":1,"stores":[{{"kind":"{}","service":"s","mode":{mode},"tables":{{"orders":"shadow",
            "items":"shadow","products":"read_live","secrets":"deny"{star}{other}}}}}]}}"#,
        dialect.text()
    );
    Rules::from_json(&text, "s").unwrap().sql(dialect).clone()
}

const PREFIX: &str = r#"{"shadow_table":{"prefix":"shadow_"}}"#;
const SCHEMA: &str = r#"{"shadow_schema":{"schema":"shadow"}}"#;

fn shadow(state: RunState) -> Class {
    let (run, env) = ("r".parse().unwrap(), "e".parse().unwrap());
    Class::Shadow(Shadow { run, env, state, by: By::Token })
}

fn rewritten(rules: &SqlRules, sql: &str) -> String {
    match rules.decide_shadow(sql) {
        Ok(decision) => decision.sql().unwrap_or("control").to_owned(),
        Err(refused) => format!("{}: {}", refused.code(), refused.resource()),
    }
}

#[test]
fn what_the_demo_does_is_shadowed() {
    let sqlite = rules(Dialect::Sqlite, PREFIX, false);
    let postgres = rules(Dialect::Postgres, PREFIX, false);
    assert_eq!(
        rewritten(&sqlite, "INSERT INTO orders (id, sku) VALUES (?1, ?)"),
        r#"INSERT INTO "shadow_orders" (id, sku) VALUES (?1, ?)"#
    );
    for (sql, expected) in [
        (
            "insert into orders(id,n) values($1,$2) on conflict(id) do update set n = orders.n + excluded.n returning orders.n",
            r#"INSERT INTO "shadow_orders" (id, n) VALUES ($1, $2) ON CONFLICT(id) DO UPDATE SET n = "shadow_orders".n + excluded.n RETURNING "shadow_orders".n"#,
        ),
        ("SELECT id FROM orders", r#"SELECT id FROM "shadow_orders" AS orders"#),
        (
            "SELECT orders.id FROM orders WHERE orders.id IN (SELECT i.o FROM items i)",
            r#"SELECT orders.id FROM "shadow_orders" AS orders WHERE orders.id IN (SELECT i.o FROM "shadow_items" i)"#,
        ),
        (
            "UPDATE orders SET n = n - 1 WHERE id = $1 AND n > 0",
            r#"UPDATE "shadow_orders" AS orders SET n = n - 1 WHERE id = $1 AND n > 0"#,
        ),
        (
            "DELETE FROM items WHERE o = $1 RETURNING *",
            r#"DELETE FROM "shadow_items" AS items WHERE o = $1 RETURNING *"#,
        ),
        ("SELECT * FROM products p", "SELECT * FROM products p"),
        ("BEGIN", "control"),
        ("COMMIT", "control"),
        ("SAVEPOINT a", "control"),
        ("ROLLBACK TO SAVEPOINT a", "control"),
    ] {
        assert_eq!(rewritten(&sqlite, sql), expected);
        assert_eq!(rewritten(&postgres, sql), expected);
    }
    assert_eq!(rewritten(&postgres, "SET LOCAL statement_timeout = 100"), "control");
    assert_eq!(rewritten(&postgres, "SET search_path = shadow"), "unsafe_statement: sql");
}

#[test]
fn what_steers_the_session_has_its_place() {
    let rules = rules(Dialect::Postgres, PREFIX, false);
    let refused = |sql: &str, place| {
        rules.decide_shadow(sql).unwrap().check_place(place).map_err(|refused| refused.code())
    };
    for (sql, in_transaction) in [
        ("BEGIN", false),
        ("COMMIT", false),
        ("ROLLBACK", false),
        ("SET statement_timeout = 100", false),
        ("SET SESSION statement_timeout = 100", false),
        ("SET LOCAL statement_timeout = 100", true),
        ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", true),
        ("SAVEPOINT a", true),
        ("RELEASE SAVEPOINT a", true),
        ("ROLLBACK TO SAVEPOINT a", true),
    ] {
        assert_eq!(refused(sql, Place::Pool), Err("unsafe_statement"), "{sql}");
        assert_eq!(refused(sql, Place::Transaction).is_ok(), in_transaction, "{sql}");
    }
    for place in [Place::Pool, Place::Transaction] {
        assert_eq!(refused("SELECT * FROM orders", place), Ok(()));
    }
}

#[test]
fn schemas_are_minded() {
    let by_schema = rules(Dialect::Postgres, SCHEMA, false);
    let by_prefix = rules(Dialect::Postgres, PREFIX, false);
    let sql = "SELECT * FROM public.orders";
    assert_eq!(rewritten(&by_schema, sql), r#"SELECT * FROM "shadow"."orders" AS orders"#);
    assert_eq!(rewritten(&by_prefix, sql), r#"SELECT * FROM "public"."shadow_orders" AS orders"#);
    let sql = "SELECT * FROM other.ledger";
    assert_eq!(rewritten(&by_schema, sql), "undeclared: other.ledger");
    assert_eq!(rewritten(&by_prefix, sql), r#"SELECT * FROM "other"."shadow_ledger" AS ledger"#);
    // A table of the same name in a schema that nobody declared is another table.
    assert_eq!(rewritten(&by_prefix, "SELECT * FROM other.orders"), "undeclared: other.orders");
    let star = rules(Dialect::Postgres, PREFIX, true);
    for system in ["pg_class", "pg_catalog.pg_class", "information_schema.tables", "other.orders"] {
        assert_eq!(rewritten(&star, &format!("SELECT 1 FROM {system}")), format!("undeclared: {system}"));
    }
}

#[test]
fn counts_are_by_table_and_outcome() {
    let rules = rules(Dialect::Postgres, PREFIX, false);
    let touched = |sql| -> Vec<(String, Outcome)> {
        let decision = rules.decide_shadow(sql).unwrap();
        decision.touched().iter().map(|t| (t.resource.to_string(), t.outcome)).collect()
    };
    let row = |resource: &str, outcome| (resource.to_owned(), outcome);
    assert_eq!(touched("INSERT INTO orders (a) VALUES (1)"), [row("orders", Outcome::ShadowWrite)]);
    assert_eq!(
        touched("INSERT INTO orders SELECT o.a FROM orders o, products, products p"),
        [
            row("orders", Outcome::ShadowWrite),
            row("orders", Outcome::ShadowRead),
            row("products", Outcome::ReadLive)
        ]
    );
    assert_eq!(touched("WITH x AS (SELECT 1) SELECT * FROM x, items"), [row("items", Outcome::ShadowRead)]);
    let live = |sql| rules.decide_live(sql).unwrap().touched()[0].clone();
    for (sql, resource, outcome) in [
        ("  insert into \"Orders\"(a) values (1)", "orders", Outcome::LiveWrite),
        ("update only public.orders set a = 1", "orders", Outcome::LiveWrite),
        ("DELETE FROM orders", "orders", Outcome::LiveWrite),
        ("SELECT a FROM orders WHERE", "orders", Outcome::LiveRead),
        ("VACUUM", "sql", Outcome::LiveWrite),
        ("", "sql", Outcome::LiveWrite),
    ] {
        let touched = live(sql);
        assert_eq!((&*touched.resource, touched.outcome), (resource, outcome), "{sql}");
    }
}

#[test]
fn live_passes_byte_for_byte_and_may_not_touch_shadow() {
    let rules = rules(Dialect::Postgres, PREFIX, false);
    for sql in [
        "SELECT this is not even SQL (",
        "SELECT 'shadow_orders'",
        "SELECT shadow_orders FROM orders",
        "INSERT INTO orders (note) VALUES ('from shadow_orders')",
        "SELECT shadow_of FROM orders",
        "CREATE TABLE shadowy (a int)",
        "-- shadow_orders\nSELECT 1",
    ] {
        assert!(matches!(rules.decide_live(sql), Ok(Decision::AsIs { .. })), "{sql}");
    }
    for sql in [
        "SELECT * FROM shadow_orders",
        "SELECT * FROM SHADOW_ORDERS",
        "SELECT * FROM \"shadow_orders\"",
        "UPDATE public.shadow_items SET a = 1",
        "WITH x AS (DELETE FROM shadow_items RETURNING *) SELECT * FROM x",
        "INSERT INTO orders SELECT * FROM shadow_orders",
        "DROP TABLE shadow_orders",
        "TRUNCATE shadow_items",
        "COPY shadow_orders FROM STDIN",
        "MERGE INTO shadow_orders USING orders ON true WHEN MATCHED THEN DELETE",
        "shadow_orders is in what cannot be parsed (",
        "SELECT 1; DELETE FROM shadow_orders",
        "SELECT * FROM U&\"\\0073hadow_orders\"",
    ] {
        let refused = rules.decide_live(sql).unwrap_err();
        assert_eq!(refused.code(), "live_touches_shadow", "{sql}");
    }
    // The shadow of another schema's table, with and without the schema: the session may look there first.
    for sql in [
        "DELETE FROM other.shadow_ledger",
        "UPDATE other.\"shadow_ledger\" SET a = 1",
        "INSERT INTO shadow_ledger VALUES (1)",
        "TRUNCATE other.shadow_ledger",
        "WITH x AS (SELECT 1) DELETE FROM other.shadow_ledger",
    ] {
        assert_eq!(rules.decide_live(sql).unwrap_err().code(), "live_touches_shadow", "{sql}");
    }
    for sql in ["DELETE FROM other.ledger", "SELECT shadow_ledger FROM orders", "DELETE FROM shadow_unknown"]
    {
        assert!(rules.decide_live(sql).is_ok(), "{sql}");
    }
    let by_schema = self::rules(Dialect::Postgres, SCHEMA, false);
    assert!(by_schema.decide_live("SELECT shadow FROM orders").is_ok());
    assert!(by_schema.decide_live("SELECT * FROM shadow").is_ok());
    assert!(by_schema.decide_live("SELECT * FROM Shadow.orders").is_err());
    assert!(by_schema.decide_live("SET search_path TO shadow").is_err());
}

#[test]
fn classes_and_modes() {
    let rules = rules(Dialect::Sqlite, PREFIX, false);
    let run = |class: &Class, mode| decide(&rules, class, mode, "DELETE FROM orders");
    assert!(matches!(run(&Class::Live, Mode::Enforce), Ok(Decision::AsIs { .. })));
    assert!(matches!(run(&Class::Unknown, Mode::Observe), Ok(Decision::AsIs { .. })));
    assert_eq!(run(&Class::Unknown, Mode::Enforce).unwrap_err().code(), "unstamped");
    for mode in [Mode::Observe, Mode::Enforce] {
        for state in [RunState::Running, RunState::Draining] {
            assert!(matches!(run(&shadow(state), mode), Ok(Decision::Rewritten { writes: true, .. })));
        }
        assert_eq!(run(&shadow(RunState::Closed), mode).unwrap_err().code(), "run_closed");
    }
}

#[test]
fn the_cache_is_bounded_and_keeps_classes_apart() {
    let cache = DecisionCache::new(rules(Dialect::Sqlite, PREFIX, false));
    let shadow = shadow(RunState::Running);
    for round in 0..2 {
        for n in 0..3 * GENERATION_MAX_ENTRIES {
            let sql = format!("SELECT {n} FROM orders");
            let live = cache.decide(&Class::Live, Mode::Enforce, &sql).unwrap();
            assert!(live.sql().is_none());
            let decision = cache.decide(&shadow, Mode::Enforce, &sql).unwrap();
            assert_eq!(
                decision.sql(),
                Some(&*format!(r#"SELECT {n} FROM "shadow_orders" AS orders"#)),
                "{round}"
            );
        }
    }
    let (live, shadow_entries) = cache.sizes();
    assert!(live <= 2 * GENERATION_MAX_ENTRIES && shadow_entries <= 2 * GENERATION_MAX_ENTRIES);
    assert!(cache.decide(&shadow, Mode::Enforce, "SELECT * FROM secrets").is_err());
    assert!(cache.decide(&shadow, Mode::Enforce, "SELECT * FROM secrets").is_err());
    assert!(cache.decide(&Class::Live, Mode::Enforce, "SELECT * FROM secrets").is_ok());
    assert!(cache.decide(&Class::Unknown, Mode::Enforce, "SELECT * FROM secrets").is_err());
}

#[test]
fn depth_and_length_are_bounded() {
    let rules = rules(Dialect::Postgres, PREFIX, false);
    let code = |sql: &str| rules.decide_shadow(sql).map_err(|refused| refused.code());
    assert_eq!(code(&format!("SELECT 1{} FROM orders", "+1".repeat(2_000))), Err("too_complex"));
    assert_eq!(code(&format!("SELECT {}1", "NOT ".repeat(900))), Err("unparseable"));
    assert_eq!(code(&format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000))), Err("unparseable"));
    assert_eq!(code(&format!("SELECT 1 {}", "UNION SELECT 1 ".repeat(600))), Err("too_complex"));
    assert_eq!(code(&" ".repeat(super::SQL_MAX_BYTES + 1)), Err("too_complex"));
    let rows = vec!["($1, $2, 'x', NULL)"; 5_000].join(",");
    assert!(code(&format!("INSERT INTO orders VALUES {rows}")).is_ok());
}

#[test]
fn the_fuzz_corpus_holds() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/sql");
    let mut met = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = String::from_utf8_lossy(&std::fs::read(entry.unwrap().path()).unwrap()).into_owned();
        for (dialect, mode) in [(Dialect::Sqlite, PREFIX), (Dialect::Postgres, SCHEMA)] {
            let rules = rules(dialect, mode, true);
            let _live = rules.decide_live(&text);
            let Ok(decision) = rules.decide_shadow(&text) else { continue };
            let shadowed =
                decision.touched().iter().any(|touched| touched.outcome.text().starts_with("shadow"));
            let fit = decision.sql().is_some_and(|after| rules.decide_live(after).is_ok());
            assert!(!shadowed || !fit, "{text}");
        }
        met += 1;
    }
    assert!(met >= 8);
}
