//! What to know besides the ranking, where traces tell: storms of retries, limits that refuse, what several callers
//! share, live users that suffer, and what the drill never came to.
//!
//! Each is silent where there is little to go by. What is read from single calls is left out where no node is named;
//! docs/adr-008-besides-the-ranking.md says why the bounds are where they are.

mod calls;
mod change;
mod exercised;
pub(super) mod instances;
mod keys;
mod limit;
mod live;
mod loops;
mod partitions;
mod redelivered;
mod retries;
mod shared;
mod step_down;
mod waits;

use peakdrill_drill_model::verdict::Finding;

use crate::analyse::Facts;
use crate::analyse::judge;
use crate::analyse::law::LEVELS;
use crate::analyse::windows::rising;

/// All of them, in no order. `withheld`: spans are missing, or too few, to name a node.
pub(super) fn all(facts: &Facts<'_>, judged: &[judge::Finding], withheld: bool) -> Vec<Finding> {
    let mut out = live::findings(facts);
    if !withheld {
        let levels = rising(facts.series, facts.windows, LEVELS);
        let calls = calls::by_caller(facts, |_| true);
        out.extend(retries::findings(facts, &levels));
        out.extend(limit::findings(facts, &calls, &levels));
        out.extend(shared::findings(facts, &calls, judged));
        out.extend(exercised::never(facts));
    }
    out.extend(partitions::findings(facts));
    let hot_keys = keys::findings(facts, &out);
    out.extend(hot_keys);
    out.extend(loops::findings(facts));
    out.extend(instances::findings(facts));
    out.extend(redelivered::findings(facts));
    out.extend(waits::findings(facts));
    out.extend(exercised::stubs(facts));
    out
}
