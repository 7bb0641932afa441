//! The table of how well the analysis tells the truth, as a page.

mod few;
mod gates;
mod held_out;
mod text;

use std::ops::RangeInclusive;

use peakdrill_drill_model::verdict::AnalysisState;

use crate::damage::{Damage, Exporter};
use crate::scenario::{Kind, Scenario};
use crate::score::{FEW_OPERATIONS, NAIVE, Outcome, judge};
use crate::topology::Topology;
use text::{interval, of, page, row};

/// What the naive rankers are compared by: the last of [`NAIVE`] is shown, and is none of the usual four.
const USUAL: usize = 4;

/// Why a critical path may be at another node than the time was.
const PAUSE_OR_WAIT: &str = "The critical path errs where attempts are within one client span and the called node's \
    spans begin only when it is served: its wait before the next attempt looks like its caller's pause.";

/// Of which families a part of the page tells.
struct Scope {
    /// Before its headings.
    heading: &'static str,
    /// After what falls short.
    limit: &'static str,
}

/// Of all.
const EVERY: Scope = Scope { heading: "", limit: "" };

/// Seeds of one family.
#[derive(Debug, Clone)]
pub struct Seeds {
    /// With a single bottleneck.
    pub single: RangeInclusive<u64>,
    /// Without one, and with two.
    pub others: RangeInclusive<u64>,
}

/// Which seeds are run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Families that are run, in the order of [`Topology`].
    pub families: Vec<Topology>,
    /// Seeds of each family that the analysis was developed with.
    pub developed: Seeds,
    /// Of each that is held out. `None`: they are not run, so that who looks at the page does not look at them.
    pub held_out: Option<Seeds>,
    /// Seeds per topology and row of the damage matrix.
    pub damaged: RangeInclusive<u64>,
    /// Seeds per topology, and as many without a bottleneck, of runs of which a part of the requests is traced.
    pub sampled: RangeInclusive<u64>,
    /// Seeds of pairs of runs that are held against each other.
    pub pairs: RangeInclusive<u64>,
}

/// The part of the page on runs that are held against each other, by itself; and what falls short in it.
#[must_use]
pub fn gates_section(pairs: &RangeInclusive<u64>) -> (String, Vec<String>) {
    gates::section(pairs)
}

/// The page, and what falls short of what is asked for; empty when nothing does.
#[must_use]
pub fn table(options: &Options) -> (String, Vec<String>) {
    let single = |seeds: &Seeds| seeds.single.clone();
    let other = |seeds: &Seeds| seeds.others.clone();
    let clean = runs(Kind::Single, Damage::Clean, options, single);
    let worn = runs(Kind::Single, Damage::LossAndSkew(500.0), options, single);
    let controls = runs(Kind::Control, Damage::Clean, options, other);
    let two = runs(Kind::Two, Damage::Clean, options, other);
    let each = |damage| (damage, runs(Kind::Single, damage, options, |_| options.damaged.clone()));
    let damaged: Vec<(Damage, Vec<Outcome>)> = matrix().into_iter().map(each).collect();
    let mut short = Vec::new();
    let mut parts = vec![
        ranking(&EVERY, &clean, &worn, &mut short),
        by_topology(&options.families, &clean, &worn, &two),
        others(&EVERY, &controls, &two, &mut short),
        capacity(&EVERY, &clean, &worn, &mut short),
    ];
    if options.families.iter().any(|family| family.held_out()) {
        parts.push(held_out::section(&clean, &worn, &controls, &two, &mut short));
    }
    parts.push(conservation(&clean, &worn, &controls, &two, &damaged, &mut short));
    parts.extend(few::section(&options.families, &options.sampled, &mut short));
    let (gates, of_gates) = gates::section(&options.pairs);
    parts.extend([gates, damage(&damaged)]);
    (page(options, &short, &parts), [short, of_gates].concat())
}

fn runs(
    kind: Kind,
    damage: Damage,
    options: &Options,
    which: impl Fn(&Seeds) -> RangeInclusive<u64>,
) -> Vec<Outcome> {
    let every = each_family(options, which);
    every.map(|(topology, seed)| judge(Scenario::new(topology, kind, seed), damage)).collect()
}

