//! What the analysis says of the simulated shop.

use peakdrill_bottleneck::{
    Analysis, AnalysisInput, Cells, Objective, Question, Sums, TraceClass, analyse, compare, completeness,
    rank,
};
use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::verdict::{AnalysisState, AnalysisSummary, KneeBy, NodeVerdict};
use peakdrill_trace_model::SpanKind;

use crate::sim::{BROWSE_STEP, CHECKOUT, CHECKOUT_STEP, ORIGIN_NS, Setup, Trace, simulate};

const PLANTED: [&str; 5] = ["stock", "payment", "order-db", "bank", "queue"];
const SEEDS: u64 = 2;
const PLANTED_PER_S: f64 = 100.0;

pub(crate) fn cells_of(traces: &[Trace]) -> Cells {
    let (mut cells, mut sums) = (Cells::default(), Sums::default());
    traces.iter().for_each(|trace| sums.add(&trace.filed()));
    cells.take_in(&mut sums);
    cells
}

pub(crate) fn run(setup: &Setup) -> (Cells, Analysis) {
    let cells = cells_of(&simulate(setup));
    let input = AnalysisInput { load_seconds: setup.seconds(), ..AnalysisInput::default() };
    let analysis = analyse(&cells, &input);
    (cells, analysis)
}

/// Journeys a second that the planted node carries at the peak's mix: four live ones a second, of which half
/// order and none comes to the stub of the bank.
fn truth(node: &str) -> f64 {
    let visits = match node {
        "stock" => 1.0,
        "bank" => CHECKOUT * 160.0 / 164.0,
        _ => (CHECKOUT * 160.0 + 0.5 * 4.0) / 164.0,
    };
    PLANTED_PER_S / visits
}

pub(crate) fn line(analysis: &Analysis) -> String {
    let first = &analysis.bottlenecks[0];
    let (c, s) = (first.capacity_per_s, first.share);
    format!(
        "{:?} first {} {:?} share {:.2} ({:.2}..{:.2}) capacity {:?} ({:?}..{:?})\n    {}\n    {}",
        analysis.summary.state,
        first.node,
        first.verdict,
        s.estimate.unwrap_or(-1.0),
        s.low.unwrap_or(-1.0),
        s.high.unwrap_or(-1.0),
        c.estimate.map(|x| x.round()),
        c.low.map(|x| x.round()),
        c.high.map(|x| x.round()),
        first.evidence.join("\n    "),
        analysis.summary.because.join("; "),
    )
}

#[derive(Default)]
struct Score {
    runs: u32,
    first: u32,
    near: u32,
    covered: u32,
    lines: Vec<String>,
}

fn score(seeds: std::ops::RangeInclusive<u64>) -> Score {
    let mut score = Score::default();
    for node in PLANTED {
        for seed in seeds.clone() {
            let (_, analysis) = run(&Setup::new(Some(node), seed));
            score.lines.push(format!("{node} {seed}: {}", line(&analysis)));
            let first = &analysis.bottlenecks[0];
            let named = first.node == node && first.verdict == NodeVerdict::Bottleneck;
            let c = first.capacity_per_s;
            let (estimate, low, high) =
                (c.estimate.unwrap_or(0.0), c.low.unwrap_or(0.0), c.high.unwrap_or(f64::INFINITY));
            let truth = truth(node);
            score.runs += 1;
            score.first += u32::from(named && analysis.summary.state == AnalysisState::Found);
            score.near += u32::from((estimate / truth - 1.0).abs() <= 0.1);
            let narrow = low >= 0.85 * estimate && high <= 1.15 * estimate;
            score.covered += u32::from(narrow && (low..=high).contains(&truth));
        }
    }
    let sums = (score.first, score.near, score.covered, score.runs);
    score.lines.push(format!("first, near, covered, runs: {sums:?}"));
    score
}

#[test]
fn the_planted_node_is_named_with_its_capacity() {
    let score = score(1..=SEEDS);
    println!("{}", score.lines.join("\n"));
    assert_eq!(score.first, score.runs, "named first");
    assert_eq!(score.near, score.runs, "capacity within 10 %");
    assert!(f64::from(score.covered) >= 0.9 * f64::from(score.runs), "interval covers the truth");
}

