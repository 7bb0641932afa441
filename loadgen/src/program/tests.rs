use std::collections::BTreeMap;

use peakdrill_drill_model::plan::{
    Again, Arrivals, Branch, Guards, Isolation, Journey, Load, Loop, Node, Part, Phase, Plan, Request,
    StepInfo, Target, Template,
};
use peakdrill_drill_model::shape::Shape;

use peakdrill_drill_model::plan::TextTest;
use peakdrill_timebase::MonoNs;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::{Op, Program, Unwritten, is_json};
use crate::cookies::Jar;
use crate::session::{Memory, Next, Session, prepare};
use crate::tagging::{Stamper, Tagging};
use crate::template::Values;
use crate::template::tests::kept;

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
            tls_ca: None,
            tls_insecure: false,
        }],
        shadow: None,
        isolation: Isolation::default(),
        feeders: vec![],
        journeys: vec![Journey { name: "j".into(), share: 1.0, steps, ..Journey::default() }],
        steps: vec![StepInfo { journey: "j".into(), step: "s".into(), ..StepInfo::default() }],
        load: Load {
            arrivals: Arrivals::Even,
            seed: 1,
            max_in_flight: 1,
            phases: vec![Phase {
                name: "p".into(),
                shape: Shape::Hold { rate: 1.0, for_ns: 1 },
                arrivals: Arrivals::Even,
                measure: true,
                mix: None,
            }],
        },
        guards: Guards::default(),
        gates: vec![],
        reports: vec![],
    }
}

#[test]
fn branches_become_jumps() {
    let branch = |weight, steps| Branch { weight, steps };
    let choose = Node::Choose(vec![branch(1.0, vec![fixed(0), fixed(1)]), branch(3.0, vec![])]);
    let program = Program::compile(&plan(vec![choose, fixed(2)]), "r").unwrap();
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
    let of = |steps| Program::compile(&plan(steps), "r").unwrap();
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
    assert!(Program::compile(&nothing, "r").is_err());
}

#[test]
fn pauses_in_a_loop_are_each_their_own() {
    let think = Node::ThinkLognormal { median_ns: 800_000_000, sigma: 0.5, max_ns: 1_500_000_000 };
    let steps = vec![Node::Loop(Loop { min: 99, max: 99, again: None, steps: vec![think] })];
    let program = Program::compile(&plan(steps), "r").unwrap();
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
    let program = Program::compile(&plan(vec![Node::Request(Box::new(request))]), "r").unwrap();
    let code = &program.requests[0];
    assert_eq!(code.timeout_ns, 7);
    let extracted = kept(extracted);
    let values = Values { feeders: &[], rows: &[], extracted: &extracted, index: 12, turn: 0, uuid_seed: 1 };
    let mut stamper = Stamper::new(&Tagging::Plain, "r", ChaCha8Rng::from_seed([0; 32])).unwrap();
    let mut out = Vec::new();
    code.write((&values, &mut Jar::default()), &mut stamper, 0, &mut out, &mut Vec::new())?;
    let text = String::from_utf8(out).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let (head, _) = head.split_once("traceparent: 00-").unwrap();
    Ok((head.to_owned(), body.to_owned()))
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
        Program::compile(&plan(vec![Node::Request(Box::new(request))]), "r").is_err()
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
    assert!(Program::compile(&bad_mix, "r").is_err());
}

#[test]
fn json_is_known_by_its_type() {
    assert!(is_json(b"application/json; charset=utf-8") && is_json(b"application/problem+json"));
    assert!(!is_json(b"text/json") && !is_json(b"application/jsonl"));
}
