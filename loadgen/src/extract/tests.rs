use peakdrill_drill_model::condition::Op;
use peakdrill_drill_model::plan::{Check, Extract, Outcome, TextTest};
use peakdrill_wire_http1::Fields;
use serde_json::json;

use super::*;

type Read = Result<(Vec<Option<String>>, Option<String>, bool), ErrorClass>;

const HEAD: &[u8] = b"Content-Type: text/html; charset=utf-8\r\nLocation: /orders/17\r\nEmpty:\r\n";

fn read_by(request: &Request, status: u16, body: &str) -> Read {
    let mut names = Names::default();
    let reader = Reader::compile(request, &mut names).unwrap();
    let (mut kept, mut found) = (Kept::default(), Found::default());
    kept.reset(names.extracted.len());
    let heads = Heads { fields: Fields::new(HEAD), ..Heads::default() };
    let reply = Reply { status, heads, body: body.as_bytes(), ..Reply::default() };
    let verdict = reader.read(&reply, &mut kept, &mut found).map_err(|fault| {
        assert!(!fault.detail.is_empty());
        fault.class
    })?;
    let text = |k: usize| kept.get(k as u16).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
    let values = (0..names.extracted.len()).map(text).collect();
    Ok((values, verdict.outcome.map(str::to_owned), verdict.ends))
}

fn read(checks: Vec<Check>, extract: Vec<Extract>, status: u16, body: &str) -> Read {
    read_by(&Request { checks, extract, ..Request::default() }, status, body)
}

fn values(extract: Vec<Extract>, body: &str) -> Result<Vec<Option<String>>, ErrorClass> {
    read(vec![], extract, 200, body).map(|(values, ..)| values)
}

fn extract(name: &str, from: Source, default: Option<&str>) -> Extract {
    Extract { name: name.into(), from, default: default.map(str::to_owned) }
}

#[test]
fn values_are_taken() {
    let paths = |paths: &[&str]| paths.iter().map(|path| Extract::json(path, path)).collect::<Vec<_>>();
    let text = |text: &str| Some(text.to_owned());
    let body = r#"{"id":"a\"b","n":[1,2.5],"o":{"k":true}}"#;
    let got = values(paths(&["$.id", "$.n[1]", "$.o"]), body);
    assert_eq!(got, Ok(vec![text("a\"b"), text("2.5"), text("{\"k\":true}")]));
    for body in ["{}", r#"{"id":null}"#, "<html>", ""] {
        assert_eq!(values(paths(&["$.id"]), body), Err(ErrorClass::ExtractFailed), "{body}");
    }
    let html = r#"<form><input name="csrf" value="x-1"><input name="csrf" value="x-2">"#;
    let group = Source::Regex(r#"name="csrf" value="([^"]+)""#.into());
    let whole = Source::Regex("x-[0-9]+".into());
    let from = vec![
        extract("csrf", group, None),
        extract("whole", whole, None),
        extract("at", Source::Header("location".into()), None),
        extract("none", Source::Header("x-none".into()), Some("d")),
        extract("json", Source::JsonPath("$.a".into()), Some("")),
    ];
    let wanted = ["x-1", "x-1", "/orders/17", "d", ""].map(text);
    assert_eq!(values(from, html), Ok(wanted.to_vec()));
    for from in [Source::Regex("csrf=(.)".into()), Source::Header("x-none".into())] {
        assert_eq!(values(vec![extract("v", from, None)], html), Err(ErrorClass::ExtractFailed));
    }
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(EXTRACTED_MAX_BYTES + 1));
    assert_eq!(values(paths(&["$.a"]), &long), Err(ErrorClass::ExtractFailed));
}

#[test]
fn a_status_is_an_error_unless_something_speaks_of_it() {
    let ok = Ok((vec![], None, false));
    let status = |op, value| vec![Check::Status { op, value }];
    assert_eq!(read(vec![], vec![], 404, ""), Err(ErrorClass::Status(404)));
    assert_eq!(read(status(Op::Eq, 404), vec![], 404, ""), ok);
    assert_eq!(read(vec![Check::StatusIn(vec![200, 404])], vec![], 404, ""), ok);
    assert_eq!(read(vec![Check::StatusIn(vec![200, 404])], vec![], 201, ""), Err(ErrorClass::CheckFailed));
    assert_eq!(read(status(Op::Lt, 400), vec![], 500, ""), Err(ErrorClass::CheckFailed));
    assert_eq!(read(status(Op::Eq, 201), vec![], 200, ""), Err(ErrorClass::CheckFailed));
}

