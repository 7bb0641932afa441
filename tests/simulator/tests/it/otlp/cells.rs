//! The same cells, byte for byte, and the planted node named first over them.

use peakdrill_collector::Limits;
use peakdrill_collector::counters::counter;
use peakdrill_collector::otlp::Format;
use peakdrill_simulator::{
    Damage, Exporter, Kind, Names, Peers, Scenario, Topology, Trace, Wording, analysis, exports,
};

use super::{collected, direct, file, journalled, lost, named, planted};

const NEW: Wording = Wording { names: Names::New, peers: Peers::Addressed };
const OLD: Wording = Wording { names: Names::Old, peers: Peers::Addressed };
const BOTH: Wording = Wording { names: Names::Both, peers: Peers::Addressed };

/// The names by which nodes are known as the simulator knows them.
fn by_name(wording: Wording) -> Wording {
    Wording { peers: Peers::Named, ..wording }
}

/// Sends a run through the collector. `finds`: whether the planted node is to be named first.
fn sent(topology: Topology, seed: u64, damage: Damage, wording: Wording, format: Format, finds: bool) {
    let what = format!("{topology:?} {seed}, {}, {wording:?}", damage.name());
    let scenario = Scenario::new(topology, Kind::Single, seed);
    let mut traces = scenario.run().traces;
    damage.apply(&mut traces, &scenario.needed(), seed);
    let exports = exports(&traces, damage.exporter());
    let fold = collected(&journalled(&traces, &exports, wording, format), Limits::default());
    let spans: usize = traces.iter().map(|trace| trace.spans.len()).sum();
    assert_eq!(fold.counters().get(counter::SPANS), spans as u64, "{what}");
    assert_eq!(lost(&fold.counters()), [0; 6], "{what}");
    assert!(file(fold.cells()) == file(&direct(&traces, wording)), "other cells: {what}");
    let said = analysis(&scenario, fold.cells());
    let first = named(&said).first().copied().unwrap_or_default();
    let right = first == planted(&scenario, wording);
    assert_eq!(right, finds, "{what}: named {:?}, {:?}", named(&said), said.summary);
}

fn clean(topology: Topology, seed: u64, wordings: &[Wording]) {
    for wording in wordings {
        sent(topology, seed, Damage::Clean, *wording, Format::Protobuf, true);
    }
}

#[test]
fn of_a_chain_by_every_wording() {
    clean(Topology::Chain, 22, &Wording::ALL);
    sent(Topology::Chain, 22, Damage::Clean, OLD, Format::Json, true);
}

#[test]
fn of_queues() {
    clean(Topology::Async, 3, &[NEW, OLD, by_name(BOTH)]);
    clean(Topology::Events, 3, &[BOTH, by_name(OLD)]);
}

#[test]
fn of_retries_and_threads() {
    clean(Topology::Retries, 3, &[NEW, by_name(OLD)]);
    clean(Topology::Threads, 3, &[OLD]);
}

#[test]
fn of_whole_systems() {
    clean(Topology::Mesh, 3, &[NEW]);
    clean(Topology::Cells, 3, &[OLD]);
    clean(Topology::Frontends, 3, &[OLD, BOTH]);
    clean(Topology::KeptConnections, 3, &[by_name(NEW)]);
}

fn damaged(topology: Topology, seed: u64, damages: &[(Damage, bool)]) {
    let wordings = [NEW, OLD, BOTH];
    for (at, (damage, finds)) in damages.iter().enumerate() {
        sent(topology, seed, *damage, wordings[at % wordings.len()], Format::Protobuf, *finds);
    }
}

#[test]
fn of_what_is_left_of_a_chain() {
    let damages = [
        (Damage::Loss(0.01), true),
        (Damage::LossAndSkew(100.0), true),
        (Damage::Queue(Exporter::of(256)), false),
        // Too few to name a node.
        (Damage::Sampled(0.5), false),
        (Damage::NoRow(0.2), true),
        (Damage::Export(400), true),
    ];
    damaged(Topology::Chain, 22, &damages);
}

#[test]
fn of_what_comes_of_clocks_and_ids() {
    let damages = [
        (Damage::Skew(500.0), true),
        (Damage::Milliseconds, true),
        (Damage::Twice(0.05), true),
        (Damage::Cycles(0.01), true),
        (Damage::OwnParents(0.01), true),
        (Damage::SharedIds(1.0), true),
        (Damage::Restarts(3), true),
        (Damage::Deep(10_000), true),
        (Damage::Shuffled, true),
    ];
    damaged(Topology::Async, 3, &damages);
    sent(Topology::Chain, 22, Damage::Ids(0.05), by_name(NEW), Format::Protobuf, true);
}

/// All that is named, with what it carries, by the names that the collector has for the nodes.
fn said(scenario: &Scenario, traces: &[Trace], wording: Wording) -> Vec<(String, Option<f64>)> {
    let said = analysis(scenario, &direct(traces, wording));
    let names = named(&said);
    let found = said.bottlenecks.iter().filter(|b| names.contains(&b.node.as_str()));
    found.map(|b| (b.node.clone(), b.capacity_per_s.estimate)).collect()
}

#[test]
fn what_nodes_are_called_changes_nothing_of_what_is_said() {
    let mut names = 0;
    for topology in Topology::DEVELOPED {
        let scenario = Scenario::new(topology, Kind::Single, 11);
        let traces = scenario.run().traces;
        let called = |name: &str| {
            let node = scenario.network.nodes.iter().find(|node| node.name == name).unwrap();
            NEW.node(node.kind, name)
        };
        let by_name = said(&scenario, &traces, by_name(NEW));
        names += by_name.len();
        let expected: Vec<_> = by_name.iter().map(|(name, rate)| (called(name), *rate)).collect();
        assert_eq!(said(&scenario, &traces, NEW), expected, "{topology:?}");
    }
    assert!(names >= Topology::DEVELOPED.len() - 2, "{names}");
}