#[test]
fn where_it_stops_holding_is_told_by_every_definition() {
    let setup = Setup::new(Some("stock"), 1);
    let cells = cells_of(&simulate(&setup));
    let asks = |text: &str, asks, share| Objective { text: text.into(), asks, share, steps: Vec::new() };
    let objectives = vec![
        asks("p90 < 150ms", Question::WithinNs(150_000_000), 0.1),
        asks("p90 < 10min", Question::WithinNs(600_000_000_000), 0.1),
        asks("errors < 50%", Question::Succeed, 0.5),
        asks("p50 < 1ns", Question::WithinNs(1), 0.5),
    ];
    let input = AnalysisInput { load_seconds: setup.seconds(), objectives, ..AnalysisInput::default() };
    let knees = analyse(&cells, &input).summary.knees;
    let of = |of: &str| knees.iter().find(|knee| knee.of == of).map(|knee| knee.per_s).unwrap();
    let (bent, full) = (of("p90 < 150ms"), of("stock"));
    let about =
        |value: Option<f64>, from: f64, to: f64| value.is_some_and(|value| (from..=to).contains(&value));
    // It carries 100 journeys a second: requests wait from shortly below that on.
    assert!(about(full.estimate, 95.0, 105.0), "{knees:?}");
    // On the climb there is a second of each rate: two together make a level.
    assert!(about(bent.low, 35.0, 100.0) && about(bent.high, 90.0, 130.0), "{knees:?}");
    let done = knees.iter().find(|knee| knee.by == KneeBy::Throughput).unwrap().per_s;
    assert!(about(done.estimate, 90.0, 110.0), "{knees:?}");
    // Where work piles up, nothing is quick for long.
    assert!(about(of("p90 < 10min").high, 110.0, 170.0), "{knees:?}");
    // What is always kept has no upper end, and what never is has no lower one.
    let open = of("errors < 50%");
    assert!(open.estimate.is_none() && open.high.is_none() && about(open.low, 140.0, 180.0), "{knees:?}");
    let never = of("p50 < 1ns");
    assert!(never.estimate.is_none() && never.low.is_none() && never.high.is_some(), "{knees:?}");
    // The smallest first; those that were not reached last.
    let places: Vec<f64> =
        knees.iter().map(|knee| knee.per_s.estimate.or(knee.per_s.high).unwrap_or(f64::MAX)).collect();
    assert!(places.is_sorted(), "{knees:?}");
}

#[test]
fn a_live_ranking_is_that_of_the_analysis() {
    let mut traces = simulate(&Setup::new(Some("stock"), 4));
    let lossy = |traces: &mut Vec<Trace>| {
        for (i, trace) in traces.iter_mut().enumerate() {
            trace.spans.retain(|s| i % 4 != 0 || &*s.service != "payment");
        }
    };
    for lose in [false, true] {
        if lose {
            lossy(&mut traces);
        }
        let (cells, input) =
            (cells_of(&traces), AnalysisInput { load_seconds: 40, ..AnalysisInput::default() });
        let (whole, ranking) = (analyse(&cells, &input), rank(&cells, &input));
        assert_eq!(ranking.summary, AnalysisSummary { knees: Vec::new(), ..whole.summary });
        assert_eq!((ranking.bottlenecks, ranking.dependencies), (whole.bottlenecks, whole.dependencies));
        assert_eq!(ranking.findings, whole.findings);
        let services = completeness(&cells, &input);
        assert_eq!(services.iter().any(|service| service.share < Some(0.9)), lose);
        assert_eq!(services, whole.completeness);
    }
}

#[test]
fn a_healthy_shop_has_no_bottleneck() {
    for (seed, noise_ns) in [(1, 500_000.0), (2, 500_000.0), (3, 1_500_000.0)] {
        let (_, analysis) = run(&Setup { noise_ns, ..Setup::new(None, seed) });
        println!("{}", line(&analysis));
        assert_eq!(analysis.summary.state, AnalysisState::NoneUpTo, "{}", line(&analysis));
        assert!(analysis.bottlenecks.iter().all(|b| b.verdict != NodeVerdict::Bottleneck));
        let tested = analysis.summary.tested_to_per_s.unwrap();
        assert!((150.0..190.0).contains(&tested), "{tested}");
        assert!(analysis.completeness.iter().all(|c| c.share == Some(1.0)), "{:?}", analysis.completeness);
        assert!(!analysis.bottlenecks.is_empty(), "the ranking is printed all the same");
    }
}

