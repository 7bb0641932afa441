//! What a plan asks of its requests, as the analysis looks for the rate up to which they keep to it.

use peakdrill_bottleneck::{Objective, Question};
use peakdrill_drill_model::condition::{Condition, Limit, Op, Stat};
use peakdrill_drill_model::plan::{Plan, StepId};

/// The gates and the objectives of searches that set an upper limit to latency or errors, each once.
pub(crate) fn objectives(plan: &Plan) -> Vec<Objective> {
    // What is asked of some phases alone says nothing of the rates of others.
    let gates = plan.gates.iter().filter(|gate| gate.during.is_empty()).map(|gate| &gate.condition);
    let searched = plan.load.phases.iter().flat_map(|phase| &phase.objective);
    let mut out: Vec<Objective> = Vec::new();
    for objective in gates.chain(searched).filter_map(|condition| objective(plan, condition)) {
        if out.iter().all(|known| known.text != objective.text) {
            out.push(objective);
        }
    }
    out
}

fn objective(plan: &Plan, condition: &Condition) -> Option<Objective> {
    let (Op::Lt | Op::Le, Limit::Value(limit)) = (condition.op, condition.limit) else { return None };
    let (asks, share) = match condition.stat {
        Stat::Latency(quantile) if limit > 0.0 => (Question::WithinNs(limit as u64), 1.0 - quantile),
        Stat::ErrorRate => (Question::Succeed, limit),
        _ => return None,
    };
    Some(Objective { text: condition.text.clone(), asks, share, steps: steps(plan, condition)? })
}

/// The steps that a condition is about; empty: all. `None` where no step fits.
fn steps(plan: &Plan, condition: &Condition) -> Option<Vec<StepId>> {
    let select = &condition.select;
    if select.journey.is_none() && select.step.is_none() {
        return Some(Vec::new());
    }
    let all = plan.steps.iter().enumerate();
    let fitting = all.filter(|(_, info)| select.fits(&info.journey, &info.step));
    let steps: Vec<StepId> = fitting.filter_map(|(at, _)| StepId::try_from(at).ok()).collect();
    (!steps.is_empty()).then_some(steps)
}

#[cfg(test)]
mod tests {
    use peakdrill_drill_model::condition::Selectors;
    use peakdrill_drill_model::plan::{Gate, StepInfo};

    use super::*;

    fn gate(text: &str, stat: Stat, op: Op, limit: f64, step: Option<&str>) -> Gate {
        let select = Selectors { journey: None, step: step.map(str::to_owned) };
        let condition =
            Condition { text: text.into(), stat, select, op, limit: Limit::Value(limit), for_ns: 0 };
        Gate {
            name: text.into(),
            assert: text.into(),
            condition,
            during: Vec::new(),
            min_samples: 0,
            warn_only: false,
            line: 0,
        }
    }

    #[test]
    fn upper_limits_of_latency_and_errors_are_objectives() {
        let mut plan = crate::testing::plan();
        let step = |name: &str| StepInfo { journey: "j".into(), step: name.into(), ..StepInfo::default() };
        plan.steps = vec![step("home"), step("pay")];
        plan.gates = vec![
            gate("p99 < 300ms", Stat::Latency(0.99), Op::Lt, 3e8, None),
            gate("p99 < 300ms", Stat::Latency(0.99), Op::Lt, 3e8, None),
            gate("errors{step=pay} <= 1%", Stat::ErrorRate, Op::Le, 0.01, Some("pay")),
            gate("errors{step=gone} <= 1%", Stat::ErrorRate, Op::Le, 0.01, Some("gone")),
            Gate {
                during: vec!["baseline".into()],
                ..gate("p99 < 9ms", Stat::Latency(0.99), Op::Lt, 9e6, None)
            },
            gate("p50 > 1ms", Stat::Latency(0.5), Op::Gt, 1e6, None),
            gate("rate >= 100/s", Stat::Rate, Op::Ge, 100.0, None),
        ];
        let found = objectives(&plan);
        let texts: Vec<&str> = found.iter().map(|one| one.text.as_str()).collect();
        assert_eq!(texts, ["p99 < 300ms", "errors{step=pay} <= 1%"]);
        assert_eq!((found[0].asks, found[0].steps.len()), (Question::WithinNs(300_000_000), 0));
        assert!((found[0].share - 0.01).abs() < 1e-9);
        assert_eq!((found[1].asks, &found[1].steps[..]), (Question::Succeed, &[1][..]));
    }
}
