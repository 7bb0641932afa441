//! Counts of the isolation ledger.

use peakdrill_drill_model::ledger::Outcome;

use super::*;
use crate::otlp::{LedgerKey, LedgerPoint, MetricPoint};

/// A count of a service's ledger, as one instance of it sends it.
fn ledger_point(service: &str, instance: &str, start_ns: u64, count: u64) -> Event {
    let key = LedgerKey {
        service: service.to_owned(),
        run: String::new(),
        resource: "orders".to_owned(),
        outcome: Outcome::LiveRead,
        instance: instance.to_owned(),
        start_ns,
    };
    let point = MetricPoint::Ledger(LedgerPoint { key, count });
    Event::Metrics(Decoded { items: vec![point], ..Decoded::default() })
}

#[test]
fn the_ledger_keeps_the_newest_count_and_sums_instances() {
    let mut fold = Fold::new(Limits::default());
    // The second comes again and late; the last is a service that started anew.
    for (instance, start_ns, count) in [("a", 1, 5), ("a", 1, 9), ("a", 1, 5), ("b", 1, 2), ("a", 50, 3)] {
        fold.event(ledger_point("stock", instance, start_ns, count), T, &[]);
    }
    let rows = fold.ledger();
    assert_eq!((rows.len(), rows[0].count), (1, 14));
}

#[test]
fn a_ledger_is_heard_also_when_it_says_nothing_new() {
    let mut fold = Fold::new(Limits::default());
    assert!(fold.ledger_heard_ns().is_empty());
    for (service, instance, recv_ns) in
        [("stock", "a", T), ("stock", "b", T + 9), ("bank", "a", T + 4), ("stock", "a", T + 2)]
    {
        fold.event(ledger_point(service, instance, 1, 5), recv_ns, &[]);
    }
    let heard: Vec<_> = fold.ledger_heard_ns().into_iter().collect();
    assert_eq!(heard, [("bank".to_owned(), T + 4), ("stock".to_owned(), T + 9)]);
}
