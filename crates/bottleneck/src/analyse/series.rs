//! The cells, unrolled: per node and second of the load.

use std::collections::{BTreeMap, BTreeSet};

use peakdrill_latency::Sparse;

use crate::analyse::names::Names;
use crate::analyse::telemetry::Telemetry;
use crate::analyse::visits::{self, Visits};
use crate::analysis::AnalysisInput;
use crate::cells::{Cell as _, Cells, NodeCell};
use crate::key::{Entry, NodeKey, TraceClass};

/// How long work that is left over at the end of the load is followed, in seconds.
const TAIL_LIMIT_S: i64 = 120;
/// Longest load that is looked at, in seconds: a day.
const LOAD_LIMIT_S: i64 = 86_400;
/// Below this many roots of the drill, live traffic's are taken for the mix as well.
const FEW_ROOTS: f64 = 30.0;

/// One node, per second.
pub(crate) struct NodeSeries {
    pub(crate) key: NodeKey,
    /// Operations that ended.
    pub(crate) done: Vec<f64>,
    /// Operations that were cut off.
    pub(crate) abandoned: Vec<f64>,
    /// Mean number of operations at the node, without those that wait for nodes behind it.
    pub(crate) at_node: Vec<f64>,
    /// What was taken back from [`Self::at_node`] because spans were lost: an estimate, good to about its own size.
    pub(crate) taken_back: Vec<f64>,
    /// Operations by the second of the intended time.
    pub(crate) ops: Vec<f64>,
    /// Own time by the second of the intended time.
    pub(crate) own: Vec<Option<Sparse>>,
    /// Sum of the own time, nanoseconds, and number of operations in it.
    own_sums: Vec<(f64, f64)>,
    /// Time in calls: of the operations of a second's roots, nanoseconds, and of a second of the clock, operations.
    in_calls: Vec<(f64, f64)>,
    /// Errors that began here, by the second of the intended time.
    pub(crate) origin_errors: Vec<f64>,
    /// Sums over all seconds.
    pub(crate) total: NodeCell,
    /// Visits a journey, per class of traffic.
    visits: BTreeMap<TraceClass, Visits>,
}

/// A run, per second.
pub(crate) struct Series {
    /// Seconds of the load: the first so many of each vector.
    pub(crate) load: usize,
    /// Journeys that were due, live traffic included.
    pub(crate) offered: Vec<f64>,
    /// The same per class.
    offered_of: BTreeMap<TraceClass, Vec<f64>>,
    /// Journeys that were started, live traffic included.
    pub(crate) started: Vec<f64>,
    /// Requests of all classes, by intended second.
    pub(crate) requests: Vec<f64>,
    /// Journeys whose first request ended.
    pub(crate) finished: Vec<f64>,
    /// Latency of the drill's own roots by intended second; of all where the drill has none.
    pub(crate) latency: Vec<Sparse>,
    /// Roots of the same, and those that failed.
    pub(crate) roots: Vec<(f64, f64)>,
    /// Of these, those of which spans were asked for.
    pub(crate) sampled: Vec<f64>,
    /// Their part of all. What nodes did is counted on it, of all classes of traffic: what few spans say is no more
    /// because they stand for many. Times its reciprocal it is what they did.
    pub(crate) part: f64,
    /// Nodes, by key, but for those that stand for many.
    pub(crate) nodes: Vec<NodeSeries>,
    /// Errors that began at those.
    pub(crate) errors_elsewhere: f64,
    /// The class that growth is measured on.
    pub(crate) class: TraceClass,
    /// Whether there are a generator's rows.
    pub(crate) with_steps: bool,
}

/// Whether roots of this entry are requests of the load. With a generator's rows, other traces of the drill are probes,
/// or of requests that services were asked for no spans of and sent some all the same: they have rows of their own.
pub(crate) fn is_load(entry: &Entry, class: TraceClass, with_steps: bool) -> bool {
    matches!(entry, Entry::Step(_)) || class != TraceClass::Mine || !with_steps
}

/// Whether roots of this entry start a journey.
pub(crate) fn starts_journey(
    input: &AnalysisInput,
    entry: &Entry,
    class: TraceClass,
    with_steps: bool,
) -> bool {
    match entry {
        Entry::Step(step) => input.first_steps.is_empty() || input.first_steps.contains(step),
        Entry::Op(_) => is_load(entry, class, with_steps),
    }
}

