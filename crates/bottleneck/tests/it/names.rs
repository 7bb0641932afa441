//! More names than are kept: live users' cost the drill nothing, and nothing is said of what stands for many.

use std::sync::Arc;

use peakdrill_bottleneck::{
    Analysis, AnalysisInput, Cells, NameLimits, OTHER, Sums, TraceClass, analyse, calls_under_load, compare,
    rank,
};
use peakdrill_drill_model::verdict::{AnalysisState, Finding, FindingKind};
use peakdrill_simulator::{Load, run as simulator_run};
use peakdrill_trace_model::{Peer, PeerKind, Span, SpanKind};

use crate::besides::{UP, pair};
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

/// A span of 10 ms that answers well.
fn span(trace: u128, start_ns: i64, (id, parent): (u64, u64), kind: SpanKind, service: &str) -> Span {
    Span {
        trace,
        id,
        parent,
        op: "GET /".into(),
        start_ns,
        end_ns: start_ns + 10_000_000,
        status: 200,
        ..Span::bare(kind, service)
    }
}

fn live(trace: u128, spans: Vec<Span>) -> Trace {
    Trace { id: trace, spans, row: None, class: TraceClass::Live, path: None }
}

/// A live request that calls many hosts: most of them send nothing, the others are services that do.
fn flood(at: u64) -> Trace {
    const CALLS: u64 = 400;
    let trace = (u128::from(at) << 64) + 7;
    let start_ns = ORIGIN_NS + at as i64 * 400_000_000;
    let span = |id, parent, kind, service: &str| span(trace, start_ns, (id, parent), kind, service);
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
    live(trace, spans)
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
            assert!(compare(&cells, &cells).ranking.iter().all(|ranked| ranked.node != OTHER));
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

#[test]
fn a_flood_says_nothing_against_a_queue_that_is_kept() {
    let setup = Setup::new(None, 1);
    let told = |queue: &str| {
        let mut traces = simulate(&setup);
        for trace in &mut traces {
            trace.spans.retain(|span| span.kind != SpanKind::Consumer);
            let peers = trace.spans.iter_mut().filter_map(|span| span.peer.as_mut());
            peers.filter(|peer| &*peer.node == "queue").for_each(|peer| peer.node = queue.into());
        }
        traces.extend((0..100).map(flood));
        let because = analyse(&cells_of(&traces), &input(&setup)).summary.because;
        because.iter().any(|why| why.contains(&format!("nobody is seen to take from {queue}")))
    };
    // Its hash begins with eight zeros, and some four are asked for.
    assert!(told("mail-3"));
    assert!(!told("queue"), "who takes from it may have lost its name");
}

/// Requests of live users that call a service by many names, half of them without its span.
fn by_many_names(service: &str) -> impl Iterator<Item = Trace> {
    (0..600_u64).map(move |at| {
        let (trace, start_ns) = ((u128::from(at) << 64) + 9, ORIGIN_NS + at as i64 * 60_000_000);
        let mut call = span(trace, start_ns, (2, 1), SpanKind::Client, "gateway");
        call.peer = Some(Peer { node: format!("{service}-{}", at % 12).into(), kind: PeerKind::Service });
        let mut spans = vec![span(trace, start_ns, (1, 0), SpanKind::Server, "gateway"), call];
        if at % 24 < 12 {
            spans.push(span(trace, start_ns, (3, 2), SpanKind::Server, service));
        }
        live(trace, spans)
    })
}

#[test]
fn what_the_drill_came_to_by_a_name_that_is_lost_is_not_called_untouched() {
    let mut net = pair(false);
    net.nodes[3].servers = 40;
    net.journeys = vec![(0, 1.0)];
    let live_mix = vec![(0, 0.5), (1, 0.5)];
    let load = Load { profile: UP.to_vec(), live_per_s: 5.0, live_mix, ..Load::default() };
    let mut traces = simulator_run(&net, &load, 3).traces;
    traces.extend(by_many_names("search"));
    let told = |traces: &[Trace], services: usize| {
        let cells = kept(traces, NameLimits { services, ..NameLimits::default() });
        let input = AnalysisInput { load_seconds: 42, ..AnalysisInput::default() };
        let findings = analyse(&cells, &input).findings.into_iter();
        let told = findings.filter(|found| found.kind == FindingKind::NotExercised).map(|found| found.node);
        told.collect::<Vec<_>>()
    };
    // Of some of its other names nobody knows any more that they are its own.
    assert_eq!(told(&traces, 1_000), ["cart", "other-db"]);
    assert_eq!(told(&traces, 4), ["cart", "other-db"]);
}

#[test]
fn requests_that_stand_for_many_are_not_compared() {
    let side = |slow: u64| {
        let traces = (0..100_u64).map(|at| {
            let is_slow = at % 10 < slow;
            let long_ns = if is_slow { 100_000_000 } else { 2_000_000 };
            let (trace, start_ns) = (u128::from(at) + 1, ORIGIN_NS + at as i64 * 100_000_000);
            let op: Arc<str> = format!("{is_slow} {}", ["a", "b", "c", "d", "e"][at as usize % 5]).into();
            let mut query = span(trace, start_ns, (2, 1), SpanKind::Client, "gateway");
            query.peer = Some(Peer { node: "db".into(), kind: PeerKind::Database });
            (query.op, query.end_ns) = (Arc::clone(&op), start_ns + long_ns / 2);
            let mut request = span(trace, start_ns, (1, 0), SpanKind::Server, "gateway");
            (request.op, request.end_ns) = (op, start_ns + long_ns);
            live(trace, vec![request, query])
        });
        let few = NameLimits { calls: 1, entries: 1, entries_each: 1, ..NameLimits::default() };
        kept(&traces.collect::<Vec<_>>(), few)
    };
    // More of the slow ones came, and none became slower.
    let compared = compare(&side(1), &side(9));
    assert!(compared.left_out.iter().any(|said| said.contains("stand under `other`")), "{compared:?}");
    for ranked in compared.ranking {
        assert!(ranked.score == 0.0 && ranked.evidence.is_empty(), "{ranked:?}");
    }
}
