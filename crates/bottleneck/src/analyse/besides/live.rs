//! Live users that the drill hurts: what they wait for, or the part of it that fails, grows with the drill's load.

use std::collections::BTreeMap;

use peakdrill_drill_model::verdict::{Finding, FindingKind};

use crate::analyse::Facts;
use crate::analyse::words::{ms, percent, rate};
use crate::cells::{NodeCell, RootCell, Seconds};
use crate::key::{NodeKey, TraceClass};

use super::change::{Part, change, mean, more, sum, times};

/// Fewer live requests than this at light load or at peak say nothing.
const FEW: f64 = 20.0;
/// Their time must have grown by this factor, and by the other one at the low end of the interval; by so many
/// nanoseconds as well.
const REQUESTS: Bounds = Bounds { times: 2.0, for_sure: 1.5, ns: 10_000_000.0 };
/// The same of the own time of a node: one piece of a request varies more than the whole.
const NODE: Bounds = Bounds { times: 3.0, for_sure: 2.0, ns: 20_000_000.0 };
/// The part that fails must have grown by this ...
const FAILING: f64 = 0.02;
/// ... and by this one at the low end of the interval.
const FAILING_FOR_SURE: f64 = 0.005;
/// Fewer errors than this at peak say nothing.
const FEW_ERRORS: f64 = 5.0;
/// And by so many standard errors of the two: there are few live users, and several nodes to look at.
const ERRORS: f64 = 3.0;
/// Of what more is asked at peak, the part that is the drill's.
const BY_DRILL: f64 = 0.5;
/// Of what live requests suffer as a whole, the part that is most of it at one node.
const MOST: f64 = 0.5;
/// Nodes that are told of, where live requests as a whole do not show it.
const NODES_MAX: usize = 3;

struct Bounds {
    times: f64,
    for_sure: f64,
    ns: f64,
}

/// What live users had of the system, or of one node: time and errors.
#[derive(Default)]
struct Live {
    /// Per second of light load and of the peak: nanoseconds, and how many.
    took: [Vec<Part>; 2],
    /// The same of errors.
    failed: [Vec<Part>; 2],
}

/// How they suffered.
struct Hurt {
    /// Mean nanoseconds at light load and at peak.
    took_ns: Option<(f64, f64)>,
    /// The part that failed.
    failed: Option<(f64, f64)>,
}

pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    if !facts.windows.rose || !drill_rose(facts) {
        return Vec::new();
    }
    let users = users(facts);
    let nodes = nodes(facts);
    if let Some(hurt) = users.hurt(facts, &REQUESTS) {
        let place = if hurt.took_ns.is_some() {
            most(&nodes, &users, |live| &live.took)
        } else {
            most(&nodes, &users, |live| &live.failed)
        };
        return vec![told(facts, place, &hurt, true)];
    }
    let mut hurt: Vec<(f64, &NodeKey, Hurt)> = nodes
        .iter()
        .filter_map(|(key, live)| Some((live.added(&users, |l| &l.took), key, live.hurt(facts, &NODE)?)))
        .collect();
    hurt.sort_by(|a, b| b.0.total_cmp(&a.0));
    hurt.truncate(NODES_MAX);
    hurt.iter().map(|(_, key, hurt)| told(facts, nodes.get_key_value(*key), hurt, false)).collect()
}

/// Whether most of what more was asked at peak is the drill's.
fn drill_rose(facts: &Facts<'_>) -> bool {
    let by = |class: Option<TraceClass>| {
        let at = |seconds: &[usize]| facts.series.offered_by(class, seconds);
        at(&facts.windows.peak) - at(&facts.windows.light)
    };
    by(Some(TraceClass::Mine)) >= BY_DRILL * by(None).max(0.0)
}

