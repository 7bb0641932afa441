//! Calls as a reader follows them: where the time of requests flows, and which calls nobody waits for.

use std::collections::{BTreeMap, BTreeSet};

use peakdrill_bottleneck::{CallCurve, CallPoint, LOAD};
use peakdrill_drill_model::verdict::Dependency;

use crate::Record;

/// A call is best-effort when requests waited for less than this part of the time that it took.
const BEST_EFFORT_BELOW: f64 = 0.05;
/// The path that is followed ends where less than this part of the time goes on.
const FOLLOWED_FROM: f64 = 0.02;

/// A call: its figures over the whole run, and against the load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) all: &'a Dependency,
    pub(crate) curve: Option<&'a CallCurve>,
}

impl<'a> Call<'a> {
    /// Of the time that requests took, the part that passed through, 0..=1.
    pub(crate) fn through(&self) -> Option<f64> {
        let of_curve = self.curve.and_then(|curve| curve.through);
        of_curve
            .or(self.all.critical_path_share)
            .filter(|part| part.is_finite())
            .map(|part| part.clamp(0.0, 1.0))
    }

    /// Whether no request waits for it.
    pub(crate) fn best_effort(&self) -> bool {
        self.curve.and_then(|curve| curve.waited_for).is_some_and(|part| part < BEST_EFFORT_BELOW)
    }

    /// How it was at the highest load.
    pub(crate) fn at_peak(&self) -> Option<&'a CallPoint> {
        self.curve?.points.last()
    }
}

/// The calls of a record, in the order of its list.
pub(crate) fn calls<'a>(record: &'a Record, all: &'a [Dependency]) -> Vec<Call<'a>> {
    let curves: BTreeMap<(&str, &str), &CallCurve> =
        record.calls.iter().map(|curve| ((curve.from.as_str(), curve.to.as_str()), curve)).collect();
    let with_curve = |all: &'a Dependency| Call { all, curve: curves.get(&(&*all.from, &*all.to)).copied() };
    all.iter().map(with_curve).collect()
}

/// From the load on, always along the call that most of the time passes through: the calls, by their places in the
/// list. No node comes twice.
pub(crate) fn main_path(calls: &[Call<'_>]) -> Vec<usize> {
    let mut path = Vec::new();
    let mut seen = BTreeSet::from([LOAD]);
    let mut at = LOAD;
    loop {
        let onward =
            calls.iter().enumerate().filter(|(_, call)| call.all.from == at && !seen.contains(&*call.all.to));
        let part = |(index, call): (usize, &Call<'_>)| Some((call.through()?, index));
        let widest = onward.filter_map(part).max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        let Some((_, index)) = widest.filter(|(part, _)| *part >= FOLLOWED_FROM) else { return path };
        let Some(call) = calls.get(index) else { return path };
        at = &call.all.to;
        seen.insert(at);
        path.push(index);
    }
}

#[cfg(test)]
mod tests {
    use peakdrill_drill_model::verdict::Millis;

    use super::*;

    fn dependency(from: &str, to: &str, share: f64) -> Dependency {
        Dependency {
            from: from.to_owned(),
            to: to.to_owned(),
            calls: 1,
            errors: 0,
            latency_ms: Millis::default(),
            critical_path_share: Some(share),
            retry_amplification: None,
            hedges: None,
        }
    }

    #[test]
    fn the_path_follows_most_of_the_time_and_ends() {
        let all = [
            dependency("load", "gateway", 1.0),
            dependency("gateway", "order", 0.7),
            dependency("gateway", "stock", 0.2),
            dependency("order", "gateway", 0.9),
            dependency("order", "stock", 0.6),
            dependency("stock", "stock-db", 0.001),
        ];
        let calls: Vec<Call<'_>> = all.iter().map(|all| Call { all, curve: None }).collect();
        assert_eq!(main_path(&calls), [0, 1, 4], "neither in circles nor to where no time goes");
        assert!(main_path(&[]).is_empty());
    }
}
