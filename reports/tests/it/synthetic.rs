//! A made-up drill, rich enough for every part of a report. The same numbers every time.

use std::collections::BTreeMap;

use peakdrill_bottleneck::{
    Analysis, CallCurve, CallPoint, Coefficients, CurvePoint, Drop, Growth, Law, NodeCurve, Peak, Scaling,
    Waterfall,
};
use peakdrill_drill_model::condition::{Condition, Limit, Op, Selectors, Stat};
use peakdrill_drill_model::event::{Chain, Event, EventKind};
use peakdrill_drill_model::frame::{Frame, Tally};
use peakdrill_drill_model::ledger::{Ledger, LedgerRow, Outcome};
use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::owners::{OWNERS_VERSION, Owner, Owners};
use peakdrill_drill_model::plan::{
    Arrivals, Gate, Guards, Isolation, Journey, Load, Node, Pacing, Phase, Plan, Request, ShadowPlan,
    StepInfo, Target, Template,
};
use peakdrill_drill_model::shape::Shape;
use peakdrill_drill_model::verdict::{
    AnalysisState, AnalysisSummary, Bottleneck, Completeness, Dependency, Estimate, Knee, KneeBy, LiveView,
    Millis, NodeKind, NodeVerdict,
};
use peakdrill_latency::Histogram;
use peakdrill_reports::{ENVIRONMENT_VERSION, Environment, Machine, Record, Sample, SampleKind};

/// Journeys a second that the made-up system carries.
const CAPACITY: f64 = 412.0;
const S: u64 = 1_000_000_000;
const STARTED_NS: i64 = 1_767_225_600_000_000_000;

/// A drill that goes past what the system carries.
pub(crate) fn record() -> Record {
    let plan = plan();
    let frames = frames(&plan);
    Record {
        plan,
        environment: environment(),
        frames,
        analysis: Some(analysis()),
        calls: calls(),
        owners: owners(),
        events: events(),
        ledger: Some(ledger()),
        torn_ledger: false,
        torn_frames: 0,
        samples: samples(),
        ended: true,
        missing: Vec::new(),
    }
}

/// The same drill, stopped by a guard, with much of its record lost.
#[allow(dead_code, reason = "not every user of this module needs it")]
pub(crate) fn partial() -> Record {
    let mut record = record();
    record.frames.retain(|frame| frame.second < 96);
    record.analysis = None;
    record.calls = Vec::new();
    record.ledger = None;
    record.samples.clear();
    record.events.truncate(6);
    let mut chain = Chain::default();
    record.events.iter().for_each(|event| {
        chain.next(event.at_ns, event.t_ns, event.kind, event.text.clone(), event.data.clone());
    });
    let text = "p99 > 2s for 5s: 2.31 s at 1:36";
    let data = serde_json::json!({"fired": true, "text": "p99 > 2s for 5s"});
    record.events.push(chain.next(STARTED_NS, 96 * S as i64, EventKind::Guard, text.to_owned(), data));
    record.missing =
        vec!["the ledger of isolation".to_owned(), "spans and all that is made from them".to_owned()];
    record
}

/// A calm drill: everything holds.
#[allow(dead_code, reason = "not every user of this module needs it")]
pub(crate) fn calm() -> Record {
    let mut record = record();
    record.plan.load.phases = vec![
        phase("warm-up", Shape::Ramp { from: 20.0, to: 200.0, over_ns: 10 * S }, false),
        hold("plateau", 200.0, 50),
    ];
    record.frames = frames(&record.plan);
    record.plan.gates.retain(|gate| gate.name != "checkout is quick" && gate.name != "room to grow");
    record.plan.gates.iter_mut().for_each(|gate| gate.during.clear());
    if let Some(part) = &mut record.analysis {
        part.summary = AnalysisSummary {
            state: AnalysisState::NoneUpTo,
            tested_to_per_s: Some(200.0),
            because: Vec::new(),
            knees: Vec::new(),
        };
        part.bottlenecks.iter_mut().for_each(|node| node.verdict = NodeVerdict::Clear);
    }
    record.events.truncate(4);
    record
}

