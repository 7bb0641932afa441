//! A snapshot as metrics. What was not measured is left out, never 0.

use peakdrill_collector::export::{Family, Labels};
use peakdrill_drill_model::snapshot::{RunState, Snapshot};
use peakdrill_drill_model::verdict::{Judgement, Millis};

/// Steps, nodes, guards and gates that are shown, each: a look is of bounded size.
const ROWS_MAX: usize = 1_000;

/// The metrics of one look.
#[must_use]
pub fn families(snapshot: &Snapshot) -> Vec<Family> {
    let run = vec![("drill", snapshot.drill.clone()), ("run", snapshot.run.clone())];
    let mut page = Page { out: Vec::new(), run };
    load(&mut page, snapshot);
    latency(&mut page, snapshot);
    steps(&mut page, snapshot);
    rules(&mut page, snapshot);
    system(&mut page, snapshot);
    page.out
}

/// Metrics in the making.
struct Page {
    out: Vec<Family>,
    run: Labels,
}

impl Page {
    fn gauge(&mut self, name: &'static str, help: &'static str) {
        self.out.push(Family { name, help, grows: false, samples: Vec::new() });
    }

    fn count(&mut self, name: &'static str, help: &'static str, count: u64) {
        self.out.push(Family { name, help, grows: true, samples: Vec::new() });
        self.sample(&[], count as f64);
    }

    /// A value of the family that was named last.
    fn sample(&mut self, labels: &[(&'static str, &str)], value: f64) {
        let own = labels.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let labels = self.run.iter().cloned().chain(own).collect();
        if let Some(family) = self.out.last_mut() {
            family.samples.push((labels, value));
        }
    }

    fn one(&mut self, name: &'static str, help: &'static str, value: Option<f64>) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            self.gauge(name, help);
            self.sample(&[], value);
        }
    }

