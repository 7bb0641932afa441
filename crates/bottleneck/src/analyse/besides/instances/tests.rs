use peakdrill_drill_model::frame::RootRow;
use peakdrill_trace_model::{Span, SpanKind};

use crate::analysis::AnalysisInput;
use crate::cells::Cells;
use crate::key::TraceClass;
use crate::sums::{Filed, Sums};

use super::*;

const MS: i64 = 1_000_000;

/// An instance: from when to when it is there in seconds, calls a second, milliseconds a call.
type Instance = (&'static str, (i64, i64), i64, i64);

fn run(instances: &[Instance]) -> Cells {
    let (mut sums, mut cells) = (Sums::default(), Cells::default());
    for (at, (name, (from, until), calls, long_ms)) in instances.iter().enumerate() {
        for call in from * calls..until * calls {
            let start_ns = call * 1_000 * MS / calls;
            let trace = (at as u128 + 1) << 64 | u128::from(call.unsigned_abs() + 1);
            let span = Span {
                trace,
                id: 2,
                parent: 1,
                instance: (*name).into(),
                op: "GET /a".into(),
                start_ns,
                end_ns: start_ns + long_ms * MS,
                status: 200,
                ..Span::bare(SpanKind::Server, "order")
            };
            let row = RootRow {
                trace,
                span: 1,
                step: 0,
                phase: 0,
                intended_ns: start_ns,
                sent_ns: start_ns,
                done_ns: span.end_ns,
                error: None,
                status: 200,
                sampled: true,
            };
            let class = TraceClass::Mine;
            sums.add(&Filed { spans: &[span], root: Some(&row), class, tagged: true, origin_ns: 0 });
        }
    }
    cells.take_in(&mut sums);
    cells
}

fn told(instances: &[Instance]) -> Vec<Finding> {
    let analysis =
        crate::analyse(&run(instances), &AnalysisInput { load_seconds: 60, ..AnalysisInput::default() });
    analysis.findings.into_iter().filter(|found| found.kind == FindingKind::BusyInstance).collect()
}

const ALL: (i64, i64) = (0, 60);

#[test]
fn an_instance_that_gets_more_is_told() {
    let [found] = &told(&[("a", ALL, 10, 30), ("b", ALL, 10, 30), ("c", ALL, 30, 30)])[..] else { panic!() };
    assert_eq!(found.node, "order");
    assert!(found.text.starts_with("c, one of 3 instances of order, works 1.8 times"), "{}", found.text);
    assert!(found.text.contains("it gets 1.8 times as many calls"), "{}", found.text);
}

#[test]
fn an_instance_that_takes_longer_is_told() {
    let [found] = &told(&[("a", ALL, 20, 30), ("b", ALL, 20, 30), ("c", ALL, 20, 70)])[..] else { panic!() };
    assert!(found.text.contains("a call takes 2.3 times as long there"), "{}", found.text);
    assert!(found.action.contains("compare c with the other instances"), "{}", found.action);
}

#[test]
fn an_instance_that_is_hardly_called_is_there_all_the_same() {
    // Connections that last lead to `a`; `b` gets a call now and then, of which two come before and after the load.
    let now_and_then = [("b", (-5, -4), 1, 30), ("b", (25, 26), 1, 30), ("b", (65, 66), 1, 30)];
    let sticky = [&[("a", ALL, 100, 30)], &now_and_then[..]].concat();
    let [found] = &told(&sticky)[..] else { panic!("{:?}", told(&sticky)) };
    assert!(found.text.starts_with("a, one of 2 instances of order, works 2.0 times"), "{}", found.text);
    assert!(found.text.ends_with("it gets 2.0 times as many calls as the mean"), "{}", found.text);
    let gone = [("a", ALL, 100, 30), ("b", (-5, -4), 1, 30)];
    assert!(told(&gone).is_empty(), "what ended before the load is not there");
}

#[test]
fn what_matters_more_is_said_first_and_both_where_both_matter() {
    let why = |instances: &[Instance]| {
        let [found] = &told(instances)[..] else { panic!("{instances:?}") };
        (found.text.split_once(": ").unwrap().1.to_owned(), found.action.clone())
    };
    let (text, action) = why(&[("a", ALL, 10, 30), ("b", ALL, 10, 30), ("c", ALL, 16, 150)]);
    assert_eq!(
        text,
        "a call takes 5.0 times as long there as at the others, and it gets 1.3 times as many calls as the mean"
    );
    assert!(action.starts_with("compare c with") && action.contains("; and look at how calls"), "{action}");
    let (text, _) = why(&[("a", ALL, 10, 30), ("b", ALL, 10, 30), ("c", ALL, 14, 150)]);
    assert_eq!(text, "a call takes 5.0 times as long there as at the others");
    let (text, _) = why(&[("a", ALL, 10, 30), ("b", ALL, 10, 30), ("c", ALL, 30, 36)]);
    assert_eq!(text, "it gets 1.8 times as many calls as the mean");
    // Where a call takes no time at the others, how much longer it takes is not known.
    assert!(told(&[("a", ALL, 20, 0), ("b", ALL, 20, 0), ("c", ALL, 20, 70)]).is_empty());
    let (text, _) = why(&[("a", ALL, 10, 0), ("b", ALL, 10, 0), ("c", ALL, 40, 30)]);
    assert_eq!(text, "it gets 2.0 times as many calls as the mean");
}

#[test]
fn what_is_no_imbalance_is_not_told() {
    let even = [("a", ALL, 20, 30), ("b", ALL, 20, 30), ("c", ALL, 20, 36)];
    let started_late = [("a", ALL, 20, 30), ("b", ALL, 20, 30), ("c", (45, 60), 20, 30)];
    let hardly_works = [("a", ALL, 10, 3), ("b", ALL, 30, 3)];
    let for_a_while =
        [("a", ALL, 20, 30), ("b", ALL, 20, 30), ("c", (0, 30), 10, 30), ("c", (30, 60), 60, 30)];
    let one = [("a", ALL, 50, 30)];
    for instances in [&even[..], &started_late, &hardly_works, &for_a_while, &one] {
        assert!(told(instances).is_empty(), "{instances:?}");
    }
}

#[test]
fn the_busiest_stands_beside_the_mean_in_the_evidence() {
    let input = AnalysisInput { load_seconds: 60, ..AnalysisInput::default() };
    let evidence =
        |instances: &[Instance]| crate::analyse(&run(instances), &input).bottlenecks[0].evidence.join("\n");
    let several = evidence(&[("a", ALL, 20, 30), ("b", ALL, 20, 36)]);
    assert!(
        several.contains("of 2 instances the busiest, b, worked 1.1 times as long as the mean, on 1.0 times"),
        "{several}"
    );
    assert!(!evidence(&[("a", ALL, 40, 30)]).contains("instances"));
}
