//! How fast it is, beside others in the same run.
//!
//! Machines drift by more than what is looked for. So contenders take turns within a round, and what is told are the
//! medians over rounds of the ratio within a round.

mod clients;
mod collector;
mod fidelity;
mod journey;
mod measure;
mod memory;
mod nginx;
mod oha;
mod peer;
mod program;
mod search;
mod table;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::shell::{cargo, install, root, step, target_dir};
use clients::{Client, Load};

#[derive(Subcommand)]
pub enum What {
    /// The load engine beside wrk, h2load and the floor: processor time of the client per request.
    Load(Options),
    /// The collector: spans a second on one core, age of views and live rankings, memory at twice too much.
    Collector(collector::Options),
}

#[derive(Args)]
pub struct Options {
    /// Rounds; every contender runs once in each.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of one run.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Only these parts; on the page the others stay as they were measured before.
    #[arg(value_name = "PART")]
    parts: Vec<String>,
    /// Runs of the search for the capacity.
    #[arg(long, default_value_t = 10)]
    searches: usize,
    /// Seconds of the long run whose memory is compared with that of a minute; 0: none.
    #[arg(long, default_value_t = 0)]
    long: u64,
    /// Prints the results and leaves the page as it is.
    #[arg(long)]
    dry: bool,
}

/// Connections of every contender.
const CONNECTIONS: usize = 64;
/// Connections over HTTP/2, and streams on each.
const HTTP2: (usize, usize) = (16, 16);
/// All parts, in the order of the page.
const PARTS: [&str; 9] =
    ["closed", "open", "http2", "gateway", "grid", "freeze", "journey", "search", "memory"];
/// Requests a second of the open loop, and its least seconds: what start and report take is to be small beside it.
const RATE: u64 = 10_000;
const OPEN_S: u64 = 12;
const PAGE: &str = "loadgen/BENCHMARKS.md";

pub fn run(what: &What) -> Result<(), String> {
    match what {
        What::Load(options) => load(options),
        What::Collector(options) => collector::run(options),
    }
}

fn load(options: &Options) -> Result<(), String> {
    if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
        return Err("client and server need a core each: this machine has one".into());
    }
    let wanted = [("wrk", "wrk"), ("nginx-light", "nginx"), ("nghttp2-client", "h2load")];
    let missing = wanted.into_iter().filter(|(_, program)| !is_installed(program));
    install(&missing.map(|(package, _)| package).collect::<Vec<_>>())?;
    step("build", cargo().args(["build", "--release", "--package", "peakdrill"]))?;
    let examples = ["--example", "floor", "--example", "peer"];
    step(
        "build the floor and the peer",
        cargo().args(["build", "--release", "-p", "peakdrill-loadgen"]).args(examples),
    )?;
    let all = options.parts.is_empty();
    let parts = if all { PARTS.map(str::to_owned).to_vec() } else { options.parts.clone() };
    if parts.iter().any(|part| part == "http2" || part == "gateway") {
        oha::install()?;
    }
    let server = nginx::Nginx::start()?;
    let bin = target_dir()?.join("release");
    let scratch = std::env::temp_dir().join(format!("peakdrill-bench-{}", std::process::id()));
    for part in &parts {
        let (scratch, address) = (scratch.join(part), server.address());
        let Options { rounds: n, seconds, .. } = *options;
        let section = match part.as_str() {
            "grid" => fidelity::grid(n, seconds, &bin, &scratch)?,
            "freeze" => fidelity::freeze(n, &bin, &scratch)?,
            "journey" => journey::run(n, seconds, address, &bin, &scratch)?,
            "search" => search::run(options.searches, &bin, &scratch)?,
            "memory" => memory::run(options.long, address, &bin, &scratch)?,
            other => {
                let (load, clients) = part_of(other)?;
                let results = rounds(options, &clients, &load, &server, &bin, &scratch)?;
                table::section(&load, &clients, &results, (n, load.seconds(seconds)))
            }
        };
        println!("{section}");
        if !options.dry {
            // What was measured stays, whatever becomes of the parts behind it.
            table::keep(&root().join(PAGE), &PARTS, part, &section)?;
        }
    }
    std::fs::remove_dir_all(&scratch).map_err(|error| format!("{}: {error}", scratch.display()))
}

/// A part's load, and who takes part; the first is what the others are compared with.
fn part_of(name: &str) -> Result<(Load, Vec<Client>), String> {
    match name {
        "closed" => Ok((
            Load::Closed { connections: CONNECTIONS },
            vec![
                Client::Wrk,
                Client::Floor { quantum_us: 0 },
                Client::H2load,
                Client::Peakdrill { pacing: "auto", transport: "io_uring" },
                Client::Peakdrill { pacing: "auto", transport: "epoll" },
            ],
        )),
        "open" => Ok((
            Load::Open { connections: CONNECTIONS, rate: RATE },
            vec![
                Client::Floor { quantum_us: 1_000 },
                Client::Peakdrill { pacing: "economy", transport: "io_uring" },
                Client::Floor { quantum_us: 0 },
                Client::Peakdrill { pacing: "precise", transport: "io_uring" },
            ],
        )),
        "http2" => Ok((
            Load::Streams { connections: HTTP2.0, streams: HTTP2.1 },
            vec![
                Client::Oha,
                Client::H2load,
                Client::Peakdrill { pacing: "auto", transport: "io_uring" },
                Client::Peakdrill { pacing: "auto", transport: "epoll" },
            ],
        )),
        "gateway" => Ok((
            Load::Gateway { connections: HTTP2.0, streams: HTTP2.1 },
            vec![
                Client::Oha,
                Client::H2load,
                // In TLS there is one transport.
                Client::Peakdrill { pacing: "auto", transport: "epoll" },
                Client::Journey,
            ],
        )),
        other => Err(format!("there is no part `{other}`: {}", PARTS.join(", "))),
    }
}

/// What one run came to.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Requests that were answered.
    pub requests: u64,
    /// Processor time of the client, in microseconds a request: in all, and outside of the kernel.
    pub cpu_us: f64,
    pub user_us: f64,
    /// Lateness at 50 and 99 %, in microseconds, where the client tells it.
    pub lag_us: Option<(f64, f64)>,
}

/// All runs, per client by round.
fn rounds(
    options: &Options,
    clients: &[Client],
    load: &Load,
    server: &nginx::Nginx,
    bin: &std::path::Path,
    scratch: &std::path::Path,
) -> Result<Vec<Vec<Run>>, String> {
    let mut results = vec![Vec::new(); clients.len()];
    for round in 0..options.rounds {
        for turn in 0..clients.len() {
            // Who comes first changes, so that nobody always follows the same one.
            let at = (turn + round) % clients.len();
            let (Some(client), Some(runs)) = (clients.get(at), results.get_mut(at)) else { continue };
            let folder: PathBuf = scratch.join(format!("{round}-{at}"));
            std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
            let run =
                client.run(load, server.address_for(load), load.seconds(options.seconds), bin, &folder)?;
            eprintln!(
                "round {} of {}: {:<22} {:>9} requests {:>7.2} µs each ({:.2} user)",
                round + 1,
                options.rounds,
                client.name(load),
                run.requests,
                run.cpu_us,
                run.user_us
            );
            runs.push(run);
        }
    }
    Ok(results)
}

/// Whether a program is where programs are.
fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain(["/usr/sbin".into()]).any(|folder| folder.join(program).is_file())
}