impl Live {
    fn add<C>(&mut self, facts: &Facts<'_>, seconds: &Seconds<C>, of: impl Fn(&C) -> (Part, Part)) {
        let windows = [&facts.windows.light, &facts.windows.peak];
        for (which, window) in windows.into_iter().enumerate() {
            let (took, failed) = (&mut self.took[which], &mut self.failed[which]);
            took.resize(window.len(), (0.0, 0.0));
            failed.resize(window.len(), (0.0, 0.0));
            for (second, sums) in window.iter().zip(took.iter_mut().zip(failed)) {
                let cell = i64::try_from(*second).ok().and_then(|s| seconds.get(&s));
                let Some((time, errors)) = cell.map(|cell| of(cell)) else { continue };
                *sums.0 = (sums.0.0 + time.0, sums.0.1 + time.1);
                *sums.1 = (sums.1.0 + errors.0, sums.1.1 + errors.1);
            }
        }
    }

    fn hurt(&self, facts: &Facts<'_>, bounds: &Bounds) -> Option<Hurt> {
        let many = |parts: &[Part]| parts.iter().map(|(_, many)| many).sum::<f64>();
        if self.took.iter().any(|parts| many(parts) < FEW) {
            return None;
        }
        let settings = &facts.input.settings;
        let [light, peak] = &self.took;
        let slower = mean(light).zip(mean(peak)).filter(|(light, peak)| {
            *peak >= bounds.times * light
                && peak - light >= bounds.ns
                && change(&self.took[0], &self.took[1], times, settings)
                    .is_some_and(|c| c.low >= bounds.for_sure)
        });
        let [light, peak] = &self.failed;
        let errors: f64 = peak.iter().map(|(errors, _)| errors).sum();
        let failing = mean(light).zip(mean(peak)).filter(|(light, peak)| {
            peak - light >= FAILING
                && errors >= FEW_ERRORS
                && not_by_chance(&self.failed)
                && change(&self.failed[0], &self.failed[1], more, settings)
                    .is_some_and(|c| c.low >= FAILING_FOR_SURE)
        });
        (slower.is_some() || failing.is_some()).then_some(Hurt { took_ns: slower, failed: failing })
    }

    /// What a request had more of it at peak than at light load.
    fn added(&self, users: &Self, of: impl Fn(&Self) -> &[Vec<Part>; 2]) -> f64 {
        let each = |which: usize| {
            let much: f64 = of(self)[which].iter().map(|(much, _)| much).sum();
            let requests: f64 = users.took[which].iter().map(|(_, many)| many).sum();
            much / requests.max(1.0)
        };
        each(1) - each(0)
    }
}

/// Whether two parts of many differ by more than counting makes of one and the same.
fn not_by_chance([light, peak]: &[Vec<Part>; 2]) -> bool {
    let ((few, of_few), (many, of_many)) = (sum(light), sum(peak));
    let both = (few + many) / (of_few + of_many).max(1.0);
    let error = (both * (1.0 - both) * (1.0 / of_few + 1.0 / of_many)).sqrt();
    many / of_many - few / of_few > ERRORS * error
}

/// Live requests as a whole.
fn users(facts: &Facts<'_>) -> Live {
    let mut out = Live::default();
    for (_, seconds) in facts.cells.roots.iter().filter(|((_, class), _)| *class == TraceClass::Live) {
        out.add(facts, seconds, |cell: &RootCell| {
            let many = cell.count as f64;
            ((cell.latency.sum_ns() as f64, many), (cell.errors as f64, many))
        });
    }
    out
}

/// What live requests had of each node itself: without what lies behind it, and errors that began there.
fn nodes(facts: &Facts<'_>) -> BTreeMap<NodeKey, Live> {
    let mut out: BTreeMap<NodeKey, Live> = BTreeMap::new();
    let named = |(key, class): &(NodeKey, TraceClass)| {
        *class == TraceClass::Live && !facts.names.stands_for_many(&key.name)
    };
    for ((key, _), seconds) in facts.cells.nodes.iter().filter(|(key, _)| named(key)) {
        out.entry(facts.names.of(key)).or_default().add(facts, seconds, |cell: &NodeCell| {
            let many = cell.ops as f64;
            ((cell.own.sum_ns() as f64, cell.own.count() as f64), (cell.origin_errors as f64, many))
        });
    }
    out
}

