//! Calls against the load: what a caller saw at each level of it, and how much of the requests' time went through.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::analyse::common;
use crate::analyse::law::LEVELS;
use crate::analyse::names::Names;
use crate::analyse::series::{NodeSeries, Series};
use crate::analyse::telemetry;
use crate::analyse::windows::{Level, Windows, steady};
use crate::analysis::AnalysisInput;
use crate::cells::{Cell as _, Cells, EdgeCell};
use crate::dependency::{CallCurve, CallPoint};
use crate::key::NodeKey;

/// A caller and what it calls, whatever the operation.
type Call = (Arc<str>, NodeKey);

/// Every call of this run against the rate of journeys, the one that most of the requests' time passed through first.
/// The same cells and input give the same curves.
#[must_use]
pub fn calls_under_load(cells: &Cells, input: &AnalysisInput) -> Vec<CallCurve> {
    let names = Names::new(cells);
    let telemetry = telemetry::completeness(cells, input, &names);
    let series = Series::new(cells, input, &names, &telemetry);
    let (windows, _) = common::split(&series, Windows::new(&series, input));
    let sums = sums(cells, &names, &series, &windows);
    let through = through(&sums);
    let whole: f64 = sums.values().map(|sum| sum.all.cp_ns as f64).sum();
    let is_of_many = |(from, to): &Call| [from, &to.name].iter().any(|name| names.stands_for_many(name));
    let mut curves: Vec<(f64, CallCurve)> = sums
        .iter()
        .filter(|(call, sum)| sum.all.attempts > 0 && !is_of_many(call))
        .map(|(call, sum)| {
            let ns = through.get(call).copied().unwrap_or(0.0);
            let took_ns = sum.all.latency.sum_ns() as f64;
            let curve = CallCurve {
                from: call.0.to_string(),
                to: call.1.name.to_string(),
                kind: call.1.kind,
                through: (whole > 0.0).then(|| (ns / whole).clamp(0.0, 1.0)),
                waited_for: (whole > 0.0 && took_ns > 0.0).then(|| (ns / took_ns).clamp(0.0, 1.0)),
                points: sum.levels.iter().map(Bin::point).collect(),
            };
            (ns, curve)
        })
        .collect();
    curves.sort_by(|(a, x), (b, y)| b.total_cmp(a).then_with(|| (&x.from, &x.to).cmp(&(&y.from, &y.to))));
    curves.into_iter().map(|(_, curve)| curve).collect()
}

/// Calls of one level of the load.
struct Bin {
    offered: f64,
    seconds: f64,
    /// Median of the called node's own time, nanoseconds.
    own_ns: Option<u64>,
    cell: EdgeCell,
}

impl Bin {
    fn point(&self) -> CallPoint {
        let calls = self.cell.calls as f64;
        let at = |q: f64| self.cell.latency.quantile(q).map(|ns| ns as f64 / 1e6);
        CallPoint {
            offered: self.offered,
            calls_per_s: calls / self.seconds,
            errors: (calls > 0.0).then(|| self.cell.errors as f64 / calls),
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            own_p50_ms: self.own_ns.map(|ns| ns as f64 / 1e6),
        }
    }
}

struct Sum {
    all: EdgeCell,
    levels: Vec<Bin>,
}

impl Sum {
    fn new(levels: &[Level], node: Option<&NodeSeries>, part: f64) -> Self {
        let bin = |level: &Level| Bin {
            offered: level.rate,
            // As many as if spans had been asked of all.
            seconds: level.seconds.len().max(1) as f64 * part,
            own_ns: node.and_then(|node| node.own_over(&level.seconds).quantile(0.5)),
            cell: EdgeCell::default(),
        };
        Self { all: EdgeCell::default(), levels: levels.iter().map(bin).collect() }
    }

    fn add(&mut self, cell: &EdgeCell, level: Option<usize>) {
        self.all.add(cell);
        if let Some(bin) = level.and_then(|at| self.levels.get_mut(at)) {
            bin.cell.add(cell);
        }
    }
}

fn sums(cells: &Cells, names: &Names, series: &Series, windows: &Windows) -> BTreeMap<Call, Sum> {
    let levels = steady(series, windows, LEVELS);
    let mut level_of: BTreeMap<i64, usize> = BTreeMap::new();
    for (at, level) in levels.iter().enumerate() {
        let seconds = level.seconds.iter().filter_map(|second| i64::try_from(*second).ok());
        level_of.extend(seconds.map(|second| (second, at)));
    }
    let mut sums: BTreeMap<Call, Sum> = BTreeMap::new();
    for ((edge, _), seconds) in cells.edges.iter().filter(|((_, class), _)| *class == series.class) {
        let call = (Arc::clone(&edge.from), names.of(&edge.to));
        let node = series.nodes.iter().find(|node| node.key == call.1);
        let sum = sums.entry(call).or_insert_with(|| Sum::new(&levels, node, series.part));
        for (second, cell) in seconds.iter().filter(|(second, _)| **second >= 0) {
            sum.add(cell, level_of.get(second).copied());
        }
    }
    sums
}

