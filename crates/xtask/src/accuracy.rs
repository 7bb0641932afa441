//! How often a planted truth is found.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Subcommand;
use serde_json::Value;

use crate::shell::{cargo, root, step, target_dir};

/// What `accuracy sim` writes.
const PAGE: &str = "crates/bottleneck/ACCURACY.md";
/// Exit code of the simulator with a whole page that falls short.
const FALLS_SHORT: i32 = 3;

#[derive(Subcommand)]
pub enum What {
    /// Simulated systems whose truth is known: writes crates/bottleneck/ACCURACY.md.
    Sim {
        /// Only these families, as `service-mesh,chain`: the page is printed, and the one in the repository left as it is.
        #[arg(long, value_delimiter = ',')]
        families: Vec<String>,
    },
    /// Of that page the part on runs that are held against a baseline, by itself.
    Gates,
    /// Real faults whose service is known: which is named first. The data are not part of the project.
    Faults {
        /// The folder of the data, as `crates/collector/examples/labelled.rs` says.
        folder: PathBuf,
    },
    /// The demo shop: every planted bottleneck, several seeds.
    Demo {
        /// Seeds per bottleneck.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
        seeds: u64,
        /// Only these bottlenecks.
        #[arg(long, value_delimiter = ',', default_value = "stock,payment,order-db,bank,queue,none")]
        only: Vec<String>,
    },
}

/// The bottlenecks whose capacity must be right.
const MEASURED: [&str; 3] = ["stock", "payment", "order-db"];
/// Allowed error of the capacity.
const CAPACITY_ERROR: f64 = 0.10;
/// Allowed half width of its interval.
const INTERVAL_HALF_WIDTH: f64 = 0.15;

#[derive(Default)]
struct Score {
    runs: u32,
    first: u32,
    measured: u32,
    close: u32,
    covered: u32,
    controls: u32,
    quiet: u32,
}

pub fn run(what: &What) -> Result<(), String> {
    match what {
        What::Sim { families } if families.is_empty() => written(&[], |_, page| Ok(page.to_owned())),
        What::Sim { families } => shown(families),
        What::Gates => written(&["gates"], replaced),
        What::Faults { folder } => faults(folder),
        What::Demo { seeds, only } => demo(*seeds, only),
    }
}

fn faults(folder: &Path) -> Result<(), String> {
    let run = ["run", "--release", "--package", "peakdrill-collector", "--example", "labelled", "--"];
    step("labelled faults", cargo().args(run).arg(folder))
}

/// Runs the simulator: what it printed, and whether nothing falls short.
fn simulated(args: &[&str]) -> Result<(String, bool), String> {
    step("build", cargo().args(["build", "--release", "--package", "peakdrill-simulator"]))?;
    let mut command = Command::new(target_dir()?.join("release/peakdrill-simulator"));
    command.args(args).stderr(Stdio::inherit());
    let output = command.output().map_err(|error| format!("simulator: {error}"))?;
    let met = meets_all(output.status.code(), &output.stdout)?;
    Ok((String::from_utf8_lossy(&output.stdout).into_owned(), met))
}

/// Prints the page of some families.
fn shown(families: &[String]) -> Result<(), String> {
    let (page, met) = simulated(&["--families", &families.join(",")])?;
    std::io::stdout().write_all(page.as_bytes()).map_err(|error| format!("standard output: {error}"))?;
    if met { Ok(()) } else { Err("the page tells of what falls short".to_owned()) }
}

/// Writes the page, made of the one that is there and what the simulator says; also where it tells of something that falls
/// short.
fn written(args: &[&str], make: impl Fn(&str, &str) -> Result<String, String>) -> Result<(), String> {
    let path = root().join(PAGE);
    let before = page_at(&path)?;
    let (said, met) = simulated(args)?;
    std::fs::write(&path, make(&before, &said)?).map_err(|error| format!("{PAGE}: {error}"))?;
    if met { Ok(()) } else { Err(format!("{PAGE} tells of what falls short")) }
}

/// The page that is there; empty where none is. What cannot be read is not written over.
fn page_at(path: &Path) -> Result<String, String> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        read => read.map_err(|error| format!("{}: {error}", path.display())),
    }
}

