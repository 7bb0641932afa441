//! A plan as text, for `peakdrill plan`.

use std::fmt::Write;

use peakdrill_drill_model::plan::{
    Arrivals, FeederOrder, MessageTypes, OnExhausted, Plan, Protocol, Sharing, Target, TlsIdentity,
};
use peakdrill_drill_model::shape::Shape;
use peakdrill_timebase::{format_duration, format_rate};

use crate::feasible::{expected_requests, feeder_rows, share};

/// Width of the rate curve, in characters.
const CURVE_COLUMNS: usize = 64;
/// Height of the rate curve, in lines.
const CURVE_LINES: usize = 6;
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 9] = [' ', '.', '.', '-', '-', '=', '=', '#', '#'];

/// What the plan will do: the rate curve, phases, requests a step, rows a feeder, guards and gates.
#[must_use]
pub fn describe(plan: &Plan) -> String {
    text(plan, &BLOCKS)
}

/// The same with ASCII characters only in the curve.
#[must_use]
pub fn describe_ascii(plan: &Plan) -> String {
    text(plan, &ASCII)
}

// Writing to a String cannot fail, so the results of `writeln!` are dropped.
fn text(plan: &Plan, blocks: &[char; 9]) -> String {
    let mut out = String::new();
    let arrivals: f64 = plan.load.phases.iter().map(|phase| phase.shape.arrivals()).sum();
    let (name, seed, bound) = (&plan.name, plan.load.seed, bound(plan));
    _ = writeln!(out, "{name}: {}, {bound}{} arrivals, seed {seed}", planned_length(plan), count(arrivals));
    plan.targets.iter().for_each(|target| reach(&mut out, target));
    out.push('\n');
    curve(&mut out, plan, blocks);
    phases(&mut out, plan);
    journeys(&mut out, plan);
    feeders(&mut out, plan);
    scrapes(&mut out, plan);
    rules(&mut out, plan);
    out
}

/// How long the load is, as far as that is known before it starts: `1m30s`, `at least 10s`.
#[must_use]
pub fn planned_length(plan: &Plan) -> String {
    format!("{}{}", bound(plan), format_duration(plan.duration_ns()))
}

/// What the plan's length and its arrivals are besides exact: a search may end before its time, and what lasts until an
/// instant counts for nothing before its start is known.
fn bound(plan: &Plan) -> &'static str {
    let any = |is: fn(&Shape) -> bool| plan.load.phases.iter().any(|phase| is(&phase.shape));
    match (
        any(|shape| matches!(shape, Shape::Search { .. })),
        any(|shape| matches!(shape, Shape::HoldUntil { .. })),
    ) {
        (false, false) => "",
        (true, false) => "at most ",
        (false, true) => "at least ",
        (true, true) => "about ",
    }
}

fn reach(out: &mut String, target: &Target) {
    let exact = if target.exact_connections { "exactly" } else { "at most" };
    let rules = &target.connections;
    let agent = if rules.max_is_per_agent { " an agent" } else { "" };
    let (name, url, max) = (&target.name, &target.base_url, target.max_connections);
    _ = write!(out, "  target {name}: {url}, {exact} {max} connections{agent}");
    if let Protocol::Http2 { streams } = target.protocol {
        _ = write!(out, ", HTTP/2 with at most {streams} streams on each");
    }
    if rules.per == Sharing::User {
        out.push_str(", one for each journey in progress");
    }
    if let Some(lifetime) = rules.lifetime_ns {
        _ = write!(out, ", renewed after about {}", format_duration(lifetime));
    }
    let local: u32 = rules.from.iter().fold(0, |sum, subnet| sum.saturating_add(subnet.size()));
    if local > 0 {
        let plural = if local == 1 { "" } else { "es" };
        _ = write!(out, ", from {local} local address{plural}");
    }
    if let Some(refresh) = target.resolve.refresh_ns {
        _ = write!(out, ", name looked up every {}", format_duration(refresh));
    }
    if let Some((first, rest)) = target.resolve.addresses.split_first() {
        _ = write!(out, ", at {first}");
        rest.iter().for_each(|address| _ = write!(out, " and {address}"));
    }
    identity(out, &target.tls);
    out.push('\n');
    match &target.types {
        Some(MessageTypes::Files(set)) => _ = writeln!(out, "    gRPC, types of {}", set.files.join(", ")),
        Some(MessageTypes::Reflection) => out.push_str("    gRPC, types as the server tells them\n"),
        None => {}
    }
}

fn identity(out: &mut String, tls: &TlsIdentity) {
    if tls.cert.is_some() {
        out.push_str(", with a client certificate");
    }
    if let Some(server_name) = &tls.server_name {
        _ = write!(out, ", as {server_name}");
    }
    if !tls.resume {
        out.push_str(", a full TLS handshake for each");
    }
}

