use std::collections::BTreeMap;

use peakdrill_drill_model::plan::{
    Arrivals, Branch, Guards, Isolation, Journey, Load, Node, Part, Phase, Plan, Request, StepInfo, Target,
    Template,
};
use peakdrill_drill_model::shape::Shape;

use super::{Op, Program, is_json};
use crate::template::Values;

fn get(step: u16, path: Vec<Part>) -> Request {
    Request {
        step,
        target: 0,
        method: "GET".into(),
        path: Template(path),
        headers: vec![],
        body: None,
        extract: vec![],
        checks: vec![],
        timeout_ns: None,
    }
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
        journeys: vec![Journey { name: "j".into(), share: 1.0, steps }],
        steps: vec![StepInfo { journey: "j".into(), step: "s".into() }],
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
    assert_eq!(program.journeys[0].ops, expected);
}

#[test]
fn requests_are_built_whole() {
    let path = vec![Part::Literal("/o/".into()), Part::Extracted("id".into())];
    let mut request = get(0, path);
    request.headers =
        vec![("accept".into(), Template::literal("a/b")), ("x-i".into(), Template(vec![Part::Index]))];
    let program = Program::compile(&plan(vec![Node::Request(Box::new(request))]), "r").unwrap();
    let mut extracted = [Some("a b".to_owned())];
    let code = &program.requests[0];
    let build = |extracted: &[Option<String>]| {
        code.build(&Values { feeders: &[], rows: &[], extracted, uuids: &[], index: 12 })
    };
    let built = build(&extracted).unwrap();
    assert_eq!(built.uri(), "/api/o/a%20b");
    let headers = built.headers();
    assert_eq!(
        (&headers["host"], &headers["accept"], &headers["x-i"]),
        (&"shop.test".parse().unwrap(), &"a/b".parse().unwrap(), &"12".parse().unwrap())
    );
    assert_eq!(headers.get_all("accept").iter().count(), 1);
    assert_eq!(code.timeout_ns, 7);
    extracted[0] = None;
    assert_eq!(build(&extracted).unwrap_err().0, "`id` has not been extracted");
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
    assert!(refused(&|r| r.headers = vec![("content-length".into(), Template::literal("1"))]));
    assert!(refused(&|r| r.headers = vec![("a b".into(), Template::literal("1"))]));
    assert!(refused(&|r| r.headers = vec![("a".into(), Template::literal("1\n"))]));
    assert!(refused(&|r| r.body = Some(Template(vec![Part::Feeder { feeder: 0, column: 0 }]))));
    assert!(refused(&|r| r.target = 1));
    assert!(refused(&|r| r.extract =
        vec![peakdrill_drill_model::plan::Extract { name: "a".into(), json_path: "$[".into() }]));
    let mut bad_mix = plan(vec![fixed(0)]);
    bad_mix.load.phases[0].mix = Some(vec![0.0]);
    assert!(Program::compile(&bad_mix, "r").is_err());
}

#[test]
fn json_is_known_by_its_type() {
    assert!(is_json(b"application/json; charset=utf-8") && is_json(b"application/problem+json"));
    assert!(!is_json(b"text/json") && !is_json(b"application/jsonl"));
}
