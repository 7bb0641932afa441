//! Answers as JSON.

use peakdrill_wire_grpc::{ANSWER_JSON_MAX_BYTES, FrameError, Undecodable, put_frame};
use serde_json::{Value as Json, json};

use crate::types::{fill, method, parts};

fn framed(texts: &[&str]) -> Vec<u8> {
    let mut body = Vec::new();
    for text in texts {
        let template = method("all.v1.Echo/Unary").request(&parts(text)).unwrap();
        template.render_frame(&mut fill(&[]), &mut body).unwrap();
    }
    body
}

fn json(name: &str, body: &[u8]) -> Result<Json, Undecodable> {
    let mut out = Vec::new();
    method(name).answer_json(body, &mut out)?;
    Ok(serde_json::from_slice(&out).unwrap())
}

#[test]
fn integers_are_numbers_and_defaults_are_there() {
    let body = framed(&[r#"{"i64":"9007199254740993","colour":"RED","boxed_text":"","raw":"aGk="}"#]);
    let json = json("all.v1.Echo/Unary", &body).unwrap();
    let got = |name: &str| json.get(name).cloned();
    assert_eq!(got("i64"), Some(json!(9_007_199_254_740_993_i64)));
    assert_eq!((got("i32"), got("u64"), got("yes")), (Some(json!(0)), Some(json!(0)), Some(json!(false))));
    assert_eq!(
        (got("colour"), got("boxedText"), got("raw")),
        (Some(json!("RED")), Some(json!("")), Some(json!("aGk=")))
    );
    assert_eq!((got("words"), got("labels"), got("maybe")), (Some(json!([])), Some(json!({})), None));
}

#[test]
fn a_stream_is_a_list() {
    let body = framed(&[r#"{"i32":1}"#, r#"{"i32":2}"#]);
    let list = json("all.v1.Echo/Many", &body).unwrap();
    let numbers: Vec<_> = list.as_array().unwrap().iter().map(|item| item["i32"].clone()).collect();
    assert_eq!(numbers, [json!(1), json!(2)]);
    assert_eq!(json("all.v1.Echo/Many", b""), Ok(json!([])));
}

#[test]
fn what_is_no_answer_is_an_error() {
    assert_eq!(json("all.v1.Echo/Unary", b""), Err(Undecodable::Count(0)));
    assert_eq!(json("all.v1.Echo/Unary", &framed(&["{}", "{}"])), Err(Undecodable::Count(2)));
    assert_eq!(json("all.v1.Echo/Unary", &[0, 0, 0, 0, 9, 1]), Err(Undecodable::Frames(FrameError::Short)));
    let mut broken = Vec::new();
    put_frame(&[0x72, 0x7f, 1], &mut broken);
    assert!(matches!(json("all.v1.Echo/Unary", &broken), Err(Undecodable::Message { .. })));
}

#[test]
fn what_has_no_json_is_no_broken_message() {
    let mut unknown = Vec::new();
    put_frame(b"\xf2\x03\x09\x0a\x07x/no.No", &mut unknown);
    for name in ["all.v1.Echo/Unary", "all.v1.Echo/Many"] {
        let error = json(name, &unknown).unwrap_err();
        assert!(matches!(&error, Undecodable::NoJson { name, .. } if name == "all.v1.All"), "{error}");
        assert!(error.to_string().contains("no.No"), "{error}");
    }
    let mut broken = unknown.clone();
    put_frame(&[0x72, 0x7f, 1], &mut broken);
    assert!(matches!(json("all.v1.Echo/Many", &broken), Err(Undecodable::Message { .. })));
    assert_eq!(json("all.v1.Echo/Unary", &[&unknown[..], &unknown].concat()), Err(Undecodable::Count(2)));
}

#[test]
fn small_messages_that_become_large_are_not_decoded_to_the_end() {
    let one = framed(&["{}"]);
    let mut out = Vec::new();
    method("all.v1.Echo/Many").answer_json(&one, &mut out).unwrap();
    let over = one.repeat(ANSWER_JSON_MAX_BYTES / (out.len() - 2) + 1);
    let mut out = Vec::new();
    let error = method("all.v1.Echo/Many").answer_json(&over, &mut out);
    assert_eq!(error, Err(Undecodable::TooLarge));
    assert!(out.len() <= ANSWER_JSON_MAX_BYTES);
}
