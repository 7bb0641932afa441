//! Closed loop against the null server of the test kit: requests a second, and processor time per request.
//!
//! `cargo run --release -p peakdrill-loadgen --example hammer [-- USERS SECONDS [RATE [URL [TRANSPORT [PACING [STREAMS
//! [tagged]]]]]]]]`. With a rate over 0: an even open loop instead. With a URL: against that server. With streams: over
//! HTTP/2, with so many on each connection; 0 is HTTP/1.1. `tagged`: every request is a shadow request.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;

use peakdrill_drill_model::plan::{
    Arrivals, Guards, Isolation, Journey, Load, Node, PLAN_VERSION, Pacing, Phase, Plan, Protocol, Request,
    StepInfo, Target, Template,
};
use peakdrill_drill_model::shape::Shape;
use peakdrill_latency::Histogram;
use peakdrill_loadgen::{Config, ShadowTagging, Tagging, TokenCell, Transport, start};
use peakdrill_shadow_tag::{MarkKey, SigningKey, ack};
use peakdrill_testkit::scripted::{Script, Server};
use peakdrill_timebase::{Clock as _, NS_PER_S, OsClock, format_duration};

/// The run's name.
const RUN: &str = "hammer";

fn plan(url: &str, users: u32, seconds: u64, rate: Option<f64>) -> Plan {
    let for_ns = seconds * NS_PER_S;
    let shape = match rate {
        Some(rate) => Shape::Hold { rate, for_ns },
        None => Shape::Users { count: users, for_ns },
    };
    let request = Request { method: "GET".into(), path: Template::literal("/"), ..Request::default() };
    let steps = vec![Node::Request(Box::new(request))];
    Plan {
        v: PLAN_VERSION,
        name: "hammer".into(),
        labels: BTreeMap::new(),
        environment: "local".into(),
        scenario_sha256: String::new(),
        targets: vec![Target {
            name: "null".into(),
            base_url: url.to_owned(),
            connect_timeout_ns: 5 * NS_PER_S,
            request_timeout_ns: 10 * NS_PER_S,
            max_connections: users as usize,
            exact_connections: true,
            ..Target::default()
        }],
        shadow: None,
        isolation: Isolation::default(),
        telemetry: peakdrill_drill_model::plan::Telemetry::default(),
        feeders: Vec::new(),
        files: Vec::new(),
        journeys: vec![Journey { name: "get".into(), share: 1.0, steps, ..Journey::default() }],
        steps: vec![StepInfo { journey: "get".into(), step: "/".into(), ..StepInfo::default() }],
        load: Load {
            arrivals: Arrivals::Even,
            pacing: Pacing::Auto,
            seed: 1,
            max_in_flight: 10_000,
            phases: vec![Phase::measured("load", shape, Arrivals::Even)],
        },
        guards: Guards::default(),
        gates: Vec::new(),
        reports: Vec::new(),
    }
}

/// As drill control would tag the requests, with one token for the whole run.
fn tagging(now_unix_s: i64) -> Result<Tagging, Box<dyn Error>> {
    let key = SigningKey::from_seed("hammer".parse()?, &[7; 32]);
    let token = key.mint_lease("local".parse()?, RUN.parse()?, u64::try_from(now_unix_s)?)?;
    let tagging = ShadowTagging {
        mark: MarkKey::from_bytes([3; 16]),
        token: TokenCell::new(),
        header: "x-peakdrill".into(),
        ack_header: ack::HEADER.into(),
        check_ack: true,
    };
    tagging.token.set(token.as_str(), token.unverified().exp_unix_s);
    Ok(Tagging::Shadow(Arc::new(tagging)))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let users = args.next().map_or(Ok(64), |text| text.parse())?;
    let seconds = args.next().map_or(Ok(10), |text| text.parse())?;
    let rate = args.next().map(|text| text.parse()).transpose()?.filter(|rate| *rate > 0.0);
    let given = args.next().filter(|url| !url.is_empty());
    let transport = match args.next().as_deref() {
        Some("epoll") => Transport::Epoll,
        Some("io_uring") => Transport::Uring,
        _ => Transport::Auto,
    };
    let pacing = match args.next().as_deref() {
        Some("economy") => Pacing::Economy,
        Some("precise") => Pacing::Precise,
        _ => Pacing::Auto,
    };
    let server = if given.is_none() { Some(Server::start(Script::Null)?) } else { None };
    let url = given.or_else(|| server.as_ref().map(Server::url)).unwrap_or_default();
    let clock = OsClock::new();
    let mut plan = plan(&url, users, seconds, rate);
    plan.load.pacing = pacing;
    let streams: u32 = args.next().map_or(Ok(0), |text| text.parse())?;
    if let (1.., [target]) = (streams, plan.targets.as_mut_slice()) {
        target.protocol = Protocol::Http2 { streams };
        target.max_connections = users.div_ceil(streams.max(1)) as usize;
    }
    let tagging = match args.next() {
        Some(_) => tagging(clock.unix().seconds())?,
        None => Tagging::Plain,
    };
    let at = clock.mono().plus(NS_PER_S / 2);
    let config = Config::new(Arc::new(plan), RUN, clock, at);
    let (engine, batches) = start(Config { transport, tagging, ..config })?;
    let (mut latency, mut service, mut lateness) = (Histogram::new(), Histogram::new(), Histogram::new());
    for batch in batches {
        for ((_, _, step), tally) in &batch.tallies {
            if step.is_some() {
                latency.merge(&tally.latency);
                service.merge(&tally.service);
                lateness.merge(&tally.lateness);
            }
        }
    }
    let report = engine.join();
    let per_request_us = report.cpu_ns() as f64 / 1e3 / report.sent().max(1) as f64;
    if let Some(why) = report.failed {
        return Err(why.into());
    }
    let mut out = std::io::stdout();
    let errors: u64 = report.shards.iter().map(|shard| shard.errors).sum();
    writeln!(
        out,
        "{} requests, {errors} errors, {} missed, {:.0}/s, {per_request_us:.1} µs of processor time each",
        report.sent(),
        report.missed(),
        report.sent() as f64 / seconds as f64,
    )?;
    for (name, histogram) in [("latency", latency), ("service", service), ("lateness", lateness)] {
        if let Some(q) = histogram.quantiles() {
            let text = [q.p50, q.p90, q.p99, q.p99_9, q.max].map(format_duration).join(" / ");
            writeln!(out, "{name} p50 / p90 / p99 / p99.9 / max: {text}")?;
        }
    }
    Ok(())
}