/// Nanoseconds on critical paths in the called node and in all behind it, call by call. What lies behind a node is
/// shared among the calls that lead to it by their number; a call that closes a circle has nothing behind it.
fn through(sums: &BTreeMap<Call, Sum>) -> BTreeMap<Call, f64> {
    let mut out: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
    sums.keys().for_each(|call| out.entry(&call.0).or_default().push(call));
    let (order, circles) = innermost_first(&out);
    let mut led_to: BTreeMap<&str, f64> = BTreeMap::new();
    for (call, sum) in sums.iter().filter(|(call, _)| !circles.contains(call)) {
        *led_to.entry(&call.1.name).or_insert(0.0) += sum.all.calls.max(0) as f64;
    }
    let mut behind: BTreeMap<&str, f64> = BTreeMap::new();
    let mut through = BTreeMap::new();
    for node in order {
        let mut all = 0.0;
        for call in out.get(node).into_iter().flatten().copied() {
            let Some(sum) = sums.get(call) else { continue };
            let to = &*call.1.name;
            let part = match led_to.get(to) {
                Some(calls) if *calls > 0.0 && !circles.contains(call) => sum.all.calls.max(0) as f64 / calls,
                _ => 0.0,
            };
            let ns = sum.all.cp_ns as f64 + part * behind.get(to).copied().unwrap_or(0.0);
            through.insert(call.clone(), ns);
            all += ns;
        }
        behind.insert(node, all);
    }
    through
}

/// All nodes, those that are called before those that call; and the calls that close a circle. Without recursion:
/// a call graph may be as deep as it likes.
fn innermost_first<'a>(out: &BTreeMap<&'a str, Vec<&'a Call>>) -> (Vec<&'a str>, BTreeSet<&'a Call>) {
    let (mut order, mut circles) = (Vec::new(), BTreeSet::new());
    let (mut open, mut done) = (BTreeSet::new(), BTreeSet::new());
    for start in out.keys().copied() {
        let mut stack = vec![(start, false)];
        while let Some((node, left)) = stack.pop() {
            if left {
                open.remove(node);
                done.insert(node);
                order.push(node);
                continue;
            }
            if done.contains(node) {
                continue;
            }
            open.insert(node);
            stack.push((node, true));
            for call in out.get(node).into_iter().flatten().copied() {
                let to = &*call.1.name;
                if open.contains(to) {
                    circles.insert(call);
                } else if !done.contains(to) {
                    stack.push((to, false));
                }
            }
        }
    }
    (order, circles)
}

#[cfg(test)]
mod tests {
    use peakdrill_drill_model::verdict::NodeKind;

    use super::*;

    fn call(from: &str, to: &str, calls: i64, cp_ns: i64) -> (Call, Sum) {
        let key = NodeKey { name: to.into(), kind: NodeKind::Service };
        let mut sum = Sum::new(&[], None, 1.0);
        sum.add(&EdgeCell { calls, attempts: calls, cp_ns, ..EdgeCell::default() }, None);
        ((from.into(), key), sum)
    }

    fn ns(through: &BTreeMap<Call, f64>, from: &str, to: &str) -> f64 {
        through.iter().filter(|((f, t), _)| **f == *from && *t.name == *to).map(|(_, ns)| *ns).sum()
    }

    #[test]
    fn what_is_behind_a_node_is_shared_among_its_callers() {
        let sums = BTreeMap::from([
            call("load", "gateway", 100, 10),
            call("gateway", "order", 60, 20),
            call("gateway", "stock", 30, 5),
            call("order", "stock", 60, 15),
            call("stock", "stock-db", 90, 900),
        ]);
        let through = through(&sums);
        assert_eq!(ns(&through, "load", "gateway"), 950.0);
        assert_eq!(ns(&through, "gateway", "stock"), 305.0);
        assert_eq!(ns(&through, "gateway", "order"), 20.0 + 15.0 + 600.0);
    }

    #[test]
    fn circles_end() {
        let sums = BTreeMap::from([
            call("load", "a", 1, 1),
            call("a", "b", 1, 2),
            call("b", "a", 1, 4),
            call("b", "b", 1, 8),
        ]);
        let through = through(&sums);
        assert_eq!(ns(&through, "b", "a"), 4.0);
        assert_eq!(ns(&through, "load", "a"), 15.0);
    }

    proptest::proptest! {
        #[test]
        fn all_time_passes_through_the_first_calls(
            calls in proptest::collection::vec((0..9_u8, 0..9_u8, 1..50_i64, 0..1000_i64), 1..30),
        ) {
            let later = |(from, to, n, ns): &(u8, u8, i64, i64)| {
                (from < to).then(|| call(&from.to_string(), &to.to_string(), *n, *ns))
            };
            let mut sums: BTreeMap<Call, Sum> = calls.iter().filter_map(later).collect();
            // Every node is reached from the load.
            sums.extend((0..9).map(|node| call("load", &node.to_string(), 1, 1)));
            let whole: i64 = sums.values().map(|sum| sum.all.cp_ns).sum();
            let first: f64 = through(&sums).iter().filter(|((from, _), _)| **from == *"load").map(|(_, ns)| ns).sum();
            proptest::prop_assert!((first - whole as f64).abs() < 1e-6 * whole as f64, "{first} of {whole}");
        }
    }
}
