//! How often a run is called worse than its baseline when it is not, and when it is.

use std::ops::RangeInclusive;

use peakdrill_bottleneck::baseline::{BASELINES_TOLD, Measured, Why, Window};
use peakdrill_drill_model::comparison::Quantity;

use super::text::{falls_short, interval, of, row};
use super::want;
use crate::score::gates::{Drawn, judged, measured, twice};
use crate::topology::Topology;

/// What is tolerated, as by default.
const TOLERANCE: f64 = 0.05;
/// By how much runs are slower.
const SLOWER: [f64; 9] = [0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3];
/// Length of simulated runs, seconds.
const SIMULATED_S: f64 = 300.0;
/// Keeps the runs of a pair, and of several baselines, apart.
const OTHER: u64 = 1 << 32;
/// What is seen so often is detected.
const POWER: f64 = 0.8;

/// The part of the page, and what falls short in it. The part tells of that itself: it can be written anew alone, and the head
/// of the page must not be wrong then. Its heading is what it is found by.
#[must_use]
pub(super) fn section(seeds: &RangeInclusive<u64>) -> (String, Vec<String>) {
    let mut short = Vec::new();
    let tables =
        [false_alarms(seeds, &mut short), from_run_to_run(seeds, &mut short), power(seeds, &mut short)];
    (told(&tables, &short), short)
}

fn told(tables: &[String], short: &[String]) -> String {
    format!(
        "{HEADING}\n\nDrawn runs of ten minutes at fifty requests a second: lognormal latencies on a level that wanders by 3 %, half of \
         which is left after three seconds. Simulated runs of five minutes: the ten small families without a bottleneck, at \
         their peak. Several figures are compared in each pair: p50, p95, p99, errors, throughput.\n{}\n{}",
        falls_short("###", short),
        tables.join("\n")
    )
}

/// By which `cargo xtask accuracy gates` finds it.
const HEADING: &str = "## Held against a baseline";

fn fails(measured: &[Measured], tolerance: f64) -> bool {
    judged(measured, tolerance).iter().any(|(_, why)| *why == Why::Worse)
}

/// All figures of all steps of two runs.
fn pair(steps: &[[Vec<Window>; 2]], seed: u64) -> Vec<Measured> {
    steps.iter().flat_map(|[run, baseline]| measured(run, &[baseline.as_slice()], seed)).collect()
}

fn false_alarms(seeds: &RangeInclusive<u64>, short: &mut Vec<String>) -> String {
    let drawn = |seconds: usize, slower: f64| -> Vec<Vec<Measured>> {
        let drawn = Drawn { seconds, ..Drawn::default() };
        let runs = |seed: u64| [drawn.run(seed, slower), drawn.run(seed ^ OTHER, 0.0)];
        seeds.clone().map(|seed| pair(&[runs(seed)], seed)).collect()
    };
    let small: Vec<Topology> = Topology::DEVELOPED.into_iter().filter(|t| !t.whole_system()).collect();
    let simulated: Vec<Vec<Measured>> = seeds
        .clone()
        .zip(small.iter().cycle())
        .map(|(seed, topology)| pair(&twice(*topology, seed, SIMULATED_S), seed))
        .collect();
    let head = ["the same twice", "pairs", "called worse by 5 %", "called worse at all (tolerance 0 %)"];
    let mut out = row(&head) + &row(&head.map(|_| "---"));
    for (name, is_same, pairs) in [
        ("drawn", true, drawn(600, 0.0)),
        ("drawn, of one minute", true, drawn(60, 0.0)),
        ("simulated", true, simulated),
        ("drawn, and slower by exactly the 5 % that are tolerated", false, drawn(600, TOLERANCE)),
    ] {
        let n = pairs.len();
        let count = |tolerance: f64| pairs.iter().filter(|pair| fails(pair, tolerance)).count();
        let (at_five, at_none) = (count(TOLERANCE), count(0.0));
        let part = |count: usize| count as f64 / n as f64;
        want(short, &format!("false alarms of the gate, {name}"), part(at_five), 0.0..=0.05);
        if is_same {
            want(
                short,
                &format!("false alarms of the gate without tolerance, {name}"),
                part(at_none),
                0.0..=0.05,
            );
        }
        let at_none = if is_same { interval(at_none, n) } else { "–".to_owned() };
        out += &row(&[name, &n.to_string(), &interval(at_five, n), &at_none]);
    }
    out
}

