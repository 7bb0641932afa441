use proptest::prelude::*;
use serde_json::json;

use super::*;

fn ok(text: &str) -> Check {
    read(text, Answers::Http).unwrap_or_else(|_| panic!("{text} is a check"))
}

#[test]
fn every_form_of_a_check() {
    let path = || "$.a.b".to_owned();
    let text = |text: &str| text.to_owned();
    assert_eq!(ok("status == 200"), Check::Status { op: Op::Eq, value: 200 });
    assert_eq!(ok("status<400"), Check::Status { op: Op::Lt, value: 400 });
    assert_eq!(ok("status in [200, 201]"), Check::StatusIn(vec![200, 201]));
    assert_eq!(ok("$.a.b >= 1.5"), Check::Json { path: path(), op: Op::Ge, value: json!(1.5) });
    assert_eq!(ok("$.a.b=='x y'"), Check::Json { path: path(), op: Op::Eq, value: json!("x y") });
    assert_eq!(
        ok("$.a[?@.x == 1].b != null"),
        Check::Json { path: text("$.a[?@.x == 1].b"), op: Op::Ne, value: json!(null) }
    );
    let values = vec![json!(0), json!("a,]b"), json!("c\"d"), json!(true)];
    assert_eq!(ok(r#"$.a.b in [0, 'a,]b', "c\"d", true]"#), Check::JsonIn { path: path(), values });
    assert_eq!(ok("$.a.b present"), Check::JsonText { path: path(), test: TextTest::Present });
    assert_eq!(ok("$.a.b absent"), Check::JsonText { path: path(), test: TextTest::Absent });
    assert_eq!(
        ok("$.a.b contains 'x'"),
        Check::JsonText { path: path(), test: TextTest::Contains(text("x")) }
    );
    assert_eq!(
        ok("$.a.b matches /^x/"),
        Check::JsonText { path: path(), test: TextTest::Matches(text("^x")) }
    );
    let header = |name: &str, test| Check::Header { name: name.to_owned(), test };
    assert_eq!(ok("header ETag present"), header("etag", TextTest::Present));
    assert_eq!(
        ok("header content-type == application/json"),
        header("content-type", TextTest::Is(text("application/json")))
    );
    assert_eq!(ok("header x!=\"a b\""), header("x", TextTest::IsNot(text("a b"))));
    assert_eq!(ok("header x matches /a\\/b/i"), header("x", TextTest::Matches(text("(?i)a/b"))));
    assert_eq!(ok("body contains \"a\\n\""), Check::Body(TextTest::Contains(text("a\n"))));
    assert_eq!(ok("body matches /i/"), Check::Body(TextTest::Matches(text("i"))));
    assert_eq!(ok("body size < 10KiB"), Check::BodySize { op: Op::Lt, bytes: 10_240 });
    assert_eq!(ok("body size >= 1.5kB"), Check::BodySize { op: Op::Ge, bytes: 1_500 });
}

#[test]
fn broken_checks_say_what_was_expected() {
    for text in [
        "",
        "status",
        "status = 200",
        "status == x",
        "status in 200",
        "status in []",
        "code == 5",
        "$.a",
        "$.a ==",
        "$.a == x",
        "$.a == [1]",
        "$.a in [",
        "$.a in [[1]]",
        "$.a is 1",
        "$.a[ == 1",
        "header",
        "header x",
        "header x > 1",
        "header == 1",
        "header x == a b",
        "body",
        "body present",
        "body == x",
        "body contains",
        "body matches x",
        "body matches //",
        "body size",
        "body size < ten",
        "statuses == 200",
        "bodysize < 1B",
    ] {
        assert!(read(text, Answers::Http).is_err(), "{text:?} is no check");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "(status|header|body|body size|\\$\\.a|\\$)? ?(==|!=|<|in|contains|matches)? ?\\PC{0,12}") {
        let _ = read(&text, Answers::Http);
        let _ = read(&text, Answers::Grpc);
    }

    #[test]
    fn lists_are_read_as_they_are_written(values in prop::collection::vec("\\PC{0,8}", 1..5)) {
        let text = format!("$.a in {}", json!(values));
        let values = values.into_iter().map(Json::from).collect();
        prop_assert_eq!(ok(&text), Check::JsonIn { path: "$.a".into(), values });
    }
}
