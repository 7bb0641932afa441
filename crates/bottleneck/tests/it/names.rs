//! More names than are kept: live users' cost the drill nothing, and nothing is said of what stands for many.

use std::sync::Arc;

use peakdrill_bottleneck::{
    Analysis, AnalysisInput, Cells, NameLimits, OTHER, Sums, TraceClass, analyse, calls_under_load, compare,
    rank,
};
use peakdrill_drill_model::verdict::{AnalysisState, Finding};
use peakdrill_trace_model::{Peer, PeerKind, Span, SpanKind};

use crate::shop::{cells_of, line};
use crate::sim::{ORIGIN_NS, Setup, Trace, simulate};

fn input(setup: &Setup) -> AnalysisInput {
    AnalysisInput { load_seconds: setup.seconds(), ..AnalysisInput::default() }
}

fn kept(traces: &[Trace], limits: NameLimits) -> Cells {
    let (mut cells, mut sums) = (Cells::with_names(limits), Sums::default());
    traces.iter().for_each(|trace| sums.add(&trace.filed()));
    cells.take_in(&mut sums);
    cells
}

/// All names in what is said.
fn names(analysis: &Analysis) -> Vec<&str> {
    let nodes = analysis.bottlenecks.iter().map(|of| &*of.node);
    let calls = analysis.dependencies.iter().flat_map(|of| [&*of.from, &*of.to]);
    let services = analysis.completeness.iter().map(|of| &*of.service);
    let others = analysis.findings.iter().map(|Finding { node, .. }| &**node);
    let shown = analysis.curves.iter().map(|of| &*of.node);
    let grown = analysis.growth.iter().map(|of| &*of.node);
    nodes.chain(calls).chain(services).chain(others).chain(shown).chain(grown).collect()
}

fn says_nothing_of_many(analysis: &Analysis) {
    assert!(!names(analysis).contains(&OTHER), "{:?}", names(analysis));
    let text = format!("{:?} {:?} {:?}", analysis.summary, analysis.findings, analysis.bottlenecks);
    for said in [" other ", " other:", "to other,", "\"other\""] {
        assert!(!text.contains(said), "{text}");
    }
}

/// A live request that calls many hosts: most of them send nothing, the others are services that do.
fn flood(at: u64) -> Trace {
    const CALLS: u64 = 400;
    let trace = (u128::from(at) << 64) + 7;
    let start_ns = ORIGIN_NS + at as i64 * 400_000_000;
    let span = |id, parent, kind, service: &str| Span {
        trace,
        id,
        parent,
        kind,
        service: service.into(),
        instance: "".into(),
        op: "GET /".into(),
        start_ns,
        end_ns: start_ns + 10_000_000,
        error: false,
        status: 200,
        peer: None,
        messaging: None,
        resend: 0,
        partition: None,
        key: None,
        synthetic: false,
        mocked: false,
        links: smallvec::SmallVec::new(),
    };
    let mut spans = vec![span(1, 0, SpanKind::Server, "hooks")];
    for k in 0..CALLS {
        let mut call = span(10 + 2 * k, 1, SpanKind::Client, "hooks");
        let host: Arc<str> = format!("tenant-{at}-{k}").into();
        call.peer = Some(Peer { node: Arc::clone(&host), kind: PeerKind::Service });
        spans.push(call);
        if k % 4 == 0 {
            spans.push(span(11 + 2 * k, 10 + 2 * k, SpanKind::Server, &format!("service of {host}")));
        }
    }
    Trace { id: trace, spans, row: None, class: TraceClass::Live, path: None }
}

#[test]
fn a_flood_of_live_names_neither_withholds_the_verdict_nor_renames_a_node() {
    let setup = Setup::new(Some("stock"), 1);
    let mut traces = simulate(&setup);
    let before = analyse(&cells_of(&traces), &input(&setup));
    traces.extend((0..100).map(flood));
    let cells = cells_of(&traces);
    let said = cells.left_out_names("of the drill");
    assert!(!said.is_empty() && said.iter().all(|said| said.contains("of live users")), "{said:?}");
    let analysis = analyse(&cells, &input(&setup));
    assert_eq!(analysis.summary.state, AnalysisState::Found, "{}", line(&analysis));
    assert_eq!(analysis.bottlenecks[0].node, before.bottlenecks[0].node, "{}", line(&analysis));
    says_nothing_of_many(&analysis);
    let ranking = rank(&cells, &input(&setup));
    assert_eq!((ranking.bottlenecks, ranking.dependencies), (analysis.bottlenecks, analysis.dependencies));
    // What the drill saw is whole, and called what it was.
    let mine = |cells: &Cells| -> Vec<String> {
        let nodes = cells.nodes.keys().filter(|(_, class)| *class == TraceClass::Mine);
        let telemetry = cells.telemetry.iter().map(|of| format!("{of:?}"));
        let aliases = cells.aliases.iter().map(|of| format!("{of:?}"));
        nodes.map(|of| format!("{of:?}")).chain(telemetry).chain(aliases).collect()
    };
    assert_eq!(mine(&cells), mine(&cells_of(&simulate(&setup))));
}

#[test]
fn nothing_is_said_of_what_stands_for_many_and_what_goes_through_it_is_there() {
    let setup = Setup::new(Some("stock"), 2);
    let traces = simulate(&setup);
    let whole = calls_under_load(&cells_of(&traces), &input(&setup));
    for nodes in 1..7 {
        for calls in [1, 2, 16] {
            let limits = NameLimits { nodes, calls, entries: 1, services: nodes, ..NameLimits::default() };
            let cells = kept(&traces, limits);
            let analysis = analyse(&cells, &input(&setup));
            says_nothing_of_many(&analysis);
            assert!(analysis.bottlenecks.len() <= nodes, "{:?}", names(&analysis));
            let shares = analysis.bottlenecks.iter().filter_map(|of| of.share.estimate);
            assert!(shares.sum::<f64>() < 1.0 + 1e-9);
            let under_load = calls_under_load(&cells, &input(&setup));
            for call in &under_load {
                assert!(call.from != OTHER && call.to != OTHER);
                let known = whole.iter().find(|of| (&of.from, &of.to) == (&call.from, &call.to)).unwrap();
                assert_eq!(call.points, known.points, "of each operation, whatever is left of their names");
            }
            assert!(compare(&cells, &cells).iter().all(|ranked| ranked.node != OTHER));
            if let Some(load) = under_load.iter().find(|call| call.from == "load") {
                assert!(load.through.unwrap() > 0.99, "{load:?}");
            }
        }
    }
}

#[test]
fn where_there_is_room_for_all_a_name_is_a_name() {
    let mut traces = simulate(&Setup::new(None, 3));
    for span in traces.iter_mut().flat_map(|trace| &mut trace.spans) {
        if &*span.service == "stock" {
            span.service = OTHER.into();
        }
        if let Some(peer) = span.peer.as_mut().filter(|peer| &*peer.node == "stock") {
            peer.node = OTHER.into();
        }
    }
    let setup = Setup::new(None, 3);
    let cells = cells_of(&traces);
    assert!(cells.left_out_names("of the drill").is_empty());
    assert!(names(&analyse(&cells, &input(&setup))).contains(&OTHER));
}
