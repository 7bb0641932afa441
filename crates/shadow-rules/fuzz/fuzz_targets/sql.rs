//! Any text as SQL: nothing panics, and what comes out of the rewriting is never fit for live work again, unless it
//! reads live data only.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peakdrill_shadow_rules::{Dialect, Rules};

const RULES: &str = r#"{"v":1,"stores":[
    {"kind":"sqlite","service":"s","mode":{"shadow_table":{"prefix":"shadow_"}},
     "tables":{"orders":"shadow","products":"read_live","*":"shadow"}},
    {"kind":"postgres","service":"s","mode":{"shadow_schema":{"schema":"shadow"}},
     "tables":{"orders":"shadow","products":"read_live","*":"shadow"}}]}"#;

fuzz_target!(|text: &str| {
    let Ok(rules) = Rules::from_json(RULES, "s") else { return };
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let rules = rules.sql(dialect);
        let _live = rules.decide_live(text);
        let Ok(decision) = rules.decide_shadow(text) else { continue };
        let Some(after) = decision.sql() else { continue };
        let shadowed = decision.touched().iter().any(|touched| touched.outcome.text().starts_with("shadow"));
        assert!(!shadowed || rules.decide_live(after).is_err(), "{text:?} became {after:?}");
    }
});
