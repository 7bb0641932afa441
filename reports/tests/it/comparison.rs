//! One run beside another.

use std::collections::BTreeMap;
use std::slice::from_ref;
use std::sync::Arc;

use peakdrill_bottleneck::{Cells, EdgeCell, EdgeKey, NodeKey, TraceClass};
use peakdrill_drill_model::comparison::{Comparison, Quantity, Subject};
use peakdrill_drill_model::event::{Chain, EventKind};
use peakdrill_drill_model::frame::Frame;
use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::{Feeder, Phase, Plan, Stub};
use peakdrill_drill_model::search::Range;
use peakdrill_drill_model::shape::Shape;
use peakdrill_drill_model::timeline::{CHANGE_KEY, Change};
use peakdrill_drill_model::verdict::{AnalysisState, Judgement, NodeKind};
use peakdrill_latency::{Histogram, Sparse, highest_in};
use peakdrill_reports::{
    LoadWindows, Record, Side, Terms, comparison_card, comparison_json, comparison_junit,
    comparison_markdown, verdict,
};

use crate::synthetic;

const TERMS: Terms = Terms { tolerance: 0.05, mismatched: false };

fn side(record: &Record) -> Side {
    let mut load = LoadWindows::new(&record.plan, record.environment.started_unix_ns, &record.events);
    record.frames.iter().for_each(|frame| load.add(frame));
    Side {
        plan: record.plan.clone(),
        environment: record.environment.clone(),
        verdict: verdict(record),
        load,
        cells: None,
        lost_spans: Vec::new(),
    }
}

#[allow(clippy::unwrap_used, reason = "a helper of tests")]
fn compare(run: &Side, baselines: &[Side], terms: &Terms) -> Comparison {
    peakdrill_reports::compare(run, baselines, terms).unwrap()
}

/// The same under another name.
fn again(side: &Side, run: &str) -> Side {
    let mut other = side.clone();
    run.clone_into(&mut other.verdict.run);
    other
}

/// The calm drill as another run, each latency so many times as long.
fn calm(run: &str, times: f64) -> Record {
    let mut record = synthetic::calm();
    record.environment.run = run.to_owned();
    for frame in &mut record.frames {
        let mut slower = Histogram::new();
        for (bucket, count) in Histogram::decode(&frame.latency).unwrap_or_default().to_sparse().iter() {
            slower.record_n((highest_in(bucket) as f64 * times) as u64, count.unsigned_abs());
        }
        frame.latency = slower.encode();
    }
    record
}

/// Calls that take so long, thirty a second.
fn cells(to: &str, ns: u64) -> Arc<Cells> {
    let to = NodeKey { name: to.into(), kind: NodeKind::Service };
    let edge = EdgeKey { from: "order".into(), to, op: "GET /".into() };
    let mut latency = Sparse::default();
    (0..30).for_each(|k| latency.add(ns + ns * k / 100, 1));
    let cell = Arc::new(EdgeCell { calls: 30, attempts: 30, latency, ..EdgeCell::default() });
    let mut cells = Cells::default();
    cells.edges.insert((edge, TraceClass::Mine), (0..80).map(|second| (second, Arc::clone(&cell))).collect());
    Arc::new(cells)
}

fn verdicts(comparison: &Comparison, quantity: Quantity) -> Vec<Judgement> {
    let of = comparison.compared.iter().filter(|one| one.quantity == quantity);
    of.map(|one| one.verdict).collect()
}

#[test]
fn a_run_is_not_worse_than_the_same_run() {
    let one = side(&calm("a", 1.0));
    let found = compare(&one, &[again(&one, "b")], &TERMS);
    assert_eq!(found.verdict, Judgement::Pass, "{found:#?}");
    assert!(found.because.is_empty() && !found.compared.is_empty());
    assert!(found.compared.iter().all(|one| one.phase == "plateau" && one.windows == 45));
    assert!(found.notes.iter().any(|note| note.starts_with("one baseline does not tell")));
    let two = compare(&one, &["b", "c"].map(|run| again(&one, run)), &TERMS);
    assert!(two.notes.iter().any(|note| note.starts_with("two baselines do not tell")));
    let three = compare(&one, &["b", "c", "d"].map(|run| again(&one, run)), &TERMS);
    assert_eq!(three.verdict, Judgement::Pass);
    assert!(!three.notes.iter().any(|note| note.contains("not tell what differs")));
    for baselines in [vec![one.clone()], vec![again(&one, "b"), again(&one, "b")]] {
        let repeated = peakdrill_reports::compare(&one, &baselines, &TERMS).unwrap_err();
        assert!(repeated.to_string().contains("is given twice"), "{repeated}");
    }
}

