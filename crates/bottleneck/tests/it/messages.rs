//! Messages that are processed again, planted in a simulated system.

use peakdrill_bottleneck::{AnalysisInput, analyse};
use peakdrill_drill_model::verdict::{Finding, FindingKind, NodeKind};
use peakdrill_simulator::{Call, Load, Node, Step, Trace, run};
use peakdrill_trace_model::{Messaging, Span};

use crate::besides::{chain, of};
use crate::shop::cells_of;

/// gateway → order, which sends a message that is worked on; each has its own number.
fn sent() -> Vec<Trace> {
    let orders = Node { servers: 40, ..Node::of(NodeKind::Queue, "orders") };
    let mut net = chain(Call::plain(2), orders, 10.0, 0.0);
    net.ops[1].steps[1] = Step::Publish(2);
    let load = Load { profile: vec![(30.0, 40.0, 40.0)], ..Load::default() };
    let mut traces = run(&net, &load, 7).traces;
    for (number, trace) in traces.iter_mut().enumerate() {
        let processed = trace.spans.iter_mut().filter(|s| s.messaging == Some(Messaging::Process));
        processed.for_each(|span| span.message = 1 + number as u64);
    }
    traces
}

/// Every so many messages are processed again a little later. `failed`: because the first time ended in an error.
fn again(traces: &mut [Trace], every: usize, failed: bool) {
    for trace in traces.iter_mut().step_by(every) {
        let first = trace.spans.iter_mut().find(|s| s.messaging == Some(Messaging::Process));
        let Some(first) = first else { continue };
        first.error = failed;
        let long = first.end_ns - first.start_ns;
        let start_ns = first.end_ns + 50_000_000;
        let second = Span {
            id: first.id ^ (1 << 60),
            start_ns,
            end_ns: start_ns + long,
            error: false,
            ..first.clone()
        };
        trace.spans.push(second);
    }
}

fn told(traces: &[Trace]) -> Vec<Finding> {
    let input = AnalysisInput { load_seconds: 30, ..AnalysisInput::default() };
    let findings = analyse(&cells_of(traces), &input).findings;
    of(&findings, FindingKind::Redelivered).into_iter().cloned().collect()
}

#[test]
fn messages_that_are_processed_again_are_told_with_the_reason() {
    for (failed, reason) in [(true, "dead-letter"), (false, "time limit")] {
        let mut traces = sent();
        let messages = traces.len();
        again(&mut traces, 20, failed);
        let [found] = &told(&traces)[..] else { panic!("told once") };
        println!("{}\n  {}", found.text, found.action);
        assert_eq!(found.node, "orders-worker", "its owner is to change it");
        let times = messages.div_ceil(20);
        let counted =
            format!("orders-worker processed messages of orders again: {times} times beside {messages}");
        assert!(found.text.starts_with(&counted), "{found:?}");
        assert!(found.text.contains(&format!(", {} of these", if failed { times } else { 0 })), "{found:?}");
        assert!(found.action.contains(reason), "{found:?}");
    }
}

#[test]
fn a_few_of_many_and_those_that_cannot_be_told_apart_are_not() {
    assert_eq!(told(&sent()), []);
    let mut few = sent();
    again(&mut few, 150, true);
    assert_eq!(told(&few), [], "8 of 1,200");
    let mut unknown = sent();
    again(&mut unknown, 20, true);
    unknown.iter_mut().flat_map(|trace| &mut trace.spans).for_each(|span| span.message = 0);
    assert_eq!(told(&unknown), []);
}
