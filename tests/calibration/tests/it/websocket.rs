//! WebSockets of journeys: counts, times, pushes, pings, leave, tags and their end.

use std::sync::Arc;
use std::time::Duration;

use peakdrill_drill_model::condition::Op;
use peakdrill_drill_model::plan::{
    Check, Extract, MessageKind, Node, Part, Plan, Receive, Request, Template, Until, Ws, WsAct,
};
use peakdrill_loadgen::{Config, ProbeOptions, Secrets, Tagging, Transport, probe};
use peakdrill_testkit::websocket::{Peer, Server};

use crate::common::{MS, RUN, S, config, hold, node, plan, run, run_over, run_with, transports};
use crate::tags;

/// A step that opens connection 0.
pub(crate) fn open(step: u16, path: &str) -> Node {
    let ws = Some(Ws { connection: 0, act: WsAct::Open });
    node(Request { step, method: "GET".into(), path: Template::literal(path), ws, ..Request::default() })
}

/// A step that sends text, if there is one, and waits for what is described.
pub(crate) fn say(step: u16, text: Option<&str>, receive: Option<Receive>) -> Request {
    let act = WsAct::Say { kind: MessageKind::Text, receive };
    Request {
        step,
        method: "WS".into(),
        body: text.map(Template::literal),
        ws: Some(Ws { connection: 0, act }),
        ..Request::default()
    }
}

pub(crate) fn next() -> Option<Receive> {
    Some(Receive { until: None, count: 1 })
}

fn op_is(text: &str) -> Option<Receive> {
    let check = Check::Json { path: "$.op".into(), op: Op::Eq, value: text.into() };
    Some(Receive { until: Some(Until::Check(check)), count: 1 })
}

fn think(ms: u64) -> Node {
    Node::Think { min_ns: ms * MS, max_ns: ms * MS }
}

/// A plan whose messages are known as such.
pub(crate) fn drill(url: &str, rate: f64, steps: Vec<Node>) -> Plan {
    let mut plan = plan(url, hold(rate, S), steps);
    plan.targets[0].max_connections = 1_000;
    let mut messages = Vec::new();
    Node::requests(&plan.journeys[0].steps, &mut |request| {
        messages.extend(request.is_message().then_some(usize::from(request.step)));
    });
    messages.into_iter().for_each(|step| plan.steps[step].message = true);
    plan
}

fn echo(peer: &mut Peer) {
    while let Some(text) = peer.read() {
        peer.send(&text);
    }
}