impl Series {
    pub(crate) fn new(cells: &Cells, input: &AnalysisInput, names: &Names, telemetry: &Telemetry) -> Self {
        let last_root =
            cells.roots.values().filter_map(|s| s.iter().rev().find(|(_, c)| c.count != 0)).map(|(s, _)| *s);
        let load =
            if input.load_seconds > 0 { input.load_seconds } else { last_root.max().map_or(0, |s| s + 1) };
        let load = load.clamp(0, LOAD_LIMIT_S);
        let last_done =
            cells.nodes.values().filter_map(|s| s.iter().rev().find(|(_, c)| c.done != 0)).map(|(s, _)| *s);
        let last = last_done.filter(|s| *s <= load + TAIL_LIMIT_S).max().map_or(load, |s| (s + 1).max(load));
        let len = usize::try_from(last).unwrap_or(0);
        let with_steps =
            cells.roots.keys().any(|(e, c)| *c == TraceClass::Mine && matches!(e, Entry::Step(_)));
        let class = if cells.roots.keys().any(|(_, c)| *c == TraceClass::Mine) {
            TraceClass::Mine
        } else {
            TraceClass::Live
        };
        let mut series = Self {
            load: usize::try_from(load).unwrap_or(0),
            offered: vec![0.0; len],
            offered_of: BTreeMap::new(),
            started: vec![0.0; len],
            requests: vec![0.0; len],
            finished: vec![0.0; len],
            latency: vec![Sparse::default(); len],
            roots: vec![(0.0, 0.0); len],
            sampled: vec![0.0; len],
            part: sampled_part(cells),
            nodes: Vec::new(),
            errors_elsewhere: 0.0,
            class,
            with_steps,
        };
        series.add_roots(cells, input);
        series.add_offered(input);
        let stubbed = Stubbed::of(cells, names);
        series.add_nodes(cells, names, &stubbed, telemetry);
        series.add_visits(cells, input, names, &stubbed);
        series
    }

    /// The position of a second, if it is one of the run.
    fn at(&self, second: i64) -> Option<usize> {
        usize::try_from(second).ok().filter(|s| *s < self.offered.len())
    }

    fn add_roots(&mut self, cells: &Cells, input: &AnalysisInput) {
        for ((entry, class), seconds) in &cells.roots {
            let journey = starts_journey(input, entry, *class, self.with_steps);
            let own = *class == self.class && is_load(entry, *class, self.with_steps);
            for (second, cell) in seconds {
                let Some(at) = self.at(*second) else { continue };
                self.requests[at] += cell.count as f64;
                if journey {
                    let of = self.offered_of.entry(*class).or_insert_with(|| vec![0.0; self.started.len()]);
                    of[at] += cell.count as f64;
                    self.started[at] += cell.count as f64;
                    self.finished[at] += cell.done as f64;
                }
                if own {
                    self.latency[at].merge(&cell.latency);
                    self.roots[at].0 += cell.count as f64;
                    self.roots[at].1 += cell.errors as f64;
                    self.sampled[at] += (cell.count - cell.unsampled) as f64;
                }
            }
        }
    }

    /// What was due: of the drill what its schedule held, where that is known, since arrivals that could not be
    /// started left no root; of others what came.
    fn add_offered(&mut self, input: &AnalysisInput) {
        if !input.intended.is_empty() {
            let len = self.offered.len();
            let mine = self.offered_of.entry(TraceClass::Mine).or_insert_with(|| vec![0.0; len]);
            mine.iter_mut().zip(&input.intended).for_each(|(of, intended)| *of = intended.max(0.0));
        }
        for of in self.offered_of.values() {
            self.offered.iter_mut().zip(of).for_each(|(sum, of)| *sum += of);
        }
    }

    fn add_nodes(&mut self, cells: &Cells, names: &Names, stubbed: &Stubbed, telemetry: &Telemetry) {
        let len = self.offered.len();
        let mut at_key: BTreeMap<NodeKey, usize> = BTreeMap::new();
        for (key, _) in cells.nodes.keys().filter(|(key, _)| !names.stands_for_many(&key.name)) {
            let key = names.of(key);
            let next = at_key.len();
            at_key.entry(key).or_insert(next);
        }
        let mut nodes: Vec<Option<NodeSeries>> = at_key.iter().map(|_| None).collect();
        at_key.iter().for_each(|(key, at)| nodes[*at] = Some(NodeSeries::new(key.clone(), len)));
        let mut nodes: Vec<NodeSeries> = nodes.into_iter().flatten().collect();
        for ((key, class), seconds) in &cells.nodes {
            let key = names.of(key);
            if stubbed.is_apart(&key, *class) {
                continue;
            }
            // Of traffic that the drill does not sample as much is taken as of its own.
            let part = if *class == TraceClass::Mine { 1.0 } else { self.part };
            let Some(node) = at_key.get(&key).and_then(|at| nodes.get_mut(*at)) else {
                let during = seconds.iter().filter(|(second, _)| self.at(**second).is_some());
                self.errors_elsewhere += part * during.map(|(_, c)| c.origin_errors).sum::<i64>() as f64;
                continue;
            };
            for (second, cell) in seconds {
                if let Some(at) = self.at(*second) {
                    node.add(at, cell, part);
                }
            }
        }
        nodes.iter_mut().for_each(|node| node.take_back(telemetry.leak(&node.key.name)));
        self.nodes = nodes;
        self.nodes.sort_by(|a, b| a.key.cmp(&b.key));
    }

