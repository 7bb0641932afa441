//! What is counted is what was sent.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::{Arrivals, Node};
use peakdrill_drill_model::shape::Shape;
use peakdrill_loadgen::{Config, StartError, start};
use peakdrill_testkit::scripted::{Script, Server};
use peakdrill_timebase::{Clock as _, MonoNs};

use crate::common::{MS, S, config, eventually, get, hold, node, plan, run, run_with};

#[test]
fn the_server_sees_what_is_reported_as_sent() {
    let server = Server::start(Script::Null).unwrap();
    let mut plan =
        plan(&server.url(), Shape::Ramp { from: 0.0, to: 1000.0, over_ns: 2 * S }, vec![node(get(0, "/"))]);
    plan.load.phases[0].arrivals = Arrivals::Poisson;
    let one = run_with(config(plan.clone()), |_| {});
    one.assert_sums();
    assert_eq!(one.report.shards.len(), 1);
    assert_eq!(server.requests(), one.step(0).sent);
    assert!(one.step(0).errors.is_empty());

    let before = server.requests();
    let two = run_with(Config { shards: 2, ..config(plan) }, |_| {});
    two.assert_sums();
    assert_eq!(two.report.shards.len(), 2);
    assert_eq!(server.requests() - before, two.step(0).sent);
    assert_eq!(one.journeys.intended, two.journeys.intended, "same seed, same arrivals");
}

#[test]
fn over_the_limit_arrivals_are_missed() {
    let server = Server::start(Script::Delay(Duration::from_millis(500))).unwrap();
    let mut plan = plan(&server.url(), hold(100.0, S), vec![node(get(0, "/"))]);
    plan.load.max_in_flight = 10;
    let told = run(plan);
    told.assert_sums();
    assert_eq!(told.journeys.intended, 100);
    // Ten at once, twice in a second.
    assert!((10..=30).contains(&told.journeys.sent), "{}", told.journeys.sent);
    assert_eq!(server.requests(), told.journeys.sent);
}

#[test]
fn no_free_connection_in_time_is_missed() {
    let server = Server::start(Script::Delay(Duration::from_millis(700))).unwrap();
    let mut plan = plan(&server.url(), hold(20.0, S), vec![node(get(0, "/"))]);
    plan.targets[0].max_connections = 2;
    plan.targets[0].connect_timeout_ns = 300 * MS;
    let told = run(plan);
    told.assert_sums();
    assert_eq!(server.requests(), told.journeys.sent);
    assert!(told.journeys.missed >= 10 && told.journeys.sent >= 2, "{} missed", told.journeys.missed);
    assert!(told.step(0).errors.is_empty());
}

#[test]
fn a_later_step_that_finds_no_connection_is_an_error_and_not_left_out() {
    // One connection. The second journey's first step waits for it when the first journey's ends, and goes first: the
    // first journey's second step waits in vain.
    let server = Server::start(Script::Delay(Duration::from_millis(700))).unwrap();
    let mut plan = plan(&server.url(), hold(2.0, S), vec![node(get(0, "/login")), node(get(1, "/order"))]);
    plan.targets[0].max_connections = 1;
    plan.targets[0].connect_timeout_ns = 300 * MS;
    let told = run(plan);
    told.assert_sums();
    assert_eq!((told.journeys.intended, told.journeys.missed), (2, 0));
    assert_eq!((told.step(0).sent, told.step(1).sent, server.requests()), (2, 2, 3));
    let order = told.step(1);
    assert_eq!((order.missed, order.error_count()), (0, 1));
    assert_eq!(order.errors.get(&ErrorClass::ConnectTimeout), Some(&1));
    assert_eq!(told.journeys.errors.get(&ErrorClass::ConnectTimeout), Some(&1));
    assert!(told.step(0).errors.is_empty());
    // The wait counts, at least as long as it lasted; the time on the wire is that of the other alone.
    assert!(order.latency.quantile(0.01).unwrap() >= 300 * MS);
    assert!(order.conn_wait.quantile(1.0).unwrap() >= 300 * MS);
    assert_eq!((order.conn_wait.count(), order.service.count()), (2, 1));
    let row = told.roots.iter().find(|root| root.error.is_some()).unwrap();
    assert_eq!((row.step, row.sent_ns, row.status), (1, 0, 0));
    assert!(row.done_ns - row.intended_ns >= 300 * MS as i64);
    assert!(told.samples.iter().any(|sample| sample.step == 1 && sample.detail.contains("busy")));
}

#[test]
fn a_closed_loop_keeps_its_users_and_connections() {
    let server = Server::start(Script::Delay(Duration::from_millis(10))).unwrap();
    let mut plan = plan(&server.url(), Shape::Users { count: 8, for_ns: S }, vec![node(get(0, "/"))]);
    plan.targets[0].max_connections = 8;
    plan.targets[0].exact_connections = true;
    let (engine, batches) = start(config(plan)).unwrap();
    eventually("all connections are accepted", || server.accepted() == 8);
    assert_eq!(server.requests(), 0, "before the start");
    let sent: u64 = batches
        .iter()
        .flat_map(|batch| batch.tallies)
        .filter(|((.., s), _)| s.is_some())
        .map(|(_, t)| t.sent)
        .sum();
    assert!(engine.join().failed.is_none());
    assert_eq!(server.accepted(), 8);
    assert_eq!(server.requests(), sent);
    // 8 users, some 10 ms each: at most 800 in a second, and not far below.
    assert!((400..=808).contains(&sent), "{sent}");
}

