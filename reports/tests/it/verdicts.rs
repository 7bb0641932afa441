//! What a record is judged to be.

use peakdrill_drill_model::condition::{Limit, Op, Selectors, Stat};
use peakdrill_drill_model::event::{Chain, EventKind};
use peakdrill_drill_model::exit::Exit;
use peakdrill_drill_model::frame::Frame;
use peakdrill_drill_model::ledger::{Ledger, LedgerRow, Outcome};
use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::Gate;
use peakdrill_drill_model::search::{Ended, Probe, Range};
use peakdrill_drill_model::shape::Shape;
use peakdrill_drill_model::verdict::{AnalysisState, Judgement, Millis};
use peakdrill_reports::{Counts, Record, card, exit, html, junit, markdown, validity, verdict};

use crate::synthetic::{calm, condition, partial, record};

fn only_gate(record: &mut Record, text: &str, stat: Stat, op: Op, limit: f64) {
    let condition = condition(text, stat, op, Limit::Value(limit), Selectors::default());
    let gate = Gate {
        name: text.to_owned(),
        assert: text.to_owned(),
        condition,
        during: Vec::new(),
        min_samples: 100,
        warn_only: false,
        line: 1,
    };
    record.plan.gates = vec![gate];
}

fn with_event(record: &mut Record, kind: EventKind, data: serde_json::Value) {
    let mut chain = Chain::default();
    record.events = vec![chain.next(1, 60_000_000_000, kind, "it ended".to_owned(), data)];
}

/// Makes the schedule miss a share of its arrivals.
fn miss(record: &mut Record, share: f64) {
    for frame in record.frames.iter_mut().filter(|frame| frame.step.is_none()) {
        frame.missed = (frame.intended as f64 * share).round() as u64;
        frame.sent = frame.intended - frame.missed;
    }
}

#[test]
fn a_calm_drill_passes() {
    let record = calm();
    let verdict = verdict(&record);
    assert_eq!(
        (verdict.verdict, exit(&verdict, &record)),
        (Judgement::Pass, Exit::Ok),
        "{:?}",
        verdict.gates
    );
    assert_eq!(verdict.load.intended, 11_100);
    assert_eq!(verdict.load.rate_per_s, Some(185.0));
    assert_eq!(verdict.seconds, Some(60.0));
}

#[test]
fn what_to_know_of_the_analysis_is_told_behind_its_first_sentence() {
    let mut record = calm();
    let part = record.analysis.as_mut().unwrap();
    let judged = "nodes are judged by 1 % of the requests".to_owned();
    part.summary.because = vec!["no bottleneck up to 200/s".to_owned(), judged];
    let verdict = verdict(&record);
    let told = "the most that was tested. Nodes are judged by 1 % of the requests.";
    let card = card(&verdict, 110, false, true, None).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(card.contains(told), "{card}");
    assert!(markdown(&verdict, &record).contains(told) && html(&record, &verdict).contains(told));
}

#[test]
fn counts_add_up_over_the_whole_load() {
    let record = record();
    let verdict = verdict(&record);
    let sum = |of: fn(&peakdrill_drill_model::frame::Frame) -> u64| record.frames.iter().map(of).sum::<u64>();
    assert_eq!(verdict.load.completed, sum(|frame| frame.completed));
    assert_eq!(verdict.load.errors, sum(|frame| frame.errors.values().sum()));
    assert_eq!(verdict.load.intended, verdict.load.sent + verdict.load.missed);
    assert_eq!(verdict.steps.iter().map(|step| step.errors).sum::<u64>(), verdict.load.errors);
}

#[test]
fn latency_is_over_the_measured_phases() {
    let whole = verdict(&record()).latency_ms;
    let mut calmer = record();
    calmer.plan.load.phases[1].measure = false;
    assert!(verdict(&calmer).latency_ms.p99 < whole.p99, "the stairs held the slow requests");
}

