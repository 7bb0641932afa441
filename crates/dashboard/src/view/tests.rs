use peakdrill_drill_model::snapshot::{GateRow, GuardRow, HistoryPoint, StepRow, TopError};
use peakdrill_drill_model::verdict::{
    Bottleneck, Dependency, Estimate, Finding, FindingKind, Isolation, Judgement, Millis, NodeKind,
    NodeVerdict,
};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;

fn millis(p50: f64, p99: f64) -> Millis {
    Millis {
        p50: Some(p50),
        p90: Some((p50 + p99) / 2.0),
        p99: Some(p99),
        p99_9: Some(p99),
        max: Some(p99 * 1.2),
    }
}

fn node(name: &str, kind: NodeKind, verdict: NodeVerdict, share: f64) -> Bottleneck {
    Bottleneck {
        node: name.into(),
        kind,
        owner: None,
        verdict,
        share: Estimate { estimate: Some(share), low: Some(share - 0.02), high: Some(share + 0.02) },
        capacity_per_s: if share > 0.5 {
            Estimate { estimate: Some(101.0), low: Some(96.0), high: Some(105.0) }
        } else {
            Estimate::default()
        },
        headroom: Some(0.7),
        gain: None,
        evidence: vec![format!("waiting in {name} grew from 3 ms to 1.9 s")],
    }
}

pub(crate) fn snapshot() -> Snapshot {
    let point = |second: u32| HistoryPoint {
        second,
        target: Some(20.0 + f64::from(second) * 3.0),
        sent: 20.0 + f64::from(second) * 3.0,
        p99_ms: Some(10.0 + f64::from(second * second)),
        error_share: Some(0.0),
    };
    Snapshot {
        v: 1,
        drill: "midnight-spike".into(),
        run: "7f3a".into(),
        environment: "production".into(),
        state: RunState::Running,
        activity: String::new(),
        at_ns: 0,
        data_age_ns: 210_000_000,
        phase: "peak".into(),
        phase_elapsed_ns: 12_000_000_000,
        phase_ns: 20_000_000_000,
        elapsed_ns: 32_000_000_000,
        total_ns: 60_000_000_000,
        next_phase: Some("after".into()),
        phase_note: String::new(),
        target_rate: Some(140.0),
        closed_loop: false,
        sent_rate: 139.0,
        intended: 3_200,
        sent: 3_199,
        missed: 1,
        completed: 3_000,
        errors: 12,
        in_flight: 199,
        max_in_flight: 2_000,
        latency_ms: millis(42.0, 1_430.0),
        service_ms: millis(41.0, 1_390.0),
        lateness_ms: millis(0.05, 0.6),
        top_errors: vec![TopError { step: "order".into(), class: "status_503".into(), count: 12 }],
        steps: vec![StepRow {
            journey: "checkout".into(),
            step: "order".into(),
            rate: 126.0,
            error_share: Some(0.004),
            latency_ms: millis(50.0, 1_500.0),
        }],
        guards: vec![GuardRow {
            text: "p99 > 15s for 3s".into(),
            nearness: Some(0.1),
            value: "1.43s of 15s".into(),
            held_share: 0.0,
        }],
        gates: vec![
            GateRow { name: "errors".into(), verdict: Some(Judgement::Pass), value: "0.4%".into() },
            GateRow {
                name: "checkout stays quick".into(),
                verdict: Some(Judgement::Fail),
                value: "1.43s".into(),
            },
        ],
        ranking: vec![
            node("stock", NodeKind::Service, NodeVerdict::Bottleneck, 0.96),
            node("order-db", NodeKind::Database, NodeVerdict::Clear, 0.01),
        ],
        dependencies: vec![Dependency {
            from: "order".into(),
            to: "stock".into(),
            calls: 2_800,
            errors: 3,
            latency_ms: millis(40.0, 1_300.0),
            critical_path_share: Some(0.91),
            retry_amplification: Some(1.0),
            hedges: None,
        }],
        analysis_note: String::new(),
        findings: vec![],
        analysis_ended: String::new(),
        ranking_age_ns: Some(420_000_000),
        ranking_behind_ns: 0,
        span_age_ns: Some(300_000_000),
        spans: Some(34_000),
        late_waiting: 0,
        isolation: Isolation {
            shadow_writes: Some(8_400),
            live_writes: Some(0),
            mocked: Some(2_800),
            refused: Some(0),
            tag_lost: Some(0),
            unobserved: vec![],
        },
        ack_share: Some(1.0),
        generator_cpu: Some(0.12),
        history: (0..32).map(point).collect(),
        plan_curve: (0..240).map(|k| if k < 160 { 20.0 + f64::from(k) * 0.75 } else { 20.0 }).collect(),
        events: vec!["phase `peak`".into()],
        record: "drills/7f3a".into(),
    }
}

