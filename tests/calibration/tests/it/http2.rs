//! HTTP/2: counts and times as over HTTP/1.1, with many exchanges on a connection.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::{Extract, Part, Plan, Protocol, Request, Source, Template};
use peakdrill_drill_model::shape::Shape;
use peakdrill_loadgen::{ProbeOptions, Secrets, Tagging, probe};
use peakdrill_testkit::http2::{Answer, Seen, Server, Setup};
use peakdrill_testkit::scripted::{Script, Server as Http1Server};
use peakdrill_testkit::tls::{CA, server_config};

use crate::common::{MS, RUN, S, Told, get, hold, node, plan, run, run_over, transports};

/// A plan over one connection with so many streams.
fn one_connection(url: &str, shape: Shape, streams: u32, steps: Vec<Request>) -> Plan {
    let mut plan = plan(url, shape, steps.into_iter().map(node).collect());
    plan.targets[0].protocol = Protocol::Http2 { streams };
    plan.targets[0].max_connections = 1;
    plan
}

fn ok(body: &str) -> Answer {
    Answer { body: body.as_bytes().to_vec(), ..Answer::default() }
}

fn in_tls(protocols: &[&[u8]]) -> Setup {
    let mut config = server_config(None).unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Setup { tls: Some(Arc::new(config)), ..Setup::default() }
}

/// Each request has arrived once, with ids of its own, and was counted once.
fn assert_counted(told: &Told, server: &Server, requests: u64) {
    told.assert_sums();
    let tally = told.step(0);
    assert!(tally.errors.is_empty(), "{:?} {:?}", tally.errors, told.samples);
    assert_eq!((tally.sent, server.requests()), (requests, requests));
    let traces: BTreeSet<_> = server.log().iter().map(|seen| seen.headers["traceparent"].clone()).collect();
    assert_eq!(traces.len() as u64, requests);
}

#[test]
fn counts_are_exact_in_the_clear_and_in_tls() {
    for transport in transports() {
        let server = Server::start(Setup::default(), |_| ok("{}")).unwrap();
        let plan = one_connection(&server.url(), hold(500.0, S), 100, vec![get(0, "/a?b=c")]);
        let told = run_over(transport, plan);
        assert_counted(&told, &server, 500);
        assert_eq!(server.accepted(), 1);
        let seen = &server.log()[0];
        assert_eq!(
            (seen.method.as_str(), seen.uri.as_str()),
            ("GET", format!("{}/a?b=c", server.url()).as_str())
        );
    }
    let server = Server::start(in_tls(&[b"h2", b"http/1.1"]), |_| ok("{}")).unwrap();
    let mut plan = one_connection(&server.url(), hold(500.0, S), 100, vec![get(0, "/")]);
    plan.targets[0].tls_ca = Some(CA.to_owned());
    let told = run(plan);
    assert_counted(&told, &server, 500);
    assert_eq!(server.accepted(), 1);
    assert!(server.log()[0].uri.starts_with("https://"));
}

/// One connection carries what arrives while others are answered; latency is the server's time.
#[test]
fn exchanges_are_beside_each_other() {
    let slow = |_: &Seen| Answer { after: Duration::from_millis(100), ..ok("{}") };
    let server = Server::start(Setup::default(), slow).unwrap();
    let told = run(one_connection(&server.url(), hold(200.0, S), 100, vec![get(0, "/")]));
    assert_counted(&told, &server, 200);
    let latency = told.step(0).latency;
    let (first, half, most) = (latency.quantile(0.0), latency.quantile(0.5), latency.quantile(1.0));
    assert!(first.unwrap() >= 99 * MS, "{first:?}");
    assert!(half.unwrap() < 115 * MS, "{half:?}");
    assert!(most.unwrap() < 200 * MS, "{most:?}");
    assert!(server.most_at_a_time() >= 15, "{}", server.most_at_a_time());
}

