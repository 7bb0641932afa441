//! Messages whose consumers begin traces of their own: how long they waited depends neither on the order in which both sides
//! come, nor on who folds them.

use std::convert::Infallible;

use peakdrill_bottleneck::NameLimits;
use peakdrill_trace_model::Messaging;
use proptest::prelude::*;

use super::*;

const SENDERS: u128 = 8;

fn queue(mut span: Span, messaging: Messaging) -> Span {
    span.messaging = Some(messaging);
    span.peer = Some(Peer { node: Arc::from("orders"), kind: PeerKind::Queue });
    span
}

/// A request that sends two messages, of which its own trace shows the work on the second: that names the other sender's
/// message as well.
fn sender(trace: u128, start_ms: i64) -> Vec<Span> {
    let at = |from: i64, to: i64| (start_ms + from, start_ms + to);
    let send =
        |id, ms| queue(span(trace, id, 1, SpanKind::Producer, "order", at(ms, ms + 1)), Messaging::Send);
    let mut work = queue(span(trace, 4, 3, SpanKind::Consumer, "mail", at(60, 80)), Messaging::Process);
    // Not looked at once the sender within the trace is there; until then it is all that is known. Others' traces would be
    // the drill's by such a link.
    if !trace.is_multiple_of(4) {
        work.links.push(Link { trace: trace % SENDERS + 1, span: 2 });
    }
    vec![span(trace, 1, 0, SpanKind::Server, "order", at(0, 100)), send(2, 20), send(3, 30), work]
}

/// Work on messages, with a call.
fn consumer(trace: u128, start_ms: i64, links: &[(u128, u64)]) -> Vec<Span> {
    let at = |from: i64, to: i64| (start_ms + from, start_ms + to);
    let mut work = queue(span(trace, 1, 0, SpanKind::Consumer, "mail", at(0, 40)), Messaging::Process);
    work.links = links.iter().map(|(trace, span)| Link { trace: *trace, span: *span }).collect();
    let mut call = span(trace, 2, 1, SpanKind::Client, "mail", at(5, 35));
    call.peer = Some(Peer { node: Arc::from("mail-db"), kind: PeerKind::Database });
    vec![work, call]
}

/// Some of the spans of senders and consumers, in any order.
fn any_messages() -> impl Strategy<Value = Vec<Span>> {
    let link = (1..=SENDERS + 1, 1..4_u64);
    let work = (0..4_000_i64, prop::collection::vec(link, 1..4), any::<u8>());
    let sent = prop::collection::vec((0..2_000_i64, any::<u8>()), SENDERS as usize);
    (sent, prop::collection::vec(work, 1..10)).prop_flat_map(|(sent, work)| {
        let sent =
            sent.into_iter().enumerate().map(|(at, (start, keep))| (sender(at as u128 + 1, start), keep));
        let work = work
            .into_iter()
            .enumerate()
            .map(|(at, (start, links, keep))| (consumer(at as u128 + 100, start, &links), keep | 1));
        let some = sent.chain(work).flat_map(|(spans, keep)| {
            spans.into_iter().enumerate().filter(move |(at, _)| keep >> at & 1 == 1).map(|(_, span)| span)
        });
        Just(some.collect::<Vec<Span>>()).prop_shuffle()
    })
}

/// The senders' traces are the drill's, but for one in four; the consumers' follow by their links.
fn classes() -> Vec<(u128, TraceClass)> {
    (1..=SENDERS).filter(|trace| trace % 4 != 0).map(|trace| (trace, TraceClass::Mine)).collect()
}

fn rows() -> Vec<RootRow> {
    (1..=SENDERS).filter(|trace| trace % 4 != 0).map(|trace| root(trace, 7)).collect()
}

fn limits(messages: usize) -> Limits {
    Limits { names: NameLimits { messages, ..NameLimits::default() }, ..Limits::default() }
}

fn folded(limits: Limits, spans: &[Span], rows: &[RootRow], (batch, look_each): (usize, bool)) -> Fold {
    let mut fold = fold(limits);
    for (at, part) in spans.chunks(batch.max(1)).enumerate() {
        take(&mut fold, part.to_vec(), &classes());
        fold.event(Event::Roots(rows.iter().skip(at).step_by(7).copied().collect()), T, &[]);
        if look_each {
            fold.settle();
        }
    }
    fold.event(Event::Roots(rows.to_vec()), T, &[]);
    fold.settle();
    fold
}

#[test]
fn a_wait_is_known_whichever_side_comes_first() {
    let (sent, work) = (sender(1, 0), consumer(100, 200, &[(1, 2)]));
    let rows = [root(1, 0)];
    let one = [sent.clone(), work.clone()].concat();
    let other = [work, sent].concat();
    let waits = |fold: &Fold| {
        let nodes = fold.cells().nodes.iter().filter(|((node, _), _)| &*node.name == "orders");
        let cells: Vec<_> = nodes.flat_map(|(_, seconds)| seconds.values()).collect();
        (
            cells.iter().map(|cell| cell.queued.count()).sum::<i64>(),
            cells.iter().map(|cell| cell.queued_ns).sum::<i64>(),
        )
    };
    for spans in [one, other] {
        for batch in 1..=spans.len() {
            let fold = folded(limits(100), &spans, &rows, (batch, true));
            // 179 ms by the link, 29 ms within the sender's trace.
            assert_eq!(waits(&fold), (2, 208 * MS), "{batch}");
        }
    }
}

