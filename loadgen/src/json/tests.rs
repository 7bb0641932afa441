use proptest::prelude::*;
use serde_json::Value;
use serde_json_path::JsonPath;

use super::{Found, NotJson, Paths};

/// The first node at each path as text, as the streaming parser finds it.
fn find(paths: &[&str], body: &str) -> Result<Vec<Option<String>>, NotJson> {
    let mut all = Paths::default();
    let numbers: Vec<usize> = paths.iter().map(|path| all.add(path).unwrap()).collect();
    let mut found = Found::default();
    all.find(body.as_bytes(), &mut found)?;
    let text = |number: &usize| found.get(*number).and_then(|seen| found.as_text(seen, str::to_owned));
    Ok(numbers.iter().map(text).collect())
}

/// The same by the library, over a tree.
fn by_library(paths: &[&str], body: &str) -> Option<Vec<Option<String>>> {
    let tree: Value = serde_json::from_str(body).ok()?;
    let text = |path: &&str| match JsonPath::parse(path).unwrap().query(&tree).first()? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    Some(paths.iter().map(text).collect())
}

#[test]
fn all_kinds_of_values() {
    let body =
        r#" {"s":"a\"b\u00e9","n":[1,-2.50,1e3,18446744073709551615],"o":{"k":true,"z":null},"e":""} "#;
    let paths = [
        "$.s", "$.n[1]", "$.n[2]", "$.n[3]", "$.o.k", "$.o.z", "$.o", "$.e", "$.n[9]", "$.s.t", "$['s']",
        "$.n",
    ];
    assert_eq!(find(&paths, body).unwrap(), by_library(&paths, body).unwrap());
    assert_eq!(find(&["$"], "7").unwrap(), [Some("7".to_owned())]);
}

#[test]
fn the_last_of_a_key_counts() {
    let body = r#"{"a":{"b":1},"a":{"c":2},"d":3,"d":null}"#;
    assert_eq!(find(&["$.a.b", "$.a.c", "$.d"], body).unwrap(), [None, Some("2".into()), None]);
}

#[test]
fn what_is_not_json_is_told() {
    for body in ["", "<html>", "{\"a\":1", "{\"a\":1}x", "{\"b\":[1,}", "nul"] {
        assert_eq!(find(&["$.a"], body), Err(NotJson), "{body}");
        assert_eq!(find(&["$..a"], body), Err(NotJson), "{body}");
    }
}

/// JSON text, keys twice included.
fn json() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<u64>().prop_map(|n| n.to_string()),
        (-1e9..1e9).prop_map(|n: f64| format!("{n:e}")),
        "\\PC{0,6}[\u{1}-\u{1f}\"\\\\]{0,2}".prop_map(|text| Value::from(text).to_string()),
    ];
    scalar.prop_recursive(5, 40, 5, |inner| {
        let key = prop::sample::select(vec!["a", "b", "c d", "ü"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(" , "))),
            prop::collection::vec((key, inner), 0..5).prop_map(|entries| {
                let entries: Vec<_> =
                    entries.iter().map(|(key, value)| format!("\"{key}\" :{value}")).collect();
                format!("{{{}}}", entries.join(","))
            }),
        ]
    })
}

fn path() -> impl Strategy<Value = String> {
    let step = prop::sample::select(vec![".a", ".b", "['c d']", "[\"a\"]", ".ü", "[0]", "[1]", "[2]"]);
    prop::collection::vec(step, 0..5).prop_map(|steps| format!("${}", steps.concat()))
}

proptest! {
    #[test]
    fn the_streaming_parser_finds_what_the_library_finds(
        body in json(),
        paths in prop::collection::vec(path(), 1..6),
        complex in any::<bool>(),
    ) {
        let mut paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        if complex {
            paths.push("$..a");
        }
        prop_assert_eq!(find(&paths, &body).ok(), by_library(&paths, &body), "{} {:?}", body, paths);
    }

    #[test]
    fn broken_json_is_broken_for_both(body in json(), cut in 0.0..1.0) {
        let end = body.floor_char_boundary((body.len() as f64 * cut) as usize);
        let body = &body[..end];
        prop_assert_eq!(find(&["$.a.b", "$.a[0]"], body).ok(), by_library(&["$.a.b", "$.a[0]"], body), "{}", body);
    }
}
