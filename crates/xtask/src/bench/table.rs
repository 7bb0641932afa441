//! The page of results.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::Run;
use super::clients::{Client, Load};
use crate::shell::root;

/// What stands before a part on the page.
const MARK: (&str, &str) = ("<!-- part: ", " -->\n");

/// Puts a part on the page, in place of what was measured of it before; the other parts stay as they are. All at once
/// take an hour of a quiet machine.
pub fn keep(page: &Path, parts: &[&str], part: &str, section: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", page.display());
    let before = if page.exists() { fs::read_to_string(page).map_err(failed)? } else { String::new() };
    let section = format!("{section}\n{}", measured(page));
    fs::write(page, with(&before, parts, part, &section)).map_err(failed)
}

/// The page with a part put in its place. What stands before the first mark, and parts that are none any more, go.
fn with(before: &str, parts: &[&str], part: &str, section: &str) -> String {
    let kept = before.split(MARK.0).skip(1).filter_map(|of| of.split_once(MARK.1));
    let mut kept: BTreeMap<&str, &str> = kept.map(|(name, text)| (name, text.trim_end())).collect();
    kept.insert(part, section.trim_end());
    let mut text = HEAD.to_owned();
    for part in parts {
        if let Some(section) = kept.get(part) {
            let _ = write!(text, "\n{}{part}{}{}\n", MARK.0, MARK.1, section);
        }
    }
    text
}

const HEAD: &str = "# The load engine beside others\n\n\
    Written by `cargo xtask bench load`. Server (nginx, one worker, a body of 12 bytes) and client have a core\n\
    each, over loopback; in each round every client runs once, in turn. Absolute times are the machine's; what\n\
    tells is the ratio within a round: its median over the rounds, and in brackets the smallest and the largest.\n";

/// Where and with what a part was measured: code, machine, programs.
fn measured(page: &Path) -> String {
    format!(
        "Measured at {} on {}; {}; {}; {}; {}.\n",
        code(page),
        machine(),
        version("wrk", "-v"),
        version("h2load", "--version"),
        super::oha::version(),
        version("nginx", "-v"),
    )
}

/// The commit, and whether anything but the page differs from it: what was measured just before is in the page.
fn code(page: &Path) -> String {
    let git = |args: &[&str]| {
        let out = Command::new("git").current_dir(root()).args(args).output();
        out.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned()).unwrap_or_default()
    };
    let but_the_page = format!(":!{}", page.display());
    let differs = git(&["status", "--porcelain", "--untracked-files=no", "--", ".", &but_the_page]);
    let commit = git(&["rev-parse", "--short", "HEAD"]);
    if differs.is_empty() { commit } else { format!("{commit} with changes") }
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
    use super::with;

    #[test]
    fn a_part_takes_the_place_of_what_was_measured_before_and_the_others_stay() {
        let parts = ["one", "two", "three"];
        let page = with("an old page", &parts, "two", "## Two\n\n| 2 |\n");
        assert!(!page.contains("an old page") && page.ends_with("<!-- part: two -->\n## Two\n\n| 2 |\n"));
        let page = with(&page, &parts, "one", "## One\n");
        let more = with(&page, &parts, "two", "## Two again\n");
        assert!(
            more.ends_with("\n<!-- part: one -->\n## One\n\n<!-- part: two -->\n## Two again\n"),
            "{more}"
        );
        assert_eq!(with(&more, &parts, "two", "## Two again\n"), more);
        assert!(!with(&more, &["one"], "one", "## One\n").contains("Two"));
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((super::median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((super::median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
        assert!(super::median(&[]).abs() < f64::EPSILON);
    }
}
