//! How true arrivals are to the schedule, and answers to what happened, seen by a server that stamps them.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use super::measure::{CLIENT_CORE, measure, pinned};
use super::peer::Peer;
use super::program::{number, run};
use super::table::median;

/// Requests a second, and connections.
const RATE: &str = "1000";
const CONNECTIONS: &str = "64";
/// The server's periods: in the last second of each it answers nothing.
const PERIOD_S: u64 = 5;
const PERIODS: u64 = 3;
/// Connections of peakdrill in the freeze: what comes meanwhile must find one, or its wait would be in the comparison.
const FREEZE_CONNECTIONS: &str = "2000";

/// What the server tells of, in its order.
const QUANTILES: [&str; 4] = ["p50", "p90", "p99", "p99_9"];

/// Who keeps the grid.
#[derive(Clone, Copy)]
enum Contender {
    /// The floor with a pacing: `spin` never sleeps, `0` sleeps by the nanosecond.
    Floor(&'static str),
    Peakdrill(&'static str),
}

impl Contender {
    fn name(self) -> String {
        match self {
            Self::Floor("spin") => "floor, never sleeping".into(),
            Self::Floor(_) => "floor, ns timers".into(),
            Self::Peakdrill(transport) => format!("peakdrill run, precise, {transport}"),
        }
    }
}

const CONTENDERS: [Contender; 4] = [
    Contender::Floor("spin"),
    Contender::Floor("0"),
    Contender::Peakdrill("io_uring"),
    Contender::Peakdrill("epoll"),
];

fn floor(bin: &Path, log: &Path, address: &str, seconds: &str, pacing: &str) -> Result<Value, String> {
    let mut command = pinned(CLIENT_CORE, &bin.join("examples/floor"));
    command.args([address, CONNECTIONS, seconds, "rate", RATE, pacing]);
    let measured = measure(&mut command, log, &[0])?;
    serde_json::from_str(&measured.stdout).map_err(|_| format!("the floor told: {}", measured.stdout))
}

fn args(address: &str, connections: &str, seconds: &str, transport: &str) -> Vec<std::ffi::OsString> {
    let (url, rate, length) = (format!("http://{address}/"), format!("{RATE}/s"), format!("{seconds}s"));
    let rest = ["--arrivals", "even", "--pacing", "precise", "--transport", transport];
    let all = ["--target", &url, "--connections", connections, "--rate", &rate, "--for", &length];
    all.into_iter().chain(rest).map(Into::into).collect()
}

fn quantiles(told: &Value, key: &str) -> Result<[f64; 4], String> {
    let us = |k: usize| told[key][k].as_f64().map(|ns| ns / 1e3);
    let all: Vec<f64> = (0..4).filter_map(us).collect();
    all.try_into().map_err(|_| format!("the peer told no {key}: {told}"))
}

/// Deviation from the even grid, in microseconds: medians over the rounds.
pub fn grid(rounds: usize, seconds: u64, bin: &Path, scratch: &Path) -> Result<String, String> {
    let length = seconds.to_string();
    let mut text = format!(
        "\n## True to the schedule: {RATE} requests a second, evenly, stamped by a server that never sleeps\n\n\
         Deviation from the grid that fits best, µs; medians over {rounds} rounds.\n\n\
         | client | requests | p50 | p90 | p99 | p99.9 |\n|---|--:|--:|--:|--:|--:|\n"
    );
    let mut seen: Vec<Vec<[f64; 5]>> = vec![Vec::new(); CONTENDERS.len()];
    for round in 0..rounds {
        for (at, contender) in CONTENDERS.iter().enumerate() {
            let peer = Peer::start(bin, &["stamp", RATE])?;
            let folder = scratch.join(format!("grid-{round}-{at}"));
            std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
            match contender {
                Contender::Floor(pacing) => {
                    floor(bin, &folder.join("log"), peer.address(), &length, pacing)?;
                }
                Contender::Peakdrill(transport) => {
                    run(bin, &folder, &args(peer.address(), CONNECTIONS, &length, transport))?;
                }
            }
            let told = peer.told()?;
            let [p50, p90, p99, p99_9] = quantiles(&told, "off_ns")?;
            eprintln!(
                "round {}: {:<36} {p50:>7.1} {p90:>8.1} {p99:>9.1} µs off",
                round + 1,
                contender.name()
            );
            let requests = told["requests"].as_f64().unwrap_or_default();
            if let Some(runs) = seen.get_mut(at) {
                runs.push([requests, p50, p90, p99, p99_9]);
            }
        }
    }
    for (contender, runs) in CONTENDERS.iter().zip(&seen) {
        let of = |k: usize| median(&runs.iter().map(|run| run[k]).collect::<Vec<_>>());
        let _ = writeln!(
            text,
            "| {} | {:.0} | {:.1} | {:.1} | {:.1} | {:.1} |",
            contender.name(),
            of(0),
            of(1),
            of(2),
            of(3),
            of(4)
        );
    }
    Ok(text)
}

/// A server that freezes: what peakdrill reports beside what the server saw of its own arrivals.
pub fn freeze(rounds: usize, bin: &Path, scratch: &Path) -> Result<String, String> {
    let seconds = (PERIODS * PERIOD_S).to_string();
    let period = (PERIOD_S * 1_000).to_string();
    let mut text = format!(
        "\n## A server that freezes for one second of every {PERIOD_S}, {RATE} requests a second for {seconds} s\n\n\
         Reported latency, from the intended time, beside how long the server let its arrivals wait, ms; and the\n\
         median beside that of the floor that never sleeps.\n\n\
         | round | p50 (floor) | p90 (true) | p99 (true) | p99.9 (true) | largest error |\n|--:|--:|--:|--:|--:|--:|\n"
    );
    for round in 0..rounds {
        let folder = scratch.join(format!("freeze-{round}"));
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let peer = Peer::start(bin, &["freeze", &period, "1000"])?;
        let told = floor(bin, &folder.join("floor"), peer.address(), &seconds, "spin")?;
        let floor_p50 = told["latency_p50_ns"].as_f64().ok_or("the floor told no latency")? / 1e6;
        drop(peer);
        let peer = Peer::start(bin, &["freeze", &period, "1000"])?;
        let args = args(peer.address(), FREEZE_CONNECTIONS, &seconds, "auto");
        let (_, verdict) = run(bin, &folder, &args)?;
        let truth = quantiles(&peer.told()?, "waits_ns")?.map(|us| us / 1e3);
        let reported = QUANTILES.map(|q| number(&verdict, &format!("/latency_ms/{q}")));
        let reported: Vec<f64> = reported.into_iter().collect::<Result<_, _>>()?;
        let pairs = reported.iter().zip(&truth).skip(1);
        let worst = pairs.clone().map(|(told, truth)| (told / truth - 1.0).abs()).fold(0.0, f64::max);
        let cells: String = pairs.map(|(told, truth)| format!(" {told:.2} ({truth:.2}) |")).collect();
        let row = format!(
            "| {} | {:.3} ({floor_p50:.3}) |{cells} {:.2} % |",
            round + 1,
            reported.first().copied().unwrap_or_default(),
            worst * 100.0
        );
        eprintln!("{row}");
        let _ = writeln!(text, "{row}");
    }
    Ok(text)
}