fn phase(name: &str, shape: Shape, measure: bool) -> Phase {
    Phase { measure, ..Phase::measured(name, shape, Arrivals::Even) }
}

fn hold(name: &str, rate: f64, seconds: u64) -> Phase {
    phase(name, Shape::Hold { rate, for_ns: seconds * S }, true)
}

pub(crate) fn condition(text: &str, stat: Stat, op: Op, limit: Limit, select: Selectors) -> Condition {
    Condition { text: text.to_owned(), stat, select, op, limit, for_ns: 0 }
}

fn gate(name: &str, condition: Condition, during: &[&str]) -> Gate {
    Gate {
        name: name.to_owned(),
        assert: condition.text.clone(),
        condition,
        during: during.iter().map(|name| (*name).to_owned()).collect(),
        min_samples: 100,
        warn_only: false,
        line: 40,
    }
}

fn plan() -> Plan {
    let all = Selectors::default;
    let checkout = Selectors { journey: Some("checkout".to_owned()), step: None };
    Plan {
        v: 1,
        name: "midnight-spike".to_owned(),
        labels: BTreeMap::from([("ticket".to_owned(), "PERF-112".to_owned())]),
        environment: "staging".to_owned(),
        scenario_sha256: "9f2c4b7e10aa5d3388e6c1f0d7b2a95441c3e8f6b7d09a1c2e3f405162738495".to_owned(),
        targets: vec![target()],
        shadow: Some(ShadowPlan {
            key_secret: Some("drill-key".to_owned()),
            lease_ns: 3600 * S,
            header: "x-shadow".to_owned(),
            ack_require: Some(0.999),
            ack_header: "x-shadow-ack".to_owned(),
        }),
        isolation: Isolation::default(),
        telemetry: peakdrill_drill_model::plan::Telemetry::default(),
        feeders: Vec::new(),
        files: Vec::new(),
        journeys: vec![journey("checkout", 0.4, &[0, 1, 2]), journey("browse", 0.6, &[3])],
        steps: [
            ("checkout", "open basket"),
            ("checkout", "order"),
            ("checkout", "pay"),
            ("browse", "list products"),
        ]
        .map(|(journey, step)| StepInfo {
            journey: journey.to_owned(),
            step: step.to_owned(),
            ..StepInfo::default()
        })
        .to_vec(),
        load: Load {
            arrivals: Arrivals::Even,
            pacing: Pacing::Auto,
            seed: 1,
            max_in_flight: 20_000,
            phases: vec![
                phase("warm-up", Shape::Ramp { from: 20.0, to: 100.0, over_ns: 20 * S }, false),
                phase("stairs", Shape::Steps { from: 100.0, by: 70.0, every_ns: 20 * S, max: 450.0 }, true),
                hold("plateau", 300.0, 40),
                phase("fall", Shape::Ramp { from: 300.0, to: 40.0, over_ns: 20 * S }, false),
            ],
        },
        guards: Guards {
            stop: vec![
                condition("error_rate > 5% for 5s", Stat::ErrorRate, Op::Gt, Limit::Value(0.05), all()),
                condition("leaks > 0", Stat::Leaks, Op::Gt, Limit::Value(0.0), all()),
            ],
            drain_ns: 10 * S,
            ..Guards::default()
        },
        gates: vec![
            gate(
                "errors",
                condition("error_rate < 1%", Stat::ErrorRate, Op::Lt, Limit::Value(0.01), all()),
                &[],
            ),
            gate(
                "checkout is quick",
                condition(
                    "p99{journey=checkout} < 300ms",
                    Stat::Latency(0.99),
                    Op::Lt,
                    Limit::Value(3e8),
                    checkout,
                ),
                &["stairs"],
            ),
            gate(
                "the load was really sent",
                condition("rate >= 99.5% of target", Stat::Rate, Op::Ge, Limit::OfTarget(0.995), all()),
                &["plateau"],
            ),
            gate("no leaks", condition("leaks == 0", Stat::Leaks, Op::Eq, Limit::Value(0.0), all()), &[]),
            gate(
                "room to grow",
                condition("capacity >= 500/s", Stat::Capacity, Op::Ge, Limit::Value(500.0), all()),
                &[],
            ),
        ],
        reports: Vec::new(),
    }
}

