//! gRPC calls against a server whose answers are known.

use std::collections::BTreeMap;
use std::sync::Arc;

use peakdrill_drill_model::condition::Op;
use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::{
    Check, DescriptorSet, Extract, MessageTypes, Outcome, Part, Plan, Protocol, Request, Source, Template,
    TextTest,
};
use peakdrill_loadgen::{Config, ProbeOptions, Resolver, Secrets, StartError, Tagging, probe, start, types};
use peakdrill_shadow_tag::Traceparent;
use peakdrill_testkit::grpc::{Reflection, Server, descriptor_set};
use serde_json::json;

use crate::common::{MS, RUN, S, Told, config, hold, node, plan, run, run_over, run_with, transports};
use crate::tags::{now, shadow};

const STREAMS: u32 = 100;

fn files() -> MessageTypes {
    let content = Arc::new(descriptor_set().unwrap());
    MessageTypes::Files(DescriptorSet { content, ..DescriptorSet::default() })
}

fn call(step: u16, method: &str, message: Vec<Part>) -> Request {
    Request {
        step,
        method: "POST".into(),
        path: Template::literal(&format!("/{method}")),
        grpc: Some(method.to_owned()),
        body: Some(Template(message)),
        timeout_ns: Some(S),
        ..Request::default()
    }
}

fn text(text: &str) -> Part {
    Part::Literal(text.to_owned())
}

fn unary(step: u16, message: &str) -> Request {
    call(step, "all.v1.Echo/Unary", vec![text(message)])
}

fn many(step: u16, message: &str) -> Request {
    call(step, "all.v1.Echo/Many", vec![text(message)])
}

/// A hundred journeys a second, for so long.
fn calls(server: &Server, types: MessageTypes, for_ns: u64, calls: Vec<Request>) -> Plan {
    let mut plan = plan(&server.url(), hold(100.0, for_ns), calls.into_iter().map(node).collect());
    plan.targets[0].types = Some(types);
    plan.targets[0].protocol = Protocol::Http2 { streams: STREAMS };
    plan
}

fn status(op: Op, value: u16) -> Check {
    Check::GrpcStatus { op, value }
}

/// What twenty calls come to.
fn ends(server: &Server, call: Request) -> (BTreeMap<ErrorClass, u64>, Told) {
    let told = run(calls(server, files(), 200 * MS, vec![call]));
    told.assert_sums();
    assert_eq!(told.step(0).completed, 20);
    (told.step(0).errors, told)
}

#[test]
fn calls_carry_what_the_protocol_wants_and_values_go_on() {
    let server = Server::start(Reflection::None).unwrap();
    let first = Request {
        headers: vec![("x-tenant".into(), Template::literal("a"))],
        extract: vec![
            Extract::json("id", "$.i64"),
            Extract { name: "kind".into(), from: Source::Header("content-type".into()), default: None },
        ],
        checks: vec![
            status(Op::Eq, 0),
            Check::Json { path: "$.i64".into(), op: Op::Ge, value: json!(0) },
            Check::Json { path: "$.below.text".into(), op: Op::Eq, value: json!("in ü") },
        ],
        ..call(
            0,
            "all.v1.Echo/Unary",
            vec![text("{\"i64\":\""), Part::Index, text("\",\"below\":{\"text\":\"in ü\"}}")],
        )
    };
    let second = call(
        1,
        "all.v1.Echo/Unary",
        vec![
            text("{\"text\":\""),
            Part::Extracted("id".into()),
            text(" "),
            Part::Extracted("kind".into()),
            text("\"}"),
        ],
    );
    for transport in transports() {
        let before = server.calls().len();
        let told =
            run_over(transport, calls(&server, files(), 500 * MS, vec![first.clone(), second.clone()]));
        told.assert_sums();
        assert_eq!((told.step(0).completed, told.step(1).completed), (50, 50));
        assert!(told.step(0).errors.is_empty() && told.step(1).errors.is_empty());
        let seen = server.calls().split_off(before);
        assert_eq!(seen.len(), 100);
        for call in &seen {
            assert_eq!(
                (call.get("content-type"), call.get("te")),
                (Some("application/grpc"), Some("trailers"))
            );
            assert_eq!((call.get("grpc-timeout"), call.get("accept")), (Some("1000000u"), None));
            assert!(call.get("user-agent").unwrap().starts_with("peakdrill/"));
            assert!(Traceparent::parse(call.get("traceparent").unwrap().as_bytes()).is_ok());
        }
        assert_eq!(seen.iter().filter(|call| call.get("x-tenant") == Some("a")).count(), 50);
        // Field 14 is the text: what the first call's answer held.
        let mut texts: Vec<Vec<u8>> = seen
            .iter()
            .filter(|call| call.get("x-tenant").is_none())
            .map(|call| call.message.clone())
            .collect();
        let mut expected: Vec<Vec<u8>> = (0..50)
            .map(|index| {
                let text = format!("{index} application/grpc");
                [&[0x72, text.len() as u8], text.as_bytes()].concat()
            })
            .collect();
        texts.sort();
        expected.sort();
        assert_eq!(texts, expected);
    }
}

