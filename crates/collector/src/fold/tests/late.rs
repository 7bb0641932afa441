//! What comes after the seal, and the second reading.

use std::convert::Infallible;

use proptest::prelude::*;

use super::properties::{any_spans, event_of};
use super::*;
use peakdrill_bottleneck::NodeKey;

type Events = Vec<(Event, Vec<(u128, TraceClass)>)>;

/// Each event is received when its newest span has ended.
fn taken(limits: Limits, events: &Events) -> Fold {
    taken_and_seen(limits, events, usize::MAX)
}

/// As [`taken`]; every so many events the cells are read.
fn taken_and_seen(limits: Limits, events: &Events, every: usize) -> Fold {
    let mut fold = fold(limits);
    for (at, (event, classes)) in events.iter().enumerate() {
        let ends = match event {
            Event::Spans(decoded) => decoded.items.iter().map(|span| span.end_ns).max(),
            _ => None,
        };
        fold.event(event.clone(), ends.unwrap_or(T) + MS, classes);
        if (at + 1) % every == 0 {
            fold.refresh();
        }
    }
    fold
}

fn amend(fold: &mut Fold, events: &Events) {
    let read = fold.amend(|amendment| {
        amendment.event(&Event::Origin(T));
        events.iter().for_each(|(event, _)| amendment.event(event));
        Ok::<_, Infallible>(())
    });
    assert_eq!(read, Ok(true));
}

/// The cells of events of which some come late, at the end.
fn amended(limits: Limits, events: &Events) -> Fold {
    let mut fold = taken(limits, events);
    amend(&mut fold, events);
    fold.settle();
    fold
}

fn of_spans(batches: impl IntoIterator<Item = Vec<Span>>) -> Events {
    batches.into_iter().map(|spans| (spans_event(spans), vec![])).collect()
}

fn row(trace: u128) -> (Event, Vec<(u128, TraceClass)>) {
    (Event::Roots(vec![root(trace, 0)]), vec![])
}

fn short() -> Limits {
    Limits { horizon_ns: 1_000 * MS, ..Limits::default() }
}

/// Nothing is sealed.
fn in_time(events: &Events) -> Vec<u8> {
    bytes(&mut taken(Limits { horizon_ns: i64::MAX, ..Limits::default() }, events))
}

#[test]
fn late_spans_and_rows_are_put_into_their_trace() {
    let mut early = journey(1, 0);
    let server = early.remove(2);
    let mut events = of_spans([early, journey(2, 5_000), vec![server]]);
    events.push(row(1));
    let mut fold = taken(short(), &events);
    let count = |fold: &Fold, name| fold.counters().get(name);
    assert_eq!((count(&fold, counter::LATE), count(&fold, counter::ROOTS_LATE)), (1, 1));
    assert_eq!(count(&fold, counter::LATE_WAITING), 2);
    assert_ne!(bytes(&mut fold), in_time(&events));
    let version = fold.cells_version();
    amend(&mut fold, &events);
    assert!(fold.cells_version() > version);
    assert_eq!(bytes(&mut fold), in_time(&events));
    assert_eq!((count(&fold, counter::LATE_WAITING), count(&fold, counter::AMENDED)), (0, 1));
    assert!(fold.cells().roots.keys().any(|(_, class)| *class == TraceClass::Mine));
}

#[test]
fn a_late_span_that_came_before_changes_nothing() {
    let mut events = of_spans([journey(1, 0), journey(2, 5_000)]);
    events.insert(1, row(1));
    let mut before = taken(short(), &events);
    let expected = bytes(&mut before);
    events.extend(of_spans([journey(1, 0)]));
    events.push(row(1));
    let mut fold = taken(short(), &events);
    assert_eq!(bytes(&mut fold), expected);
    let version = fold.cells_version();
    amend(&mut fold, &events);
    assert_eq!((bytes(&mut fold), fold.cells_version()), (expected, version));
    let counters = fold.counters();
    let count = |name| counters.get(name);
    assert_eq!(
        (count(counter::LATE), count(counter::DUPLICATES), count(counter::ROOTS_DUPLICATED)),
        (4, 4, 1)
    );
}

#[test]
fn a_class_that_is_known_after_the_seal_counts() {
    let mut consumer = span(2, 1, 0, SpanKind::Consumer, "mail", (50, 60));
    consumer.links.push(Link { trace: 1, span: 1 });
    let mut events = of_spans([vec![consumer], journey(3, 5_000), journey(1, 5_000)]);
    events.push(row(1));
    let mut fold = amended(short(), &events);
    assert_eq!((fold.counters().get(counter::LATE), fold.counters().get(counter::AMENDED)), (0, 1));
    assert_eq!(bytes(&mut fold), in_time(&events));
    let mine = |(node, class): &(NodeKey, TraceClass)| &*node.name == "mail" && *class == TraceClass::Mine;
    assert!(fold.cells().nodes.keys().any(mine), "{:?}", fold.cells().nodes.keys());
    // Where it cannot wait, it is said.
    let turned_away = amended(Limits { late_traces_max: 0, ..short() }, &events);
    assert_eq!(turned_away.counters().get(counter::CLASSES_LATE_OVER_LIMIT), 1);
}

