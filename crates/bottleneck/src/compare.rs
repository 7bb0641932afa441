//! Two sets of traces that no drill made: what changed from the one to the other, and where.
//!
//! Own time is compared per entry on the critical path. Time between two nodes (a pool, the network, a queue
//! of connections, or a callee that sends no spans) belongs to neither by itself: it is charged to the end
//! whose calls changed more generally. A slow network card shows on all edges of its node, and on one edge
//! of each neighbour.

use std::collections::BTreeMap;
use std::sync::Arc;

use peakdrill_drill_model::verdict::NodeKind;

use crate::analyse::{Names, ms, percent};
use crate::analysis::Ranked;
use crate::cells::{Cell as _, Cells, EdgeCell, NodeCell, PathCell, RootCell};
use crate::key::{EdgeKey, Entry, LOAD, NodeKey, USERS};

/// Fewer roots or calls than this on either side are not compared.
const FEW: i64 = 3;
/// An edge is affected when a call over it took longer by this part of what the most affected one grew by ...
const AFFECTED_PART: f64 = 0.2;
/// ... and by so many nanoseconds.
const AFFECTED_NS: f64 = 500_000.0;
/// Growth of less than this a request is noise, nanoseconds.
const NOISE_NS: f64 = 10_000.0;

/// One side of the comparison, summed over all seconds and classes.
struct Side {
    roots: BTreeMap<Entry, RootCell>,
    paths: BTreeMap<(Entry, NodeKey), PathCell>,
    edges: BTreeMap<(Arc<str>, NodeKey, Arc<str>), EdgeCell>,
    nodes: BTreeMap<NodeKey, NodeCell>,
    requests: f64,
}

/// What changed over one edge, per call and per request.
struct EdgeGrowth {
    from: Arc<str>,
    to: NodeKey,
    before_ns: f64,
    after_ns: f64,
    /// Nanoseconds a request.
    added_ns: f64,
}

/// What is charged to a node, nanoseconds a request.
#[derive(Default)]
struct Charge {
    own_ns: f64,
    between_ns: f64,
    /// Operations a request.
    visits: f64,
    evidence: Vec<String>,
}

impl Charge {
    /// The geometric mean of what a request lost at the node, and what one visit of it lost: by the first
    /// alone, a little drift of what every request needs would outweigh the collapse of what few need.
    fn weight(&self) -> f64 {
        let request = (self.own_ns.max(0.0) + self.between_ns.max(0.0) - NOISE_NS).max(0.0);
        if self.visits > 0.0 { request / self.visits.sqrt() } else { 0.0 }
    }
}

/// What changed from one set of traces to another.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Nodes by what changed, the first one first. The scores are shares of all that grew; what only errors tell comes
    /// after.
    pub ranking: Vec<Ranked>,
    /// What is not compared because there are too many names in both together, in words; of both together fewer may be kept
    /// than of either.
    pub left_out: Vec<String>,
}

/// Ranks nodes by what changed from `baseline` to `loaded`.
#[must_use]
pub fn compare(baseline: &Cells, loaded: &Cells) -> Comparison {
    // Names are learnt from both, so that a node is called the same on both sides. Messages that were told of are not joined.
    let mut both = baseline.shown();
    both.merge(&loaded.shown());
    let names = Names::new(&both);
    let (baseline, loaded) = (baseline.named_as(&both), loaded.named_as(&both));
    let (before, after) = (Side::new(&baseline, &names), Side::new(&loaded, &names));
    let mut charges: BTreeMap<NodeKey, Charge> = BTreeMap::new();
    let nodes = before.nodes.keys().chain(after.nodes.keys());
    for node in nodes.filter(|node| !names.stands_for_many(&node.name)) {
        let visits = after.nodes.get(node).map_or(0.0, |cell| cell.ops as f64 / after.requests);
        charges.insert(node.clone(), Charge { visits, ..Charge::default() });
    }
    charge_own(&before, &after, &mut charges);
    charge_between(&before, &after, &mut charges);
    charge_errors(&before, &after, &mut charges);
    Comparison { ranking: ranked(charges), left_out: both.left_out_names("of these traces") }
}

