//! Runs without a file.

use peakdrill_drill_model::plan::{Arrivals, Node, Part, Protocol};
use peakdrill_drill_model::shape::Shape;
use peakdrill_scenarios::{QuickRun, quick};

fn run() -> QuickRun {
    QuickRun {
        target: "http://127.0.0.1:8080/items?page=1".to_owned(),
        rate: Some("500/s".to_owned()),
        duration: "10s".to_owned(),
        ..QuickRun::default()
    }
}

#[test]
fn flags_make_a_plan() {
    let headers = vec![("X-A".to_owned(), " b ".to_owned())];
    let plan = quick(&QuickRun { headers, arrivals: Some(Arrivals::Even), ..run() }).unwrap();
    assert_eq!(plan.targets[0].base_url, "http://127.0.0.1:8080");
    assert_eq!(plan.steps[0].step, "/items", "what follows the `?` may be a credential");
    assert_eq!(plan.load.phases[0].shape, Shape::Hold { rate: 500.0, for_ns: 10_000_000_000 });
    assert_eq!(plan.load.phases[0].arrivals, Arrivals::Even);
    let Node::Request(request) = &plan.journeys[0].steps[0] else { panic!("no request") };
    assert_eq!(request.method, "GET");
    assert_eq!(request.path.0, [Part::Literal("/items?page=1".to_owned())]);
    assert_eq!(request.headers[0].0, "x-a");
    assert_eq!(request.headers[0].1.0, [Part::Literal("b".to_owned())]);
}

#[test]
fn users_keep_exactly_their_connections() {
    let flags =
        QuickRun { rate: None, users: Some(64), connections: Some(64), body: Some("x".into()), ..run() };
    let plan = quick(&flags).unwrap();
    assert_eq!(plan.load.phases[0].shape, Shape::Users { count: 64, for_ns: 10_000_000_000 });
    assert!(plan.targets[0].exact_connections);
    assert_eq!(plan.targets[0].max_connections, 64);
    let Node::Request(request) = &plan.journeys[0].steps[0] else { panic!("no request") };
    assert_eq!(request.method, "POST");
}

#[test]
fn http2_is_asked_for() {
    let protocol =
        |http2, streams| quick(&QuickRun { http2, streams, ..run() }).map(|plan| plan.targets[0].protocol);
    assert_eq!(protocol(false, None), Ok(Protocol::Http1));
    assert_eq!(protocol(true, None), Ok(Protocol::Http2 { streams: 100 }));
    assert_eq!(protocol(true, Some(16)), Ok(Protocol::Http2 { streams: 16 }));
    for (http2, streams) in [(true, 0), (true, 10_001), (false, 16)] {
        assert!(protocol(http2, Some(streams)).is_err(), "{http2} {streams}");
    }
}

#[test]
fn all_wrong_flags_are_reported_at_once() {
    let flags = QuickRun {
        target: "127.0.0.1".to_owned(),
        method: Some("GE T".to_owned()),
        headers: vec![("content-length".to_owned(), "5".to_owned()), ("a".to_owned(), "b\nc".to_owned())],
        rate: Some("500".to_owned()),
        duration: "soon".to_owned(),
        connections: Some(0),
        ..QuickRun::default()
    };
    let codes: Vec<_> = quick(&flags).unwrap_err().iter().map(|d| d.code.0).collect();
    assert_eq!(codes, ["E0404", "E0402", "E0406", "E0406", "E0402", "E0402", "E0403"]);
    let both = QuickRun { users: Some(1), ..run() };
    assert_eq!(quick(&both).unwrap_err()[0].code.0, "E0319");
    let neither = QuickRun { rate: None, ..run() };
    assert_eq!(quick(&neither).unwrap_err()[0].code.0, "E0319");
}