fn screen(width: u16, height: u16, state: &State, now: Option<&Snapshot>) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, state, now)).unwrap();
    terminal.backend().to_string()
}

#[test]
fn the_overview_fits_a_small_terminal() {
    insta::assert_snapshot!("overview_80x24", screen(80, 24, &State::new(false, true), Some(&snapshot())));
}

#[test]
fn the_overview_uses_a_large_terminal() {
    insta::assert_snapshot!("overview_160x50", screen(160, 50, &State::new(false, true), Some(&snapshot())));
}

#[test]
fn dependencies_name_what_limits() {
    let state = State { screen: Screen::Dependencies, ..State::new(false, true) };
    insta::assert_snapshot!("dependencies_80x24", screen(80, 24, &state, Some(&snapshot())));
}

#[test]
fn a_gate_that_fails_is_never_left_out() {
    let gate =
        |name: &str, verdict| GateRow { name: name.into(), verdict: Some(verdict), value: String::new() };
    let mut gates: Vec<GateRow> =
        (0..8).map(|k| gate(&format!("gate number {k} holds"), Judgement::Pass)).collect();
    gates.push(gate("the last one", Judgement::Fail));
    let now = Snapshot { gates, ..snapshot() };
    let text = screen(80, 24, &State::new(false, true), Some(&now));
    let line = text.lines().find(|line| line.contains("GATES")).unwrap();
    assert!(line.contains("✗ the last one") && line.contains("+7 more"), "{line}");
}

#[test]
fn stale_data_looks_stale() {
    let now = Snapshot { data_age_ns: 3_000_000_000, ..snapshot() };
    assert!(screen(120, 30, &State::new(false, true), Some(&now)).contains("STALE 3s"));
}

#[test]
fn a_ranking_that_stands_still_looks_like_it() {
    let on = |screen_shown, behind_ns, state| {
        let now = Snapshot {
            ranking_age_ns: Some(4_000_000_000),
            ranking_behind_ns: behind_ns,
            state,
            ..snapshot()
        };
        screen(120, 30, &State { screen: screen_shown, ..State::new(false, true) }, Some(&now))
    };
    let old = 3_000_000_000;
    assert!(on(Screen::Dependencies, old, RunState::Running).contains("ranking STALE 4s"));
    assert!(on(Screen::Dependencies, old, RunState::Draining).contains("ranking age 4s"));
    assert!(on(Screen::Overview, old, RunState::Running).contains("LIMIT     STALE 4s  stock"));
    // Services that send their spans every five seconds leave nothing to be ranked in between.
    assert!(on(Screen::Dependencies, 0, RunState::Running).contains("ranking age 4s"));
    assert!(!on(Screen::Overview, 0, RunState::Running).contains("STALE"));
    let none = Snapshot { ranking_age_ns: None, ..snapshot() };
    let state = State { screen: Screen::Dependencies, ..State::new(false, true) };
    assert!(!screen(120, 30, &state, Some(&none)).contains("ranking age"));
}

fn finding(kind: FindingKind, text: &str) -> Finding {
    Finding { kind, node: "stock".into(), text: text.into(), action: String::new() }
}