#[test]
fn what_is_slower_fails_and_says_by_how_much() {
    let (slow, baseline) = (side(&calm("b", 1.3)), side(&calm("a", 1.0)));
    let found = compare(&slow, from_ref(&baseline), &TERMS);
    assert_eq!(found.verdict, Judgement::Fail);
    for (quantity, expected) in [(Quantity::P50, Judgement::Fail), (Quantity::Errors, Judgement::Pass)] {
        assert_eq!(verdicts(&found, quantity), [expected; 4], "{quantity:?}: {found:#?}");
    }
    let p50 = found.compared.iter().find(|one| one.quantity == Quantity::P50).unwrap();
    assert!((p50.change.estimate.unwrap() - 0.3).abs() < 0.01, "{p50:?}");
    assert!(p50.because.contains("+29.9% (") && p50.because.contains("more than the 5%"), "{}", p50.because);
    // The other way round it is better.
    assert_eq!(compare(&baseline, from_ref(&slow), &TERMS).verdict, Judgement::Pass);
    // What is tolerated is tolerated.
    let terms = Terms { tolerance: 0.5, ..TERMS };
    assert_eq!(compare(&slow, &[baseline], &terms).verdict, Judgement::Pass);
}

#[test]
fn errors_and_lost_throughput_fail() {
    let baseline = side(&calm("a", 1.0));
    let mut failing = calm("b", 1.0);
    for frame in failing.frames.iter_mut().filter(|frame| frame.step.is_some()) {
        let some = frame.completed / 8;
        *frame.errors.entry(ErrorClass::Timeout).or_insert(0) += some;
    }
    let found = compare(&side(&failing), &[baseline], &TERMS);
    assert_eq!(found.verdict, Judgement::Fail);
    for quantity in [Quantity::Errors, Quantity::Throughput] {
        assert!(verdicts(&found, quantity).contains(&Judgement::Fail), "{quantity:?}: {found:#?}");
    }
}

#[test]
fn another_drill_is_not_compared_unless_it_is_asked_for() {
    let baseline = side(&calm("a", 1.0));
    let mut other = calm("b", 1.0);
    other.plan.targets[0].base_url.push_str("/v2");
    other.plan.load.phases[0].shape = Shape::Hold { rate: 110.0, for_ns: 10_000_000_000 };
    other.environment.machine.cpus += 1;
    let other = side(&other);
    let found = compare(&other, from_ref(&baseline), &TERMS);
    assert_eq!(found.verdict, Judgement::Inconclusive);
    assert!(found.compared.is_empty());
    for part in ["/v2, and was ", "phase warm-up asks for another load", "processors of the generator"] {
        assert!(found.because.iter().any(|why| why.contains(part)), "{part}: {:?}", found.because);
    }
    let found = compare(&other, &[baseline], &Terms { mismatched: true, ..TERMS });
    assert_eq!(found.verdict, Judgement::Pass);
    assert!(found.because.is_empty() && found.notes.iter().any(|note| note.contains("/v2, and was ")));
}

/// A climb of twenty at a time, forty seconds each, of which so many levels were run.
fn climb(run: &str, levels: u32) -> Side {
    let mut record = calm(run, 1.0);
    let shape =
        Shape::Steps { from: 20.0, by: 20.0, every_ns: 40_000_000_000, max: 20.0 * f64::from(levels) };
    let climb: &Phase = &record.plan.load.phases[1];
    record.plan.load.phases = vec![Phase { shape, ..climb.clone() }];
    record.frames = synthetic::frames(&record.plan);
    let mut side = side(&record);
    // Both were to climb as far; only how far they came is another thing.
    side.plan = climb_plan(&side);
    side
}

fn climb_plan(side: &Side) -> Plan {
    let mut plan = side.plan.clone();
    plan.load.phases[0].shape = Shape::Steps { from: 20.0, by: 20.0, every_ns: 40_000_000_000, max: 100.0 };
    plan
}

