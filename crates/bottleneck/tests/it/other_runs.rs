//! Another drill that runs meanwhile is load on the system as live users are, and nothing else.

use peakdrill_bottleneck::{Analysis, AnalysisInput, TraceClass, analyse};
use peakdrill_simulator::{Call, Load, Node, run};

use crate::besides::{UP, chain};
use crate::shop::cells_of;

/// A drill beside other traffic of a class, of which each request calls a payment provider's stub besides, if it is so.
fn analysed(class: TraceClass, other_per_s: f64, mocked: bool) -> Analysis {
    let stock = Node { servers: 4, spread: 0.3, ..Node::service("stock") };
    let load = Load { profile: UP.to_vec(), live_per_s: other_per_s, ..Load::default() };
    let mut traces = run(&chain(Call::plain(2), stock, 40.0, 0.0), &load, 7).traces;
    for trace in traces.iter_mut().filter(|trace| trace.class == TraceClass::Live) {
        trace.class = class;
        if mocked {
            // What it asks of stock never comes there.
            trace.spans.retain(|span| &*span.service != "stock");
            let calls = trace
                .spans
                .iter_mut()
                .filter(|span| span.peer.as_ref().is_some_and(|peer| &*peer.node == "stock"));
            calls.for_each(|span| (span.mocked, span.end_ns) = (true, span.start_ns + 1_000_000));
        }
    }
    analyse(
        &cells_of(&traces),
        &AnalysisInput { load_seconds: load.seconds() as i64, ..AnalysisInput::default() },
    )
}

#[test]
fn its_requests_count_into_the_tested_rate_as_those_of_live_users() {
    let (other, live) =
        (analysed(TraceClass::OtherRun, 30.0, false), analysed(TraceClass::Live, 30.0, false));
    let alone = analysed(TraceClass::Live, 0.0, false);
    assert_eq!(other.summary.tested_to_per_s, live.summary.tested_to_per_s);
    assert!(other.summary.tested_to_per_s.unwrap() > alone.summary.tested_to_per_s.unwrap() + 20.0);
    let ranked = |analysis: &Analysis| {
        let of =
            |b: &peakdrill_drill_model::verdict::Bottleneck| (b.node.clone(), b.verdict, b.capacity_per_s);
        analysis.bottlenecks.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(ranked(&other), ranked(&live));
}

#[test]
fn what_its_stubs_answered_is_no_work_of_the_real_node() {
    let stock = |analysis: &Analysis| {
        let curve = analysis.curves.iter().find(|curve| curve.node == "stock").unwrap();
        curve.points.iter().map(|point| point.achieved).fold(0.0, f64::max)
    };
    let most = stock(&analysed(TraceClass::OtherRun, 60.0, true));
    // It carries 100 a second.
    assert!(most < 115.0, "{most}");
}
