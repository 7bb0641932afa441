//! Journeys: values taken along, rows of data, branches, pauses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use peakdrill_drill_model::condition::Op;
use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::{
    Branch, Check, Extract, Feeder, FeederOrder, Node, OnExhausted, Part, Plan, Template,
};
use peakdrill_loadgen::{Config, ProbeOptions, Secrets, Tagging, probe};
use peakdrill_testkit::scripted::{Reply, Script, Seen, Server};

use crate::common::{MS, RUN, S, config, get, hold, node, plan, run, run_with};

/// Answers a POST with an id made of its number, and anything else with its path.
fn shop() -> Server {
    let answer = |seen: &Seen| match seen.method.as_str() {
        "POST" => Reply::json(
            201,
            &format!(r#"{{"id":"o/{}","body":{}}}"#, seen.number, String::from_utf8_lossy(&seen.body)),
        ),
        _ => Reply::json(200, &format!(r#"{{"path":"{}","state":"paid"}}"#, seen.path)),
    };
    Server::start(Script::Handler(Arc::new(answer))).unwrap()
}

fn feeder(rows: usize, order: FeederOrder, on_exhausted: OnExhausted) -> Feeder {
    let row = |k: usize| vec![format!("sku-{k}"), format!("say \"{k}\"")];
    Feeder {
        name: "skus".into(),
        csv: "skus.csv".into(),
        columns: vec!["sku".into(), "note".into()],
        rows: Arc::new((0..rows).map(row).collect()),
        row_count: rows,
        sha256: String::new(),
        order,
        on_exhausted,
    }
}

/// Order, wait, then look at the order or at the list.
fn checkout(url: &str) -> Plan {
    let mut order = get(0, "/orders");
    order.method = "POST".into();
    order.headers = vec![("content-type".into(), Template::literal("application/json"))];
    let column = |column| Part::Feeder { feeder: 0, column };
    let text = |text: &str| Part::Literal(text.to_owned());
    order.body = Some(Template(vec![
        text(r#"{"sku":""#),
        column(0),
        text(r#"","note":""#),
        column(1),
        text(r#"","run":""#),
        Part::RunId,
        text(r#"","index":"#),
        Part::Index,
        text(r#","key":""#),
        Part::Uuid(String::new()),
        text(r#""}"#),
    ]));
    order.extract = vec![Extract::json("id", "$.id")];
    order.checks = vec![Check::Status { op: Op::Eq, value: 201 }];
    let mut look = get(1, "/");
    look.path = Template(vec![text("/orders/"), Part::Extracted("id".into())]);
    look.checks = vec![Check::Json { path: "$.state".into(), op: Op::Eq, value: "paid".into() }];
    let branches = vec![
        Branch { weight: 3.0, steps: vec![node(look)] },
        Branch { weight: 1.0, steps: vec![node(get(2, "/orders"))] },
    ];
    let steps = vec![node(order), Node::Think { min_ns: 10 * MS, max_ns: 30 * MS }, Node::Choose(branches)];
    let mut plan = plan(url, hold(200.0, S), steps);
    plan.feeders = vec![feeder(1000, FeederOrder::Sequential, OnExhausted::StopJourney)];
    plan
}

#[test]
fn values_go_from_step_to_step() {
    let server = shop();
    let told = run_with(Config { shards: 2, ..config(checkout(&server.url())) }, |_| {});
    told.assert_sums();
    assert!(told.journeys.errors.is_empty(), "{:?}", told.samples);
    let (looks, lists) = (told.step(1).sent, told.step(2).sent);
    assert_eq!((told.step(0).sent, looks + lists), (200, 200));
    assert!((120..=180).contains(&looks), "three of four look: {looks}");

    let log = server.log();
    let orders: BTreeMap<u64, serde_json::Value> = log
        .iter()
        .filter(|seen| seen.method == "POST")
        .map(|seen| (seen.number, serde_json::from_slice(&seen.body).unwrap()))
        .collect();
    let mut keys = BTreeSet::new();
    for body in orders.values() {
        let index = body["index"].as_u64().unwrap();
        assert_eq!(body["sku"], format!("sku-{index}"), "the row is a function of the index");
        assert_eq!((&body["note"], &body["run"]), (&format!("say \"{index}\"").into(), &RUN.into()));
        keys.insert(body["key"].as_str().unwrap().to_owned());
    }
    let indices: BTreeSet<u64> = orders.values().map(|body| body["index"].as_u64().unwrap()).collect();
    assert_eq!((indices.len(), keys.len()), (200, 200), "no row and no key twice, over two shards");
    for seen in log.iter().filter(|seen| seen.path.starts_with("/orders/")) {
        let number = seen.path.strip_prefix("/orders/o%2F").unwrap().parse::<u64>().unwrap();
        assert!(orders.contains_key(&number));
    }
    // A pause is in the journey's time, and in no step's.
    assert!(told.journeys.latency.quantile(0.01).unwrap() >= 10 * MS);
    assert!(told.step(1).latency.quantile(0.5).unwrap() < 10 * MS);
}

#[test]
fn the_same_seed_takes_the_same_branches() {
    let (a, b) = (shop(), shop());
    let one = run(checkout(&a.url()));
    let two = run_with(Config { shards: 2, ..config(checkout(&b.url())) }, |_| {});
    assert_eq!(one.step(1).sent, two.step(1).sent);
}

#[test]
fn a_failed_step_ends_its_journey() {
    let server = Server::start(Script::Statuses(vec![500])).unwrap();
    let told = run(checkout(&server.url()));
    told.assert_sums();
    assert_eq!(told.step(0).errors.get(&ErrorClass::CheckFailed), Some(&200));
    assert_eq!((told.step(1).sent, told.step(2).sent), (0, 0));
}

#[test]
fn an_exhausted_feeder_stops_journeys_or_the_run() {
    let server = shop();
    let mut plan = checkout(&server.url());
    plan.feeders = vec![feeder(50, FeederOrder::Shuffle, OnExhausted::StopJourney)];
    let told = run(plan.clone());
    told.assert_sums();
    assert_eq!((told.journeys.sent, told.journeys.missed), (50, 150));
    assert_eq!(told.report.failed, None);
    plan.feeders = vec![feeder(50, FeederOrder::Sequential, OnExhausted::Fail)];
    let told = run(plan);
    assert!(told.report.failed.is_some_and(|why| why.contains("skus")));
    assert!(told.journeys.intended < 200);
}

#[test]
fn a_probe_walks_every_branch() {
    let server = shop();
    let plan = checkout(&server.url());
    let (run, secrets) = (RUN.to_owned(), Secrets::default());
    let options =
        ProbeOptions { run, timeout_ns: S, safe_methods_only: false, index: 7, secrets, types: None };
    let outcomes = probe(&plan, 0, &Tagging::Plain, &options).unwrap();
    let seen: Vec<_> = outcomes.iter().map(|o| (o.step, o.status, o.error)).collect();
    assert_eq!(seen, [(0, 201, None), (1, 200, None), (2, 200, None)]);
    assert!(server.log()[0].body.starts_with(br#"{"sku":"sku-7""#));
    assert_eq!(server.accepted(), 1, "the connection is used again");
    let safe = ProbeOptions { safe_methods_only: true, ..options.clone() };
    let outcomes = probe(&plan, 0, &Tagging::Plain, &safe).unwrap();
    let seen: Vec<_> = outcomes.iter().map(|o| (o.step, o.status, o.error)).collect();
    assert_eq!(seen, [(1, 0, Some(ErrorClass::ExtractFailed)), (2, 200, None)]);
    assert!(server.log()[3..].iter().all(|seen| seen.method == "GET"));
    let silent = Server::start(Script::Silent).unwrap();
    let short = ProbeOptions { timeout_ns: 100 * MS, ..options };
    let outcomes = probe(&checkout(&silent.url()), 0, &Tagging::Plain, &short).unwrap();
    assert_eq!(outcomes[0].error, Some(ErrorClass::Timeout));
}
