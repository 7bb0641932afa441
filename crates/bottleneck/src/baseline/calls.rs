//! Calls between nodes by the second, of several runs under the same names.

use std::collections::BTreeMap;

use super::Window;
use crate::analyse::Names;
use crate::cells::Cells;
use crate::key::{LOAD, TraceClass};

/// Caller and called node → second since the start of the load → calls of the drill.
pub type CallSeconds = BTreeMap<(String, String), BTreeMap<i64, Window>>;

/// What each run's cells say of the calls of its drill, all operations together. Those of the generator itself are left
/// out: it knows better. Names are learnt from all, so that a node is called the same in each.
#[must_use]
pub fn calls(runs: &[&Cells]) -> Vec<CallSeconds> {
    let mut all = Cells::default();
    runs.iter().for_each(|cells| all.merge(cells));
    let names = Names::new(&all);
    runs.iter().map(|cells| of_one(&cells.named_as(&all), &names)).collect()
}

fn of_one(cells: &Cells, names: &Names) -> CallSeconds {
    let mut out = CallSeconds::new();
    let is_of_many = |name: &str| names.stands_for_many(name);
    for ((edge, class), seconds) in &cells.edges {
        let to = names.of(&edge.to).name;
        let is_compared = *class == TraceClass::Mine && *edge.from != *LOAD;
        if !is_compared || is_of_many(&edge.from) || is_of_many(&to) {
            continue;
        }
        let sums = out.entry((edge.from.to_string(), to.to_string())).or_default();
        for (second, cell) in seconds {
            let count = |n: i64| u64::try_from(n).unwrap_or(0);
            let window = Window {
                latency: cell.latency.clone(),
                ended: count(cell.calls),
                errors: count(cell.errors),
            };
            sums.entry(*second).or_default().add(&window);
        }
    }
    out
}
