//! Memory of the whole program: connections, journeys in pauses, long runs.

use std::fmt::Write as _;
use std::path::Path;

use super::program::{number, run_scenario};

/// A drill and what it is called.
struct Case {
    name: &'static str,
    steps: &'static str,
    connections: usize,
    shape: String,
}

fn scenario(case: &Case, address: &str) -> String {
    let Case { name: _, steps, connections, shape } = case;
    format!(
        "version: 1\nname: memory\n\
         targets: {{ t: {{ base_url: \"http://{address}\", connections: {{ max: {connections} }} }} }}\n\
         journeys: {{ j: {{ steps: {steps} }} }}\n\
         load:\n  arrivals: even\n  max_in_flight: 200000\n  phases: [ {{ name: load, shape: {shape} }} ]\n"
    )
}

/// Largest resident memory of each, in MiB. `long` is the length of the long run, in seconds.
pub fn run(long: u64, address: &str, bin: &Path, scratch: &Path) -> Result<String, String> {
    let hold = |rate: u64, seconds: u64| format!("{{ hold: {{ rate: {rate}/s, for: {seconds}s }} }}");
    let plain = "[ { get: / } ]";
    let mut cases = vec![
        Case { name: "64 connections, 2,000/s", steps: plain, connections: 64, shape: hold(2_000, 20) },
        Case { name: "5,000 connections, 2,000/s", steps: plain, connections: 5_000, shape: hold(2_000, 20) },
        Case {
            name: "100,000 journeys in a pause, 4,000 more a second",
            steps: "[ { get: / }, { think: 25s }, { get: /again } ]",
            connections: 64,
            shape: hold(4_000, 27),
        },
    ];
    if long > 0 {
        cases.push(Case { name: "1,000/s, 60 s", steps: plain, connections: 64, shape: hold(1_000, 60) });
        cases.push(Case {
            name: "1,000/s, the long run",
            steps: plain,
            connections: 64,
            shape: hold(1_000, long),
        });
    }
    let mut text = String::from(
        "\n## Memory\n\nLargest resident memory of the whole program, as the kernel tells it when the run has ended and the report is about\n\
         to be written.\n\n\
         | run | seconds | requests | largest memory, MiB |\n|---|--:|--:|--:|\n",
    );
    for (at, case) in cases.iter().enumerate() {
        let (_, verdict) =
            run_scenario(bin, &scratch.join(format!("memory-{at}")), &scenario(case, address))?;
        let (mib, requests) =
            (number(&verdict, "/generator/max_rss_mib")?, number(&verdict, "/load/completed")?);
        let row =
            format!("| {} | {:.0} | {requests:.0} | {mib:.1} |", case.name, number(&verdict, "/seconds")?);
        eprintln!("{row}");
        let _ = writeln!(text, "{row}");
    }
    Ok(text)
}
