use peakdrill_trace_model::SpanKind::{Client, Consumer, Producer, Server};
use proptest::prelude::*;

use super::*;

fn span(id: u64, parent: u64, kind: SpanKind, service: &str, synthetic: bool) -> Span {
    Span {
        trace: 1,
        id,
        parent,
        op: "op".into(),
        end_ns: 1,
        status: 200,
        synthetic,
        ..Span::bare(kind, service)
    }
}

fn shop(tagged: bool) -> Vec<Span> {
    vec![
        span(1, 99, Server, "gateway", tagged),
        span(2, 1, Client, "gateway", false),
        span(3, 2, Server, "order", tagged),
        span(4, 3, Client, "order", false),
        span(5, 4, Server, "stock", tagged),
        span(6, 3, Producer, "order", false),
        span(7, 6, Consumer, "fulfilment", tagged),
    ]
}

#[test]
fn a_tag_that_goes_all_the_way_loses_nothing() {
    assert_eq!(compare(&shop(true), Some(&shop(false))), []);
    assert!(is_whole(&shop(true), Some(&shop(false)), 99));
}

#[test]
fn all_hops_are_listed_and_not_the_first_alone() {
    let mut probe = shop(true);
    probe[4].synthetic = false;
    probe.truncate(5);
    let lost = compare(&probe, Some(&shop(false)));
    let names: Vec<(&str, Loss)> = lost.iter().map(|one| (one.hop.to.as_str(), one.loss)).collect();
    assert_eq!(names, [("fulfilment", Loss::NotReached), ("stock", Loss::NotHandled)]);
    assert!(!is_whole(&probe, Some(&shop(false)), 99));
}

proptest! {
    #[test]
    fn what_was_taken_away_is_listed(gone in 0_usize..3) {
        let victim = ["order", "stock", "fulfilment"][gone];
        let probe: Vec<Span> = shop(true).into_iter().filter(|span| &*span.service != victim || span.kind == Client).collect();
        let lost = compare(&probe, Some(&shop(false)));
        prop_assert!(lost.iter().any(|one| one.hop.to == victim));
    }
}
