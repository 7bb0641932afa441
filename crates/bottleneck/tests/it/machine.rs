//! A machine that is slow is no node that limits; and what the generator knows besides.

use peakdrill_bottleneck::resources::{ResourcePoint, Sample, SampleKind, SeriesKey};
use peakdrill_bottleneck::{Analysis, AnalysisInput, analyse};
use peakdrill_drill_model::verdict::{AnalysisState, NodeVerdict};
use peakdrill_trace_model::metric::Measure;

use crate::shop::{cells_of, line, run};
use crate::sim::{ORIGIN_NS, Setup, simulate};

fn peak_of(seconds: f64) -> Vec<(f64, f64, f64)> {
    vec![(8.0, 20.0, 20.0), (8.0, 20.0, 160.0), (seconds, 160.0, 160.0), (10.0, 20.0, 20.0)]
}

fn bottlenecks(analysis: &Analysis) -> Vec<&str> {
    let found = analysis.bottlenecks.iter().filter(|b| b.verdict == NodeVerdict::Bottleneck);
    found.map(|b| &*b.node).collect()
}

fn says(analysis: &Analysis, what: &str) -> bool {
    analysis.summary.because.iter().any(|line| line.contains(what))
}

#[test]
fn a_starved_machine_withholds_and_names_what_all_share() {
    for (crowding, seed) in [(0.1, 1), (0.3, 2), (1.0, 3), (1.0, 4)] {
        let (_, analysis) = run(&Setup { crowding, ..Setup::new(None, seed) });
        assert_eq!(analysis.summary.state, AnalysisState::Withheld, "{}", line(&analysis));
        assert!(says(&analysis, "nodes became slower by about"), "{}", line(&analysis));
        assert!(says(&analysis, "no single node"), "{}", line(&analysis));
        assert!(bottlenecks(&analysis).is_empty());
        assert!(analysis.bottlenecks.iter().all(|b| b.capacity_per_s.estimate.is_none()));
    }
}

/// Processors of a service that are as full as the rate of the shop's profile says.
fn processors(second: i64) -> [(Measure, f64); 2] {
    let rate = match second {
        ..8 => 20.0,
        8..14 => 20.0 + (second - 8) as f64 * 20.0,
        14..30 => 160.0,
        _ => 20.0,
    };
    [(Measure::CpuUsage, 4.0 * (0.05 + 0.003 * rate)), (Measure::CpuCount, 4.0)]
}

#[test]
fn a_starved_machine_says_no_capacity_of_resources() {
    let analysed = |crowding: f64| {
        let setup = Setup { crowding, ..Setup::new(None, 1) };
        let mut cells = cells_of(&simulate(&setup));
        cells.resources.origin_ns = Some(ORIGIN_NS);
        for second in 0..setup.seconds() {
            for (measure, value) in processors(second) {
                let key = SeriesKey {
                    service: "stock".into(),
                    measure,
                    of: "".into(),
                    source: "m".into(),
                    instance: "a".into(),
                    kind: SampleKind::Gauge,
                    part: 0,
                };
                let at_ns = ORIGIN_NS + second * 1_000_000_000 + 500_000_000;
                let sample = Sample { at_ns, value: (value * measure.steps()) as i64, since_ns: 0 };
                assert!(cells.resources.put(ResourcePoint { key, sample }));
            }
        }
        analyse(&cells, &AnalysisInput { load_seconds: setup.seconds(), ..AnalysisInput::default() })
    };
    let told = |analysis: &Analysis| {
        let stock = analysis.bottlenecks.iter().find(|b| b.node == "stock").unwrap();
        let said = stock.evidence.iter().any(|line| line.contains("journeys a second"));
        (stock.capacity_per_s.estimate.is_some(), said, analysis.resources[0].capacity_per_s.low.is_some())
    };
    assert_eq!(told(&analysed(0.0)), (true, true, true));
    let starved = analysed(1.0);
    assert_eq!(starved.summary.state, AnalysisState::Withheld);
    assert_eq!(told(&starved), (false, false, false), "{:?}", starved.resources);
    assert!(starved.resources[0].peak.is_some(), "how full it was is told");
}

