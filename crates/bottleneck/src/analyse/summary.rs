//! What the ranking may be taken for.

use peakdrill_drill_model::verdict::{AnalysisState, AnalysisSummary, NodeKind, NodeVerdict};
use peakdrill_latency::Sparse;

use crate::analyse::Facts;
use crate::analyse::judge::Finding;
use crate::analyse::series::{Series, is_load};
use crate::analyse::telemetry::Telemetry;
use crate::analyse::words::{ms, percent, rate};
use crate::key::{Entry, TraceClass};

/// Growth of a request's p90 that matters, as a part of that at light load ...
const GROWTH_PART: f64 = 0.2;
/// ... and at least so many nanoseconds.
const GROWTH_NS: f64 = 2_000_000.0;
/// The part of the mean at light load by which the critical path must have grown as well.
const PATH_PART: f64 = 0.1;
/// Errors at peak above those at light load, as a part of the roots.
const ERRORS: f64 = 0.02;
/// Completeness below which no verdict is given.
pub(crate) const COMPLETE: f64 = 0.9;
/// Fewer traced requests than this at light load or at peak say nothing.
const FEW_ROOTS: f64 = 20.0;

/// What is looked at of how long requests take.
const P90: f64 = 0.9;
/// So many standard errors of its rank to either side a step's p90 may be off.
const RANKS_OFF: f64 = 2.0;
/// Requests of a step at light load and at peak of which fewer say nothing of their p90.
const FEW_OF_STEP: i64 = 50;

/// Where spans were asked of a part of the requests, fewer of these at light load say nothing of a single node ...
const FEW_SAMPLED_LIGHT: f64 = 40.0;
/// ... and fewer than this at peak.
const FEW_SAMPLED_PEAK: f64 = 300.0;

/// Traces of requests that no spans were asked of, by those that were: more than this is no preflight.
const UNASKED: f64 = 0.1;

/// Whether anything changed that matters.
pub(crate) struct Matter {
    /// Requests took longer.
    pub(crate) latency: bool,
    /// Work behind hand-overs was delayed.
    pub(crate) flow: bool,
    /// Requests failed.
    pub(crate) errors: bool,
    /// Requests took longer in the seconds that were left out because all nodes were slow together.
    pub(crate) disturbed: bool,
    /// p90 of a request at light load and at peak, nanoseconds.
    pub(crate) p90_ns: Option<(f64, f64)>,
    /// Of a step, where that of all requests hardly grew: of the one that grew most.
    pub(crate) step_p90_ns: Option<(f64, f64)>,
}

impl Matter {
    pub(crate) fn any(&self) -> bool {
        self.latency || self.flow || self.errors
    }
}

/// Whether requests suffered at all.
pub(crate) fn matter(facts: &Facts<'_>) -> Matter {
    let (series, windows, growths) = (facts.series, facts.windows, facts.growths);
    let merged = |seconds: &[usize]| {
        let mut out = Sparse::default();
        seconds.iter().filter_map(|s| series.latency.get(*s)).for_each(|h| out.merge(h));
        out.quantile(0.9).map(|ns| ns as f64)
    };
    let p90_ns = merged(&windows.light).zip(merged(&windows.peak));
    let together = p90_ns.is_some_and(grew);
    let most = || steps(facts).max_by(|a, b| (a.1 - a.0).total_cmp(&(b.1 - b.0)));
    let step_p90_ns = if together { None } else { most() };
    let slower = together || step_p90_ns.is_some();
    let disturbed = merged(&windows.light).zip(merged(&windows.left_out)).is_some_and(grew);
    let floor = (PATH_PART * growths.light_ns).max(GROWTH_NS / 2.0);
    let failing = |seconds: &[usize]| {
        let (roots, errors) =
            seconds.iter().fold((0.0, 0.0), |(n, e), s| (n + series.roots[*s].0, e + series.roots[*s].1));
        if roots > 0.0 { errors / roots } else { 0.0 }
    };
    Matter {
        latency: slower && growths.sync_ns > floor,
        flow: growths.flow_ns > (GROWTH_PART * growths.light_ns).max(GROWTH_NS),
        errors: failing(&windows.peak) - failing(&windows.light) >= ERRORS,
        disturbed,
        p90_ns,
        step_p90_ns,
    }
}

/// Whether a p90 grew by more than does not matter, from light load to peak.
fn grew((light, peak): (f64, f64)) -> bool {
    peak - light > (GROWTH_PART * light).max(GROWTH_NS)
}