#[test]
fn a_failed_gate_is_99() {
    let record = record();
    let verdict = verdict(&record);
    assert_eq!((verdict.verdict, exit(&verdict, &record).code()), (Judgement::Fail, 99));
    let named = |name: &str| verdict.gates.iter().find(|gate| gate.name == name).unwrap();
    assert!(named("checkout is quick").value > Some(300.0), "in milliseconds");
    assert_eq!(named("room to grow").value, Some(396.0), "the lower end of the interval");
}

#[test]
fn a_gate_that_warns_fails_nothing() {
    let mut record = record();
    record.plan.gates.iter_mut().for_each(|gate| gate.warn_only = true);
    let verdict = verdict(&record);
    assert_eq!(verdict.verdict, Judgement::Pass);
    assert!(verdict.warnings.iter().any(|text| text.contains("checkout is quick")));
    assert!(!junit(&verdict, &record).contains("<failure"));
}

#[test]
fn too_few_samples_decide_nothing() {
    let mut record = calm();
    record.plan.gates.iter_mut().for_each(|gate| gate.min_samples = 10_000_000);
    let verdict = verdict(&record);
    assert!(verdict.gates.iter().all(|gate| gate.verdict == Judgement::Inconclusive));
    assert_eq!(exit(&verdict, &record).code(), 81);
}

#[test]
fn one_leak_fails_however_few_samples() {
    let mut record = calm();
    only_gate(&mut record, "leaks == 0", Stat::Leaks, Op::Eq, 0.0);
    record.plan.gates[0].min_samples = u64::MAX;
    record.ledger.as_mut().unwrap().rows.push(LedgerRow {
        service: "order".to_owned(),
        run: record.environment.run.clone(),
        resource: "orders".to_owned(),
        outcome: Outcome::Leak,
        count: 1,
    });
    let verdict = verdict(&record);
    assert_eq!((verdict.verdict, verdict.isolation.live_writes), (Judgement::Fail, Some(1)));
    assert!(html(&record, &verdict).contains("1 operation of this run reached live data"));
}

#[test]
fn no_gate_passes_on_an_invalid_run() {
    let mut record = calm();
    miss(&mut record, 0.02);
    let verdict = verdict(&record);
    assert!(!verdict.valid);
    assert!(verdict.gates.iter().all(|gate| gate.verdict != Judgement::Pass));
    // The gate on what was sent fails by a count, which no generator can blame on the target.
    assert_eq!(exit(&verdict, &record).code(), 99);
    record.plan.gates.retain(|gate| !gate.assert.starts_with("rate"));
    let verdict = peakdrill_reports::verdict(&record);
    assert_eq!((verdict.verdict, exit(&verdict, &record).code()), (Judgement::Inconclusive, 81));
}

#[test]
fn a_late_generator_does_not_fail_the_target() {
    let mut record = calm();
    only_gate(&mut record, "p99 < 5ms", Stat::Latency(0.99), Op::Lt, 5e6);
    miss(&mut record, 0.02);
    assert_eq!(verdict(&record).verdict, Judgement::Fail, "the generator was on time");
    let mut late = peakdrill_latency::Histogram::new();
    late.record_n(900_000_000, 10);
    record.frames.iter_mut().for_each(|frame| frame.lateness = late.encode());
    assert_eq!(verdict(&record).verdict, Judgement::Inconclusive);
}

#[test]
fn late_arrivals_alone_only_warn() {
    let judged =
        validity(&Counts { intended: 1_000, lateness_p99_ns: Some(50_000_000), ..Counts::default() });
    assert!(judged.invalid.is_empty());
    assert_eq!(judged.suspect.len(), 1);
    let edge = Counts { intended: 1_000, missed: 5, cpu_share: Some(0.85), ..Counts::default() };
    assert_eq!(validity(&edge), peakdrill_reports::Validity::default(), "the limits themselves are allowed");
    assert_eq!(validity(&Counts { missed: 6, ..edge }).invalid.len(), 1);
    assert_eq!(validity(&Counts { cpu_share: Some(0.86), ..edge }).suspect.len(), 1);
}