type Place<'a> = Option<(&'a NodeKey, &'a Live)>;

/// Where most of what requests have more is, if it is at one node: of time, or of errors that began there.
fn most<'a>(
    nodes: &'a BTreeMap<NodeKey, Live>,
    users: &Live,
    of: impl Fn(&Live) -> &[Vec<Part>; 2],
) -> Place<'a> {
    let added = nodes.iter().map(|(key, live)| (live.added(users, &of), (key, live)));
    let (most, place) = added.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (most >= MOST * users.added(users, &of)).then_some(place)
}

fn told(facts: &Facts<'_>, place: Place<'_>, hurt: &Hurt, whole: bool) -> Finding {
    let offered = |seconds: &[usize]| rate(facts.series.offered_by(Some(TraceClass::Mine), seconds));
    let mut what = Vec::new();
    if let Some((light, peak)) = hurt.took_ns {
        what.push(format!("took {} on average instead of {}", ms(peak), ms(light)));
    }
    if let Some((light, peak)) = hurt.failed {
        what.push(format!("failed in {} of the cases instead of {}", percent(peak), percent(light)));
    }
    let what = what.join(" and ");
    let name = place.map_or("live users", |(key, _)| &*key.name);
    let took = place.and_then(|(_, live)| mean(&live.took[0]).zip(mean(&live.took[1])));
    let there = match (whole, hurt.took_ns, took) {
        (true, Some(_), Some((light, peak))) => {
            format!("; most of it at {name} ({} a call instead of {})", ms(peak), ms(light))
        }
        (true, None, Some(_)) => format!("; most of these errors began at {name}"),
        _ => String::new(),
    };
    let first = place
        .map_or_else(String::new, |_| format!("; {name} first needs a part that is kept for live users"));
    let whose = if whole { "their requests".to_owned() } else { format!("their calls of {name}") };
    Finding {
        kind: FindingKind::LiveUsersHurt,
        node: name.to_owned(),
        text: format!(
            "LIVE USERS WERE HURT: while the drill sent {} instead of {}, {whose} {what}{there}",
            offered(&facts.windows.peak),
            offered(&facts.windows.light),
        ),
        action: format!(
            "lower the peak, set a guard on the metrics of live traffic that stops the drill earlier, or drill while \
             fewer users are there{first}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use peakdrill_drill_model::verdict::NodeKind;

    use super::*;

    /// A hundred requests or calls, at light load and at peak.
    fn live(light_ms: f64, peak_ms: f64) -> Live {
        let of = |ms: f64| vec![(100.0 * ms * 1e6, 100.0)];
        Live { took: [of(light_ms), of(peak_ms)], ..Live::default() }
    }

    #[test]
    fn what_is_spread_over_nodes_is_not_most_of_it_at_one() {
        let place = |nodes: &[(f64, f64)]| {
            let key = |at: usize| NodeKey { name: at.to_string().into(), kind: NodeKind::Service };
            let nodes: BTreeMap<NodeKey, Live> =
                nodes.iter().enumerate().map(|(at, (light, peak))| (key(at), live(*light, *peak))).collect();
            most(&nodes, &live(30.0, 130.0), |live| &live.took).map(|(key, _)| key.name.to_string())
        };
        assert_eq!(place(&[(10.0, 20.0), (10.0, 70.0), (10.0, 40.0)]).as_deref(), Some("1"));
        assert_eq!(place(&[(10.0, 40.0), (10.0, 45.0), (10.0, 45.0)]), None);
        // Spans are lost: nothing of it is to be seen at a node.
        assert_eq!(place(&[(10.0, 5.0), (10.0, 9.0)]), None);
        assert_eq!(place(&[]), None);
    }
}
