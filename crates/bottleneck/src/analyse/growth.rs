//! What grew from light load to peak, node by node, per request of the same entry.

use std::collections::BTreeMap;

use crate::analyse::names::Names;
use crate::analyse::resample::{Resample, interval};
use crate::analyse::series::{Series, mean};
use crate::analyse::windows::Windows;
use crate::analysis::Settings;
use crate::cells::Cells;
use crate::key::{Entry, NodeKey};

/// Entries with fewer roots than this at light load or at peak do not take part.
const FEW_ROOTS: f64 = 5.0;
/// Chunks of seconds that a window is cut into for resampling, at most: keeps long runs cheap.
const CHUNKS: usize = 120;
/// Nothing runs beside a node from this part of its time on.
const ALONE: f64 = 0.98;
/// Separates the draws of this estimate from others.
const DRAWS: u64 = 1;

/// Mean nanoseconds a request that a node added.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Added {
    pub(crate) own: f64,
    pub(crate) gap: f64,
    pub(crate) wait: f64,
    pub(crate) flow: f64,
    /// Of `own` and `gap`, what requests would be shorter by without it.
    drag: f64,
}

impl Added {
    pub(crate) fn total(&self) -> f64 {
        self.own + self.gap + self.wait + self.flow
    }

    /// Whether the drag is all of the time. Where it is less nobody can tell by sums how much would be saved: pieces of a branch
    /// share its drag, and calls of one node beside each other bound each other's.
    fn is_alone(&self) -> bool {
        self.drag >= ALONE * (self.own + self.gap)
    }

    fn plus(&mut self, other: &Self, factor: f64) {
        self.own += other.own * factor;
        self.gap += other.gap * factor;
        self.wait += other.wait * factor;
        self.flow += other.flow * factor;
        self.drag += other.drag * factor;
    }
}

/// Growth of all nodes.
pub(crate) struct Growths {
    /// Per node of the series.
    pub(crate) added: Vec<Added>,
    /// Share of the growth, and its 95 % interval.
    pub(crate) share: Vec<Option<(f64, f64, f64)>>,
    /// The same of what is beyond that which all nodes have in common.
    pub(crate) excess_share: Vec<Option<(f64, f64, f64)>>,
    /// What a node added beyond that, nanoseconds a request.
    pub(crate) excess_ns: Vec<f64>,
    /// Time on critical paths at peak, nanoseconds a request.
    pub(crate) at_peak: Vec<f64>,
    /// Whether nothing ran beside the node's time on critical paths at peak: a request is shorter by all that it saves.
    pub(crate) alone: Vec<bool>,
    /// Mean duration of the critical path at light load, nanoseconds a request.
    pub(crate) light_ns: f64,
    /// Growth of the synchronous part, nanoseconds a request.
    pub(crate) sync_ns: f64,
    /// Growth behind hand-overs, nanoseconds a request.
    pub(crate) flow_ns: f64,
}

/// Sums over one chunk of seconds: per entry, roots and time per node.
#[derive(Clone, Default)]
struct Chunk {
    roots: Vec<f64>,
    spent: Vec<Vec<Added>>,
}

struct Table {
    light: Vec<Chunk>,
    peak: Vec<Chunk>,
    entries: usize,
    /// Those of the series, and one for what is at none of them.
    nodes: usize,
}

impl Growths {
    pub(crate) fn new(
        cells: &Cells,
        names: &Names,
        series: &Series,
        windows: &Windows,
        slower_ns: f64,
        settings: &Settings,
    ) -> Self {
        let table = Table::new(cells, names, series, windows);
        let every = |chunks: &[Chunk]| (0..chunks.len()).collect::<Vec<_>>();
        let (light, peak) = (every(&table.light), every(&table.peak));
        let mut common: Vec<f64> = common_ns(series, windows, slower_ns);
        // Of what grew at those that stand for many nothing is said, but that it is a part of the whole.
        common.push(0.0);
        let entries = table.entries_with_enough();
        let whole = table.means(&entries, &light, &peak);
        let added = whole.added();
        let mut shares = Shares::new(&added, &common);
        let mut resample = Resample::new(settings.seed, DRAWS);
        for _ in 0..settings.resamples {
            let means = table.means(&entries, &resample.draw(light.len()), &resample.draw(peak.len()));
            shares.draw(&means.added(), &common);
        }
        let (share, excess_share) = shares.intervals();
        let mut all = Self {
            share,
            excess_share,
            excess_ns: added.iter().zip(&common).map(|(a, c)| excess(a, *c)).collect(),
            at_peak: whole.nodes.iter().map(|(_, after)| after.total()).collect(),
            alone: whole.nodes.iter().map(|(_, after)| after.is_alone()).collect(),
            light_ns: whole.nodes.iter().map(|(before, _)| before.own + before.gap).sum(),
            sync_ns: added.iter().map(|a| a.own + a.gap).sum(),
            flow_ns: added.iter().map(|a| a.wait + a.flow).sum(),
            added,
        };
        all.leave_out_last();
        all
    }

