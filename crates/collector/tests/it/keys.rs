//! Hot keys, from the bytes that services send to what is told.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::Link;
use peakdrill_bottleneck::{AnalysisInput, Cells, KEY_SLOTS, TraceClass, analyse, keys_left_out};
use peakdrill_collector::fold::Fold;
use peakdrill_collector::otlp::{Format, Texts, decode_traces};
use peakdrill_collector::record::Event;
use peakdrill_collector::{Limits, fold_traces};
use peakdrill_drill_model::verdict::FindingKind;
use prost::Message as _;

use crate::support::{MINE, T, journey, request, root, text};

const TRACES: u128 = 1_200;

/// What a journey is about: every third is about one item, and its query takes 20 ms longer.
fn item(trace: u128) -> String {
    if trace.is_multiple_of(3) { "best-seller".to_owned() } else { format!("item {trace}") }
}

fn spans(trace: u128, at_ms: i64) -> Vec<(&'static str, Span)> {
    let mut spans = journey(trace, at_ms);
    if !trace.is_multiple_of(3) {
        spans[3].1.end_time_unix_nano -= 20_000_000;
    }
    spans
}

/// Spans, from their bytes on.
fn decoded(spans: Vec<(&'static str, Span)>) -> Event {
    let bytes = request(spans).encode_to_vec();
    Event::Spans(decode_traces(&bytes, Format::Protobuf, i64::MAX, &mut Texts::default()).unwrap())
}

fn fold() -> Fold {
    let mut fold = Fold::new(Limits::default());
    fold.event(Event::Origin(T), T, &[]);
    fold
}

/// `say` puts onto the spans what they are about. A journey begins every so many milliseconds.
fn cells(say: impl Fn(&mut [(&'static str, Span)], &str), class: TraceClass, every_ms: i64) -> Cells {
    let mut fold = fold();
    for trace in MINE..MINE + TRACES {
        let at_ms = (trace - MINE) as i64 * every_ms;
        let mut spans = spans(trace, at_ms);
        say(&mut spans, &item(trace));
        fold.event(decoded(spans), i64::MAX, &[(trace, class)]);
        if class == TraceClass::Mine {
            fold.event(Event::Roots(vec![root(trace, at_ms)]), T, &[]);
        }
    }
    fold.settle();
    fold.cells().clone()
}

fn hot(cells: &Cells, every_ms: i64) -> Vec<(String, String)> {
    let load_seconds = TRACES as i64 * every_ms / 1_000;
    let findings = analyse(cells, &AnalysisInput { load_seconds, ..AnalysisInput::default() }).findings;
    let hot = findings.into_iter().filter(|found| found.kind == FindingKind::HotKey);
    hot.map(|found| (found.node, found.text)).collect()
}

fn by_parameter(spans: &mut [(&'static str, Span)], item: &str) {
    spans[3].1.attributes.push(text("db.query.parameter.item", item));
    spans[3].1.attributes.push(text("db.query.parameter.amount", "1"));
}

/// The route's parameter: the query is about the same.
fn by_route(spans: &mut [(&'static str, Span)], item: &str) {
    let path = format!("/items/{item}");
    let http = [("http.request.method", "GET"), ("http.route", "/items/{id}"), ("url.path", path.as_str())];
    spans[2].1.attributes.extend(http.map(|(name, value)| text(name, value)));
}

/// The service's own word goes before the route's.
fn by_service(spans: &mut [(&'static str, Span)], item: &str) {
    by_route(spans, "the same");
    spans[2].1.attributes.push(text("peakdrill.key", item));
}

/// A query's first parameter that is something else, beside what the service says.
fn by_service_with_parameter(spans: &mut [(&'static str, Span)], item: &str) {
    by_service(spans, item);
    spans[3].1.attributes.push(text("db.query.parameter.amount", "1"));
}

#[test]
fn a_hot_key_is_told_by_whatever_says_it() {
    for say in [by_parameter, by_route, by_service, by_service_with_parameter] {
        // Every 36 ms one that takes 40 ms.
        let hot = hot(&cells(say, TraceClass::Mine, 12), 12);
        assert_eq!(hot.len(), 1, "{hot:#?}");
        assert_eq!(hot[0].0, "order-db");
        assert!(hot[0].1.starts_with("the key \"best-seller\" got some 34 %"), "{}", hot[0].1);
    }
}

#[test]
fn what_never_meets_another_is_not_told() {
    // Every 120 ms one.
    assert_eq!(hot(&cells(by_service, TraceClass::Mine, 40), 40), []);
}

#[test]
fn of_live_users_and_of_spans_without_a_key_nothing_is_kept() {
    assert!(cells(by_route, TraceClass::Live, 12).keys.is_empty());
    assert!(cells(|_, _| (), TraceClass::Mine, 12).keys.is_empty());
}

fn linked(trace: u128, to: u128) -> Event {
    let mut spans = spans(trace, 0);
    by_service(&mut spans, "user 7");
    let link = Link {
        trace_id: to.to_be_bytes().to_vec(),
        span_id: 1_u64.to_be_bytes().to_vec(),
        ..Default::default()
    };
    spans[3].1.links.push(link);
    decoded(spans)
}

#[test]
fn of_a_trace_that_is_the_drills_by_a_link_alone_no_key_is_kept() {
    // What links is cut off: it has the highest id.
    for spans_per_trace_max in [1_000, 3] {
        for link_first in [true, false] {
            let mut fold = Fold::new(Limits { spans_per_trace_max, ..Limits::default() });
            fold.event(Event::Origin(T), T, &[]);
            let mine = || (decoded(spans(MINE, 0)), T, [(MINE, TraceClass::Mine)]);
            let (event, at, classes) = mine();
            if !link_first {
                fold.event(event, at, &classes);
            }
            fold.event(linked(7, MINE), T, &[]);
            fold.settle();
            if link_first {
                let (event, at, classes) = mine();
                fold.event(event, at, &classes);
            }
            fold.settle();
            let mine = fold.cells().nodes.keys().all(|(_, class)| *class == TraceClass::Mine);
            assert!(mine, "it counts as the drill's");
            assert!(fold.cells().keys.is_empty(), "its keys do not");
        }
    }
    // Of one that is the drill's by its own tag they do, unless it links to someone else's.
    let mut own = spans(MINE, 0);
    by_service(&mut own, "user 7");
    let mut fold = fold();
    fold.event(decoded(own), T, &[(MINE, TraceClass::Mine)]);
    fold.settle();
    assert!(!fold.cells().keys.is_empty());
    fold.event(linked(MINE + 1, 7), T, &[(MINE + 1, TraceClass::Mine)]);
    let before = fold.cells().keys.clone();
    fold.settle();
    assert_eq!(fold.cells().keys, before);
}

#[test]
fn of_a_trace_that_links_to_another_no_key_is_kept_whatever_is_kept_of_its_spans() {
    let tagged = [(MINE, TraceClass::Mine)];
    let alone = || {
        let mut alone = spans(MINE, 0);
        by_service(&mut alone, "user 7");
        alone.truncate(3);
        alone
    };
    // What links is cut off: it has the highest id. And it comes last, or first.
    let events = [decoded(alone()), linked(MINE, 7)];
    for spans_per_trace_max in [1_000, 3] {
        for order in [[0, 1], [1, 0]] {
            let mut fold = Fold::new(Limits { spans_per_trace_max, ..Limits::default() });
            fold.event(Event::Origin(T), T, &[]);
            for at in order {
                fold.event(events[at].clone(), T, &tagged);
                fold.settle();
            }
            assert!(!fold.cells().nodes.is_empty() && fold.cells().keys.is_empty(), "{spans_per_trace_max}");
        }
    }
    // So many links that not all are decoded: up to there all lead to the trace itself.
    for (links, is_kept) in [(100, true), (129, false)] {
        let mut batch = alone();
        let to = |trace: u128| Link {
            trace_id: trace.to_be_bytes().to_vec(),
            span_id: 1_u64.to_be_bytes().to_vec(),
            ..Default::default()
        };
        batch[2].1.links = (1..links).map(|_| to(MINE)).collect();
        batch[2].1.links.push(to(if is_kept { MINE } else { 7 }));
        let mut fold = fold();
        fold.event(decoded(batch), T, &tagged);
        fold.settle();
        assert_eq!(!fold.cells().keys.is_empty(), is_kept, "{links} links");
    }
}

#[test]
fn files_of_traces_tell_no_keys() {
    let all = (1..=TRACES).flat_map(|trace| {
        let mut spans = spans(trace, trace as i64 * 12);
        by_service(&mut spans, &item(trace));
        spans
    });
    let line = serde_json::to_vec(&request(all.collect())).unwrap();
    let (cells, _) = fold_traces(&line[..]).unwrap();
    assert!(cells.keys.is_empty() && !cells.nodes.is_empty());
}

/// A journey whose query is one of so many.
fn one_of(trace: u128, queries: u128) -> Vec<(&'static str, Span)> {
    let mut spans = spans(trace, trace as i64);
    by_service(&mut spans, &item(trace));
    spans[3].1.attributes.retain(|attribute| attribute.key != "service.peer.name");
    let node = format!("db-{}", char::from_u32(0x4e00 + (trace % queries) as u32).unwrap());
    spans[3].1.attributes.push(text("service.peer.name", &node));
    spans
}

#[test]
fn however_many_places_there_are_the_order_makes_no_difference_and_what_is_left_out_is_told() {
    const PLACES: u128 = 300;
    let traces = MINE..MINE + 600;
    let mut at_once = fold();
    for trace in traces.clone() {
        at_once.event(decoded(one_of(trace, PLACES)), T, &[(trace, TraceClass::Mine)]);
    }
    at_once.settle();
    // Callers first, with the cells looked at before the called services' spans are there; backwards.
    let mut in_parts = fold();
    for part in [1, 3, 2, 0] {
        for trace in traces.clone().rev() {
            let span = one_of(trace, PLACES).swap_remove(part);
            in_parts.event(decoded(vec![span]), T, &[(trace, TraceClass::Mine)]);
        }
        in_parts.settle();
    }
    assert_eq!(in_parts.cells().keys, at_once.cells().keys);
    assert!(at_once.cells().keys.len() < KEY_SLOTS.into());
    let (left_out, all) = keys_left_out(at_once.cells());
    assert!((100..500).contains(&left_out) && all > 600, "{left_out} of {all}");
    let mut few = fold();
    for trace in traces {
        few.event(decoded(one_of(trace, 2)), T, &[(trace, TraceClass::Mine)]);
    }
    few.settle();
    assert_eq!(keys_left_out(few.cells()).0, 0);
}
