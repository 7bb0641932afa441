use std::collections::BTreeMap;

use peakdrill_drill_model::plan::{
    Again, Arrivals, Branch, DescriptorSet, Extract, Guards, Isolation, Journey, Load, Loop, MessageTypes,
    Node, Pacing, Part, Phase, Plan, Protocol, Request, Source, StepInfo, Target, Template,
};
use peakdrill_drill_model::shape::Shape;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use peakdrill_drill_model::plan::{DataFile, DigestForm, TextTest, TimeForm};
use peakdrill_timebase::MonoNs;
use peakdrill_wire_http2::hpack::Decoder;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest as _, Sha256};

use super::{Op, Program, Scratch, Unwritten, is_json};
use crate::cookies::Jar;
use crate::error::StartError;
use crate::form::Form;
use crate::kept::EXTRACTED_MAX;
use crate::secrets::Secrets;
use crate::session::{Memory, Next, Session, prepare};
use crate::tagging::{Stamper, Tagging};
use crate::template::tests::kept;
use crate::template::{Lets, Values};

fn get(step: u16, path: Vec<Part>) -> Request {
    Request { step, method: "GET".into(), path: Template(path), ..Request::default() }
}

pub(crate) fn fixed(step: u16) -> Node {
    Node::Request(Box::new(get(step, vec![Part::Literal("/x".into())])))
}

pub(crate) fn plan(steps: Vec<Node>) -> Plan {
    Plan {
        v: 1,
        name: "p".into(),
        labels: BTreeMap::new(),
        environment: "local".into(),
        scenario_sha256: String::new(),
        targets: vec![Target {
            name: "t".into(),
            base_url: "http://shop.test/api".into(),
            connect_timeout_ns: 1,
            request_timeout_ns: 7,
            max_connections: 1,
            exact_connections: false,
            ..Target::default()
        }],
        shadow: None,
        isolation: Isolation::default(),
        telemetry: peakdrill_drill_model::plan::Telemetry::default(),
        feeders: vec![],
        files: vec![],
        journeys: vec![Journey { name: "j".into(), share: 1.0, steps, ..Journey::default() }],
        steps: vec![StepInfo { journey: "j".into(), step: "s".into(), ..StepInfo::default() }],
        load: Load {
            arrivals: Arrivals::Even,
            pacing: Pacing::Auto,
            seed: 1,
            max_in_flight: 1,
            phases: vec![Phase::measured("p", Shape::Hold { rate: 1.0, for_ns: 1 }, Arrivals::Even)],
        },
        guards: Guards::default(),
        gates: vec![],
        reports: vec![],
    }
}

fn compile(plan: &Plan) -> Result<Program, StartError> {
    let secrets = [("KEY".to_owned(), "s3cret".to_owned())].into();
    Program::compile(plan, "r", &Secrets::new(secrets), crate::grpc::of_files(plan)?)
}

#[test]
fn branches_become_jumps() {
    let branch = |weight, steps| Branch { weight, steps };
    let choose = Node::Choose(vec![branch(1.0, vec![fixed(0), fixed(1)]), branch(3.0, vec![])]);
    let program = compile(&plan(vec![choose, fixed(2)])).unwrap();
    let expected = [
        Op::Choose { sums: vec![1.0, 4.0], places: vec![1, 4] },
        Op::Request(0),
        Op::Request(1),
        Op::Jump(5),
        Op::Jump(5),
        Op::Request(2),
    ];
    assert_eq!(format!("{:?}", program.journeys[0].ops), format!("{expected:?}"));
}

/// What a journey does, request steps and pauses.
fn path_of(program: &Program, index: u64, answer: impl Fn(usize) -> &'static str) -> Vec<Next> {
    let mut memory = Memory::default();
    prepare(&mut memory, &[], &program.journeys[0], index).unwrap();
    let mut session = Session {
        index,
        journey: 0,
        phase: 0,
        intended: MonoNs(0),
        lateness_ns: 0,
        pc: 0,
        turn: 0,
        memory,
        user: None,
        started: false,
        current: None,
        birth: 0,
        connections: 0,
        opened_for: None,
    };
    let mut path = Vec::new();
    loop {
        match session.step(program) {
            Next::End => return path,
            next => path.push(next),
        }
        session.memory.kept.set(0, answer(path.len()).as_bytes()).unwrap();
        assert!(path.len() < 100, "it ends");
    }
}

