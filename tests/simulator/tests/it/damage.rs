//! Damage of every kind at its strongest: nothing panics, and every critical path is as long as its request.

use peakdrill_drill_model::verdict::{AnalysisState, FindingKind};
use peakdrill_simulator::{Damage, Exporter, Kind, Scenario, Topology, judge, judge_sampled};

#[test]
fn paths_are_as_long_as_requests_whatever_happened_to_the_spans() {
    let damages = [
        Damage::Shuffled,
        Damage::Milliseconds,
        Damage::Twice(0.05),
        Damage::Loss(0.2),
        Damage::Export(50),
        Damage::Queue(Exporter::of(256)),
        Damage::Skew(500.0),
        Damage::Drift(500.0),
        Damage::NoRow(0.5),
        Damage::Ids(1.0),
        Damage::SharedIds(1.0),
        Damage::Cycles(1.0),
        Damage::OwnParents(0.5),
        Damage::Restarts(20),
        Damage::Deep(100_000),
        Damage::Silent(0),
        Damage::Linked,
        Damage::Sampled(0.1),
    ];
    for damage in damages {
        for topology in [Topology::Diamond, Topology::Retries, Topology::Async] {
            let outcome = judge(Scenario::new(topology, Kind::Single, 21), damage);
            assert_eq!(outcome.not_conserved, 0, "{topology:?}, {}", damage.name());
        }
    }
}

#[test]
fn what_hides_no_span_hides_no_bottleneck() {
    for damage in [
        Damage::Restarts(3),
        Damage::Deep(10_000),
        Damage::SharedIds(1.0),
        Damage::Cycles(0.01),
        Damage::Drift(50.0),
    ] {
        let outcome = judge(Scenario::new(Topology::Chain, Kind::Single, 22), damage);
        assert!(outcome.right(), "{}: named {:?}", damage.name(), outcome.named());
    }
}

#[test]
fn consumers_with_traces_of_their_own_hide_no_bottleneck() {
    let mut told = 0;
    for seed in 21..=32 {
        let of = |damage| judge(Scenario::new(Topology::Async, Kind::Single, seed), damage);
        let (clean, linked) = (of(Damage::Clean), of(Damage::Linked));
        assert_eq!(linked.right(), clean.right(), "{seed}: {:?}, {:?}", linked.named(), clean.named());
        // Without a request what a consumer does is filed under the second in which it began: how many of them are in the
        // peak is another number, and how long they waited the same.
        let waits = |outcome: &peakdrill_simulator::Outcome| {
            outcome.analysis.queues.iter().map(|wait| (wait.node.clone(), wait.p50_ms)).collect::<Vec<_>>()
        };
        assert_eq!(waits(&linked).len(), waits(&clean).len(), "{seed}");
        for ((node, linked), (same, clean)) in waits(&linked).into_iter().zip(waits(&clean)) {
            let near = linked.zip(clean).is_some_and(|(linked, clean)| (linked - clean).abs() <= 0.2 * clean);
            assert!(node == same && near, "{seed}: {node}: {linked:?}, {clean:?}");
        }
        told += usize::from(linked.right());
    }
    assert!(told >= 10, "{told}");
}

#[test]
fn a_queue_that_overflows_under_load_is_told_and_nothing_is_named() {
    let outcome = judge(Scenario::new(Topology::Chain, Kind::Single, 22), Damage::Queue(Exporter::of(256)));
    let summary = &outcome.analysis.summary;
    assert_eq!(summary.state, AnalysisState::Withheld, "{summary:?}");
    assert!(summary.because.iter().any(|why| why.contains("OTEL_BSP_MAX_QUEUE_SIZE")), "{summary:?}");
}

#[test]
fn clocks_that_are_off_are_told() {
    let told = |damage| {
        let outcome = judge(Scenario::new(Topology::Chain, Kind::Single, 22), damage);
        let kinds = outcome.analysis.findings.iter().map(|finding| finding.kind);
        // Live users are hurt by the planted node as well, which is another matter.
        let of_clocks = [FindingKind::ClocksDiffer, FindingKind::ClocksInconsistent];
        kinds.filter(|kind| of_clocks.contains(kind)).collect::<Vec<_>>()
    };
    assert!(told(Damage::Clean).is_empty() && told(Damage::Milliseconds).is_empty());
    assert_eq!(told(Damage::LossAndSkew(500.0)).first(), Some(&FindingKind::ClocksDiffer));
}

#[test]
fn the_same_is_said_by_a_part_of_the_traces_and_too_few_are_told() {
    let larger = |kind, seed, times| Scenario::new(Topology::Diamond, kind, seed).larger(times);
    for kind in [Kind::Single, Kind::Control] {
        for seed in 31..=32 {
            let run = judge_sampled(larger(kind, seed, 4), 0.25);
            assert!(run.same(), "{kind:?} {seed}: {:?}, {:?}", run.all.summary, run.few.summary);
            assert!(run.traced * 3 < run.requests && run.traced * 5 > run.requests);
        }
    }
    let run = judge_sampled(larger(Kind::Single, 31, 1), 0.01);
    assert!(run.inconclusive(), "{:?}", run.few.summary);
    assert!(run.few.summary.because[0].contains("too few to name a node"), "{:?}", run.few.summary);
    // What was not asked for is not missing.
    let complete = |share: Option<f64>| share.is_none_or(|share| share > 0.99);
    assert!(run.few.completeness.iter().all(|c| complete(c.share)), "{:?}", run.few.completeness);
}

#[test]
fn a_capacity_by_a_part_of_the_traces_is_that_of_all() {
    let mut off = Vec::new();
    for seed in 41..=44 {
        let run = judge_sampled(Scenario::new(Topology::Chain, Kind::Single, seed).larger(4), 0.25);
        let planted = run.scenario.names()[0].to_owned();
        let of = |analysis: &peakdrill_bottleneck::Analysis| {
            let found = analysis.bottlenecks.iter().find(|b| b.node == planted)?;
            found.capacity_per_s.estimate
        };
        if let (Some(few), Some(truth)) = (of(&run.few), run.scenario.capacity) {
            off.push((few / truth - 1.0).abs());
        }
    }
    assert!(off.len() >= 3 && off.iter().all(|off| *off < 0.15), "{off:?}");
}
