use proptest::prelude::*;
use serde_json::Value;
use serde_json_path::JsonPath;

use super::{Found, NotJson, Paths, Seen};

fn look<T>(
    paths: &[&str],
    body: &[u8],
    see: impl Fn(&Found, &Seen) -> Option<T>,
) -> Result<Vec<Option<T>>, NotJson> {
    let mut all = Paths::default();
    let numbers: Vec<usize> = paths.iter().map(|path| all.add(path).unwrap()).collect();
    let mut found = Found::default();
    all.find(body, &mut found)?;
    Ok(numbers.iter().map(|number| see(&found, found.get(*number)?)).collect())
}

/// The first node at each path as text.
fn find(paths: &[&str], body: &str) -> Result<Vec<Option<String>>, NotJson> {
    look(paths, body.as_bytes(), |found, seen| found.as_text(seen, str::to_owned))
}

/// The first node at each path by its value.
fn values(paths: &[&str], body: &str) -> Result<Vec<Option<Value>>, NotJson> {
    look(paths, body.as_bytes(), |found, seen| {
        Some(match seen {
            Seen::Null => Value::Null,
            Seen::Bool(value) => Value::Bool(*value),
            Seen::Text(range) => Value::from(found.chars(range)),
            Seen::Number(range) | Seen::Other(range) => serde_json::from_str(found.chars(range)).unwrap(),
        })
    })
}

/// The same by the library, over a tree.
fn by_library(paths: &[&str], body: &str) -> Option<Vec<Option<Value>>> {
    let tree: Value = serde_json::from_str(body).ok()?;
    let first = |path: &&str| JsonPath::parse(path).unwrap().query(&tree).first().cloned();
    Some(paths.iter().map(first).collect())
}

#[test]
fn all_kinds_of_values() {
    let body =
        r#" {"s":"a\"b\u00e9","n":[1,-2.50,1e3,18446744073709551615],"o":{"k":true,"z":null},"e":""} "#;
    let paths = [
        "$.s", "$.n[1]", "$.n[2]", "$.n[3]", "$.o.k", "$.o.z", "$.o", "$.e", "$.n[9]", "$.s.t", "$['s']",
        "$.n", "$",
    ];
    assert_eq!(values(&paths, body).unwrap(), by_library(&paths, body).unwrap());
    assert_eq!(find(&["$"], "7").unwrap(), [Some("7".to_owned())]);
}

#[test]
fn numbers_arrays_and_objects_keep_the_text_that_was_sent() {
    let body = r#"{"a":[10.00, 1E+2,-0,100000000000000000000001 ],"b": { "d":1,"c" : [ ] } ,"e":1e999}"#;
    let texts = ["10.00", "1E+2", "-0", "100000000000000000000001", r#"{ "d":1,"c" : [ ] }"#, "[ ]"];
    let paths = ["$.a[0]", "$.a[1]", "$.a[2]", "$.a[3]", "$.b", "$.b.c"];
    assert_eq!(find(&paths, body).unwrap(), texts.map(|text| Some(text.to_owned())));
    assert_eq!(find(&["$.e"], body).unwrap(), [Some("1e999".to_owned())]);

    let body = body.replace("1e999", "0");
    let paths = ["$.a[-4]", "$..a[1]", "$.a[?@ == 0]", "$.*[3]", "$['b','c']", "$.b[?@ == 1]"];
    let texts = ["10.00", "1E+2", "-0", "100000000000000000000001", r#"{ "d":1,"c" : [ ] }"#, "1"];
    assert_eq!(find(&paths, &body).unwrap(), texts.map(|text| Some(text.to_owned())));
}

#[test]
fn places_inside_of_places_are_looked_up_however_deep() {
    let deep = |depth: usize| format!("{}7{}", "[".repeat(depth), "]".repeat(depth));
    let paths: Vec<String> = (0..150).map(|depth| format!("$.a{}", "[0]".repeat(depth))).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let found = find(&paths, &format!("{{\"a\":{}}}", deep(100))).unwrap();
    assert_eq!(found[100].as_deref(), Some("7"));
    assert_eq!(found[99].as_deref(), Some("[7]"));
    assert_eq!(found[101], None);
    assert_eq!(find(&paths, &format!("{{\"a\":{}}}", deep(140))), Err(NotJson));
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

#[test]
fn what_is_not_utf8_is_not_json_wherever_it_stands() {
    for body in [&b"{\"a\":1,\"b\":\"\xff\"}"[..], b"{\"a\":\"\xc3\"}", b"{\"\xed\xa0\x80\":1,\"a\":2}"] {
        assert_eq!(look(&["$.a"], body, |_, _| Some(())), Err(NotJson));
        assert_eq!(look(&["$..a"], body, |_, _| Some(())), Err(NotJson));
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
            paths.extend(["$..a", "$.*", "$[-1]"]);
        }
        prop_assert_eq!(values(&paths, &body).ok(), by_library(&paths, &body), "{} {:?}", body, paths);
    }

    #[test]
    fn broken_json_is_broken_for_both(body in json(), cut in 0.0..1.0) {
        let end = body.floor_char_boundary((body.len() as f64 * cut) as usize);
        let body = &body[..end];
        prop_assert_eq!(values(&["$.a.b", "$.a[0]"], body).ok(), by_library(&["$.a.b", "$.a[0]"], body), "{}", body);
    }
}