#[test]
fn no_more_streams_than_either_side_allows() {
    let slow = |_: &Seen| Answer { after: Duration::from_millis(20), ..ok("{}") };
    for (ours, theirs, most) in [(3, None, 3), (100, Some(4), 4)] {
        let setup = Setup { streams: theirs, ..Setup::default() };
        let server = Server::start(setup, slow).unwrap();
        // More than fits: what waits for a stream has waited, and no request is refused.
        let told = run(one_connection(
            &server.url(),
            Shape::Users { count: 10, for_ns: S },
            ours,
            vec![get(0, "/")],
        ));
        let sent = told.step(0).sent;
        assert_counted(&told, &server, sent);
        assert_eq!((server.most_at_a_time(), server.accepted()), (most, 1));
    }
}

/// Streams fill up connections before others are opened.
#[test]
fn connections_are_filled_up() {
    let slow = |_: &Seen| Answer { after: Duration::from_millis(50), ..ok("{}") };
    let server = Server::start(Setup::default(), slow).unwrap();
    let mut plan =
        one_connection(&server.url(), Shape::Users { count: 30, for_ns: S }, 10, vec![get(0, "/")]);
    plan.targets[0].max_connections = 64;
    let told = run(plan);
    let sent = told.step(0).sent;
    assert_counted(&told, &server, sent);
    assert_eq!((server.most_at_a_time(), server.accepted()), (30, 3));
}

/// A stream that stands still holds up no other, and its end by a time limit ends it alone.
#[test]
fn a_frozen_stream_is_alone() {
    let freeze = |seen: &Seen| {
        let after = if seen.uri.ends_with("/frozen") { Duration::from_secs(60) } else { Duration::ZERO };
        Answer { after, ..ok("{}") }
    };
    let server = Server::start(Setup::default(), freeze).unwrap();
    let mut plan = one_connection(&server.url(), hold(100.0, 2 * S), 100, vec![get(0, "/")]);
    plan.journeys.push(plan.journeys[0].clone());
    plan.steps.push(plan.steps[0].clone());
    plan.journeys[1].steps = vec![node(Request { timeout_ns: Some(300 * MS), ..get(1, "/frozen") })];
    let told = run(plan);
    told.assert_sums();
    let (quick, frozen) = (told.step(0), told.step(1));
    assert!(quick.errors.is_empty() && quick.sent > 50, "{:?}", quick.errors);
    let most = quick.latency.quantile(0.99).unwrap();
    assert!(most < 100 * MS, "{most}");
    assert_eq!(frozen.errors.get(&ErrorClass::Timeout), Some(&frozen.sent));
    assert_eq!(server.accepted(), 1, "the connection goes on");
}

#[test]
fn bodies_go_both_ways_in_flow_control() {
    let body: Vec<u8> = (0..3_000_000_u32).map(|at| b'a' + (at % 26) as u8).collect();
    // Its length is promised, so a byte more or less would be an error.
    let echo = |seen: &Seen| Answer {
        headers: vec![("content-length", seen.body.len().to_string())],
        body: seen.body.clone(),
        ..Answer::default()
    };
    for (transport, window) in transports().zip([Some(1000), Some(200_000)]) {
        let server = Server::start(Setup { window, ..Setup::default() }, echo).unwrap();
        let mut request = get(0, "/");
        request.method = "POST".into();
        request.body = Some(Template::literal(std::str::from_utf8(&body).unwrap()));
        let told = run_over(transport, one_connection(&server.url(), hold(8.0, S), 100, vec![request]));
        assert_counted(&told, &server, 8);
        assert!(server.log().iter().all(|seen| seen.body == body), "what arrives is what was sent");
    }
}

#[test]
fn a_stream_that_the_peer_resets_is_an_error_of_its_own() {
    let reset = |seen: &Seen| Answer { reset: seen.uri.ends_with("/reset").then_some(2), ..ok("{}") };
    let server = Server::start(Setup::default(), reset).unwrap();
    let told = run(one_connection(&server.url(), hold(50.0, S), 100, vec![get(0, "/"), get(1, "/reset")]));
    told.assert_sums();
    assert_eq!(told.step(0).errors.len(), 0);
    assert_eq!(told.step(1).errors.get(&ErrorClass::Reset), Some(&50));
    assert_eq!((server.accepted(), server.requests()), (1, 100));
}

