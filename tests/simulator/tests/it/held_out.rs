//! What is said to be true of the families that are held out, by the simulator itself: no analysis is run over them.

use std::collections::{BTreeMap, BTreeSet};

use peakdrill_simulator::{Kind, Load, ORIGIN_NS, Scenario, Topology, Trace, node_visits, run};
use peakdrill_trace_model::{Messaging, Span, SpanKind};

/// Journeys of a load that stays the same: many, as chance has a queue grow and shrink near the capacity for minutes.
const JOURNEYS: f64 = 30_000.0;
/// Parts of the capacity that is told: one that is carried for good, one that is not.
const BELOW: f64 = 0.97;
/// See [`BELOW`].
const ABOVE: f64 = 1.06;

/// From the begin of a request to its last span's end, by the length of the load, of those that came between these parts of
/// the load and had to do with a node: their mean.
fn takes(traces: &[Trace], node: &str, seconds: f64, (from, until): (f64, f64)) -> f64 {
    let with =
        |span: &Span| *span.service == *node || span.peer.as_ref().is_some_and(|peer| *peer.node == *node);
    let part = |ns: i64| ns as f64 / 1e9 / seconds;
    let took = traces.iter().filter(|trace| trace.spans.iter().any(with)).filter_map(|trace| {
        let begun = trace.row?.intended_ns;
        let last = trace.spans.iter().map(|span| span.end_ns).max()?;
        (from..until).contains(&part(begun - ORIGIN_NS)).then_some(part(last - begun))
    });
    let took: Vec<f64> = took.collect();
    took.iter().sum::<f64>() / took.len() as f64
}

/// By how much longer requests take at the end of a steady load of this part of the capacity than in its middle, by the length
/// of the load.
fn grows(scenario: &Scenario, capacity: f64, part: f64) -> f64 {
    let rate = part * capacity;
    let seconds = JOURNEYS / rate;
    let load = Load { profile: vec![(seconds, rate, rate)], ..Load::default() };
    let traces = run(&scenario.network, &load, scenario.seed).traces;
    let takes = |window| takes(&traces, scenario.names()[0], seconds, window);
    takes((0.9, 1.0)) - takes((0.4, 0.5))
}

#[test]
fn below_the_capacity_that_is_told_requests_wait_no_longer_and_above_it_ever_longer() {
    // Half of the load lies between: what is more than the capacity waits.
    let expected = 0.5 * (1.0 - 1.0 / ABOVE);
    for topology in Topology::HELD_OUT {
        let single = (1..).map(|seed| Scenario::new(topology, Kind::Single, seed));
        // Of a node that few requests ask chance would make more than what is looked for.
        let often = |s: &Scenario| node_visits(&s.network)[s.planted[0]] >= 0.5;
        for (capacity, scenario) in single.filter(often).filter_map(|s| Some((s.capacity?, s))).take(3) {
            let [below, above] = [BELOW, ABOVE].map(|part| grows(&scenario, capacity, part) / expected);
            let what = format!("{topology:?} {} {:?}", scenario.seed, scenario.names());
            assert!(below < 0.4, "{what}: {below}");
            assert!(above > 0.5, "{what}: {above}");
        }
    }
}

/// Spans of a request hang together as instrumentation would have it.
fn well_formed(trace: &Trace) {
    let by_id: BTreeMap<u64, &Span> = trace.spans.iter().map(|span| (span.id, span)).collect();
    assert_eq!(by_id.len(), trace.spans.len(), "ids are no two spans'");
    let root = trace.row.map_or(0, |row| row.span);
    let roots = trace.spans.iter().filter(|span| span.parent == root).count();
    assert_eq!(roots, 1);
    for span in &trace.spans {
        assert!(span.trace == trace.id && span.start_ns <= span.end_ns, "{span:?}");
        let Some(parent) = by_id.get(&span.parent) else {
            assert!(span.parent == root && span.kind == SpanKind::Server, "{span:?}");
            continue;
        };
        let inside = parent.start_ns <= span.start_ns && span.end_ns <= parent.end_ns;
        let (same, fits) = match span.kind {
            SpanKind::Client => (true, inside),
            SpanKind::Server => (false, inside && parent.kind == SpanKind::Client),
            // The producer goes on; who takes the message comes after.
            SpanKind::Producer => (true, parent.start_ns <= span.start_ns),
            SpanKind::Consumer => {
                (false, parent.messaging == Some(Messaging::Send) && parent.start_ns <= span.start_ns)
            }
            SpanKind::Internal => (true, false),
        };
        assert!(fits && same == (parent.service == span.service), "{span:?} of {parent:?}");
    }
}

#[test]
fn spans_are_trees_and_the_same_arguments_give_the_same_run() {
    let mut seen = BTreeSet::new();
    for topology in Topology::HELD_OUT {
        for kind in [Kind::Single, Kind::Two, Kind::Control] {
            let scenario = Scenario::new(topology, kind, 5);
            let traces = scenario.run().traces;
            traces.iter().for_each(well_formed);
            let again = Scenario::new(topology, kind, 5).run().traces;
            assert_eq!(traces.len(), again.len());
            assert!(traces.iter().zip(&again).all(|(a, b)| a.spans == b.spans && a.row == b.row));
            let other = Scenario::new(topology, kind, 6).run().traces;
            assert!(traces[0].spans != other[0].spans, "{topology:?}");
            seen.extend(traces.iter().flat_map(|trace| &trace.spans).map(|span| span.kind as u8));
        }
    }
    assert_eq!(seen.len(), 4, "calls, what is called, messages, and who takes them");
}