    /// Visits per journey, class by class: live journeys need not call on what the drill's do.
    fn add_visits(&mut self, cells: &Cells, input: &AnalysisInput, names: &Names, stubbed: &Stubbed) {
        let with_steps = self.with_steps;
        let of = |classes: &dyn Fn(TraceClass) -> bool| visits::of(cells, input, names, with_steps, classes);
        let all = of(&|_| true);
        for class in self.offered_of.keys().copied() {
            let own = of(&|c| c == class);
            let mix = if own.journeys < FEW_ROOTS { &all } else { &own };
            for node in &mut self.nodes {
                let apart = stubbed.is_apart(&node.key, class);
                let visits = mix.nodes.get(&node.key).copied().filter(|_| !apart).unwrap_or_default();
                node.visits.insert(class, visits);
            }
        }
    }

    /// Mean latency of the requests of some seconds, nanoseconds; `None` without any.
    pub(crate) fn mean_latency_ns(&self, seconds: &[usize]) -> Option<f64> {
        let of = seconds.iter().filter_map(|s| self.latency.get(*s));
        let (sum, count) = of.fold((0.0, 0), |(sum, n), h| (sum + h.sum_ns() as f64, n + h.count()));
        (count > 0).then(|| sum / count as f64)
    }

    /// Journeys a second of a class over some seconds; `None`: of all.
    pub(crate) fn offered_by(&self, class: Option<TraceClass>, seconds: &[usize]) -> f64 {
        let of = match class {
            Some(class) => self.offered_of.get(&class),
            None => Some(&self.offered),
        };
        of.map_or(0.0, |of| mean(of, seconds))
    }

    /// Operations a second that the journeys of some seconds ask of a node, of those that spans were asked of.
    pub(crate) fn asked(&self, node: &NodeSeries, seconds: &[usize]) -> f64 {
        let asked = |(class, of): (&TraceClass, &Vec<f64>)| mean(of, seconds) * node.visits_of(*class).mean;
        self.part * self.offered_of.iter().map(asked).sum::<f64>()
    }

    /// Visits a journey of a node at the mix of some seconds, live traffic included.
    pub(crate) fn visits(&self, node: &NodeSeries, seconds: &[usize]) -> Visits {
        let offered = mean(&self.offered, seconds);
        if offered <= 0.0 {
            return Visits::default();
        }
        let parts = self.offered_of.iter().map(|(class, of)| {
            let (part, visits) = (mean(of, seconds) / offered, node.visits_of(*class));
            (part * visits.mean, (part * visits.error).powi(2))
        });
        let (mean, square) = parts.fold((0.0, 0.0), |(m, e), (mean, square)| (m + mean, e + square));
        Visits { mean, error: square.sqrt() }
    }
}

/// The part of the drill's requests of which spans were asked for, of the entries of which any were; 1 without any.
fn sampled_part(cells: &Cells) -> f64 {
    let of = |seconds: &crate::cells::Seconds<crate::cells::RootCell>| {
        seconds.values().fold((0, 0), |(n, sampled), c| (n + c.count, sampled + c.count - c.unsampled))
    };
    let mine = cells.roots.iter().filter(|((_, class), _)| *class == TraceClass::Mine);
    let known = mine.map(|(_, seconds)| of(seconds)).filter(|(_, sampled)| *sampled > 0);
    let (all, sampled) = known.fold((0, 0), |(a, b), (n, sampled)| (a + n, b + sampled));
    if all > 0 { sampled as f64 / all as f64 } else { 1.0 }
}

/// Nodes whose answers a drill got from a stub, while others met the real one: two different things, that are not added
/// up.
struct Stubbed {
    mine: BTreeSet<NodeKey>,
    of_other_runs: BTreeSet<NodeKey>,
}

