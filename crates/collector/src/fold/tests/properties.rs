//! What must hold for any input: neither order, nor batches, nor threads, nor the times of views matter.

use proptest::prelude::*;

use super::*;
use crate::otlp::{Format, Texts};
use crate::record::{Record, RecordKind};

/// Traces of both classes, each with a random part of its spans, some with damage.
pub(super) fn any_spans() -> impl Strategy<Value = Vec<Span>> {
    let one = (1..12_u128, 0..3_000_i64, any::<u8>(), 0..4_usize, any::<bool>());
    proptest::collection::vec(one, 1..40).prop_map(|parts| {
        let mut spans = Vec::new();
        for (trace, start_ms, keep, odd, error) in parts {
            for (at, mut span) in journey(trace, start_ms).into_iter().enumerate() {
                if keep >> at & 1 == 1 {
                    span.error = error;
                    if at == odd {
                        span.parent = u64::from(keep);
                    }
                    spans.push(span);
                }
            }
        }
        spans
    })
}

pub(super) fn classes_of(spans: &[Span]) -> Vec<(u128, TraceClass)> {
    let mut classes: Vec<_> =
        spans.iter().filter(|span| span.trace % 3 != 0).map(|span| (span.trace, TraceClass::Mine)).collect();
    classes.sort_unstable();
    classes.dedup();
    classes
}