    fn leave_out_last(&mut self) {
        self.added.pop();
        self.share.pop();
        self.excess_share.pop();
        self.excess_ns.pop();
        self.at_peak.pop();
        self.alone.pop();
    }
}

/// Per node, what its calls took longer because all did, nanoseconds a request.
fn common_ns(series: &Series, windows: &Windows, slower_ns: f64) -> Vec<f64> {
    let requests = series.part * mean(&series.requests, &windows.peak);
    let requests = requests.max(f64::MIN_POSITIVE);
    let calls = series.nodes.iter().map(|node| mean(&node.ops, &windows.peak));
    calls.map(|calls| slower_ns * calls / requests).collect()
}

fn excess(added: &Added, common: f64) -> f64 {
    (added.total() - common).max(0.0)
}

type Interval = Option<(f64, f64, f64)>;

/// Per node, its share of what grew: all of it, and what is beyond the common part.
struct Shares {
    whole: Vec<Option<(f64, f64)>>,
    drawn: Vec<(Vec<f64>, Vec<f64>)>,
}

impl Shares {
    fn new(added: &[Added], common: &[f64]) -> Self {
        let whole = match shares(added, common) {
            Some(shares) => shares.into_iter().map(Some).collect(),
            None => vec![None; added.len()],
        };
        Self { whole, drawn: vec![(Vec::new(), Vec::new()); added.len()] }
    }

    fn draw(&mut self, added: &[Added], common: &[f64]) {
        for (drawn, (share, excess)) in self.drawn.iter_mut().zip(shares(added, common).into_iter().flatten())
        {
            drawn.0.push(share);
            drawn.1.push(excess);
        }
    }

    fn intervals(self) -> (Vec<Interval>, Vec<Interval>) {
        let around = |estimate: f64, drawn: Vec<f64>| {
            let (low, high) = interval(drawn).unwrap_or((0.0, 1.0));
            (estimate, low.min(estimate), high.max(estimate))
        };
        let both = self.whole.into_iter().zip(self.drawn);
        both.map(|(whole, (shares, excesses))| match whole {
            Some((share, excess)) => (Some(around(share, shares)), Some(around(excess, excesses))),
            None => (None, None),
        })
        .unzip()
    }
}

/// Shares of what grew, and of that what is beyond the common part; what shrank has none. `None` when nothing
/// grew.
fn shares(added: &[Added], common: &[f64]) -> Option<Vec<(f64, f64)>> {
    let total: f64 = added.iter().map(|a| a.total().max(0.0)).sum();
    let share = |(a, common): (&Added, &f64)| (a.total().max(0.0) / total, excess(a, *common) / total);
    (total > 0.0).then(|| added.iter().zip(common).map(share).collect())
}

fn difference(before: &Added, after: &Added) -> Added {
    let mut out = *after;
    out.plus(before, -1.0);
    out
}

struct Means {
    /// Per node, nanoseconds a request at light load and at peak.
    nodes: Vec<(Added, Added)>,
}

impl Means {
    fn added(&self) -> Vec<Added> {
        self.nodes.iter().map(|(before, after)| difference(before, after)).collect()
    }
}