/// The seeds of all families that are run, those that are held out last.
fn each_family(
    options: &Options,
    which: impl Fn(&Seeds) -> RangeInclusive<u64>,
) -> impl Iterator<Item = (Topology, u64)> {
    options.families.iter().flat_map(move |topology| {
        let topology = *topology;
        let seeds = if topology.held_out() { options.held_out.as_ref() } else { Some(&options.developed) };
        seeds.into_iter().flat_map(&which).map(|seed| (topology, seed)).collect::<Vec<_>>()
    })
}

/// Three strengths of each damage.
fn matrix() -> Vec<Damage> {
    let mut out = vec![Damage::Shuffled, Damage::Milliseconds, Damage::Linked];
    out.extend([0.001, 0.01, 0.05].map(Damage::Twice));
    out.extend([0.001, 0.05, 0.2].map(Damage::Loss));
    out.extend([300, 100, 50].map(Damage::Export));
    out.extend([2_048, 512, 256].map(|queue| Damage::Queue(Exporter::of(queue))));
    out.extend([1.0, 50.0, 500.0].map(Damage::Skew));
    out.extend([10.0, 50.0, 500.0].map(Damage::Drift));
    out.extend([0.01, 0.1, 0.5].map(Damage::NoRow));
    out.extend([0.01, 0.1, 1.0].map(Damage::Ids));
    out.extend([0.01, 0.1, 1.0].map(Damage::SharedIds));
    out.extend([0.001, 0.01, 0.1].map(Damage::Cycles));
    out.extend([0.001, 0.01, 0.1].map(Damage::OwnParents));
    out.extend([1, 3, 20].map(Damage::Restarts));
    out.extend([1_000, 10_000, 100_000].map(Damage::Deep));
    out.extend([0, 1, 2].map(Damage::Silent));
    out
}

fn count(outcomes: &[Outcome], what: impl Fn(&Outcome) -> bool) -> usize {
    outcomes.iter().filter(|o| what(o)).count()
}

/// A part that has to be within these bounds.
fn want(short: &mut Vec<String>, what: &str, got: f64, asked: RangeInclusive<f64>) {
    if asked.contains(&got) {
        return;
    }
    let asked = match (100.0 * asked.start(), 100.0 * asked.end()) {
        (low, 100.0) => format!("at least {low:.1} %"),
        (0.0, high) => format!("at most {high:.1} %"),
        (low, high) => format!("{low:.1} to {high:.1} %"),
    };
    short.push(format!("{what}: {:.1} %, asked for {asked}", 100.0 * got));
}

/// Something that must not happen.
fn want_none(short: &mut Vec<String>, what: &str, got: usize) {
    if got > 0 {
        short.push(format!("{what}: {got}, asked for none"));
    }
}

fn ranking(scope: &Scope, clean: &[Outcome], worn: &[Outcome], short: &mut Vec<String>) -> String {
    let head = [
        "telemetry",
        "runs",
        "named, and first",
        "first in the ranking",
        "among three",
        "others named beside",
    ];
    let mut out = row(&head) + &row(&head.map(|_| "---"));
    let mut naive_rows = String::new();
    for (name, outcomes, least) in [("clean", clean, 0.95), ("5 % lost, clocks off", worn, 0.90)] {
        let n = outcomes.len();
        let right = count(outcomes, Outcome::right);
        want(short, &format!("named first, {name}{}", scope.limit), right as f64 / n as f64, least..=1.0);
        out += &row(&[
            name,
            &n.to_string(),
            &interval(right, n),
            &of(count(outcomes, |o| o.rank() == Some(0)), n),
            &of(count(outcomes, |o| o.rank().is_some_and(|rank| rank < 3)), n),
            &of(count(outcomes, |o| o.named().iter().any(|node| !o.scenario.names().contains(node))), n),
        ]);
        let hits: Vec<usize> = (0..NAIVE.len()).map(|i| count(outcomes, |o| o.naive[i])).collect();
        let best = hits.iter().take(USUAL).copied().max().unwrap_or(0);
        want(
            short,
            &format!("errors by those of the best naive ranker, {name}{}", scope.limit),
            (n - right) as f64 / (n - best).max(1) as f64,
            0.0..=1.0 / 3.0,
        );
        let cells: Vec<String> = hits.iter().map(|hit| of(*hit, n)).collect();
        let mut line = vec![name];
        line.extend(cells.iter().map(String::as_str));
        naive_rows += &row(&line);
    }
    let mut head = vec!["telemetry"];
    head.extend(NAIVE);
    let rule = vec!["---"; head.len()];
    format!(
        "## {}One bottleneck\n\n{out}\nRules of thumb on the same runs, told when light load and peak are:\n\n{}{}{naive_rows}",
        scope.heading,
        row(&head),
        row(&rule)
    )
}