/// A run that ended before it came to a rate is not as good as one that held it, nor the other way round.
#[test]
fn what_one_of_the_runs_alone_was_under_leaves_it_open() {
    let (far, near) = (climb("far", 3), climb("near", 2));
    assert_eq!(compare(&again(&far, "b"), from_ref(&far), &TERMS).verdict, Judgement::Pass);
    for (run, baseline) in [(&near, &far), (&far, &near)] {
        let found = compare(run, from_ref(baseline), &TERMS);
        assert_eq!(found.verdict, Judgement::Inconclusive, "{found:#?}");
        assert!(!found.compared.is_empty(), "what both have is compared all the same");
        let why = &found.because[0];
        assert!(
            why.starts_with("run near was not under all of the load") && why.ends_with("plateau at 60/s"),
            "{why}"
        );
        let xml = comparison_junit(&found);
        assert!(xml.contains("<error message=\"run near was not under"), "{xml}");
    }
}

#[test]
fn a_part_that_one_run_left_halfway_leaves_it_open() {
    let baseline = side(&calm("a", 1.0));
    let mut half = calm("b", 1.0);
    half.frames.retain(|frame| frame.second < 50);
    // As a run that was stopped: by itself it is valid.
    let half = Side { verdict: again(&baseline, "b").verdict, ..side(&half) };
    let found = compare(&half, &[baseline], &TERMS);
    assert_eq!(found.verdict, Judgement::Inconclusive);
    // The last second of a run that ended early is not a whole one.
    assert_eq!(found.because, ["of plateau, run b has 34 seconds, and another run has 45"]);
}

/// The calm drill with this load instead of its plateau, twice.
fn shaped(shape: Shape) -> Comparison {
    let mut record = calm("a", 1.0);
    record.plan.load.phases[1].shape = shape;
    record.frames = synthetic::frames(&record.plan);
    let one = side(&record);
    compare(&again(&one, "b"), &[one], &TERMS)
}

/// The way up and down is too short to be judged, and what is held is judged.
#[test]
fn a_spike_is_judged_by_its_top() {
    const S: u64 = 1_000_000_000;
    let spike = |rise_ns| Shape::Spike { from: 20.0, to: 200.0, rise_ns, hold_ns: 60 * S, fall_ns: rise_ns };
    let short = shaped(spike(5 * S));
    assert_eq!(short.verdict, Judgement::Pass, "{short:#?}");
    assert!(!short.compared.is_empty() && short.compared.iter().all(|one| one.phase == "plateau at 200/s"));
    let left_out: Vec<String> =
        short.not_compared.iter().map(|one| format!("{}: {}", one.what, one.because)).collect();
    assert_eq!(
        left_out,
        [
            "plateau, the rest: 10 windows of the 30 it takes, and nowhere above what is held: only looked at for what is \
          worse by far"
        ]
    );
    let long = shaped(spike(20 * S));
    assert!(long.compared.iter().any(|one| one.phase == "plateau, the rest"), "{long:#?}");
    // Nothing but a way is what was asked for, and cannot be told.
    let way = shaped(Shape::Ramp { from: 20.0, to: 200.0, over_ns: 20 * S });
    assert_eq!(way.verdict, Judgement::Inconclusive);
    assert!(way.not_compared.is_empty() && way.compared.iter().all(|one| one.phase == "plateau"));
}

/// A system that does not recover from its peak.
#[test]
fn what_is_worse_by_far_on_the_way_down_leaves_it_open() {
    const S: u64 = 1_000_000_000;
    let mut baseline = calm("a", 1.0);
    let rise_ns = 5 * S;
    baseline.plan.load.phases[1].shape =
        Shape::Spike { from: 20.0, to: 200.0, rise_ns, hold_ns: 60 * S, fall_ns: rise_ns };
    baseline.frames = synthetic::frames(&baseline.plan);
    let falls_at = 10 + 5 + 60;
    let with = |change: fn(&mut Frame)| {
        let mut record = baseline.clone();
        record.environment.run = "b".to_owned();
        let falling =
            record.frames.iter_mut().filter(|frame| frame.step.is_some() && frame.second >= falls_at);
        falling.for_each(change);
        compare(&side(&record), &[side(&baseline)], &TERMS)
    };
    assert_eq!(with(|_| {}).verdict, Judgement::Pass);
    let failing = with(|frame| frame.errors = [(ErrorClass::Timeout, frame.completed)].into());
    let slow = with(|frame| {
        let samples = Histogram::decode(&frame.latency).unwrap().count();
        let mut latency = Histogram::new();
        latency.record_n(900_000_000, samples);
        frame.latency = latency.encode();
    });
    for (found, told) in [(failing, ": errors "), (slow, ": p50 ")] {
        assert_eq!(found.verdict, Judgement::Inconclusive, "{found:#?}");
        assert!(
            found.because.iter().all(|why| why.starts_with("plateau, the rest · ")),
            "{:?}",
            found.because
        );
        assert!(found.because.iter().any(|why| why.contains(told)), "{:?}", found.because);
    }
}

