//! The collector: how many spans one core takes, how old what it shows is, and what twice too much does to it.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Stdio};

use clap::Args;
use serde_json::Value;

use super::measure::{CLIENT_CORE, SERVER_CORE, pinned};
use super::table::{machine, median};
use crate::shell::{cargo, root, step, target_dir};

#[derive(Args)]
pub struct Options {
    /// Rounds.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of one run.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Prints the results and leaves the page as it is.
    #[arg(long)]
    dry: bool,
}

const PAGE: &str = "crates/collector/BENCHMARKS.md";
/// Requests under way at once, where the next follows an answer.
const CLOSED_IN_FLIGHT: usize = 32;
/// The same where the rate is given: enough for what waits in the collector.
const OPEN_IN_FLIGHT: usize = 256;
/// The part of the highest rate at which age is measured, and the multiple that is too much.
const CALM: f64 = 0.8;
const TOO_MUCH: f64 = 2.0;

/// What one run came to.
struct Run {
    /// Spans that were taken, a second of the run and a second of processor time.
    per_s: f64,
    per_cpu_s: f64,
    /// Age of the oldest of what a view showed first, at 50 and 99 % of the views and at most, in ms.
    age_ms: [f64; 3],
    /// The same of the rankings that the live view would have shown.
    ranking_ms: [f64; 3],
    peak_mib: f64,
    /// Part of the spans that was refused.
    refused: f64,
    /// Part of those taken that came after their trace was sealed and could not wait for the second reading.
    as_calls: f64,
}

pub fn run(options: &Options) -> Result<(), String> {
    if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
        return Err("collector and sender need a core each: this machine has one".into());
    }
    let examples = ["--example", "receive", "--example", "spans"];
    step(
        "build the collector and the sender",
        cargo()
            .args(["build", "--release", "-p", "peakdrill-collector", "-p", "peakdrill-drill-control"])
            .args(examples),
    )?;
    let bin = target_dir()?.join("release/examples");
    let scratch = std::env::temp_dir().join(format!("peakdrill-bench-{}", std::process::id()));
    let mut runs: [Vec<Run>; 3] = Default::default();
    for round in 0..options.rounds {
        let mut highest = 0.0;
        for (part, runs) in runs.iter_mut().enumerate() {
            let rate = [None, Some(CALM * highest), Some(TOO_MUCH * highest)][part];
            let run = once(&bin, &scratch, options.seconds, rate)?;
            eprintln!(
                "round {} of {}, {}: {:.0} spans/s, {:.0} a second of processor time, age p99 {:.0} ms, of rankings {:.0} ms, {:.0} MiB, {:.1} % refused",
                round + 1,
                options.rounds,
                ["closed loop", "calm", "too much"][part],
                run.per_s,
                run.per_cpu_s,
                run.age_ms[1],
                run.ranking_ms[1],
                run.peak_mib,
                run.refused * 100.0
            );
            highest = if part == 0 { run.per_s } else { highest };
            runs.push(run);
        }
    }
    let text = page(options, &runs);
    println!("\n{text}");
    if options.dry {
        return Ok(());
    }
    let path = root().join(PAGE);
    fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn page(options: &Options, runs: &[Vec<Run>; 3]) -> String {
    let mut text = format!(
        "# The collector's speed\n\n\
         Written by `cargo xtask bench collector`. Traces of 16 spans from five services and two kinds of store, ten\n\
         attributes a span, come as OTLP protocol buffers over gRPC on loopback, in requests of 400 to 1,000 spans, each\n\
         service's at another time, so that a trace's spans come apart; the generator's row of each is there. The\n\
         collector has one core and does all that it does in a drill: journal, assembly, cells, views, and beside it the\n\
         live analysis: ranking and findings; the sender has the other. {} rounds of {} s. After each run all spans that were acknowledged were counted, and the fold of the journal\n\
         gave the same bytes.\n\n- Machine: {}\n\n\
         Age is that of the oldest thing that a view shows first: from its receipt to when drill control has the view, over\n\
         all views. That of rankings ends when the ranking made from the view is ready for the screen, which draws it at most\n\
         0.1 s later. Both are of the worst off: what came just before a view was made is younger. Spans count as calls alone\n\
         where so many traces are open that theirs was sealed early, and no more can wait for the second reading.\n\n\
         | | spans taken a second | spans a second of processor time | age of views p50 / p99 / max, ms | of rankings | \
         largest memory, MiB | refused | as calls alone |\n|---|--:|--:|--:|--:|--:|--:|--:|\n",
        options.rounds,
        options.seconds,
        machine()
    );
    let names = ["as fast as it takes them", "at 80 % of that", "at twice that"];
    for (name, runs) in names.into_iter().zip(runs) {
        let of = |what: &dyn Fn(&Run) -> f64| median(&runs.iter().map(what).collect::<Vec<_>>());
        let _ = writeln!(
            text,
            "| {name} | {:.0} | {:.0} | {:.0} / {:.0} / {:.0} | {:.0} / {:.0} / {:.0} | {:.0} | {:.1} % | {:.2} % |",
            of(&|run| run.per_s),
            of(&|run| run.per_cpu_s),
            of(&|run| run.age_ms[0]),
            of(&|run| run.age_ms[1]),
            of(&|run| run.age_ms[2]),
            of(&|run| run.ranking_ms[0]),
            of(&|run| run.ranking_ms[1]),
            of(&|run| run.ranking_ms[2]),
            of(&|run| run.peak_mib),
            of(&|run| run.refused * 100.0),
            of(&|run| run.as_calls * 100.0)
        );
    }
    text
}

