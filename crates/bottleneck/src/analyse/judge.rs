//! What may be said of each node, by flags of evidence.

use peakdrill_drill_model::verdict::{NodeKind, NodeVerdict};

use crate::analyse::Facts;
use crate::analyse::held;
use crate::analyse::law::{self, LEVELS};
use crate::analyse::onset::{began_here, onset};
use crate::analyse::resample::Resample;
use crate::analyse::saturation::{Saturation, saturation};
use crate::analyse::series::mean;
use crate::analyse::summary::Matter;
use crate::analyse::windows::{Level, levels};

/// A share of the growth from which on a node counts.
pub(crate) const SHARE: f64 = 0.2;
/// Growth at a node, as a part of a request's duration at light load, that is more than a disturbance.
const LARGE_PART: f64 = 0.5;
/// The same, in nanoseconds.
const LARGE_NS: f64 = 5_000_000.0;
/// Capacity and observed plateau that differ by no more than this part are the same.
pub(crate) const SAME: f64 = 0.1;
/// The system got less done than was asked for when it finished below this part of it.
pub(crate) const PLATEAU: f64 = 0.95;
/// Of all errors, the part that began at one node.
const ORIGIN: f64 = 0.5;

/// Flags of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Flags {
    /// Its share of the growth is above zero for sure, and large.
    pub(crate) share: bool,
    /// The same of a node that only waits for this one.
    pub(crate) holds: bool,
    /// It is waiting that grew, more than work.
    pub(crate) waiting: bool,
    /// It was full.
    pub(crate) full: bool,
    /// Its capacity is where the whole system's throughput stopped.
    pub(crate) plateau: bool,
    /// The waiting began here.
    pub(crate) onset: bool,
    /// Most errors began here.
    pub(crate) errors: bool,
    /// A resource of it was as full as it may be.
    pub(crate) used: bool,
}

impl Flags {
    /// Waiting is read from being full, and does not count beside it.
    fn independent(self) -> usize {
        [
            self.share || self.holds,
            self.waiting || self.full,
            self.plateau,
            self.onset,
            self.errors,
            self.used,
        ]
        .into_iter()
        .filter(|f| *f)
        .count()
    }

    pub(crate) fn verdict(self) -> NodeVerdict {
        match self.independent() {
            2.. if self.share || self.holds || self.plateau => NodeVerdict::Bottleneck,
            0 => NodeVerdict::Clear,
            _ => NodeVerdict::Contributor,
        }
    }
}

/// A node, judged.
pub(crate) struct Finding {
    /// Its position in the series.
    pub(crate) at: usize,
    pub(crate) verdict: NodeVerdict,
    pub(crate) flags: Flags,
    pub(crate) saturation: Option<Saturation>,
    /// Capacity by the bend of its curve.
    pub(crate) knee: Option<(f64, f64, f64)>,
    /// Onset of waiting, in seconds of the load.
    pub(crate) onset: Option<usize>,
    /// It waits because nodes behind it are full and hold all of its threads or connections: which of them.
    pub(crate) held_by: Vec<usize>,
    /// Nodes that wait for this one and for no smaller one, with a share of the growth that is this one's doing.
    pub(crate) holds: Vec<usize>,
    /// Others that limit the system, with a share of the growth, that it calls, directly or not, and that carry no more than
    /// it does: they are first.
    pub(crate) before: Vec<usize>,
}

impl Finding {
    /// What it carried while it was full, journeys a second: estimate, and 95 % interval.
    pub(crate) fn full_capacity(&self) -> Option<(f64, f64, f64)> {
        self.saturation.as_ref().and_then(|s| s.capacity)
    }

    /// Journeys a second: estimate, and 95 % interval.
    pub(crate) fn capacity(&self) -> Option<(f64, f64, f64)> {
        self.saturation.as_ref().map_or(self.knee, |s| s.capacity)
    }
}

/// Judges every node.
pub(crate) fn findings(facts: &Facts<'_>, matter: &Matter) -> Vec<Finding> {
    let levels = levels(facts.series, facts.windows, LEVELS);
    let onsets: Vec<Option<usize>> =
        facts.series.nodes.iter().map(|node| onset(node, &facts.windows.light, facts.common)).collect();
    let plateau = plateau(facts);
    let judge = |at: usize| {
        let (full, knee) = if facts.capacities { capacity(facts, at, &levels) } else { (None, None) };
        let flags = flags(facts, matter, at, full.as_ref(), &onsets, plateau);
        Finding {
            at,
            verdict: flags.verdict(),
            flags,
            saturation: full,
            knee,
            onset: onsets[at],
            held_by: Vec::new(),
            holds: Vec::new(),
            before: Vec::new(),
        }
    };
    let mut findings: Vec<Finding> = (0..facts.series.nodes.len()).map(judge).collect();
    let calls = held::Calls::new(facts);
    held::mark(facts, &calls, &mut findings);
    as_small(&mut findings);
    held::mark_before(facts, &calls, &mut findings);
    findings
}