#[test]
fn a_guard_comes_before_a_person_and_a_person_before_a_gate() {
    let mut record = record();
    with_event(&mut record, EventKind::Operator, serde_json::json!({"stop": true, "by": "ops"}));
    let by_person = verdict(&record);
    assert_eq!(by_person.stopped_by.as_deref(), Some("operator: ops"));
    assert_eq!((by_person.verdict, exit(&by_person, &record).code()), (Judgement::Fail, 105));
    with_event(&mut record, EventKind::Guard, serde_json::json!({"fired": true, "text": "leaks > 0"}));
    let by_guard = verdict(&record);
    assert_eq!(by_guard.stopped_by.as_deref(), Some("guard: leaks > 0"));
    assert_eq!((by_guard.verdict, exit(&by_guard, &record).code()), (Judgement::Fail, 108));
}

#[test]
fn a_guard_that_was_only_near_stops_nothing() {
    let mut record = calm();
    with_event(&mut record, EventKind::Guard, serde_json::json!({"fired": false}));
    assert_eq!(verdict(&record).stopped_by, None);
}

#[test]
fn a_person_makes_a_calm_drill_inconclusive() {
    let mut record = calm();
    with_event(&mut record, EventKind::Operator, serde_json::json!({"stop": true, "by": "SIGTERM"}));
    let verdict = verdict(&record);
    assert_eq!((verdict.verdict, exit(&verdict, &record).code()), (Judgement::Inconclusive, 105));
}

#[test]
fn a_refused_preflight_is_80() {
    let mut record = calm();
    record.frames.clear();
    with_event(&mut record, EventKind::Preflight, serde_json::json!({"refused": true}));
    let verdict = verdict(&record);
    assert_eq!((verdict.verdict, exit(&verdict, &record).code()), (Judgement::Inconclusive, 80));
    assert_eq!(junit(&verdict, &record).matches("<skipped").count(), verdict.gates.len());
}

#[test]
fn lost_seconds_make_a_run_invalid() {
    let mut record = calm();
    record.frames.retain(|frame| !(20..25).contains(&frame.second));
    let verdict = verdict(&record);
    assert_eq!(verdict.invalid_because, ["5 s of the planned load are not in the record"]);
    assert_eq!(verdict.verdict, Judgement::Inconclusive);
}

#[test]
fn a_run_that_just_ends_is_invalid() {
    let mut record = calm();
    record.frames.retain(|frame| frame.second < 30);
    assert!(!verdict(&record).valid, "nothing says why it ended");
}

#[test]
fn a_lower_bound_of_capacity_decides_only_what_it_can() {
    let mut record = calm();
    assert_eq!(record.analysis.as_ref().unwrap().summary.state, AnalysisState::NoneUpTo);
    only_gate(&mut record, "capacity >= 150/s", Stat::Capacity, Op::Ge, 150.0);
    assert_eq!(verdict(&record).verdict, Judgement::Pass, "tested to 200/s");
    only_gate(&mut record, "capacity >= 500/s", Stat::Capacity, Op::Ge, 500.0);
    assert_eq!(verdict(&record).verdict, Judgement::Inconclusive);
    only_gate(&mut record, "capacity < 100/s", Stat::Capacity, Op::Lt, 100.0);
    assert_eq!(verdict(&record).verdict, Judgement::Fail);
    record.analysis = None;
    assert_eq!(verdict(&record).verdict, Judgement::Inconclusive);
}

