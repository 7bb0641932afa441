//! Gates: each condition over the phases that it looks at.

use peakdrill_drill_model::condition::{Evaluated, Op, Stat};
use peakdrill_drill_model::plan::Gate;
use peakdrill_drill_model::verdict::{GateResult, Judgement};

use crate::Record;
use crate::capacity::Known;
use crate::fold::Folded;
use crate::numbers::{count, figure, millis, percent, rate};
use crate::stats::Window;
use crate::validity::MISSED_INVALID_SHARE;

/// Evaluates all gates of a plan.
pub(crate) fn evaluate(record: &Record, load: &Folded, valid: bool) -> Vec<GateResult> {
    record.plan.gates.iter().map(|gate| evaluate_one(record, load, valid, gate)).collect()
}

/// Per gate of the plan: whether a phase that it looks at was run. An outline of the load is enough.
pub(crate) fn reached(record: &Record, load: &Folded) -> Vec<bool> {
    record.plan.gates.iter().map(|gate| window(record, load, gate).ran_s() > 0.0).collect()
}

fn window<'a>(record: &'a Record, load: &'a Folded, gate: &Gate) -> Window<'a> {
    let all = load.spans.iter().enumerate();
    let chosen = all.filter(|(_, span)| gate.looks_at(&span.name, span.measure));
    Window { record, load, phases: chosen.filter_map(|(index, _)| u16::try_from(index).ok()).collect() }
}

fn evaluate_one(record: &Record, load: &Folded, valid: bool, gate: &Gate) -> GateResult {
    let window = window(record, load, gate);
    let (verdict, value, because) = if window.ran_s() > 0.0 {
        judge(gate, &window, valid)
    } else {
        (Judgement::Inconclusive, None, not_reached(gate))
    };
    GateResult { name: gate.name.clone(), assert: gate.assert.clone(), verdict, value, because }
}

fn not_reached(gate: &Gate) -> String {
    match gate.during.as_slice() {
        [] => "not reached: no measured phase was run".to_owned(),
        names => format!("not reached: {} was not run", names.join(", ")),
    }
}

type Judged = (Judgement, Option<f64>, String);

fn judge(gate: &Gate, window: &Window<'_>, valid: bool) -> Judged {
    let condition = &gate.condition;
    if condition.for_ns > 0 {
        return (
            Judgement::Inconclusive,
            None,
            "`for` in a gate is not built yet: use it in guards".to_owned(),
        );
    }
    let Some(found) = condition.evaluate(window).filter(|found| found.measured.value.is_finite()) else {
        let searched = window.why_not_searched().filter(|_| condition.stat == Stat::Capacity);
        let why = searched.unwrap_or_else(|| unmeasured(condition.stat).to_owned());
        return (Judgement::Inconclusive, None, why);
    };
    let value = Some(in_written_unit(condition.stat, found.measured.value));
    let compared = compared(condition.stat, condition.op, &found);
    let inconclusive = |why: &str| (Judgement::Inconclusive, value, format!("{compared}, but {why}"));
    let few = found.measured.samples < gate.min_samples;
    // One operation on live data is a fact, however few were looked at.
    let decisive = matches!(condition.stat, Stat::Leaks | Stat::TagLost) && !found.holds;
    if few && !decisive {
        let samples = count(found.measured.samples);
        return inconclusive(&format!("from {samples} samples of the {} it needs", count(gate.min_samples)));
    }
    if condition.stat == Stat::Capacity
        && window.capacity_is_bound()
        && !bound_decides(condition.op, found.holds)
    {
        return inconclusive(
            "the limit was not reached, so the capacity is only known to be at least the tested rate",
        );
    }
    if condition.stat == Stat::Capacity
        && matches!(window.searched(), Some(Known::Below(_)))
        && bound_decides(condition.op, found.holds)
    {
        return inconclusive(
            "the lowest rate of the search failed already: it is only known to be below that",
        );
    }
    match (found.holds, valid) {
        (true, true) if is_of_answers(condition.stat) && window.missed_share() > MISSED_INVALID_SHARE => {
            let missed = percent(Some(window.missed_share()));
            inconclusive(&format!("{missed} of the arrivals in these phases were not started"))
        }
        (true, true) => (Judgement::Pass, value, compared),
        (true, false) => inconclusive("no gate passes on an invalid run"),
        (false, false) if condition.stat == Stat::Rate && window.load.unseen_s > 0 => {
            inconclusive("part of the load is not in the record")
        }
        (false, false) if is_timing(condition.stat) && !generator_was_on_time(window, &found) => {
            inconclusive("the generator itself was late, so the target may not be to blame")
        }
        (false, _) => (Judgement::Fail, value, compared),
    }
}

fn unmeasured(stat: Stat) -> &'static str {
    match stat {
        Stat::InFlight => "requests in flight are not kept in the record; use it in guards",
        Stat::Leaks | Stat::TagLost => "not measured: no hop reported isolation decisions",
        Stat::AckMissing => "not measured: no answer, or requests were not tagged",
        Stat::Capacity => "not measured: neither a search nor the analysis gives a capacity",
        _ => "not measured: no such request in the phases it looks at",
    }
}

/// What is known only as a lower bound can decide these.
fn bound_decides(op: Op, holds: bool) -> bool {
    match op {
        Op::Gt | Op::Ge => holds,
        Op::Lt | Op::Le => !holds,
        Op::Eq | Op::Ne => false,
    }
}

/// Whether those that were never sent are missing in it: they might have been the slow ones.
fn is_of_answers(stat: Stat) -> bool {
    is_timing(stat) || matches!(stat, Stat::ErrorRate | Stat::AckMissing)
}

fn is_timing(stat: Stat) -> bool {
    matches!(stat, Stat::Latency(_) | Stat::Service(_))
}

/// Lateness is a small part of what was measured: the time was spent by the target.
fn generator_was_on_time(window: &Window<'_>, found: &Evaluated) -> bool {
    let lateness = window.load.lateness(|phase| window.phases.contains(&phase));
    lateness.is_some_and(|late| late.p99 as f64 * 10.0 <= found.measured.value)
}

fn in_written_unit(stat: Stat, value: f64) -> f64 {
    if is_timing(stat) { (value / 1e3).round() / 1e3 } else { value }
}

/// A value of a statistic, for people.
pub(crate) fn shown(stat: Stat, value: f64) -> String {
    match stat {
        Stat::Latency(_) | Stat::Service(_) => millis(Some(value / 1e6)),
        Stat::ErrorRate | Stat::ScheduleMiss | Stat::AckMissing => percent(Some(value)),
        Stat::Rate | Stat::Capacity => rate(Some(value)),
        Stat::InFlight | Stat::Leaks | Stat::TagLost => figure(value),
    }
}

fn compared(stat: Stat, op: Op, found: &Evaluated) -> String {
    let (value, limit) = (shown(stat, found.measured.value), shown(stat, found.limit));
    if found.holds && op == Op::Eq {
        return format!("{value}, as wanted");
    }
    if found.holds {
        return format!("{value}, as wanted ({} {limit})", op.text());
    }
    match op {
        Op::Lt | Op::Le => format!("{value}, over the limit of {limit}"),
        Op::Gt | Op::Ge => format!("{value}, below the wanted {limit}"),
        Op::Eq => format!("{value}, not the wanted {limit}"),
        Op::Ne => format!("{value}, which it must not be"),
    }
}
