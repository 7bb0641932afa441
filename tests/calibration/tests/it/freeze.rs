//! A server that stands still: what waits for it has waited since its intended time.

use std::collections::HashMap;
use std::time::Duration;

use peakdrill_drill_model::frame::RootRow;
use peakdrill_testkit::scripted::{Script, Seen, Server};

use crate::common::{S, config, get, hold, node, plan, run_alone, run_with};

fn quantile(sorted: &[u64], q: f64) -> u64 {
    let place = ((q * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len());
    sorted[place - 1]
}

fn off(reported: u64, truth: u64) -> f64 {
    reported.abs_diff(truth) as f64 / truth as f64
}

fn assert_near(reported: u64, truth: u64, share: f64, what: &str) {
    assert!(off(reported, truth) <= share, "{what}: reported {reported} ns, true {truth} ns");
}

/// How often a measurement is made anew that something else on the machine has disturbed. A meter that is wrong is
/// wrong each time.
const ATTEMPTS: usize = 2;

/// Runs 1,000 requests a second against a server that freezes for one second of five, twice. Returns what was reported
/// and what was true, at p90, p99 and p99.9.
fn meet_the_freeze() -> [(u64, u64); 3] {
    let script = Script::Freeze { period: Duration::from_secs(5), frozen: Duration::from_secs(1) };
    let server = Server::start(script).unwrap();
    let mut plan = plan(&server.url(), hold(1000.0, 10 * S), vec![node(get(0, "/"))]);
    plan.targets[0].max_connections = 1500;
    let mut begun = None;
    let told = run_alone(|| {
        let config = config(plan);
        begun = Some((config.clock, config.start_at));
        config
    });
    let (clock, start_at) = begun.unwrap();
    told.assert_sums();
    assert_eq!((told.journeys.intended, told.journeys.missed), (10_000, 0));
    assert_eq!(server.requests(), told.step(0).sent);

    let log = server.log();
    let traces: HashMap<&str, &Seen> =
        log.iter().map(|seen| (&seen.header("traceparent").unwrap()[3..35], seen)).collect();
    let intended = |root: &RootRow| root.intended_ns - clock.unix_at_origin().0;
    let waited = |root: &RootRow| {
        let answered = traces[format!("{:032x}", root.trace).as_str()].answered.unwrap();
        ((answered - clock.origin()).as_nanos() as i64 - intended(root)).max(1) as u64
    };
    let mut truth: Vec<u64> = told.roots.iter().map(waited).collect();
    truth.sort_unstable();
    // The arrivals stand on the grid that was asked for.
    let mut grid: Vec<i64> = told.roots.iter().map(intended).collect();
    grid.sort_unstable();
    for (k, at) in grid.iter().enumerate() {
        assert_eq!(*at as u64, start_at.0 + k as u64 * 1_000_000 + 500_000);
    }
    // The truth is the schedule's: a fifth of all requests falls into the freeze.
    assert_near(quantile(&truth, 0.9), 500_000_000, 0.1, "the server itself at p90");
    let latency = &told.step(0).latency;
    let p50 = latency.quantile(0.5).unwrap();
    assert!(p50 < 20_000_000, "half of all requests did not meet the freeze: {p50} ns");
    [0.9, 0.99, 0.999].map(|q| (latency.quantile(q).unwrap(), quantile(&truth, q)))
}

#[test]
fn a_freezing_server_is_reported_as_it_was() {
    let mut met = Vec::new();
    for _ in 0..ATTEMPTS {
        let pairs = meet_the_freeze();
        if pairs.iter().all(|(reported, truth)| off(*reported, *truth) <= 0.02) {
            return;
        }
        met.push(pairs);
    }
    panic!("reported and true, in nanoseconds: {met:?}");
}

#[test]
fn few_connections_do_not_hide_the_freeze() {
    let script = Script::Freeze { period: Duration::from_secs(2), frozen: Duration::from_millis(1000) };
    let server = Server::start(script).unwrap();
    let mut plan = plan(&server.url(), hold(400.0, 4 * S), vec![node(get(0, "/"))]);
    plan.targets[0].max_connections = 4;
    let told = run_with(config(plan), |_| {});
    told.assert_sums();
    let tally = told.step(0);
    // Half of all arrivals fall into a freeze of one second and wait for what is left of it, most of them for one of
    // the four connections: the quantiles are those of the schedule, the wait is shown apart, and the time on the wire
    // would have hidden it.
    assert_near(tally.latency.quantile(0.9).unwrap(), 800_000_000, 0.05, "latency at 0.9");
    assert!(tally.conn_wait.quantile(0.9).unwrap() > 700_000_000);
    assert!(tally.service.quantile(0.9).unwrap() < 50_000_000);
    assert!(tally.lateness.quantile(0.9).unwrap() < 50_000_000);
}

#[test]
fn a_fixed_delay_is_measured() {
    let server = Server::start(Script::Delay(Duration::from_millis(20))).unwrap();
    let told = run_with(config(plan(&server.url(), hold(200.0, 2 * S), vec![node(get(0, "/"))])), |_| {});
    told.assert_sums();
    let tally = told.step(0);
    let p50 = tally.service.quantile(0.5).unwrap();
    assert!((20_000_000..23_000_000).contains(&p50), "{p50}");
    assert!(tally.latency.quantile(0.5).unwrap() >= p50);
}
