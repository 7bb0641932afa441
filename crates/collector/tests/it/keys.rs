//! Hot keys, from the bytes that services send to what is told.

use opentelemetry_proto::tonic::trace::v1::Span;
use peakdrill_bottleneck::{AnalysisInput, Cells, TraceClass, analyse};
use peakdrill_collector::Limits;
use peakdrill_collector::fold::Fold;
use peakdrill_collector::otlp::{Format, Texts, decode_traces};
use peakdrill_collector::record::Event;
use peakdrill_drill_model::verdict::FindingKind;
use prost::Message as _;

use crate::support::{MINE, T, journey, request, root, text};

const TRACES: u128 = 400;

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

/// `say` puts onto the spans what they are about.
fn cells(say: impl Fn(&mut [(&'static str, Span)], &str), class: TraceClass) -> Cells {
    let mut fold = Fold::new(Limits::default());
    fold.event(Event::Origin(T), T, &[]);
    for trace in MINE..MINE + TRACES {
        let at_ms = (trace - MINE) as i64 * 40;
        let mut spans = spans(trace, at_ms);
        say(&mut spans, &item(trace));
        let bytes = request(spans).encode_to_vec();
        let decoded = decode_traces(&bytes, Format::Protobuf, i64::MAX, &mut Texts::default()).unwrap();
        fold.event(Event::Spans(decoded), i64::MAX, &[(trace, class)]);
        if class == TraceClass::Mine {
            fold.event(Event::Roots(vec![root(trace, at_ms)]), T, &[]);
        }
    }
    fold.settle();
    fold.cells().clone()
}

fn by_parameter(spans: &mut [(&'static str, Span)], item: &str) {
    spans[3].1.attributes.push(text("db.query.parameter.item", item));
    spans[3].1.attributes.push(text("db.query.parameter.amount", "1"));
}

/// The route's parameter, said by the gateway alone: the query is about the same.
fn by_route(spans: &mut [(&'static str, Span)], item: &str) {
    let path = format!("/items/{item}");
    let http = [("http.request.method", "GET"), ("http.route", "/items/{id}"), ("url.path", path.as_str())];
    spans[0].1.attributes.extend(http.map(|(name, value)| text(name, value)));
}

fn by_service(spans: &mut [(&'static str, Span)], item: &str) {
    by_route(spans, "the same");
    spans[2].1.attributes.push(text("peakdrill.key", item));
}

#[test]
fn a_hot_key_is_told_by_whatever_says_it() {
    for say in [by_parameter, by_route, by_service] {
        let cells = cells(say, TraceClass::Mine);
        let input = AnalysisInput { load_seconds: 16, ..AnalysisInput::default() };
        let findings = analyse(&cells, &input).findings;
        let hot: Vec<_> = findings.iter().filter(|found| found.kind == FindingKind::HotKey).collect();
        assert_eq!(hot.len(), 1, "{findings:#?}");
        assert_eq!(hot[0].node, "order-db");
        assert!(hot[0].text.starts_with("the key \"best-seller\" got 34 %"), "{}", hot[0].text);
    }
}

#[test]
fn of_live_users_and_of_spans_without_a_key_nothing_is_kept() {
    assert!(cells(by_route, TraceClass::Live).keys.is_empty());
    assert!(cells(|_, _| (), TraceClass::Mine).keys.is_empty());
}
