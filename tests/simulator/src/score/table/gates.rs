//! How often a run is called worse than its baseline when it is not, and when it is.

use std::ops::RangeInclusive;

use peakdrill_bottleneck::baseline::{BASELINES_TOLD, Measured, Why};
use peakdrill_drill_model::comparison::Quantity;

use super::text::{interval, of, row};
use super::{quantile, want};
use crate::score::gates::{APART_S, Drawn, alarm, judged, measured, twice, watched};
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

/// The part of the page; its heading is what it is found by.
#[must_use]
pub(super) fn section(seeds: &RangeInclusive<u64>, short: &mut Vec<String>) -> String {
    format!(
        "{HEADING}\n\nDrawn runs of ten minutes at fifty requests a second: lognormal latencies on a level that wanders by 3 %, half of \
         which is left after three seconds. Simulated runs of five minutes: the ten small families without a bottleneck, at \
         their peak. Several figures are compared in each pair: p50, p95, p99, errors, throughput.\n\n{}\n{}\n{}",
        false_alarms(seeds, short),
        from_run_to_run(seeds, short),
        power(seeds, short)
    )
}

/// By which `cargo xtask accuracy gates` finds it.
const HEADING: &str = "## Held against a baseline";

fn fails(measured: &[Measured], tolerance: f64) -> bool {
    judged(measured, tolerance).iter().any(|(_, why)| *why == Why::Worse)
}

struct Pair {
    /// Of each step of the pair.
    measured: Vec<Vec<Measured>>,
    alarmed: bool,
}

impl Pair {
    fn new(steps: &[[Vec<peakdrill_bottleneck::baseline::Window>; 2]], seed: u64) -> Self {
        let measured =
            steps.iter().map(|[run, baseline]| measured(run, &[baseline.as_slice()], seed)).collect();
        // Of several steps each is watched for itself, for its part of the risk: that of the first is told.
        let alarmed =
            steps.first().is_some_and(|[run, baseline]| alarm(run, &watched(baseline, TOLERANCE)).is_some());
        Self { measured, alarmed }
    }

    /// Whether a comparison of all its steps fails.
    fn fails(&self, tolerance: f64) -> bool {
        let all: Vec<Measured> = self.measured.iter().flatten().cloned().collect();
        fails(&all, tolerance)
    }
}

fn false_alarms(seeds: &RangeInclusive<u64>, short: &mut Vec<String>) -> String {
    let drawn = |seconds: usize, slower: f64| -> Vec<Pair> {
        let drawn = Drawn { seconds, ..Drawn::default() };
        let pair = |seed| Pair::new(&[[drawn.run(seed, slower), drawn.run(seed ^ OTHER, 0.0)]], seed);
        seeds.clone().map(pair).collect()
    };
    let small: Vec<Topology> = Topology::DEVELOPED.into_iter().filter(|t| !t.whole_system()).collect();
    let simulated: Vec<Pair> = seeds
        .clone()
        .zip(small.iter().cycle())
        .map(|(seed, topology)| Pair::new(&twice(*topology, seed, SIMULATED_S), seed))
        .collect();
    let head = [
        "the same twice",
        "pairs",
        "called worse by 5 %",
        "called worse at all (tolerance 0 %)",
        "live gate: stopped",
    ];
    let mut out = row(&head) + &row(&head.map(|_| "---"));
    for (name, is_same, pairs) in [
        ("drawn", true, drawn(600, 0.0)),
        ("drawn, of one minute", true, drawn(60, 0.0)),
        ("simulated", true, simulated),
        ("drawn, and slower by exactly the 5 % that are tolerated", false, drawn(600, TOLERANCE)),
    ] {
        let n = pairs.len();
        let count = |is: &dyn Fn(&Pair) -> bool| pairs.iter().filter(|pair| is(pair)).count();
        let (at_five, at_none) = (count(&|pair| pair.fails(TOLERANCE)), count(&|pair| pair.fails(0.0)));
        let alarmed = count(&|pair| pair.alarmed);
        let part = |count: usize| count as f64 / n as f64;
        want(short, &format!("false alarms of the gate, {name}"), part(at_five), 0.0..=0.05);
        want(short, &format!("false alarms of the live gate, {name}"), part(alarmed), 0.0..=0.05);
        if is_same {
            want(
                short,
                &format!("false alarms of the gate without tolerance, {name}"),
                part(at_none),
                0.0..=0.05,
            );
        }
        let at_none = if is_same { interval(at_none, n) } else { "–".to_owned() };
        out += &row(&[name, &n.to_string(), &interval(at_five, n), &at_none, &interval(alarmed, n)]);
    }
    format!(
        "{out}\nThe live gate looks after every second, and stops what is slower than the baseline by more than is tolerated; \
         {APART_S} s lie between two seconds of one of its games. No drill has it yet.\n"
    )
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
    let head = [
        "slower by",
        "p50 called slower",
        "by more than 5 %",
        "p99 called slower",
        "by more than 5 %",
        "live gate: stopped within 10 min",
        "median time to it",
    ];
    let mut out = row(&head) + &row(&head.map(|_| "---"));
    let mut smallest = [None, None];
    for slower in SLOWER {
        let runs: Vec<_> =
            few.iter().map(|seed| [drawn.run(*seed, slower), drawn.run(seed ^ OTHER, 0.0)]).collect();
        let found: Vec<Vec<Measured>> = few
            .iter()
            .zip(&runs)
            .map(|(seed, [run, base])| measured(run, &[base.as_slice()], *seed))
            .collect();
        let seen = |quantity: Quantity, tolerance: f64| {
            let is = |all: &&Vec<Measured>| judged(all, tolerance).contains(&(quantity, Why::Worse));
            found.iter().filter(is).count()
        };
        let alarms: Vec<f64> = runs
            .iter()
            .filter_map(|[run, base]| alarm(run, &watched(base, TOLERANCE)))
            .map(|at| at as f64)
            .collect();
        for (smallest, quantity) in smallest.iter_mut().zip([Quantity::P50, Quantity::P99]) {
            let is_seen = seen(quantity, 0.0) as f64 >= POWER * n as f64;
            *smallest = smallest.or(is_seen.then_some(slower));
        }
        let cell = |quantity, tolerance| of(seen(quantity, tolerance), n);
        let stopped = alarms.len();
        let median =
            if stopped > 0 { format!("{:.0} s", quantile(alarms.into_iter(), 0.5)) } else { "–".into() };
        out += &row(&[
            &format!("{:.0} %", 100.0 * slower),
            &cell(Quantity::P50, 0.0),
            &cell(Quantity::P50, TOLERANCE),
            &cell(Quantity::P99, 0.0),
            &cell(Quantity::P99, TOLERANCE),
            &of(stopped, n),
            &median,
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