#[test]
fn a_row_that_says_so_first_is_no_class_that_came_late() {
    let mut events = of_spans([journey(1, 0), journey(2, 5_000)]);
    events.insert(0, row(1));
    events.push((spans_event(journey(1, 0)), vec![(1, TraceClass::Mine)]));
    let fold = amended(Limits { late_traces_max: 0, ..short() }, &events);
    let counters = fold.counters();
    let count = |name| counters.get(name);
    assert_eq!((count(counter::LATE), count(counter::CLASSES_LATE_OVER_LIMIT)), (4, 0));
}

#[test]
fn a_link_that_comes_late_takes_the_keys_back() {
    let tagged = |spans: Vec<Span>| (spans_event(spans), vec![(1, TraceClass::Mine)]);
    let mut early = journey(1, 0);
    early[0].key = SpanKey::of("user 7").map(Box::new);
    let mut late = early.pop().unwrap();
    late.links.push(Link { trace: 7, span: 1 });
    let events = vec![tagged(early.clone()), of_spans([journey(2, 5_000)]).remove(0), tagged(vec![late])];
    // The span with the link is over the limit: it is not kept.
    let limits = Limits { spans_per_trace_max: 3, ..short() };
    let mut fold = taken(limits.clone(), &events);
    fold.settle();
    assert!(!fold.cells().keys.is_empty());
    amend(&mut fold, &events);
    assert!(fold.cells().keys.is_empty());
    let mut in_time = taken(Limits { horizon_ns: i64::MAX, ..limits }, &events);
    assert_eq!(bytes(&mut fold), bytes(&mut in_time));
}

#[test]
fn what_cannot_wait_is_a_call_and_nothing_is_counted_twice() {
    let parts = |trace| {
        let mut early = journey(trace, 0);
        let late = early.split_off(2);
        (early, late)
    };
    let ((mut first, late_first), (second, late_second), other) = (parts(1), parts(2), journey(9, 5_000));
    let [late_server, late_query] = [&late_first[..1], &late_first[1..]].map(<[Span]>::to_vec);
    // There is room for the first, also for what comes when the second was turned away.
    let batches = [&first, &second, &other, &late_server, &late_second, &late_query]
        .map(|spans: &Vec<Span>| spans.clone());
    let fold = amended(Limits { late_traces_max: 1, ..short() }, &of_spans(batches));
    let counters = fold.counters();
    let count = |name| counters.get(name);
    assert_eq!((count(counter::LATE), count(counter::LATE_OVER_LIMIT), count(counter::AMENDED)), (4, 2, 1));
    first.extend(late_first);
    assert_eq!(*fold.cells(), whole_and_late([&first, &second, &other], [&late_second]));
}

/// The cells of traces, and of spans that are calls alone.
fn whole_and_late<'a>(
    whole: impl IntoIterator<Item = &'a Vec<Span>>,
    late: impl IntoIterator<Item = &'a Vec<Span>>,
) -> Cells {
    let (mut cells, mut sums) = (Cells::default(), Sums::default());
    let filed = |spans| Filed { spans, root: None, class: TraceClass::Live, tagged: false, origin_ns: T };
    whole.into_iter().for_each(|spans| sums.add(&filed(spans)));
    late.into_iter().for_each(|spans| sums.add_late(&filed(spans)));
    cells.take_in(&mut sums);
    cells
}

#[test]
fn a_trace_of_which_something_was_turned_away_does_not_wait_and_others_do() {
    let [mut big, mut small] = [1, 2].map(|trace| journey(trace, 0));
    let (mut late_big, late_small) = (big.split_off(2), small.split_off(3));
    let other = journey(9, 5_000);
    let again = late_big[..1].to_vec();
    late_big.extend(again.clone());
    // The second time there would be room for what comes of the first.
    let batches =
        [&big, &small, &other, &late_big, &again, &late_small].map(|spans: &Vec<Span>| spans.clone());
    let fold = amended(Limits { late_spans_max: 4, ..short() }, &of_spans(batches));
    let counters = fold.counters();
    let count = |name| counters.get(name);
    assert_eq!((count(counter::LATE), count(counter::LATE_OVER_LIMIT), count(counter::AMENDED)), (5, 4, 1));
    small.extend(late_small);
    assert_eq!(*fold.cells(), whole_and_late([&big, &small, &other], [&late_big, &again]));
}

