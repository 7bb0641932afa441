//! What is read from answers: values, cookies, checks and classes, each counted exactly.

use std::collections::BTreeMap;
use std::sync::Arc;

use peakdrill_drill_model::condition::Op;
use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::{
    Check, Extract, Outcome, Part, Plan, Request, Source, StepInfo, Template, TextTest,
};
use peakdrill_loadgen::Config;
use peakdrill_testkit::scripted::{Reply, Script, Seen, Server};
use serde_json::json;

use crate::common::{S, config, get, hold, node, plan, run_with};

/// Journeys of a run.
const ALL: u64 = 200;

/// The index of the journey that a request is of.
fn index(seen: &Seen) -> u64 {
    seen.header("x-index").unwrap().parse().unwrap()
}

/// A page with a form, orders that are sold out for every fourth and broken for every tenth, and anything else.
fn shop() -> Server {
    let answer = |seen: &Seen| {
        let i = index(seen);
        match seen.path.as_str() {
            "/app/login" => Reply {
                status: 200,
                headers: vec![],
                body: format!("<input name=csrf value='c-{i}'>").into(),
            }
            .header("set-cookie", &format!("sid=s-{i}; Path=/app; HttpOnly"))
            .header("set-cookie", "seen=1")
            .header("x-next", &format!("/app/orders?from={i}")),
            path if path.starts_with("/app/orders?") => {
                let reply = Reply::json(
                    200,
                    &match (i % 4, i % 10) {
                        (0, _) => r#"{"code":2001,"text":"sold out"}"#.to_owned(),
                        (_, 5) => r#"{"code":9}"#.to_owned(),
                        _ => format!(r#"{{"noise":[{{"id":0}},[1,2]],"code":0,"data":{{"ids":["x",{i}]}}}}"#),
                    },
                );
                reply.header("set-cookie", "seen=; Max-Age=0")
            }
            _ => Reply::json(200, "{}"),
        }
    };
    Server::start(Script::Handler(Arc::new(answer))).unwrap()
}

fn text(text: &str) -> Part {
    Part::Literal(text.to_owned())
}

fn step(step: u16, path: Vec<Part>) -> Request {
    let headers = vec![("x-index".to_owned(), Template(vec![Part::Index]))];
    Request { path: Template(path), headers, ..get(step, "/") }
}

fn checkout(url: &str) -> Plan {
    let mut login = step(0, vec![text("/app/login")]);
    let from = Source::Regex("value='([^']*)'".to_owned());
    login.extract = vec![
        Extract { name: "csrf".into(), from, default: None },
        Extract { name: "next".into(), from: Source::Header("x-next".into()), default: None },
        Extract { name: "lang".into(), from: Source::Header("x-lang".into()), default: Some("zh".into()) },
    ];
    login.checks = vec![
        Check::Body(TextTest::Contains("csrf".into())),
        Check::BodySize { op: Op::Lt, bytes: 100 },
        Check::Header { name: "x-next".into(), test: TextTest::Present },
    ];
    let from = Template(vec![
        text("c="),
        Part::Extracted("csrf".into()),
        text(";l="),
        Part::Extracted("lang".into()),
    ]);
    let mut order = step(1, vec![text("/app/orders?from="), Part::Index]);
    order.headers.push(("x-from".into(), from));
    order.headers.push(("referer".into(), Template(vec![Part::Extracted("next".into())])));
    order.extract = vec![Extract::json("id", "$.data.ids[1]")];
    order.checks = vec![Check::JsonIn { path: "$.code".into(), values: vec![json!(0), json!(2001)] }];
    let when = Check::Json { path: "$.code".into(), op: Op::Eq, value: json!(2001) };
    order.outcomes = vec![Outcome { name: "sold_out".into(), when }];
    let look = step(2, vec![text("/app/orders/"), Part::Extracted("id".into())]);
    let out = step(3, vec![text("/logout")]);
    let mut plan = plan(url, hold(ALL as f64, S), [login, order, look, out].map(node).to_vec());
    plan.journeys[0].cookies = true;
    plan.steps[1] = StepInfo { outcomes: vec!["sold_out".into()], ..plan.steps[1].clone() };
    plan
}

#[test]
fn values_cookies_and_classes_are_exact() {
    let server = shop();
    let told = run_with(Config { shards: 2, ..config(checkout(&server.url())) }, |_| {});
    told.assert_sums();
    assert!(told.step(0).errors.is_empty(), "{:?}", told.samples);
    let sold_out = (0..ALL).filter(|i| i % 4 == 0).count() as u64;
    let broken = (0..ALL).filter(|i| i % 4 != 0 && i % 10 == 5).count() as u64;
    let order = told.step(1);
    assert_eq!(order.outcomes, BTreeMap::from([("sold_out".to_owned(), sold_out)]));
    assert_eq!(order.errors, BTreeMap::from([(ErrorClass::CheckFailed, broken)]));
    assert_eq!((order.completed, told.step(2).completed), (ALL, ALL - sold_out - broken));
    // Who finds nothing left goes home, and has not failed.
    assert_eq!(told.journeys.errors, BTreeMap::from([(ErrorClass::CheckFailed, broken)]));
    assert_eq!(told.journeys.completed, ALL);

    let mut seen = BTreeMap::<&str, u64>::new();
    let log = server.log();
    for request in &log {
        let i = index(request);
        let cookie = request.header("cookie");
        let kind = match request.path.as_str() {
            "/app/login" => {
                assert_eq!(cookie, None);
                "login"
            }
            "/logout" => {
                assert_eq!(cookie, None, "the cookies are those of /app");
                "out"
            }
            path if path.starts_with("/app/orders?") => {
                assert_eq!(cookie, Some(format!("sid=s-{i}; seen=1").as_str()));
                assert_eq!(request.header("x-from"), Some(format!("c=c-{i};l=zh").as_str()));
                assert_eq!(request.header("referer"), Some(format!("/app/orders?from={i}").as_str()));
                "order"
            }
            path => {
                assert_eq!(cookie, Some(format!("sid=s-{i}").as_str()), "the other one has ended");
                assert_eq!(path, format!("/app/orders/{i}"));
                "look"
            }
        };
        *seen.entry(kind).or_default() += 1;
    }
    let looks = ALL - sold_out - broken;
    assert_eq!(seen, BTreeMap::from([("login", ALL), ("look", looks), ("order", ALL), ("out", looks)]));
}

#[test]
fn a_journey_without_cookies_sends_none() {
    let server = shop();
    let mut plan = checkout(&server.url());
    plan.journeys[0].cookies = false;
    let told = run_with(config(plan), |_| {});
    assert_eq!(told.step(3).completed, told.step(2).completed);
    assert!(server.log().iter().all(|seen| seen.header("cookie").is_none()));
}

#[test]
fn more_cookies_than_a_journey_may_keep_are_an_error() {
    let answer = |_: &Seen| {
        (0..60).fold(Reply::json(200, "{}"), |reply, k| reply.header("set-cookie", &format!("k{k}=1")))
    };
    let server = Server::start(Script::Handler(Arc::new(answer))).unwrap();
    let mut plan = plan(&server.url(), hold(10.0, S), vec![node(get(0, "/"))]);
    plan.journeys[0].cookies = true;
    let told = run_with(config(plan), |_| {});
    assert_eq!(told.step(0).errors, BTreeMap::from([(ErrorClass::ExtractFailed, 10)]));
    assert!(told.samples.iter().any(|sample| sample.detail.contains("50 cookies")), "{:?}", told.samples);
}
