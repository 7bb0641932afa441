//! Every class of error, by a peer that is hostile in just that way.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

use peakdrill_drill_model::condition::Op;
use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::{Check, Extract, Part, Plan, Template};
use peakdrill_loadgen::{REFUSED_HEADER, SampleKind, Transport};
use peakdrill_testkit::scripted::{Reply, Script, Seen, Server};

use crate::common::{Deaf, MS, S, Told, get, hold, node, plan, run, run_over, transports};

/// Ten requests a second for one second; all of them end in this class.
fn all_end_in(class: ErrorClass, plan: Plan) -> Told {
    let over = |transport| over(transport, class, plan.clone());
    transports().map(over).last().unwrap()
}

fn over(transport: Transport, class: ErrorClass, plan: Plan) -> Told {
    let told = run_over(transport, plan);
    told.assert_sums();
    assert_eq!(told.journeys.intended, 10);
    let tally = told.step(0);
    assert_eq!(tally.errors.get(&class), Some(&10), "{class}: {:?}", tally.errors);
    assert_eq!(told.journeys.errors.get(&class), Some(&10));
    assert!(told.roots.iter().all(|root| root.error == Some(class)));
    let failed = told.samples.iter().filter(|sample| sample.kind == SampleKind::Failed).count();
    assert!((1..=10).contains(&failed), "some are shown");
    told
}

fn ten(url: &str) -> Plan {
    plan(url, hold(10.0, S), vec![node(get(0, "/"))])
}

fn scripted(class: ErrorClass, script: Script) -> Told {
    let served = |transport| {
        let server = Server::start(script.clone()).unwrap();
        let told = over(transport, class, ten(&server.url()));
        assert_eq!(server.requests(), 10, "each is sent once, and never again");
        told
    };
    transports().map(served).last().unwrap()
}

#[test]
fn what_a_peer_does_wrong_has_its_own_class() {
    scripted(ErrorClass::Closed, Script::Close);
    scripted(ErrorClass::BodyShort, Script::HalfBody);
    scripted(ErrorClass::Malformed, Script::Garbage);
    scripted(ErrorClass::HeadTooLarge, Script::HugeHead);
    scripted(ErrorClass::BodyTooLarge, Script::EndlessBody);
    let told = scripted(ErrorClass::Status(503), Script::Statuses(vec![503]));
    assert!(told.roots.iter().all(|root| root.status == 503 && root.sent_ns > 0));
    assert_eq!(told.step(0).service.count(), 10);
}

#[test]
fn no_answer_is_a_timeout() {
    let server = Server::start(Script::Silent).unwrap();
    let mut plan = ten(&server.url());
    plan.targets[0].request_timeout_ns = 200 * MS;
    let told = all_end_in(ErrorClass::Timeout, plan);
    let max = told.step(0).latency.quantile(1.0).unwrap();
    assert!((200 * MS..400 * MS).contains(&max), "{max}");
}

#[test]
fn what_cannot_be_reached_has_its_own_class() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let told = all_end_in(ErrorClass::ConnectRefused, ten(&format!("http://127.0.0.1:{port}")));
    assert!(told.roots.iter().all(|root| root.sent_ns == 0));
    assert_eq!(told.step(0).service.count(), 0);
    // Reserved by RFC 6761: never resolves.
    all_end_in(ErrorClass::Dns, ten("http://nowhere.invalid"));
    // Answers a TLS greeting in plain text.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        for _ in 0..10 * transports().count() {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    all_end_in(ErrorClass::Tls, ten(&url));
    serving.join().unwrap();
}

#[test]
fn a_peer_that_takes_no_connection_is_a_connect_timeout() {
    let deaf = Deaf::new();
    let mut plan = ten(&format!("http://{}", deaf.address));
    plan.targets[0].connect_timeout_ns = 300 * MS;
    all_end_in(ErrorClass::ConnectTimeout, plan);
}

fn reply(reply: Reply) -> Script {
    Script::Handler(Arc::new(move |_: &Seen| reply.clone()))
}

#[test]
fn what_an_answer_says_is_judged() {
    let with = |change: &dyn Fn(&mut peakdrill_drill_model::plan::Request), answer: Reply, class| {
        let server = Server::start(reply(answer)).unwrap();
        let mut request = get(0, "/");
        change(&mut request);
        all_end_in(class, plan(&server.url(), hold(10.0, S), vec![node(request)]))
    };
    let status = |op, value| vec![Check::Status { op, value }];
    let ok = || Reply::json(200, r#"{"state":"open"}"#);
    with(&|r| r.checks = status(Op::Eq, 201), ok(), ErrorClass::CheckFailed);
    let state = Check::Json { path: "$.state".into(), op: Op::Eq, value: "paid".into() };
    with(&|r| r.checks = vec![state.clone()], ok(), ErrorClass::CheckFailed);
    let id = Extract::json("id", "$.id");
    with(&|r| r.extract = vec![id.clone()], ok(), ErrorClass::ExtractFailed);
    let refusal = || ok().header(REFUSED_HEADER, "no_rule");
    let told = with(&|_| {}, refusal(), ErrorClass::IsolationRefused);
    assert!(told.samples.iter().any(|sample| sample.detail == "no_rule"));
    // A value that was never extracted: the request cannot be built, and none is sent.
    let server = Server::start(Script::Null).unwrap();
    let mut request = get(0, "/");
    request.path = Template(vec![Part::Literal("/".into()), Part::Extracted("id".into())]);
    all_end_in(ErrorClass::ExtractFailed, plan(&server.url(), hold(10.0, S), vec![node(request)]));
    assert_eq!(server.requests(), 0);
}

#[test]
fn redirects_are_answers_and_a_checked_status_is_no_error() {
    let server = Server::start(reply(Reply::json(302, "").header("location", "/elsewhere"))).unwrap();
    let told = run(ten(&server.url()));
    told.assert_sums();
    assert!(told.step(0).errors.is_empty());
    assert!(server.log().iter().all(|seen| seen.path == "/"));
    let server = Server::start(Script::Statuses(vec![404])).unwrap();
    let mut request = get(0, "/");
    request.checks = vec![Check::Status { op: Op::Eq, value: 404 }];
    let told = run(plan(&server.url(), hold(10.0, S), vec![node(request)]));
    assert!(told.step(0).errors.is_empty());
}