#[test]
fn every_kind_of_value_comes_back() {
    let server = Server::start(Reflection::None).unwrap();
    let message = r#"{"i32":-5,"i64":"-9007199254740993","u32":7,"u64":"18446744073709551615","s32":-8,"s64":-9,"f32":10,
        "f64":11,"sf32":-12,"sf64":-13,"real":1.5,"wide":-2.25,"yes":true,"text":"x","raw":"aGk=","colour":"RED",
        "numbers":[1,2],"labels":{"a":"b"},"children":{"3":{"i32":4}},"one":"of","at":"2026-11-11T00:00:00Z",
        "lasting":"1.5s","free":{"k":[1,null,"v"]},"boxed_i64":"6","boxed_text":""}"#;
    let equal = |path: &str, value| Check::Json { path: path.into(), op: Op::Eq, value };
    let checks = vec![
        equal("$.i32", json!(-5)),
        equal("$.i64", json!(-9_007_199_254_740_993_i64)),
        equal("$.u64", json!(18_446_744_073_709_551_615_u64)),
        equal("$.sf64", json!(-13)),
        equal("$.wide", json!(-2.25)),
        equal("$.yes", json!(true)),
        equal("$.raw", json!("aGk=")),
        equal("$.colour", json!("RED")),
        equal("$.numbers[1]", json!(2)),
        equal("$.labels.a", json!("b")),
        equal("$.children['3'].i32", json!(4)),
        equal("$.one", json!("of")),
        equal("$.at", json!("2026-11-11T00:00:00Z")),
        equal("$.lasting", json!("1.500s")),
        equal("$.free.k[2]", json!("v")),
        equal("$.boxedI64", json!(6)),
        equal("$.boxedText", json!("")),
        // Not set: at its default.
        Check::JsonText { path: "$.loose".into(), test: TextTest::Is("[]".into()) },
    ];
    let (errors, told) = ends(&server, Request { checks, ..unary(0, message) });
    assert!(errors.is_empty(), "{:?}", told.samples.first());
}

