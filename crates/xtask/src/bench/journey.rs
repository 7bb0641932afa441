//! What data, values and checks add to a request: a journey of five steps beside five plain requests.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::program::{number, run_scenario, without_errors};
use super::table::median;

/// Users of the closed loop.
const USERS: usize = 64;
/// Rows of the feeder.
const ROWS: usize = 10_000;

/// Five requests and nothing else.
const PLAIN: &str =
    "steps: [ { get: /json/1 }, { get: /json/2 }, { get: /json/3 }, { get: /json/4 }, { get: /json/5 } ]";

/// The same answers, with a row of data, two values taken from JSON and used, and checks.
pub const FULL: &str = r#"steps:
      - get: { name: a, path: "/json/1?user=${users.uid}", extract: { token: $.data.token }, check: ["status == 200", "$.code == 0"] }
      - get: { name: b, path: "/json/2?sku=${users.sku}", headers: { x-token: "${token}" }, check: ["status == 200"] }
      - post: { name: c, path: /json/3, json: { sku: "${users.sku}", n: 1 }, extract: { order: $.data.order_id }, check: ["$.code in [0, 2001]"] }
      - get: { name: d, path: "/json/4?order=${order}", check: ["status == 200", "$.data.total < 100"] }
      - post: { name: e, path: "/json/5", json: { order: "${order}" }, check: ["$.code == 0"] }"#;

/// A scenario of these steps by so many users in a closed loop; its data is written into `folder`.
///
/// `target`: the keys of the target, as YAML.
pub fn scenario(
    steps: &str,
    target: &str,
    users: usize,
    seconds: u64,
    folder: &Path,
) -> Result<String, String> {
    let (path, rows) = (folder.join("users.csv"), (0..ROWS).map(|k| format!("user-{k},sku-{}\n", k % 97)));
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    fs::create_dir_all(folder).map_err(told)?;
    fs::write(&path, format!("uid,sku\n{}", rows.collect::<String>())).map_err(told)?;
    Ok(format!(
        "version: 1\nname: journey\n\
         targets: {{ t: {{ {target} }} }}\n\
         feeders: {{ users: {{ csv: users.csv, order: random }} }}\n\
         journeys:\n  j:\n    {steps}\n\
         load: {{ phases: [ {{ name: load, shape: {{ users: {{ count: {users}, for: {seconds}s }} }} }} ] }}\n"
    ))
}

pub fn run(rounds: usize, seconds: u64, address: &str, bin: &Path, scratch: &Path) -> Result<String, String> {
    let (mut plain, mut full, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let cost = |name: &str, steps: &str| -> Result<f64, String> {
            let folder = scratch.join(format!("journey-{round}-{name}"));
            let target = format!("base_url: \"http://{address}\", connections: {{ max: {USERS} }}");
            let scenario = scenario(steps, &target, USERS, seconds, &folder)?;
            let (measured, verdict) = run_scenario(bin, &folder, &scenario)?;
            without_errors(&verdict).map_err(|error| format!("{name}: {error}"))?;
            Ok((measured.user_s + measured.system_s) * 1e6 / number(&verdict, "/load/completed")?)
        };
        let (one, other) = (cost("plain", PLAIN)?, cost("full", FULL)?);
        eprintln!(
            "round {}: plain {one:.2} µs, with data, values and checks {other:.2} µs a request",
            round + 1
        );
        plain.push(one);
        full.push(other);
        ratios.push(other / one);
    }
    let mut text = String::from(
        "\n## A journey of five steps: data, two values taken from JSON, checks; beside five plain requests\n\n\
         Closed loop, the same answers of 190 bytes of JSON, processor time of the whole program.\n\n\
         | | µs a request |\n|---|--:|\n",
    );
    let _ = write!(
        text,
        "| five plain requests | {:.2} |\n| the journey | {:.2} |\n| ratio | {:.2} ({:.2}–{:.2}) |\n",
        median(&plain),
        median(&full),
        median(&ratios),
        ratios.iter().copied().fold(f64::INFINITY, f64::min),
        ratios.iter().copied().fold(0.0, f64::max)
    );
    Ok(text)
}
