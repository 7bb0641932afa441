//! Whose connections are, how long they live, where they come from and where they go.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::{Node, Part, Plan, Protocol, Request, Sharing, Subnet, Template};
use peakdrill_loadgen::{Config, Resolver, StartError, start};
use peakdrill_testkit::http2;
use peakdrill_testkit::scripted::{Script, Seen, Server};

use crate::common::{
    Deaf, MS, S, config, eventually, get, hold, node, plan, run, run_over, run_with, transports,
};

/// A request whose path ends in its journey's index.
fn told_apart(step: u16, path: &str) -> Request {
    let path = Template(vec![Part::Literal(path.into()), Part::Index]);
    Request { path, ..get(step, "/") }
}

fn think(ns: u64) -> Node {
    Node::Think { min_ns: ns, max_ns: ns }
}

fn per_user(url: &str, shape: peakdrill_drill_model::shape::Shape, steps: Vec<Node>) -> Plan {
    let mut plan = plan(url, shape, steps);
    plan.targets[0].connections.per = Sharing::User;
    plan
}

/// The journeys that each connection carried requests of.
fn journeys_by_peer(log: &[Seen]) -> BTreeMap<SocketAddr, Vec<String>> {
    let mut out: BTreeMap<SocketAddr, Vec<String>> = BTreeMap::new();
    for seen in log {
        let index = seen.path.rsplit('/').next().unwrap_or_default();
        out.entry(seen.peer).or_default().push(index.to_owned());
    }
    out
}

#[test]
fn a_journey_has_a_connection_of_its_own() {
    for transport in transports() {
        let server = Server::start(Script::Delay(Duration::from_millis(5))).unwrap();
        let steps = vec![node(told_apart(0, "/a/")), think(100 * MS), node(told_apart(1, "/b/"))];
        let told = run_over(transport, per_user(&server.url(), hold(50.0, S), steps));
        told.assert_sums();
        assert!(told.samples.iter().all(|sample| sample.error.is_none()), "{:?}", told.samples);
        assert_eq!((told.journeys.sent, server.accepted()), (50, 50));
        let by_peer = journeys_by_peer(&server.log());
        assert_eq!(by_peer.len(), 50, "no connection serves two journeys, and none uses two");
        assert!(by_peer.values().all(|indices| indices.len() == 2 && indices[0] == indices[1]));
        // Opening it is the first request's wait, and nobody else's.
        let waits = |step: u16| told.step(step).conn_wait;
        assert_eq!((waits(0).count(), waits(1).count()), (50, 50));
        assert!(waits(0).quantile(0.0).unwrap() > waits(1).quantile(0.5).unwrap());
        eventually("all are closed", || server.open() == 0);
    }
}

#[test]
fn a_journeys_connection_is_closed_at_its_end() {
    // Two may be open. Twenty journeys, one after the other: each needs that those before it have closed theirs.
    let server = Server::start(Script::Echo).unwrap();
    let mut plan = per_user(&server.url(), hold(20.0, S), vec![node(get(0, "/"))]);
    plan.targets[0].max_connections = 2;
    plan.targets[0].connect_timeout_ns = 300 * MS;
    let told = run(plan);
    told.assert_sums();
    assert_eq!((told.journeys.sent, told.journeys.missed, server.accepted()), (20, 0, 20));

    // The same with journeys that last: who finds all taken for as long as opening one may take is missed.
    let server = Server::start(Script::Delay(Duration::from_millis(700))).unwrap();
    let mut plan = per_user(&server.url(), hold(20.0, S), vec![node(get(0, "/"))]);
    plan.targets[0].max_connections = 2;
    plan.targets[0].connect_timeout_ns = 300 * MS;
    let told = run(plan);
    told.assert_sums();
    assert!(told.journeys.missed >= 10 && told.journeys.sent >= 2, "{} missed", told.journeys.missed);
    assert_eq!((told.step(0).error_count(), server.accepted()), (0, told.journeys.sent));
}

#[test]
fn a_connection_that_the_server_closes_is_replaced_within_the_journey() {
    let server = Server::start(Script::CloseAfterAnswer).unwrap();
    let steps = vec![node(told_apart(0, "/a/")), think(20 * MS), node(told_apart(1, "/b/"))];
    let told = run(per_user(&server.url(), hold(20.0, S), steps));
    told.assert_sums();
    assert_eq!((told.step(0).error_count(), told.step(1).error_count()), (0, 0), "{:?}", told.samples);
    assert_eq!((server.requests(), server.accepted()), (40, 40));
}

#[test]
fn a_request_that_takes_too_long_ends_its_journeys_connection() {
    let server = Server::start(Script::Silent).unwrap();
    let mut request = get(0, "/");
    request.timeout_ns = Some(200 * MS);
    let mut plan = per_user(&server.url(), hold(5.0, S), vec![node(request)]);
    plan.targets[0].max_connections = 4;
    let told = run(plan);
    told.assert_sums();
    assert_eq!((told.journeys.missed, told.step(0).errors.get(&ErrorClass::Timeout)), (0, Some(&5)));
    assert_eq!(server.accepted(), 5);
    eventually("all are closed", || server.open() == 0);
}

