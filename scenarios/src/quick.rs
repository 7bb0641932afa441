//! A plan from command-line flags, for a drill without a file.

use std::collections::BTreeMap;

use peakdrill_drill_model::plan::{
    Arrivals, Guards, Isolation, Journey, Load, Node, PLAN_VERSION, Pacing, Phase, Plan, Protocol, Request,
    StepInfo, Target, Telemetry, Template,
};
use peakdrill_drill_model::shape::Shape;
use peakdrill_timebase::{NS_PER_MS, parse_duration, parse_rate};
use sha2::{Digest, Sha256};
use url::Url;

use crate::codes::{Code, E0319, E0402, E0403, E0404, E0406};
use crate::diag::{Diagnostic, Level};
use crate::limits;
use crate::lower::{base_url, hex, path_alone};

/// The flags of a run without a file, as they were written.
#[derive(Debug, Clone, Default)]
pub struct QuickRun {
    /// The whole URL, path and query included.
    pub target: String,
    /// The method; `GET` (`POST` with a body) when `None`.
    pub method: Option<String>,
    /// Headers, `name` and `value`.
    pub headers: Vec<(String, String)>,
    /// The body, sent as it is.
    pub body: Option<String>,
    /// Open loop: journeys a second, `500/s`. Excludes `users`.
    pub rate: Option<String>,
    /// Closed loop: so many users. Excludes `rate`.
    pub users: Option<u32>,
    /// Their spacing; Poisson when `None`.
    pub arrivals: Option<Arrivals>,
    /// How long: `30s`.
    pub duration: String,
    /// Exactly so many connections, opened before the start.
    pub connections: Option<usize>,
    /// Speak HTTP/2.
    pub http2: bool,
    /// Exchanges that one connection carries at a time, at most; with `http2` alone.
    pub streams: Option<u32>,
    /// Seed of everything random.
    pub seed: Option<u64>,
}

/// Makes a plan of one journey `run` with one step.
///
/// # Errors
/// All findings about the flags, each at the flag it is about.
pub fn quick(run: &QuickRun) -> Result<Plan, Vec<Diagnostic>> {
    let mut found = Vec::new();
    let url = url(run, &mut found);
    let method = method(run, &mut found);
    let headers = headers(run, &mut found);
    let shape = shape(run, &mut found);
    let arrivals = run.arrivals.unwrap_or(Arrivals::Poisson);
    if run.connections.is_some_and(|count| count == 0 || count > limits::MAX_CONNECTIONS) {
        let message = format!("`--connections` must be 1 to {}", limits::MAX_CONNECTIONS);
        flag(&mut found, E0403, message, "--connections");
    }
    if run.streams.is_some_and(|count| count == 0 || count > limits::MAX_STREAMS) {
        let message = format!("`--streams` must be 1 to {}", limits::MAX_STREAMS);
        flag(&mut found, E0403, message, "--streams");
    }
    if run.streams.is_some() && !run.http2 {
        flag(&mut found, E0319, "`--streams` has no meaning without `--http2`".to_owned(), "--streams");
    }
    match (url, shape, found.is_empty()) {
        (Some((base, path)), Some(shape), true) => {
            Ok(plan(run, base, &path, method, headers, shape, arrivals))
        }
        _ => Err(found),
    }
}

fn plan(
    run: &QuickRun,
    base_url: String,
    path: &str,
    method: String,
    headers: Vec<(String, Template)>,
    shape: Shape,
    arrivals: Arrivals,
) -> Plan {
    let target = Target {
        name: "target".to_owned(),
        base_url,
        connect_timeout_ns: limits::DEFAULT_CONNECT_NS,
        request_timeout_ns: limits::DEFAULT_REQUEST_NS,
        max_connections: run.connections.unwrap_or(limits::DEFAULT_CONNECTIONS),
        exact_connections: run.connections.is_some(),
        protocol: if run.http2 {
            Protocol::Http2 { streams: run.streams.unwrap_or(limits::DEFAULT_STREAMS) }
        } else {
            Protocol::Http1
        },
        ..Target::default()
    };
    let request = Request {
        method,
        path: Template::literal(path),
        headers,
        body: run.body.as_deref().map(Template::literal),
        ..Request::default()
    };
    let phase = Phase::measured("run", shape, arrivals);
    Plan {
        v: PLAN_VERSION,
        name: "run".to_owned(),
        labels: BTreeMap::new(),
        environment: "local".to_owned(),
        scenario_sha256: hex(&Sha256::digest(format!("{run:?}"))),
        targets: vec![target],
        shadow: None,
        isolation: Isolation { on_leak_stop: true, ..Isolation::default() },
        telemetry: Telemetry::default(),
        feeders: Vec::new(),
        files: Vec::new(),
        journeys: vec![Journey {
            name: "run".to_owned(),
            share: 1.0,
            steps: vec![Node::Request(Box::new(request))],
            ..Journey::default()
        }],
        steps: vec![StepInfo {
            journey: "run".to_owned(),
            step: path_alone(path).to_owned(),
            ..StepInfo::default()
        }],
        load: Load {
            arrivals,
            pacing: Pacing::Auto,
            seed: run.seed.unwrap_or(limits::DEFAULT_SEED),
            max_in_flight: limits::DEFAULT_IN_FLIGHT,
            phases: vec![phase],
        },
        guards: Guards { drain_ns: limits::DEFAULT_DRAIN_NS, ..Guards::default() },
        gates: Vec::new(),
        reports: Vec::new(),
    }
}

