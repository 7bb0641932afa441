//! What a server finds on shadow requests, and that nothing goes without.

use std::collections::BTreeSet;
use std::sync::Arc;

use peakdrill_loadgen::{Config, ProbeOptions, Secrets, ShadowTagging, Tagging, TokenCell, probe};
use peakdrill_shadow_tag::{MarkKey, SigningKey, Traceparent, VerifyingKeys, ack};
use peakdrill_testkit::scripted::{Reply, Script, Seen, Server};
use peakdrill_timebase::Clock as _;
use tungstenite::handshake::server::{Request, Response};

use crate::common::{RUN, S, Told, config, get, hold, node, plan, run_with};

fn key() -> SigningKey {
    SigningKey::from_seed("k1".parse().unwrap(), &[7; 32])
}

pub(crate) fn shadow(run: &str, now_unix_s: u64) -> Arc<ShadowTagging> {
    let tagging = ShadowTagging {
        mark: MarkKey::from_bytes([3; 16]),
        token: TokenCell::new(),
        header: "x-peakdrill".into(),
        ack_header: ack::HEADER.into(),
        check_ack: true,
    };
    renew(&tagging, run, now_unix_s);
    Arc::new(tagging)
}

/// Puts in a token that was minted at a time.
pub(crate) fn renew(tagging: &ShadowTagging, run: &str, now_unix_s: u64) {
    let token = key().mint_lease("test".parse().unwrap(), run.parse().unwrap(), now_unix_s).unwrap();
    tagging.token.set(token.as_str(), token.unverified().exp_unix_s);
}

/// Acknowledges a request for a WebSocket.
pub(crate) fn acknowledge(request: &Request, response: &mut Response) {
    let parent = Traceparent::parse(request.headers()["traceparent"].as_bytes()).unwrap();
    let value = ack::ack_value(parent.trace_id).as_str().parse().unwrap();
    response.headers_mut().insert(ack::HEADER, value);
}

/// Acknowledges every request but each third.
fn server() -> Server {
    let answer = |seen: &Seen| {
        let parent = Traceparent::parse(seen.header("traceparent").unwrap().as_bytes()).unwrap();
        let reply = Reply::json(200, "{}");
        if seen.number % 3 == 2 {
            return reply;
        }
        reply.header(ack::HEADER, ack::ack_value(parent.trace_id).as_str())
    };
    Server::start(Script::Handler(Arc::new(answer))).unwrap()
}

fn run_shadow(
    server: &Server,
    tagging: &Arc<ShadowTagging>,
    during: impl FnMut(&peakdrill_loadgen::Engine),
) -> Told {
    let plan = plan(&server.url(), hold(60.0, S), vec![node(get(0, "/"))]);
    run_with(Config { tagging: Tagging::Shadow(Arc::clone(tagging)), ..config(plan) }, during)
}

pub(crate) fn now() -> u64 {
    peakdrill_timebase::OsClock::new().unix().seconds() as u64
}

#[test]
fn every_request_is_marked_and_carries_the_token() {
    let server = server();
    let tagging = shadow(RUN, now());
    let told = run_shadow(&server, &tagging, |_| {});
    told.assert_sums();
    assert_eq!((told.step(0).sent, told.step(0).ack_missing), (60, 20));
    let mut keys = VerifyingKeys::default();
    keys.add(key().kid(), key().public()).unwrap();
    let mut traces = BTreeSet::new();
    for seen in server.log() {
        let parent = Traceparent::parse(seen.header("traceparent").unwrap().as_bytes()).unwrap();
        assert!(tagging.mark.is_marked(parent.trace_id) && parent.sampled());
        let token = seen.header("x-peakdrill").unwrap();
        assert_eq!(seen.header("baggage"), Some(format!("peakdrill={token}").as_str()));
        assert_eq!(keys.verify(token.as_bytes()).unwrap().run.as_str(), RUN);
        traces.insert(u128::from_be_bytes(parent.trace_id.to_bytes()));
    }
    assert_eq!(traces, told.roots.iter().map(|root| root.trace).collect());
    assert_eq!(traces.len(), 60, "one trace each");
}

#[test]
fn a_part_of_the_requests_asks_for_spans_and_the_rows_say_which() {
    let server = server();
    let mut plan = plan(&server.url(), hold(60.0, S), vec![node(get(0, "/"))]);
    plan.telemetry.traces_ppm = Some(300_000);
    let told = run_with(Config { tagging: Tagging::Shadow(shadow(RUN, now())), ..config(plan) }, |_| {});
    told.assert_sums();
    let sampled: BTreeSet<(u128, bool)> = server
        .log()
        .iter()
        .map(|seen| {
            let parent = Traceparent::parse(seen.header("traceparent").unwrap().as_bytes()).unwrap();
            (u128::from_be_bytes(parent.trace_id.to_bytes()), parent.sampled())
        })
        .collect();
    assert_eq!(sampled, told.roots.iter().map(|root| (root.trace, root.sampled)).collect());
    let count = sampled.iter().filter(|(_, sampled)| *sampled).count();
    assert!((3..40).contains(&count), "three of ten of 60: {count}");
}

#[test]
fn without_a_valid_token_nothing_is_sent() {
    for (run, at) in [("other-run", now()), (RUN, now() - 61)] {
        let server = server();
        let told = run_shadow(&server, &shadow(run, at), |_| {});
        told.assert_sums();
        assert_eq!((told.journeys.intended, told.journeys.missed, server.requests()), (60, 60, 0));
    }
}

#[test]
fn a_token_taken_away_stops_sending_and_a_new_one_resumes() {
    let server = server();
    let tagging = shadow(RUN, now());
    let mut batches = 0;
    let told = run_shadow(&server, &tagging, |_| {
        batches += 1;
        match batches {
            1 => tagging.token.clear(),
            3 => {
                renew(&tagging, RUN, now());
            }
            _ => {}
        }
    });
    told.assert_sums();
    assert_eq!(server.requests(), told.journeys.sent);
    assert!(told.journeys.missed > 10 && told.journeys.sent > 10, "{}", told.journeys.missed);
}

#[test]
fn a_plain_run_carries_no_tag() {
    let server = Server::start(Script::Echo).unwrap();
    let told = run_with(config(plan(&server.url(), hold(20.0, S), vec![node(get(0, "/"))])), |_| {});
    assert_eq!(told.step(0).ack_missing, 0);
    for seen in server.log() {
        assert!(seen.header("traceparent").is_some());
        assert!(seen.header("x-peakdrill").is_none() && seen.header("baggage").is_none());
    }
}

#[test]
fn a_probe_tells_whether_the_tag_arrived() {
    let server = server();
    let plan =
        plan(&server.url(), hold(1.0, S), vec![node(get(0, "/")), node(get(1, "/")), node(get(2, "/"))]);
    let (run, secrets) = (RUN.to_owned(), Secrets::default());
    let options =
        ProbeOptions { run, timeout_ns: S, safe_methods_only: true, index: 0, secrets, types: None };
    let tagging = Tagging::Shadow(shadow(RUN, now()));
    let acked: Vec<_> = probe(&plan, 0, &tagging, &options).unwrap().iter().map(|o| o.acked).collect();
    assert_eq!(acked, [Some(true), Some(true), Some(false)]);
    let expired = Tagging::Shadow(shadow(RUN, now() - 61));
    let outcomes = probe(&plan, 0, &expired, &options).unwrap();
    assert!(outcomes.iter().all(|o| o.trace == 0 && o.error.is_some()));
    assert_eq!(server.requests(), 3, "nothing was sent with an expired token");
}