fn ranked(charges: BTreeMap<NodeKey, Charge>) -> Vec<Ranked> {
    let weight = Charge::weight;
    let all: f64 = charges.values().map(weight).sum();
    let mut out: Vec<Ranked> = charges
        .into_iter()
        .map(|(node, charge)| Ranked {
            score: if all > 0.0 { weight(&charge) / all } else { 0.0 },
            node: node.name.to_string(),
            kind: node.kind,
            evidence: charge.evidence,
        })
        .collect();
    out.sort_by(|a, b| b.score.total_cmp(&a.score).then(b.evidence.len().cmp(&a.evidence.len())));
    out
}

impl Side {
    fn new(cells: &Cells, names: &Names) -> Self {
        let mut side = Self {
            roots: BTreeMap::new(),
            paths: BTreeMap::new(),
            edges: BTreeMap::new(),
            nodes: BTreeMap::new(),
            requests: 0.0,
        };
        let is_mixed = |entry: &Entry| matches!(entry, Entry::Op(op) if names.stands_for_many(op));
        for ((entry, _), seconds) in &cells.roots {
            let sum = side.roots.entry(entry.clone()).or_default();
            seconds.values().for_each(|cell| sum.add(cell));
        }
        // Requests and calls that came in different ways are compared with their like alone.
        for ((entry, _, node), seconds) in cells.paths.iter().filter(|((entry, ..), _)| !is_mixed(entry)) {
            let sum = side.paths.entry((entry.clone(), names.of(node))).or_default();
            seconds.values().for_each(|cell| sum.add(cell));
        }
        let is_of_many = |edge: &EdgeKey| {
            [&edge.from, &edge.to.name, &edge.op].iter().any(|name| names.stands_for_many(name))
        };
        for ((edge, _), seconds) in cells.edges.iter().filter(|((edge, _), _)| !is_of_many(edge)) {
            let key = (Arc::clone(&edge.from), names.of(&edge.to), Arc::clone(&edge.op));
            let sum = side.edges.entry(key).or_default();
            seconds.values().for_each(|cell| sum.add(cell));
        }
        for ((node, _), seconds) in &cells.nodes {
            let sum = side.nodes.entry(names.of(node)).or_default();
            seconds.values().for_each(|cell| sum.add(cell));
        }
        side.requests = side.roots.values().map(|cell| cell.count as f64).sum::<f64>().max(1.0);
        side
    }
}

/// Own time of services on critical paths, entry by entry, weighted by the entries' share of the requests.
fn charge_own(before: &Side, after: &Side, charges: &mut BTreeMap<NodeKey, Charge>) {
    let enough = |side: &Side, entry: &Entry| side.roots.get(entry).is_some_and(|cell| cell.pathed >= FEW);
    let mut means: BTreeMap<&NodeKey, (f64, f64)> = BTreeMap::new();
    for (side, is_after) in [(before, false), (after, true)] {
        for ((entry, node), cell) in &side.paths {
            // A callee without spans of its own is judged by its edges.
            if !enough(before, entry) || !enough(after, entry) || !has_own_time(node) {
                continue;
            }
            let weight = after.roots[entry].pathed as f64 / after.requests;
            let spent = (cell.self_ns + cell.wait_ns + cell.flow_ns) as f64;
            let mean = weight * spent / side.roots[entry].pathed as f64;
            let sums = means.entry(node).or_default();
            *(if is_after { &mut sums.1 } else { &mut sums.0 }) += mean;
        }
    }
    for (node, (light, peak)) in means {
        let Some(charge) = charges.get_mut(node) else { continue };
        charge.own_ns = peak - light;
        if peak - light > NOISE_NS {
            charge.evidence.push(format!(
                "time in {} itself grew from {} to {} a request",
                node.name,
                ms(light),
                ms(peak)
            ));
        }
    }
}