/// A full node that carries no more than the one that is named limits as well: were the other one gone, the system
/// would stop at it. What waits in line before it waits at the other, so that it has little share of the growth.
fn as_small(findings: &mut [Finding]) {
    let full = Finding::full_capacity;
    let named = findings.iter().filter(|f| f.verdict == NodeVerdict::Bottleneck).filter_map(full);
    let Some((smallest, _, high)) = named.min_by(|a, b| a.0.total_cmp(&b.0)) else { return };
    for finding in findings.iter_mut().filter(|f| f.held_by.is_empty() && f.flags.full) {
        let as_small =
            |(capacity, low, _): (f64, f64, f64)| capacity <= smallest * (1.0 + SAME) && low <= high;
        if full(finding).is_some_and(as_small) {
            finding.flags.plateau = true;
            finding.verdict = finding.flags.verdict();
        }
    }
}

/// What a node did while it was full; else its capacity by the bend of its curve.
fn capacity(facts: &Facts<'_>, at: usize, levels: &[Level]) -> (Option<Saturation>, Option<(f64, f64, f64)>) {
    let (node, windows, common) = (&facts.series.nodes[at], facts.windows, facts.common);
    let settings = &facts.input.settings;
    let draws = Resample::new(settings.seed, 2 + at as u64);
    let full = saturation(node, facts.series, windows, common);
    if full.is_some() || node.key.kind == NodeKind::Queue {
        return (full, None);
    }
    (None, law::knee(node, levels, windows, common, settings.resamples, draws))
}

fn flags(
    facts: &Facts<'_>,
    matter: &Matter,
    at: usize,
    saturation: Option<&Saturation>,
    onsets: &[Option<usize>],
    plateau: Option<f64>,
) -> Flags {
    let (added, excess_ns) = (&facts.growths.added[at], facts.growths.excess_ns[at]);
    let share = facts.growths.excess_share[at].is_some_and(|(share, low, _)| low > 0.0 && share >= SHARE);
    let large = excess_ns >= (LARGE_PART * facts.growths.light_ns).max(LARGE_NS);
    let capacity = saturation.and_then(|s| s.capacity);
    Flags {
        share: share && matter.any(),
        holds: false,
        waiting: matter.any() && large && added.wait + added.gap > added.own + added.flow,
        full: saturation.is_some() && matter.any(),
        plateau: capacity.zip(plateau).is_some_and(|((capacity, low, high), plateau)| {
            (low..=high).contains(&plateau) || (plateau / capacity - 1.0).abs() <= SAME
        }),
        onset: matter.any() && large && began_here(facts, at, onsets),
        errors: matter.errors && error_part(facts, at) >= ORIGIN,
        used: matter.any() && facts.used.at_limit(at),
    }
}

/// The throughput at which the whole system stopped, where it got less done than was asked for.
pub(crate) fn plateau(facts: &Facts<'_>) -> Option<f64> {
    let inner = inner(&facts.windows.top);
    let (offered, finished) = (mean(&facts.series.offered, inner), mean(&facts.series.finished, inner));
    (finished > 0.0 && finished < PLATEAU * offered).then_some(finished)
}

/// The peak without its first seconds, in which the work had not come through yet.
pub(crate) fn inner(top: &[usize]) -> &[usize] {
    if top.len() > 4 { &top[2..] } else { top }
}

/// Of all errors of the load, the part that began at a node.
pub(crate) fn error_part(facts: &Facts<'_>, at: usize) -> f64 {
    let errors = |at: usize| facts.series.nodes[at].origin_errors.iter().sum::<f64>();
    let all: f64 = facts.series.errors_elsewhere + (0..facts.series.nodes.len()).map(errors).sum::<f64>();
    if all > 0.0 { errors(at) / all } else { 0.0 }
}

/// The limiting node first: bottlenecks by their share of the growth, with what waits for them elsewhere, but none before one
/// that it only stands in front of; then the others by their share; what has no share, by the time it takes at peak.
pub(crate) fn rank(findings: &mut [Finding], facts: &Facts<'_>) {
    let share = |at: usize| facts.growths.share[at].map_or(0.0, |(share, _, _)| share);
    let order = |f: &Finding| {
        let all = share(f.at) + f.holds.iter().map(|at| share(*at)).sum::<f64>();
        (f.verdict == NodeVerdict::Bottleneck, all, facts.growths.at_peak[f.at])
    };
    findings.sort_by(|a, b| {
        let ((la, sa, pa), (lb, sb, pb)) = (order(a), order(b));
        lb.cmp(&la).then(sb.total_cmp(&sa)).then(pb.total_cmp(&pa)).then(a.at.cmp(&b.at))
    });
    let mut at = 0;
    // Nobody stands before itself, in a circle neither: each turn takes one away that others come before.
    while at < findings.len() {
        let behind =
            (at + 1..findings.len()).find(|later| findings[at].before.contains(&findings[*later].at));
        match behind {
            Some(later) => findings[at..=later].rotate_right(1),
            None => at += 1,
        }
    }
}
