//! Delays, other runs, exports that come twice and in any order change nothing of what is said.

use std::collections::BTreeSet;

use peakdrill_bottleneck::{Analysis, TraceClass};
use peakdrill_collector::Limits;
use peakdrill_collector::counters::counter;
use peakdrill_collector::otlp::Format;
use peakdrill_simulator::{
    Export, Exporter, Kind, Names, Peers, Scenario, Topology, Trace, Wording, analysis, exports, late,
};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;

use super::{collected, direct, file, journalled, lost, named, planted};

const WORDING: Wording = Wording { names: Names::Both, peers: Peers::Addressed };

/// A run, and one of another drill that meets the same collector; it calls other services, which carry it easily.
fn beside_another() -> (Scenario, Vec<Trace>, Vec<Trace>) {
    let scenario = Scenario::new(Topology::Chain, Kind::Single, 22);
    let own = scenario.run().traces;
    let mut others = Scenario::new(Topology::Frontends, Kind::Control, 4).run().traces;
    for trace in &mut others {
        // This collector has no rows of it.
        (trace.row, trace.class) = (None, TraceClass::OtherRun);
    }
    let services = |traces: &[Trace]| {
        traces.iter().flat_map(|t| &t.spans).map(|s| s.service.clone()).collect::<BTreeSet<_>>()
    };
    assert!(services(&own).is_disjoint(&services(&others)));
    (scenario, own, others)
}

#[test]
fn another_run_on_the_same_services_is_load_as_live_users_are() {
    let scenario = Scenario::new(Topology::Chain, Kind::Single, 22);
    let mut traces = scenario.run().traces;
    let alone = analysis(&scenario, &direct(&traces, WORDING));
    let live = traces.iter_mut().filter(|trace| trace.class == TraceClass::Live);
    assert!(live.step_by(2).map(|trace| trace.class = TraceClass::OtherRun).count() > 20);
    let records = journalled(&traces, &exports(&traces, Exporter::sdk()), WORDING, Format::Protobuf);
    let fold = collected(&records, Limits::default());
    assert!(file(fold.cells()) == file(&direct(&traces, WORDING)));
    let said = analysis(&scenario, fold.cells());
    assert_eq!(named(&said), [planted(&scenario, WORDING)]);
    let capacity = |said: &Analysis| said.bottlenecks[0].capacity_per_s.estimate.unwrap();
    assert!((capacity(&said) / capacity(&alone) - 1.0).abs() < 0.01);
}

/// Some exports come a second time: their sender has not heard that they arrived.
fn again(exports: &mut Vec<Export>) -> u64 {
    let mut twice: Vec<Export> = exports.iter().step_by(7).cloned().collect();
    twice.iter_mut().for_each(|export| export.at_ns += 10_000_000_000);
    let spans = twice.iter().map(|export| export.spans.len() as u64).sum();
    exports.append(&mut twice);
    exports.sort_by_key(|export| export.at_ns);
    spans
}

/// What happens to exports on their way.
type Way = &'static dyn Fn(&mut Vec<Export>);

#[test]
fn nothing_of_the_verdict_changes() {
    let (scenario, own, others) = beside_another();
    let alone = analysis(&scenario, &direct(&own, WORDING));
    assert_eq!(named(&alone).first(), Some(&planted(&scenario, WORDING).as_str()));
    let all: Vec<Trace> = own.into_iter().chain(others).collect();
    let expected = direct(&all, WORDING);
    let in_time = exports(&all, Exporter::sdk());
    let (patient, hasty) = (Limits::default(), Limits { horizon_ns: 10_000_000_000, ..Limits::default() });
    let ways: [(&str, &Limits, Way); 4] = [
        ("in time", &patient, &|_| {}),
        ("up to 60 s late", &patient, &|exports| late(exports, 60_000, 1)),
        ("up to 60 s late, traces let go after 10 s", &hasty, &|exports| late(exports, 60_000, 2)),
        ("in any order", &patient, &|exports| {
            let times: Vec<i64> = exports.iter().map(|export| export.at_ns).collect();
            exports.shuffle(&mut rand_chacha::ChaCha8Rng::seed_from_u64(3));
            exports.iter_mut().zip(times).for_each(|(export, at_ns)| export.at_ns = at_ns);
        }),
    ];
    for (what, limits, way) in ways {
        let mut exports = in_time.clone();
        way(&mut exports);
        let twice = again(&mut exports);
        let records = journalled(&all, &exports, WORDING, Format::Protobuf);
        let fold = collected(&records, limits.clone());
        let counters = fold.counters();
        assert!(twice > 0 && (counters.get(counter::LATE) > 0) == (limits == &hasty), "{what}: {counters:?}");
        assert_eq!(lost(&counters), [0; 6], "{what}");
        assert!(file(fold.cells()) == file(&expected), "other cells: {what}");
        let said = analysis(&scenario, fold.cells());
        assert_eq!((named(&said), said.summary.state), (named(&alone), alone.summary.state), "{what}");
    }
}
