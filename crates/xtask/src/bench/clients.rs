//! The contenders: how each is started, and what it tells.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::Run;
use super::measure::{CLIENT_CORE, Measured, measure, pinned};
use super::program::{self, run_scenario, without_errors};

/// Requests that were answered, and lateness at 50 and 99 % in microseconds, where it is told.
type Told = (u64, Option<(f64, f64)>);

/// What is asked of a client.
#[derive(Debug, Clone, Copy)]
pub enum Load {
    /// Each connection asks again as soon as it has its answer.
    Closed { connections: usize },
    /// So many requests a second, evenly.
    Open { connections: usize, rate: u64 },
    /// HTTP/2: each stream of each connection asks again as soon as it has its answer.
    Streams { connections: usize, streams: usize },
    /// The same over TLS.
    Gateway { connections: usize, streams: usize },
}

impl Load {
    /// Seconds of one run, of those that are asked for.
    pub fn seconds(self, asked: u64) -> u64 {
        match self {
            Self::Open { .. } => asked.max(super::OPEN_S),
            _ => asked,
        }
    }

    /// The flags of `peakdrill run` that ask for it.
    fn flags(self, pacing: &str) -> Vec<String> {
        let flags: &[&str] = match self {
            Self::Closed { connections } => &["--users", &connections.to_string()],
            Self::Streams { connections, streams } | Self::Gateway { connections, streams } => &[
                "--http2",
                "--streams",
                &streams.to_string(),
                "--users",
                &(connections * streams).to_string(),
            ],
            Self::Open { rate, .. } => {
                &["--rate", &format!("{rate}/s"), "--arrivals", "even", "--pacing", pacing]
            }
        };
        flags.iter().map(ToString::to_string).collect()
    }

    fn url(self, address: &str) -> String {
        match self {
            Self::Gateway { .. } => format!("https://{address}/json"),
            _ => format!("http://{address}/"),
        }
    }

