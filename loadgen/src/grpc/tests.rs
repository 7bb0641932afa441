use peakdrill_drill_model::condition::Op;
use peakdrill_drill_model::plan::{Check, Extract, Part, Template};
use peakdrill_drill_model::plan::{Outcome, Request};
use peakdrill_wire_grpc::{ANSWER_JSON_MAX_BYTES, Frames, put_frame};
use peakdrill_wire_http1::{Fields, Sink as _};
use serde_json::json;

use super::*;
use crate::answer::Wanted;
use crate::extract::{Reader, Reply, Verdict};
use crate::json::Found;
use crate::kept::Kept;
use crate::template::tests::kept;
use crate::template::{Lets, Names, Values};

/// `service test.Echo { rpc Call(M) returns (M); rpc Many(M) returns (stream M); }` with
/// `message M { int64 id = 1; string text = 2; }`, as a compiler writes it.
pub(crate) fn descriptors() -> Vec<u8> {
    let bytes = |field: u8, content: &[u8]| {
        let (low, high) = (content.len() as u8 & 0x7f, (content.len() >> 7) as u8);
        let length = if high > 0 { vec![low | 0x80, high] } else { vec![low] };
        [&[field << 3 | 2], length.as_slice(), content].concat()
    };
    let number = |field: u8, value: u8| vec![field << 3, value];
    let field = |name: &str, place: u8, kind: u8| {
        let parts = [bytes(1, name.as_bytes()), number(3, place), number(4, 1), number(5, kind)];
        bytes(2, &[parts.concat(), bytes(10, name.as_bytes())].concat())
    };
    let message = [bytes(1, b"M"), field("id", 1, 3), field("text", 2, 9)].concat();
    let method = |name: &str, stream: u8| {
        let parts =
            [bytes(1, name.as_bytes()), bytes(2, b".test.M"), bytes(3, b".test.M"), number(6, stream)];
        bytes(2, &parts.concat())
    };
    let service = [bytes(1, b"Echo"), method("Call", 0), method("Many", 1)].concat();
    let head = [bytes(1, b"test.proto"), bytes(2, b"test")].concat();
    let file = [head, bytes(4, &message), bytes(6, &service), bytes(12, b"proto3")].concat();
    bytes(1, &file)
}

fn method(name: &str) -> Method {
    Schema::decode(&descriptors()).unwrap().method(name).unwrap()
}

/// An answer of this HTTP status, body and trailers.
fn answer(status: u16, head: &str, body: &[u8], trailers: &str) -> Answer {
    let mut answer = Answer::new(Vec::new(), Wanted { body: true, frames: true });
    answer.head(status, Fields::new(head.as_bytes()));
    answer.body(body);
    peakdrill_wire_http2::Sink::trailers(&mut answer, Fields::new(trailers.as_bytes()));
    answer
}

fn framed(messages: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::new();
    messages.iter().for_each(|message| put_frame(message, &mut body));
    body
}

const OK: &str = "grpc-status: 0\r\n";

#[test]
fn a_limit_has_eight_digits_at_most() {
    let cases = [
        (1, "1n"),
        (99_999_999, "99999999n"),
        (100_000_001, "100001u"),
        (1_000_000_000, "1000000u"),
        (10_000_000_000, "10000000u"),
        (3_600_000_000_000, "3600000m"),
        (u64::MAX, "5124096H"),
    ];
    for (ns, text) in cases {
        assert_eq!(timeout_header(ns), text);
    }
}

#[test]
fn every_end_of_a_call_has_its_class() {
    let class = |answer: Answer| called(&answer).map_err(|fault| fault.class);
    let one = framed(&[b"\x08\x05"]);
    assert_eq!(class(answer(200, "", &one, OK)), Ok(Called { status: 0, messages: 1 }));
    assert_eq!(class(answer(200, "grpc-status: 5\r\n", b"", "")), Ok(Called { status: 5, messages: 0 }));
    assert_eq!(
        class(answer(200, "", &one[..4], "grpc-status: 13\r\n")),
        Ok(Called { status: 13, messages: 0 })
    );
    assert_eq!(class(answer(503, "", b"busy!", "")), Ok(Called { status: 14, messages: 0 }));
    assert_eq!(class(answer(500, "", b"", "grpc-status: 77\r\n")), Ok(Called { status: 77, messages: 0 }));
    assert_eq!(class(answer(200, "", &one, "")), Err(ErrorClass::GrpcStatusMissing));
    assert_eq!(class(answer(200, "", &one, "grpc-status: ok\r\n")), Err(ErrorClass::GrpcMalformed));
    assert_eq!(class(answer(200, "", &one[..6], OK)), Err(ErrorClass::GrpcMessageShort));
    assert_eq!(class(answer(200, "", &[1, 0, 0, 0, 0], OK)), Err(ErrorClass::GrpcCompressed));
    assert_eq!(class(answer(200, "", &[7, 0, 0, 0, 0], OK)), Err(ErrorClass::GrpcMalformed));
    assert_eq!(class(answer(200, "", &[0, 1, 0, 0, 0], OK)), Err(ErrorClass::BodyTooLarge));
}