/// A page with one of its sections replaced by another of the same heading, or with it at the end.
fn replaced(page: &str, section: &str) -> Result<String, String> {
    const NEXT: &str = "\n## ";
    let heading = section.lines().next().filter(|line| line.starts_with("## "));
    let heading = heading.ok_or("the simulator wrote no section")?;
    let Some(start) = page.find(&format!("\n{heading}\n")) else {
        return Ok(format!("{}\n\n{section}", page.trim_end()));
    };
    let (before, rest) = page.split_at(start + 1);
    let after = rest[heading.len()..].find(NEXT).map_or("", |at| &rest[heading.len() + at..]);
    Ok(format!("{before}{section}{after}"))
}

/// Whether nothing falls short; an error where the simulator has not written a whole page.
fn meets_all(code: Option<i32>, page: &[u8]) -> Result<bool, String> {
    match code {
        Some(code @ (0 | FALLS_SHORT)) if !page.is_empty() => Ok(code == 0),
        Some(code) => {
            Err(format!("the simulator ended with {code} and no whole page: {PAGE} is left as it is"))
        }
        None => Err(format!("the simulator was killed: {PAGE} is left as it is")),
    }
}

fn demo(seeds: u64, only: &[String]) -> Result<(), String> {
    step("build", cargo().args(["build", "--release", "--package", "peakdrill"]))?;
    let folder = std::env::temp_dir().join(format!("peakdrill-accuracy-{}", std::process::id()));
    let mut score = Score::default();
    println!(
        "{:<10} {:>4}  {:<10} {:>8} {:>8} {:>17}  verdict",
        "planted", "seed", "first", "truth/s", "found/s", "interval"
    );
    for planted in only {
        for seed in 1..=seeds {
            one(planted, seed, &folder.join(format!("{planted}-{seed}")), &mut score)?;
        }
    }
    println!("named first: {} of {}", score.first, score.runs);
    println!("capacity within {:.0} %: {} of {}", CAPACITY_ERROR * 100.0, score.close, score.measured);
    println!(
        "interval covers and is no wider than ±{:.0} %: {} of {}",
        INTERVAL_HALF_WIDTH * 100.0,
        score.covered,
        score.measured
    );
    println!("controls without a finding: {} of {}", score.quiet, score.controls);
    judge(&score)?;
    std::fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))
}

fn judge(score: &Score) -> Result<(), String> {
    let mut short = Vec::new();
    let mut want = |what: &str, got: u32, of: u32, allowed_misses: u32| {
        if got + allowed_misses < of {
            short.push(format!("{what}: {got} of {of}"));
        }
    };
    want("named first", score.first, score.runs, u32::from(score.runs >= 15));
    want("capacity", score.close, score.measured, 0);
    want("interval", score.covered, score.measured, u32::from(score.measured >= 9));
    want("controls", score.quiet, score.controls, 0);
    if short.is_empty() { Ok(()) } else { Err(short.join("; ")) }
}

fn one(planted: &str, seed: u64, out: &Path, score: &mut Score) -> Result<(), String> {
    let verdict = drill(planted, seed, out)?;
    let state = verdict["analysis"]["state"].as_str().unwrap_or("");
    let first = &verdict["bottlenecks"][0];
    let named = first["node"].as_str().unwrap_or("–");
    if planted == "none" {
        score.controls += 1;
        score.quiet += u32::from(state == "none_up_to");
        println!("{planted:<10} {seed:>4}  {named:<10} {:>8} {:>8} {:>17}  {state}", "", "", "");
        return Ok(());
    }
    score.runs += 1;
    let right = named == planted && state == "found";
    score.first += u32::from(right);
    let truth = truth(planted, &verdict, out)?;
    let capacity = &first["capacity_per_s"];
    let (found, low, high) =
        (number(&capacity["estimate"]), number(&capacity["low"]), number(&capacity["high"]));
    if MEASURED.contains(&planted) {
        score.measured += 1;
        let close = right && ((found - truth) / truth).abs() <= CAPACITY_ERROR;
        score.close += u32::from(close);
        let narrow = (high - low) / 2.0 <= INTERVAL_HALF_WIDTH * found;
        score.covered += u32::from(right && narrow && low <= truth && truth <= high);
    }
    let interval = format!("{low:.1}–{high:.1}");
    println!(
        "{planted:<10} {seed:>4}  {named:<10} {truth:>8.1} {found:>8.1} {interval:>17}  {state} {}",
        verdict["verdict"]
    );
    Ok(())
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn drill(planted: &str, seed: u64, out: &Path) -> Result<Value, String> {
    let program: PathBuf = root().join("target/release/peakdrill");
    let mut command = Command::new(program);
    command.args([
        "demo",
        "--bottleneck",
        planted,
        "--seed",
        &seed.to_string(),
        "--tui",
        "never",
        "--format",
        "json",
        "--out",
    ]);
    let output = command.arg(out).stderr(Stdio::null()).output().map_err(|error| format!("demo: {error}"))?;
    serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("demo --bottleneck {planted} --seed {seed}: {error}"))
}