#[test]
fn a_starved_machine_does_not_hide_a_node_that_is_full() {
    for (node, truth) in [("stock", 100.0), ("order-db", 126.0)] {
        let (_, analysis) = run(&Setup { crowding: 1.0, ..Setup::new(Some(node), 5) });
        assert_eq!(analysis.summary.state, AnalysisState::Found, "{}", line(&analysis));
        assert_eq!(bottlenecks(&analysis), [node], "{}", line(&analysis));
        let capacity = analysis.bottlenecks[0].capacity_per_s.estimate.unwrap();
        assert!((capacity / truth - 1.0).abs() < 0.1, "{}", line(&analysis));
    }
}

#[test]
fn one_short_stall_of_the_machine_is_left_out() {
    let mut said = 0;
    for (seed, seconds) in [(1, 1.0), (2, 2.0), (3, 2.0)] {
        let setup =
            Setup { profile: peak_of(40.0), stall_s: Some((25.0, seconds)), ..Setup::new(None, seed) };
        let (_, analysis) = run(&setup);
        assert_eq!(analysis.summary.state, AnalysisState::NoneUpTo, "{}", line(&analysis));
        // The seconds of the highest rates may lie beside it.
        said += u32::from(says(&analysis, "together"));
        let (_, planted) = run(&Setup { planted: Some("payment"), ..setup });
        assert_eq!(bottlenecks(&planted), ["payment"], "{}", line(&planted));
        let capacity = planted.bottlenecks[0].capacity_per_s.estimate.unwrap();
        assert!((capacity / 126.0 - 1.0).abs() < 0.1, "{}", line(&planted));
    }
    assert!(said > 0);
}

#[test]
fn a_long_stall_of_the_machine_withholds_and_names_no_node() {
    for (peak_s, stall_s) in [(6.0, 2.0), (14.0, 2.0), (14.0, 5.0), (30.0, 8.0)] {
        for seed in 1..=3 {
            let stall = Some((18.0, stall_s));
            let (_, analysis) =
                run(&Setup { profile: peak_of(peak_s), stall_s: stall, ..Setup::new(None, seed) });
            assert_ne!(
                analysis.summary.state,
                AnalysisState::Found,
                "{peak_s} {stall_s} {}",
                line(&analysis)
            );
            assert!(bottlenecks(&analysis).is_empty(), "{peak_s} {stall_s} {}", line(&analysis));
            if stall_s / peak_s >= 0.3 {
                assert_eq!(analysis.summary.state, AnalysisState::Withheld, "{peak_s} {}", line(&analysis));
            }
        }
    }
}

/// Late by 1 ms, and by so much more where the shop's profile is at its peak.
fn late_at_peak(ms: f64) -> Vec<f64> {
    (0..40).map(|s| if (14..30).contains(&s) { 1.0 + ms } else { 1.0 }).collect()
}

#[test]
fn a_late_generator_withholds_what_its_lateness_explains() {
    let analysis = |setup: &Setup, lateness_ms: Vec<f64>| {
        let input = AnalysisInput { load_seconds: 40, lateness_ms, ..AnalysisInput::default() };
        analyse(&cells_of(&simulate(setup)), &input)
    };
    // Requests take some 50 ms longer at the peak.
    let crowded = Setup { crowding: 0.06, ..Setup::new(None, 19) };
    let late = analysis(&crowded, late_at_peak(40.0));
    assert_eq!(late.summary.state, AnalysisState::Withheld, "{}", line(&late));
    assert!(says(&late, "the generator itself was late"), "{}", line(&late));
    assert!(late.bottlenecks.iter().all(|b| b.capacity_per_s.estimate.is_none()));
    let mut once = vec![1.0; 40];
    once[20] = 2_000.0;
    for small in [late_at_peak(10.0), once] {
        assert_eq!(analysis(&crowded, small).summary.state, AnalysisState::NoneUpTo);
    }
    // Seconds of waiting at a node are not explained by it.
    let planted = analysis(&Setup::new(Some("stock"), 19), late_at_peak(40.0));
    assert_eq!(bottlenecks(&planted), ["stock"], "{}", line(&planted));
}