#[test]
fn a_stream_is_a_list_of_messages_and_ends_with_its_status() {
    let server = Server::start(Reflection::None).unwrap();
    let checks = vec![
        Check::Messages { op: Op::Eq, count: 3 },
        Check::Json { path: "$[2].text".into(), op: Op::Eq, value: json!("a") },
        Check::Json { path: "$[-1].i32".into(), op: Op::Eq, value: json!(3) },
    ];
    assert!(ends(&server, Request { checks, ..many(0, r#"{"i32":3,"text":"a"}"#) }).0.is_empty());
    assert!(ends(&server, many(0, r#"{"i32":1000}"#)).0.is_empty(), "nobody looks at the messages");
    let none = Request { checks: vec![Check::Messages { op: Op::Gt, count: 0 }], ..many(0, "{}") };
    assert_eq!(ends(&server, none).0, [(ErrorClass::CheckFailed, 20)].into());
    let failing = many(0, r#"{"i32":2,"text":"fail 13 broken"}"#);
    assert_eq!(ends(&server, failing).0, [(ErrorClass::Grpc(13), 20)].into());
}

#[test]
fn a_status_is_an_error_with_its_name_and_text() {
    let server = Server::start(Reflection::None).unwrap();
    let failing = unary(0, r#"{"text":"fail 5 no such üser"}"#);
    let (errors, told) = ends(&server, failing.clone());
    assert_eq!(errors, [(ErrorClass::Grpc(5), 20)].into());
    let sample = &told.samples[0];
    assert_eq!(sample.detail, "grpc status 5 NOT_FOUND: no such üser");
    assert!(sample.head.contains("grpc-status: 5"), "{}", sample.head);
    assert!(told.roots.iter().all(|root| root.status == 200 && root.error == Some(ErrorClass::Grpc(5))));
    let expected = Request { checks: vec![status(Op::Eq, 5)], ..failing.clone() };
    assert!(ends(&server, expected).0.is_empty());
    let gone = Outcome { name: "gone".into(), when: status(Op::Eq, 5) };
    let (errors, told) = ends(&server, Request { outcomes: vec![gone], ..failing });
    assert_eq!((errors.len(), told.step(0).outcomes), (0, [("gone".to_owned(), 20)].into()));
    let unknown = call(0, "all.v1.Echo/Unary", vec![text(r#"{"text":"wait 0 x"}"#)]);
    assert!(ends(&server, unknown).0.is_empty());
}

#[test]
fn answers_that_are_none_have_classes_of_their_own() {
    let server = Server::start(Reflection::None).unwrap();
    let odd = |method: &str| call(0, &format!("all.v1.Odd/{method}"), vec![text("{}")]);
    let looked = |request: Request| Request { extract: vec![Extract::json("x", "$.text")], ..request };
    for (request, class) in [
        (odd("NoStatus"), ErrorClass::GrpcStatusMissing),
        (odd("Cut"), ErrorClass::GrpcMessageShort),
        (odd("Compressed"), ErrorClass::GrpcCompressed),
        (looked(odd("Undecodable")), ErrorClass::GrpcMalformed),
        (odd("Twice"), ErrorClass::GrpcMalformed),
        (looked(odd("Twice")), ErrorClass::GrpcMalformed),
        (odd("Busy"), ErrorClass::Grpc(14)),
        (odd("Refused"), ErrorClass::IsolationRefused),
    ] {
        let method = request.grpc.clone();
        assert_eq!(ends(&server, request).0, [(class, 20)].into(), "{method:?}");
    }
    assert!(ends(&server, odd("Undecodable")).0.is_empty(), "nobody looks at the message");
}

#[test]
fn an_answer_that_has_no_json_fails_only_where_json_is_needed() {
    let server = Server::start(Reflection::None).unwrap();
    let strange = call(0, "all.v1.Odd/Strange", vec![text("{}")]);
    let given = Check::JsonText { path: "$.text".into(), test: TextTest::Is("x".into()) };
    let class = Outcome { name: "given".into(), when: given.clone() };
    let looked = Request { outcomes: vec![class], checks: vec![status(Op::Eq, 0)], ..strange.clone() };
    let (errors, told) = ends(&server, looked);
    assert!(errors.is_empty() && told.step(0).outcomes.is_empty(), "{:?}", told.samples.first());
    let (errors, told) = ends(&server, Request { checks: vec![given], ..strange });
    assert_eq!(errors, [(ErrorClass::CheckFailed, 20)].into());
    let detail = &told.samples[0].detail;
    assert!(
        detail.starts_with("a `all.v1.All` cannot be written as JSON") && detail.contains("no.No"),
        "{detail}"
    );
}

#[test]
fn a_limit_is_told_and_kept() {
    let server = Server::start(Reflection::None).unwrap();
    let slow = Request { timeout_ns: Some(100 * MS), ..unary(0, r#"{"text":"wait 3000"}"#) };
    let (errors, told) = ends(&server, slow);
    // The server ends a call by the same limit, and may be the first.
    let ended = |class: &ErrorClass| matches!(class, ErrorClass::Timeout | ErrorClass::Grpc(1 | 4));
    assert_eq!(
        errors.iter().filter(|(class, _)| ended(class)).map(|(_, n)| n).sum::<u64>(),
        20,
        "{errors:?}"
    );
    assert!(told.step(0).latency.quantile(1.0) < Some(1_500 * MS));
    assert!(server.calls().iter().all(|call| call.get("grpc-timeout") == Some("100000u")));
}

#[test]
fn a_server_is_asked_for_its_types() {
    let message = vec![text("{\"text\":\""), Part::Index, text("\"}")];
    for reflection in [Reflection::V1, Reflection::V1Alpha] {
        let server = Server::start(reflection).unwrap();
        let plan = calls(
            &server,
            MessageTypes::Reflection,
            200 * MS,
            vec![call(0, "all.v1.Echo/Unary", message.clone())],
        );
        let told = run(plan);
        told.assert_sums();
        assert_eq!((told.step(0).completed, told.step(0).errors.len(), server.calls().len()), (20, 0, 20));
    }
    let silent = Server::start(Reflection::None).unwrap();
    let plan =
        |server: &Server, message: &str| calls(server, MessageTypes::Reflection, S, vec![unary(0, message)]);
    let error = start(config(plan(&silent, "{}"))).err().unwrap();
    assert!(
        matches!(&error, StartError::Types { because, .. } if because.contains("UNIMPLEMENTED")),
        "{error}"
    );
    let told = Server::start(Reflection::V1).unwrap();
    let error = start(config(plan(&told, r#"{"txt":"a"}"#))).err().unwrap();
    assert!(matches!(&error, StartError::Plan(because) if because.contains("has no field `txt`")), "{error}");
    assert_eq!(silent.calls().len() + told.calls().len(), 0, "nothing was called");
}

#[test]
fn questions_for_types_are_tagged_counted_and_asked_once() {
    let server = Server::start(Reflection::Late(1)).unwrap();
    let plan = calls(&server, MessageTypes::Reflection, 200 * MS, vec![unary(0, "{}")]);
    let tagging = Tagging::Shadow(shadow(RUN, now()));
    let ask = || types(&plan, RUN, &tagging, &Resolver::default());
    let refused = ask();
    let error = refused.types.unwrap_err();
    assert!(matches!(&error, StartError::Isolation { why, .. } if why == "run_unknown"), "{error}");
    assert_eq!((refused.sent, server.calls().len()), (1, 1));
    let told = ask();
    assert!(told.sent > 1, "a file, and what it imports");
    assert_eq!(server.calls().len() as u64, refused.sent + told.sent);
    assert!(server.calls().iter().all(|call| call.get("x-peakdrill").is_some()));
    let types = Some(told.types.unwrap());
    let load =
        run_with(Config { tagging: tagging.clone(), types: types.clone(), ..config(plan.clone()) }, |_| {});
    assert_eq!((load.step(0).completed, load.step(0).errors.len()), (20, 0));
    let (run, secrets) = (RUN.to_owned(), Secrets::default());
    let options = ProbeOptions { run, timeout_ns: S, safe_methods_only: false, index: 0, secrets, types };
    assert_eq!(probe(&plan, 0, &tagging, &options).unwrap()[0].error, None);
    assert_eq!(server.calls().len() as u64, refused.sent + told.sent + 20 + 1, "nothing was asked again");
}

#[test]
fn shadow_calls_carry_the_tag_and_probes_ask_what_is_safe() {
    let server = Server::start(Reflection::V1).unwrap();
    let both = vec![
        unary(0, "{}"),
        Request { checks: vec![Check::Messages { op: Op::Eq, count: 1 }], ..many(1, r#"{"i32":1}"#) },
    ];
    let plan = calls(&server, MessageTypes::Reflection, 200 * MS, both);
    let tagging = Tagging::Shadow(shadow(RUN, now()));
    let told = run_with(Config { tagging: tagging.clone(), ..config(plan.clone()) }, |_| {});
    told.assert_sums();
    assert_eq!((told.step(0).completed, told.step(0).ack_missing), (20, 20));
    for call in server.calls() {
        let token = call.get("x-peakdrill").unwrap();
        assert_eq!(call.get("baggage"), Some(format!("peakdrill={token}").as_str()));
    }
    let (run, secrets) = (RUN.to_owned(), Secrets::default());
    let options =
        ProbeOptions { run, timeout_ns: S, safe_methods_only: true, index: 0, secrets, types: None };
    let outcomes = probe(&plan, 0, &tagging, &options).unwrap();
    let seen: Vec<_> = outcomes.iter().map(|o| (o.step, o.status, o.error, o.acked)).collect();
    // The file promises that `Many` has no side effects.
    assert_eq!(seen, [(1, 200, None, Some(false))]);
    let all = ProbeOptions { safe_methods_only: false, ..options };
    let outcomes = probe(&plan, 0, &tagging, &all).unwrap();
    assert_eq!(outcomes.iter().map(|o| (o.step, o.error)).collect::<Vec<_>>(), [(0, None), (1, None)]);
}
