//! Statements by which existing systems leaked. Each must come out shadowed or refused, never live.

use super::{PREFIX, SCHEMA, rewritten, rules};
use crate::Dialect;

/// Statements that must be refused in both dialects, whatever the rules of `*`.
const REFUSED: &[&str] = &[
    // Several statements in one text.
    "SELECT 1; DELETE FROM orders",
    "INSERT INTO orders VALUES (1); INSERT INTO items VALUES (1)",
    "SELECT 1;;SELECT 2",
    // Verbs that no rewriter knew.
    "MERGE INTO orders USING items ON orders.id = items.o WHEN MATCHED THEN DELETE",
    "TRUNCATE TABLE orders",
    "TRUNCATE orders",
    "CALL place_order(1)",
    "LOAD DATA INFILE 'x' INTO TABLE orders",
    "COPY orders FROM STDIN",
    "COPY orders TO '/tmp/x'",
    "COPY (SELECT * FROM orders) TO STDOUT",
    "EXPLAIN ANALYZE DELETE FROM orders",
    "EXPLAIN SELECT * FROM orders",
    "CREATE TABLE x AS SELECT * FROM orders",
    "CREATE TABLE orders (id int)",
    "CREATE INDEX i ON orders (id)",
    "CREATE VIEW v AS SELECT * FROM orders",
    "CREATE TRIGGER t AFTER INSERT ON orders BEGIN DELETE FROM items; END",
    "ALTER TABLE orders ADD COLUMN x int",
    "DROP TABLE orders",
    "DROP TABLE IF EXISTS shadow_orders",
    "LOCK TABLE orders",
    "VACUUM orders",
    "ANALYZE orders",
    "GRANT ALL ON orders TO PUBLIC",
    "PREPARE p AS DELETE FROM orders",
    "EXECUTE p",
    "DEALLOCATE p",
    "DECLARE c CURSOR FOR SELECT * FROM orders",
    "LISTEN orders",
    "NOTIFY orders",
    "SET search_path TO public",
    "SET ROLE admin",
    "RESET ALL",
    "DISCARD ALL",
    "USE other",
    "PRAGMA writable_schema = 1",
    "PRAGMA user_version",
    "ATTACH DATABASE 'x' AS other",
    "DETACH DATABASE other",
    "REINDEX orders",
    "DO $$ BEGIN DELETE FROM orders; END $$",
    "SELECT * INTO backup FROM orders",
    "TABLE orders",
    "SELECT 1 UNION TABLE secrets",
    // Undeclared and denied.
    "SELECT * FROM secrets",
    "DELETE FROM secrets",
    "SELECT * FROM orders, secrets",
    "SELECT (SELECT max(id) FROM secrets) FROM orders",
    "SELECT * FROM orders WHERE EXISTS (SELECT 1 FROM secrets)",
    "SELECT * FROM orders o JOIN LATERAL (SELECT * FROM secrets) s ON true",
    "WITH x AS (SELECT * FROM secrets) SELECT * FROM x",
    "INSERT INTO orders SELECT * FROM secrets",
    "INSERT INTO orders VALUES ((SELECT id FROM secrets))",
    "UPDATE orders SET n = (SELECT n FROM secrets)",
    "DELETE FROM orders WHERE id IN (SELECT id FROM secrets)",
    "SELECT * FROM orders ORDER BY (SELECT 1 FROM secrets)",
    "SELECT * FROM orders LIMIT (SELECT 1 FROM secrets)",
    "SELECT count(*) FILTER (WHERE id IN (SELECT id FROM secrets)) FROM orders",
    "SELECT sum(n) OVER (PARTITION BY (SELECT 1 FROM secrets)) FROM orders",
    "SELECT CASE WHEN EXISTS (SELECT 1 FROM secrets) THEN 1 END FROM orders",
    "INSERT INTO orders (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET n = (SELECT n FROM secrets)",
    "INSERT INTO orders (id) VALUES (1) RETURNING (SELECT n FROM secrets)",
    "SELECT * FROM sqlite_master, pg_class, orders",
    "SELECT * FROM a.b.orders",
    // Writes and locks on what is read live.
    "UPDATE products SET stock = stock - 1",
    "DELETE FROM products",
    "INSERT INTO products VALUES (1)",
    "INSERT INTO products SELECT * FROM orders",
    "WITH x AS (DELETE FROM products RETURNING *) SELECT * FROM x",
    "WITH x AS (INSERT INTO products VALUES (1) RETURNING *) INSERT INTO orders SELECT * FROM x",
    "WITH x AS (UPDATE products SET n = 1 RETURNING *) SELECT * FROM x",
    "SELECT * FROM products FOR UPDATE",
    "SELECT * FROM products FOR SHARE",
    "SELECT * FROM orders, products FOR UPDATE",
    "SELECT * FROM (SELECT * FROM products FOR UPDATE) p",
    "WITH x AS (SELECT * FROM products FOR UPDATE) SELECT * FROM x",
    // Functions that reach beyond their arguments.
    "SELECT nextval('orders_id_seq')",
    "SELECT setval('orders_id_seq', 1)",
    "INSERT INTO orders (id) VALUES (nextval('orders_id_seq'))",
    "UPDATE orders SET id = nextval('orders_id_seq')",
    "SELECT * FROM orders WHERE id = nextval('orders_id_seq')",
    "SELECT currval('orders_id_seq')",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_advisory_xact_lock(1) FROM products",
    "SELECT pg_notify('a', 'b')",
    "SELECT pg_terminate_backend(1)",
    "SELECT set_config('search_path', 'public', false)",
    "SELECT lo_import('/etc/passwd')",
    "SELECT dblink_exec('dbname=live', 'DELETE FROM orders')",
    "SELECT query_to_xml('DELETE FROM orders', true, true, '')",
    "SELECT place_order(1)",
    "SELECT public.lower('x')",
    "SELECT * FROM place_order(1)",
    "SELECT * FROM dblink('dbname=live', 'SELECT 1') AS t(a int)",
    "SELECT * FROM pragma_table_info('orders')",
    "SELECT load_extension('evil')",
    "SELECT writefile('x', 'y')",
    "SELECT count(*) FROM orders GROUP BY nextval('s')",
    "SELECT 1 ORDER BY nextval('s')",
    "VALUES (nextval('s'))",
    "SELECT count(nextval('s')) OVER ()",
    // Common table expressions that hide tables.
    "WITH orders AS (SELECT 1) SELECT * FROM orders",
    "WITH orders AS (SELECT * FROM orders) SELECT * FROM orders",
    "WITH x AS (SELECT * FROM y), y AS (SELECT 1) SELECT * FROM x",
    "WITH products AS (SELECT 1) DELETE FROM products",
    "WITH zzz AS (SELECT 1) INSERT INTO zzz VALUES (1)",
    "WITH zzz AS (SELECT 1) UPDATE zzz SET a = 1",
    "WITH zzz AS (SELECT 1) DELETE FROM zzz",
    // Unparseable.
    "",
    ";",
    "/* orders */",
    "DELETE orders",
    "SELEC * FROM orders",
    "SELECT * FROM orders WHERE (",
    "SELECT 'abc FROM orders",
    "INSERT INTO orders VALUES (1",
    "UPDATE orders, items SET a = 1",
    "DELETE FROM orders, items",
    "SELECT \u{0} FROM orders",
];