#[test]
fn the_spans_that_wait_are_bounded() {
    let batches =
        [journey(1, 0), journey(2, 0), journey(9, 5_000), journey(1, 0)[..1].to_vec(), journey(2, 0)];
    let events = of_spans(batches);
    for (late_spans_max, over) in [(4, 5), (5, 4), (12, 4), (13, 0)] {
        let fold = amended(Limits { late_spans_max, ..short() }, &events);
        assert_eq!(fold.counters().get(counter::LATE_OVER_LIMIT), over, "{late_spans_max}");
    }
}

#[test]
fn the_records_that_are_read_again_are_bounded() {
    // The first lies in the second record and the fourth, of which the third is in between; what is late, in the fifth on.
    let [early, more] = [0..1, 1..3].map(|part| journey(1, 0)[part].to_vec());
    let batches = [
        early,
        journey(2, 0),
        more,
        journey(9, 5_000),
        journey(1, 0)[3..].to_vec(),
        journey(2, 0)[..2].to_vec(),
        journey(2, 0)[2..].to_vec(),
    ];
    let events = of_spans(batches);
    // With both it is 2 to 4 and 6 to 8, the second is in the third alone.
    for (late_records_max, over) in [(0, 5), (1, 5), (2, 3), (3, 1), (4, 4), (5, 2), (6, 0)] {
        let fold = amended(Limits { late_records_max, ..short() }, &events);
        assert_eq!(fold.counters().get(counter::LATE_OVER_LIMIT), over, "{late_records_max}");
    }
}

#[test]
fn a_trace_that_was_forgotten_is_another_one() {
    let (early, late) = (journey(1, 0)[..2].to_vec(), journey(1, 0)[2..].to_vec());
    let again = |at: usize| vec![span(1, 50 + at as u64, 1, SpanKind::Server, "again", (9_000, 9_010))];
    let batches = [
        early.clone(),
        journey(8, 3_000),
        journey(9, 6_000),
        journey(10, 9_000),
        again(0),
        journey(11, 12_000),
        late.clone(),
    ];
    let mut fold = amended(Limits { sealed_ids_max: 2, ..short() }, &of_spans(batches));
    assert!(fold.counters().get(counter::SEALED_FORGOTTEN) > 0);
    assert_eq!((fold.counters().get(counter::LATE), fold.counters().get(counter::AMENDED)), (2, 1));
    let others = (8..12).flat_map(|trace| journey(trace, (trace as i64 - 7) * 3_000)).collect();
    let mut sum = amended(Limits::default(), &of_spans([early])).cells().clone();
    sum.merge(amended(Limits::default(), &of_spans([others, again(0), late])).cells());
    assert_eq!(bytes(&mut fold), serde_json::to_vec(&sum).unwrap());
}

#[test]
fn a_class_is_passed_on_in_a_ring_of_traces_that_were_forgotten() {
    let linked = |trace, to: u128| {
        let mut consumer = span(trace, 1, 0, SpanKind::Consumer, "mail", (50, 60));
        consumer.links.push(Link { trace: to, span: 1 });
        vec![consumer]
    };
    let mut events =
        of_spans([linked(2, 3), linked(3, 2), linked(2, 1), journey(9, 5_000), journey(10, 9_000)]);
    events.push(row(1));
    let fold = taken(Limits { sealed_ids_max: 1, ..short() }, &events);
    assert_eq!(fold.counters().get(counter::SEALED_FORGOTTEN), 2);
    assert_eq!((fold.class_of(1), fold.class_of(2)), (TraceClass::Mine, TraceClass::Live));
}

#[test]
fn records_that_are_not_what_they_were_change_nothing() {
    let events = of_spans([journey(1, 0)[..2].to_vec(), journey(2, 5_000), journey(1, 0)[2..].to_vec()]);
    let mut fold = taken(short(), &events);
    let before = bytes(&mut fold);
    let read = fold.amend(|amendment| {
        events.iter().for_each(|(event, _)| amendment.event(event));
        Ok::<_, Infallible>(())
    });
    assert_eq!(read, Ok(false));
    assert_eq!(fold.amend(|_| Err("unreadable")), Err("unreadable"));
    assert_eq!((bytes(&mut fold), fold.counters().get(counter::LATE_WAITING)), (before, 2));
    amend(&mut fold, &events);
    assert_eq!(bytes(&mut fold), in_time(&events));
}