#[test]
fn a_sender_that_was_sealed_long_ago_is_still_known() {
    let mut fold = fold(Limits { horizon_ns: 1_000 * MS, ..limits(100) });
    take(&mut fold, sender(1, 0), &classes());
    fold.event(Event::Roots(vec![root(1, 0)]), T, &[]);
    take(&mut fold, consumer(100, 600_000, &[(1, 2)]), &classes());
    fold.settle();
    let late = fold.counters();
    assert_eq!((late.get(counter::SEALED), late.get(counter::LATE)), (1, 0));
    let known: i64 = fold.cells().links.values().map(|cell| cell.known).sum();
    assert_eq!(known, 1);
}

#[test]
fn views_are_not_joined_a_second_time() {
    let spans = [sender(1, 0), consumer(100, 200, &[(1, 2)])].concat();
    let fold = folded(limits(100), &spans, &rows(), (3, false));
    let mut more = fold.cells().shown();
    more.merge(&fold.cells().shown());
    assert_eq!(more.links.values().map(|cell| cell.known).sum::<i64>(), 2);
}

#[test]
fn where_there_is_no_room_for_all_it_is_said() {
    let said = |room: usize, consumers: &[(u128, u128)]| {
        let work = consumers.iter().flat_map(|(trace, sent)| consumer(*trace, 200, &[(*sent, 2)]));
        let spans: Vec<_> = (1..=SENDERS).flat_map(|trace| sender(trace, 0)).chain(work).collect();
        let cells = folded(limits(room), &spans, &rows(), (3, true)).cells().shown();
        let said = crate::view::not_looked_for(&cells);
        let read: Cells = serde_json::from_slice(&serde_json::to_vec(&cells).unwrap()).unwrap();
        assert_eq!(crate::view::not_looked_for(&read), said, "of a record as well");
        said
    };
    let each: Vec<_> = (1..=SENDERS).map(|trace| (100 + trace, trace)).collect();
    assert_eq!(said(1_000, &each), None);
    assert!(said(16, &each).unwrap().contains("is told by about one of"));
    // One message that very many took: of those some are looked at.
    let many: Vec<_> = (0..200_u128).map(|at| (100 + at, 1_u128)).collect();
    assert!(said(1_000, &many).unwrap().contains("is told by about one of"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn neither_order_nor_views_nor_shards_matter(
        spans in any_messages(),
        order in any::<u64>(),
        batch in 1..9_usize,
        shards in 1..5_u128,
        room in prop::sample::select(vec![1_000_usize, 24, 12, 6, 1]),
    ) {
        let expected = bytes(&mut folded(limits(room), &spans, &rows(), (spans.len(), false)));
        let mut shuffled: Vec<_> = spans.iter().cloned().enumerate().collect();
        shuffled.sort_by_key(|(at, _)| (*at as u64 ^ order).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let shuffled: Vec<_> = shuffled.into_iter().map(|(_, span)| span).collect();
        prop_assert_eq!(&bytes(&mut folded(limits(room), &shuffled, &rows(), (batch, true))), &expected, "live");
        prop_assert_eq!(&bytes(&mut folded(limits(room), &shuffled, &rows(), (batch, false))), &expected, "replay");
        let mut sum = Cells::with_names(limits(room).names);
        for shard in 0..shards {
            let mine: Vec<_> = spans.iter().filter(|span| span.trace % shards == shard).cloned().collect();
            let rows: Vec<_> = rows().into_iter().filter(|row| row.trace % shards == shard).collect();
            sum.merge(folded(limits(room), &mine, &rows, (batch, true)).cells());
        }
        prop_assert_eq!(&serde_json::to_vec(&sum).unwrap(), &expected, "shards");
    }

    #[test]
    fn what_comes_after_the_seal_is_amended(
        spans in any_messages(),
        batch in 1..9_usize,
        every in 1..7_usize,
    ) {
        let events: Vec<Event> = spans.chunks(batch).map(|part| spans_event(part.to_vec())).collect();
        let run = |limits: Limits| {
            let mut fold = fold(limits);
            for (at, event) in events.iter().enumerate() {
                let Event::Spans(decoded) = event else { continue };
                take(&mut fold, decoded.items.clone(), &classes());
                if at % every == 0 {
                    fold.refresh();
                }
            }
            let read = fold.amend(|amendment| {
                amendment.event(&Event::Origin(T));
                events.iter().for_each(|event| amendment.event(event));
                Ok::<_, Infallible>(())
            });
            assert_eq!(read, Ok(true));
            bytes(&mut fold)
        };
        let in_time = run(limits(1_000));
        prop_assert_eq!(run(Limits { horizon_ns: 100 * MS, ..limits(1_000) }), in_time);
    }
}