/// Statements that must come out shadowed: no live name of a shadowed table stands where a table may.
const SHADOWED: &[&str] = &[
    "INSERT INTO orders SELECT * FROM items",
    "INSERT INTO orders SELECT * FROM orders",
    "INSERT INTO orders (a, b) VALUES (1, 2), (3, 4), (5, 6)",
    "INSERT INTO orders DEFAULT VALUES",
    "SELECT * FROM ((orders o JOIN items i ON o.id = i.o) JOIN products p ON p.id = i.p)",
    "SELECT * FROM orders AS a, orders AS b, (SELECT * FROM orders) c",
    "SELECT * FROM orders NATURAL JOIN items",
    "SELECT * FROM orders LEFT JOIN items USING (id)",
    "SELECT * FROM orders CROSS JOIN items",
    "SELECT * FROM orders UNION ALL SELECT * FROM items EXCEPT SELECT * FROM orders",
    "SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM orders) a) b) c",
    "SELECT \"orders\".* FROM \"orders\"",
    "SELECT OrDeRs.id FROM OrDeRs",
    "SELECT ORDERS.id FROM orders",
    "SELECT * FROM\n/* comment */ orders -- products\nWHERE 1 = 1",
    "SELECT * FROM orders WHERE note = 'FROM orders; DELETE FROM orders'",
    "SELECT 'it''s' || \"orders\".note FROM orders",
    "WITH recent AS (SELECT * FROM orders) SELECT * FROM recent JOIN items ON true",
    "WITH RECURSIVE tree(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM tree WHERE n < 5) SELECT * FROM tree, orders",
    "WITH a AS (SELECT * FROM orders), b AS (SELECT * FROM a) DELETE FROM items WHERE o IN (SELECT id FROM b)",
    "WITH x AS (DELETE FROM orders RETURNING *) INSERT INTO items SELECT * FROM x",
    "WITH a AS (SELECT 1) SELECT * FROM (WITH b AS (SELECT * FROM orders) SELECT * FROM b) c, a",
    "UPDATE orders SET n = (SELECT max(n) FROM items WHERE items.o = orders.id)",
    "UPDATE orders SET n = i.n FROM items i WHERE i.o = orders.id",
    "UPDATE orders AS o SET n = 1 WHERE o.id = 2",
    "DELETE FROM orders WHERE EXISTS (SELECT 1 FROM items WHERE items.o = orders.id)",
    "SELECT count(*), sum(n), coalesce(max(n), 0) FROM orders GROUP BY id HAVING count(*) > 1 ORDER BY 1 LIMIT 10 OFFSET 2",
    "SELECT row_number() OVER (PARTITION BY id ORDER BY n) FROM orders",
    "SELECT * FROM orders ORDER BY (SELECT max(n) FROM items)",
    "SELECT CASE WHEN n > 1 THEN (SELECT 1 FROM items LIMIT 1) ELSE 2 END FROM orders",
    "SELECT * FROM orders WHERE (id, n) IN ((1, 2), (3, 4))",
    "SELECT id FROM orders WHERE id BETWEEN 1 AND 2 AND note LIKE 'a%' AND n IS NOT NULL",
    "INSERT INTO orders (id) VALUES (1) ON CONFLICT DO NOTHING",
    "INSERT INTO orders (id, n) VALUES (1, 2) ON CONFLICT (id) DO UPDATE SET n = excluded.n WHERE orders.n < 5",
];