fn has_own_time(node: &NodeKey) -> bool {
    matches!(node.kind, NodeKind::Service | NodeKind::Queue)
}

/// Time between a caller's and a callee's span, and of calls to nodes without spans, operation by operation.
fn edge_growths(before: &Side, after: &Side) -> Vec<EdgeGrowth> {
    let mut out: BTreeMap<(Arc<str>, NodeKey), (f64, f64, f64)> = BTreeMap::new();
    for ((from, to, op), late) in &after.edges {
        let Some(early) = before.edges.get(&(Arc::clone(from), to.clone(), Arc::clone(op))) else { continue };
        if &**from == LOAD || &**from == USERS {
            continue;
        }
        let mean = |cell: &EdgeCell| match (cell.paired, cell.latency.count()) {
            (FEW.., _) => Some(cell.gap_ns as f64 / cell.paired as f64),
            (0, FEW..) if to.kind != NodeKind::Service => {
                Some(cell.latency.sum_ns() as f64 / cell.latency.count() as f64)
            }
            _ => None,
        };
        let (Some(light), Some(peak)) = (mean(early), mean(late)) else { continue };
        let calls = late.attempts as f64;
        let sum = out.entry((Arc::clone(from), to.clone())).or_default();
        *sum = (sum.0 + light * calls, sum.1 + peak * calls, sum.2 + calls);
    }
    let per_request = after.requests;
    out.into_iter()
        .map(|((from, to), (light, peak, calls))| EdgeGrowth {
            from,
            to,
            before_ns: light / calls,
            after_ns: peak / calls,
            added_ns: (peak - light) / per_request,
        })
        .collect()
}

fn charge_between(before: &Side, after: &Side, charges: &mut BTreeMap<NodeKey, Charge>) {
    let edges = edge_growths(before, after);
    let most = edges.iter().map(|e| e.after_ns - e.before_ns).fold(0.0, f64::max);
    let affected = |e: &EdgeGrowth| e.after_ns - e.before_ns >= (AFFECTED_PART * most).max(AFFECTED_NS);
    // Of a node's edges: how many are affected, and how many there are.
    let hit = |name: &Arc<str>| {
        let touching = edges.iter().filter(|e| e.from == *name || e.to.name == *name);
        touching.fold((0_u32, 0_u32), |(hit, all), e| (hit + u32::from(affected(e)), all + 1))
    };
    let part = |name: &Arc<str>| {
        let (hit, all) = hit(name);
        f64::from(hit) / f64::from(all.max(1))
    };
    for edge in &edges {
        let caller = NodeKey { name: Arc::clone(&edge.from), kind: NodeKind::Service };
        let to_caller = part(&edge.from) > part(&edge.to.name) && charges.contains_key(&caller);
        let charged = if to_caller { &caller } else { &edge.to };
        let Some(charge) = charges.get_mut(charged) else { continue };
        charge.between_ns += edge.added_ns;
        if affected(edge) {
            let (hit, all) = hit(&charged.name);
            charge.evidence.push(format!(
                "a call from {} to {} took {} longer outside of the work of both; {hit} of {all} edges of {} are like that",
                edge.from,
                edge.to.name,
                ms(edge.after_ns - edge.before_ns),
                charged.name,
            ));
        }
    }
}

fn charge_errors(before: &Side, after: &Side, charges: &mut BTreeMap<NodeKey, Charge>) {
    for (node, late) in &after.nodes {
        let part = |cell: &NodeCell| cell.origin_errors as f64 / cell.ops.max(1) as f64;
        let (light, peak) = (before.nodes.get(node).map_or(0.0, part), part(late));
        if late.origin_errors >= FEW
            && peak > 2.0 * light
            && let Some(charge) = charges.get_mut(node)
        {
            charge.evidence.push(format!(
                "{} of its operations failed of themselves ({} before)",
                percent(peak),
                percent(light)
            ));
        }
    }
}