#[test]
fn a_failing_node_is_named_as_the_origin() {
    let setup = Setup { failing: Some(("payment", 0.3)), ..Setup::new(Some("payment"), 5) };
    let (_, analysis) = run(&setup);
    let first = &analysis.bottlenecks[0];
    assert_eq!(first.node, "payment", "{}", line(&analysis));
    let edge = analysis.dependencies.iter().find(|d| d.from == "order" && d.to == "payment").unwrap();
    assert!(edge.errors > 0);
}

#[test]
fn clocks_that_disagree_change_nothing() {
    let plain = run(&Setup::new(Some("stock"), 3)).1;
    let skew_ns = [("stock", 70_000_000), ("order", -400_000_000), ("payment", 5_000_000)].into();
    let skewed = run(&Setup { skew_ns, ..Setup::new(Some("stock"), 3) }).1;
    assert_eq!(skewed.bottlenecks[0].node, "stock");
    let (a, b) =
        (plain.bottlenecks[0].share.estimate.unwrap(), skewed.bottlenecks[0].share.estimate.unwrap());
    assert!((a - b).abs() < 0.02, "{a} {b}");
}

#[test]
fn lost_spans_withhold_the_verdict_and_name_the_service() {
    let mut traces = simulate(&Setup::new(Some("stock"), 4));
    for (i, trace) in traces.iter_mut().enumerate() {
        trace.spans.retain(|s| i % 4 != 0 || &*s.service != "payment");
    }
    let input = AnalysisInput { load_seconds: 40, ..AnalysisInput::default() };
    let analysis = analyse(&cells_of(&traces), &input);
    assert_eq!(analysis.summary.state, AnalysisState::Withheld);
    assert!(analysis.summary.because.iter().any(|b| b.contains("payment")), "{:?}", analysis.summary.because);
    assert_eq!(analysis.bottlenecks[0].node, "stock", "the ranking is printed all the same");
    assert_ne!(analysis.bottlenecks[0].verdict, NodeVerdict::Bottleneck);
}

#[test]
fn what_would_be_won_is_what_the_node_and_what_waits_for_it_grew_by() {
    let (_, analysis) = run(&Setup::new(Some("stock"), 4));
    let first = &analysis.bottlenecks[0];
    let gain = first.gain.as_ref().unwrap();
    let grew = &analysis.growth[0];
    let all_ms = grew.self_ms + grew.wait_ms + grew.gap_ms;
    assert!((gain.saved_ms.unwrap() / all_ms - 1.0).abs() < 1e-9, "{gain:?}, {grew:?}");
    assert!(
        first.evidence.iter().any(|e| e.contains("a request at peak would take")),
        "{:?}",
        first.evidence
    );
    assert!(analysis.bottlenecks[1..].iter().all(|b| b.gain.is_none()), "nothing is won elsewhere");
}

#[test]
fn a_service_that_is_silent_is_not_named_for_what_it_waits_for() {
    let mut traces = simulate(&Setup::new(Some("stock"), 4));
    traces.iter_mut().for_each(|trace| trace.spans.retain(|s| &*s.service != "order"));
    let input = AnalysisInput { load_seconds: 40, ..AnalysisInput::default() };
    let analysis = analyse(&cells_of(&traces), &input);
    assert_eq!(analysis.summary.state, AnalysisState::Withheld, "{:?}", analysis.summary.because);
    let because = &analysis.summary.because;
    assert!(because.iter().any(|b| b.contains("at order, which sends no spans")), "{because:?}");
    assert!(because.iter().any(|b| b.contains("those of stock")), "{because:?}");
}

#[test]
fn a_queue_that_nobody_is_seen_to_take_from_is_told() {
    let told = |traces: &[Trace]| {
        let input = AnalysisInput { load_seconds: 40, ..AnalysisInput::default() };
        let because = analyse(&cells_of(traces), &input).summary.because;
        because.iter().any(|b| b.contains("nobody is seen to take from queue"))
    };
    let mut traces = simulate(&Setup::new(None, 1));
    assert!(!told(&traces));
    traces.iter_mut().for_each(|trace| trace.spans.retain(|s| s.kind != SpanKind::Consumer));
    assert!(told(&traces));
}

#[test]
fn a_few_producers_that_are_lost_do_not_make_their_service_silent() {
    let setup = Setup::new(Some("bank"), 4);
    let mut traces = simulate(&setup);
    let mut seen = 0;
    traces.iter_mut().for_each(|trace| {
        trace.spans.retain(|s| {
            seen += usize::from(s.kind == SpanKind::Producer);
            s.kind != SpanKind::Producer || seen % 25 != 0
        });
    });
    let input = AnalysisInput { load_seconds: 40, ..AnalysisInput::default() };
    let analysis = analyse(&cells_of(&traces), &input);
    assert_eq!(analysis.bottlenecks[0].node, "bank");
    assert_eq!(analysis.summary.state, AnalysisState::Found, "{:?}", analysis.summary.because);
    assert!(seen > 25 * 20, "enough are lost to count: {seen}");
}