fn target() -> Target {
    Target {
        name: "gateway".to_owned(),
        base_url: "https://shop.staging.example:8443".to_owned(),
        connect_timeout_ns: 3 * S,
        request_timeout_ns: 10 * S,
        max_connections: 2_000,
        exact_connections: false,
        ..Target::default()
    }
}

fn journey(name: &str, share: f64, steps: &[u16]) -> Journey {
    let request = |step: &u16| {
        Node::Request(Box::new(Request {
            step: *step,
            method: "GET".to_owned(),
            path: Template::literal("/"),
            ..Request::default()
        }))
    };
    let steps = steps.iter().map(request).collect();
    Journey { name: name.to_owned(), share, steps, ..Journey::default() }
}

fn environment() -> Environment {
    Environment {
        v: ENVIRONMENT_VERSION,
        version: "0.1.0".to_owned(),
        run: "7f3a19c2".to_owned(),
        started_unix_ns: STARTED_NS,
        machine: Machine {
            cpus: 8,
            memory_mib: 15_872,
            os: "Linux".to_owned(),
            kernel: "6.8.0-41".to_owned(),
            hostname: None,
        },
        agents: 2,
        shards: 4,
        transport: "in-process".to_owned(),
        load_thread_cpu_ns: Some(4_180_000_000),
        busiest_thread_share: Some(0.31),
        max_rss_mib: Some(141.5),
        live_view: Some(live_view()),
        command: Some("peakdrill run midnight-spike.yaml --seed 1".to_owned()),
    }
}

fn live_view() -> LiveView {
    let [p50, p90, p99, p99_9, max] = [212.0, 340.0, 388.0, 402.0, 402.0].map(Some);
    LiveView { looks: 231, age_ms: Millis { p50, p90, p99, p99_9, max } }
}

/// Numbers in 0..1 that look random and are always the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A slice of the made-up system's second: how loaded it is, and how much work waits.
struct Weather {
    rho: f64,
    backlog_s: f64,
}

pub(crate) fn frames(plan: &Plan) -> Vec<Frame> {
    let mut dice = Dice(42);
    let mut frames = Vec::new();
    let mut backlog = 0.0_f64;
    let mut start = 0;
    for (index, phase) in plan.load.phases.iter().enumerate() {
        let len = phase.shape.duration_ns() / S;
        for second in 0..len {
            let rate = phase.shape.rate_at(second * S + S / 2);
            backlog = (backlog + rate - CAPACITY).max(0.0);
            let weather = Weather { rho: (rate / CAPACITY).min(0.97), backlog_s: backlog / CAPACITY };
            let missed = if backlog > 500.0 { (rate * 0.01 * dice.roll()).round() as u64 } else { 0 };
            let arrivals = Tally {
                intended: rate.round() as u64,
                sent: rate.round() as u64 - missed,
                missed,
                lateness: spread(&mut dice, 60, 0.12, 0.5),
                ..Tally::default()
            };
            let at = (start + second) as u32;
            frames.push(arrivals.to_frame(at, index as u16, None));
            for (step, share, base_ms) in [(0_u16, 0.4, 9.0), (1, 0.4, 24.0), (2, 0.39, 41.0), (3, 0.6, 6.0)]
            {
                let n = (rate * share).round() as u64;
                let tally = requests(&mut dice, n, base_ms, step, &weather);
                frames.push(tally.to_frame(at, index as u16, Some(step)));
            }
        }
        start += len;
    }
    frames
}

