//! Calls between nodes by the second, of several runs under the same names.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::Window;
use crate::analyse::Names;
use crate::cells::{Cells, EdgeCell};
use crate::key::{LOAD, TraceClass};

/// Caller and called node.
pub type Call = (String, String);
/// Call → second since the start of the load → calls of the drill.
pub type CallSeconds = BTreeMap<Call, BTreeMap<i64, Window>>;

/// The calls of several runs.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    /// How many of each there were, by run.
    pub counts: Vec<BTreeMap<Call, u64>>,
    /// Those that all runs have, the most frequent of the first run first; as many as were asked for.
    pub kept: Vec<Call>,
    /// The seconds of those, by run.
    pub seconds: Vec<CallSeconds>,
}

/// What each run's cells say of the calls of its drill, all operations together. Those of the generator itself are left
/// out: it knows better. Names are learnt from all, so that a node is called the same in each. Latencies are read of `most`
/// calls alone.
#[must_use]
pub fn calls(runs: &[&Cells], most: usize) -> Calls {
    let mut all = Cells::default();
    runs.iter().for_each(|cells| all.merge(cells));
    let names = Names::new(&all);
    let runs: Vec<_> = runs.iter().map(|cells| cells.named_as(&all)).collect();
    let counts: Vec<BTreeMap<Call, u64>> = runs.iter().map(|cells| counts(cells, &names)).collect();
    let in_all = |call: &&Call| counts.iter().all(|of| of.contains_key(*call));
    let mut kept: Vec<Call> =
        counts.iter().take(1).flat_map(BTreeMap::keys).filter(in_all).cloned().collect();
    kept.sort_by_key(|call| Reverse(counts.first().and_then(|of| of.get(call)).copied()));
    kept.truncate(most);
    let wanted: BTreeSet<&Call> = kept.iter().collect();
    let seconds = runs.iter().map(|cells| seconds(cells, &names, &wanted)).collect();
    Calls { counts, kept, seconds }
}

fn counts(cells: &Cells, names: &Names) -> BTreeMap<Call, u64> {
    let mut out = BTreeMap::new();
    each(cells, names, |call, _, cell| {
        let sum: &mut u64 = out.entry(call.clone()).or_default();
        *sum = sum.saturating_add(count(cell.calls));
    });
    out
}

fn seconds(cells: &Cells, names: &Names, wanted: &BTreeSet<&Call>) -> CallSeconds {
    let mut out = CallSeconds::new();
    each(cells, names, |call, second, cell| {
        if wanted.contains(call) {
            let sums = out.entry(call.clone()).or_default();
            let window = Window::new(&cell.latency, count(cell.calls), count(cell.errors));
            sums.entry(second).or_default().add(&window);
        }
    });
    out
}

fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

/// Each second of each call that is compared.
fn each(cells: &Cells, names: &Names, mut take: impl FnMut(&Call, i64, &EdgeCell)) {
    let is_of_many = |name: &str| names.stands_for_many(name);
    for ((edge, class), seconds) in &cells.edges {
        let to = names.of(&edge.to).name;
        let is_compared = *class == TraceClass::Mine && *edge.from != *LOAD;
        if !is_compared || is_of_many(&edge.from) || is_of_many(&to) {
            continue;
        }
        let call = (edge.from.to_string(), to.to_string());
        for (second, cell) in seconds {
            take(&call, *second, cell);
        }
    }
}