/// What a run was stopped for may be in the seconds that it lacks, however few.
#[test]
fn a_run_that_was_stopped_passes_only_where_it_was_all_but_over() {
    let baseline = side(&calm("a", 1.0));
    for (seconds, stopped_by, expected) in [
        (58, None, Judgement::Pass),
        (58, Some("guard: p99 > 2s"), Judgement::Inconclusive),
        (59, Some("guard: p99 > 2s"), Judgement::Pass),
    ] {
        let mut record = calm("b", 1.0);
        record.frames.retain(|frame| frame.second < seconds);
        let mut run = Side { verdict: again(&baseline, "b").verdict, ..side(&record) };
        run.verdict.stopped_by = stopped_by.map(str::to_owned);
        for (run, other) in [(&run, &baseline), (&baseline, &run)] {
            let found = compare(run, from_ref(other), &TERMS);
            assert_eq!(found.verdict, expected, "{seconds} {stopped_by:?}: {:?}", found.because);
            let told = "of plateau, run b has 42 seconds, and another run has 45";
            assert_eq!(found.because == [told], expected == Judgement::Inconclusive, "{:?}", found.because);
        }
    }
}

/// A target that hangs is cut off by the drain, also after a stop, which is an error; what a person cuts off is none.
#[test]
fn what_was_cut_off_is_an_error_unless_a_person_did_it() {
    for (seconds, kind, expected) in [
        (60, EventKind::Run, Judgement::Fail),
        (60, EventKind::Operator, Judgement::Fail),
        (58, EventKind::Run, Judgement::Fail),
        (58, EventKind::Operator, Judgement::Pass),
    ] {
        let of = |run: &str, part: u64| {
            let mut record = calm(run, 1.0);
            let mut verdict = verdict(&record);
            verdict.stopped_by = Some("operator: ops".to_owned());
            let cut = Chain::default().next(0, 0, kind, String::new(), serde_json::json!({ "cut": true }));
            record.events = vec![cut];
            record.frames.retain(|frame| frame.second < seconds);
            for frame in record.frames.iter_mut().filter(|frame| frame.step.is_some()) {
                let hung = frame.completed * part / 8;
                *frame.errors.entry(ErrorClass::Cancelled).or_insert(0) += hung;
            }
            Side { verdict, ..side(&record) }
        };
        let found = compare(&of("b", 1), &[of("a", 0)], &TERMS);
        let errors = verdicts(&found, Quantity::Errors);
        assert!(
            errors.len() == 4 && errors.iter().all(|one| *one == expected),
            "{seconds} {kind:?} {found:#?}"
        );
    }
}

/// A search of two minutes that went to these rates, each for forty seconds, and a rate that is held if it is asked for.
fn searched(run: &str, rates: [f64; 2], holds: bool) -> Side {
    let mut record = calm(run, 1.0);
    let verdict = verdict(&record);
    let hold = record.plan.load.phases.remove(1);
    let range = Range { low: 20.0, high: 200.0, tolerance: 0.1 };
    let [settle_ns, probe_ns, within_ns] = [5, 35, 120].map(|s| s * 1_000_000_000);
    let shape = Shape::Search { range, settle_ns, probe_ns, within_ns };
    let search = Phase { name: "search".into(), shape, ..hold.clone() };
    record.plan.load.phases = [search].into_iter().chain(holds.then_some(hold)).collect();
    record.frames = synthetic::frames(&record.plan);
    let mut chain = Chain::default();
    let changes = [40_000_000_000, 80_000_000_000].into_iter().zip(rates).map(|(from_ns, rate)| {
        let data = serde_json::json!({ CHANGE_KEY: Change::Rate { phase: 0, from_ns, rate } });
        chain.next(0, 0, EventKind::Operator, String::new(), data)
    });
    record.events = changes.collect();
    // Of the load alone.
    Side { verdict, ..side(&record) }
}