impl Stubbed {
    fn of(cells: &Cells, names: &Names) -> Self {
        let of = |wanted: TraceClass| {
            let mut sums: BTreeMap<NodeKey, (i64, i64)> = BTreeMap::new();
            for ((key, _), seconds) in cells.nodes.iter().filter(|((_, class), _)| *class == wanted) {
                let sum = sums.entry(names.of(key)).or_default();
                seconds.values().for_each(|cell| *sum = (sum.0 + cell.mocked, sum.1 + cell.ops));
            }
            let mostly = sums.into_iter().filter(|(_, (mocked, ops))| mocked * 2 > *ops);
            mostly.map(|(key, _)| key).collect()
        };
        Self { mine: of(TraceClass::Mine), of_other_runs: of(TraceClass::OtherRun) }
    }

    /// Whether what traffic of this class did there is no part of what the node is judged by.
    fn is_apart(&self, node: &NodeKey, class: TraceClass) -> bool {
        match class {
            TraceClass::Mine => false,
            TraceClass::Live => self.mine.contains(node),
            TraceClass::OtherRun => self.mine.contains(node) || self.of_other_runs.contains(node),
        }
    }
}

impl NodeSeries {
    fn new(key: NodeKey, len: usize) -> Self {
        Self {
            key,
            done: vec![0.0; len],
            abandoned: vec![0.0; len],
            at_node: vec![0.0; len],
            taken_back: vec![0.0; len],
            ops: vec![0.0; len],
            own: vec![None; len],
            own_sums: vec![(0.0, 0.0); len],
            in_calls: vec![(0.0, 0.0); len],
            origin_errors: vec![0.0; len],
            total: NodeCell::default(),
            visits: BTreeMap::new(),
        }
    }

    /// `part`: of it, what is taken.
    fn add(&mut self, at: usize, cell: &NodeCell, part: f64) {
        self.done[at] += part * cell.done as f64;
        self.abandoned[at] += part * cell.abandoned as f64;
        self.at_node[at] += part * cell.own_ns as f64 / 1e9;
        self.ops[at] += part * cell.ops as f64;
        let in_calls = &mut self.in_calls[at];
        in_calls.0 += part * (cell.span.sum_ns() as f64 - cell.own.sum_ns() as f64);
        in_calls.1 += part * (cell.busy_ns - cell.own_ns) as f64 / 1e9;
        self.origin_errors[at] += part * cell.origin_errors as f64;
        if cell.own != Sparse::default() {
            self.own[at].get_or_insert_default().merge(&cell.own);
            let sums = &mut self.own_sums[at];
            *sums = (sums.0 + part * cell.own.sum_ns() as f64, sums.1 + part * cell.own.count() as f64);
        }
        self.total.add(cell);
    }

    /// Takes a part of what calls took, which is lost spans' time, back from the node's own.
    fn take_back(&mut self, leak: f64) {
        for (at, (by_root, by_clock)) in self.in_calls.iter().enumerate() {
            let own = &mut self.own_sums[at];
            own.0 -= (leak * by_root.max(0.0)).min(own.0);
            let there = &mut self.at_node[at];
            self.taken_back[at] = leak * by_clock.max(0.0);
            *there -= self.taken_back[at].min(*there);
        }
    }

    fn visits_of(&self, class: TraceClass) -> Visits {
        self.visits.get(&class).copied().unwrap_or_default()
    }

    /// Operations of some seconds whose own time is known.
    pub(crate) fn calls(&self, seconds: &[usize]) -> f64 {
        seconds.iter().filter_map(|s| self.own_sums.get(*s)).map(|(_, count)| count).sum()
    }

    /// Own time of the operations of some seconds.
    pub(crate) fn own_over(&self, seconds: &[usize]) -> Sparse {
        let mut out = Sparse::default();
        seconds.iter().filter_map(|s| self.own.get(*s)?.as_ref()).for_each(|own| out.merge(own));
        out
    }

    /// Mean own time an operation over some seconds, nanoseconds.
    pub(crate) fn mean_own_ns(&self, seconds: &[usize]) -> Option<f64> {
        let sums = seconds.iter().filter_map(|s| self.own_sums.get(*s));
        let (ns, count) = sums.fold((0.0, 0.0), |(ns, n), (more_ns, more)| (ns + more_ns, n + more));
        (count > 0.0).then(|| ns / count)
    }

    /// Whether most operations were answered by a stub.
    pub(crate) fn stubbed(&self) -> bool {
        self.total.mocked * 2 > self.total.ops
    }
}

/// Mean of a series over some seconds; 0 over none.
pub(crate) fn mean(series: &[f64], seconds: &[usize]) -> f64 {
    if seconds.is_empty() {
        return 0.0;
    }
    seconds.iter().filter_map(|s| series.get(*s)).sum::<f64>() / seconds.len() as f64
}