    fn quantiles(&mut self, labels: &[(&'static str, &str)], of: &Millis) {
        for (quantile, ms) in [("0.5", of.p50), ("0.9", of.p90), ("0.99", of.p99), ("0.999", of.p99_9)] {
            if let Some(ms) = ms {
                let mut labels = labels.to_vec();
                labels.push(("quantile", quantile));
                self.sample(&labels, ms / 1e3);
            }
        }
    }
}

fn load(page: &mut Page, of: &Snapshot) {
    let counts = [
        ("peakdrill_journeys_intended_total", "Journeys that the schedule held.", of.intended),
        ("peakdrill_journeys_sent_total", "Journeys started.", of.sent),
        ("peakdrill_journeys_missed_total", "Journeys that could not be started.", of.missed),
        ("peakdrill_requests_completed_total", "Requests that ended.", of.completed),
        ("peakdrill_request_errors_total", "Of these, errors.", of.errors),
    ];
    for (name, help, count) in counts {
        page.count(name, help, count);
    }
    if let Some(spans) = of.spans {
        page.count("peakdrill_spans_received_total", "Spans received from the system under test.", spans);
    }
    let begun = of.state != RunState::Preflight;
    let seconds = |ns: u64| begun.then_some(ns as f64 / 1e9);
    page.one("peakdrill_journeys_in_flight", "Journeys in progress.", Some(of.in_flight as f64));
    page.one("peakdrill_target_rate", "Planned journeys a second now.", of.target_rate);
    page.one("peakdrill_sent_rate", "Journeys started over the last second.", begun.then_some(of.sent_rate));
    page.one("peakdrill_load_elapsed_seconds", "Time since the start of the load.", seconds(of.elapsed_ns));
    page.one("peakdrill_data_age_seconds", "Age of the newest load data.", seconds(of.data_age_ns));
    let age = "Age of the newest of what was received that is in the ranking.";
    page.one("peakdrill_ranking_age_seconds", age, of.ranking_age_ns.and_then(seconds));
    let behind = "How long the oldest of what was received and is not in the ranking has waited for it.";
    let has_spans = of.spans.is_some_and(|spans| spans > 0);
    page.one("peakdrill_ranking_behind_seconds", behind, seconds(of.ranking_behind_ns).filter(|_| has_spans));
    let busy = "Processor share of the busiest load thread.";
    page.one("peakdrill_generator_cpu_ratio", busy, of.generator_cpu);
    page.gauge("peakdrill_state", "Where the run stands: 1 at its state and phase.");
    let state = match of.state {
        RunState::Preflight => "preflight",
        RunState::Running => "running",
        RunState::Draining => "draining",
        RunState::Done => "done",
    };
    page.sample(&[("state", state), ("phase", &of.phase)], 1.0);
}

fn latency(page: &mut Page, of: &Snapshot) {
    let all = [
        (
            "peakdrill_latency_seconds",
            "Latency from the intended time, over the last second.",
            &of.latency_ms,
        ),
        (
            "peakdrill_service_seconds",
            "Latency from the first byte sent, over the last second.",
            &of.service_ms,
        ),
        (
            "peakdrill_lateness_seconds",
            "Actual start less intended start, over the last second.",
            &of.lateness_ms,
        ),
    ];
    for (name, help, of) in all.into_iter().filter(|(.., of)| of.p50.is_some()) {
        page.gauge(name, help);
        page.quantiles(&[], of);
    }
}

fn steps(page: &mut Page, of: &Snapshot) {
    let steps = || of.steps.iter().take(ROWS_MAX);
    if of.steps.is_empty() {
        return;
    }
    page.gauge("peakdrill_step_rate", "Requests a second of a step, over the last second.");
    for step in steps() {
        page.sample(&[("journey", &step.journey), ("step", &step.step)], step.rate);
    }
    if steps().any(|step| step.error_share.is_some()) {
        page.gauge(
            "peakdrill_step_error_ratio",
            "Errors by completed requests of a step, over the last second.",
        );
        for step in steps() {
            if let Some(share) = step.error_share {
                let labels = [("journey", step.journey.as_str()), ("step", step.step.as_str())];
                page.sample(&labels, share);
            }
        }
    }
    if steps().any(|step| step.latency_ms.p50.is_some()) {
        page.gauge("peakdrill_step_latency_seconds", "Latency of a step, over the last second.");
        for step in steps() {
            let labels = [("journey", step.journey.as_str()), ("step", step.step.as_str())];
            page.quantiles(&labels, &step.latency_ms);
        }
    }
}

fn rules(page: &mut Page, of: &Snapshot) {
    let guards: Vec<_> = of.guards.iter().take(ROWS_MAX).filter_map(|g| Some((g, g.nearness?))).collect();
    if !guards.is_empty() {
        page.gauge("peakdrill_guard_nearness_ratio", "A guard's value by its limit: it stops the run at 1.");
        for (guard, nearness) in guards.into_iter().filter(|(_, nearness)| nearness.is_finite()) {
            page.sample(&[("guard", &guard.text)], nearness);
        }
    }
    let gates: Vec<_> = of.gates.iter().take(ROWS_MAX).filter_map(|g| Some((g, g.verdict?))).collect();
    if !gates.is_empty() {
        page.gauge("peakdrill_gate_passing", "1: the gate passes on the data so far; 0: it does not.");
        for (gate, verdict) in gates {
            let passes = f64::from(u8::from(verdict == Judgement::Pass));
            page.sample(&[("gate", &gate.name), ("verdict", verdict.text())], passes);
        }
    }
}

fn system(page: &mut Page, of: &Snapshot) {
    let shares: Vec<_> =
        of.ranking.iter().take(ROWS_MAX).filter_map(|n| Some((n, n.share.estimate?))).collect();
    if !shares.is_empty() {
        page.gauge("peakdrill_node_growth_ratio", "A node's share of the growth of latency so far.");
        for (node, share) in shares {
            page.sample(&[("node", &node.node)], share);
        }
    }
    let capacities: Vec<_> =
        of.ranking.iter().take(ROWS_MAX).filter_map(|n| Some((n, n.capacity_per_s.estimate?))).collect();
    if !capacities.is_empty() {
        page.gauge("peakdrill_node_capacity", "Journeys a second that a node can carry.");
        for (node, capacity) in capacities {
            page.sample(&[("node", &node.node)], capacity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::tests::snapshot;

    #[test]
    fn what_was_not_measured_is_left_out() {
        let mut of = snapshot();
        let early = super::families(&of);
        for left_out in [
            "peakdrill_sent_rate",
            "peakdrill_data_age_seconds",
            "peakdrill_load_elapsed_seconds",
            "peakdrill_spans_received_total",
            "peakdrill_ranking_age_seconds",
            "peakdrill_ranking_behind_seconds",
        ] {
            assert!(early.iter().all(|family| family.name != left_out), "{left_out} before the load");
        }
        (of.state, of.spans, of.ranking_age_ns) = (RunState::Running, Some(0), Some(250_000_000));
        (of.intended, of.sent_rate, of.phase) = (120, 59.5, "peak".to_owned());
        of.latency_ms = Millis { p50: Some(21.0), p99: Some(143.0), ..Millis::default() };
        let families = families(&of);
        let find = |name: &str| families.iter().find(|family| family.name == name);
        let run = [("drill", "test".to_owned()), ("run", "r".to_owned())];
        let intended = find("peakdrill_journeys_intended_total").unwrap();
        assert!(intended.grows);
        assert_eq!(intended.samples, [(run.to_vec(), 120.0)]);
        let latency = find("peakdrill_latency_seconds").unwrap();
        let quantiles: Vec<_> =
            latency.samples.iter().map(|(labels, v)| (labels[2].1.as_str(), *v)).collect();
        assert_eq!(quantiles, [("0.5", 0.021), ("0.99", 0.143)]);
        let state = &find("peakdrill_state").unwrap().samples[0].0;
        assert_eq!(state[2..], [("state", "running".to_owned()), ("phase", "peak".to_owned())]);
        let rate = find("peakdrill_sent_rate").unwrap();
        assert_eq!(rate.samples, [(run.to_vec(), 59.5)]);
        let age = find("peakdrill_ranking_age_seconds").unwrap();
        assert_eq!(age.samples, [(run.to_vec(), 0.25)]);
        let spans = find("peakdrill_spans_received_total").unwrap();
        assert_eq!(spans.samples, [(run.to_vec(), 0.0)], "none came, and that was measured");
        for left_out in
            ["peakdrill_service_seconds", "peakdrill_target_rate", "peakdrill_guard_nearness_ratio"]
        {
            assert!(find(left_out).is_none(), "{left_out}");
        }
        assert!(find("peakdrill_ranking_behind_seconds").is_none(), "without spans nothing waits");
        assert!(families.iter().all(|family| !family.samples.is_empty()));
        // Spans came, and the first look is not over.
        (of.spans, of.ranking_age_ns, of.ranking_behind_ns) = (Some(7), None, 1_500_000_000);
        let families = super::families(&of);
        let find = |name: &str| families.iter().find(|family| family.name == name);
        assert_eq!(find("peakdrill_ranking_behind_seconds").unwrap().samples, [(run.to_vec(), 1.5)]);
        assert!(find("peakdrill_ranking_age_seconds").is_none());
    }
}