fn by_topology(families: &[Topology], clean: &[Outcome], worn: &[Outcome], two: &[Outcome]) -> String {
    let head = ["topology", "thresholds in tests", "clean", "5 % lost, clocks off", "two, both named"];
    let mut out = row(&head) + &row(&head.map(|_| "---"));
    for topology in families.iter().copied() {
        let right = |outcomes: &[Outcome]| {
            let n = count(outcomes, |o| o.scenario.topology == topology);
            of(count(outcomes, |o| o.scenario.topology == topology && o.right()), n)
        };
        let seen = match topology {
            _ if topology.held_out() => "no, held out",
            _ if topology.beside_tests() => "no",
            _ => "yes, other seeds",
        };
        out += &row(&[topology.name(), seen, &right(clean), &right(worn), &right(two)]);
    }
    format!("## By topology\n\nNamed and first:\n\n{out}")
}

fn others(scope: &Scope, controls: &[Outcome], two: &[Outcome], short: &mut Vec<String>) -> String {
    let head = ["what is planted", "runs", "result"];
    let flagged = count(controls, |o| !o.right());
    let both = count(two, Outcome::right);
    let one = count(two, |o| o.named().iter().any(|node| o.scenario.names().contains(node)));
    let told = count(controls, Outcome::told_of_what_is_not_there);
    let named = |what: &str| format!("{what}{}", scope.limit);
    // What is told besides the ranking may well be true where no node limits: live users are slowed down long before.
    let part = |n: usize| n as f64 / controls.len() as f64;
    want(short, &named("controls with a finding besides the ranking"), part(told), 0.0..=0.05);
    want(short, &named("controls flagged"), part(flagged), 0.0..=0.05);
    want(short, &named("both of two named"), both as f64 / two.len() as f64, 0.9..=1.0);
    let lines = [
        row(&head),
        row(&head.map(|_| "---")),
        row(&[
            "nothing",
            &controls.len().to_string(),
            &format!(
                "a node is named in {}, and something is found besides the ranking in {}",
                interval(flagged, controls.len()),
                interval(told, controls.len())
            ),
        ]),
        row(&[
            "two of the same capacity",
            &two.len().to_string(),
            &format!(
                "both are named in {}, at least one of them in {}",
                interval(both, two.len()),
                of(one, two.len())
            ),
        ]),
    ];
    format!("## {}None, and two\n\n{}", scope.heading, lines.concat())
}

fn capacity(scope: &Scope, clean: &[Outcome], worn: &[Outcome], short: &mut Vec<String>) -> String {
    let head = [
        "telemetry",
        "known",
        "given",
        "median error",
        "nine of ten within",
        "interval covers the truth",
        "median width",
    ];
    let mut out = row(&head) + &row(&head.map(|_| "---"));
    for (name, outcomes) in [("clean", clean), ("5 % lost, clocks off", worn)] {
        let known = count(outcomes, |o| o.scenario.capacity.is_some());
        let given: Vec<(f64, f64, f64)> = outcomes.iter().filter_map(Outcome::capacity).collect();
        let error = quantile(given.iter().map(|(estimate, _, _)| (estimate - 1.0).abs()), 0.5);
        let covered = given.iter().filter(|(_, low, high)| *low <= 1.0 && 1.0 <= *high).count();
        let part = covered as f64 / given.len().max(1) as f64;
        want(short, &format!("median error of the capacity, {name}{}", scope.limit), error, 0.0..=0.05);
        want(
            short,
            &format!("coverage of the capacity's interval, {name}{}", scope.limit),
            part,
            0.92..=0.98,
        );
        out += &row(&[
            name,
            &known.to_string(),
            &of(given.len(), known),
            &format!("{:.1} %", error * 100.0),
            &format!(
                "{:.1} %",
                100.0 * quantile(given.iter().map(|(estimate, _, _)| (estimate - 1.0).abs()), 0.9)
            ),
            &interval(covered, given.len()),
            &format!("±{:.1} %", 50.0 * quantile(given.iter().map(|(_, low, high)| high - low), 0.5)),
        ]);
    }
    format!(
        "## {}Capacity of the planted node\n\nIn journeys a second, against the closed form. It is not known where threads, kept connections or a hot key limit.\n\n{out}",
        scope.heading
    )
}

