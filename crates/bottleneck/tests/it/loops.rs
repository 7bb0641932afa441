//! Loops of calls, planted in a simulated system, beside what looks much the same and is none.

use peakdrill_bottleneck::{AnalysisInput, TraceClass, analyse};
use peakdrill_drill_model::verdict::{Finding, FindingKind, NodeKind};
use peakdrill_simulator::{Attempts, Call, Load, Network, Node, Op, Step, run};

use crate::besides::of;
use crate::shop::cells_of;

const FLAT: [(f64, f64, f64); 1] = [(20.0, 15.0, 15.0)];

/// gateway → order, which calls `price` and then works.
fn priced(kind: NodeKind, calls: Vec<Call>, work_ms: f64) -> Network {
    let roomy = |name: &str| Node { servers: 60, spread: 0.2, ..Node::service(name) };
    Network {
        nodes: vec![
            roomy("gateway"),
            roomy("order"),
            Node { servers: 60, spread: 0.2, ..Node::of(kind, "price") },
        ],
        ops: vec![
            Op::new(0, "GET /", vec![Step::Work(1.0), Step::Calls(vec![Call::plain(1)])]),
            Op::new(1, "GET /order", vec![Step::Calls(calls), Step::Work(work_ms)]),
            Op::new(2, "GET /price", vec![Step::Work(2.0)]),
        ],
        journeys: vec![(0, 1.0)],
        hop_ms: 0.2,
        ..Network::default()
    }
}

fn times(times: u32) -> Vec<Call> {
    vec![Call { times, ..Call::plain(2) }]
}

fn told(net: &Network) -> Vec<Finding> {
    let load = Load { profile: FLAT.to_vec(), ..Load::default() };
    let traces = run(net, &load, 7).traces;
    analyse(&cells_of(&traces), &AnalysisInput { load_seconds: 20, ..AnalysisInput::default() }).findings
}

#[test]
fn a_loop_is_told_with_its_size_and_what_to_do() {
    let kinds =
        [(NodeKind::Service, "a list"), (NodeKind::External, "a list"), (NodeKind::Database, "a join")];
    for (kind, advice) in kinds {
        let findings = told(&priced(kind, times(12), 5.0));
        let [found] = &of(&findings, FindingKind::LoopOfCalls)[..] else { panic!("{findings:#?}") };
        println!("{}\n  {}", found.text, found.action);
        assert_eq!(found.node, "order", "its owner is to change it");
        let requests = told_of(&found.text);
        assert!(requests.0 == requests.1 && requests.0 > 200, "{found:?}");
        assert!(
            found
                .text
                .contains("order calls price one by one in a loop, `GET /price` 12.0 times each, every call")
        );
        assert!(found.action.contains(advice), "{found:?}");
        // Twelve times 2 ms and two ways of 0.2 ms, of these and the rest: 1 ms, 5 ms, and two more pairs of ways.
        let part: f64 = found.text.rsplit('(').next().unwrap().split(' ').next().unwrap().parse().unwrap();
        let truth = 100.0 * 12.0 * 2.4 / (12.0 * 2.4 + 6.0 + 0.8);
        assert!((part / truth - 1.0).abs() < 0.05, "{part} {truth}");
    }
}

/// Requests with a loop, and all.
fn told_of(text: &str) -> (usize, usize) {
    let numbers: Vec<usize> = text.split(' ').filter_map(|word| word.parse().ok()).collect();
    (numbers[0], numbers[1])
}

#[test]
fn a_loop_of_few_requests_among_many_is_told_as_such_or_not_at_all() {
    let of = |calls, per_s| {
        let load = Load { profile: vec![(20.0, per_s, per_s)], ..Load::default() };
        run(&priced(NodeKind::Service, calls, 5.0), &load, 7).traces
    };
    let (loops, plain) = (of(times(12), 15.0), of(times(1), 170.0));
    let told = |all: usize| {
        let traces: Vec<_> = loops[..30].iter().chain(&plain[..all - 30]).cloned().collect();
        let input = AnalysisInput { load_seconds: 20, ..AnalysisInput::default() };
        analyse(&cells_of(&traces), &input).findings
    };
    let findings = told(3_000);
    let [found] = &of_loops(&findings)[..] else { panic!("{findings:#?}") };
    assert!(found.text.starts_with("N+1: in 30 of 3000 traced requests order calls price"), "{found:?}");
    assert!(found.text.contains("12.0 times each"), "{found:?}");
    // Large baskets now and then are no way of calling.
    assert_eq!(of_loops(&told(3_001)).len(), 0);
}

#[test]
fn several_loops_of_a_request_are_told_as_such() {
    let mut net = priced(NodeKind::Service, times(6), 5.0);
    net.ops[0].steps[1] = Step::Calls(vec![Call { times: 2, ..Call::plain(1) }]);
    let findings = told(&net);
    let [found] = &of_loops(&findings)[..] else { panic!("{findings:#?}") };
    assert!(found.text.contains("12.0 times each in 2.0 loops, every call"), "{found:?}");
}

fn of_loops(findings: &[Finding]) -> Vec<&Finding> {
    of(findings, FindingKind::LoopOfCalls)
}

#[test]
fn what_is_no_loop_or_matters_little_is_not_told() {
    let none = |net: &Network| {
        let findings = told(net);
        assert!(of(&findings, FindingKind::LoopOfCalls).is_empty(), "{findings:#?}");
    };
    let service = |calls| priced(NodeKind::Service, calls, 5.0);
    none(&service(times(4)));
    none(&service(vec![Call::plain(2); 12]));
    none(&priced(NodeKind::Cache, times(12), 5.0));
    // A twentieth of the request.
    none(&priced(NodeKind::Service, times(5), 230.0));
    for style in [Attempts::Bare, Attempts::Numbered, Attempts::Framed, Attempts::OneClient] {
        let mut net = service(vec![Call { attempts: 9, style, backoff_ms: 1.0, ..Call::plain(2) }]);
        net.ops[2].fails = 0.8;
        none(&net);
    }
}

#[test]
fn a_few_requests_and_those_of_live_users_say_nothing() {
    let load = Load { profile: FLAT.to_vec(), ..Load::default() };
    let mut traces = run(&priced(NodeKind::Service, times(12), 5.0), &load, 7).traces;
    let input = AnalysisInput { load_seconds: 20, ..AnalysisInput::default() };
    let loops = |traces: &[crate::sim::Trace]| {
        of(&analyse(&cells_of(traces), &input).findings, FindingKind::LoopOfCalls).len()
    };
    assert_eq!((loops(&traces[..29]), loops(&traces[..30])), (0, 1));
    traces.iter_mut().skip(29).for_each(|trace| trace.class = TraceClass::Live);
    assert_eq!(loops(&traces), 0);
}
