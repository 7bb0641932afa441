use peakdrill_drill_model::plan::{Journey, Node, Protocol, Request, Target};
use peakdrill_testkit::grpc::{Reflection, Server};

use super::*;

/// What asking a server for its types comes to.
fn asked(server: &Server) -> Findings {
    let mut plan = crate::testing::plan();
    plan.targets = vec![Target {
        name: "echo".into(),
        base_url: server.url(),
        connect_timeout_ns: 1_000_000_000,
        request_timeout_ns: 1_000_000_000,
        max_connections: 1,
        protocol: Protocol::Http2 { streams: 1 },
        types: Some(MessageTypes::Reflection),
        ..Target::default()
    }];
    let called = Some("all.v1.Echo/Unary".to_owned());
    let call = Request { method: "POST".into(), grpc: called, ..Request::default() };
    let steps = vec![Node::Request(Box::new(call))];
    plan.journeys = vec![Journey { name: "j".into(), share: 1.0, steps, ..Journey::default() }];
    let preflight = Preflight {
        plan: &plan,
        tagging: &Tagging::Plain,
        collector: None,
        machine: Machine::default(),
        run: "r",
        secret: &|_| None,
        pulse: &|_| Ok(()),
    };
    let mut findings = Findings::default();
    preflight.types(&mut findings).unwrap();
    findings
}

#[test]
fn a_question_that_a_hop_refused_not_knowing_the_run_is_asked_again_and_not_counted() {
    let server = Server::start(Reflection::Late(2)).unwrap();
    let findings = asked(&server);
    assert!(findings.types.is_some() && findings.problems.is_empty(), "{:?}", findings.problems);
    let handled = server.calls().len() as u64 - 2;
    assert!(handled > 0);
    assert_eq!(findings.probes_sent, handled);
}

#[test]
fn a_server_that_does_not_tell_its_types_refuses_the_drill() {
    let server = Server::start(Reflection::None).unwrap();
    let findings = asked(&server);
    assert!(findings.types.is_none());
    assert!(
        matches!(&findings.problems[..], [problem] if problem.contains("UNIMPLEMENTED")),
        "{:?}",
        findings.problems
    );
}