#[test]
fn a_search_is_not_judged() {
    let of = |holds: bool| {
        let (run, baseline) = (searched("b", [200.0, 100.0], holds), searched("a", [200.0, 60.0], holds));
        compare(&run, &[baseline], &TERMS)
    };
    let told = "search: a search chooses its own rates, other ones in each run";
    for (holds, verdict) in [(true, Judgement::Pass), (false, Judgement::Inconclusive)] {
        let found = of(holds);
        assert_eq!(found.verdict, verdict, "{found:#?}");
        assert_eq!(found.compared.is_empty(), !holds);
        assert!(found.compared.iter().all(|one| one.phase == "plateau"), "{found:#?}");
        let left_out = found.not_compared.iter().map(|one| format!("{}: {}", one.what, one.because));
        assert_eq!(left_out.collect::<Vec<_>>(), [told]);
    }
}

fn bank() -> Stub {
    Stub { host: "bank".into(), status: 200, latency_median_ns: 1, latency_sigma: 0.0, body: "{}".into() }
}

#[test]
fn what_requests_carry_is_part_of_the_drill() {
    let baseline = side(&calm("a", 1.0));
    let with = |change: fn(&mut Side)| {
        let mut run = again(&baseline, "b");
        change(&mut run);
        run
    };
    for (run, why) in [
        (with(|run| run.plan.feeders.push(Feeder { sha256: "b".into(), ..Feeder::default() })), "feeders"),
        (with(|run| run.plan.isolation.stubs.push(bank())), "third parties"),
        (with(|run| run.plan.scenario_sha256 = "b".into()), "the scenario is another text"),
        (with(|run| run.environment.machine.cpus = 0), "processors of the generator: not known"),
    ] {
        let found = compare(&run, from_ref(&baseline), &TERMS);
        assert_eq!(found.verdict, Judgement::Inconclusive, "{why}");
        assert!(found.because.len() == 1 && found.because[0].contains(why), "{why}: {:?}", found.because);
        let found = compare(&run, from_ref(&baseline), &Terms { mismatched: true, ..TERMS });
        assert_eq!(found.verdict, Judgement::Pass, "{why}");
    }
    let unknown = with(|run| run.environment.machine.cpus = 0);
    let found = compare(&unknown, &[again(&unknown, "c")], &TERMS);
    assert_eq!(found.verdict, Judgement::Inconclusive, "two that are not known are not the same");
}

/// Of a step with few requests and no errors the share of errors is left out, and said to be.
#[test]
fn a_rare_step_leaves_nothing_open() {
    let mut rare = calm("a", 1.0);
    for frame in rare.frames.iter_mut().filter(|frame| frame.step == Some(0)) {
        let one = Histogram::decode(&frame.latency).unwrap().to_sparse().quantile(0.5).unwrap_or(0);
        let mut latency = Histogram::new();
        latency.record_n(one, 5);
        (frame.completed, frame.latency) = (5, latency.encode());
        frame.errors.clear();
    }
    let rare = side(&rare);
    let found = compare(&again(&rare, "b"), &[rare], &TERMS);
    assert_eq!(found.verdict, Judgement::Pass, "{found:#?}");
    let told: Vec<&str> = found.not_compared.iter().map(|one| one.because.as_str()).collect();
    assert!(told.contains(&"225 samples of the 738 it takes"), "{told:?}");
    let xml = comparison_junit(&found);
    assert!(xml.contains("skipped message=\"225 samples of the 738"), "{xml}");
}

#[test]
fn nothing_is_concluded_from_a_run_that_is_not_valid_or_too_short() {
    let baseline = side(&calm("a", 1.0));
    let mut missed = calm("b", 1.0);
    for frame in missed.frames.iter_mut().filter(|frame| frame.step.is_none()) {
        frame.missed = frame.intended / 10;
    }
    let found = compare(&side(&missed), from_ref(&baseline), &TERMS);
    assert_eq!(found.verdict, Judgement::Inconclusive);
    assert!(found.because[0].starts_with("run b is not valid: "), "{:?}", found.because);

    let mut short = calm("b", 1.0);
    short.plan.load.phases[1].shape = Shape::Hold { rate: 200.0, for_ns: 20_000_000_000 };
    short.frames.retain(|frame| frame.second < 30);
    let short = side(&short);
    let found = compare(&short, &[again(&short, "c")], &TERMS);
    assert_eq!(found.verdict, Judgement::Inconclusive);
    let why = &found.compared[0].because;
    assert!(why.starts_with("20 windows that all of them have, of the 30"), "{why}");
}