/// Takes this many connections and closes every other at once. Returns its URL, and how many it has accepted.
fn takes_only(connections: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    // Ends with the process: it holds nothing but its sockets.
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::SeqCst);
            if held.len() < connections {
                held.push(stream);
            }
        }
    });
    (url, accepted)
}

#[test]
fn a_peer_that_takes_too_few_connections_is_told_at_the_start_and_not_flooded() {
    let (url, accepted) = takes_only(2);
    let mut plan = plan(&url, hold(10.0, S), vec![node(get(0, "/"))]);
    plan.targets[0].max_connections = 4;
    plan.targets[0].exact_connections = true;
    plan.targets[0].connect_timeout_ns = 500 * MS;
    let begun = Instant::now();
    let error = start(config(plan)).map(drop).unwrap_err();
    let took = begun.elapsed();
    assert!(matches!(error, StartError::Connect { .. }), "{error}");
    assert!(error.to_string().contains("of 4 connections are open after 500 ms"), "{error}");
    assert!(error.to_string().contains("the peer closed"), "{error}");
    // Two places, each tried anew every 100 ms.
    let tries = 2 + 2 * (1 + took.as_millis() as usize / 100);
    let accepted = accepted.load(Ordering::SeqCst);
    assert!((4..=tries).contains(&accepted), "{accepted} connections in {took:?}");
}

#[test]
fn closed_connections_are_replaced() {
    let server = Server::start(Script::CloseAfterAnswer).unwrap();
    let told = run(plan(&server.url(), hold(50.0, S), vec![node(get(0, "/"))]));
    told.assert_sums();
    assert_eq!(told.step(0).errors.values().sum::<u64>(), 0, "{:?}", told.step(0).errors);
    assert_eq!((server.requests(), server.accepted()), (50, 50));
}

#[test]
fn a_stop_stops_and_a_cut_cuts() {
    let server = Server::start(Script::Delay(Duration::from_millis(600))).unwrap();
    let steps = || vec![node(get(0, "/a")), Node::Think { min_ns: 0, max_ns: MS }, node(get(1, "/b"))];
    let mut stopped_at = None;
    let told = run_with(config(plan(&server.url(), hold(100.0, 60 * S), steps())), |engine| {
        engine.stop();
        stopped_at.get_or_insert_with(Instant::now);
    });
    told.assert_sums();
    assert!(stopped_at.unwrap().elapsed() < Duration::from_secs(5));
    let last = server.log().iter().map(|seen| seen.arrived).max().unwrap();
    assert!(last < stopped_at.unwrap() + Duration::from_millis(100), "nothing is sent after a stop");
    assert_eq!(told.step(1).sent, 0, "no further step is started");
    assert!(told.step(0).errors.is_empty(), "requests under way are awaited");
    assert_eq!(told.journeys.errors.get(&ErrorClass::Cancelled), Some(&told.journeys.sent));

    let silent = Server::start(Script::Silent).unwrap();
    let begun = Instant::now();
    let told = run_with(config(plan(&silent.url(), hold(100.0, 60 * S), steps())), |engine| engine.cut());
    told.assert_sums();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(told.step(0).sent > 0);
    assert_eq!(told.step(0).errors.get(&ErrorClass::Cancelled), Some(&told.step(0).sent));
}

#[test]
fn a_dropped_receiver_ends_the_load() {
    let server = Server::start(Script::Null).unwrap();
    let (engine, batches) =
        start(config(plan(&server.url(), hold(100.0, 60 * S), vec![node(get(0, "/"))]))).unwrap();
    drop(batches);
    assert!(engine.join().failed.is_some());
}

#[test]
fn what_cannot_run_does_not_start() {
    let server = Server::start(Script::Null).unwrap();
    let good = plan(&server.url(), hold(100.0, S), vec![node(get(0, "/"))]);
    let refused = |change: &dyn Fn(&mut Config)| {
        let mut config = config(good.clone());
        change(&mut config);
        start(config).map(drop).unwrap_err()
    };
    let with = |change: &dyn Fn(&mut peakdrill_drill_model::plan::Plan)| {
        refused(&|config| change(Arc::make_mut(&mut config.plan)))
    };
    assert!(matches!(with(&|plan| plan.guards.limit_rate = Some(99.0)), StartError::Plan(_)));
    assert!(matches!(with(&|plan| plan.load.max_in_flight = 0), StartError::Plan(_)));
    assert!(matches!(with(&|plan| plan.targets[0].base_url = "nonsense".into()), StartError::Target { .. }));
    let closed_port = "http://127.0.0.1:1";
    let exact = with(&|plan| {
        plan.targets[0].base_url = closed_port.into();
        plan.targets[0].exact_connections = true;
    });
    assert!(matches!(exact, StartError::Connect { .. }), "{exact}");
    assert_eq!(server.requests(), 0);
    let late = config(good.clone());
    let clock = late.clock;
    eventually("the clock goes", || clock.mono().0 > 200 * MS);
    let late = start(Config { start_at: MonoNs(0), ..late }).map(drop).unwrap_err();
    assert!(matches!(late, StartError::Late { .. }), "{late}");
}