#[test]
fn requests_without_spans_withhold_the_verdict() {
    let mut traces = simulate(&Setup::new(Some("stock"), 4));
    traces.iter_mut().step_by(5).for_each(|t| t.spans.clear());
    let input = AnalysisInput { load_seconds: 40, ..AnalysisInput::default() };
    let analysis = analyse(&cells_of(&traces), &input);
    assert_eq!(analysis.summary.state, AnalysisState::Withheld);
    assert!(analysis.summary.because.iter().any(|b| b.contains("gateway")), "{:?}", analysis.summary.because);
}

#[test]
fn a_stubbed_node_says_that_it_is_one() {
    let (_, analysis) = run(&Setup::new(Some("bank"), 6));
    let bank = analysis.bottlenecks.iter().find(|b| b.node == "bank").unwrap();
    assert!(bank.evidence.iter().any(|e| e.contains("stub")), "{:?}", bank.evidence);
}

#[test]
fn edges_count_the_drills_own_calls() {
    let traces = simulate(&Setup::new(None, 7));
    let input = AnalysisInput { load_seconds: 40, ..AnalysisInput::default() };
    let analysis = analyse(&cells_of(&traces), &input);
    let mine = traces.iter().filter(|t| t.class == TraceClass::Mine);
    let (roots, orders) =
        mine.fold((0, 0), |(n, o), t| (n + 1, o + u64::from(t.row.is_some_and(|r| r.step == 1))));
    let calls = |from: &str, to: &str| {
        analysis.dependencies.iter().find(|d| d.from == from && d.to == to).map(|d| d.calls)
    };
    assert_eq!(calls("load", "gateway"), Some(roots));
    assert_eq!(calls("order", "order-db"), Some(orders));
    assert_eq!(calls("order", "queue"), Some(orders));
    assert_eq!(calls("queue", "queue-worker"), Some(orders));
    let share: f64 = analysis.dependencies.iter().filter_map(|d| d.critical_path_share).sum();
    assert!((share - 1.0).abs() < 1e-9, "{share}");
}

#[test]
fn other_profiles_name_the_planted_node_too() {
    let steps: Vec<_> = (1..=7).map(|i| (5.0, f64::from(i) * 20.0, f64::from(i) * 20.0)).collect();
    let ramp = vec![(30.0, 5.0, 170.0)];
    let spike = vec![(5.0, 30.0, 30.0), (6.0, 220.0, 220.0), (10.0, 30.0, 30.0)];
    let constant = vec![(25.0, 150.0, 150.0)];
    for (name, profile) in [("steps", steps), ("ramp", ramp), ("spike", spike), ("constant", constant)] {
        for node in ["stock", "order-db", "queue"] {
            let (_, analysis) = run(&Setup { profile: profile.clone(), ..Setup::new(Some(node), 11) });
            println!("{name} {node}: {}", line(&analysis));
            let first = &analysis.bottlenecks[0];
            assert_eq!(first.node, node, "{name}: {}", line(&analysis));
            assert_eq!(first.verdict, NodeVerdict::Bottleneck, "{name}: {}", line(&analysis));
            let capacity = first.capacity_per_s.estimate.unwrap();
            assert!((capacity / truth(node) - 1.0).abs() <= 0.1, "{name}: {}", line(&analysis));
        }
    }
}

#[test]
fn a_node_that_was_nearly_full_shows_its_knee_or_none() {
    let profile: Vec<_> = (1..=9).map(|i| (8.0, f64::from(i) * 10.5, f64::from(i) * 10.5)).collect();
    for seed in 1..=3 {
        let (_, analysis) = run(&Setup { profile: profile.clone(), ..Setup::new(Some("stock"), seed) });
        let stock = analysis.bottlenecks.iter().find(|b| b.node == "stock").unwrap();
        println!("{}", line(&analysis));
        match stock.capacity_per_s.estimate {
            Some(capacity) => assert!((90.0..150.0).contains(&capacity), "{capacity}"),
            None => {
                assert!(stock.evidence.iter().any(|e| e.starts_with("no knee up to")), "{:?}", stock.evidence)
            }
        }
        for other in analysis.bottlenecks.iter().filter(|b| b.node != "stock") {
            assert_eq!(other.capacity_per_s.estimate, None, "{} {:?}", other.node, other.evidence);
        }
    }
}

