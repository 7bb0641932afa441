//! What a peer of a WebSocket does wrong, each with its class.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, mpsc};

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::{Check, Plan, TextTest};
use peakdrill_loadgen::{Transport, WS_MESSAGE_MAX_BYTES, WS_PASSED_MAX};
use peakdrill_testkit::scripted::{self, Reply, Script, Seen};
use peakdrill_testkit::tls::CA;
use peakdrill_testkit::websocket::{Peer, Server};
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::common::{MS, S, Told, hold, node, run_over, transports};
use crate::secure;
use crate::websocket::{drill, next, open, say};

/// More than the system keeps for a peer that reads nothing, in bytes.
const UNREAD_BYTES: usize = 12 << 20;

/// Ten journeys, of which all end in this class, at this step.
fn all_end(class: ErrorClass, step: u16, plan: &Plan) -> Told {
    let over = |transport: Transport| {
        let told = run_over(transport, plan.clone());
        told.assert_sums();
        let tally = told.step(step);
        assert_eq!(tally.errors.get(&class), Some(&10), "{class}: {:?} {:?}", tally.errors, told.samples);
        assert_eq!(told.journeys.errors.get(&class), Some(&10));
        told
    };
    transports().map(over).last().unwrap()
}

fn ask(url: &str) -> Plan {
    let mut plan = drill(url, 10.0, vec![open(0, "/"), node(say(1, Some("a"), next()))]);
    plan.targets[0].request_timeout_ns = 300 * MS;
    plan.load.phases[0].shape = hold(50.0, S / 5);
    plan
}

/// The first message is answered by this.
fn answered_by(class: ErrorClass, answer: impl Fn(&mut Peer) + Send + Sync + 'static) -> Told {
    let server = Server::start(move |peer| {
        if peer.read().is_some() {
            answer(peer);
            while peer.read().is_some() {}
        }
    })
    .unwrap();
    all_end(class, 1, &ask(&server.url()))
}

#[test]
fn each_way_to_end_a_connection_has_its_class() {
    let told = answered_by(ErrorClass::WsClosed, |peer| {
        let frame = CloseFrame { code: 1011.into(), reason: "broken inside".into() };
        let _ = peer.socket.close(Some(frame));
    });
    let detail = &told.samples.iter().find(|sample| sample.error.is_some()).unwrap().detail;
    assert_eq!(detail, "the peer closed it with code 1011: broken inside");
    answered_by(ErrorClass::Closed, |peer| {
        let _ = peer.socket.get_ref().shutdown(std::net::Shutdown::Both);
    });
    answered_by(ErrorClass::Malformed, |peer| {
        let _ = peer.socket.get_mut().write_all(b"\x8f\x00 no frame");
    });
    answered_by(ErrorClass::BodyTooLarge, |peer| {
        let _ = peer.socket.send(Message::binary(vec![0; WS_MESSAGE_MAX_BYTES + 1]));
    });
    let told = answered_by(ErrorClass::Timeout, |_| {});
    let latency = told.step(1).latency.quantile(1.0).unwrap();
    assert!((300 * MS..600 * MS).contains(&latency), "{latency}");
}

#[test]
fn a_message_that_a_peer_leaves_no_room_for_has_a_time_limit() {
    let (over, waits) = mpsc::channel::<()>();
    let waits = Mutex::new(waits);
    // It reads nothing until the test is over.
    let server = Server::start(move |_| _ = waits.lock().map(|waits| waits.recv())).unwrap();
    let large = "x".repeat(UNREAD_BYTES);
    let steps = vec![open(0, "/"), node(say(1, Some(&large), None)), node(say(2, Some("b"), None))];
    let mut plan = drill(&server.url(), 10.0, steps);
    plan.targets[0].request_timeout_ns = 300 * MS;
    plan.load.phases[0].shape = hold(50.0, S / 5);
    let told = all_end(ErrorClass::Timeout, 2, &plan);
    assert_eq!((told.step(1).error_count(), told.step(2).missed, told.journeys.missed), (0, 0, 0));
    drop(over);
}

#[test]
fn more_pushes_than_a_step_passes_over_are_an_error() {
    let server = Server::start(|peer| {
        while peer.read().is_some() {
            for _ in 0..WS_PASSED_MAX + 10 {
                let _ = peer.socket.write(Message::text("tick"));
            }
            let _ = peer.socket.flush();
        }
    })
    .unwrap();
    let mut plan = ask(&server.url());
    plan.targets[0].request_timeout_ns = 10 * S;
    let until = peakdrill_drill_model::plan::Until::Check(Check::Body(TextTest::Contains("ack".into())));
    let receive = peakdrill_drill_model::plan::Receive { until: Some(until), count: 1 };
    plan.journeys[0].steps[1] = node(say(1, Some("a"), Some(receive)));
    let told = all_end(ErrorClass::WsUnmatched, 1, &plan);
    assert!(told.step(1).passed_over >= 10 * u64::from(WS_PASSED_MAX));
}

