//! What is told while a load runs: the findings of the run so far, second by second, as a live view asks for them.

use peakdrill_bottleneck::{AnalysisInput, Cells, rank};
use peakdrill_drill_model::verdict::{Finding, FindingKind};
use peakdrill_simulator::{Attempts, Call, Load, Network, Node, ORIGIN_NS, run};

use crate::besides::{UP, chain, impatient, of, slow};
use crate::shop::cells_of;
use crate::sim::{Setup, Trace, simulate};

const NS_PER_S: i64 = 1_000_000_000;

/// What has been received up to this second.
fn so_far(traces: &[Trace], second: i64) -> Cells {
    let now_ns = ORIGIN_NS + second * NS_PER_S;
    let seen = traces.iter().filter_map(|trace| {
        let mut seen = trace.clone();
        seen.spans.retain(|span| span.end_ns <= now_ns);
        seen.row = seen.row.filter(|row| row.done_ns <= now_ns);
        (seen.row.is_some() || !seen.spans.is_empty()).then_some(seen)
    });
    cells_of(&seen.collect::<Vec<_>>())
}

/// The findings at every second, as far as a live view tells them.
fn live(traces: &[Trace], seconds: i64) -> Vec<Vec<Finding>> {
    let at = |second| {
        let mut input = AnalysisInput {
            load_seconds: second,
            settled_before: Some(second - 3),
            ..AnalysisInput::default()
        };
        input.settings.resamples = 40;
        rank(&so_far(traces, second), &input).findings
    };
    (1..=seconds).map(at).collect()
}

fn live_of(net: &Network, profile: &[(f64, f64, f64)]) -> Vec<Vec<Finding>> {
    let load = Load { profile: profile.to_vec(), ..Load::default() };
    live(&run(net, &load, 7).traces, load.seconds() as i64)
}

#[test]
fn a_storm_is_told_while_it_blows_and_not_before() {
    let told = live_of(&chain(impatient(2, Attempts::Numbered), slow(), 40.0, 0.0), &UP);
    let storm = |found: &Vec<Finding>| !of(found, FindingKind::RetryStorm).is_empty();
    let first = told.iter().position(storm).expect("it is told") as i64 + 1;
    // The node carries 100 a second, which the climb asks for from second 22 on.
    assert!((22..=34).contains(&first), "told at second {first}");
    assert!(told.iter().skip(first as usize).all(storm), "and from then on");
    let of_the_end = |found: &Finding| found.text.contains("whether that ends");
    assert!(!told.iter().flatten().any(of_the_end), "what becomes of it is not known yet");
}

#[test]
fn of_a_system_that_holds_nothing_is_told() {
    let roomy = Node { servers: 50, spread: 0.3, ..Node::service("stock") };
    for (second, found) in live_of(&chain(Call::plain(2), roomy, 10.0, 0.0), &UP).iter().enumerate() {
        assert!(found.is_empty(), "second {}: {found:#?}", second + 1);
    }
}

#[test]
fn of_a_shop_that_holds_nothing_is_told_but_its_stub() {
    let setup = Setup::new(None, 3);
    let told = live(&simulate(&setup), setup.seconds());
    let is_stub = |found: &Finding| found.kind == FindingKind::NotExercised && found.node == "bank";
    assert!(told.last().is_some_and(|found| found.iter().any(is_stub)), "{told:?}");
    for (second, found) in told.iter().enumerate() {
        assert!(found.iter().all(is_stub), "second {}: {found:#?}", second + 1);
    }
}
