//! The page of results.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::Run;
use super::clients::{Client, Load};

/// The page: sections as they were measured last, each by itself, since all at once take an hour of a quiet machine.
pub struct Page {
    folder: PathBuf,
}

impl Page {
    /// Sections are kept in a folder, which is made.
    pub fn new(folder: PathBuf) -> Result<Self, String> {
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self { folder })
    }

    fn path(&self, part: &str) -> PathBuf {
        self.folder.join(format!("{part}.md"))
    }

    /// Keeps a section, with the state of the code that it is of.
    pub fn keep(&self, part: &str, section: &str) -> Result<(), String> {
        let told = Command::new("git").args(["describe", "--always", "--dirty"]).output();
        let of = told.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned()).unwrap_or_default();
        let of = if of.is_empty() { String::new() } else { format!("\nMeasured at {of}.\n") };
        let path = self.path(part);
        fs::write(&path, format!("{section}{of}")).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The whole page; an error names a part that was never measured here.
    pub fn text(&self, parts: &[&str]) -> Result<String, String> {
        let mut text = head();
        for part in parts {
            let section = fs::read_to_string(self.path(part));
            let missing = |_| format!("the page has all parts: measure `{part}` as well");
            text.push_str(&section.map_err(missing)?);
        }
        Ok(text)
    }
}

fn head() -> String {
    format!(
        "# The load engine beside others\n\n\
         Written by `cargo xtask bench load`. Server (nginx, one worker, a body of 12 bytes) and client have a core\n\
         each, over loopback; in each round every client runs once, in turn. Absolute times are this machine's; what\n\
         tells is the ratio within a round: its median over the rounds, and in brackets the smallest and the largest.\n\n\
         - Machine: {}\n- Clients: {}; {}; {}; peakdrill {}\n- Server: {}\n",
        machine(),
        version("wrk", "-v"),
        version("h2load", "--version"),
        super::oha::version(),
        env!("CARGO_PKG_VERSION"),
        version("nginx", "-v"),
    )
}

/// The section of a load: `(rounds, seconds)` are those of the runs.
pub fn section(
    load: &Load,
    clients: &[Client],
    results: &[Vec<Run>],
    (rounds, seconds): (usize, u64),
) -> String {
    let title = match load {
        Load::Closed { connections } => format!("Closed loop, {connections} keep-alive connections"),
        Load::Streams { connections, streams } => {
            format!("HTTP/2 in the clear, closed loop, {connections} connections with {streams} streams each")
        }
        Load::Gateway { connections, streams } => format!(
            "HTTP/2 over TLS, as gateways speak it: closed loop, {connections} connections with {streams} streams each"
        ),
        Load::Open { connections, rate } => {
            format!("Open loop, {rate} requests a second, {connections} connections")
        }
    };
    let about = match load {
        Load::Gateway { .. } => {
            "A body of 190 bytes of JSON. The journey is that of five steps with data, two values taken from JSON and\n\
             checks; oha and h2load send the one plain request.\n\n"
        }
        _ => "",
    };
    let mut text = format!(
        "\n## {title}\n\n{about}{rounds} rounds of {seconds} s.\n\n\
         | client | requests | processor time a request, µs (outside of the kernel) | ratio | to | lateness p50 / p99, µs |\n\
         |---|--:|--:|--:|---|--:|\n"
    );
    for client in 0..clients.len() {
        row(&mut text, load, clients, results, client);
    }
    text
}

fn row(text: &mut String, load: &Load, clients: &[Client], results: &[Vec<Run>], at: usize) {
    let (Some(client), Some(runs)) = (clients.get(at), results.get(at)) else { return };
    let base = client.base(clients);
    let to = clients.get(base).map(|base| base.name(load)).unwrap_or_default();
    let base = results.get(base).map_or(&[][..], Vec::as_slice);
    let ratios: Vec<f64> = runs.iter().zip(base).map(|(run, base)| run.cpu_us / base.cpu_us).collect();
    let median_of = |what: fn(&Run) -> f64| median(&runs.iter().map(what).collect::<Vec<_>>());
    let lag: Vec<(f64, f64)> = runs.iter().filter_map(|run| run.lag_us).collect();
    let lag = if lag.is_empty() {
        "–".to_owned()
    } else {
        let of = |what: fn(&(f64, f64)) -> f64| median(&lag.iter().map(what).collect::<Vec<_>>());
        format!("{:.0} / {:.0}", of(|lag| lag.0), of(|lag| lag.1))
    };
    let _ = writeln!(
        text,
        "| {} | {:.0} | {:.2} ({:.2}) | {:.2} ({:.2}–{:.2}) | {to} | {lag} |",
        client.name(load),
        median_of(|run| run.requests as f64),
        median_of(|run| run.cpu_us),
        median_of(|run| run.user_us),
        median(&ratios),
        ratios.iter().copied().fold(f64::INFINITY, f64::min),
        ratios.iter().copied().fold(0.0, f64::max),
    );
}

/// The middle one, or the mean of the two in the middle; 0 of none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle), sorted.len() % 2) {
        (Some(value), 1) => *value,
        (Some(value), _) => sorted.get(middle - 1).map_or(*value, |before| (before + value) / 2.0),
        (None, _) => 0.0,
    }
}

/// Processor, cores and kernel.
pub fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("?");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{}, {cores} cores, Linux {}", model.trim_start_matches([' ', '\t', ':']), kernel.trim())
}

/// A program's name and version, as it tells them.
fn version(program: &str, flag: &str) -> String {
    let told = Command::new(program).arg(flag).output();
    let text = told.map(|out| [out.stdout, out.stderr].concat()).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().next().unwrap_or("?");
    // Of a long line, what comes before the copyright.
    line.split(" Copyright").next().unwrap_or(line).split(" [").next().unwrap_or(line).trim().to_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_median_is_in_the_middle() {
        assert!((super::median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((super::median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
        assert!(super::median(&[]).abs() < f64::EPSILON);
    }
}
