//! The spans of runs as OTLP, through the collector: what comes of them is what comes of the spans themselves.

mod bytes;
mod cells;
mod grpc;
mod late;
mod program;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use peakdrill_bottleneck::{Analysis, Cells, TraceClass};
use peakdrill_collector::counters::{Counters, counter};
use peakdrill_collector::fold::Fold;
use peakdrill_collector::otlp::{Format, Texts};
use peakdrill_collector::record::{Record, RecordKind};
use peakdrill_collector::{CellsFile, Limits};
use peakdrill_drill_model::frame::RootRow;
use peakdrill_drill_model::verdict::{AnalysisState, NodeVerdict};
use peakdrill_simulator::{Export, ORIGIN_NS, Scenario, Trace, Wording};

/// The generator tells of its requests so often, nanoseconds.
const ROWS_EVERY_NS: i64 = 250_000_000;

/// What the spans come to that nobody sent: as a collector is to know them.
fn direct(traces: &[Trace], wording: Wording) -> Cells {
    let known = |trace: &Trace| Trace {
        spans: trace.spans.iter().map(|span| wording.known(span)).collect(),
        path: None,
        ..*trace
    };
    peakdrill_simulator::cells(&traces.iter().map(known).collect::<Vec<_>>())
}

/// As `cells.json`.
fn file(cells: &Cells) -> Vec<u8> {
    assert!(!cells.edges.is_empty() && !cells.paths.is_empty());
    CellsFile::new(Some(ORIGIN_NS), Arc::new(cells.clone())).to_bytes().unwrap()
}

fn classes(traces: &[Trace]) -> BTreeMap<u128, TraceClass> {
    traces.iter().map(|trace| (trace.id, trace.class)).collect()
}

/// The rows of the generator as it sends them, each lot with its time.
fn rows(traces: &[Trace]) -> BTreeMap<i64, Vec<RootRow>> {
    let mut lots: BTreeMap<i64, Vec<RootRow>> = BTreeMap::new();
    for row in traces.iter().filter_map(|trace| trace.row) {
        let at_ns = (row.done_ns.div_euclid(ROWS_EVERY_NS) + 1) * ROWS_EVERY_NS;
        lots.entry(at_ns).or_default().push(row);
    }
    lots
}

/// What a collector has in its journal, in the order of its time.
fn journalled(traces: &[Trace], exports: &[Export], wording: Wording, format: Format) -> Vec<Record> {
    let classes = classes(traces);
    let mut records = vec![Record::origin(ORIGIN_NS, ORIGIN_NS)];
    records.extend(rows(traces).into_iter().map(|(at_ns, rows)| Record::roots(&rows, at_ns).unwrap()));
    records.extend(exports.iter().map(|export| {
        let named = export
            .spans
            .iter()
            .flat_map(|span| std::iter::once(span.trace).chain(span.links.iter().map(|link| link.trace)));
        let mut named: Vec<_> =
            named.filter_map(|id| classes.get_key_value(&id)).map(|(a, b)| (*a, *b)).collect();
        named.retain(|(_, class)| *class != TraceClass::Live);
        named.sort_unstable();
        named.dedup();
        let payload = match format {
            Format::Protobuf => export.protobuf(wording),
            Format::Json => export.json(wording).into_bytes(),
        };
        let kind = RecordKind::Traces(format);
        Record { kind, recv_ns: export.at_ns, classes: named, payload: payload.into() }
    }));
    records[1..].sort_by_key(|record| record.recv_ns);
    records
}

/// What the collector makes of it.
fn collected(records: &[Record], limits: Limits) -> Fold {
    let (mut fold, mut texts) = (Fold::new(limits), Texts::default());
    for record in records {
        let event = record.event(&mut texts).unwrap();
        fold.event(event, record.recv_ns, &record.classes);
        fold.refresh();
    }
    let read = fold.amend(|amendment| {
        records.iter().for_each(|record| amendment.record(record));
        Ok::<_, Infallible>(())
    });
    assert_eq!(read, Ok(true));
    fold.settle();
    fold
}

/// Counts of what did not find its way into the cells.
fn lost(counters: &Counters) -> [u64; 6] {
    let names = [
        counter::LATE_OVER_LIMIT,
        counter::ROOTS_LATE_OVER_LIMIT,
        counter::OVER_TRACE_LIMIT,
        counter::SEALED_EARLY,
        counter::SEALED_FORGOTTEN,
        counter::LATE_WAITING,
    ];
    names.map(|name| counters.get(name))
}

/// The nodes that are named, the first one first.
fn named(analysis: &Analysis) -> Vec<&str> {
    if analysis.summary.state != AnalysisState::Found {
        return Vec::new();
    }
    let found = analysis.bottlenecks.iter().filter(|b| b.verdict == NodeVerdict::Bottleneck);
    found.map(|b| b.node.as_str()).collect()
}

/// What the planted node is called.
fn planted(scenario: &Scenario, wording: Wording) -> String {
    let node = &scenario.network.nodes[scenario.planted[0]];
    wording.node(node.kind, &node.name)
}
