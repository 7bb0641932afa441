//! Phases that end by what is seen, and a search for the capacity.

use std::fs;
use std::time::Duration;

use peakdrill_testkit::scripted::{Script, Server};
use serde_json::Value;

use crate::support::{ALONE, expect_exit, json, output, peakdrill};

#[test]
fn a_phase_ends_by_its_condition_and_the_next_begins() {
    let folder = tempfile::tempdir().unwrap();
    // Each answer takes 20 ms, so that the latency is over 10 ms from the beginning.
    let server = Server::start(Script::Delay(Duration::from_millis(20))).unwrap();
    let drill = format!(
        "version: 1\nname: ends\ntargets: {{ api: {{ base_url: \"{}\" }} }}\n\
         journeys: {{ home: {{ steps: [ {{ get: / }} ] }} }}\n\
         load:\n  arrivals: even\n  phases:\n\
         \x20   - {{ name: first, shape: {{ hold: {{ rate: 200/s, for: 60s }} }}, until: [ \"p99 > 10ms for 1s\", \"p99 > 1h\" ] }}\n\
         \x20   - {{ name: second, shape: {{ hold: {{ rate: 100/s, for: 2s }} }} }}\n\
         gates:\n\
         \x20   - {{ assert: \"rate >= 99% of target\", during: [first] }}\n\
         \x20   - {{ assert: \"rate >= 99/s\", during: [second] }}\n",
        server.url()
    );
    fs::write(folder.path().join("drill.yaml"), drill).unwrap();
    let run = output(peakdrill(folder.path()).args(["run", "drill.yaml", "--out", "rec"]).args(ALONE));
    expect_exit(&run, 0);
    let record = folder.path().join("rec");
    let events: Vec<Value> = fs::read_to_string(record.join("events.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ended = events.iter().find(|event| event["data"]["change"].is_object()).unwrap();
    assert!(
        ended["text"].as_str().unwrap().starts_with("phase `first` ends early: p99 > 10ms for 1s"),
        "{ended}"
    );
    let at_ns = ended["data"]["change"]["end"]["at_ns"].as_u64().unwrap();
    assert!((2_000_000_000..30_000_000_000).contains(&at_ns), "{ended}");
    // Exactly what even arrivals have up to the cut, and the whole second phase.
    let verdict = json(&record.join("verdict.json"));
    let first = (at_ns as f64 / 1e9 * 200.0 + 0.5).floor() as u64;
    assert_eq!(verdict["load"]["intended"], first + 200, "{ended}");
    assert_eq!(server.requests(), first + 200);
    let seconds = verdict["seconds"].as_f64().unwrap();
    assert!((seconds - (at_ns as f64 / 1e9 + 2.0)).abs() < 0.01, "{seconds} after a cut at {at_ns}");
    assert_eq!(verdict["gates"][0]["verdict"], "pass", "{verdict}");
    // The plan stays what was planned.
    assert_eq!(
        json(&record.join("plan.json"))["load"]["phases"][0]["shape"]["hold"]["for_ns"],
        60_000_000_000_u64
    );
    let html = fs::read(record.join("report.html")).unwrap();
    expect_exit(&output(peakdrill(folder.path()).args(["report", "rec"])), 0);
    assert_eq!(fs::read(record.join("report.html")).unwrap(), html, "the same record gives the same report");
}

#[test]
fn a_load_until_an_instant_is_measured_when_it_starts() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Script::Delay(Duration::ZERO)).unwrap();
    let until = jiff::Timestamp::now() + Duration::from_secs(600);
    let drill = format!(
        "version: 1\nname: until\ntargets: {{ api: {{ base_url: \"{}\" }} }}\n\
         feeders: {{ users: {{ csv: users.csv, on_exhausted: fail }} }}\n\
         journeys: {{ home: {{ steps: [ {{ get: \"/${{users.id}}\" }} ] }} }}\n\
         load: {{ phases: [ {{ name: p, shape: {{ hold: {{ rate: 10/s, until: \"{until}\" }} }} }} ] }}\n\
         guards: {{ limits: {{ duration: 1m }} }}\n",
        server.url()
    );
    fs::write(folder.path().join("drill.yaml"), drill).unwrap();
    fs::write(folder.path().join("users.csv"), "id\n1\n2\n").unwrap();
    let run = output(peakdrill(folder.path()).args(["run", "drill.yaml", "--out", "rec"]).args(ALONE));
    expect_exit(&run, 80);
    let events = fs::read_to_string(folder.path().join("rec/events.jsonl")).unwrap();
    assert!(events.contains("longer than the limit of 60s (guards.limits.duration)"), "{events}");
    assert!(events.contains("feeder `users` has 2 rows, the plan needs about"), "{events}");
}

/// Workers of the server that is searched.
const WORKERS: usize = 4;

/// Searches a server of so many requests a second; the verdict.
fn search(truth: f64, low: f64, high: f64, probe: &str, gate: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let service = Duration::from_secs_f64(WORKERS as f64 / truth);
    let server = Server::start(Script::Workers { count: WORKERS, service }).unwrap();
    let drill = format!(
        "version: 1\nname: capacity\ntargets: {{ api: {{ base_url: \"{}\" }} }}\n\
         journeys: {{ home: {{ steps: [ {{ get: / }} ] }} }}\n\
         load:\n  arrivals: even\n  phases:\n    - name: search\n\
         \x20     shape: {{ search: {{ low: {low}/s, high: {high}/s, {probe} }} }}\n\
         \x20     objective: [ \"rate >= 99% of intended\", \"p99 < 150ms\" ]\n\
         gates: [ \"{gate}\" ]\n",
        server.url()
    );
    fs::write(folder.path().join("drill.yaml"), drill).unwrap();
    let run = output(peakdrill(folder.path()).args(["run", "drill.yaml", "--out", "rec"]).args(ALONE));
    expect_exit(&run, 0);
    let record = folder.path().join("rec");
    let verdict = json(&record.join("verdict.json"));
    assert_eq!(verdict["load"]["intended"], server.requests(), "{verdict}");
    assert_eq!(verdict["gates"][0]["verdict"], "pass", "{verdict}");
    let html = fs::read_to_string(record.join("report.html")).unwrap();
    assert!(html.contains("What is the highest rate that holds?"));
    expect_exit(&output(peakdrill(folder.path()).args(["report", "rec"])), 0);
    assert_eq!(json(&record.join("verdict.json")), verdict, "the same record gives the same verdict");
    verdict
}

fn assert_found(verdict: &Value, truth: f64) {
    let found = &verdict["load"]["capacity"][0];
    assert_eq!(found["ended"], "found", "{found}");
    let held = found["held_per_s"].as_f64().unwrap();
    assert!((held / truth - 1.0).abs() <= 0.03, "{held} of {truth}: {found}");
}

#[test]
fn a_search_finds_a_known_capacity() {
    let verdict = search(600.0, 500.0, 700.0, "settle: 1s, probe: 3s, tolerance: 3%", "capacity >= 580/s");
    assert_found(&verdict, 600.0);
}