fn holds(check: Check, body: &str) -> bool {
    match read(vec![check], vec![], 200, body) {
        Ok(_) => true,
        Err(ErrorClass::CheckFailed) => false,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn json_is_compared_by_its_type() {
    let check = |op, value| Check::Json { path: "$.v".into(), op, value };
    for (op, value, body, wanted) in [
        (Op::Ge, json!(2), r#"{"v":2.5}"#, true),
        (Op::Eq, json!(2), r#"{"v":2.0}"#, true),
        (Op::Eq, json!(2), r#"{"v":"2"}"#, false),
        (Op::Ne, json!(2), r#"{"v":"2"}"#, true),
        (Op::Eq, json!("ok"), r#"{"v":"ok"}"#, true),
        (Op::Lt, json!("b"), r#"{"v":"a"}"#, true),
        (Op::Eq, json!(true), r#"{"v":true}"#, true),
        (Op::Eq, json!(null), r#"{"v":null}"#, true),
        (Op::Lt, json!(true), r#"{"v":false}"#, false),
        (Op::Ne, json!(1), r#"{"v":[1]}"#, true),
        (Op::Ne, json!(1), "{}", false),
        (Op::Eq, json!(1), "nonsense", false),
        (Op::Eq, json!(9_007_199_254_740_993_u64), r#"{"v":9007199254740992}"#, false),
    ] {
        assert_eq!(holds(check(op, value), body), wanted, "{body}");
    }
    let one_of = |values| Check::JsonIn { path: "$.v".into(), values };
    assert!(holds(one_of(vec![json!(0), json!("x")]), r#"{"v":"x"}"#));
    assert!(!holds(one_of(vec![json!(0), json!(1)]), r#"{"v":2}"#) && !holds(one_of(vec![json!(0)]), "{}"));
    let text = |test| Check::JsonText { path: "$.v".into(), test };
    for (test, body, wanted) in [
        (TextTest::Present, r#"{"v":0}"#, true),
        (TextTest::Present, r#"{"v":null}"#, false),
        (TextTest::Absent, "{}", true),
        (TextTest::Absent, r#"{"v":0}"#, false),
        (TextTest::Contains("b".into()), r#"{"v":"abc"}"#, true),
        (TextTest::Matches("^[0-9]+$".into()), r#"{"v":12}"#, true),
        (TextTest::Matches("^[0-9]+$".into()), r#"{"v":"x"}"#, false),
    ] {
        assert_eq!(holds(text(test.clone()), body), wanted, "{test:?} {body}");
    }
}

#[test]
fn headers_and_bodies_are_checked() {
    let header = |name: &str, test| Check::Header { name: name.into(), test };
    let text = |text: &str| text.to_owned();
    for (name, test, wanted) in [
        ("location", TextTest::Is(text("/orders/17")), true),
        ("location", TextTest::Is(text("/")), false),
        ("location", TextTest::IsNot(text("/")), true),
        ("x-none", TextTest::IsNot(text("/")), false),
        ("content-type", TextTest::Contains(text("html")), true),
        ("content-type", TextTest::Matches(text("charset=(?i)UTF-8$")), true),
        ("empty", TextTest::Present, true),
        ("x-none", TextTest::Present, false),
        ("x-none", TextTest::Absent, true),
        ("location", TextTest::Absent, false),
    ] {
        assert_eq!(holds(header(name, test.clone()), ""), wanted, "{name} {test:?}");
    }
    assert!(holds(Check::Body(TextTest::Contains(text("wor"))), "hello world"));
    assert!(!holds(Check::Body(TextTest::Contains(text("x"))), "hello world"));
    assert!(holds(Check::Body(TextTest::Matches(text("^hello w"))), "hello world"));
    assert!(holds(Check::BodySize { op: Op::Lt, bytes: 12 }, "hello world"));
    assert!(!holds(Check::BodySize { op: Op::Gt, bytes: 11 }, "hello world"));
}

#[test]
fn an_answer_of_a_class_is_no_failure() {
    let code = |code: u16| Check::Json { path: "$.code".into(), op: Op::Eq, value: json!(code) };
    let outcome = |name: &str, when| Outcome { name: name.into(), when };
    let request = Request {
        extract: vec![Extract::json("id", "$.id")],
        outcomes: vec![
            outcome("sold_out", code(2001)),
            outcome("limited", Check::Status { op: Op::Eq, value: 429 }),
        ],
        ..Request::default()
    };
    let id = || vec![Some("7".to_owned())];
    assert_eq!(read_by(&request, 200, r#"{"code":0,"id":7}"#), Ok((id(), None, false)));
    let sold_out = Some("sold_out".to_owned());
    assert_eq!(read_by(&request, 200, r#"{"code":2001,"id":7}"#), Ok((id(), sold_out.clone(), false)));
    assert_eq!(read_by(&request, 200, r#"{"code":2001}"#), Ok((vec![None], sold_out, true)));
    assert_eq!(read_by(&request, 429, "slow down"), Ok((vec![None], Some("limited".into()), true)));
    assert_eq!(read_by(&request, 503, "{}"), Err(ErrorClass::Status(503)));
    assert_eq!(read_by(&request, 200, r#"{"code":0}"#), Err(ErrorClass::ExtractFailed));
    // Checks hold for every class.
    let checked = Request { checks: vec![code(0)], ..request };
    assert_eq!(read_by(&checked, 200, r#"{"code":2001}"#), Err(ErrorClass::CheckFailed));
}