#[test]
fn statistics_are_of_what_is_selected() {
    let mut record = calm();
    let value = |record: &mut Record, stat, select: Selectors| {
        only_gate(record, "x", stat, Op::Ge, 0.0);
        record.plan.gates[0].condition.select = select;
        verdict(record).gates[0].value
    };
    let journey = |name: &str| Selectors { journey: Some(name.to_owned()), step: None };
    let step = |name: &str| Selectors { journey: None, step: Some(name.to_owned()) };
    assert_eq!(value(&mut record, Stat::Rate, Selectors::default()), Some(200.0));
    assert_eq!(value(&mut record, Stat::Rate, journey("checkout")), Some(80.0));
    assert_eq!(value(&mut record, Stat::Rate, step("pay")), Some(78.0));
    assert_eq!(value(&mut record, Stat::Rate, step("nowhere")), None);
    let pay = value(&mut record, Stat::Latency(0.5), step("pay"));
    assert!(pay > value(&mut record, Stat::Latency(0.5), step("list products")));
    assert_eq!(value(&mut record, Stat::InFlight, Selectors::default()), None);
    assert_eq!(value(&mut record, Stat::AckMissing, Selectors::default()), Some(0.0));
    record.plan.shadow = None;
    assert_eq!(value(&mut record, Stat::AckMissing, Selectors::default()), None, "nothing was tagged");
}

#[test]
fn what_was_not_measured_is_null() {
    let mut record = partial();
    record.frames.clear();
    record.environment.max_rss_mib = None;
    record.environment.load_thread_cpu_ns = None;
    let verdict = verdict(&record);
    assert_eq!(verdict.latency_ms, Millis::default());
    assert_eq!(verdict.seconds, None);
    assert_eq!(verdict.load.rate_per_s, None);
    let json = serde_json::to_value(&verdict).unwrap();
    for path in
        ["/latency_ms/p99", "/service_ms/max", "/generator/cpu_us_per_request", "/isolation/live_writes"]
    {
        assert!(json.pointer(path).unwrap().is_null(), "{path}");
    }
    for gate in json["gates"].as_array().unwrap() {
        assert!(gate["value"].is_null());
    }
}

#[test]
fn a_changed_event_log_is_told() {
    let mut record = calm();
    record.events[1].text.push('!');
    assert!(verdict(&record).invalid_because.iter().any(|text| text.contains("line 2")));
}

#[test]
fn an_answer_that_no_first_hop_knows_decides_nothing() {
    let mut record = calm();
    let requests = verdict(&record).load.completed;
    record.ledger =
        Some(Ledger { sent: Some(requests + 3), handled: Some(requests + 3), ..Ledger::default() });
    record.plan.gates.clear();
    assert_eq!(verdict(&record).verdict, Judgement::Pass, "{:?}", verdict(&record).invalid_because);
    record.ledger.as_mut().unwrap().handled = Some(requests / 2);
    let judged = verdict(&record);
    assert_eq!(judged.verdict, Judgement::Inconclusive);
    assert!(judged.invalid_because[0].contains("no first hop's ledger"), "{:?}", judged.invalid_because);
}

#[test]
fn what_a_proxy_may_have_answered_proves_nothing() {
    let mut record = calm();
    let load = verdict(&record).load;
    record.plan.gates.clear();
    let frame = record.frames.iter_mut().find(|frame| frame.step.is_some() && frame.completed > 10).unwrap();
    frame.errors.insert(ErrorClass::Status(503), 4);
    frame.ack_missing = 3;
    let handled = load.completed - load.errors - 7;
    record.ledger = Some(Ledger { sent: Some(load.sent), handled: Some(handled), ..Ledger::default() });
    assert_eq!(verdict(&record).invalid_because, [""; 0]);
    record.ledger.as_mut().unwrap().handled = Some(handled - 1);
    assert_eq!(verdict(&record).verdict, Judgement::Inconclusive);
}

#[test]
fn a_ledger_that_fell_silent_decides_nothing() {
    let mut record = calm();
    record.plan.gates.clear();
    record.ledger = Some(Ledger { silent: vec!["stock".to_owned()], ..Ledger::default() });
    let judged = verdict(&record);
    assert_eq!(judged.verdict, Judgement::Inconclusive);
    assert!(judged.invalid_because[0].contains("stock"), "{:?}", judged.invalid_because);
}

#[test]
fn torn_counts_decide_nothing() {
    let mut record = calm();
    record.torn_frames = 1;
    assert_eq!(verdict(&record).verdict, Judgement::Inconclusive);
}