fn url(run: &QuickRun, found: &mut Vec<Diagnostic>) -> Option<(String, String)> {
    let text = &run.target;
    let cut = text.find(['?', '#']).unwrap_or(text.len());
    let problem = match base_url(&text[..cut]) {
        Ok(url) if url.is_grpc => {
            Some("a gRPC call needs a scenario, with a method and a message".to_owned())
        }
        Ok(_) => None,
        Err(why) => Some(why),
    };
    if let Some(why) = problem {
        flag(found, E0404, format!("`--target`: {why}"), text);
        return None;
    }
    if text.starts_with("ws") {
        let message = "`--target`: flags describe HTTP requests; WebSockets need a scenario with `ws` steps";
        flag(found, E0404, message.to_owned(), text);
        return None;
    }
    let Ok(url) = Url::parse(text) else {
        flag(found, E0404, format!("`--target`: `{text}` is no URL"), text);
        return None;
    };
    // The part before the path: the path belongs to the step, so that it is the name in results.
    let path = url[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
    Some((url[..url::Position::BeforePath].to_owned(), path))
}

fn method(run: &QuickRun, found: &mut Vec<Diagnostic>) -> String {
    let default = if run.body.is_some() { "POST" } else { "GET" };
    let method = run.method.as_deref().unwrap_or(default).to_ascii_uppercase();
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_alphabetic()) || method == "CONNECT" {
        flag(found, E0402, format!("`{method}` is no method"), &method);
    }
    method
}

fn headers(run: &QuickRun, found: &mut Vec<Diagnostic>) -> Vec<(String, Template)> {
    let mut out = Vec::new();
    for (name, value) in &run.headers {
        let name = name.trim().to_ascii_lowercase();
        match crate::lower::header_problem(&name) {
            Some(why) => flag(found, E0406, why, &name),
            None if value.contains(char::is_control) => {
                flag(found, E0406, format!("the header `{name}` holds control characters"), &name);
            }
            None => out.push((name, Template::literal(value.trim()))),
        }
    }
    out
}

fn shape(run: &QuickRun, found: &mut Vec<Diagnostic>) -> Option<Shape> {
    let for_ns = match parse_duration(&run.duration) {
        Ok(ns) if (NS_PER_MS..=limits::MAX_DURATION_NS).contains(&ns) => Some(ns),
        Ok(_) => {
            flag(found, E0403, "`--for` must be 1ms to 24h".to_owned(), &run.duration);
            None
        }
        Err(why) => {
            flag(found, E0402, format!("`--for {}`: {why}", run.duration), &run.duration);
            None
        }
    };
    match (&run.rate, run.users) {
        (Some(_), Some(_)) => {
            flag(found, E0319, "`--rate` and `--users` exclude each other".to_owned(), "--users");
            None
        }
        (None, Some(count)) => {
            if count == 0 || count > limits::MAX_USERS {
                flag(found, E0403, format!("`--users` must be 1 to {}", limits::MAX_USERS), "--users");
            }
            Some(Shape::Users { count, for_ns: for_ns? })
        }
        (None, None) => {
            flag(found, E0319, "how much load? `--rate 500/s` or `--users 64`".to_owned(), "--rate");
            None
        }
        (Some(text), None) => match parse_rate(text) {
            Ok(rate) if rate > 0.0 && rate <= limits::MAX_RATE_PER_S => {
                Some(Shape::Hold { rate, for_ns: for_ns? })
            }
            Ok(_) => {
                flag(found, E0403, "`--rate` must be above 0, at most 1000000/s".to_owned(), text);
                None
            }
            Err(why) => {
                flag(found, E0402, format!("`--rate {text}`: {why}"), text);
                None
            }
        },
    }
}

/// A finding about a flag: the flag's text stands for the file.
fn flag(found: &mut Vec<Diagnostic>, code: Code, message: String, text: &str) {
    found.push(Diagnostic {
        level: Level::Error,
        code,
        message,
        file: "command line".to_owned(),
        line: 1,
        column: 1,
        end_column: text.chars().count().max(1) + 1,
        source_line: text.to_owned(),
        label: String::new(),
        help: None,
        notes: Vec::new(),
    });
}
