//! A snapshot as a Prometheus text (format 0.0.4). What was not measured is left out, never 0.

use std::fmt::Write;

use peakdrill_drill_model::snapshot::{RunState, Snapshot};
use peakdrill_drill_model::verdict::{Judgement, Millis};

/// Steps, nodes, guards and gates that are shown, each: a scrape is of bounded size.
const ROWS_MAX: usize = 1_000;

/// The text of one look.
#[must_use]
pub fn exposition(snapshot: &Snapshot) -> String {
    let mut page = Page { out: String::new(), run: vec![("drill", &snapshot.drill), ("run", &snapshot.run)] };
    load(&mut page, snapshot);
    latency(&mut page, snapshot);
    steps(&mut page, snapshot);
    rules(&mut page, snapshot);
    system(&mut page, snapshot);
    page.out
}

/// A text in the making.
struct Page<'a> {
    out: String,
    run: Vec<(&'static str, &'a str)>,
}

impl Page<'_> {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        _ = writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let all = self.run.iter().map(|(name, value)| (*name, *value)).chain(labels.iter().copied());
        let all: Vec<String> = all.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        _ = writeln!(self.out, "{name}{{{}}} {value}", all.join(","));
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: Option<f64>) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            self.family(name, kind, help);
            self.sample(name, &[], value);
        }
    }

    fn quantiles(&mut self, name: &str, labels: &[(&str, &str)], of: &Millis) {
        for (quantile, ms) in [("0.5", of.p50), ("0.9", of.p90), ("0.99", of.p99), ("0.999", of.p99_9)] {
            if let Some(ms) = ms {
                let mut labels = labels.to_vec();
                labels.push(("quantile", quantile));
                self.sample(name, &labels, ms / 1e3);
            }
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn load(page: &mut Page<'_>, of: &Snapshot) {
    let counts = [
        ("peakdrill_journeys_intended_total", "Journeys that the schedule held.", of.intended),
        ("peakdrill_journeys_sent_total", "Journeys started.", of.sent),
        ("peakdrill_journeys_missed_total", "Journeys that could not be started.", of.missed),
        ("peakdrill_requests_completed_total", "Requests that ended.", of.completed),
        ("peakdrill_request_errors_total", "Of these, errors.", of.errors),
        ("peakdrill_spans_received_total", "Spans received from the system under test.", of.spans),
    ];
    for (name, help, count) in counts {
        page.one(name, "counter", help, Some(count as f64));
    }
    let seconds = |ns: u64| Some(ns as f64 / 1e9);
    page.one("peakdrill_journeys_in_flight", "gauge", "Journeys in progress.", Some(of.in_flight as f64));
    page.one("peakdrill_target_rate", "gauge", "Planned journeys a second now.", of.target_rate);
    page.one("peakdrill_sent_rate", "gauge", "Journeys started over the last second.", Some(of.sent_rate));
    page.one(
        "peakdrill_load_elapsed_seconds",
        "gauge",
        "Time since the start of the load.",
        seconds(of.elapsed_ns),
    );
    page.one("peakdrill_data_age_seconds", "gauge", "Age of the newest load data.", seconds(of.data_age_ns));
    let busy = "Processor share of the busiest load thread.";
    page.one("peakdrill_generator_cpu_ratio", "gauge", busy, of.generator_cpu);
    page.family("peakdrill_state", "gauge", "Where the run stands: 1 at its state and phase.");
    let state = match of.state {
        RunState::Preflight => "preflight",
        RunState::Running => "running",
        RunState::Held => "held",
        RunState::Draining => "draining",
        RunState::Done => "done",
    };
    page.sample("peakdrill_state", &[("state", state), ("phase", &of.phase)], 1.0);
}

fn latency(page: &mut Page<'_>, of: &Snapshot) {
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
        page.family(name, "gauge", help);
        page.quantiles(name, &[], of);
    }
}

fn steps(page: &mut Page<'_>, of: &Snapshot) {
    let steps = || of.steps.iter().take(ROWS_MAX);
    if of.steps.is_empty() {
        return;
    }
    page.family("peakdrill_step_rate", "gauge", "Requests a second of a step, over the last second.");
    for step in steps() {
        page.sample("peakdrill_step_rate", &[("journey", &step.journey), ("step", &step.step)], step.rate);
    }
    if steps().any(|step| step.error_share.is_some()) {
        page.family(
            "peakdrill_step_error_ratio",
            "gauge",
            "Errors by completed requests of a step, over the last second.",
        );
        for step in steps() {
            if let Some(share) = step.error_share {
                let labels = [("journey", step.journey.as_str()), ("step", step.step.as_str())];
                page.sample("peakdrill_step_error_ratio", &labels, share);
            }
        }
    }
    if steps().any(|step| step.latency_ms.p50.is_some()) {
        page.family("peakdrill_step_latency_seconds", "gauge", "Latency of a step, over the last second.");
        for step in steps() {
            let labels = [("journey", step.journey.as_str()), ("step", step.step.as_str())];
            page.quantiles("peakdrill_step_latency_seconds", &labels, &step.latency_ms);
        }
    }
}

fn rules(page: &mut Page<'_>, of: &Snapshot) {
    let guards: Vec<_> = of.guards.iter().take(ROWS_MAX).filter_map(|g| Some((g, g.nearness?))).collect();
    if !guards.is_empty() {
        page.family(
            "peakdrill_guard_nearness_ratio",
            "gauge",
            "A guard's value by its limit: it stops the run at 1.",
        );
        for (guard, nearness) in guards.into_iter().filter(|(_, nearness)| nearness.is_finite()) {
            page.sample("peakdrill_guard_nearness_ratio", &[("guard", &guard.text)], nearness);
        }
    }
    let gates: Vec<_> = of.gates.iter().take(ROWS_MAX).filter_map(|g| Some((g, g.verdict?))).collect();
    if !gates.is_empty() {
        page.family(
            "peakdrill_gate_passing",
            "gauge",
            "1: the gate passes on the data so far; 0: it does not.",
        );
        for (gate, verdict) in gates {
            let passes = f64::from(u8::from(verdict == Judgement::Pass));
            page.sample(
                "peakdrill_gate_passing",
                &[("gate", &gate.name), ("verdict", verdict.text())],
                passes,
            );
        }
    }
}

fn system(page: &mut Page<'_>, of: &Snapshot) {
    let shares: Vec<_> =
        of.ranking.iter().take(ROWS_MAX).filter_map(|n| Some((n, n.share.estimate?))).collect();
    if !shares.is_empty() {
        page.family(
            "peakdrill_node_growth_ratio",
            "gauge",
            "A node's share of the growth of latency so far.",
        );
        for (node, share) in shares {
            page.sample("peakdrill_node_growth_ratio", &[("node", &node.node)], share);
        }
    }
    let capacities: Vec<_> =
        of.ranking.iter().take(ROWS_MAX).filter_map(|n| Some((n, n.capacity_per_s.estimate?))).collect();
    if !capacities.is_empty() {
        page.family("peakdrill_node_capacity", "gauge", "Journeys a second that a node can carry.");
        for (node, capacity) in capacities {
            page.sample("peakdrill_node_capacity", &[("node", &node.node)], capacity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::tests::snapshot;

    #[test]
    fn a_snapshot_is_written_and_what_was_not_measured_is_left_out() {
        let mut of = snapshot();
        of.drill = "a\"b\\c".to_owned();
        (of.intended, of.sent, of.sent_rate, of.phase) = (120, 118, 59.5, "peak".to_owned());
        of.latency_ms = Millis { p50: Some(21.0), p99: Some(143.0), ..Millis::default() };
        let text = exposition(&of);
        let wanted = [
            "# TYPE peakdrill_journeys_intended_total counter\n",
            "peakdrill_journeys_intended_total{drill=\"a\\\"b\\\\c\",run=\"r\"} 120\n",
            "peakdrill_latency_seconds{drill=\"a\\\"b\\\\c\",run=\"r\",quantile=\"0.99\"} 0.143\n",
            "peakdrill_state{drill=\"a\\\"b\\\\c\",run=\"r\",state=\"preflight\",phase=\"peak\"} 1\n",
        ];
        for line in wanted {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        for left_out in
            ["quantile=\"0.9\"", "peakdrill_service_seconds", "peakdrill_target_rate", "peakdrill_guard"]
        {
            assert!(!text.contains(left_out), "{left_out} in\n{text}");
        }
    }

    #[test]
    fn every_family_is_named_once_before_its_samples() {
        let text = exposition(&snapshot());
        let mut named = std::collections::BTreeSet::new();
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split(' ').next()) {
                assert!(named.insert(name), "{name} twice");
            } else if !line.starts_with('#') {
                let name = line.split('{').next().unwrap_or_default();
                assert!(named.contains(name), "{line}");
            }
        }
        assert!(named.len() >= 10);
    }
}
