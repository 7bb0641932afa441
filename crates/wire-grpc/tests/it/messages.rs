//! Single messages, good and bad.

use peakdrill_wire_grpc::{MethodError, Part, Schema};
use serde_json::json;

use crate::types::{descriptor_set, fill, method, parts, written};

const UNARY: &str = "all.v1.Echo/Unary";

#[test]
fn values_of_every_kind_come_from_holes() {
    let text = r#"{"i32":"<0>","i64":"<1>","u64":"<2>","s32":"<3>","f32":"<4>","sf64":"<5>","real":"<6>","wide":"<7>",
        "yes":"<8>","text":"a<9>b<10>","raw":"<11>","colour":"<12>","below":{"below":{"text":"<13>"}},
        "numbers":[1,"<14>",3],"labels":{"k<15>":"<16>"},"children":{"<17>":{"i32":5}},"at":"<18>","lasting":"<19>",
        "boxed_i64":"<20>","free":{"a":["<21>",1,null,true,{"b":"<22>"}]},"any_value":"<23>","two":"<24>"}"#;
    let values = [
        "-5",
        "9223372036854775807",
        "18446744073709551615",
        "-7",
        "8",
        "-9",
        "1.5",
        "-2.25",
        "true",
        "x\"y\n",
        "ü",
        "aGk=",
        "RED",
        "deep",
        "2",
        "ey",
        "v",
        "-4",
        "2026-11-11T00:00:00.5Z",
        "1.5s",
        "77",
        "in",
        "side",
        "whole",
        "12",
    ];
    let expected = json!({
        "i32": -5, "i64": "9223372036854775807", "u64": "18446744073709551615", "s32": -7, "f32": 8, "sf64": "-9",
        "real": 1.5, "wide": -2.25, "yes": true, "text": "ax\"y\nbü", "raw": "aGk=", "colour": "RED",
        "below": {"below": {"text": "deep"}}, "numbers": [1, 2, 3], "labels": {"key": "v"},
        "children": {"-4": {"i32": 5}}, "at": "2026-11-11T00:00:00.500Z", "lasting": "1.500s", "boxedI64": "77",
        "free": {"a": ["in", 1.0, null, true, {"b": "side"}]}, "anyValue": "whole", "two": "12",
    });
    assert_eq!(written(UNARY, text, &values).unwrap(), expected);
}

#[test]
fn whole_numbers_and_numbers_that_are_none_may_be_written_in_other_ways() {
    let text = r#"{"i32":"<0>","u64":"<1>","sf64":1e3,"colour":"<2>","real":"<3>","wide":"-Infinity"}"#;
    let expected = json!({
        "i32": 10, "u64": "18446744073709551615", "sf64": "1000", "colour": "RED", "real": "NaN", "wide": "-Infinity",
    });
    let values = ["10.00", "18446744073709551615.0", "1e0", "NaN"];
    assert_eq!(written(UNARY, text, &values).unwrap(), expected);
}

#[test]
fn a_message_inside_of_messages_may_have_any_length() {
    let long = "x".repeat(300);
    let text = r#"{"below":{"below":{"text":"<0>","words":["<0>"]}}}"#;
    let text = text.replacen("\"<0>\"]", "\"<1>\"]", 1);
    let below = |text: &str| json!({"below": {"below": {"text": text, "words": [text]}}});
    assert_eq!(written(UNARY, &text, &[&long, &long]).unwrap(), below(&long));
    assert_eq!(written(UNARY, &text, &["s", "s"]).unwrap(), below("s"));
}