impl Table {
    fn new(cells: &Cells, names: &Names, series: &Series, windows: &Windows) -> Self {
        let mut entry_at: BTreeMap<&Entry, usize> = BTreeMap::new();
        // Requests that came in different ways and stand for many are no entry.
        let is_mixed = |entry: &Entry| matches!(entry, Entry::Op(op) if names.stands_for_many(op));
        for (entry, _) in
            cells.roots.keys().filter(|(entry, class)| *class == series.class && !is_mixed(entry))
        {
            let next = entry_at.len();
            entry_at.entry(entry).or_insert(next);
        }
        let node_at: BTreeMap<&NodeKey, usize> =
            series.nodes.iter().enumerate().map(|(i, n)| (&n.key, i)).collect();
        // The last one is of those that stand for many.
        let (entries, nodes) = (entry_at.len(), series.nodes.len() + 1);
        let of_node = |node: &NodeKey| {
            let many = names.stands_for_many(&node.name).then_some(series.nodes.len());
            many.or_else(|| node_at.get(&names.of(node)).copied())
        };
        let empty = Chunk { roots: vec![0.0; entries], spent: vec![vec![Added::default(); nodes]; entries] };
        let chunk_of = |seconds: &[usize]| {
            let per_chunk = seconds.len().div_ceil(CHUNKS).max(1);
            seconds
                .iter()
                .enumerate()
                .map(|(i, s)| (*s as i64, i / per_chunk))
                .collect::<BTreeMap<i64, usize>>()
        };
        let (light, peak) = (chunk_of(&windows.light), chunk_of(&windows.peak));
        let chunks = |of: &BTreeMap<i64, usize>| vec![empty.clone(); of.values().max().map_or(0, |c| c + 1)];
        let mut table = Self { light: chunks(&light), peak: chunks(&peak), entries, nodes };
        for ((entry, class), seconds) in &cells.roots {
            let Some(e) = entry_at.get(entry).filter(|_| *class == series.class) else { continue };
            for (second, cell) in seconds {
                table.chunks_at(&light, &peak, *second).for_each(|c| c.roots[*e] += cell.pathed as f64);
            }
        }
        for ((entry, class, node), seconds) in &cells.paths {
            let Some(e) = entry_at.get(entry).filter(|_| *class == series.class) else { continue };
            let Some(n) = of_node(node) else { continue };
            for (second, cell) in seconds {
                let added = Added {
                    own: cell.self_ns as f64,
                    gap: cell.gap_ns as f64,
                    wait: cell.wait_ns as f64,
                    flow: cell.flow_ns as f64,
                    drag: cell.drag_ns as f64,
                };
                table.chunks_at(&light, &peak, *second).for_each(|c| c.spent[*e][n].plus(&added, 1.0));
            }
        }
        table
    }

    fn chunks_at<'a>(
        &'a mut self,
        light: &BTreeMap<i64, usize>,
        peak: &BTreeMap<i64, usize>,
        second: i64,
    ) -> impl Iterator<Item = &'a mut Chunk> {
        let low = light.get(&second).and_then(|c| self.light.get_mut(*c));
        let high = peak.get(&second).and_then(|c| self.peak.get_mut(*c));
        low.into_iter().chain(high)
    }

    /// Entries with enough roots at light load and at peak. They are the same in each draw: one that came and went would make
    /// the share of a node that it alone calls anything from nothing to all.
    fn entries_with_enough(&self) -> Vec<usize> {
        let roots = |chunks: &[Chunk], e: usize| chunks.iter().map(|c| c.roots[e]).sum::<f64>();
        let enough = |e: &usize| roots(&self.light, *e) >= FEW_ROOTS && roots(&self.peak, *e) >= FEW_ROOTS;
        (0..self.entries).filter(enough).collect()
    }

    /// Means over drawn chunks, entry by entry, weighted by the entries' share of the roots at peak. Where a draw has no root
    /// of an entry, all chunks stand for it.
    fn means(&self, entries: &[usize], light: &[usize], peak: &[usize]) -> Means {
        let mut nodes = vec![(Added::default(), Added::default()); self.nodes];
        let drawn: Vec<[Drawn; 2]> = entries
            .iter()
            .map(|e| [Drawn::of(&self.light, light, *e), Drawn::of(&self.peak, peak, *e)])
            .collect();
        let all: f64 = drawn.iter().map(|[_, after]| after.roots).sum();
        for (e, [before, after]) in entries.iter().zip(&drawn) {
            let weight = after.roots / all;
            for (n, node) in nodes.iter_mut().enumerate() {
                before.chunks().for_each(|c| node.0.plus(&c.spent[*e][n], weight / before.roots));
                after.chunks().for_each(|c| node.1.plus(&c.spent[*e][n], weight / after.roots));
            }
        }
        Means { nodes }
    }
}

/// Chunks of a window that stand for an entry, and its roots in them.
struct Drawn<'a> {
    window: &'a [Chunk],
    /// `None`: each of the window once.
    drawn: Option<&'a [usize]>,
    roots: f64,
}

impl<'a> Drawn<'a> {
    fn of(window: &'a [Chunk], drawn: &'a [usize], entry: usize) -> Self {
        let roots: f64 = drawn.iter().map(|c| window[*c].roots[entry]).sum();
        if roots > 0.0 {
            return Self { window, drawn: Some(drawn), roots };
        }
        Self { window, drawn: None, roots: window.iter().map(|c| c.roots[entry]).sum() }
    }

    fn chunks(&self) -> impl Iterator<Item = &'a Chunk> {
        let every = if self.drawn.is_none() { self.window } else { &[] };
        let window = self.window;
        every.iter().chain(self.drawn.unwrap_or_default().iter().map(move |c| &window[*c]))
    }
}