    fn connections(self) -> usize {
        match self {
            Self::Closed { connections }
            | Self::Open { connections, .. }
            | Self::Streams { connections, .. }
            | Self::Gateway { connections, .. } => connections,
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub enum Client {
    Wrk,
    H2load,
    Oha,
    /// The floor client; the quantum is its pacing in an open loop, 0 for nanoseconds.
    Floor {
        quantum_us: u64,
    },
    /// `peakdrill run`, the whole program with its record; with a pacing in an open loop.
    Peakdrill {
        pacing: &'static str,
        /// `--transport`.
        transport: &'static str,
    },
    /// The same with a journey of five steps in place of one request.
    Journey,
}

impl Client {
    pub fn name(self, load: &Load) -> String {
        match (self, load) {
            (Self::Wrk, _) => "wrk".into(),
            (Self::H2load, Load::Streams { .. } | Load::Gateway { .. }) => "h2load".into(),
            (Self::H2load, _) => "h2load --h1".into(),
            (Self::Oha, _) => "oha".into(),
            (Self::Floor { .. }, Load::Closed { .. } | Load::Streams { .. } | Load::Gateway { .. }) => {
                "floor, epoll".into()
            }
            (Self::Floor { quantum_us: 0 }, Load::Open { .. }) => "floor, ns timers".into(),
            (Self::Floor { quantum_us }, Load::Open { .. }) => format!("floor, {quantum_us} µs quantum"),
            (Self::Peakdrill { pacing, transport }, Load::Open { .. }) => {
                format!("peakdrill run, {pacing}, {transport}")
            }
            (Self::Peakdrill { transport, .. }, _) => format!("peakdrill run, {transport}"),
            (Self::Journey, _) => "peakdrill run, the journey, epoll".into(),
        }
    }

    /// What it is compared with: the floor with the same pacing, else the first.
    pub fn base(self, clients: &[Self]) -> usize {
        let same = |other: &Self| match (self, other) {
            (Self::Peakdrill { pacing: "precise", .. }, Self::Floor { quantum_us }) => *quantum_us == 0,
            (Self::Peakdrill { pacing: "economy", .. }, Self::Floor { quantum_us }) => *quantum_us == 1_000,
            _ => false,
        };
        clients.iter().position(same).unwrap_or(0)
    }

    /// Runs it once, on the client's core. `folder` is empty and its own.
    pub fn run(
        self,
        load: &Load,
        address: &str,
        seconds: u64,
        bin: &Path,
        folder: &Path,
    ) -> Result<Run, String> {
        let (measured, (requests, lag_us)) = match self {
            Self::Peakdrill { .. } | Self::Journey => {
                self.run_peakdrill(load, address, seconds, bin, folder)?
            }
            _ => {
                let mut command = self.command(load, address, seconds, bin)?;
                let measured = measure(&mut command, &folder.join("log"), &[0])?;
                let told = self.told(&measured)?;
                (measured, told)
            }
        };
        let per = |s: f64| s * 1e6 / requests.max(1) as f64;
        let (user_us, system_us) = (per(measured.user_s), per(measured.system_s));
        Ok(Run { requests, cpu_us: user_us + system_us, user_us, lag_us })
    }

    fn run_peakdrill(
        self,
        load: &Load,
        address: &str,
        seconds: u64,
        bin: &Path,
        folder: &Path,
    ) -> Result<(Measured, Told), String> {
        let (measured, verdict) = match (self, load) {
            (_, Load::Gateway { connections, streams }) => {
                let journey = matches!(self, Self::Journey);
                let scenario = gateway(journey, address, (*connections, *streams), seconds, folder)?;
                let (measured, verdict) = run_scenario(bin, folder, &scenario)?;
                without_errors(&verdict)?;
                (measured, verdict)
            }
            (Self::Peakdrill { pacing, transport }, _) => {
                let (url, length) = (load.url(address), format!("{seconds}s"));
                let connections = load.connections().to_string();
                let of_all = ["--target", &url, "--connections", &connections, "--for", &length];
                let mut args: Vec<OsString> = of_all.into_iter().map(Into::into).collect();
                args.extend(["--transport", transport].map(Into::into));
                args.extend(load.flags(pacing).into_iter().map(Into::into));
                program::run(bin, folder, &args)?
            }
            _ => return Err(format!("{} has no load of this kind", self.name(load))),
        };
        let told = peakdrill_told(&verdict);
        told.map(|told| (measured, told)).ok_or_else(|| format!("the verdict is of another form: {verdict}"))
    }

    /// The command of another program.
    fn command(self, load: &Load, address: &str, seconds: u64, bin: &Path) -> Result<Command, String> {
        let connections = load.connections().to_string();
        let (url, length) = (load.url(address), seconds.to_string());
        let program = match self {
            Self::Wrk => "wrk".into(),
            Self::H2load => "h2load".into(),
            Self::Oha => super::oha::program()?,
            Self::Floor { .. } | Self::Peakdrill { .. } | Self::Journey => bin.join("examples/floor"),
        };
        let mut command = pinned(CLIENT_CORE, &program);
        match (self, load) {
            (Self::Wrk, Load::Closed { .. }) => {
                command.args(["-t1", &format!("-c{connections}"), &format!("-d{length}s"), &url]);
            }
            (Self::H2load, Load::Closed { .. }) => {
                command.args(["--h1", "-t1", "-c", &connections, "-D", &length, &url]);
            }
            (Self::H2load, Load::Streams { streams, .. } | Load::Gateway { streams, .. }) => {
                command.args(["-t1", "-c", &connections, "-m", &streams.to_string(), "-D", &length, &url]);
            }
            (Self::Oha, Load::Streams { streams, .. } | Load::Gateway { streams, .. }) => {
                let parallel = streams.to_string();
                if let Load::Gateway { .. } = load {
                    command.arg("--cacert").arg(super::nginx::authority());
                }
                command.args(["--http2", "--no-tui", "-c", &connections, "-p", &parallel]);
                command.args(["-z", &format!("{length}s"), &url]);
            }
            (Self::Floor { .. }, Load::Closed { .. }) => {
                command.args([address, &connections, &length, "closed"]);
            }
            (Self::Floor { quantum_us }, Load::Open { rate, .. }) => {
                let (rate, quantum) = (rate.to_string(), quantum_us.to_string());
                command.args([address, &connections, &length, "rate", &rate, &quantum]);
            }
            _ => return Err(format!("{} has no load of this kind", self.name(load))),
        }
        Ok(command)
    }

    /// Requests that were answered, and lateness, from what it printed.
    fn told(self, measured: &Measured) -> Result<Told, String> {
        let strange = || format!("{self:?} printed something else:\n{}", measured.stdout);
        let text = &measured.stdout;
        match self {
            Self::Wrk => Ok((number_before(text, " requests in").ok_or_else(strange)?, None)),
            Self::H2load => Ok((number_before(text, " succeeded").ok_or_else(strange)?, None)),
            Self::Oha => Ok((number_before(text, " responses").ok_or_else(strange)?, None)),
            Self::Floor { .. } => {
                let told: Value = serde_json::from_str(text).map_err(|_| strange())?;
                let us = |key: &str| told[key].as_f64().map(|ns| ns / 1e3);
                let requests = told["requests"].as_u64().ok_or_else(strange)?;
                Ok((requests, us("lag_p50_ns").zip(us("lag_p99_ns")).filter(|lag| lag.1 > 0.0)))
            }
            Self::Peakdrill { .. } | Self::Journey => Err(strange()),
        }
    }
}

/// The scenario of requests over TLS and HTTP/2: the journey of five steps, or one plain request.
fn gateway(
    journey: bool,
    address: &str,
    (connections, streams): (usize, usize),
    seconds: u64,
    folder: &Path,
) -> Result<String, String> {
    let steps = if journey { super::journey::FULL } else { "steps: [ { get: /json } ]" };
    let target = format!(
        "base_url: \"https://{address}\", protocol: http2, tls: {{ ca: \"{}\" }}, \
         connections: {{ max: {connections}, streams: {streams} }}",
        super::nginx::authority().display()
    );
    super::journey::scenario(steps, &target, connections * streams, seconds, folder)
}

/// Requests and lateness from a run's verdict.
fn peakdrill_told(verdict: &Value) -> Option<Told> {
    let load = &verdict["load"];
    let requests = load["completed"].as_u64()?.checked_sub(load["errors"].as_u64()?)?;
    let us = |key: &str| verdict["lateness_ms"][key].as_f64().map(|ms| ms * 1e3);
    Some((requests, us("p50").zip(us("p99"))))
}

/// The number that stands before a text.
fn number_before(text: &str, behind: &str) -> Option<u64> {
    let (before, _) = text.split_once(behind)?;
    before.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_number_before_a_text() {
        let wrk = "  4 threads\n  357020 requests in 5.02s, 50MB read";
        assert_eq!(super::number_before(wrk, " requests in"), Some(357_020));
        let h2load = "requests: 12 total, 12 started, 12 done, 11 succeeded, 1 failed";
        assert_eq!(super::number_before(h2load, " succeeded"), Some(11));
        assert_eq!(super::number_before("no number here", " here"), None);
    }
}