/// The planted capacity in root journeys a second, at the mix that really ran.
fn truth(planted: &str, verdict: &Value, out: &Path) -> Result<f64, String> {
    let truth = read(&out.join("shop/truth.json"))?;
    let node = &truth["nodes"][planted];
    let steps = verdict["steps"].as_array().cloned().unwrap_or_default();
    let completed = |name: &str| -> f64 {
        steps.iter().filter(|step| step["journey"] == name).map(|step| number(&step["completed"])).sum()
    };
    let live = read(&out.join("shop/live-users.json"))?;
    let orders = completed("checkout") + number(&live["orders_placed"]);
    let browses = completed("browse") + number(&live["browses_ok"]);
    let operations = orders * number(&node["ops_per_order"]) + browses * number(&node["ops_per_browse"]);
    Ok(number(&node["ops_per_s"]) * (orders + browses) / operations)
}

fn read(path: &Path) -> Result<Value, String> {
    let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Args {
        #[command(subcommand)]
        what: What,
    }

    #[test]
    fn a_page_is_kept_only_of_a_simulator_that_wrote_it_whole() {
        assert_eq!(meets_all(Some(0), b"# page"), Ok(true));
        assert_eq!(meets_all(Some(FALLS_SHORT), b"# page"), Ok(false));
        for (code, page) in [(Some(0), ""), (Some(1), "# pa"), (Some(101), "# pa"), (None, "# pa")] {
            assert!(meets_all(code, page.as_bytes()).is_err(), "{code:?}");
        }
    }

    #[test]
    fn a_page_that_cannot_be_read_is_not_an_empty_one() {
        let folder = root();
        assert_eq!(page_at(&folder.join("no-such-page.md")), Ok(String::new()));
        assert!(page_at(&folder).is_err());
    }

    #[test]
    fn families_are_named_in_one_list() {
        use clap::Parser as _;
        let read = |args: &[&str]| Args::try_parse_from(args).map(|args| args.what);
        let some = read(&["accuracy", "sim", "--families", "chain,service-mesh"]);
        assert!(matches!(some, Ok(What::Sim { families }) if families == ["chain", "service-mesh"]));
        assert!(matches!(read(&["accuracy", "sim"]), Ok(What::Sim { families }) if families.is_empty()));
    }

    #[test]
    fn a_section_takes_the_place_of_the_one_before() {
        let page = "# Page\n\n## A\n\nold\n\n## B\n\nkept\n";
        assert_eq!(replaced(page, "## A\n\nnew\n").unwrap(), "# Page\n\n## A\n\nnew\n\n## B\n\nkept\n");
        assert_eq!(replaced(page, "## B\n\nnew\n").unwrap(), "# Page\n\n## A\n\nold\n\n## B\n\nnew\n");
        assert_eq!(replaced("# Page\n", "## C\n\nnew\n").unwrap(), "# Page\n\n## C\n\nnew\n");
        assert!(replaced(page, "falls short").is_err());
    }

    #[test]
    fn no_seed_is_no_run() {
        use clap::Parser as _;
        assert!(Args::try_parse_from(["accuracy", "demo", "--seeds", "0"]).is_err());
        let one = Args::try_parse_from(["accuracy", "demo", "--seeds", "1"]).map(|args| args.what);
        assert!(matches!(one, Ok(What::Demo { seeds: 1, .. })));
    }
}