fn requests(dice: &mut Dice, n: u64, base_ms: f64, step: u16, weather: &Weather) -> Tally {
    let mut tally = Tally { sent: n, completed: n, ..Tally::default() };
    let queues = if step == 1 || step == 2 { 1.0 } else { 0.12 };
    for _ in 0..n {
        let wait = base_ms * weather.rho.powi(4) / (1.0 - weather.rho) * queues * dice.roll() * 0.25;
        let tail = if dice.roll() > 0.985 { 2.6 } else { 1.0 };
        let service = (base_ms * (0.7 + 0.6 * dice.roll()) + wait) * tail;
        let held = weather.backlog_s * 1000.0 * queues * (0.55 + 0.9 * dice.roll());
        tally.service.record((service.max(0.1) * 1e6) as u64 + (held * 3e5) as u64);
        tally.latency.record(((service + held) * 1e6) as u64);
        tally.lateness.record(90_000);
        tally.conn_wait.record((20_000.0 + held * 6e5) as u64);
    }
    if weather.backlog_s > 0.3 && step == 2 {
        *tally.errors.entry(ErrorClass::Timeout).or_default() +=
            (n as f64 * 0.03 * dice.roll()).round() as u64;
        *tally.errors.entry(ErrorClass::Status(503)).or_default() +=
            (n as f64 * 0.06 * dice.roll()).round() as u64;
    }
    if dice.roll() > 0.93 {
        *tally.errors.entry(ErrorClass::Closed).or_default() += 1;
    }
    tally.errors.retain(|_, n| *n > 0);
    tally
}

fn spread(dice: &mut Dice, n: u64, low_ms: f64, high_ms: f64) -> Histogram {
    let mut histogram = Histogram::new();
    (0..n).for_each(|_| histogram.record(((low_ms + (high_ms - low_ms) * dice.roll()) * 1e6) as u64));
    histogram
}

fn estimate(estimate: f64, low: f64, high: f64) -> Estimate {
    Estimate { estimate: Some(estimate), low: Some(low), high: Some(high) }
}

fn ranked(
    node: &str,
    kind: NodeKind,
    verdict: NodeVerdict,
    share: [f64; 3],
    capacity: [f64; 3],
    why: &[&str],
) -> Bottleneck {
    Bottleneck {
        node: node.to_owned(),
        kind,
        owner: owners().nodes.get(node).map(|owner| owner.team.clone()),
        verdict,
        share: estimate(share[0], share[1], share[2]),
        capacity_per_s: estimate(capacity[0], capacity[1], capacity[2]),
        headroom: Some(capacity[0] / 450.0),
        gain: None,
        evidence: why.iter().map(|text| (*text).to_owned()).collect(),
    }
}

fn bottlenecks() -> Vec<Bottleneck> {
    use NodeKind::{Cache, Database, External, Service};
    use NodeVerdict::{Bottleneck as Limits, Clear, Contributor};
    vec![
        ranked(
            "stock-db",
            Database,
            Limits,
            [0.71, 0.64, 0.78],
            [412.0, 396.0, 429.0],
            &[
                "71% of the growth of latency from 100/s to 450/s arises here (64–78%)",
                "its connections were in use 97% of the time at 410/s and above",
                "what came through levelled off at 409/s, inside the interval of its capacity",
            ],
        ),
        ranked(
            "payment",
            Service,
            Contributor,
            [0.18, 0.12, 0.25],
            [690.0, 610.0, 790.0],
            &["waiting grew faster than work"],
        ),
        ranked(
            "order",
            Service,
            Clear,
            [0.05, 0.02, 0.09],
            [1180.0, 980.0, 1420.0],
            &["grew with its callees only"],
        ),
        ranked("stock", Service, Clear, [0.04, 0.01, 0.07], [1350.0, 1100.0, 1700.0], &[]),
        ranked("gateway", Service, Clear, [0.02, 0.0, 0.04], [2900.0, 2100.0, 4000.0], &[]),
        ranked("sessions", Cache, Clear, [0.0, 0.0, 0.01], [9000.0, 5000.0, 14_000.0], &[]),
        ranked(
            "bank",
            External,
            Clear,
            [0.0, 0.0, 0.02],
            [1900.0, 1200.0, 2600.0],
            &["answered by the stub"],
        ),
    ]
}

