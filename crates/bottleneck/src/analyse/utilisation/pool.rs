//! Why callers wait for a pool: it is too small, or what it leads to is slow.

use peakdrill_drill_model::verdict::{Finding, FindingKind};
use peakdrill_trace_model::metric::Measure;

use super::findings::each;
use super::{Ground, Row, knee, short, subject};
use crate::analyse::readings::{Of, mean_over};
use crate::analyse::series::mean;
use crate::analyse::words::{ms, rate};

/// So many wait on average, where a pool says so.
const PENDING: f64 = 0.5;
/// Or they wait so long, seconds, ...
const WAIT_S: f64 = 0.001;
/// ... and so many times as long as at light load.
const LONGER: f64 = 2.0;
/// More than two gave up waiting during the peak: growth that was spread over seconds does not add up to the last bit.
const GAVE_UP: f64 = 2.5;
/// Connections that are held so many times as long as at light load are not too few.
const HELD_LONGER: f64 = 1.5;
/// No larger pool is proposed.
const POOL_MAX: u32 = 10_000;

/// The smallest pool that is not fuller than it may be by so much work, in connections that are in use on average.
fn needed(work: f64) -> Option<u32> {
    (1..=POOL_MAX).find(|m| work <= f64::from(*m) * knee(f64::from(*m)))
}

/// How callers waited for a pool at peak, in words; `None` while nobody is known to.
fn waits(ground: &Ground<'_>, of: &Of) -> Option<String> {
    let (light, peak) = (&ground.windows.light, &ground.windows.peak);
    let pending = ground.readings.sum(Measure::PoolPending, of).and_then(|p| mean_over(&p, peak));
    let wait = |seconds: &[usize]| each(ground, Measure::PoolWaitTime, Measure::PoolWaits, of, seconds);
    let waited = wait(peak);
    let longer = waited.is_some_and(|at_peak| at_peak >= WAIT_S.max(LONGER * wait(light).unwrap_or(0.0)));
    let gave_up = gave_up(ground, of);
    if !longer && gave_up.is_none() && pending.is_none_or(|pending| pending < PENDING) {
        return None;
    }
    let waits = match (waited, pending) {
        (Some(waited), _) => Some(format!("callers waited {} on average", ms(waited * 1e9))),
        (None, Some(pending)) => Some(format!("{} callers waited at a time", short(pending))),
        (None, None) => None,
    };
    let gave_up = gave_up.map(|a_second| format!("{} gave up waiting", rate(a_second)));
    match (waits, gave_up) {
        (Some(waits), Some(gave_up)) => Some(format!("{waits} (and {gave_up})")),
        (None, Some(gave_up)) => Some(format!("of the callers {gave_up}")),
        (waits, None) => waits,
    }
}

/// Callers that gave up waiting, a second of the peak as far as it is known, where these are many: a program may tell of
/// them for the first time when the first gives up.
fn gave_up(ground: &Ground<'_>, of: &Of) -> Option<f64> {
    let timeouts = ground.readings.sum(Measure::PoolTimeouts, of)?;
    let many = ground.readings.grew(Measure::PoolTimeouts, of, &ground.windows.peak) >= GAVE_UP;
    let a_second = mean_over(&timeouts, &ground.windows.peak)?;
    let light = mean_over(&timeouts, &ground.windows.light).unwrap_or(0.0);
    (many && a_second >= LONGER * light).then_some(a_second)
}

/// The finding of a full pool; `None` while nobody is known to wait for it.
pub(super) fn finding(ground: &Ground<'_>, row: &Row, node: String) -> Option<Finding> {
    let of = Of { service: row.row.service.as_str().into(), name: row.row.name.as_str().into() };
    let (light, peak) = (&ground.windows.light, &ground.windows.peak);
    let held = |seconds: &[usize]| each(ground, Measure::PoolUseTime, Measure::PoolUses, &of, seconds);
    let waits = waits(ground, &of)?;
    let name = subject(&row.row);
    let (kind, text, action) = match held(light).zip(held(peak)) {
        Some((light_s, peak_s)) if peak_s >= HELD_LONGER * light_s => (
            FindingKind::PoolHeldLonger,
            format!(
                "{waits} for {name}, each held {} at peak and {} at light load: what they lead to became slower",
                ms(peak_s * 1e9),
                ms(light_s * 1e9)
            ),
            format!(
                "look at {node} and what is done with a connection: a larger pool lets more work stand there"
            ),
        ),
        Some(_) => (
            FindingKind::PoolTooSmall,
            format!("{waits} for {name}, although these are given back as fast as at light load"),
            raise(ground, &of, row),
        ),
        None => (
            FindingKind::PoolFull,
            format!("{waits} for {name}; whether each is held longer than at light load is not known"),
            format!(
                "look first at whether {node}, or what is done with a connection, became slower: then a larger pool lets \
                 more work stand there; if not, {}",
                raise(ground, &of, row)
            ),
        ),
    };
    Some(Finding { kind, node, text, action })
}

/// What to do with a pool that is too small: by how much, where that is known.
fn raise(ground: &Ground<'_>, of: &Of, row: &Row) -> String {
    let needed = work(ground, of, row).and_then(needed);
    let more = needed.filter(|needed| row.row.limit.is_some_and(|limit| f64::from(*needed) > limit));
    match more {
        Some(more) => {
            format!("raise it to {more} connections an instance, if what it leads to allows so many")
        }
        None => "raise it, if what it leads to allows more".to_owned(),
    }
}

/// Connections in use on average at an instance if none had to be waited for: uses a journey at light load, at the
/// highest rate, by how long each takes; where uses are not counted, those in use and those that wait. Those in use alone say
/// nothing, since of a full pool they are as many as it has; and who gave up is in neither count.
fn work(ground: &Ground<'_>, of: &Of, row: &Row) -> Option<f64> {
    let (light, peak) = (&ground.windows.light, &ground.windows.peak);
    let instances = f64::from(row.row.instances.max(1));
    let offered = |seconds: &[usize]| Some(mean(&ground.series.offered, seconds)).filter(|rate| *rate > 0.0);
    let by_uses = || {
        let uses = mean_over(&ground.readings.sum(Measure::PoolUses, of)?, light)?;
        let held = each(ground, Measure::PoolUseTime, Measure::PoolUses, of, peak)?;
        Some(uses / offered(light)? * offered(&ground.windows.top)? * held / instances)
    };
    let by_count = || {
        let used = mean_over(&ground.readings.sum(Measure::PoolUsed, of)?, peak)?;
        let pending = mean_over(&ground.readings.sum(Measure::PoolPending, of)?, peak)?;
        let known = pending >= PENDING && gave_up(ground, of).is_none();
        known.then_some((used + pending) / instances)
    };
    by_uses().or_else(by_count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_needs_room_beside_its_work() {
        assert_eq!(needed(0.5), Some(1));
        assert_eq!(needed(0.6), Some(2));
        let ten = needed(10.0).unwrap();
        assert!(10.0 <= f64::from(ten) * knee(f64::from(ten)) && ten > 10, "{ten}");
        assert_eq!(needed(f64::NAN), None);
    }
}