/// p90 at light load and at peak, nanoseconds, of each step whose requests suffered: of all requests together it tells
/// nothing of a step that few of them are. The smallest growth that both p90s leave open counts, as there may be many steps.
fn steps(facts: &Facts<'_>) -> impl Iterator<Item = (f64, f64)> {
    let (class, with_steps) = (facts.series.class, facts.series.with_steps);
    let roots = facts.cells.roots.iter();
    let many = |entry: &Entry| matches!(entry, Entry::Op(op) if facts.names.stands_for_many(op));
    let own = roots
        .filter(move |((entry, of), _)| *of == class && is_load(entry, class, with_steps) && !many(entry));
    own.filter_map(|(_, seconds)| {
        let over = |window: &[usize]| {
            let mut out = Sparse::default();
            let cells = window.iter().filter_map(|s| seconds.get(&i64::try_from(*s).ok()?));
            cells.for_each(|cell| out.merge(&cell.latency));
            let off = RANKS_OFF * (P90 * (1.0 - P90) / out.count() as f64).sqrt();
            let at = |q: f64| out.quantile(q.min(1.0)).map(|ns| ns as f64);
            (out.count() >= FEW_OF_STEP).then(|| Some((at(P90 - off)?, at(P90)?, at(P90 + off)?))).flatten()
        };
        let ((_, light, light_most), (peak_least, peak, _)) =
            over(&facts.windows.light).zip(over(&facts.windows.peak))?;
        grew((light_most, peak_least)).then_some((light, peak))
    })
}

/// The state of the analysis, and why. `withheld`: see [`withheld_because`].
pub(crate) fn summary(
    facts: &Facts<'_>,
    findings: &[Finding],
    matter: &Matter,
    mut withheld: Vec<String>,
    starved: Vec<String>,
) -> AnalysisSummary {
    let tested = facts.windows.tested;
    withheld.extend(starved);
    let found = findings.iter().filter(|f| f.verdict == NodeVerdict::Bottleneck);
    let name = |f: &Finding| facts.series.nodes[f.at].key.name.to_string();
    let names: Vec<String> = found.map(name).collect();
    if withheld.is_empty() && names.is_empty() && facts.common.much() && (matter.disturbed || matter.any()) {
        withheld.extend(together(facts));
    }
    let up_to = tested.map(|t| format!(" up to {}", rate(t))).unwrap_or_default();
    let (state, because) = if !withheld.is_empty() {
        (AnalysisState::Withheld, withheld)
    } else if names.is_empty() {
        (AnalysisState::NoneUpTo, nothing_because(facts, findings, matter, &up_to))
    } else {
        (AnalysisState::Found, found_because(facts, &names))
    };
    AnalysisSummary { state, tested_to_per_s: tested, because, knees: Vec::new() }
}

fn found_because(facts: &Facts<'_>, names: &[String]) -> Vec<String> {
    let mut out = vec![format!("{} limits the system", names.join(", "))];
    out.extend(together(facts).filter(|_| facts.common.left_out));
    out.extend(sampled(facts));
    out
}

/// That what is said follows from a part of the requests.
fn sampled(facts: &Facts<'_>) -> Option<String> {
    let part = facts.series.part;
    (part < 1.0).then(|| {
        format!(
            "nodes are judged by {} of the requests: services were asked for spans of these",
            part_of(part)
        )
    })
}

/// That all nodes were slow together in part of the peak.
fn together(facts: &Facts<'_>) -> Option<String> {
    let (out, all) = facts.common.together;
    let left_out = if facts.common.left_out { "; these are left out" } else { "" };
    (out > 0).then(|| {
        format!(
            "in {out} of {all} seconds of the peak most nodes became slower together, or suffered from it: what they share (the machine, its disk or network){left_out}"
        )
    })
}

fn nothing_because(facts: &Facts<'_>, findings: &[Finding], matter: &Matter, up_to: &str) -> Vec<String> {
    let mut out = vec![format!("no bottleneck{up_to}")];
    if let Some((light, peak)) = matter.p90_ns {
        out.push(format!(
            "nine of ten requests took at most {} at light load and {} at peak",
            ms(light),
            ms(peak)
        ));
    }
    if let Some((light, peak)) = matter.step_p90_ns {
        out.push(format!("of one step nine of ten took at most {} and {}", ms(light), ms(peak)));
    }
    if !facts.windows.rose {
        out.push("the rate hardly changed: the start of the load was compared with its end".to_owned());
    }
    out.extend(together(facts).filter(|_| facts.common.left_out));
    if matter.any() {
        let first = findings.first().and_then(|f| {
            let (share, _, _) = facts.growths.share[f.at]?;
            Some(format!(
                "; the largest part, {}, is at {}",
                percent(share),
                facts.series.nodes[f.at].key.name
            ))
        });
        let first = first.unwrap_or_default();
        out.push(format!("requests suffered, but no node shows two signs of being the cause{first}"));
    }
    let untaken = &facts.telemetry.untaken;
    if !untaken.is_empty() {
        out.push(format!(
            "nobody is seen to take from {}: whether messages wait there is not known until what consumes them exports its spans",
            untaken.join(", ")
        ));
    }
    out.extend(sampled(facts));
    out
}