#[test]
fn a_message_in_parts_is_one() {
    let server = Server::start(|peer| {
        while peer.read().is_some() {
            let parts =
                [(Data::Text, "he", false), (Data::Continue, "ll", false), (Data::Continue, "o", true)];
            for (opcode, text, last) in parts {
                let frame = Frame::message(text.as_bytes().to_vec(), OpCode::Data(opcode), last);
                let _ = peer.socket.send(Message::Frame(frame));
                let _ = peer.socket.send(Message::Ping(Vec::new().into()));
            }
        }
    })
    .unwrap();
    let mut request = say(1, Some("a"), next());
    request.checks = vec![Check::Body(TextTest::Matches("^hello$".into()))];
    let plan = drill(&server.url(), 10.0, vec![open(0, "/"), node(request)]);
    transports().for_each(|transport| {
        let told = run_over(transport, plan.clone());
        told.assert_sums();
        assert_eq!(told.journeys.error_count(), 0, "{:?}", told.samples);
    });
}

#[test]
fn an_upgrade_that_is_not_granted_has_its_class() {
    let upgrade = |reply: Reply| reply.header("upgrade", "websocket").header("connection", "Upgrade");
    let cases = [
        (ErrorClass::Status(403), Reply::json(403, "{}")),
        (ErrorClass::WsRefused, Reply::json(200, "{}")),
        (ErrorClass::WsRefused, Reply::json(302, "").header("location", "/elsewhere")),
        // The accept key is that of another one; or there is none.
        (
            ErrorClass::WsRefused,
            upgrade(Reply::json(101, "")).header("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ),
        (ErrorClass::WsRefused, upgrade(Reply::json(101, ""))),
        (ErrorClass::WsRefused, Reply::json(101, "")),
    ];
    for (class, reply) in cases {
        let script = Script::Handler(Arc::new(move |_: &Seen| reply.clone()));
        let server = scripted::Server::start(script).unwrap();
        let told = all_end(class, 0, &ask(&server.url()));
        assert_eq!(told.step(1).sent, 0, "nothing is said over it");
    }
    for (class, script) in [
        (ErrorClass::Timeout, Script::Silent),
        (ErrorClass::Closed, Script::Close),
        (ErrorClass::Malformed, Script::Garbage),
    ] {
        let server = scripted::Server::start(script).unwrap();
        all_end(class, 0, &ask(&server.url()));
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    all_end(ErrorClass::ConnectRefused, 0, &ask(&format!("ws://127.0.0.1:{port}")));
}

#[test]
fn subprotocols_are_offered_and_one_is_taken() {
    let served = |taken: Option<&'static str>| {
        Server::greeting(
            move |request, response| {
                assert_eq!(request.headers()["sec-websocket-protocol"], "a, b");
                if let Some(taken) = taken {
                    response.headers_mut().insert("sec-websocket-protocol", taken.parse().unwrap());
                }
            },
            |peer| {
                while let Some(text) = peer.read() {
                    peer.send(&text);
                }
            },
        )
        .unwrap()
    };
    let offering = |url: &str| {
        let mut plan = ask(url);
        if let peakdrill_drill_model::plan::Node::Request(request) = &mut plan.journeys[0].steps[0] {
            let offered = peakdrill_drill_model::plan::Template::literal("a, b");
            request.headers = vec![("sec-websocket-protocol".into(), offered)];
        }
        plan
    };
    let server = served(Some("b"));
    let told = run_over(Transport::Epoll, offering(&server.url()));
    assert_eq!(told.journeys.error_count(), 0, "{:?}", told.samples);
    all_end(ErrorClass::WsRefused, 0, &offering(&served(None).url()));
    all_end(ErrorClass::WsRefused, 0, &offering(&served(Some("c")).url()));
}

#[test]
fn it_goes_over_tls() {
    let (address, serving) = secure::serve_sockets(10);
    let mut plan = drill(
        &format!("wss://{address}"),
        10.0,
        vec![open(0, "/"), node(say(1, Some("a"), next())), node(say(2, Some("b"), next()))],
    );
    plan.targets[0].tls_ca = Some(CA.into());
    let told = run_over(Transport::Epoll, plan);
    told.assert_sums();
    assert_eq!(told.journeys.error_count(), 0, "{:?}", told.samples);
    assert_eq!(serving.join().unwrap(), (20, 10), "all messages, and a goodbye on every connection");
}
