//! Guards stop a drill.

use std::fs;
use std::time::Duration;

use peakdrill_testkit::scripted::{Script, Server};

use crate::support::{ALONE, expect_exit, json, output, peakdrill};

fn drill(server: &Server, guard: &str, seconds: u32) -> String {
    format!(
        "version: 1\nname: guarded\ntargets: {{ api: {{ base_url: \"{}\" }} }}\n\
         journeys: {{ home: {{ steps: [ {{ get: / }} ] }} }}\n\
         load:\n  arrivals: even\n  phases: [ {{ name: hold, shape: {{ hold: {{ rate: 500/s, for: {seconds}s }} }} }} ]\n\
         guards: {{ stop: [ \"{guard}\" ] }}\n",
        server.url()
    )
}

#[test]
fn a_latency_guard_fires_during_a_freeze_although_nothing_completes() {
    let folder = tempfile::tempdir().unwrap();
    let script = Script::Freeze { period: Duration::from_secs(5), frozen: Duration::from_secs(1) };
    let server = Server::start(script).unwrap();
    let since = std::time::Instant::now().duration_since(server.epoch());
    let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let begun = i64::try_from((unix - since).as_nanos()).unwrap();
    fs::write(folder.path().join("drill.yaml"), drill(&server, "p99 > 400ms", 30)).unwrap();
    let run = output(peakdrill(folder.path()).args(["run", "drill.yaml", "--out", "rec"]).args(ALONE));
    expect_exit(&run, 108);
    let verdict = json(&folder.path().join("rec/verdict.json"));
    assert_eq!(verdict["verdict"], "fail");
    assert!(verdict["stopped_by"].as_str().unwrap().contains("p99 > 400ms"));
    // The guard fired within the freeze: the server had not answered for at most a second.
    let events = fs::read_to_string(folder.path().join("rec/events.jsonl")).unwrap();
    let fired: serde_json::Value = events
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .find(|event: &serde_json::Value| event["data"]["fired"] == true)
        .unwrap();
    assert!(verdict["seconds"].as_f64().unwrap() < 12.0, "{verdict}");
    assert!(fired["text"].as_str().unwrap().contains("guard fired"));
    // The freeze is the first second of every five since the server began.
    let started = json(&folder.path().join("rec/environment.json"))["started_unix_ns"].as_i64().unwrap();
    let fired_at = started + fired["t_ns"].as_i64().unwrap();
    let into_cycle = (fired_at - begun).rem_euclid(5_000_000_000);
    assert!((400_000_000..1_600_000_000).contains(&into_cycle), "fired {into_cycle} ns into a cycle");
}

#[test]
fn an_error_guard_fires_within_a_second_of_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Script::Statuses(vec![503])).unwrap();
    fs::write(folder.path().join("drill.yaml"), drill(&server, "error_rate > 50% for 1s", 30)).unwrap();
    let run = output(peakdrill(folder.path()).args(["run", "drill.yaml", "--out", "rec"]).args(ALONE));
    expect_exit(&run, 108);
    let verdict = json(&folder.path().join("rec/verdict.json"));
    assert!(verdict["seconds"].as_f64().unwrap() <= 3.0, "{}", verdict["seconds"]);
    assert_eq!(verdict["load"]["errors_by_class"]["status_503"], verdict["load"]["errors"]);
}
