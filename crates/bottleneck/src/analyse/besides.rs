//! What to know besides the ranking, where traces tell: storms of retries, limits that refuse, what several callers
//! share, live users that suffer, and what the drill never came to.
//!
//! Each is silent where there is little to go by. What is read from single calls is left out where spans are missing;
//! docs/adr-008-besides-the-ranking.md says why the bounds are where they are.

mod calls;
mod change;
mod exercised;
mod limit;
mod live;
mod partitions;
mod retries;
mod shared;
mod step_down;

use peakdrill_drill_model::verdict::Finding;

use crate::analyse::Facts;
use crate::analyse::judge;
use crate::analyse::summary::COMPLETE;
use crate::analyse::telemetry::Telemetry;

/// All of them, by kind and node.
pub(super) fn all(facts: &Facts<'_>, judged: &[judge::Finding], telemetry: &Telemetry) -> Vec<Finding> {
    let mut out = live::findings(facts);
    if telemetry.thin.is_empty() && telemetry.traced.is_none_or(|part| part >= COMPLETE) {
        out.extend(retries::findings(facts));
        out.extend(limit::findings(facts));
        out.extend(shared::findings(facts, judged));
    }
    out.extend(partitions::findings(facts));
    out.extend(exercised::findings(facts));
    out
}