#[test]
fn arrivals_that_could_not_be_started_were_offered_and_not_tested() {
    let cells = cells_of(&simulate(&Setup::new(None, 21)));
    let highest = |analysis: &Analysis| {
        analysis.curves.iter().flat_map(|c| &c.points).map(|p| p.offered).fold(0.0, f64::max)
    };
    let input = AnalysisInput { load_seconds: 40, ..AnalysisInput::default() };
    let sent = analyse(&cells, &input);
    let intended = (0..40).map(|s| if (16..30).contains(&s) { 500.0 } else { 20.0 }).collect();
    let held = analyse(&cells, &AnalysisInput { intended, ..input });
    assert!((140.0..190.0).contains(&highest(&sent)), "{}", highest(&sent));
    // Four live journeys a second come on top.
    assert!((503.0..=504.5).contains(&highest(&held)), "{}", highest(&held));
    assert_eq!(sent.summary.tested_to_per_s, held.summary.tested_to_per_s);
}

#[test]
fn what_is_not_measured_is_neither_light_load_nor_tested() {
    let profile = vec![(6.0, 300.0, 300.0), (8.0, 20.0, 20.0), (4.0, 300.0, 300.0), (14.0, 120.0, 120.0)];
    let cells = cells_of(&simulate(&Setup { profile, ..Setup::new(None, 22) }));
    let tested = |measured: Vec<(i64, i64)>| {
        let input = AnalysisInput { load_seconds: 32, measured, ..AnalysisInput::default() };
        analyse(&cells, &input).summary.tested_to_per_s.unwrap()
    };
    assert!(tested(vec![]) > 250.0);
    // Three seconds on either side of a gap of 300 a second: no mean reaches over it.
    assert!((100.0..150.0).contains(&tested(vec![(11, 14), (18, 21)])));
    // Light load is what is measured of it; all of it is at one rate then.
    assert!(tested(vec![(7, 14)]) < 40.0);
    assert!((110.0..150.0).contains(&tested(vec![(7, 14), (18, 32)])));
}

#[test]
fn light_load_is_looked_for_where_it_is_measured() {
    // The first phase is as light, and of a machine that stands still; it is not measured.
    let profile = vec![(10.0, 20.0, 20.0), (8.0, 20.0, 20.0), (14.0, 160.0, 160.0)];
    let setup = Setup { profile, stall_s: Some((2.0, 6.0)), ..Setup::new(Some("stock"), 24) };
    let input = AnalysisInput { load_seconds: 32, measured: vec![(11, 32)], ..AnalysisInput::default() };
    let analysis = analyse(&cells_of(&simulate(&setup)), &input);
    let stock = analysis.bottlenecks.iter().find(|b| b.node == "stock").unwrap();
    assert!(stock.evidence[0].contains("grew from 5"), "50 ms a call: {:?}", stock.evidence);
}

#[test]
fn live_journeys_ask_for_what_they_call_on() {
    // A fifth of all journeys are live ones that never come to payment.
    let (_, analysis) = run(&Setup { live: (40.0, 0.0), ..Setup::new(Some("payment"), 23) });
    let first = &analysis.bottlenecks[0];
    assert_eq!(&*first.node, "payment", "{}", line(&analysis));
    let truth = 100.0 * 200.0 / (160.0 * 0.8);
    let capacity = first.capacity_per_s.estimate.unwrap();
    assert!((capacity / truth - 1.0).abs() < 0.06, "{capacity} {truth} {}", line(&analysis));
}