fn analysis() -> Analysis {
    let bottlenecks = bottlenecks();
    let base = |name: &str| match name {
        "stock-db" => 7.0,
        "payment" => 22.0,
        "order" => 9.0,
        "bank" => 14.0,
        "sessions" => 0.6,
        _ => 3.0,
    };
    let curve = |node: &Bottleneck| {
        let capacity = node.capacity_per_s.estimate.unwrap_or(1000.0);
        let point = |offered: f64| {
            let rho = (offered / capacity).min(0.985);
            let ms = base(&node.node) * (1.0 + rho.powi(3) / (1.0 - rho) * 0.5);
            let achieved = offered.min(409.0);
            CurvePoint {
                offered,
                achieved,
                p50_ms: Some(ms),
                p99_ms: Some(ms * (2.2 + 2.0 * rho)),
                concurrency: achieved * ms / 1e3,
            }
        };
        let points = [100.0, 170.0, 240.0, 310.0, 380.0, 450.0].map(point).to_vec();
        let scaling = (node.node == "stock-db").then(|| Scaling {
            law: Law::Usl { gamma: 30.0, sigma: 0.02, kappa: 0.0004 },
            peak: Some(Peak {
                peak_at: estimate(49.0, 44.0, 55.0),
                peak_per_s: estimate(530.0, 500.0, 560.0),
            }),
            coefficients: Some(Coefficients {
                contention: estimate(0.02, 0.016, 0.025),
                coherence: estimate(0.0004, 0.0003, 0.00051),
            }),
        });
        NodeCurve { node: node.node.clone(), kind: node.kind, points, scaling }
    };
    let grew =
        |node: &str, self_ms, wait_ms, gap_ms| Growth { node: node.to_owned(), self_ms, wait_ms, gap_ms };
    Analysis {
        summary: AnalysisSummary {
            state: AnalysisState::Found,
            tested_to_per_s: Some(450.0),
            because: Vec::new(),
            knees: knees(),
        },
        curves: bottlenecks.iter().map(curve).collect(),
        bottlenecks,
        dependencies: dependencies(),
        completeness: [("gateway", 1.0), ("order", 0.998), ("stock", 0.994), ("payment", 0.871)]
            .map(|(service, share)| Completeness { service: service.to_owned(), share: Some(share) })
            .to_vec(),
        growth: vec![
            grew("stock-db", 21.0, 512.0, 9.0),
            grew("payment", 18.0, 96.0, 24.0),
            grew("order", 14.0, 11.0, 13.0),
            grew("stock", 6.0, 20.0, 5.0),
            grew("gateway", 3.0, 0.0, 12.0),
        ],
        queues: Vec::new(),
        resources: Vec::new(),
        findings: Vec::new(),
        waterfall: waterfall(),
    }
}

fn knees() -> Vec<Knee> {
    let knee = |by, of: &str, per_s, because: &str| Knee {
        by,
        of: of.to_owned(),
        per_s,
        because: because.to_owned(),
    };
    let open = Estimate { low: Some(450.0), ..Estimate::default() };
    vec![
        knee(KneeBy::Objective, "p99 < 300ms", estimate(361.0, 337.0, 382.0), "kept up to 337/s"),
        knee(KneeBy::Throughput, "", estimate(405.0, 401.0, 409.0), "405/s were finished"),
        knee(KneeBy::Capacity, "stock-db", estimate(412.0, 396.0, 429.0), "it was full"),
        knee(KneeBy::Objective, "errors < 5%", open, "kept at every rate that was tested"),
    ]
}

fn waterfall() -> Waterfall {
    let fall =
        |node: &str, self_ms, wait_ms, gap_ms| Drop { node: node.to_owned(), self_ms, wait_ms, gap_ms };
    let rows = vec![
        fall("stock-db", 21.0, 512.25, 9.0),
        fall("payment", 18.0, 96.125, 24.0),
        fall("order", 14.0, 11.0, 13.0),
        fall("stock", 6.0, 20.0, 5.0),
        fall("gateway", 3.0, 0.0, 12.0),
        fall("sessions", 0.03, 0.0, 0.01),
        fall("bank", 0.0, -4.5, 0.25),
    ];
    let growth: f64 = rows.iter().map(Drop::total_ms).sum();
    let behind = vec![fall("mailer", 4.0, 310.0, 0.0)];
    Waterfall { light_ms: 74.5, peak_ms: 74.5 + growth, rows, behind }
}