#[test]
fn loops_have_their_turns() {
    let turns = |min, max, again, steps| Node::Loop(Loop { min, max, again, steps });
    let of = |steps| compile(&plan(steps)).unwrap();
    let twice = turns(2, 2, None, vec![turns(3, 3, None, vec![fixed(0)]), fixed(1)]);
    let program = of(vec![twice, fixed(2)]);
    let inner = [Next::Request(0); 3];
    let once = [inner.as_slice(), &[Next::Request(1)]].concat();
    assert_eq!(path_of(&program, 7, |_| ""), [once.as_slice(), &once, &[Next::Request(2)]].concat());
    let range = of(vec![turns(0, 4, None, vec![fixed(0)])]);
    let mut counts = [0; 5];
    (0..1000).for_each(|index| counts[path_of(&range, index, |_| "").len()] += 1);
    assert!(counts.iter().all(|n| (150..250).contains(n)), "{counts:?}");
    assert_eq!(path_of(&range, 3, |_| ""), path_of(&range, 3, |_| ""));
    let again = Some(Again { value: "state".into(), test: TextTest::IsNot("done".into()) });
    let until = of(vec![turns(1, 50, again, vec![fixed(0)])]);
    let most = (0..20).map(|index| path_of(&until, index, |at| if at < 3 { "open" } else { "done" }).len());
    assert_eq!(most.max(), Some(3));
    let nothing = plan(vec![turns(5, 4, None, vec![])]);
    assert!(compile(&nothing).is_err());
}

#[test]
fn passes_and_extracted_values_have_limits() {
    let turns = |max, steps| Node::Loop(Loop { min: 0, max, again: None, steps });
    let idle = |times| plan(vec![turns(10_000, vec![turns(times, vec![])])]);
    assert!(compile(&idle(20)).is_ok());
    let why = compile(&idle(21)).unwrap_err().to_string();
    assert!(why.contains("more than 200000 steps"), "{why}");
    let values = |count: usize| {
        let source = Source::Header("x".into());
        let extract = |k| Extract { name: format!("v{k}"), from: source.clone(), default: None };
        plan(vec![Node::Request(Box::new(Request {
            extract: (0..count).map(extract).collect(),
            ..get(0, vec![Part::Literal("/".into())])
        }))])
    };
    assert!(compile(&values(EXTRACTED_MAX)).is_ok());
    let why = compile(&values(EXTRACTED_MAX + 1)).unwrap_err().to_string();
    assert!(why.contains("extracts more than 256 values"), "{why}");
}

#[test]
fn pauses_in_a_loop_are_each_their_own() {
    let think = Node::ThinkLognormal { median_ns: 800_000_000, sigma: 0.5, max_ns: 1_500_000_000 };
    let steps = vec![Node::Loop(Loop { min: 99, max: 99, again: None, steps: vec![think] })];
    let program = compile(&plan(steps)).unwrap();
    let pauses = |index| {
        let pause = |next: Next| if let Next::Think(ns) = next { ns } else { panic!("{next:?}") };
        let mut all: Vec<u64> = path_of(&program, index, |_| "").into_iter().map(pause).collect();
        all.sort_unstable();
        all
    };
    let all = pauses(1);
    assert!((650_000_000..950_000_000).contains(&all[49]), "the median is {}", all[49]);
    assert!(all.windows(2).filter(|pair| pair[0] == pair[1]).all(|pair| pair[0] == 1_500_000_000));
    assert_eq!((all.last(), &all), (Some(&1_500_000_000), &pauses(1)));
    assert_ne!(all, pauses(2));
}

/// What the first request of a plan is on the wire, up to its `traceparent`, and its body.
fn wire(request: Request, extracted: &[Option<String>]) -> Result<(String, String), Unwritten> {
    write(&compile(&plan(vec![Node::Request(Box::new(request))])).unwrap(), extracted)
}

