//! What a report draws: calls against the load, and latency from light load to peak.
#![allow(clippy::unwrap_used, reason = "tests: a panic is the failure")]

use peakdrill_bottleneck::{AnalysisInput, CallCurve, calls_under_load};

use crate::shop::{cells_of, run};
use crate::sim::{Setup, simulate};

fn curves(planted: &'static str, seed: u64) -> Vec<CallCurve> {
    let setup = Setup::new(Some(planted), seed);
    let input = AnalysisInput { load_seconds: setup.seconds(), ..AnalysisInput::default() };
    calls_under_load(&cells_of(&simulate(&setup)), &input)
}

fn call<'a>(curves: &'a [CallCurve], from: &str, to: &str) -> &'a CallCurve {
    curves.iter().find(|curve| curve.from == from && curve.to == to).unwrap()
}

#[test]
fn the_steps_add_up_to_the_growth() {
    for planted in ["stock", "order-db", "queue"] {
        let (_, analysis) = run(&Setup::new(Some(planted), 5));
        let fall = analysis.waterfall;
        let sum: f64 = fall.rows.iter().map(|row| row.total_ms()).sum();
        assert!((fall.light_ms + sum - fall.peak_ms).abs() < 1e-6, "{planted}: {fall:?}");
        assert!(fall.light_ms > 10.0, "{planted}: {fall:?}");
    }
}

#[test]
fn a_full_node_is_waited_for_and_a_full_queue_is_behind() {
    let (_, analysis) = run(&Setup::new(Some("stock"), 5));
    let stock = analysis.waterfall.rows.first().unwrap();
    assert_eq!(stock.node, "stock");
    let grown_ms = analysis.waterfall.peak_ms - analysis.waterfall.light_ms;
    assert!(stock.wait_ms > 0.5 * grown_ms && grown_ms > 10.0, "{stock:?}");
    let (_, analysis) = run(&Setup::new(Some("queue"), 5));
    let fall = analysis.waterfall;
    let behind: f64 = fall.behind.iter().map(|row| row.wait_ms).sum();
    assert!(behind > 100.0 && behind > 10.0 * (fall.peak_ms - fall.light_ms), "{fall:?}");
}

#[test]
fn the_time_of_requests_passes_through_the_calls_that_lead_to_the_full_node() {
    let curves = curves("stock", 5);
    let through = |from, to| call(&curves, from, to).through.unwrap();
    assert!((through("load", "gateway") - 1.0).abs() < 1e-9);
    assert!(through("gateway", "order") > through("order", "payment"));
    assert!(through("order", "stock") > 0.5);
    let first = &curves[0];
    assert_eq!((first.from.as_str(), first.to.as_str()), ("load", "gateway"));
}

#[test]
fn nobody_waits_for_what_is_behind_a_queue() {
    let curves = curves("stock", 5);
    let waited_for = |from, to| call(&curves, from, to).waited_for.unwrap();
    assert!(waited_for("queue", "queue-worker") < 0.05);
    for (from, to) in [("load", "gateway"), ("order", "stock"), ("order", "order-db")] {
        assert!(waited_for(from, to) > 0.8, "{from} to {to}: {}", waited_for(from, to));
    }
}

#[test]
fn a_call_to_the_full_node_bends_with_the_load_and_its_neighbour_does_not() {
    let curves = curves("stock", 5);
    let ends = |from, to| {
        let points = &call(&curves, from, to).points;
        assert!(points.windows(2).all(|pair| pair[0].offered < pair[1].offered), "{points:?}");
        (points[0], *points.last().unwrap())
    };
    let (light, peak) = ends("order", "stock");
    assert!(peak.p99_ms.unwrap() > 5.0 * light.p99_ms.unwrap(), "{light:?} {peak:?}");
    assert!(peak.own_p50_ms.unwrap() > 5.0 * light.own_p50_ms.unwrap(), "{light:?} {peak:?}");
    let lowest = call(&curves, "load", "gateway").points[0];
    assert!(
        lowest.p99_ms.unwrap() < 2.0 * lowest.p50_ms.unwrap(),
        "what is left of the peak is no light load: {lowest:?}"
    );
    let (light, peak) = ends("order", "order-db");
    assert!(peak.p50_ms.unwrap() < 2.0 * light.p50_ms.unwrap(), "{light:?} {peak:?}");
    assert!(peak.calls_per_s > 3.0 * light.calls_per_s, "{light:?} {peak:?}");
}