pub(super) fn event_of(spans: Vec<Span>) -> (Event, Vec<(u128, TraceClass)>) {
    let classes = classes_of(&spans);
    (spans_event(spans), classes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn order_and_batches_do_not_matter(
        spans in any_spans(),
        order in any::<u64>(),
        batch in 1..9_usize,
        shards in 1..5_u128,
    ) {
        let rows: Vec<_> = (1..12).filter(|trace| trace % 3 != 0).map(|trace| root(trace, 7)).collect();
        let one_go = vec![event_of(spans.clone()), (Event::Roots(rows.clone()), vec![]), (Event::Origin(T), vec![])];
        let expected = folded(one_go, false);

        let mut shuffled: Vec<_> = spans.iter().cloned().enumerate().collect();
        shuffled.sort_by_key(|(at, _)| (*at as u64 ^ order).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let shuffled: Vec<_> = shuffled.into_iter().map(|(_, span)| span).collect();
        let mut events: Vec<_> = shuffled.chunks(batch).map(|part| event_of(part.to_vec())).collect();
        events.insert(order as usize % (events.len() + 1), (Event::Origin(T), vec![]));
        for row in &rows {
            events.insert(order as usize % (events.len() + 1), (Event::Roots(vec![*row]), vec![]));
        }
        prop_assert_eq!(&folded(events, true), &expected, "shuffled");

        let mut sum = Cells::default();
        for shard in 0..shards {
            let mut part = fold(Limits::default());
            let mine: Vec<_> = spans.iter().filter(|span| span.trace % shards == shard).cloned().collect();
            let (event, classes) = event_of(mine);
            part.event(event, T + 1_000 * MS, &classes);
            let rows: Vec<_> = rows.iter().filter(|row| row.trace % shards == shard).copied().collect();
            part.event(Event::Roots(rows), T, &[]);
            part.settle();
            sum.merge(part.cells());
        }
        prop_assert_eq!(&serde_json::to_vec(&sum).unwrap(), &expected, "shards");
    }

    #[test]
    fn the_number_of_threads_does_not_matter(
        parts in proptest::collection::vec((1..300_u128, 0..3_000_i64, any::<u8>()), 100..400),
        threads in 2..9_usize,
        every in 1..9_usize,
    ) {
        let (mut one, mut many) = (
            Fold::with_threads(Limits::default(), Some(1)),
            Fold::with_threads(Limits::default(), Some(threads)),
        );
        for fold in [&mut one, &mut many] {
            fold.event(Event::Origin(T), T, &[]);
        }
        for (at, batch) in parts.chunks(90).enumerate() {
            let journeys = batch.iter().flat_map(|(trace, start_ms, keep)| {
                let spans = journey(*trace, *start_ms).into_iter().enumerate();
                spans.filter(move |(at, _)| keep >> at & 1 == 1).map(|(_, span)| span)
            });
            let spans: Vec<_> = journeys.collect();
            for fold in [&mut one, &mut many] {
                take(fold, spans.clone(), &classes_of(&spans));
            }
            if at % every == 0 {
                many.refresh();
            }
        }
        prop_assert_eq!(bytes(&mut many), bytes(&mut one));
        prop_assert_eq!(many.counters(), one.counters());
    }

    #[test]
    fn sealing_does_not_depend_on_when_the_cells_are_read(
        spans in any_spans(),
        again in any::<u8>(),
        every in 1..7_usize,
    ) {
        let limits = Limits { horizon_ns: 400 * MS, open_spans_max: 40, open_traces_max: 6, ..Limits::default() };
        let (mut read_often, mut read_once) = (fold(limits.clone()), fold(limits));
        for (at, part) in spans.chunks(3).enumerate() {
            let repeats = 1 + usize::from(again >> (at % 8) & 1);
            for _ in 0..repeats {
                take(&mut read_often, part.to_vec(), &classes_of(part));
                take(&mut read_once, part.to_vec(), &classes_of(part));
            }
            if at % every == 0 {
                read_often.settle();
            }
        }
        prop_assert_eq!(bytes(&mut read_often), bytes(&mut read_once));
        prop_assert_eq!(read_often.counters().get(counter::LATE), read_once.counters().get(counter::LATE));
    }
}

/// Requests of metrics of two instances, as bytes and with the time of their receipt.
fn metric_requests() -> Vec<(String, i64)> {
    let one = |second: i64, instance: &str| {
        let label =
            |key: &str, value: &str| serde_json::json!({ "key": key, "value": { "stringValue": value } });
        let at_ns = T + second * 1_000 * MS + i64::from(instance == "b") * 300 * MS;
        let point = serde_json::json!({ "startTimeUnixNano": T.to_string(), "timeUnixNano": at_ns.to_string(),
            "asDouble": second as f64 * 0.4 });
        let metrics = serde_json::json!([
            { "name": "process.cpu.time", "sum": { "isMonotonic": true, "aggregationTemporality": 2, "dataPoints": [point] } },
            { "name": "http.server.active_requests", "gauge": { "dataPoints": [point] } }]);
        let resource = [label("service.name", "order"), label("service.instance.id", instance)];
        let request = serde_json::json!({ "resourceMetrics": [{ "resource": { "attributes": resource },
            "scopeMetrics": [{ "metrics": metrics }] }] });
        (request.to_string(), at_ns + 50 * MS)
    };
    (0..6).flat_map(|second| [one(second, "a"), one(second, "b")]).collect()
}

proptest! {
    #[test]
    fn resources_do_not_depend_on_order_or_repetition(
        order in Just((0..12_usize).chain(0..12).collect::<Vec<_>>()).prop_shuffle(),
        origin_at in 0..24_usize,
    ) {
        let requests = metric_requests();
        let event = |at: usize| {
            let (payload, recv_ns) = requests[at].clone();
            let kind = RecordKind::Metrics(Format::Json);
            Record { kind, recv_ns, classes: Vec::new(), payload: payload.into_bytes().into() }
        };
        let mut live = fold(Limits::default());
        let take = |fold: &mut Fold, record: Record| {
            let event = record.event(&mut Texts::default()).unwrap();
            fold.event(event, record.recv_ns, &record.classes);
        };
        (0..12).for_each(|at| take(&mut live, event(at)));
        let mut other = Fold::new(Limits::default());
        for (place, at) in order.into_iter().enumerate() {
            if place == origin_at {
                take(&mut other, Record::origin(T, T));
                other.settle();
            }
            take(&mut other, event(at));
        }
        let found = bytes(&mut live);
        prop_assert!(live.cells().resources.series().count() == 4);
        prop_assert_eq!(found, bytes(&mut other));
    }
}