fn count(value: f64) -> String {
    let digits = format!("{:.0}", value.max(0.0));
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// The highest rate in each of some equal slices of the plan.
fn samples(plan: &Plan) -> Vec<f64> {
    let total = plan.duration_ns().max(1);
    let mut out = vec![0.0_f64; CURVE_COLUMNS];
    let mut start = 0_u64;
    for phase in &plan.load.phases {
        for piece in phase.shape.pieces() {
            for (at, slot) in out.iter_mut().enumerate() {
                let slice = |edge: usize| (u128::from(total) * edge as u128 / CURVE_COLUMNS as u128) as u64;
                let (low, high) = (slice(at).max(start), slice(at + 1).min(start + piece.len_ns));
                if low < high {
                    let rate = |t: u64| {
                        piece.from + (piece.to - piece.from) * ((t - start) as f64 / piece.len_ns as f64)
                    };
                    *slot = slot.max(rate(low)).max(rate(high));
                }
            }
            start += piece.len_ns;
        }
        if let Shape::Users { for_ns, .. } = phase.shape {
            start += for_ns;
        }
    }
    out
}

fn curve(out: &mut String, plan: &Plan, blocks: &[char; 9]) {
    let samples = samples(plan);
    let peak = samples.iter().copied().fold(0.0, f64::max);
    if peak <= 0.0 {
        if plan.load.phases.iter().any(|phase| !phase.shape.is_open()) {
            out.push_str("  closed loop: the rate depends on the answers\n\n");
        }
        return;
    }
    let margin = format_rate(peak).chars().count();
    for line in (0..CURVE_LINES).rev() {
        let label = match line {
            0 => format_rate(0.0),
            top if top + 1 == CURVE_LINES => format_rate(peak),
            _ => String::new(),
        };
        let bar = |rate: &f64| {
            let eighths = (rate / peak * CURVE_LINES as f64 * 8.0).round() as usize;
            // A rate above zero is never drawn as nothing.
            let eighths = if *rate > 0.0 { eighths.max(1) } else { eighths };
            blocks.get(eighths.saturating_sub(line * 8).min(8)).copied().unwrap_or(' ')
        };
        let bars: String = samples.iter().map(bar).collect();
        _ = writeln!(out, "  {label:>margin$} |{}", bars.trim_end());
    }
    let end = format_duration(plan.duration_ns());
    let gap = CURVE_COLUMNS.saturating_sub(1 + end.chars().count());
    _ = writeln!(
        out,
        "  {:margin$} +{}\n  {:margin$}  0{:gap$}{end}\n",
        "",
        "-".repeat(CURVE_COLUMNS),
        "",
        ""
    );
}

fn phases(out: &mut String, plan: &Plan) {
    out.push_str("phases\n");
    for phase in &plan.load.phases {
        let shape = match &phase.shape {
            Shape::Hold { rate, .. } => format!("hold {}", format_rate(*rate)),
            Shape::Ramp { from, to, .. } => format!("ramp {} to {}", format_rate(*from), format_rate(*to)),
            Shape::Spike { from, to, .. } => format!("spike {} to {}", format_rate(*from), format_rate(*to)),
            Shape::Steps { from, max, .. } => {
                format!("steps {} to {}", format_rate(*from), format_rate(*max))
            }
            Shape::Curve { points } => format!("curve of {} points", points.len()),
            Shape::Pause { .. } => "no load".to_owned(),
            Shape::HoldUntil { rate, until_unix_ns } => {
                format!("hold {} until {}", format_rate(*rate), instant(*until_unix_ns))
            }
            Shape::Pieces { written, .. } => written.clone(),
            Shape::Sum(parts) => {
                format!("sum of {} shapes, at most {}", parts.len(), format_rate(phase.shape.peak()))
            }
            Shape::Search { range, settle_ns, probe_ns, .. } => format!(
                "search from {} to {} within {:.1}%, each rate settles {} and is judged {}",
                format_rate(range.low),
                format_rate(range.high),
                range.tolerance * 100.0,
                format_duration(*settle_ns),
                format_duration(*probe_ns)
            ),
            Shape::Users { count, .. } => format!("closed loop of {count} users, latency not corrected"),
        };
        let spacing = match (&phase.shape, phase.arrivals) {
            (Shape::Users { .. }, _) => "",
            (_, Arrivals::Poisson) => ", poisson",
            (_, Arrivals::Even) => ", even",
        };
        let measured = if phase.measure { "" } else { ", not measured" };
        let arrivals = match phase.shape {
            Shape::Users { .. } | Shape::HoldUntil { .. } => String::new(),
            Shape::Search { .. } => format!(", at most {} arrivals", count(phase.shape.arrivals())),
            _ => format!(", {} arrivals", count(phase.shape.arrivals())),
        };
        let time = match phase.shape {
            Shape::HoldUntil { .. } => String::new(),
            Shape::Search { within_ns, .. } => format!("at most {}, ", format_duration(within_ns)),
            _ => format!("{}, ", format_duration(phase.shape.duration_ns())),
        };
        let unit = phase.requests_per_journey.map(|requests| {
            let peak = format_rate(phase.shape.peak() * requests);
            format!("; at most {peak} requests, at {} requests a journey on average", round(requests))
        });
        let unit = unit.unwrap_or_default();
        _ = writeln!(out, "  {}: {time}{shape}{arrivals}{spacing}{measured}{unit}", phase.name);
        for condition in &phase.objective {
            _ = writeln!(out, "    a rate holds when {}", condition.text);
        }
        for condition in &phase.until {
            _ = writeln!(out, "    ends early when {}", condition.text);
        }
    }
}

/// At most three digits behind the point.
fn round(value: f64) -> String {
    format!("{value:.3}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn instant(unix_ns: i64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(unix_ns)).map_or_else(|_| "?".to_owned(), |at| at.to_string())
}

fn journeys(out: &mut String, plan: &Plan) {
    out.push_str("\nrequests\n");
    let expected = expected_requests(plan);
    for (at, journey) in plan.journeys.iter().enumerate() {
        let shares: Vec<f64> = plan.load.phases.iter().map(|phase| share(plan, phase, at) * 100.0).collect();
        let low = shares.iter().copied().fold(f64::INFINITY, f64::min);
        let high = shares.iter().copied().fold(0.0, f64::max);
        let range =
            if high - low < 0.05 { format!("{high:.1}%") } else { format!("{low:.1}% to {high:.1}%") };
        _ = writeln!(out, "  {} ({range} of arrivals)", journey.name);
        for (info, times) in plan.steps.iter().zip(&expected).filter(|(info, _)| info.journey == journey.name)
        {
            let unit = if info.message { " messages" } else { "" };
            _ = writeln!(out, "    {}: about {}{unit}", info.step, count(*times));
        }
    }
    _ = writeln!(out, "  total: about {}", count(expected.iter().sum()));
}

fn feeders(out: &mut String, plan: &Plan) {
    if plan.feeders.is_empty() {
        return;
    }
    out.push_str("\nfeeders\n");
    for (feeder, needed) in plan.feeders.iter().zip(feeder_rows(plan)) {
        let order = match feeder.order {
            FeederOrder::Sequential => "sequential".to_owned(),
            FeederOrder::Shuffle => "shuffle".to_owned(),
            FeederOrder::Random => "random".to_owned(),
            FeederOrder::Zipf(s) => format!("zipf({s})"),
        };
        let then = match feeder.on_exhausted {
            OnExhausted::Recycle => "then from the beginning",
            OnExhausted::StopJourney => "then journeys are missed",
            OnExhausted::Fail => "then the run fails",
        };
        let rows = count(feeder.row_count as f64);
        _ = match needed {
            Some(needed) => {
                writeln!(
                    out,
                    "  {}: {rows} rows, about {} needed, {order}, {then}",
                    feeder.name,
                    count(needed as f64)
                )
            }
            None => writeln!(out, "  {}: {rows} rows, {order}, drawn anew each time", feeder.name),
        };
    }
}

fn scrapes(out: &mut String, plan: &Plan) {
    if !plan.telemetry.scrape.is_empty() {
        out.push_str("\nmetrics that are fetched\n");
    }
    for scrape in &plan.telemetry.scrape {
        let every = format_duration(scrape.every_ns);
        let whose = scrape.service.as_ref().map(|service| format!(", of {service}")).unwrap_or_default();
        _ = write!(out, "  {} every {every}{whose}", scrape.place());
        if let Some(tls) = &scrape.tls {
            identity(out, &tls.identity);
        }
        out.push('\n');
    }
    if let Some(ppm) = plan.telemetry.traces_ppm {
        _ = writeln!(
            out,
            "\ntraces: services are asked for spans of {} % of the requests",
            f64::from(ppm) / 1e4
        );
    }
}

fn rules(out: &mut String, plan: &Plan) {
    if !plan.guards.stop.is_empty() {
        out.push_str("\nguards: any of these stops all load, in every phase\n");
        for condition in &plan.guards.stop {
            _ = writeln!(out, "  {}", condition.text);
        }
    }
    if plan.gates.is_empty() {
        out.push_str("\ngates: none, so the run passes whenever it is valid\n");
        return;
    }
    out.push_str("\ngates\n");
    for gate in &plan.gates {
        let measured = plan.load.phases.iter().filter(|phase| phase.measure).map(|phase| phase.name.as_str());
        let during: Vec<&str> = match gate.during.as_slice() {
            [] => measured.collect(),
            names => names.iter().map(String::as_str).collect(),
        };
        let level = if gate.warn_only { " (only warns)" } else { "" };
        let name = if gate.name == gate.assert { String::new() } else { format!("{}: ", gate.name) };
        _ = writeln!(out, "  {name}{}, in {}{level}", gate.assert, during.join(", "));
    }
}