#[test]
fn a_phase_that_missed_its_arrivals_passes_no_gate_of_answers() {
    let mut record = calm();
    only_gate(&mut record, "p99 < 10s", Stat::Latency(0.99), Op::Lt, 1e10);
    record.plan.gates[0].during = vec![record.plan.load.phases[0].name.clone()];
    record.plan.gates[0].min_samples = 1;
    assert_eq!(verdict(&record).gates[0].verdict, Judgement::Pass);
    // One in twenty of the first phase alone: few of the whole load.
    for frame in record.frames.iter_mut().filter(|frame| frame.step.is_none() && frame.phase == 0) {
        frame.missed = frame.intended / 20;
        frame.sent = frame.intended - frame.missed;
    }
    let judged = verdict(&record);
    assert_eq!(judged.gates[0].verdict, Judgement::Inconclusive, "{:?}", judged.gates[0]);
}

#[test]
fn journeys_that_go_on_do_not_make_the_load_longer() {
    let mut record = calm();
    let before = verdict(&record);
    let mut late = record.frames.iter().find(|frame| frame.step.is_some()).unwrap().clone();
    late.second = 75;
    record.frames.push(late);
    let after = verdict(&record);
    assert_eq!((after.seconds, after.load.rate_per_s), (before.seconds, before.load.rate_per_s));
    assert!(after.load.completed > before.load.completed);
}

#[test]
fn charts_reach_as_far_as_answers_do() {
    let mut record = calm();
    let strokes = |record: &Record| html(record, &verdict(record)).matches("width=\"0.00%\"").count();
    assert_eq!(strokes(&record), 0);
    let requests: Vec<_> =
        record.frames.iter().filter(|frame| frame.step == Some(0)).take(20).cloned().collect();
    for (index, frame) in requests.into_iter().enumerate() {
        record.frames.push(Frame { second: 60 + index as u32, phase: 1, ..frame });
    }
    assert_eq!(strokes(&record), 0, "what came after the last arrival has a width of its own");
}

#[test]
fn an_acknowledgement_that_nobody_asked_for_is_not_measured() {
    let mut record = calm();
    only_gate(&mut record, "ack_missing < 1%", Stat::AckMissing, Op::Lt, 0.01);
    record.plan.shadow.as_mut().unwrap().ack_require = None;
    assert_eq!(verdict(&record).gates[0].verdict, Judgement::Inconclusive);
}

/// Makes the second phase a search from 100/s to 200/s whose probes came out so.
fn searched(record: &mut Record, probes: &[(f64, bool)], ended: Option<Ended>) {
    let probes: Vec<_> = probes.iter().map(|(rate, held)| (*rate, Some(*held))).collect();
    tried(record, &probes, ended);
}

fn tried(record: &mut Record, probes: &[(f64, Option<bool>)], ended: Option<Ended>) {
    let range = Range { low: 100.0, high: 200.0, tolerance: 0.1 };
    let (settle_ns, probe_ns, within_ns) = (1_000_000_000, 4_000_000_000, 50_000_000_000);
    record.plan.load.phases[1].shape = Shape::Search { range, settle_ns, probe_ns, within_ns };
    let mut chain = Chain::default();
    let tell = |(index, (rate, held)): (usize, &(f64, Option<bool>))| {
        let from_ns = 10_000_000_000 + index as u64 * 5_000_000_000;
        let to_ns = from_ns + 5_000_000_000;
        let because = "p99 < 300ms".to_owned();
        let probe =
            Probe { number: index as u32 + 1, phase: 1, rate: *rate, from_ns, to_ns, held: *held, because };
        serde_json::json!({ "probe": probe })
    };
    let mut data: Vec<_> = probes.iter().enumerate().map(tell).collect();
    data.extend(ended.map(|ended| serde_json::json!({ "search_ended": { "phase": 1, "ended": ended } })));
    let event = |data| chain.next(1, 1, EventKind::Phase, "probe".to_owned(), data);
    record.events = data.into_iter().map(event).collect();
}