fn quantile(values: impl Iterator<Item = f64>, at: f64) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().max(1) - 1;
    sorted.get((last as f64 * at).round() as usize).copied().unwrap_or(f64::NAN)
}

fn conservation(
    clean: &[Outcome],
    worn: &[Outcome],
    controls: &[Outcome],
    two: &[Outcome],
    damaged: &[(Damage, Vec<Outcome>)],
    short: &mut Vec<String>,
) -> String {
    let undamaged = || clean.iter().chain(controls).chain(two);
    let every = || undamaged().chain(worn).chain(damaged.iter().flat_map(|(_, outcomes)| outcomes));
    let broken: usize = every().map(|o| o.not_conserved).sum();
    let traces: usize = every().map(|o| o.traces).sum();
    let present = undamaged().map(|o| o.little.0).fold(0.0, f64::max);
    let law = undamaged().map(|o| o.little.1).fold(0.0, f64::max);
    let overlap = undamaged().min_by(|a, b| path_overlap(a).total_cmp(&path_overlap(b)));
    let repeated = || undamaged().filter(|o| o.scenario.repeats());
    let error = repeated().map(|o| o.amplification.0).fold(0.0, f64::max);
    let invented: usize = undamaged().map(|o| o.amplification.1).sum();
    want_none(short, "critical paths that are not as long as the request", broken);
    want(short, "error of operations present, the worst node", present, 0.0..=0.02);
    want(short, "error of L = X·R, the worst node", law, 0.0..=0.02);
    let worst = overlap.map_or(0.0, path_overlap);
    // A figure beside the limit, and none itself.
    let usual = quantile(undamaged().map(path_overlap), 0.01);
    want(short, "critical path at the true node, the worst run", worst, 0.98..=1.0);
    want(short, "error of attempts by logical calls, the worst edge", error, 0.0..=0.03);
    want_none(short, "loops of calls told as retries", invented);
    let head = ["property", "over", "result"];
    let runs = undamaged().count();
    let lines = [
        row(&head),
        row(&head.map(|_| "---")),
        row(&[
            "critical path exactly as long as the request, damaged telemetry included",
            &format!("{traces} requests with a row"),
            &format!("{broken} are not"),
        ]),
        row(&[
            "operations present, from the cells, against the simulator's own state",
            &format!("{runs} runs, the worst node of those with {FEW_OPERATIONS} operations or more"),
            &format!("off by {:.2} %", present * 100.0),
        ]),
        row(&[
            "L = X·R from the cells against the same",
            &format!("{runs} runs, the worst node of those with {FEW_OPERATIONS} operations or more"),
            &format!("off by {:.2} %", law * 100.0),
        ]),
        row(&[
            "critical path at the node where the time truly was spent",
            &format!("{runs} runs, the worst: {}", overlap.map_or_else(|| "–".to_owned(), run_name)),
            &format!("{:.1} % of the time; in 99 of 100 runs {:.1} % or more", worst * 100.0, usual * 100.0),
        ]),
        row(&[
            "attempts by logical calls",
            &format!("{} runs with retries, the worst edge", repeated().count()),
            &format!("off by {:.2} %", error * 100.0),
        ]),
        row(&["loops of calls told as retries", &format!("{runs} runs"), &invented.to_string()]),
    ];
    format!("## What must hold\n\n{}\n{PAUSE_OR_WAIT}\n", lines.concat())
}