/// What one baseline cannot know.
fn from_run_to_run(seeds: &RangeInclusive<u64>, short: &mut Vec<String>) -> String {
    let head = ["runs of the same differ by", "baselines", "pairs", "called worse by 5 %"];
    let mut out = row(&head) + &row(&head.map(|_| "---"));
    for apart in [0.02, 0.05] {
        let drawn = Drawn { apart, seconds: 120, ..Drawn::default() };
        for baselines in [1_u64, 3, 5] {
            let is_worse = |seed: &u64| {
                let before: Vec<_> = (1..=baselines).map(|k| drawn.run(seed ^ (OTHER * k), 0.0)).collect();
                let before: Vec<&[_]> = before.iter().map(Vec::as_slice).collect();
                fails(&measured(&drawn.run(*seed, 0.0), &before, *seed), TOLERANCE)
            };
            let n = seeds.clone().count();
            let worse = seeds.clone().filter(is_worse).count();
            let differ = format!("{:.0} %", 100.0 * apart);
            if baselines as usize >= BASELINES_TOLD {
                let what = format!("false alarms of the gate beside {baselines} baselines, {differ} apart");
                want(short, &what, worse as f64 / n.max(1) as f64, 0.0..=0.05);
            }
            out += &row(&[&differ, &baselines.to_string(), &n.to_string(), &interval(worse, n)]);
        }
    }
    format!(
        "{out}\nRuns of two minutes. Fewer than {BASELINES_TOLD} baselines cannot know what differs from run to run, and it is said so with \
         each comparison.\n"
    )
}

fn power(seeds: &RangeInclusive<u64>, short: &mut Vec<String>) -> String {
    let few: Vec<u64> = seeds.clone().step_by(4).collect();
    let n = few.len();
    let drawn = Drawn::default();
    let head =
        ["slower by", "p50 called slower", "by more than 5 %", "p99 called slower", "by more than 5 %"];
    let mut out = row(&head) + &row(&head.map(|_| "---"));
    let mut smallest = [None, None];
    for slower in SLOWER {
        let runs = |seed: u64| [drawn.run(seed, slower), drawn.run(seed ^ OTHER, 0.0)];
        let found: Vec<Vec<Measured>> = few.iter().map(|seed| pair(&[runs(*seed)], *seed)).collect();
        let seen = |quantity: Quantity, tolerance: f64| {
            let is = |all: &&Vec<Measured>| judged(all, tolerance).contains(&(quantity, Why::Worse));
            found.iter().filter(is).count()
        };
        for (smallest, quantity) in smallest.iter_mut().zip([Quantity::P50, Quantity::P99]) {
            let is_seen = seen(quantity, 0.0) as f64 >= POWER * n as f64;
            *smallest = smallest.or(is_seen.then_some(slower));
        }
        let cell = |quantity, tolerance| of(seen(quantity, tolerance), n);
        out += &row(&[
            &format!("{:.0} %", 100.0 * slower),
            &cell(Quantity::P50, 0.0),
            &cell(Quantity::P50, TOLERANCE),
            &cell(Quantity::P99, 0.0),
            &cell(Quantity::P99, TOLERANCE),
        ]);
    }
    let told = smallest.map(|found| found.unwrap_or(f64::NAN));
    want(short, "smallest change of p50 that is seen", told[0], 0.0..=0.03);
    want(short, "smallest change of p99 that is seen", told[1], 0.0..=0.08);
    format!(
        "{out}\n{n} pairs of drawn runs each. Seen in four of five: {:.0} % of p50, {:.0} % of p99.\n",
        100.0 * told[0],
        100.0 * told[1]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who replaces the part replaces what is said of it.
    #[test]
    fn the_part_tells_of_what_falls_short_in_it() {
        let tables = ["| a |\n".to_owned(), "| b |\n".to_owned()];
        let met = told(&tables, &[]);
        assert!(met.starts_with("## Held against a baseline\n\nDrawn runs"), "{met}");
        assert!(met.ends_with("errors, throughput.\n\n| a |\n\n| b |\n"), "{met}");
        let short = told(&tables, &["false alarms: 9.0 %".to_owned()]);
        let end = "errors, throughput.\n\n### Falls short\n\n- false alarms: 9.0 %\n\n| a |\n\n| b |\n";
        assert!(short.ends_with(end), "{short}");
        assert_eq!(short.matches("\n## ").count(), 0, "it is one part: {short}");
    }
}