#[test]
fn closed_loop_users_and_shards_keep_their_connections_apart() {
    let server = Server::start(Script::Delay(Duration::from_millis(2))).unwrap();
    let shape = peakdrill_drill_model::shape::Shape::Users { count: 8, for_ns: S / 2 };
    let steps = vec![node(told_apart(0, "/a/")), node(told_apart(1, "/b/"))];
    let told = run_with(Config { shards: 2, ..config(per_user(&server.url(), shape, steps)) }, |_| {});
    told.assert_sums();
    assert_eq!(told.step(0).error_count() + told.step(1).error_count(), 0);
    assert_eq!(server.accepted(), told.journeys.sent);
    let by_peer = journeys_by_peer(&server.log());
    assert!(by_peer.values().all(|indices| indices.iter().collect::<BTreeSet<_>>().len() == 1));
}

#[test]
fn old_connections_are_closed_between_requests_and_never_under_one() {
    for transport in transports() {
        let server = Server::start(Script::Delay(Duration::from_millis(8))).unwrap();
        let mut plan = plan(&server.url(), hold(100.0, 2 * S), vec![node(get(0, "/"))]);
        plan.targets[0].max_connections = 1;
        plan.targets[0].connections.lifetime_ns = Some(200 * MS);
        let told = run_over(transport, plan);
        told.assert_sums();
        assert_eq!((told.step(0).error_count(), server.requests()), (0, 200), "{:?}", told.samples);
        // At most one in 180 ms; the machine may have been slow.
        assert!((3..=13).contains(&server.accepted()), "{}", server.accepted());
    }
}

/// Over HTTP/2 there is always something on the connection: it takes nothing more, and ends with its last answer.
#[test]
fn an_old_connection_of_http2_ends_with_what_is_under_way() {
    let slow =
        |_: &http2::Seen| http2::Answer { after: Duration::from_millis(100), ..http2::Answer::default() };
    let server = http2::Server::start(http2::Setup::default(), slow).unwrap();
    let mut plan = plan(&server.url(), hold(100.0, 2 * S), vec![node(get(0, "/"))]);
    plan.targets[0].protocol = Protocol::Http2 { streams: 100 };
    plan.targets[0].max_connections = 1;
    plan.targets[0].connections.lifetime_ns = Some(300 * MS);
    let told = run(plan);
    told.assert_sums();
    assert_eq!((told.step(0).error_count(), server.requests()), (0, 200), "{:?}", told.samples);
    // At most one in 270 ms.
    assert!((3..=9).contains(&server.accepted()), "{}", server.accepted());
}

#[test]
fn a_journey_has_a_connection_of_http2_of_its_own() {
    let server = http2::Server::start(http2::Setup::default(), |_| http2::Answer::default()).unwrap();
    let steps = vec![node(told_apart(0, "/a/")), think(50 * MS), node(told_apart(1, "/b/"))];
    let mut plan = per_user(&server.url(), hold(40.0, S), steps);
    plan.targets[0].protocol = Protocol::Http2 { streams: 100 };
    let told = run(plan);
    told.assert_sums();
    assert_eq!(told.step(0).error_count() + told.step(1).error_count(), 0, "{:?}", told.samples);
    assert_eq!((server.accepted(), server.requests()), (40, 80));
    let mut by_connection: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
    for seen in server.log() {
        let index = seen.uri.rsplit('/').next().unwrap_or_default().to_owned();
        by_connection.entry(seen.connection).or_default().insert(index);
    }
    assert!(by_connection.len() == 40 && by_connection.values().all(|indices| indices.len() == 1));
}

#[test]
fn an_idle_connection_is_closed_when_it_is_old() {
    let server = Server::start(Script::Echo).unwrap();
    let mut plan = plan(&server.url(), hold(1.0, S), vec![node(get(0, "/")), think(2 * S)]);
    plan.targets[0].connections.lifetime_ns = Some(200 * MS);
    let mut closed_while_running = false;
    let told =
        run_with(config(plan), |_| closed_while_running |= server.accepted() == 1 && server.open() == 0);
    told.assert_sums();
    assert!(closed_while_running, "the journey still thought, and its connection was gone");
}

fn named(plan: &mut Plan) {
    plan.targets[0].base_url = "http://shop.test:81".into();
}

#[test]
fn addresses_take_turns_and_one_that_fails_is_left_out() {
    let servers = [0; 3].map(|_| Server::start(Script::Echo).unwrap());
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut plan = per_user("http://shop.test:81", hold(60.0, S), vec![node(get(0, "/"))]);
    plan.targets[0].resolve.addresses = servers.iter().map(Server::address).chain([closed]).collect();
    let told = run(plan);
    told.assert_sums();
    assert_eq!(told.step(0).error_count(), 0, "{:?}", told.samples);
    for server in &servers {
        assert!((18..=22).contains(&server.requests()), "{}", server.requests());
        assert!(server.log().iter().all(|seen| seen.header("host") == Some("shop.test:81")));
    }
}