/// A run in which no path was measured has none at the true node.
fn path_overlap(outcome: &Outcome) -> f64 {
    outcome.path_overlap.unwrap_or(0.0)
}

fn run_name(outcome: &Outcome) -> String {
    format!("{}, seed {}", outcome.scenario.topology.name(), outcome.scenario.seed)
}

fn damage(damaged: &[(Damage, Vec<Outcome>)]) -> String {
    let head = ["damage", "runs", "named, and first", "withheld", "another one named first", "nothing named"];
    let mut out = row(&head) + &row(&head.map(|_| "---"));
    for (damage, outcomes) in damaged {
        let n = outcomes.len();
        let state = |o: &Outcome| o.analysis.summary.state;
        let wrong = |o: &Outcome| state(o) == AnalysisState::Found && o.rank() != Some(0);
        out += &row(&[
            &damage.name(),
            &n.to_string(),
            &of(count(outcomes, Outcome::right), n),
            &of(count(outcomes, |o| state(o) == AnalysisState::Withheld), n),
            &of(count(outcomes, wrong), n),
            &of(count(outcomes, |o| state(o) == AnalysisState::NoneUpTo), n),
        ]);
    }
    format!("## Damaged telemetry\n\n{out}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn families_that_are_held_out_have_seeds_of_their_own_and_come_last() {
        let developed = Seeds { single: 1..=2, others: 3..=3 };
        let held_out = Some(Seeds { single: 7..=9, others: 5..=5 });
        let families = Topology::all().collect();
        let mut options =
            Options { families, developed, held_out, damaged: 1..=1, sampled: 1..=1, pairs: 1..=1 };
        let single =
            |options: &Options| each_family(options, |seeds| seeds.single.clone()).collect::<Vec<_>>();
        let every = single(&options);
        assert_eq!(every.len(), 20 * 2 + 4 * 3);
        assert!(every[..40].iter().all(|(t, seed)| !t.held_out() && *seed <= 2), "{every:?}");
        assert!(every[40..].iter().all(|(t, seed)| t.held_out() && *seed >= 7), "{every:?}");
        options.held_out = None;
        assert_eq!(single(&options), every[..40]);
        options.families = vec![Topology::Chain, Topology::Search];
        assert_eq!(single(&options), every[..2]);
    }

    /// The telemetry is looked at, not what the analysis makes of it.
    #[test]
    fn no_damage_takes_all_of_what_is_needed_of_a_family_that_is_held_out() {
        for topology in Topology::HELD_OUT {
            let scenario = Scenario::new(topology, Kind::Single, 4);
            let run = scenario.run();
            let sends = |traces: &[crate::Trace]| -> BTreeSet<Arc<str>> {
                let spans = traces.iter().flat_map(|trace| &trace.spans);
                let needed = |name: &&Arc<str>| scenario.needed().contains(&&***name);
                spans.map(|span| &span.service).filter(needed).cloned().collect()
            };
            let before = sends(&run.traces);
            assert!(!before.is_empty(), "{topology:?}");
            for damage in matrix() {
                let mut traces = run.traces.clone();
                damage.apply(&mut traces, &scenario.needed(), scenario.seed);
                assert_eq!(sends(&traces), before, "{topology:?} {}", damage.name());
            }
        }
    }

    #[test]
    fn what_falls_short_is_said_with_what_was_asked_for() {
        let mut short = Vec::new();
        want(&mut short, "right", 0.98, 0.98..=1.0);
        want_none(&mut short, "loops", 0);
        assert!(short.is_empty(), "{short:?}");
        want(&mut short, "right", 0.915, 0.98..=1.0);
        want(&mut short, "error", 0.031, 0.0..=0.03);
        want(&mut short, "coverage", 0.981, 0.92..=0.98);
        want(&mut short, "of no run", f64::NAN, 0.0..=0.05);
        want_none(&mut short, "loops", 2);
        assert_eq!(
            short,
            [
                "right: 91.5 %, asked for at least 98.0 %",
                "error: 3.1 %, asked for at most 3.0 %",
                "coverage: 98.1 %, asked for 92.0 to 98.0 %",
                "of no run: NaN %, asked for at most 5.0 %",
                "loops: 2, asked for none",
            ]
        );
    }
}