fn write(program: &Program, extracted: &[Option<String>]) -> Result<(String, String), Unwritten> {
    let code = &program.requests[0];
    assert_eq!(code.timeout_ns, 7);
    let extracted = kept(extracted);
    let values = Values {
        feeders: &[],
        rows: &[],
        extracted: &extracted,
        index: 12,
        turn: 0,
        uuid_seed: 1,
        seed: 1,
        now_ns: 1_800_000_000_123_456_789,
        lets: &Lets::new(),
    };
    let mut stamper = Stamper::new(&Tagging::Plain, "r", ChaCha8Rng::from_seed([0; 32])).unwrap();
    let mut out = Vec::new();
    let written =
        code.write((&values, &mut Jar::default()), &mut stamper, &mut out, &mut Scratch::default(), None)?;
    let body = String::from_utf8(out.split_off(written.head_bytes)).unwrap();
    let head = match program.requests[0].form() {
        Form::Lines => String::from_utf8(out).unwrap(),
        Form::Block => lines(&out),
    };
    let (head, _) = head.split_once("traceparent: 00-").unwrap();
    Ok((head.to_owned(), body))
}

/// The fields of a header block, as lines.
fn lines(block: &[u8]) -> String {
    let mut text = String::new();
    let read = Decoder::new().decode(block, |name, value| {
        text += &format!("{}: {}\r\n", String::from_utf8_lossy(name), String::from_utf8_lossy(value));
    });
    read.unwrap();
    text
}

fn over_http2(request: Request) -> Plan {
    let mut plan = plan(vec![Node::Request(Box::new(request))]);
    plan.targets[0].protocol = Protocol::Http2 { streams: 1 };
    plan
}

#[test]
fn over_http2_a_request_is_a_header_block() {
    let mut request = get(0, vec![Part::Literal("/a/".into()), Part::Extracted("id".into())]);
    request.method = "POST".into();
    request.headers = vec![
        ("Host".into(), Template::literal("other.test")),
        ("X-Of".into(), Template(vec![Part::Literal("n".into()), Part::Index])),
        ("te".into(), Template::literal("trailers")),
    ];
    request.body = Some(Template(vec![Part::Literal("id=".into()), Part::Extracted("id".into())]));
    let program = compile(&over_http2(request)).unwrap();
    let (head, body) = write(&program, &[Some("a b".into())]).unwrap();
    let agent = concat!("peakdrill/", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        head,
        format!(
            ":method: POST\r\n:scheme: http\r\n:path: /api/a/a%20b\r\n:authority: other.test\r\nx-of: n12\r\n\
             te: trailers\r\nuser-agent: {agent}\r\naccept: */*\r\ncontent-length: 6\r\n"
        )
    );
    assert_eq!(body, "id=a b");
    // Longer than a length of one byte says.
    let long = "x".repeat(300);
    assert!(write(&program, &[Some(long.clone())]).unwrap().0.contains(&format!("/a/{long}\r\n")));
}

#[test]
fn what_http2_does_not_have_is_told() {
    for (name, value) in [("keep-alive", "1"), ("proxy-connection", "x"), ("te", "gzip")] {
        let mut request = get(0, vec![Part::Literal("/".into())]);
        request.headers = vec![(name.into(), Template::literal(value))];
        let told = compile(&over_http2(request)).unwrap_err().to_string();
        assert!(told.contains("HTTP/2 has no such field"), "{told}");
    }
}

#[test]
fn requests_are_written_whole() {
    let agent = concat!("user-agent: peakdrill/", env!("CARGO_PKG_VERSION"), "\r\n");
    let mut request = get(0, vec![Part::Literal("/o/".into()), Part::Extracted("id".into())]);
    request.headers = vec![
        ("Accept".into(), Template::literal("a/b")),
        ("baggage".into(), Template(vec![Part::Literal("k=".into()), Part::Index])),
        ("x-i".into(), Template(vec![Part::Index])),
    ];
    let id = [Some("a b".to_owned())];
    let (head, body) = wire(request.clone(), &id).unwrap();
    let expected = format!(
        "GET /api/o/a%20b HTTP/1.1\r\nhost: shop.test\r\naccept: a/b\r\nx-i: 12\r\n{agent}baggage: k=12\r\n"
    );
    assert_eq!((head, body.as_str()), (expected, ""));
    let missing = Unwritten::Unfilled("`id` has not been extracted".into());
    assert_eq!(wire(request.clone(), &[None]), Err(missing));

    request.headers = vec![("x-v".into(), Template(vec![Part::Extracted("id".into())]))];
    let smuggled = [Some("a\r\nx-b: c".to_owned())];
    assert!(matches!(wire(request, &smuggled), Err(Unwritten::Unfilled(_))));
}