/// Ends with its owner.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One collector, and one sender that tells it of the requests.
fn once(bin: &Path, scratch: &Path, seconds: u64, rate: Option<f64>) -> Result<Run, String> {
    let failed = |what: &str, error: std::io::Error| format!("{what}: {error}");
    fs::create_dir_all(scratch).map_err(|error| failed("scratch", error))?;
    let mut command = pinned(SERVER_CORE, &bin.join("receive"));
    command.arg(scratch.join("journal")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut receive = Ends(command.spawn().map_err(|error| failed("receive", error))?);
    let out = receive.0.stdout.take().ok_or("receive has no output")?;
    let (mut out, mut address) = (BufReader::new(out), String::new());
    out.read_line(&mut address).map_err(|error| failed("receive", error))?;

    let log = scratch.join("spans");
    let in_flight = if rate.is_some() { OPEN_IN_FLIGHT } else { CLOSED_IN_FLIGHT };
    let mut command = pinned(CLIENT_CORE, &bin.join("spans"));
    command.args([address.trim(), &seconds.to_string(), &in_flight.to_string()]);
    command.args(rate.map(|rate| format!("{rate:.0}")));
    command.stdout(receive.0.stdin.take().ok_or("receive has no input")?);
    command.stderr(File::create(&log).map_err(|error| failed("log", error))?);
    let mut spans = Ends(command.spawn().map_err(|error| failed("spans", error))?);
    // It holds the collector's input open: that ends when the sender does.
    drop(command);
    let status = spans.0.wait().map_err(|error| failed("spans", error))?;
    let sent = fs::read_to_string(&log).map_err(|error| failed("spans", error))?;
    if !status.success() {
        return Err(format!("spans: {status}\n{sent}"));
    }
    let mut told = String::new();
    out.read_to_string(&mut told).map_err(|error| failed("receive", error))?;
    fs::remove_dir_all(scratch).map_err(|error| failed("scratch", error))?;
    let sent = sent.lines().last().unwrap_or_default();
    run_of(&json("receive", &told)?, &json("spans", sent)?)
}

fn json(who: &str, text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|_| format!("{who} told something else: {text}"))
}

/// What the collector counted; what it never came to is not among its counters.
fn counted(received: &Value, name: &str) -> Result<u64, String> {
    let counters = received.get("counters").and_then(Value::as_object);
    let counters = counters.ok_or_else(|| format!("no counters in {received}"))?;
    match counters.get(name) {
        Some(count) => count.as_u64().ok_or_else(|| format!("{name} is no count in {received}")),
        None => Ok(0),
    }
}

/// Fails when something acknowledged is not there, or the journal says something else.
fn run_of(received: &Value, sent: &Value) -> Result<Run, String> {
    let number = |value: &Value, pointer: &str| {
        value
            .pointer(pointer)
            .and_then(Value::as_f64)
            .ok_or_else(|| format!("no number at {pointer} in {value}"))
    };
    let ages = |of: &str| -> Result<[f64; 3], String> {
        let age = |quantile| number(received, &format!("{of}/{quantile}"));
        Ok([age("p50")?, age("p99")?, age("max")?])
    };
    let (taken, refused) = (number(sent, "/taken")?, number(sent, "/refused")?);
    let spans = number(received, "/spans")?;
    if spans < taken || number(sent, "/failed")? > 0.0 {
        return Err(format!("{taken} spans were acknowledged, {spans} are there: {sent}"));
    }
    if received.get("replay_same") != Some(&Value::Bool(true)) {
        return Err(format!("the fold of the journal gave something else: {received}"));
    }
    Ok(Run {
        per_s: taken / number(sent, "/seconds")?,
        per_cpu_s: taken / number(received, "/cpu_s")?,
        age_ms: ages("/age_ms")?,
        ranking_ms: ages("/ranking/age_ms")?,
        peak_mib: number(received, "/peak_mib")?,
        refused: refused / (taken + refused + number(sent, "/unsent")?),
        as_calls: counted(received, "spans_late_over_limit")? as f64 / taken,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(spans: u64, same: bool) -> Result<Run, String> {
        told_with(spans, same, &serde_json::json!({ "spans_late_over_limit": 5 }))
    }

    fn told_with(spans: u64, same: bool, counters: &Value) -> Result<Run, String> {
        let received = serde_json::json!({
            "spans": spans, "cpu_s": 2.0, "peak_mib": 300.5, "replay_same": same,
            "age_ms": { "p50": 1.0, "p99": 2.0, "max": 3.0 },
            "ranking": { "looks": 9, "age_ms": { "p50": 4.0, "p99": 5.0, "max": 6.0 } },
            "counters": counters,
        });
        let sent =
            serde_json::json!({ "seconds": 4.0, "taken": 100, "refused": 50, "failed": 0, "unsent": 50 });
        run_of(&received, &sent)
    }

    #[test]
    fn what_was_acknowledged_must_be_there() {
        let run = told(100, true).unwrap();
        assert!((run.per_s - 25.0).abs() < 1e-9 && (run.per_cpu_s - 50.0).abs() < 1e-9);
        assert!((run.refused - 0.25).abs() < 1e-9 && (run.as_calls - 0.05).abs() < 1e-9);
        assert_eq!((run.age_ms, run.ranking_ms), ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]));
        assert!(told(99, true).is_err());
        assert!(told(100, false).is_err());
    }

    #[test]
    fn what_was_never_counted_is_none() {
        let told = |counters: Value| told_with(100, true, &counters);
        assert!(told(serde_json::json!({})).unwrap().as_calls.abs() < 1e-9);
        assert!(told(Value::Null).is_err(), "no counters at all");
        assert!(told(serde_json::json!({ "spans_late_over_limit": "5" })).is_err());
    }
}