fn over(transport: Transport, rate: f64) {
    let server = Server::start(echo).unwrap();
    let mut first = say(1, Some(r#"{"id":"a"}"#), next());
    first.extract = vec![Extract::json("id", "$.id")];
    let mut second = say(2, None, next());
    second.body = Some(Template(vec![Part::Literal("again ".into()), Part::Extracted("id".into())]));
    let steps = vec![open(0, "/feed?x=1"), node(first), think(20), open(0, "/feed?x=1"), node(second)];
    let told = run_over(transport, drill(&server.url(), rate, steps));
    told.assert_sums();
    let journeys = told.journeys.intended;
    assert_eq!((journeys, told.journeys.missed, told.journeys.error_count()), (rate as u64, 0, 0));
    for step in 0..3 {
        let tally = told.step(step);
        assert_eq!((tally.sent, tally.error_count()), (journeys, 0), "step {step}: {:?}", told.samples);
    }
    let log = server.log();
    assert_eq!(log.openings.len() as u64, journeys, "one connection for a journey");
    assert!(log.openings.iter().all(|(path, _)| path == "/feed?x=1"));
    let again = log.messages.iter().filter(|(_, _, text)| text == b"again a").count();
    assert_eq!((log.messages.len() as u64, again as u64), (2 * journeys, journeys));
    assert_eq!(log.closes, vec![1000; journeys as usize], "each journey takes leave");
    assert_eq!(told.report.shards[0].connections_opened, journeys);
}

#[test]
fn a_journey_has_one_connection_and_takes_leave_of_it() {
    transports().for_each(|transport| over(transport, 50.0));
}

#[test]
fn times_are_those_of_the_server() {
    let (greets, answers) = (Duration::from_millis(40), Duration::from_millis(30));
    let server = Server::greeting(
        move |_, _| std::thread::sleep(greets),
        move |peer| {
            while let Some(text) = peer.read() {
                std::thread::sleep(answers);
                peer.send(&text);
            }
        },
    )
    .unwrap();
    let steps = vec![open(0, "/"), node(say(1, Some("a"), next())), node(say(2, Some("b"), next()))];
    let told = run(drill(&server.url(), 20.0, steps));
    told.assert_sums();
    let low = |step: u16, what: &str| {
        let tally = told.step(step);
        let histogram = match what {
            "latency" => &tally.latency,
            "service" => &tally.service,
            "wait" => &tally.conn_wait,
            _ => &tally.lateness,
        };
        histogram.quantile(0.1).unwrap()
    };
    let near = |ns: u64, ms: u64| (ms * MS..(ms + 25) * MS).contains(&ns);
    assert!(near(low(0, "service"), 40), "{}", low(0, "service"));
    assert!(
        near(low(1, "latency"), 70),
        "the first step has waited for its connection: {}",
        low(1, "latency")
    );
    assert!(near(low(1, "service"), 30) && near(low(1, "wait"), 40), "and that is told apart");
    assert!(near(low(2, "latency"), 30) && low(2, "wait") < 10 * MS, "{}", low(2, "latency"));
    assert!(low(1, "lateness") < 10 * MS, "the generator was not late: {}", low(1, "lateness"));
}

#[test]
fn pushes_are_passed_over_and_kept() {
    let server = Server::start(|peer| {
        while peer.read().is_some() {
            for text in [r#"{"op":"tick"}"#, r#"{"op":"tick"}"#, r#"{"op":"ack"}"#, r#"{"op":"first"}"#] {
                peer.send(text);
            }
            peer.send(r#"{"op":"second"}"#);
        }
    })
    .unwrap();
    let mut pushed = say(2, None, next());
    pushed.checks = vec![Check::Json { path: "$.op".into(), op: Op::Eq, value: "first".into() }];
    let mut twice = say(3, Some("again"), Some(Receive { count: 2, ..op_is("tick").unwrap() }));
    twice.checks = vec![Check::Json { path: "$.op".into(), op: Op::Eq, value: "tick".into() }];
    let steps =
        vec![open(0, "/"), node(say(1, Some("sub"), op_is("ack"))), think(50), node(pushed), node(twice)];
    let told = run(drill(&server.url(), 20.0, steps));
    told.assert_sums();
    assert_eq!(told.journeys.error_count(), 0, "{:?}", told.samples);
    assert_eq!((told.step(1).passed_over, told.step(2).passed_over), (40, 0));
    assert_eq!(told.step(3).passed_over, 20, "what was kept and came before the message is no answer to it");
    let waited = told.step(2).service.quantile(1.0).unwrap();
    assert!(waited < 40 * MS, "it was there when the step began: {waited}");
}

#[test]
fn answers_are_told_apart_by_what_was_sent() {
    // The one asked for last is answered first, among answers to others.
    let server = Server::start(|peer| {
        while let Some(text) = peer.read() {
            peer.send(r#"{"id":"someone-else"}"#);
            peer.send(&format!(r#"{{"id":"{text}"}}"#));
        }
    })
    .unwrap();
    let value = Template(vec![Part::Literal("no-".into()), Part::Index]);
    let until = Some(Until::Same { path: "$.id".into(), value: value.clone() });
    let mut ask = say(1, None, Some(Receive { until, count: 1 }));
    ask.body = Some(value);
    let told = run(drill(&server.url(), 20.0, vec![open(0, "/"), node(ask)]));
    told.assert_sums();
    assert_eq!((told.journeys.error_count(), told.step(1).passed_over), (0, 20));
}

#[test]
fn pings_are_answered_while_the_user_thinks() {
    let server = Server::start(|peer| {
        while let Some(text) = peer.read() {
            peer.send(&text);
            let _ = peer.socket.send(tungstenite::Message::Ping(b"still there?".to_vec().into()));
        }
    })
    .unwrap();
    let steps =
        vec![open(0, "/"), node(say(1, Some("a"), next())), think(200), node(say(2, Some("b"), next()))];
    let told = run(drill(&server.url(), 10.0, steps));
    told.assert_sums();
    assert_eq!(told.journeys.error_count(), 0);
    let log = server.log();
    // The last ping may cross the goodbye.
    assert!(
        log.pongs.len() >= 10 && log.pongs.iter().all(|pong| pong == b"still there?"),
        "{}",
        log.pongs.len()
    );
}

#[test]
fn a_step_may_wait_for_nothing() {
    let server = Server::start(echo).unwrap();
    let steps = vec![open(0, "/"), node(say(1, Some("fire"), None)), node(say(2, Some("forget"), None))];
    let told = run(drill(&server.url(), 20.0, steps));
    told.assert_sums();
    assert_eq!((told.step(1).completed, told.step(2).completed, told.journeys.error_count()), (20, 20, 0));
    crate::common::eventually("all of it arrives", || server.log().messages.len() == 40);
}

#[test]
fn a_stop_takes_leave_of_everybody() {
    let server = Server::start(echo).unwrap();
    let steps = vec![open(0, "/"), node(say(1, Some("a"), next())), think(60_000)];
    let mut drill = drill(&server.url(), 50.0, steps);
    drill.load.phases[0].shape = hold(50.0, 60 * S);
    let mut batches = 0;
    let told = run_with(config(drill), |engine| {
        batches += 1;
        if batches == 3 {
            engine.stop();
        }
    });
    told.assert_sums();
    let log = server.log();
    assert!(log.openings.len() > 10);
    assert_eq!(log.closes, vec![1000; log.openings.len()]);
}

#[test]
fn the_opening_carries_the_tag_and_messages_do_not() {
    let server = Server::greeting(tags::acknowledge, echo).unwrap();
    let tagging = tags::shadow(RUN, tags::now());
    let drill = drill(&server.url(), 20.0, vec![open(0, "/"), node(say(1, Some("a"), next()))]);
    let config = Config { tagging: Tagging::Shadow(Arc::clone(&tagging)), ..config(drill) };
    let told = run_with(config, |_| {});
    told.assert_sums();
    assert_eq!((told.step(0).ack_missing, told.step(1).ack_missing, told.journeys.error_count()), (0, 0, 0));
    for (_, headers) in server.log().openings {
        let of =
            |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let token = of("x-peakdrill").unwrap();
        assert_eq!(of("baggage"), Some(format!("peakdrill={token}").as_str()));
        assert!(of("traceparent").is_some() && of("sec-websocket-extensions").is_none());
    }
    let traces: std::collections::BTreeSet<_> = told.roots.iter().map(|root| root.trace).collect();
    assert_eq!(traces.len(), 40, "each row has ids of its own");
}

#[test]
fn a_connection_whose_token_has_run_out_sends_nothing() {
    let server = Server::start(echo).unwrap();
    let began = tags::now();
    // It ends in two to three seconds; a newer one is there before, and does not help a connection that is open.
    let tagging = tags::shadow(RUN, began - 57);
    let steps = vec![
        open(0, "/"),
        node(say(1, Some("a"), next())),
        think(3_500),
        node(say(2, None, None)),
        node(say(3, Some("b"), next())),
    ];
    let config = config(drill(&server.url(), 10.0, steps));
    let config = Config { tagging: Tagging::Shadow(Arc::clone(&tagging)), ..config };
    let mut renewed = false;
    let told = run_with(config, |_| {
        if !renewed && server.log().messages.len() >= 10 {
            tags::renew(&tagging, RUN, tags::now());
            renewed = true;
        }
    });
    told.assert_sums();
    assert!(renewed);
    assert_eq!((told.step(1).completed, told.step(2).completed), (10, 10));
    let last = told.step(3);
    assert_eq!((last.missed, last.sent), (10, 0), "{:?}", last.errors);
    assert!(server.log().messages.iter().all(|(_, _, text)| text == b"a"));
}

#[test]
fn a_probe_opens_says_and_takes_leave() {
    let server = Server::start(echo).unwrap();
    let drill = drill(
        &server.url(),
        1.0,
        vec![open(0, "/"), node(say(1, Some("a"), next())), open(0, "/"), node(say(2, Some("b"), next()))],
    );
    let options = |safe_methods_only| ProbeOptions {
        run: RUN.to_owned(),
        timeout_ns: S,
        safe_methods_only,
        index: 0,
        secrets: Secrets::default(),
        types: None,
    };
    let outcomes = probe(&drill, 0, &Tagging::Plain, &options(false)).unwrap();
    let seen: Vec<_> = outcomes.iter().map(|o| (o.step, o.status, o.error, o.trace != 0)).collect();
    assert_eq!(seen, [(0, 101, None, true), (1, 0, None, false), (2, 0, None, false)]);
    crate::common::eventually("it takes leave", || server.log().closes == [1000]);
    let safe = probe(&drill, 0, &Tagging::Plain, &options(true)).unwrap();
    assert_eq!(safe.iter().map(|o| o.step).collect::<Vec<_>>(), [0], "a message is not known to be safe");
}
