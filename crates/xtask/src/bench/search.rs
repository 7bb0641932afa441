//! The search for the capacity, against a server whose capacity is known.

use std::fmt::Write as _;
use std::path::Path;

use super::peer::Peer;
use super::program::{number, run_scenario};

/// Requests that the server serves at a time, each for so long, in microseconds.
const WORKERS: u32 = 4;
/// Service times of the runs, in turn: another capacity each time.
const SERVICE_US: [u32; 5] = [4_000, 5_300, 6_700, 8_100, 9_900];

fn scenario(address: &str) -> String {
    format!(
        "version: 1\nname: search\n\
         targets: {{ t: {{ base_url: \"http://{address}\", connections: {{ max: 512 }} }} }}\n\
         journeys: {{ j: {{ steps: [ {{ get: / }} ] }} }}\n\
         load:\n  arrivals: even\n  phases:\n    - name: search\n\
         \x20     shape: {{ search: {{ low: 100/s, high: 2000/s, settle: 2s, probe: 4s, tolerance: 2% }} }}\n\
         \x20     objective: [ \"rate >= 99% of intended\", \"p99 < 100ms\", \"error_rate < 0.1%\" ]\n"
    )
}

pub fn run(runs: usize, bin: &Path, scratch: &Path) -> Result<String, String> {
    let mut text = format!(
        "\n## The search for the capacity, against {WORKERS} workers of a fixed service time\n\n\
         Objective: at least 99 % of the intended rate, p99 below 100 ms; even arrivals.\n\n\
         | run | true capacity, /s | found, /s | off | seconds |\n|--:|--:|--:|--:|--:|\n"
    );
    for run in 0..runs {
        let service = SERVICE_US[run % SERVICE_US.len()];
        let truth = f64::from(WORKERS) * 1e6 / f64::from(service);
        let peer = Peer::start(bin, &["workers", &WORKERS.to_string(), &service.to_string()])?;
        let (_, verdict) =
            run_scenario(bin, &scratch.join(format!("search-{run}")), &scenario(peer.address()))?;
        let found = number(&verdict, "/load/capacity/0/held_per_s");
        let found = found.map_err(|error| format!("{error}: {}", verdict["load"]))?;
        let seconds = number(&verdict, "/seconds")?;
        let row = format!(
            "| {} | {truth:.1} | {found:.1} | {:+.2} % | {seconds:.0} |",
            run + 1,
            (found / truth - 1.0) * 100.0
        );
        eprintln!("{row}");
        let _ = writeln!(text, "{row}");
    }
    Ok(text)
}