fn owners() -> Owners {
    let owner = |node: &str, team: &str, runbook: Option<&str>, criticality: Option<&str>| {
        let (runbook, criticality) = (runbook.map(str::to_owned), criticality.map(str::to_owned));
        (node.to_owned(), Owner { team: team.to_owned(), runbook, criticality })
    };
    let nodes = BTreeMap::from([
        owner("stock-db", "team-stock", Some("https://runbooks.example.com/stock-db"), Some("tier 1")),
        owner("payment", "team-payment", None, Some("tier 1")),
        owner("order", "team-order", None, None),
        owner("stock", "team-stock", None, None),
        owner("gateway", "team-gateway", None, None),
        owner("legacy", "nobody-here", None, None),
    ]);
    Owners { v: OWNERS_VERSION, nodes }
}

/// The calls against the load: those that lead to the full node bend with it.
fn calls() -> Vec<CallCurve> {
    let curve = |call: &Dependency| {
        let (through, waited_for): (f64, f64) = match (call.from.as_str(), call.to.as_str()) {
            ("load", _) => (1.0, 1.0),
            ("gateway", "order") => (0.72, 0.99),
            ("gateway", "stock") => (0.245, 0.99),
            ("order", "stock") => (0.43, 0.97),
            ("order", "payment") => (0.19, 0.96),
            ("events", _) => (0.0, 0.001),
            _ => (call.critical_path_share.unwrap_or(0.0), 0.9),
        };
        let kind = match call.to.as_str() {
            "stock-db" => NodeKind::Database,
            "sessions" => NodeKind::Cache,
            "events" => NodeKind::Queue,
            "bank" => NodeKind::External,
            _ => NodeKind::Service,
        };
        let bends = ["gateway", "order", "stock", "stock-db"].contains(&call.to.as_str());
        let (p50, p99) = (call.latency_ms.p50.unwrap_or(1.0), call.latency_ms.p99.unwrap_or(2.0));
        let point = |offered: f64| {
            let rho = (offered / CAPACITY).min(0.985);
            let slower = if bends { 1.0 + rho.powi(3) / (1.0 - rho) * 0.5 } else { 1.0 + 0.1 * rho };
            let own = if call.to == "stock-db" || !bends { slower } else { 1.0 + 0.05 * rho };
            CallPoint {
                offered,
                calls_per_s: offered.min(409.0) * call.calls as f64 / 88_740.0,
                errors: Some(0.0),
                p50_ms: Some(p50 * slower),
                p99_ms: Some(if bends { p99 / 33.0 * slower } else { p99 }),
                own_p50_ms: Some(p50 * 0.4 * own),
            }
        };
        let points = [100.0, 170.0, 240.0, 310.0, 380.0, 450.0].map(point).to_vec();
        CallCurve {
            from: call.from.clone(),
            to: call.to.clone(),
            kind,
            through: Some(through),
            waited_for: Some(waited_for),
            points,
        }
    };
    dependencies().iter().map(curve).collect()
}

fn dependencies() -> Vec<Dependency> {
    let call = |from: &str, to: &str, calls, errors, p50, p99, share, retry| Dependency {
        from: from.to_owned(),
        to: to.to_owned(),
        calls,
        errors,
        latency_ms: Millis {
            p50: Some(p50),
            p90: Some(p50 * 1.9),
            p99: Some(p99),
            p99_9: Some(p99 * 1.4),
            max: None,
        },
        critical_path_share: Some(share),
        retry_amplification: Some(retry),
        hedges: None,
    };
    vec![
        call("load", "gateway", 88_740, 412, 26.0, 2310.0, 0.03, 1.0),
        call("gateway", "order", 39_120, 388, 41.0, 2240.0, 0.08, 1.0),
        call("gateway", "stock", 49_410, 3, 8.1, 310.0, 0.05, 1.0),
        call("gateway", "sessions", 88_740, 0, 0.6, 2.4, 0.005, 1.0),
        call("order", "stock", 39_120, 41, 18.0, 1720.0, 0.07, 1.0),
        call("order", "payment", 38_300, 347, 29.0, 640.0, 0.17, 1.08),
        call("stock", "stock-db", 88_530, 44, 7.2, 1690.0, 0.58, 1.0),
        call("payment", "bank", 38_300, 0, 14.1, 61.0, 0.02, 1.0),
        call("order", "events", 39_120, 0, 0.3, 2.1, 0.001, 1.0),
        call("events", "mailer", 39_120, 12, 24.0, 410.0, 0.0, 1.0),
    ]
}