#[test]
fn findings_are_told_beside_the_ranking() {
    let state = State { screen: Screen::Dependencies, ..State::new(false, true) };
    let findings = vec![
        finding(FindingKind::LiveUsersHurt, "LIVE USERS WERE HURT: they waited 1.2 s instead of 30 ms"),
        finding(
            FindingKind::RetryStorm,
            "order calls stock 3.1 times for each time it needs it, since 60% of the calls fail",
        ),
        finding(FindingKind::SharedDependency, "2 callers wait for stock at once"),
        finding(FindingKind::QueueGrows, "queue shop.events grew by 12/s"),
    ];
    let now = Snapshot { findings, ..snapshot() };
    insta::assert_snapshot!("dependencies_findings_80x24", screen(80, 24, &state, Some(&now)));
    assert!(screen(120, 40, &state, Some(&now)).contains("queue shop.events"), "there is room for all");
    assert!(!screen(120, 40, &state, Some(&snapshot())).contains("FINDINGS"));
}

#[test]
fn an_analysis_that_ended_is_told() {
    let state = State { screen: Screen::Dependencies, ..State::new(false, true) };
    let now = Snapshot { analysis_ended: "the live analysis ended by a bug of ours".into(), ..snapshot() };
    assert!(screen(120, 30, &state, Some(&now)).contains("✗ the live analysis ended by a bug of ours"));
}

#[test]
fn spans_that_wait_for_the_end_are_told() {
    let state = State { screen: Screen::Dependencies, ..State::new(false, true) };
    let now = Snapshot { late_waiting: 1_200, ..snapshot() };
    let none = screen(120, 30, &state, Some(&snapshot()));
    assert!(screen(120, 30, &state, Some(&now)).contains("1 200 late spans and rows count at the end"));
    assert!(none.contains("34 000 spans") && !none.contains("late spans"));
}

#[test]
fn what_was_not_measured_is_no_zero() {
    let now = Snapshot {
        latency_ms: Millis::default(),
        isolation: Isolation::default(),
        span_age_ns: None,
        ranking: vec![],
        ..snapshot()
    };
    let text = screen(120, 30, &State::new(false, true), Some(&now));
    assert!(text.contains("p50 –") && text.contains("leaks –") && text.contains("no spans yet"));
}

#[test]
fn a_guard_that_measured_nothing_is_not_ok() {
    let guard = |nearness, value: &str| GuardRow {
        text: "leaks > 0".into(),
        nearness,
        value: value.into(),
        held_share: 0.0,
    };
    let line = |guard: GuardRow| {
        let now = Snapshot { guards: vec![guard], ..snapshot() };
        let text = screen(120, 30, &State::new(false, true), Some(&now));
        text.lines().find(|line| line.contains("GUARDS")).unwrap().to_owned()
    };
    let unknown = line(guard(None, "no data"));
    assert!(unknown.contains("no data   leaks > 0") && !unknown.contains("ok"), "{unknown}");
    assert!(!unknown.contains('%'), "{unknown}");
    assert!(line(guard(Some(0.0), "0 of 0")).contains("✓ ok   nearest: leaks > 0  0 of 0  (0%)"));
}

#[test]
fn a_closed_loop_is_told_as_such_and_nothing_else_is() {
    let shown = |closed_loop, target_rate| {
        let now = Snapshot { closed_loop, target_rate, ..snapshot() };
        screen(120, 30, &State::new(false, true), Some(&now))
    };
    assert!(shown(true, None).contains("target closed loop"));
    assert!(shown(false, None).contains("target –"));
    assert!(shown(false, Some(140.0)).contains("target 140/s"));
}

#[test]
fn no_size_panics() {
    for (width, height) in [(1, 1), (10, 3), (20, 8), (300, 100)] {
        for shown in [Screen::Overview, Screen::Dependencies, Screen::Timeline, Screen::Help] {
            let state = State { screen: shown, ..State::new(true, true) };
            screen(width, height, &state, Some(&snapshot()));
            screen(width, height, &state, None);
        }
    }
}
