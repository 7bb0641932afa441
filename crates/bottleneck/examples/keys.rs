//! What counting keys costs, for a profiler that counts instructions.
//!
//! `keys with|made|without|none TRACES`: files the traces of four services and three stores, ten operations each, with a
//! key, of a million, on every entry span; with the keys, and not counted; without any; or not at all (what making the
//! spans takes). They are moved into the cells every 20,000 spans, about as often as while a load runs. Prints how many
//! buckets of keys there are then.

use std::error::Error;
use std::io::Write as _;

use peakdrill_bottleneck::{Cells, Filed, Sums, TraceClass};
use peakdrill_trace_model::{Peer, PeerKind, Span, SpanKey, SpanKind};

/// Moved into the cells after so many traces.
const TRACES: u128 = 1_200;

/// Position of the parent, 0: none; service; kind; whom it calls; from and to, milliseconds.
type Row = (u64, &'static str, SpanKind, &'static str, i64, i64);

const ROWS: [Row; 16] = [
    (0, "gateway", SpanKind::Server, "", 0, 100),
    (1, "gateway", SpanKind::Client, "order", 2, 70),
    (2, "order", SpanKind::Server, "", 3, 69),
    (3, "order", SpanKind::Client, "order-db", 4, 16),
    (3, "order", SpanKind::Client, "stock", 18, 42),
    (5, "stock", SpanKind::Server, "", 19, 41),
    (6, "stock", SpanKind::Client, "stock-cache", 20, 22),
    (6, "stock", SpanKind::Client, "stock-db", 23, 39),
    (3, "order", SpanKind::Client, "payment", 43, 64),
    (9, "payment", SpanKind::Server, "", 44, 63),
    (10, "payment", SpanKind::Client, "bank", 45, 62),
    (3, "order", SpanKind::Internal, "", 65, 68),
    (1, "gateway", SpanKind::Client, "users", 72, 98),
    (13, "users", SpanKind::Server, "", 73, 97),
    (14, "users", SpanKind::Client, "users-db", 74, 86),
    (14, "users", SpanKind::Client, "users-cache", 88, 91),
];

fn template() -> Vec<Span> {
    let span = |(at, row): (usize, &Row)| {
        let (parent, service, kind, peer, from, to) = *row;
        let store = if peer.ends_with("-db") { PeerKind::Database } else { PeerKind::Service };
        let store = if peer.ends_with("-cache") { PeerKind::Cache } else { store };
        Span {
            id: at as u64 + 1,
            parent,
            op: format!("{service} {peer}").into(),
            start_ns: from * 1_000_000,
            end_ns: to * 1_000_000,
            status: 200,
            peer: (!peer.is_empty()).then(|| Peer { node: peer.into(), kind: store }),
            ..Span::bare(kind, service)
        }
    };
    ROWS.iter().enumerate().map(span).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [what, traces] = &args[..] else { return Err("keys with|made|without|none TRACES".into()) };
    let traces: u128 = traces.parse()?;
    let (mut cells, mut sums) = (Cells::default(), Sums::default());
    let mut spans = template();
    for trace in 1..=traces {
        let id = (trace as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44;
        for (span, row) in spans.iter_mut().zip(ROWS) {
            let at = trace as i64 * 100_000;
            (span.trace, span.start_ns, span.end_ns) =
                (trace, at + row.4 * 1_000_000, at + row.5 * 1_000_000);
            span.key = match span.kind {
                SpanKind::Server if what == "with" || what == "made" => {
                    SpanKey::of(&format!("item-{id}")).map(Box::new)
                }
                _ => None,
            };
        }
        if what != "none" {
            sums.add(&Filed {
                spans: &spans,
                root: None,
                class: TraceClass::Mine,
                tagged: what != "made",
                origin_ns: 0,
            });
        }
        if trace % TRACES == 0 {
            cells.take_in(&mut sums);
        }
    }
    cells.take_in(&mut sums);
    writeln!(std::io::stdout(), "{}", cells.keys.values().map(|buckets| buckets.len()).sum::<usize>())?;
    Ok(())
}