/// Why no node is to be named; empty when there is no reason: too little is known of the requests, or too few are.
pub(crate) fn withheld_because(facts: &Facts<'_>, telemetry: &Telemetry) -> Vec<String> {
    let mut out = Vec::new();
    if none_asked(facts.series) {
        out.push(
            "services were asked for spans of none of the requests: trace a larger part of them (telemetry.traces)"
                .to_owned(),
        );
        return out;
    }
    if facts.series.nodes.is_empty() {
        out.push("no spans arrived: check that the services export to the collector".to_owned());
        return out;
    }
    if facts.windows.tested.is_none() {
        out.push("no request of the load is known".to_owned());
        return out;
    }
    if let Some(share) = telemetry.traced.filter(|share| *share < COMPLETE) {
        let entry = telemetry.entry.as_deref().map(|e| format!(" of {e}")).unwrap_or_default();
        out.push(format!("only {} of the requests have spans{entry}: raise its span queue (OTEL_BSP_MAX_QUEUE_SIZE) or lower OTEL_BSP_SCHEDULE_DELAY", percent(share)));
    }
    for (service, share) in &telemetry.thin {
        out.push(format!(
            "only {} of the calls to {service} have its spans: raise its span queue (OTEL_BSP_MAX_QUEUE_SIZE) or lower OTEL_BSP_SCHEDULE_DELAY",
            percent(*share)
        ));
    }
    out.extend(unasked(facts));
    if out.is_empty() {
        out.extend(too_few(facts));
    }
    out
}

/// That services between the first and others send nothing: what requests wait for is not known where the node that would
/// be named is one that sends no spans, and may only wait, or where none would be named.
pub(crate) fn silent(facts: &Facts<'_>, findings: &[Finding], matter: &Matter) -> Option<String> {
    let lost = &facts.telemetry.fatherless;
    let key = |f: &Finding| &facts.series.nodes[f.at].key;
    let mut named = findings.iter().filter(|f| f.verdict == NodeVerdict::Bottleneck).map(key).peekable();
    let none = named.peek().is_none();
    let external = named.find(|node| node.kind == NodeKind::External);
    let not_known = external.is_some() || none && matter.any();
    (!lost.is_empty() && not_known).then(|| {
        let parts: Vec<String> =
            lost.iter().map(|(name, part)| format!("{} of those of {name}", percent(*part))).collect();
        let at = external.map(|node| format!("requests wait at {}, which sends no spans: ", node.name));
        format!(
            "{}of the operations {} name a caller whose spans are not there, so that what requests wait for is not known: let every service export",
            at.unwrap_or_default(),
            parts.join(", ")
        )
    })
}

/// Whether there are requests, and none of them was to be traced.
fn none_asked(series: &Series) -> bool {
    let requests: f64 = series.roots.iter().map(|(requests, _)| requests).sum();
    requests > 0.0 && series.sampled.iter().sum::<f64>() <= 0.0
}

/// That services send spans of requests which they were not asked for: then nobody knows of how many nodes tell.
fn unasked(facts: &Facts<'_>) -> Option<String> {
    let series = facts.series;
    if series.part >= 1.0 {
        return None;
    }
    let mine = facts.cells.roots.iter().filter(|((_, class), _)| *class == TraceClass::Mine);
    let (mut asked, mut unasked) = (0, 0);
    for ((entry, _), seconds) in mine {
        let seen = seconds.values().map(|cell| cell.pathed).sum::<i64>();
        match entry {
            Entry::Step(_) => asked += seen,
            Entry::Op(_) => unasked += seen,
        }
    }
    (unasked as f64 > UNASKED * asked as f64 + FEW_ROOTS).then(|| {
        format!(
            "services sent spans of {unasked} requests that they were not asked for: sample by the caller (OTEL_TRACES_SAMPLER=parentbased_always_on)"
        )
    })
}

/// That there are too few requests whose spans were asked for to compare light load with peak.
fn too_few(facts: &Facts<'_>) -> Option<String> {
    let series = facts.series;
    let sampled = |seconds: &[usize]| seconds.iter().map(|s| series.sampled[*s]).sum::<f64>();
    let (light, peak) = (sampled(&facts.windows.light), sampled(&facts.windows.peak));
    if series.part >= 1.0 {
        let few = light < FEW_ROOTS || peak < FEW_ROOTS;
        return few.then(|| "too few requests at light load or at peak to compare the two".to_owned());
    }
    if light >= FEW_SAMPLED_LIGHT && peak >= FEW_SAMPLED_PEAK {
        return None;
    }
    let least = series.part * (FEW_SAMPLED_LIGHT / light.max(1.0)).max(FEW_SAMPLED_PEAK / peak.max(1.0));
    let enough = if least < 1.0 {
        format!("trace {} or more of them", part_of(least))
    } else {
        "trace all of them, or let light load and peak last longer".to_owned()
    };
    Some(format!(
        "{} of the requests were traced, {light:.0} at light load and {peak:.0} at peak: too few to name a node; {enough}",
        part_of(series.part)
    ))
}

/// A part that may be small.
fn part_of(part: f64) -> String {
    let percent = part * 100.0;
    if percent >= 9.95 { format!("{percent:.0} %") } else { format!("{percent:.1} %") }
}