fn events() -> Vec<Event> {
    let mut chain = Chain::default();
    let none = serde_json::Value::Null;
    let lines = [
        (
            -4_000,
            EventKind::Preflight,
            "6 checks passed: targets, tag, isolation of 4 stores, clock, limits, telemetry",
        ),
        (0, EventKind::Run, "load begins"),
        (0, EventKind::Phase, "warm-up: 20/s to 100/s in 20 s"),
        (20_000, EventKind::Phase, "stairs: 100/s to 450/s, 70/s every 20 s"),
        (31_250, EventKind::Error, "first closed at list products"),
        (121_250, EventKind::Finding, "stock-db: connections in use 97% of the time"),
        (124_000, EventKind::Error, "first timeout at pay"),
        (124_250, EventKind::Error, "first status_503 at pay"),
        (131_000, EventKind::Guard, "near its limit: error_rate 4.1% of 5%"),
        (140_000, EventKind::Phase, "plateau: 300/s for 40 s"),
        (152_000, EventKind::Operator, "note by ops@example.com: queue has drained"),
        (180_000, EventKind::Phase, "fall: 300/s to 40/s in 20 s"),
        (200_000, EventKind::Run, "load ends"),
        (201_400, EventKind::Run, "last answer; 0 in flight"),
    ];
    let event = |(ms, kind, text): (i64, EventKind, &str)| {
        chain.next(STARTED_NS + ms * 1_000_000, ms * 1_000_000, kind, text.to_owned(), none.clone())
    };
    lines.into_iter().map(event).collect()
}

fn ledger() -> Ledger {
    let row = |service: &str, resource: &str, outcome, count| LedgerRow {
        service: service.to_owned(),
        run: "7f3a19c2".to_owned(),
        resource: resource.to_owned(),
        outcome,
        count,
    };
    Ledger {
        v: 1,
        rows: vec![
            row("gateway", "ingress", Outcome::ShadowIn, 88_740),
            row("order", "ingress", Outcome::ShadowIn, 39_120),
            row("order", "orders", Outcome::ShadowWrite, 39_079),
            row("order", "orders", Outcome::Refused, 12),
            row("payment", "http:bank:80", Outcome::Mocked, 38_300),
            row("payment", "payments", Outcome::ShadowWrite, 37_953),
            row("stock", "products", Outcome::ReadLive, 49_410),
            row("stock", "reservations", Outcome::ShadowWrite, 39_076),
            row("stock", "reservations", Outcome::Leak, 0),
        ],
        sent: Some(88_740),
        handled: Some(88_740),
        unreconciled: Vec::new(),
        unobserved: vec!["audit-log".to_owned()],
        silent: Vec::new(),
        empty_shadows: BTreeMap::new(),
    }
}

fn samples() -> Vec<Sample> {
    vec![
        Sample {
            step: "pay".to_owned(),
            kind: SampleKind::Failed,
            class: Some("status_503".to_owned()),
            status: Some(503),
            latency_ms: Some(1812.4),
            detail: "POST /orders/81227/pay HTTP/1.1\nauthorization: [redacted]\n\nHTTP/1.1 503 Service Unavailable\n\
                content-type: application/json\n\n{\"error\":\"stock: no connection within 1500 ms\"}"
                .to_owned(),
        },
        Sample {
            step: "order".to_owned(),
            kind: SampleKind::Slow,
            class: None,
            status: Some(201),
            latency_ms: Some(2310.9),
            detail: "POST /orders HTTP/1.1\n\nHTTP/1.1 201 Created".to_owned(),
        },
    ]
}