#[test]
fn a_default_is_written_only_where_it_can_be_told_from_nothing() {
    let json =
        written(UNARY, r#"{"i32":"<0>","maybe":"<1>","text":"<2>","perhaps":"<3>"}"#, &["0", "0", "", ""]);
    assert_eq!(json.unwrap(), json!({"maybe": 0, "perhaps": ""}));
}

#[test]
fn what_never_changes_is_encoded_once() {
    let fixed = method(UNARY).request(&parts(r#"{"below":{"text":"abc"},"numbers":[1,2]}"#)).unwrap();
    assert_eq!(fixed.fixed().unwrap(), b"\x8a\x01\x05\x72\x03abc\xa2\x01\x02\x01\x02");
    let open = method(UNARY).request(&parts(r#"{"below":{"text":"<0>"}}"#)).unwrap();
    assert_eq!(open.fixed(), None);
    let mut frame = b"x".to_vec();
    open.render_frame(&mut fill(&["abc"]), &mut frame).unwrap();
    assert_eq!(frame, b"x\0\0\0\0\x08\x8a\x01\x05\x72\x03abc");
}

#[test]
fn old_files_have_groups_and_loose_lists() {
    let text = r#"{"id":0,"name":"<0>","part":{"text":"<1>"},"numbers":["<2>",2],"tight":["<3>"]}"#;
    let json = written("old.v1.Legacy/Call", text, &["", "in", "1", "300"]).unwrap();
    assert_eq!(json, json!({"id": 0, "name": "", "part": {"text": "in"}, "numbers": [1, 2], "tight": [300]}));
}

#[test]
fn what_does_not_fit_is_told_with_its_place() {
    let cases = [
        (r#"{"txt":"a"}"#, "[0] key: `all.v1.All` has no field `txt`"),
        (r#"{"text":"a","i32":"x"}"#, "[1]: `all.v1.All.i32` takes a whole number of 32 bits, not `x`"),
        (r#"{"i32":3000000000}"#, "[0]: `all.v1.All.i32` takes a whole number of 32 bits, not `3000000000`"),
        (r#"{"i32":1.5}"#, "[0]: `all.v1.All.i32` takes a whole number of 32 bits, not `1.5`"),
        (r#"{"text":5}"#, "[0]: `all.v1.All.text` takes text, not a number: put it in quotes"),
        (r#"{"yes":"true"}"#, "[0]: `all.v1.All.yes` takes true or false, not text"),
        (r#"{"raw":"!"}"#, "[0]: `all.v1.All.raw` takes Base64, not `!`"),
        (r#"{"colour":"GREEN"}"#, "[0]: `all.v1.All.colour` takes a name or number of the enum, not `GREEN`"),
        (
            r#"{"below":{"many":[{},{"i32":true}]}}"#,
            "[0, 0, 1, 0]: `all.v1.All.i32` takes a whole number of 32 bits, not a boolean",
        ),
        (r#"{"below":[]}"#, "[0]: `all.v1.All` is written as a mapping of its fields, not as a list"),
        (r#"{"numbers":1}"#, "[0]: `all.v1.All.numbers` is a list, not a number"),
        (r#"{"labels":[]}"#, "[0]: `all.v1.All.labels` is a mapping, not a list"),
        (
            r#"{"children":{"x":{}}}"#,
            "[0, 0] key: `all.v1.All.ChildrenEntry.key` takes a whole number of 32 bits, not `x`",
        ),
        (r#"{"labels":{"x":null}}"#, "[0, 0]: a value of a map cannot be nothing"),
        (
            r#"{"one":"a","i32":1,"two":2}"#,
            "[2] key: `one` and `two` exclude each other: they are of the oneof `choice`",
        ),
        (r#"{"boxedI64":1,"boxed_i64":2}"#, "[1] key: the field `boxed_i64` stands twice"),
        (r#"{"t<0>":1}"#, "[0] key: a name of a field cannot be filled in"),
        (r#"{"mask":"a.<0>"}"#, "[0]: values cannot be filled in inside of `google.protobuf.FieldMask`"),
        (
            r#"{"any":{"@type":"x/all.v1.All","labels":null}}"#,
            "[0]: a null inside of `google.protobuf.Any` is not built",
        ),
        (r#"[1]"#, "[]: `all.v1.All` is written as a mapping of its fields, not as a list"),
    ];
    for (text, expected) in cases {
        assert_eq!(written(UNARY, text, &[]).unwrap_err(), expected, "{text}");
    }
    let at = written(UNARY, r#"{"at":"yesterday"}"#, &[]).unwrap_err();
    assert!(at.starts_with("[0]: this is no `google.protobuf.Timestamp`"), "{at}");
    let deep = format!("{}{}", r#"{"below":"#.repeat(70), "{}".to_owned() + &"}".repeat(70));
    let deep = written(UNARY, &deep, &[]).unwrap_err();
    assert!(deep.ends_with("more than 64 messages inside of one another"), "{deep}");
}

#[test]
fn a_value_that_does_not_fit_is_told_when_it_comes() {
    let one = |text: &str, value: &str| written(UNARY, text, &[value]).unwrap_err();
    assert_eq!(one(r#"{"i32":"<0>"}"#, "1.5"), "all.v1.All.i32 is not a whole number of 32 bits");
    assert_eq!(one(r#"{"real":"<0>"}"#, "1e39"), "all.v1.All.real is not a number");
    assert_eq!(one(r#"{"wide":"<0>"}"#, "1e400"), "all.v1.All.wide is not a number");
    assert_eq!(one(r#"{"colour":"<0>"}"#, "GREEN"), "all.v1.All.colour is not a name or number of the enum");
    assert_eq!(one(r#"{"at":"<0>"}"#, "noon"), "all.v1.All.at is not a time such as 2026-11-11T00:00:00Z");
    assert_eq!(written(UNARY, r#"{"text":"<0>"}"#, &[]).unwrap_err(), "no value for 0");
}

#[test]
fn marks_of_holes_cannot_be_forged() {
    let text = "{\"text\":\"\u{e000}<0>\u{e000}\",\"one\":\"\\ue001<0>\"}";
    let text = text.replacen("<0>", "(0)", 1);
    let json = written(UNARY, &text, &["v"]).unwrap();
    assert_eq!(json, json!({"text": "\u{e000}(0)\u{e000}", "one": "\u{e001}v"}));
}

#[test]
fn text_beside_a_hole_is_never_taken_for_one() {
    let cases = [
        (r#"{"text":"<0><3"}"#, "v<3"),
        (r#"{"text":"<1<0>"}"#, "<1v"),
        (r#"{"text":"1<0>2<0>3"}"#, "1v2w3"),
        (r#"{"text":"<0><0>"}"#, "vw"),
    ];
    for (text, expected) in cases {
        let mut pieces = Vec::new();
        for (at, piece) in text.split("<0>").enumerate() {
            pieces.extend((at > 0).then_some(Part::Hole));
            pieces.push(Part::Literal(piece));
        }
        let template = method(UNARY).request(&pieces).unwrap();
        let (mut body, mut json) = (Vec::new(), Vec::new());
        template.render_frame(&mut fill(&["v", "w"]), &mut body).unwrap();
        method(UNARY).answer_json(&body, &mut json).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json["text"], expected, "{text}");
    }
}

#[test]
fn methods_are_looked_up_by_their_full_names() {
    let schema = Schema::decode(&descriptor_set()).unwrap();
    let unary = schema.method("/all.v1.Echo/Unary").unwrap();
    assert_eq!((unary.path(), unary.is_server_streaming()), ("/all.v1.Echo/Unary", false));
    let many = schema.method("all.v1.Echo/Many").unwrap();
    assert!(many.is_server_streaming() && many.is_safe() && !unary.is_safe());
    assert!(matches!(schema.method("all.v1.Echo.Unary"), Err(MethodError::Form(_))));
    assert!(matches!(schema.method("all.v1.Ecco/Unary"), Err(MethodError::NoService { known, .. })
        if known.contains(&"all.v1.Echo".to_owned())));
    assert!(matches!(schema.method("all.v1.Echo/unary"), Err(MethodError::NoMethod { known, .. })
        if known == ["Unary", "Many", "Up", "Both"]));
    for stream in ["Up", "Both"] {
        assert!(matches!(
            schema.method(&format!("all.v1.Echo/{stream}")),
            Err(MethodError::ClientStreaming(_))
        ));
    }
    assert!(Schema::decode(b"nonsense").is_err());
}