#[test]
fn a_status_is_told_with_its_text() {
    let text = |answer: &Answer, status| status_text(answer, status);
    let gone = answer(200, "", b"", "grpc-status: 5\r\ngrpc-message: no%20such user\r\n");
    assert_eq!(text(&gone, 5), "grpc status 5 NOT_FOUND: no such user");
    assert_eq!(text(&answer(200, "grpc-status: 99\r\n", b"", ""), 99), "grpc status 99 not a known status");
    let proxy = answer(502, "", b"", "");
    assert_eq!(text(&proxy, 14), "HTTP status 502 without grpc-status: 14 UNAVAILABLE");
}

#[test]
fn messages_are_decoded_where_somebody_looks() {
    let two = answer(200, "", &framed(&[b"\x08\x05", b""]), OK);
    let of = |name: &str, wanted| read(&method(name), &two, called(&two).unwrap(), wanted);
    assert_eq!(of("test.Echo/Many", false), Ok(Messages::default()));
    let Messages { json: list, why_none } = of("test.Echo/Many", true).unwrap();
    assert_eq!(why_none, "");
    assert_eq!(list, br#"[{"id":5,"text":""},{"id":0,"text":""}]"#);
    for wanted in [false, true] {
        let fault = of("test.Echo/Call", wanted).unwrap_err();
        assert_eq!(
            (fault.class, fault.detail.as_str()),
            (ErrorClass::GrpcMalformed, "a unary call was answered by 2 messages")
        );
    }
    let broken = answer(200, "", &framed(&[b"\x08"]), OK);
    let fault = read(&method("test.Echo/Call"), &broken, called(&broken).unwrap(), true).unwrap_err();
    assert_eq!(fault.class, ErrorClass::GrpcMalformed);
    let one = br#"{"id":0,"text":""},"#.len();
    let many = answer(200, "", &framed(&[b""]).repeat(ANSWER_JSON_MAX_BYTES / one + 1), OK);
    let fault = read(&method("test.Echo/Many"), &many, called(&many).unwrap(), true).unwrap_err();
    assert_eq!(fault.class, ErrorClass::BodyTooLarge);
}

#[test]
fn a_status_that_is_accepted_has_no_message_to_look_at() {
    let why = |head: &str, messages| {
        let answer = answer(200, head, b"", "");
        let called = Called { status: 5, messages };
        let read = read(&method("test.Echo/Call"), &answer, called, true).unwrap();
        let checks = vec![
            Check::GrpcStatusIn(vec![0, 5]),
            Check::Json { path: "$.id".into(), op: Op::Eq, value: json!(1) },
        ];
        let request = Request { checks, ..Request::default() };
        let reader = Reader::compile(&request, &mut Names::default()).unwrap();
        let reply = Reply {
            status: 200,
            heads: answer.heads(),
            body: &read.json,
            called: Some(called),
            why_no_json: &read.why_none,
        };
        let fault = reader.read(&reply, &mut Kept::default(), &mut Found::default()).unwrap_err();
        assert_eq!(fault.class, ErrorClass::CheckFailed);
        fault.detail
    };
    let gone = "grpc-status: 5\r\ngrpc-message: gone\r\n";
    assert_eq!(why(gone, 0), "the call ended with grpc status 5 NOT_FOUND: gone and has no message");
    assert!(why(gone, 2).ends_with("and its messages are not looked at"));
}

/// What a step with these checks makes of a call.
fn judged(request: &Request, called: Called, body: &[u8]) -> Result<(Option<String>, bool), ErrorClass> {
    let mut names = Names::default();
    let reader = Reader::compile(request, &mut names).unwrap();
    let mut kept = Kept::default();
    kept.reset(names.extracted.len());
    let reply =
        Reply { status: 200, heads: Default::default(), body, called: Some(called), ..Reply::default() };
    let verdict = reader.read(&reply, &mut kept, &mut Found::default()).map_err(|fault| fault.class);
    verdict.map(|Verdict { outcome, ends }| (outcome.map(str::to_owned), ends))
}

#[test]
fn a_status_is_an_error_unless_a_check_or_a_class_speaks_of_it() {
    let called = |status, messages| Called { status, messages };
    let plain = Request::default();
    assert_eq!(judged(&plain, called(0, 1), b""), Ok((None, false)));
    assert_eq!(judged(&plain, called(14, 0), b""), Err(ErrorClass::Grpc(14)));
    let of = |check| Request { checks: vec![check], ..Request::default() };
    let not_found = of(Check::GrpcStatus { op: Op::Eq, value: 5 });
    assert_eq!(judged(&not_found, called(5, 0), b""), Ok((None, false)));
    assert_eq!(judged(&not_found, called(0, 1), b""), Err(ErrorClass::CheckFailed));
    let either = of(Check::GrpcStatusIn(vec![0, 8]));
    assert_eq!(judged(&either, called(8, 0), b""), Ok((None, false)));
    assert_eq!(judged(&either, called(9, 0), b""), Err(ErrorClass::CheckFailed));
    let several = of(Check::Messages { op: Op::Ge, count: 2 });
    assert_eq!(judged(&several, called(0, 2), b""), Ok((None, false)));
    assert_eq!(judged(&several, called(0, 1), b""), Err(ErrorClass::CheckFailed));
    assert_eq!(judged(&several, called(4, 5), b""), Err(ErrorClass::Grpc(4)));
    let shed = Outcome { name: "shed".into(), when: Check::GrpcStatus { op: Op::Eq, value: 8 } };
    let extract = vec![Extract::json("id", "$.id")];
    let classed = Request { outcomes: vec![shed], extract, ..Request::default() };
    assert_eq!(judged(&classed, called(8, 0), b""), Ok((Some("shed".into()), true)));
    assert_eq!(judged(&classed, called(0, 1), br#"{"id":7}"#), Ok((None, false)));
    assert_eq!(judged(&classed, called(7, 0), b""), Err(ErrorClass::Grpc(7)));
}

#[test]
fn a_message_is_rendered_from_what_the_journey_has() {
    let text = |text: &str| Part::Literal(text.to_owned());
    let mut names = Names::default();
    let json = Template(vec![
        text("{\"id\":\""),
        Part::Index,
        text("\",\"text\":\"a "),
        Part::RunId,
        text(" "),
        Part::Extracted("x".into()),
        text("\"}"),
    ]);
    let message = Message::compile(&method("test.Echo/Call"), &json, "r\"1", &mut names).unwrap();
    assert_eq!(message.fixed(), None);
    let (extracted, lets) = (kept(&[Some("ü".to_owned())]), Lets::new());
    let values = Values {
        feeders: &[],
        rows: &[],
        extracted: &extracted,
        index: 300,
        turn: 0,
        uuid_seed: 0,
        seed: 0,
        now_ns: 0,
        lets: &lets,
    };
    let mut out = Vec::new();
    message.render(&values, &mut out).unwrap();
    let mut answered = Vec::new();
    method("test.Echo/Call").answer_json(&out, &mut answered).unwrap();
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&answered).unwrap(),
        json!({"id": 300, "text": "a r\"1 ü"})
    );
    let mut frames = Frames::default();
    frames.feed(&out);
    assert_eq!(frames.finish(), Ok(1));
    let run = Template(vec![text("{\"text\":\""), Part::RunId, text("\"}")]);
    let fixed = Message::compile(&method("test.Echo/Call"), &run, "r", &mut names).unwrap();
    assert_eq!(fixed.fixed().unwrap(), framed(&[b"\x12\x01r"]));
    let wrong =
        Message::compile(&method("test.Echo/Call"), &Template(vec![text("{\"no\":1}")]), "r", &mut names);
    assert!(matches!(wrong, Err(StartError::Plan(text)) if text.contains("`test.M` has no field `no`")));
}