#[test]
fn a_constant_light_load_has_no_bottleneck() {
    let (_, analysis) = run(&Setup { profile: vec![(20.0, 50.0, 50.0)], ..Setup::new(Some("stock"), 2) });
    assert_eq!(analysis.summary.state, AnalysisState::NoneUpTo, "{}", line(&analysis));
}

#[test]
fn two_sets_of_traces_are_compared() {
    let calm = cells_of(&simulate(&Setup { profile: vec![(20.0, 20.0, 20.0)], ..Setup::new(None, 8) }));
    for node in PLANTED {
        let loaded =
            cells_of(&simulate(&Setup { profile: vec![(20.0, 140.0, 140.0)], ..Setup::new(Some(node), 9) }));
        let ranking = compare(&calm, &loaded).ranking;
        assert_eq!(ranking[0].node, node, "{ranking:?}");
        assert!(ranking[0].score > 0.5 && !ranking[0].evidence.is_empty(), "{ranking:?}");
        assert!((ranking.iter().map(|r| r.score).sum::<f64>() - 1.0).abs() < 1e-9);
    }
    assert!(compare(&calm, &calm).ranking.iter().all(|r| r.score == 0.0), "nothing changed");
    assert!(
        compare(&Cells::default(), &calm).ranking.iter().all(|r| r.score == 0.0),
        "nothing to compare with"
    );
}

#[test]
fn an_analysis_of_nothing_is_withheld() {
    let analysis = analyse(&Cells::default(), &AnalysisInput::default());
    assert_eq!(analysis.summary.state, AnalysisState::Withheld);
    assert_eq!(analysis.summary.tested_to_per_s, None);
    assert!(analysis.bottlenecks.is_empty());
}

#[test]
fn the_same_cells_give_the_same_analysis() {
    let setup = Setup::new(Some("payment"), 12);
    let traces = simulate(&setup);
    let input = AnalysisInput { load_seconds: setup.seconds(), ..AnalysisInput::default() };
    let (even, odd): (Vec<_>, Vec<_>) = traces.into_iter().enumerate().partition(|(i, _)| i % 2 == 0);
    let part =
        |part: Vec<(usize, Trace)>| cells_of(&part.into_iter().map(|(_, t)| t).rev().collect::<Vec<_>>());
    let mut split = part(odd);
    split.merge(&part(even));
    assert_eq!(analyse(&split, &input), analyse(&cells_of(&simulate(&setup)), &input));
}

/// Services that notice that the client has gone drop the request: its spans end with it.
fn cut_off(traces: &mut [Trace], after_ns: i64) {
    for trace in traces {
        let Some(row) = trace.row.as_mut().filter(|row| row.done_ns - row.intended_ns > after_ns) else {
            continue;
        };
        let gone = row.intended_ns + after_ns;
        row.done_ns = gone;
        row.error = Some(ErrorClass::Timeout);
        trace.spans.retain(|s| s.start_ns < gone);
        for span in trace.spans.iter_mut().filter(|s| s.end_ns > gone) {
            span.end_ns = gone + 1_000_000;
            span.status = 0;
        }
    }
}

#[test]
fn requests_that_were_given_up_do_not_bend_the_capacity() {
    for node in ["stock", "payment", "order-db"] {
        let mut traces = simulate(&Setup::new(Some(node), 13));
        cut_off(&mut traces, 2_000_000_000);
        let input = AnalysisInput { load_seconds: 40, ..AnalysisInput::default() };
        let analysis = analyse(&cells_of(&traces), &input);
        println!("{}", line(&analysis));
        let first = &analysis.bottlenecks[0];
        assert_eq!((&*first.node, first.verdict), (node, NodeVerdict::Bottleneck), "{}", line(&analysis));
        let capacity = first.capacity_per_s.estimate.unwrap();
        assert!((capacity / truth(node) - 1.0).abs() <= 0.1, "{}", line(&analysis));
    }
}

