//! Arbitrary statements of a small grammar: whatever is let through names no live table.

use proptest::prelude::*;

use super::corpus::tables_by_words;
use super::{PREFIX, SCHEMA, rules};
use crate::Dialect;

fn table() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just("orders".to_owned()),
        2 => Just("items".to_owned()),
        2 => Just("products".to_owned()),
        1 => Just("ORDERS".to_owned()),
        1 => Just("\"orders\"".to_owned()),
        1 => Just("secrets".to_owned()),
        1 => Just("x".to_owned()),
        1 => Just("shadow_orders".to_owned()),
    ]
}

fn alias() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), Just(" a".to_owned()), Just(" AS b".to_owned())]
}

fn query() -> impl Strategy<Value = String> {
    let plain = (table(), alias()).prop_map(|(table, alias)| format!("SELECT id FROM {table}{alias}"));
    plain.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (table(), inner.clone()).prop_map(|(t, q)| format!("SELECT id FROM {t} WHERE id IN ({q})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} UNION ALL {b}")),
            inner.clone().prop_map(|q| format!("SELECT id FROM ({q}) AS q")),
            (table(), table(), inner.clone())
                .prop_map(|(a, b, q)| format!("SELECT ({q}) FROM {a} JOIN {b} ON true")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("WITH x AS ({a}) {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("WITH RECURSIVE x AS ({a}) {b}")),
            (table(), inner.clone())
                .prop_map(|(t, q)| format!("WITH y AS (DELETE FROM {t} RETURNING id) {q}")),
            inner.prop_map(|q| format!("{q} FOR UPDATE")),
        ]
    })
}

fn statement() -> impl Strategy<Value = String> {
    prop_oneof![
        query(),
        (table(), query()).prop_map(|(t, q)| format!("INSERT INTO {t} (id) {q}")),
        (table(), query()).prop_map(|(t, q)| format!("INSERT INTO {t} (id) VALUES (({q}), 1)")),
        (table(), alias(), query()).prop_map(|(t, a, q)| format!("UPDATE {t}{a} SET id = ({q})")),
        (table(), alias(), query()).prop_map(|(t, a, q)| format!("DELETE FROM {t}{a} WHERE id IN ({q})")),
        (table(), query()).prop_map(|(t, q)| format!("WITH x AS ({q}) INSERT INTO {t} SELECT id FROM x")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_live_table_is_left(sql in statement(), postgres: bool, by_schema: bool, star: bool) {
        let dialect = if postgres { Dialect::Postgres } else { Dialect::Sqlite };
        let rules = rules(dialect, if by_schema { SCHEMA } else { PREFIX }, star);
        if let Ok(decision) = rules.decide_shadow(&sql) {
            let after = decision.sql().unwrap();
            for table in tables_by_words(after) {
                let shadow = table.starts_with("shadow_") || table.starts_with("shadow.");
                let known = ["products", "x", "y", "select", "with"].contains(&table.as_str());
                prop_assert!(shadow || known, "{} became {}", sql, after);
            }
            // What came out is not to be let through again as live work.
            if decision.touched().iter().any(|t| t.outcome != peakdrill_drill_model::ledger::Outcome::ReadLive) {
                prop_assert!(rules.decide_live(after).is_err(), "{} is fit for live work", after);
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(sql in "\\PC{0,80}", postgres: bool) {
        let dialect = if postgres { Dialect::Postgres } else { Dialect::Sqlite };
        let rules = rules(dialect, PREFIX, true);
        let _decided = (rules.decide_shadow(&sql), rules.decide_live(&sql));
    }

    #[test]
    fn live_work_is_untouched(sql in statement()) {
        let rules = rules(Dialect::Postgres, PREFIX, false);
        prop_assert_eq!(rules.decide_live(&sql).is_err(), sql.contains("shadow_"));
    }
}