#[test]
fn values_are_computed_before_the_request_is_written() {
    let text = |text: &str| Part::Literal(text.to_owned());
    let value = |name: &str| Part::Value(name.to_owned());
    let sha = |of: Vec<Part>, form| Part::Sha256 { of: Template(of), form };
    let key = || Template(vec![Part::Secret("KEY".into())]);
    let hmac = |of: Vec<Part>, form| Part::HmacSha256 { key: key(), of: Template(of), form };
    let mut request = get(0, vec![text("/s?h="), value("hash")]);
    request.method = "POST".into();
    request.values = vec![
        ("ts".into(), Template(vec![Part::Time(TimeForm::Millis)])),
        ("nonce".into(), Template(vec![Part::RandomString(12)])),
        ("payload".into(), Template(vec![text("{\"i\":\""), Part::Index, text("\"}")])),
        (
            "to_sign".into(),
            Template(vec![value("ts"), text("\n"), value("nonce"), text("\n"), value("payload")]),
        ),
        ("sign".into(), Template(vec![hmac(vec![value("to_sign")], DigestForm::Hex)])),
        ("hash".into(), Template(vec![sha(vec![value("payload")], DigestForm::Base64)])),
    ];
    request.headers = vec![
        ("content-type".into(), Template::literal("application/json")),
        ("x-sign".into(), Template(vec![value("sign")])),
        ("x-to".into(), Template(vec![value("ts"), text("."), value("nonce")])),
        (
            "x-at".into(),
            Template(vec![Part::Time(TimeForm::Rfc3339), text(" "), Part::Time(TimeForm::Seconds)]),
        ),
        (
            "authorization".into(),
            Template(vec![
                text("Basic "),
                Part::Base64(Template(vec![text("u:"), Part::Secret("KEY".into())])),
            ]),
        ),
        ("x-n".into(), Template(vec![Part::Random { low: -3, high: 3 }])),
    ];
    request.body = Some(Template(vec![value("payload")]));
    let (head, body) = wire(request.clone(), &[]).unwrap();
    let field = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("{name} in {head}")).to_owned()
    };
    assert_eq!(body, r#"{"i":"12"}"#, "a body that is one value is sent as it is");
    let (ts, nonce) = field("x-to").split_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert_eq!((ts.as_str(), nonce.len()), ("1800000000123", 12));
    assert_eq!(field("x-at"), "2027-01-15T08:00:00.123Z 1800000000");
    assert_eq!(field("authorization"), "Basic dTpzM2NyZXQ=");
    assert!((-3..=3).contains(&field("x-n").parse::<i64>().unwrap()));
    // Computed here by the libraries alone.
    let mut mac = Hmac::<Sha256>::new_from_slice(b"s3cret").unwrap();
    mac.update(format!("{ts}\n{nonce}\n{body}").as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(field("x-sign"), hex);
    let hash =
        STANDARD.encode(Sha256::digest(&body)).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    assert!(head.starts_with(&format!("POST /api/s?h={hash} HTTP")), "{head}");
    let again = wire(request.clone(), &[]).unwrap();
    assert_eq!((again.0, again.1), (head, body), "the same of the same journey");
    request.headers = vec![("x".into(), Template(vec![Part::Secret("NONE".into())]))];
    assert!(compile(&plan(vec![Node::Request(Box::new(request))])).is_err());
}

#[test]
fn a_secret_is_not_shown_by_what_it_does_not_fit() {
    let secret = |field: &str| {
        let parts = vec![
            Part::Literal(format!("{{\"{field}\":\"a ")),
            Part::Secret("KEY".into()),
            Part::Literal("\"}".into()),
        ];
        let mut request = get(0, vec![Part::Literal("/test.Echo/Call".into())]);
        (request.method, request.grpc) = ("POST".into(), Some("test.Echo/Call".into()));
        request.body = Some(Template(parts));
        let mut plan = plan(vec![Node::Request(Box::new(request))]);
        let content = std::sync::Arc::new(crate::grpc::tests::descriptors());
        plan.targets[0].types =
            Some(MessageTypes::Files(DescriptorSet { content, ..DescriptorSet::default() }));
        compile(&plan)
    };
    assert!(secret("text").is_ok());
    let error = secret("id").unwrap_err().to_string();
    assert!(error.ends_with("takes a whole number of 64 bits, not `a [redacted]`"), "{error}");
}

#[test]
fn files_and_forms_are_bodies() {
    let mut request = get(0, vec![Part::Literal("/o".into())]);
    request.method = "POST".into();
    request.headers = vec![("content-type".into(), Template::literal("application/x-www-form-urlencoded"))];
    request.body = Some(Template(vec![Part::Literal("a=".into()), Part::Extracted("v".into())]));
    assert_eq!(wire(request.clone(), &[Some("1&b=ü".into())]).unwrap().1, "a=1%26b%3D%C3%BC");
    let content = std::sync::Arc::new(b"\x00\x01 file".to_vec());
    let file = |request: &Request| {
        let mut plan = plan(vec![Node::Request(Box::new(request.clone()))]);
        plan.files = vec![DataFile { content: content.clone(), ..DataFile::default() }];
        write(&compile(&plan).unwrap(), &[]).unwrap()
    };
    request.body = Some(Template(vec![Part::File(0)]));
    let (head, body) = file(&request);
    assert!(head.contains("content-length: 7\r\n") && body == "\0\u{1} file", "{head}");
    request.body = Some(Template(vec![Part::Literal("--b\r\n".into()), Part::File(0), Part::Index]));
    assert_eq!(file(&request).1, "--b\r\n\0\u{1} file12");
}

#[test]
fn a_body_is_told_by_its_length() {
    let mut request = get(0, vec![Part::Literal("/o".into())]);
    request.method = "POST".into();
    let length = |request: &Request| {
        let (head, body) = wire(request.clone(), &[]).unwrap();
        let field = head.lines().find_map(|line| line.strip_prefix("content-length: ").map(str::to_owned));
        (field, body)
    };
    assert_eq!(length(&request), (Some("0".into()), String::new()));
    request.body = Some(Template::literal("abc"));
    assert_eq!(length(&request), (Some("3".into()), "abc".into()));
    request.body = Some(Template(vec![Part::Literal("i=".into()), Part::Index]));
    assert_eq!(length(&request), (Some("4".into()), "i=12".into()));
    request.method = "GET".into();
    request.body = None;
    assert_eq!(length(&request), (None, String::new()));
}

#[test]
fn what_cannot_be_sent_is_told() {
    let refused = |change: &dyn Fn(&mut Request)| {
        let mut request = get(0, vec![Part::Literal("/".into())]);
        change(&mut request);
        compile(&plan(vec![Node::Request(Box::new(request))])).is_err()
    };
    assert!(!refused(&|_| {}));
    assert!(refused(&|r| r.method = "CONNECT".into()));
    assert!(refused(&|r| r.method = "G T".into()));
    assert!(refused(&|r| r.path = Template::literal("no slash")));
    assert!(refused(&|r| r.path = Template::literal("/a b")));
    assert!(refused(&|r| r.path = Template::literal("/a\r\nb")));
    assert!(refused(&|r| r.path = Template::literal("/a#b")));
    let own = ("baggage".to_owned(), Template::literal("a=1"));
    assert!(!refused(&|r| r.headers = vec![own.clone()]));
    assert!(refused(&|r| r.headers = vec![own.clone(), own.clone()]));
    assert!(refused(&|r| r.headers = vec![("content-length".into(), Template::literal("1"))]));
    assert!(refused(&|r| r.headers = vec![("a b".into(), Template::literal("1"))]));
    assert!(refused(&|r| r.headers = vec![("a".into(), Template::literal("1\n"))]));
    assert!(refused(&|r| r.body = Some(Template(vec![Part::Feeder { feeder: 0, column: 0 }]))));
    assert!(refused(&|r| r.target = 1));
    assert!(refused(&|r| r.extract = vec![peakdrill_drill_model::plan::Extract::json("a", "$[")]));
    let mut bad_mix = plan(vec![fixed(0)]);
    bad_mix.load.phases[0].mix = Some(vec![0.0]);
    assert!(compile(&bad_mix).is_err());
}

#[test]
fn json_is_known_by_its_type() {
    assert!(is_json(b"application/json; charset=utf-8") && is_json(b"application/problem+json"));
    assert!(!is_json(b"text/json") && !is_json(b"application/jsonl"));
}