#[test]
fn a_noisy_machine_is_not_a_bottleneck_and_hides_none() {
    for noise_ns in [2_000_000.0, 4_000_000.0] {
        let healthy = run(&Setup { noise_ns, ..Setup::new(None, 14) }).1;
        assert_eq!(healthy.summary.state, AnalysisState::NoneUpTo, "{}", line(&healthy));
        for node in PLANTED {
            let (_, analysis) = run(&Setup { noise_ns, ..Setup::new(Some(node), 15) });
            let capacity = analysis.bottlenecks[0].capacity_per_s.estimate.unwrap();
            assert_eq!(analysis.bottlenecks[0].node, node, "{}", line(&analysis));
            assert!((capacity / truth(node) - 1.0).abs() <= 0.1, "{}", line(&analysis));
        }
    }
}

/// A number that follows from the span's id alone, 0..100.
fn dice(id: u64) -> u64 {
    id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 57 & 127
}

#[test]
fn a_few_lost_spans_change_little() {
    for node in PLANTED {
        let mut traces = simulate(&Setup::new(Some(node), 16));
        // Five of 128, about 4 %.
        traces.iter_mut().for_each(|t| t.spans.retain(|s| dice(s.id) >= 5));
        let input = AnalysisInput { load_seconds: 40, ..AnalysisInput::default() };
        let analysis = analyse(&cells_of(&traces), &input);
        let first = &analysis.bottlenecks[0];
        assert_eq!(
            (&*first.node, analysis.summary.state),
            (node, AnalysisState::Found),
            "{}",
            line(&analysis)
        );
        let capacity = first.capacity_per_s.estimate.unwrap();
        assert!((capacity / truth(node) - 1.0).abs() <= 0.1, "{}", line(&analysis));
        let shares: Vec<f64> = analysis.completeness.iter().filter_map(|c| c.share).collect();
        assert!(shares.iter().all(|s| (0.93..0.99).contains(s)), "{shares:?}");
    }
}

#[test]
fn journeys_of_several_requests_are_counted_by_their_first() {
    let setup = Setup::new(Some("payment"), 17);
    let traces = simulate(&setup);
    let count = |step: u16| traces.iter().filter(|t| t.row.is_some_and(|r| r.step == step)).count() as f64;
    let first_steps = vec![BROWSE_STEP];
    let input = AnalysisInput { load_seconds: setup.seconds(), first_steps, ..AnalysisInput::default() };
    let analysis = analyse(&cells_of(&traces), &input);
    // Live journeys, four a second, are other than the drill's: half of them come to payment.
    let per_second = |step: u16| count(step) / setup.seconds() as f64;
    let (browse, checkout) = (per_second(BROWSE_STEP), per_second(CHECKOUT_STEP));
    let peak = 160.0 * (1.0 - CHECKOUT);
    let truth = PLANTED_PER_S * (peak + 4.0) / (peak * checkout / browse + 2.0);
    let first = &analysis.bottlenecks[0];
    assert_eq!(first.node, "payment", "{}", line(&analysis));
    let capacity = first.capacity_per_s.estimate.unwrap();
    assert!((capacity / truth - 1.0).abs() < 0.05, "{capacity} {truth}");
    assert!(analysis.summary.tested_to_per_s.unwrap() < 60.0);
}

#[test]
fn spans_that_are_on_their_way_are_not_taken_for_lost() {
    let mut traces = simulate(&Setup::new(None, 18));
    let late = |t: &Trace| t.row.is_some_and(|r| r.intended_ns > ORIGIN_NS + 25_000_000_000);
    traces.iter_mut().filter(|t| late(t)).for_each(|t| t.spans.clear());
    let cells = cells_of(&traces);
    let state = |settled_before| {
        analyse(&cells, &AnalysisInput { settled_before, ..AnalysisInput::default() }).summary.state
    };
    assert_eq!(state(Some(25)), AnalysisState::NoneUpTo);
    assert_eq!(state(None), AnalysisState::Withheld);
}

#[test]
fn a_crowded_machine_slows_all_nodes_and_is_no_bottleneck() {
    for crowding in [0.03, 0.06] {
        let healthy = run(&Setup { crowding, ..Setup::new(None, 19) }).1;
        println!("{}", line(&healthy));
        assert_eq!(healthy.summary.state, AnalysisState::NoneUpTo, "{}", line(&healthy));
        for node in PLANTED {
            let (_, analysis) = run(&Setup { crowding, ..Setup::new(Some(node), 20) });
            println!("{}", line(&analysis));
            let capacity = analysis.bottlenecks[0].capacity_per_s.estimate.unwrap();
            assert_eq!(analysis.bottlenecks[0].node, node, "{}", line(&analysis));
            assert!((capacity / truth(node) - 1.0).abs() <= 0.1, "{}", line(&analysis));
        }
    }
}
