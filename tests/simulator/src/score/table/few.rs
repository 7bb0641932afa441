//! Runs of which a part of the requests is traced.

use std::ops::RangeInclusive;

use super::text::{interval, of, row};
use super::want;
use crate::scenario::{Kind, Scenario};
use crate::score::{Sampled, judge_sampled};
use crate::topology::Topology;

/// Part of the requests that is traced, and how many times as large as in the rest of the page the systems are.
const RUNS: [(f64, u32); 3] = [(0.01, 1), (0.01, 20), (0.01, 200)];
/// Runs whose part must be enough: the row that is held against a limit.
const ENOUGH: (f64, u32) = (0.01, 200);
/// The part of the runs of which the same must be said; that too little was traced is not the same.
const SAME: f64 = 0.98;

/// The section of the page; none where no family of those it is about is run.
pub(super) fn section(
    families: &[Topology],
    seeds: &RangeInclusive<u64>,
    short: &mut Vec<String>,
) -> Option<String> {
    let small: Vec<Topology> =
        families.iter().copied().filter(|t| !t.whole_system() && !t.held_out()).collect();
    if small.is_empty() {
        return None;
    }
    let head = [
        "traced",
        "systems",
        "runs",
        "requests, median",
        "traced, median",
        "the same is said",
        "too few, which is said",
        "of the others, the same",
    ];
    let mut out = row(&head) + &row(&head.map(|_| "---"));
    for (part, times) in RUNS {
        let runs = runs(&small, part, times, seeds);
        let (same, few) = (count(&runs, Sampled::same), count(&runs, Sampled::inconclusive));
        let said = runs.len() - few;
        let both = count(&runs, |run| run.same() && !run.inconclusive());
        if (part, times) == ENOUGH {
            let what = "the same is said by 1 % of the requests";
            want(short, what, same as f64 / runs.len().max(1) as f64, SAME..=1.0);
        }
        out += &row(&[
            &format!("{} %", part * 100.0),
            &if times == 1 { "as above".to_owned() } else { format!("{times} times as large") },
            &runs.len().to_string(),
            &median(runs.iter().map(|run| run.requests)),
            &median(runs.iter().map(|run| run.traced)),
            &interval(same, runs.len()),
            &of(few, runs.len()),
            &interval(both, said),
        ]);
    }
    Some(format!(
        "## A part of the requests traced\n\nThe generator draws which by their trace ids; the same run, judged by all traces and by \
         these. Half of the runs have one bottleneck, half have none. Of the {} families developed with that are \
         small: whole systems two hundred times over are more than a usual machine's memory.\n\n{out}",
        small.len()
    ))
}

fn runs(small: &[Topology], part: f64, times: u32, seeds: &RangeInclusive<u64>) -> Vec<Sampled> {
    let kinds = [Kind::Single, Kind::Control];
    let every = small.iter().flat_map(|t| kinds.map(|kind| (*t, kind)));
    let every = every.flat_map(|(t, kind)| seeds.clone().map(move |seed| (t, kind, seed)));
    every.map(|(t, kind, seed)| judge_sampled(Scenario::new(t, kind, seed).larger(times), part)).collect()
}

fn count(runs: &[Sampled], what: impl Fn(&Sampled) -> bool) -> usize {
    runs.iter().filter(|run| what(run)).count()
}

fn median(counts: impl Iterator<Item = usize>) -> String {
    let mut sorted: Vec<usize> = counts.collect();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).map_or_else(|| "–".to_owned(), usize::to_string)
}