#[test]
fn calls_are_compared_where_all_have_spans() {
    let with = |run: &str, cells: Option<Arc<Cells>>| Side { cells, ..side(&calm(run, 1.0)) };
    let baseline = with("a", Some(cells("stock", 4_000_000)));
    let found = compare(&with("b", Some(cells("stock", 5_000_000))), from_ref(&baseline), &TERMS);
    assert_eq!(found.verdict, Judgement::Fail);
    let failed: Vec<_> = found.compared.iter().filter(|one| one.verdict == Judgement::Fail).collect();
    let stock = Subject::Call { from: "order".into(), to: "stock".into() };
    assert!(failed.len() == 3 && failed.iter().all(|one| one.of == stock), "{failed:#?}");
    let same = compare(&again(&baseline, "b"), from_ref(&baseline), &TERMS);
    assert_eq!(same.verdict, Judgement::Pass);
    let other = compare(&with("b", Some(cells("payment", 5_000_000))), from_ref(&baseline), &TERMS);
    let said: Vec<String> =
        other.not_compared.iter().map(|one| format!("{}: {}", one.what, one.because)).collect();
    assert_eq!(
        said,
        [
            "order → payment: there is no such call in a baseline",
            "order → stock: there is no such call in the run"
        ]
    );
    let slow = with("b", Some(cells("stock", 5_000_000)));
    let mut withheld = slow.clone();
    withheld.verdict.analysis.state = AnalysisState::Withheld;
    withheld.verdict.analysis.because = vec!["half of the spans are missing".into()];
    let torn = Side { lost_spans: vec!["journal: a gap".into()], ..slow };
    for (run, why) in [(withheld, "half of the spans"), (torn, "a gap")] {
        let found = compare(&run, from_ref(&baseline), &TERMS);
        assert_eq!(found.verdict, Judgement::Pass);
        assert!(
            found.notes.iter().any(|note| note.starts_with("calls are not compared") && note.contains(why))
        );
    }
    let without = compare(&with("b", None), &[baseline], &TERMS);
    assert!(without.notes.iter().any(|note| note.starts_with("calls are not compared")));
    assert!(without.compared.iter().all(|one| matches!(one.of, Subject::Step { .. })));
}

#[test]
fn renderings_of_a_comparison() {
    let with =
        |run: &str, times: f64, ns: u64| Side { cells: Some(cells("stock", ns)), ..side(&calm(run, times)) };
    let found = compare(&with("7f3a", 1.2, 5_000_000), &[with("19c2", 1.0, 4_000_000)], &TERMS);
    insta::assert_snapshot!("comparison_card", comparison_card(&found, 100, false, true));
    insta::assert_snapshot!("comparison_junit", comparison_junit(&found));
    insta::assert_snapshot!("comparison_markdown", comparison_markdown(&found));
    let read: Comparison = serde_json::from_str(&comparison_json(&found)).unwrap();
    assert_eq!(read, found);
}

#[test]
fn names_in_a_comparison_are_data() {
    let mut record = calm("<b>&\u{1b}[31m", 1.0);
    record.plan.name = "<script>alert(1)</script> | `x`".to_owned();
    record.plan.load.phases[1].name = "\"><img src=x> | \u{202e}".to_owned();
    let one = side(&record);
    let found = compare(&one, &[again(&one, "b")], &TERMS);
    let xml = comparison_junit(&found);
    let mut reader = quick_xml::Reader::from_str(&xml);
    let mut open = BTreeMap::new();
    loop {
        match reader.read_event().unwrap() {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Start(tag) => {
                *open.entry(tag.name().as_ref().to_owned()).or_insert(0_usize) += 1;
            }
            _ => {}
        }
    }
    assert_eq!(open["testcase"], found.compared.len() + found.not_compared.len());
    assert!(open.keys().all(|name| !["script", "img", "b"].contains(&name.as_str())), "{open:?}");
    for text in [comparison_card(&found, 100, false, true), comparison_markdown(&found)] {
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
    }
    assert!(!comparison_markdown(&found).contains("<script>"));
}