/// A server that takes so many requests on a connection, and then goes away: nothing is lost, and nothing sent twice.
#[test]
fn a_server_that_goes_away_gracefully_loses_nothing() {
    for transport in transports() {
        let slow = |_: &Seen| Answer { after: Duration::from_millis(5), ..ok("{}") };
        let setup = Setup { requests_per_connection: Some(50), ..Setup::default() };
        let server = Server::start(setup, slow).unwrap();
        let told = run_over(transport, one_connection(&server.url(), hold(500.0, S), 100, vec![get(0, "/")]));
        assert_counted(&told, &server, 500);
        assert!((8..=11).contains(&server.accepted()), "{}", server.accepted());
    }
}

#[test]
fn a_server_that_does_not_agree_to_http2_is_an_error_of_tls() {
    for protocols in [&[&b"http/1.1"[..]][..], &[]] {
        let server = Server::start(in_tls(protocols), |_| ok("")).unwrap();
        let mut plan = one_connection(&server.url(), hold(10.0, S), 100, vec![get(0, "/")]);
        plan.targets[0].tls_ca = Some(CA.to_owned());
        let told = run(plan);
        told.assert_sums();
        assert_eq!(told.step(0).errors.get(&ErrorClass::Tls), Some(&10), "{:?}", told.step(0).errors);
        assert_eq!(server.requests(), 0);
    }
}

#[test]
fn a_server_of_http1_is_found_when_it_is_connected_to() {
    let server = Http1Server::start(Script::Garbage).unwrap();
    let told = run(one_connection(&server.url(), hold(10.0, S), 100, vec![get(0, "/")]));
    told.assert_sums();
    let errors = told.step(0).errors;
    assert_eq!(errors.values().sum::<u64>(), 10);
    assert!(
        errors.keys().all(|class| matches!(class, ErrorClass::Malformed | ErrorClass::Connect)),
        "{errors:?}"
    );
    assert!(told.roots.iter().all(|root| root.sent_ns == 0), "no request was sent");
}

/// What a journey takes out of an answer, and its cookies, go into its next request.
#[test]
fn journeys_go_on_over_http2() {
    let server = Server::start(Setup::default(), |seen| Answer {
        headers: vec![("x-id", "i 1".to_owned()), ("set-cookie", "a=1; Path=/".to_owned())],
        status: if seen.uri.contains("/two/i%201") { 201 } else { 200 },
        ..ok("{}")
    });
    let server = server.unwrap();
    let mut first = get(0, "/one");
    first.extract = vec![Extract { name: "id".into(), from: Source::Header("X-Id".into()), default: None }];
    let mut second = get(1, "");
    second.path = Template(vec![Part::Literal("/two/".into()), Part::Extracted("id".into())]);
    let mut plan = one_connection(&server.url(), hold(20.0, S), 100, vec![first, second]);
    plan.journeys[0].cookies = true;
    let told = run(plan.clone());
    told.assert_sums();
    assert_eq!((told.step(0).errors.len(), told.step(1).errors.len()), (0, 0), "{:?}", told.samples);
    assert!(told.roots.iter().all(|root| root.status == if root.step == 0 { 200 } else { 201 }));
    let log = server.log();
    let of = |path: &str| log.iter().filter(|seen| seen.uri.contains(path)).collect::<Vec<_>>();
    assert!(of("/one").iter().all(|seen| !seen.headers.contains_key("cookie")));
    assert!(of("/two").iter().all(|seen| seen.headers["cookie"] == "a=1") && of("/two").len() == 20);
    let options = ProbeOptions {
        run: RUN.into(),
        timeout_ns: 5 * S,
        safe_methods_only: true,
        index: 0,
        secrets: Secrets::default(),
        types: None,
    };
    let outcomes = probe(&plan, 0, &Tagging::Plain, &options).unwrap();
    let statuses: Vec<_> = outcomes.iter().map(|outcome| (outcome.status, outcome.error)).collect();
    assert_eq!(statuses, [(200, None), (201, None)]);
}