#[test]
fn a_search_that_could_not_measure_knows_no_capacity() {
    let mut record = calm();
    let probes = [(100.0, Some(true)), (200.0, None), (200.0, None), (200.0, None)];
    tried(&mut record, &probes, Some(Ended::Unmeasured));
    only_gate(&mut record, "capacity", Stat::Capacity, Op::Ge, 50.0);
    let verdict = verdict(&record);
    let said = &verdict.load.capacity[0];
    assert_eq!((said.ended, said.probes, said.unmeasured), (Ended::Unmeasured, 1, 3));
    let (gate, why) = (&verdict.gates[0], said.to_string());
    assert!(why.contains("200/s the objective could not be measured: p99 < 300ms"), "{why}");
    assert_eq!((gate.verdict, gate.because.as_str()), (Judgement::Inconclusive, why.as_str()));
    let told = serde_json::to_value(&verdict).unwrap();
    assert_eq!(told["load"]["capacity"][0]["tried"][1]["held"], serde_json::Value::Null);
    assert!(card(&verdict, 400, false, true, None).contains("could not be measured"));
    let html = html(&record, &verdict);
    assert!(html.contains("? not measured") && html.contains("the objective could not be measured"));
}

#[test]
fn the_tile_says_of_the_capacity_what_gates_take_it_for() {
    let found = [(100.0, true), (200.0, false), (150.0, true), (160.0, false), (150.0, true), (160.0, false)];
    let above = [(100.0, true), (200.0, true), (200.0, true)];
    for (probes, ended, value, note) in [
        (&found[..], Some(Ended::Found), "150/s", "held; 160/s failed"),
        (
            &[(100.0, false), (100.0, false)][..],
            Some(Ended::BelowLow),
            "&lt; 100/s",
            "the lowest rate failed",
        ),
        (&above[..], Some(Ended::AtLeastHigh), "≥ 200/s", "held; the limit is not certain"),
        (&[][..], None, "–", "a search found none"),
    ] {
        let mut record = calm();
        searched(&mut record, probes, ended);
        let page = html(&record, &verdict(&record));
        let tile = format!("<dt>Capacity</dt><dd><b>{value}</b><span>{note}</span>");
        assert!(page.contains(&tile), "{ended:?}: {tile}");
    }
}

#[test]
fn a_search_is_the_capacity_that_gates_ask_for() {
    let found = [(100.0, true), (200.0, false), (150.0, true), (160.0, false), (150.0, true), (160.0, false)];
    let below = [(100.0, false), (100.0, false)];
    let above = [(100.0, true), (200.0, true), (200.0, true)];
    let (pass, fail, open) = (Judgement::Pass, Judgement::Fail, Judgement::Inconclusive);
    for (probes, ended, limit, wanted) in [
        (&found[..], Some(Ended::Found), 150.0, pass),
        (&found[..], Some(Ended::Found), 155.0, fail),
        (&below[..], Some(Ended::BelowLow), 110.0, fail),
        (&below[..], Some(Ended::BelowLow), 50.0, open),
        (&above[..], Some(Ended::AtLeastHigh), 200.0, pass),
        (&above[..], Some(Ended::AtLeastHigh), 250.0, open),
        (&found[..3], None, 150.0, pass),
        (&found[..3], None, 160.0, open),
    ] {
        let mut record = calm();
        searched(&mut record, probes, ended);
        only_gate(&mut record, "capacity", Stat::Capacity, Op::Ge, limit);
        let verdict = verdict(&record);
        assert_eq!(verdict.gates[0].verdict, wanted, "{ended:?} {limit}: {}", verdict.gates[0].because);
        let said = &verdict.load.capacity[0];
        assert_eq!((said.ended, said.probes), (ended.unwrap_or(Ended::Stopped), probes.len() as u32));
        assert!(
            html(&record, &verdict).contains(&said.to_string().replace('<', "&lt;").replace('>', "&gt;"))
        );
    }
    assert!(!serde_json::to_string(&verdict(&calm())).unwrap().contains("\"capacity\":"));
}
