//! Loops, drawn values and secrets: the same data on any number of shards, and nothing that is shown afterwards.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use peakdrill_drill_model::condition::Op;
use peakdrill_drill_model::plan::{
    Again, Check, DigestForm, Extract, Loop, Node, Part, Plan, Request, Template, TextTest,
};
use peakdrill_loadgen::{Config, Secrets};
use peakdrill_testkit::scripted::{Reply, Script, Seen, Server};

use crate::common::{MS, S, config, get, hold, node, plan, run_with};

fn text(text: &str) -> Part {
    Part::Literal(text.to_owned())
}

fn turns(min: u32, max: u32, steps: Vec<Node>) -> Node {
    Node::Loop(Loop { min, max, again: None, steps })
}

/// Requests full of draws, in loops in loops.
fn lottery(url: &str) -> Plan {
    let one = |name: &str, part: Part| (name.to_owned(), Template(vec![part]));
    let step = |step: u16, path: &str| Request {
        path: Template(vec![text(path), Part::Random { low: 1, high: 1_000 }]),
        headers: vec![
            one("x-index", Part::Index),
            one("x-fresh", Part::Uuid(String::new())),
            one("x-same", Part::Uuid("order".into())),
            one("x-text", Part::RandomString(20)),
        ],
        ..get(step, "/")
    };
    let think = Node::ThinkLognormal { median_ns: MS, sigma: 0.7, max_ns: 20 * MS };
    let inner = turns(0, 2, vec![node(step(1, "/inner/")), think]);
    plan(
        url,
        hold(100.0, S),
        vec![turns(1, 3, vec![node(step(0, "/outer/")), inner]), node(step(2, "/last/"))],
    )
}

/// What was sent, in an order of its own: all but what every request has anew.
fn sent(server: &Server) -> Vec<String> {
    let one = |seen: &Seen| {
        let headers = ["x-index", "x-fresh", "x-same", "x-text"].map(|name| seen.header(name).unwrap());
        format!("{} {}", seen.path, headers.join(" "))
    };
    let mut all: Vec<String> = server.log().iter().map(one).collect();
    all.sort_unstable();
    all
}

#[test]
fn any_number_of_shards_sends_the_same() {
    let ok = || Server::start(Script::Handler(Arc::new(|_: &Seen| Reply::json(200, "{}")))).unwrap();
    let (one, three) = (ok(), ok());
    let alone = run_with(config(lottery(&one.url())), |_| {});
    let split = run_with(Config { shards: 3, ..config(lottery(&three.url())) }, |_| {});
    alone.assert_sums();
    split.assert_sums();
    for step in 0..3 {
        assert_eq!(alone.step(step).completed, split.step(step).completed);
    }
    let (alone, split) = (sent(&one), sent(&three));
    assert_eq!(alone, split);
    let outer = alone.iter().filter(|line| line.starts_with("/outer/")).count();
    assert!((150..250).contains(&outer), "two turns on average: {outer}");
    let column = |at: usize| alone.iter().map(move |line| line.split(' ').nth(at).unwrap());
    let distinct = |at| column(at).collect::<std::collections::BTreeSet<_>>().len();
    assert_eq!(distinct(2), alone.len(), "a fresh one for every request");
    assert_eq!((distinct(3), distinct(1)), (100, 100), "the same in a journey, and in no other");
    assert_eq!(distinct(4), alone.len());
}

#[test]
fn another_run_has_other_uuids_but_the_same_draws() {
    let ok = || Server::start(Script::Handler(Arc::new(|_: &Seen| Reply::json(200, "{}")))).unwrap();
    let (one, two) = (ok(), ok());
    run_with(config(lottery(&one.url())), |_| {}).assert_sums();
    run_with(Config { run: "cal-2".into(), ..config(lottery(&two.url())) }, |_| {}).assert_sums();
    let (one, two) = (sent(&one), sent(&two));
    let column = |lines: &[String], at: usize| -> Vec<String> {
        lines.iter().map(|line| line.split(' ').nth(at).unwrap().to_owned()).collect()
    };
    assert_eq!((column(&one, 0), column(&one, 4)), (column(&two, 0), column(&two, 4)));
    assert!(column(&one, 2).iter().all(|uuid| !column(&two, 2).contains(uuid)));
}

#[test]
fn a_loop_goes_on_while_its_condition_holds() {
    let asked: Mutex<BTreeMap<String, u32>> = Mutex::default();
    let answer = move |seen: &Seen| {
        let mut asked = asked.lock().unwrap();
        let count = asked.entry(seen.path.clone()).or_default();
        *count += 1;
        Reply::json(200, if *count < 3 { r#"{"state":"open"}"# } else { r#"{"state":"done"}"# })
    };
    let server = Server::start(Script::Handler(Arc::new(answer))).unwrap();
    let poll = Request {
        path: Template(vec![text("/poll/"), Part::Index]),
        extract: vec![Extract::json("state", "$.state")],
        ..get(0, "/")
    };
    let again = Some(Again { value: "state".into(), test: TextTest::IsNot("done".into()) });
    let polls = Node::Loop(Loop { min: 10, max: 10, again, steps: vec![node(poll)] });
    let told =
        run_with(config(plan(&server.url(), hold(20.0, S), vec![polls, node(get(1, "/end"))])), |_| {});
    told.assert_sums();
    assert_eq!((told.step(0).completed, told.step(1).completed), (60, 20));
}

#[test]
fn secrets_sign_requests_and_are_not_shown() {
    let server = Server::start(Script::Echo).unwrap();
    let key = || Template(vec![Part::Secret("KEY".into())]);
    let sign = Part::HmacSha256 { key: key(), of: Template::literal("x"), form: DigestForm::Hex };
    let request = Request {
        headers: vec![("x-key".into(), key()), ("x-sign".into(), Template(vec![sign]))],
        checks: vec![Check::Status { op: Op::Eq, value: 201 }],
        ..get(0, "/")
    };
    let plan = plan(&server.url(), hold(10.0, S), vec![node(request)]);
    let secrets = Secrets::new([("KEY".to_owned(), "hunter-222".to_owned())].into());
    let told = run_with(Config { secrets, ..config(plan.clone()) }, |_| {});
    let seen = server.log();
    assert_eq!(seen[0].header("x-key"), Some("hunter-222"));
    // HMAC-SHA-256 of `x` by that key, by another program.
    let signed = "f7b11bf5c0e1f2a9b3cbef38fd07bea39a080862f57e2235627905d8174c4b90";
    assert_eq!(seen[0].header("x-sign"), Some(signed));
    assert!(told.samples.iter().any(|sample| sample.body.contains("[redacted]")), "{:?}", told.samples);
    assert!(told.samples.iter().all(|sample| !format!("{sample:?}").contains("hunter-222")));
    let missing = peakdrill_loadgen::start(config(plan)).err().map(|error| error.to_string());
    assert!(missing.is_some_and(|why| why.contains("the secret KEY is not set")));
}
