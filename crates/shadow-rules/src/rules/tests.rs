use peakdrill_drill_model::plan;

use super::{Rules, RulesError, SqlMode, SqlRules};
use crate::{Dialect, Policy};

fn with_store(store: &str) -> Result<Rules, RulesError> {
    Rules::from_json(&format!(r#"{{"v":1,"stores":[{store}]}}"#), "order")
}

fn store(mode: &str, tables: &str) -> String {
    format!(r#"{{"kind":"postgres","service":"order","mode":{mode},"tables":{tables}}}"#)
}

const PREFIX: &str = r#"{"shadow_table":{"prefix":"shadow_"}}"#;

#[test]
fn the_isolation_block_of_a_drill_is_read() {
    let block = plan::Isolation {
        stores: vec![plan::SqlStore {
            kind: "sqlite".to_owned(),
            service: "order".to_owned(),
            mode: plan::SqlMode::ShadowSchema { schema: "shadow".to_owned() },
            tables: [("Orders".to_owned(), "shadow".to_owned()), ("*".to_owned(), "read_live".to_owned())]
                .into(),
            dsn: None,
        }],
        stubs: vec![plan::Stub {
            host: "Bank.Example:8443".to_owned(),
            status: 200,
            latency_median_ns: 80_000_000,
            latency_sigma: 0.4,
            body: "{}".to_owned(),
        }],
        on_leak_stop: true,
    };
    let mut json = serde_json::to_value(&block).unwrap();
    json["v"] = 1.into();
    json["internal_hosts"] = serde_json::json!(["*.svc.local", "127.0.0.1:80"]);
    let rules = Rules::from_json(&json.to_string(), "order").unwrap();
    let sql = rules.sql(Dialect::Sqlite);
    assert_eq!(sql.mode(), Some(&SqlMode::ShadowSchema { schema: "shadow".to_owned() }));
    assert_eq!(sql.tables().collect::<Vec<_>>(), [("orders", Policy::Shadow)]);
    assert_eq!(rules.stubs()[0].host, "bank.example:8443");
    // Another service finds nothing for itself in it.
    let other = Rules::from_json(&json.to_string(), "stock").unwrap();
    assert!(other.sql(Dialect::Sqlite).mode().is_none());
    assert_eq!(other.stubs().len(), 1);
}

#[test]
fn what_is_wrong_is_refused_as_a_whole() {
    let cases = [
        (store(r#"{"shadow_table":{}}"#, "{}"), "a prefix or a suffix"),
        (store(r#"{"shadow_table":{"prefix":"Shadow "}}"#, "{}"), "a-z, 0-9 and _"),
        (store(r#"{"shadow_schema":{"schema":"public"}}"#, "{}"), "not the live one"),
        (store(r#"{"shadow_database":"x"}"#, "{}"), "shadow_database"),
        (store(PREFIX, r#"{"orders":"overlay"}"#), "not built yet"),
        (store(PREFIX, r#"{"orders":"mock"}"#), "not built yet"),
        (store(PREFIX, r#"{"orders":"allow"}"#), "allow"),
        (store(PREFIX, r#"{"a.b.c":"shadow"}"#), "schema.name"),
        (store(PREFIX, r#"{"public.orders":"shadow","orders":"deny"}"#), "declared twice"),
        (store(PREFIX, r#"{"orders":"shadow","shadow_orders":"read_live"}"#), "the shadow of another"),
        (store(PREFIX, &format!(r#"{{"{}":"shadow"}}"#, "x".repeat(60))), "cut"),
        (store(r#"{"shadow_schema":{"schema":"s"}}"#, r#"{"crm.orders":"shadow"}"#), "one shadow schema"),
        (format!("{0},{0}", store(PREFIX, "{}")), "two stores"),
        (store(PREFIX, "{}").replace("postgres", "oracle"), "not built yet"),
        (store(PREFIX, "{}").replace("tables", "tabels"), "tabels"),
    ];
    for (store, expected) in cases {
        let error = with_store(&store).unwrap_err().to_string();
        assert!(error.contains(expected), "{store}: {error}");
    }
    assert_eq!(Rules::from_json(r#"{"v":2}"#, "s").unwrap_err(), RulesError::Version(2));
    assert_eq!(
        Rules::from_json(&" ".repeat(super::RULES_MAX_BYTES + 1), "s").unwrap_err(),
        RulesError::TooLong
    );
    let stub = |host: &str, status: u16, median_ns: u64| {
        format!(
            r#"{{"host":"{host}","status":{status},"latency_median_ns":{median_ns},"latency_sigma":0,"body":""}}"#
        )
    };
    let read = |stubs: &str| Rules::from_json(&format!(r#"{{"v":1,"stubs":[{stubs}]}}"#), "s");
    let most = super::STUB_LATENCY_MAX_NS;
    assert!(read(&format!("{},{}", stub("a", 200, most), stub("*.a", 200, 1))).is_ok());
    for (stubs, expected) in [
        (stub("a b", 200, 1), "a host is written"),
        (stub("a", 20, 1), "no HTTP status"),
        (stub("a", 200, most + 1), "latency up to 60 s"),
        (format!("{},{}", stub("a.b", 200, 1), stub("A.B.", 201, 1)), "two stubs stand for the host a.b"),
    ] {
        let error = read(&stubs).unwrap_err().to_string();
        assert!(error.contains(expected), "{stubs}: {error}");
    }
}

/// The rules of a store with a prefix and a suffix.
fn both_ends(kind: &str, tables: &str) -> SqlRules {
    let store = format!(
        r#"{{"kind":"{kind}","service":"order","mode":{{"shadow_table":{{"prefix":"sh_","suffix":"_x"}}}},"tables":{tables}}}"#
    );
    let rules = with_store(&store).unwrap();
    rules.sql(if kind == "sqlite" { Dialect::Sqlite } else { Dialect::Postgres }).clone()
}

#[test]
fn a_catalog_is_read_as_statements_are() {
    let rules = both_ends("postgres", r#"{"*":"shadow","sales.orders":"shadow","items":"read_live"}"#);
    let shadow = |table: &str| rules.shadow_key_of(table).unwrap();
    assert_eq!(shadow("orders").as_deref(), Some("sh_orders_x"));
    assert_eq!(shadow("public.orders").as_deref(), Some("sh_orders_x"));
    assert_eq!(shadow("sales.orders").as_deref(), Some("sales.sh_orders_x"), "beside the live one");
    assert_eq!(
        shadow("sh_orders").as_deref(),
        Some("sh_sh_orders_x"),
        "half of a shadow's name is a live name"
    );
    // The star is the default schema alone, and never the server's own tables.
    for none in ["items", "sh_orders_x", "sales.sh_orders_x", "sales.carts", "pg_class", "a.b.c", ""] {
        assert_eq!(shadow(none), None, "{none}");
    }
    assert!(rules.shadow_key_of(&"a".repeat(63)).is_err(), "the server would cut it off");
    assert_eq!(rules.key_of("public.Orders").as_deref(), Some("Orders"));
    assert_eq!(rules.key_of("a.b.c"), None);
    let rules = both_ends("sqlite", r#"{"Orders":"shadow"}"#);
    assert_eq!(rules.shadow_key_of("ORDERS").unwrap().as_deref(), Some("sh_orders_x"));
    assert_eq!(rules.shadow_key_of("SH_orders_X").unwrap(), None);
}