#[test]
fn an_address_that_does_not_answer_leaves_time_for_the_next() {
    let (deaf, server) = (Deaf::new(), Server::start(Script::Echo).unwrap());
    let mut plan = per_user("http://shop.test:81", hold(20.0, S), vec![node(get(0, "/"))]);
    plan.targets[0].connect_timeout_ns = S;
    plan.targets[0].resolve.addresses = vec![deaf.address, server.address()];
    let told = run(plan.clone());
    told.assert_sums();
    assert_eq!((told.step(0).error_count(), server.requests()), (0, 20), "{:?}", told.samples);
    // Only those that came before it was known have waited.
    assert!(told.step(0).latency.quantile(1.0).unwrap() >= 400 * MS);
    assert!(told.step(0).latency.quantile(0.2).unwrap() < 400 * MS);

    plan.targets[0].connect_timeout_ns = 300 * MS;
    plan.targets[0].resolve.addresses = vec![deaf.address];
    let told = run(plan);
    told.assert_sums();
    assert_eq!(told.step(0).errors.get(&ErrorClass::ConnectTimeout), Some(&20));
}

#[test]
fn a_name_is_looked_up_again_while_the_load_runs() {
    let [old, new] = [0; 2].map(|_| Server::start(Script::Echo).unwrap());
    let known = Arc::new(Mutex::new(vec![old.address()]));
    let asked = Arc::clone(&known);
    let resolver = Resolver::new(move |name, port| {
        assert_eq!((name, port), ("shop.test", 81));
        Ok(asked.lock().unwrap().clone())
    });
    let mut plan = plan("http://h", hold(100.0, 3 * S), vec![node(get(0, "/"))]);
    named(&mut plan);
    plan.targets[0].resolve.refresh_ns = Some(100 * MS);
    let mut moved = false;
    let told = run_with(Config { resolver, ..config(plan) }, |_| {
        if old.requests() > 30 && !moved {
            moved = true;
            assert_eq!(new.accepted(), 0);
            *known.lock().unwrap() = vec![new.address()];
        }
    });
    told.assert_sums();
    assert_eq!(told.step(0).error_count(), 0, "connections are not cut: {:?}", told.samples);
    assert_eq!(old.requests() + new.requests(), 300);
    assert!(new.requests() > 100, "{} at the new address", new.requests());
    assert_eq!(old.open(), 0, "connections to the old address are closed");
}

#[test]
fn a_name_service_that_fails_later_changes_nothing_and_one_that_fails_at_first_is_told() {
    let server = Server::start(Script::Echo).unwrap();
    let (address, calls) = (server.address(), Mutex::new(0));
    let resolver = Resolver::new(move |_, _| {
        let mut calls = calls.lock().unwrap();
        *calls += 1;
        if *calls == 1 { Ok(vec![address]) } else { Err(std::io::Error::other("the name service is down")) }
    });
    let mut plan = plan("http://h", hold(50.0, S), vec![node(get(0, "/"))]);
    named(&mut plan);
    plan.targets[0].resolve.refresh_ns = Some(100 * MS);
    let told = run_with(Config { resolver, ..config(plan.clone()) }, |_| {});
    told.assert_sums();
    assert_eq!((told.step(0).error_count(), server.requests()), (0, 50), "{:?}", told.samples);

    let broken = Resolver::new(|_, _| Err(std::io::Error::other("no such name")));
    let told = run_with(Config { resolver: broken, ..config(plan) }, |_| {});
    told.assert_sums();
    assert_eq!(told.step(0).errors.get(&ErrorClass::Dns), Some(&50));
    assert!(told.samples.iter().any(|sample| sample.detail.contains("shop.test: no such name")));
}

#[test]
fn connections_come_from_the_addresses_that_are_named() {
    let server = Server::start(Script::Echo).unwrap();
    let mut plan = per_user(&server.url(), hold(60.0, S), vec![node(get(0, "/"))]);
    let from = ["127.0.0.2", "127.1.0.0/30"].map(|text| Subnet::parse(text).unwrap());
    plan.targets[0].connections.from = from.to_vec();
    let told = run(plan.clone());
    told.assert_sums();
    assert_eq!(told.step(0).error_count(), 0, "{:?}", told.samples);
    let mut by_ip: BTreeMap<IpAddr, usize> = BTreeMap::new();
    server.log().iter().for_each(|seen| *by_ip.entry(seen.peer.ip()).or_default() += 1);
    let expected = ["127.0.0.2", "127.1.0.1", "127.1.0.2"].map(|ip| (ip.parse::<IpAddr>().unwrap(), 20));
    assert_eq!(by_ip.into_iter().collect::<Vec<_>>(), expected);

    plan.targets[0].connections.from = vec![Subnet::parse("192.0.2.1").unwrap()];
    let error = start(config(plan)).map(drop).unwrap_err();
    assert!(matches!(error, StartError::Target { .. }), "{error}");
    assert!(error.to_string().contains("192.0.2.1 is no address of this machine"), "{error}");
}