/// Spans of [`any_spans`] in another order, in batches, some of which come again; and rows of some traces in between.
fn any_schedule() -> impl Strategy<Value = (Vec<Span>, Events)> {
    let link = proptest::option::of((any::<prop::sample::Index>(), 1..12_u128));
    let shuffled =
        (any_spans(), proptest::collection::vec(link, 0..6)).prop_flat_map(|(mut spans, links)| {
            if !spans.is_empty() {
                for (at, trace) in links.into_iter().flatten() {
                    at.get_mut(&mut spans).links.push(Link { trace, span: 1 });
                }
            }
            (Just(spans.clone()), Just(spans).prop_shuffle())
        });
    (shuffled, 1..9_usize, any::<u64>()).prop_map(|((spans, shuffled), batch, chance)| {
        let mut events: Events = shuffled.chunks(batch).map(|part| event_of(part.to_vec())).collect();
        let again: Events = events
            .iter()
            .enumerate()
            .filter(|(at, _)| chance >> (at % 61) & 7 == 7)
            .map(|(_, e)| e.clone())
            .collect();
        events.extend(again);
        for trace in (1..12).filter(|trace| trace % 3 != 0) {
            events.insert(
                (chance >> trace) as usize % (events.len() + 1),
                (Event::Roots(vec![root(trace, 7)]), vec![]),
            );
        }
        (spans, events)
    })
}

/// Seals early, for want of time and of room.
fn narrow() -> Limits {
    Limits { horizon_ns: 400 * MS, open_spans_max: 30, open_traces_max: 5, ..Limits::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn late_or_in_time_it_comes_to_the_same(
        (spans, events) in any_schedule(),
        spans_max in prop_oneof![Just(3), Just(100_000_usize)],
        every in 1..6_usize,
    ) {
        let wide = Limits { spans_per_trace_max: spans_max, ..Limits::default() };
        let rows: Events = events.iter().filter(|(event, _)| matches!(event, Event::Roots(_))).cloned().collect();
        let one_go: Events = rows.into_iter().chain([event_of(spans)]).collect();
        let expected = bytes(&mut taken(wide, &one_go));
        let limits = Limits { spans_per_trace_max: spans_max, ..narrow() };
        let mut live = amended(limits.clone(), &events);
        prop_assert_eq!(&bytes(&mut live), &expected, "live");

        // Again, and looked at in between.
        let mut replay = taken_and_seen(limits, &events, every);
        amend(&mut replay, &events);
        prop_assert_eq!(&bytes(&mut replay), &expected, "replay");
        let approximate = [counter::DUPLICATES, counter::OVER_TRACE_LIMIT];
        let exact = |fold: &Fold| {
            let mut counters = fold.counters().map().clone();
            counters.retain(|name, _| !approximate.contains(name));
            counters
        };
        prop_assert_eq!(exact(&replay), exact(&live));
    }

    #[test]
    fn split_over_shards_late_spans_come_to_the_same(
        (_, events) in any_schedule(),
        shards in 1..5_u128,
    ) {
        let without_links: Events = events.into_iter().map(|(mut event, classes)| {
            if let Event::Spans(decoded) = &mut event {
                decoded.items.iter_mut().for_each(|span| span.links.clear());
            }
            (event, classes)
        }).collect();
        let mut sum = Cells::default();
        for shard in 0..shards {
            let mine: Events = without_links.iter().cloned().map(|(mut event, classes)| {
                match &mut event {
                    Event::Spans(decoded) => decoded.items.retain(|span| span.trace % shards == shard),
                    Event::Roots(rows) => rows.retain(|row| row.trace % shards == shard),
                    _ => {}
                }
                (event, classes)
            }).collect();
            sum.merge(amended(narrow(), &mine).cells());
        }
        prop_assert_eq!(serde_json::to_vec(&sum).unwrap(), in_time(&without_links));
    }

    #[test]
    fn over_the_limits_it_still_does_not_depend_on_when_the_cells_are_read(
        (_, events) in any_schedule(),
        late_traces_max in 0..5_usize,
        late_spans_max in 0..60_usize,
        late_records_max in 0..30_usize,
        sealed_ids_max in 1..6_usize,
        every in 1..6_usize,
    ) {
        let limits = Limits { late_traces_max, late_spans_max, late_records_max, sealed_ids_max, ..narrow() };
        let mut once = amended(limits.clone(), &events);
        let mut often = taken_and_seen(limits, &events, every);
        let counters = often.counters();
        let waits = counters.get(counter::LATE_WAITING);
        let late = counters.get(counter::LATE) + counters.get(counter::ROOTS_LATE);
        let over = counters.get(counter::LATE_OVER_LIMIT) + counters.get(counter::ROOTS_LATE_OVER_LIMIT);
        prop_assert_eq!(waits + over, late);
        amend(&mut often, &events);
        prop_assert_eq!(bytes(&mut often), bytes(&mut once));
        prop_assert!(often.counters().get(counter::AMENDED) <= late_traces_max as u64);
    }
}
