//! What is told besides the ranking where services are asked for the spans of a part of the requests.

use peakdrill_bottleneck::{Analysis, AnalysisInput, Objective, Question, TraceClass, analyse};
use peakdrill_drill_model::verdict::{AnalysisState, Finding, FindingKind, KneeBy};
use peakdrill_simulator::{Call, Damage, Load, Network, Node, Refuses, run};

use crate::besides::{UP, chain, of, pair};
use crate::shop::cells_of;
use crate::sim::Trace;

fn simulated(net: &Network, load: &Load, seed: u64, part: f64) -> Vec<Trace> {
    let mut traces = run(net, load, seed).traces;
    Damage::Sampled(part).apply(&mut traces, &[], seed);
    traces
}

fn analysed(traces: &[Trace]) -> Analysis {
    analyse(&cells_of(traces), &AnalysisInput { load_seconds: 42, ..AnalysisInput::default() })
}

#[test]
fn what_a_limit_lets_through_is_told_of_all() {
    let limited = |live_per_s: f64, part: f64, seed: u64| {
        let stock = Node { servers: 40, refuses: Some(Refuses::Above(60.0)), ..Node::service("stock") };
        let load = Load { profile: UP.to_vec(), live_per_s, ..Load::default() };
        analysed(&simulated(&chain(Call::plain(2), stock, 20.0, 0.0), &load, seed, part))
    };
    let mut told = 0;
    for (seed, live_per_s) in (1..=6).flat_map(|seed| [(seed, 0.0), (seed, 10.0)]) {
        let analysis = limited(live_per_s, 0.3, seed);
        for limit in of(&analysis.findings, FindingKind::LimitBinds) {
            println!("{}", limit.text);
            let good: f64 = limit.text.split(' ').nth(2).unwrap().trim_end_matches("/s").parse().unwrap();
            assert!(limit.node == "stock" && (good / 60.0 - 1.0).abs() < 0.1, "{limit:?}");
            told += 1;
        }
    }
    assert!(told >= 6, "{told}");
    // Where too few are traced to name a node, none is named here either.
    let few = limited(0.0, 0.1, 1);
    assert_eq!(few.summary.state, AnalysisState::Withheld, "{:?}", few.summary);
    assert_eq!(few.findings, []);
}

/// What is said of nodes that the drill calls once in a thousand requests, if live users call them so often.
fn not_exercised(live_part: f64, seed: u64) -> Vec<Finding> {
    let mut net = pair(false);
    net.nodes[3].servers = 40;
    net.journeys = vec![(0, 0.999), (1, 0.001)];
    let live_mix = vec![(0, 1.0 - live_part), (1, live_part)];
    let load = Load { profile: UP.to_vec(), live_per_s: 40.0, live_mix, ..Load::default() };
    analysed(&simulated(&net, &load, seed, 0.25)).findings
}

#[test]
fn what_was_merely_not_traced_is_not_called_untouched() {
    for seed in 1..=6 {
        assert_eq!(not_exercised(0.02, seed), [], "{seed}");
    }
    let findings = (1..=6).flat_map(|seed| not_exercised(0.5, seed)).collect::<Vec<_>>();
    assert!(!findings.is_empty());
    for found in findings {
        assert_eq!(found.kind, FindingKind::NotExercised);
        assert!(found.text.contains("no request of the drill that was traced did"), "{found:?}");
    }
}

#[test]
fn requests_that_are_seen_twice_count_once() {
    let load = Load { profile: UP.to_vec(), ..Load::default() };
    let stock = Node { servers: 40, spread: 0.3, ..Node::service("stock") };
    let mut traces = run(&chain(Call::plain(2), stock, 40.0, 0.0), &load, 3).traces;
    // Three of four were not to be traced, and services sent spans of them all the same. All were sent late.
    let mut unasked = Vec::new();
    for (at, trace) in traces.iter_mut().enumerate() {
        let Some(row) = trace.row.as_mut() else { continue };
        row.intended_ns -= 500_000_000;
        if at % 4 > 0 {
            row.sampled = false;
            unasked.push(Trace { row: None, ..trace.clone() });
            trace.spans.clear();
        }
    }
    assert!(unasked.iter().all(|trace| trace.class == TraceClass::Mine));
    traces.extend(unasked);
    let objectives = vec![Objective {
        text: "p50 < 300ms".into(),
        asks: Question::WithinNs(300_000_000),
        share: 0.5,
        steps: Vec::new(),
    }];
    let input = AnalysisInput { load_seconds: 42, objectives, ..AnalysisInput::default() };
    let summary = analyse(&cells_of(&traces), &input).summary;
    let knee = summary.knees.iter().find(|knee| knee.by == KneeBy::Objective).unwrap();
    assert_eq!((knee.per_s.low, knee.per_s.estimate), (None, None), "{knee:?}");
    assert!(summary.because.iter().any(|why| why.contains("were not asked for")), "{summary:?}");
}

#[test]
fn that_none_was_to_be_traced_is_said() {
    let load = Load { profile: UP.to_vec(), live_per_s: 5.0, ..Load::default() };
    let stock = Node { servers: 40, ..Node::service("stock") };
    let analysis = analysed(&simulated(&chain(Call::plain(2), stock, 40.0, 0.0), &load, 3, 0.0));
    assert_eq!(analysis.summary.state, AnalysisState::Withheld);
    assert!(analysis.summary.because[0].contains("none of the requests"), "{:?}", analysis.summary);
}