const SHADOWED_SQLITE: &[&str] = &[
    "REPLACE INTO orders VALUES (1)",
    "INSERT OR REPLACE INTO orders VALUES (1)",
    "INSERT OR IGNORE INTO main.orders VALUES (1)",
    "UPDATE OR IGNORE orders SET n = 1",
    "SELECT * FROM [orders]",
    "SELECT * FROM `Orders`",
    "SELECT * FROM 'orders'",
    "SELECT * FROM MAIN.\"ORDERS\"",
    "SELECT * FROM orders, json_each(orders.tags)",
    "SELECT datetime('now'), last_insert_rowid() FROM orders",
];

const REFUSED_SQLITE: &[&str] = &[
    "SELECT * FROM temp.orders",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM sqlite_schema",
    "SELECT * FROM pragma_table_list",
    "SELECT * FROM orders INDEXED BY i",
    // The parser stops at END; SQLite takes it as the transaction's name and runs what follows.
    "BEGIN TRANSACTION END; DELETE FROM orders; COMMIT",
    "COMMIT TRANSACTION END; DELETE FROM orders",
    "ROLLBACK TRANSACTION END; DELETE FROM orders",
    "BEGIN IMMEDIATE TRANSACTION END; DELETE FROM orders",
    "SELECT 1 END; DELETE FROM orders",
];

const SHADOWED_POSTGRES: &[&str] = &[
    "SELECT * FROM public.orders FOR UPDATE",
    "SELECT * FROM orders FOR UPDATE OF orders SKIP LOCKED",
    "INSERT INTO orders AS o (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET n = o.n + 1",
    "SELECT $1::text, '{}'::jsonb -> 'a' ->> 'b', now(), gen_random_uuid() FROM orders",
    "SELECT * FROM orders, generate_series(1, 3) AS g(n)",
    "SELECT * FROM orders, unnest(ARRAY[1, 2]) AS u",
    "SELECT * FROM orders WHERE id = ANY($1)",
    "SELECT E'a\\'b', $$FROM orders$$ FROM orders",
    "SELECT DISTINCT ON (id) id FROM orders ORDER BY id, n DESC NULLS LAST",
    "SELECT extract(epoch FROM created), date_trunc('day', created) FROM orders",
    "DELETE FROM orders USING items WHERE items.o = orders.id",
    "SELECT pg_catalog.lower(note) FROM orders",
];

const REFUSED_POSTGRES: &[&str] = &[
    "SELECT * FROM \"Orders\"",
    "SELECT * FROM \"ORDERS\"",
    "SELECT * FROM other.orders",
    "SELECT * FROM pg_catalog.pg_class",
    "SELECT * FROM information_schema.tables",
    "SELECT public.orders.id FROM public.orders",
    "SELECT 1 OPERATOR(public.+) 2",
    "SELECT * FROM orders TABLESAMPLE SYSTEM (10)",
    "SET standard_conforming_strings = off",
    "SET SESSION AUTHORIZATION admin",
    "SET TRANSACTION SNAPSHOT '1'",
    "SELECT * FROM U&\"\\006frders\"",
    "SELECT * FROM ROWS FROM (nextval('s'))",
    "SELECT * FROM ONLY orders",
    "SELECT * FROM items JOIN ONLY orders ON true",
];

fn check_refused(dialect: Dialect, statements: &[&str], star: bool) {
    for mode in [PREFIX, SCHEMA] {
        let rules = rules(dialect, mode, star);
        for sql in statements {
            if let Ok(decision) = rules.decide_shadow(sql) {
                panic!("{dialect:?} {mode} star={star}: {sql}\n became {:?}", decision.sql());
            }
        }
    }
}

#[test]
fn refused_in_both_dialects() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        check_refused(dialect, REFUSED, false);
        check_refused(dialect, REFUSED, true);
    }
}

#[test]
fn refused_in_one_dialect() {
    check_refused(Dialect::Sqlite, REFUSED_SQLITE, false);
    check_refused(Dialect::Sqlite, REFUSED_SQLITE, true);
    check_refused(Dialect::Postgres, REFUSED_POSTGRES, false);
    check_refused(Dialect::Postgres, &REFUSED_POSTGRES[REFUSED_POSTGRES.len() - 2..], true);
}

/// The words that stand right behind a word that wants a table, comments and brackets left out.
pub(super) fn tables_by_words(sql: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut wanted = false;
    let mut before = String::new();
    let spaced = sql.replace(['(', ')', ';'], " ").replace(',', " , ");
    for word in spaced.split_whitespace() {
        let lower = word.to_ascii_lowercase();
        match lower.as_str() {
            "update" if matches!(before.as_str(), "for" | "do") => {}
            "from" | "join" | "into" | "update" => wanted = true,
            "only" | "lateral" | "ignore" | "or" | "replace" if wanted => {}
            _ if wanted => {
                wanted = false;
                found.push(lower.chars().filter(|c| !"\"'`[]".contains(*c)).collect());
            }
            _ => {}
        }
        before = lower;
    }
    found
}

fn check_shadowed(dialect: Dialect, statements: &[&str]) {
    for mode in [PREFIX, SCHEMA] {
        for star in [false, true] {
            let rules = rules(dialect, mode, star);
            for sql in statements {
                let after = rewritten(&rules, sql);
                let before_any = ["orders", "items"].iter().any(|table| sql.to_lowercase().contains(table));
                let shadows = if mode == PREFIX { "\"shadow_" } else { "\"shadow\".\"" };
                assert!(before_any && after.contains(shadows), "{dialect:?} {mode}: {sql}\n became {after}");
                let literals_out =
                    after.replace("'FROM orders; DELETE FROM orders'", "''").replace("$$FROM orders$$", "''");
                for table in tables_by_words(&literals_out) {
                    let live = ["orders", "items", "public.orders", "main.orders"].contains(&table.as_str());
                    assert!(!live, "{dialect:?} {mode}: {sql}\n became {after}");
                }
            }
        }
    }
}

#[test]
fn shadowed_in_both_dialects() {
    check_shadowed(Dialect::Sqlite, SHADOWED);
    check_shadowed(Dialect::Postgres, SHADOWED);
}

#[test]
fn shadowed_in_one_dialect() {
    check_shadowed(Dialect::Sqlite, SHADOWED_SQLITE);
    check_shadowed(Dialect::Postgres, SHADOWED_POSTGRES);
}

#[test]
fn refusals_name_the_resource_and_the_rule() {
    let rules = rules(Dialect::Postgres, PREFIX, false);
    let refused = rules.decide_shadow("SELECT * FROM orders JOIN customers c ON true").unwrap_err();
    assert_eq!((refused.code(), refused.resource()), ("undeclared", "customers"));
    assert!(refused.to_string().contains("customers: shadow | read_live"), "{refused}");
    let refused = rules.decide_shadow("UPDATE products SET n = 1").unwrap_err();
    assert_eq!((refused.code(), refused.resource()), ("read_live_write", "products"));
    assert!(refused.to_string().contains("products: shadow"), "{refused}");
}

#[test]
fn the_guard_alone_stops_what_was_not_rewritten() {
    for (dialect, statements) in
        [(Dialect::Sqlite, SHADOWED), (Dialect::Postgres, SHADOWED), (Dialect::Postgres, SHADOWED_POSTGRES)]
    {
        for mode in [PREFIX, SCHEMA] {
            let rules = rules(dialect, mode, true);
            for sql in statements {
                let meant = crate::sql::parse::one(dialect, sql).unwrap();
                let refused = crate::sql::guard::check(&rules, &meant, &meant.to_string()).unwrap_err();
                assert_eq!(refused.code(), "guard", "{sql}");
                // Nor may the text differ from what was decided.
                let other = crate::sql::guard::check(&rules, &meant, "SELECT 1").unwrap_err();
                assert_eq!(other.code(), "guard", "{sql}");
            }
        }
    }
}
