//! What is told besides the ranking, against systems in which it is planted, and beside each a system that looks much the
//! same and in which it is not.

use peakdrill_bottleneck::{Analysis, AnalysisInput, Objective, Question, analyse, rank};
use peakdrill_drill_model::verdict::{Finding, FindingKind, KneeBy, NodeKind};
use peakdrill_simulator::{Attempts, Call, Load, Network, Node, Op, Refuses, Step, run};

use crate::shop::{cells_of, run as run_shop};
use crate::sim::{Setup, Trace};

type Profile = Vec<(f64, f64, f64)>;

pub(crate) const UP: [(f64, f64, f64); 3] = [(12.0, 20.0, 20.0), (16.0, 20.0, 140.0), (14.0, 140.0, 140.0)];

/// gateway → order → stock.
pub(crate) fn chain(call: Call, stock: Node, work_ms: f64, fails: f64) -> Network {
    let roomy = |name: &str| Node { servers: 50, spread: 0.2, ..Node::service(name) };
    Network {
        nodes: vec![roomy("gateway"), roomy("order"), stock],
        ops: vec![
            Op::new(0, "GET /", vec![Step::Work(1.0), Step::Calls(vec![Call::plain(1)])]),
            Op::new(1, "GET /order", vec![Step::Work(2.0), Step::Calls(vec![call])]),
            Op { fails, ..Op::new(2, "GET /stock", vec![Step::Work(work_ms)]) },
        ],
        journeys: vec![(0, 1.0)],
        hop_ms: 0.2,
        ..Network::default()
    }
}

/// Four servers of 40 ms: 100 operations a second.
pub(crate) fn slow() -> Node {
    Node { servers: 4, spread: 0.3, ..Node::service("stock") }
}

fn analysed(net: &Network, load: &Load) -> Analysis {
    let traces = run(net, load, 7).traces;
    let input = AnalysisInput { load_seconds: load.seconds() as i64, ..AnalysisInput::default() };
    let cells = cells_of(&traces);
    let analysis = analyse(&cells, &input);
    assert_eq!(rank(&cells, &input).findings, analysis.findings, "a live look tells the same");
    analysis
}

#[test]
fn what_is_left_over_from_the_peak_is_no_curve_of_a_lower_rate() {
    let profile = vec![(12.0, 20.0, 20.0), (16.0, 20.0, 140.0), (14.0, 140.0, 140.0), (12.0, 20.0, 20.0)];
    let load = Load { profile, ..Load::default() };
    for seed in 1..=4 {
        let traces = run(&chain(Call::plain(2), slow(), 40.0, 0.0), &load, seed).traces;
        let input = AnalysisInput { load_seconds: load.seconds() as i64, ..AnalysisInput::default() };
        let curves = analyse(&cells_of(&traces), &input).curves;
        let stock = curves.iter().find(|curve| curve.node == "stock").unwrap();
        let (first, last) = (stock.points[0], stock.points[stock.points.len() - 1]);
        // At 20 a second less than one is at the node, and at the peak there are hundreds.
        assert!(first.concurrency < 2.0 && last.concurrency > 50.0, "{stock:?}");
        assert!(stock.scaling.is_some_and(|scaling| scaling.peak.is_none()), "{:?}", stock.scaling);
    }
}

#[test]
fn a_short_climb_is_enough_to_tell_where_an_objective_ends() {
    let profile = vec![(12.0, 20.0, 20.0), (8.0, 20.0, 140.0), (14.0, 140.0, 140.0), (10.0, 20.0, 20.0)];
    let load = Load { profile, ..Load::default() };
    let objective = Objective {
        text: "p99 < 1s".into(),
        asks: Question::WithinNs(1_000_000_000),
        share: 0.01,
        steps: Vec::new(),
    };
    let known = (1..=12).filter(|seed| {
        let traces = run(&chain(Call::plain(2), slow(), 40.0, 0.0), &load, *seed).traces;
        let input = AnalysisInput {
            load_seconds: load.seconds() as i64,
            objectives: vec![objective.clone()],
            ..AnalysisInput::default()
        };
        let knees = analyse(&cells_of(&traces), &input).summary.knees;
        let knee = knees.iter().find(|knee| knee.by == KneeBy::Objective).unwrap().per_s;
        println!("{seed} {knee:?}");
        // It carries 100 a second; above that what waits is late in the end.
        knee.low.is_some_and(|low| low <= 110.0)
            && knee.high.is_some_and(|high| (95.0..=125.0).contains(&high))
    });
    // Which seconds of the climb go together is chance.
    assert!(known.count() >= 9);
}

fn told(net: &Network, profile: &[(f64, f64, f64)]) -> Vec<Finding> {
    analysed(net, &Load { profile: profile.to_vec(), ..Load::default() }).findings
}

pub(crate) fn of(findings: &[Finding], kind: FindingKind) -> Vec<&Finding> {
    findings.iter().filter(|found| found.kind == kind).collect()
}

/// The one finding of this kind.
fn only(findings: &[Finding], kind: FindingKind) -> &Finding {
    let found = of(findings, kind);
    assert_eq!(found.len(), 1, "{findings:#?}");
    found[0]
}

fn storm_of(findings: &[Finding]) -> Vec<&Finding> {
    findings.iter().filter(|f| matches!(f.kind, FindingKind::RetryStorm | FindingKind::Metastable)).collect()
}

pub(crate) fn impatient(attempts: u32, style: Attempts) -> Call {
    Call { timeout_ms: Some(300.0), attempts, style, backoff_ms: 10.0, ..Call::plain(2) }
}

const STYLES: [Attempts; 4] = [Attempts::Bare, Attempts::Numbered, Attempts::Framed, Attempts::OneClient];

#[test]
fn a_storm_of_retries_that_ends_is_told_with_its_size() {
    let profile = [(15.0, 10.0, 10.0), (6.0, 10.0, 120.0), (8.0, 120.0, 120.0), (60.0, 10.0, 10.0)];
    for style in STYLES {
        let findings = told(&chain(impatient(2, style), slow(), 40.0, 0.0), &profile);
        let storm = only(&findings, FindingKind::RetryStorm);
        println!("{style:?}: {}\n  {}", storm.text, storm.action);
        assert_eq!(storm.node, "stock");
        assert!(storm.text.contains("ended"), "{storm:?}");
        assert!(storm.text.starts_with("order called stock"), "{storm:?}");
        assert!(of(&findings, FindingKind::LimitBinds).is_empty(), "what is slow is no limit: {findings:#?}");
    }
}

#[test]
fn how_much_more_a_request_asks_is_said_once() {
    let kind = NodeKind::External;
    let stock = Node { servers: 40, refuses: Some(Refuses::Above(60.0)), ..Node::of(kind, "stock") };
    let call = Call { attempts: 3, style: Attempts::Numbered, ..Call::plain(2) };
    let net = chain(call, stock, 20.0, 0.0);
    let analysis = analysed(&net, &Load { profile: UP.to_vec(), live_per_s: 10.0, ..Load::default() });
    let storm = storm_of(&analysis.findings)[0];
    let number = |text: &str, after: &str| -> f64 {
        let rest = text.split(after).nth(1).unwrap().trim_start();
        rest.split([' ', ':']).next().unwrap().parse().unwrap()
    };
    let more = number(&storm.text, "a request led to");
    let stock = analysis.bottlenecks.iter().find(|node| node.node == "stock").unwrap();
    let rose = stock.evidence.iter().find(|said| said.starts_with("calls a request rose")).unwrap();
    let times = number(rose, " to ") / number(rose, " from ");
    assert!((times - more).abs() < 0.1, "{rose}; {}", storm.text);
}

#[test]
fn a_storm_that_feeds_itself_is_metastable() {
    // At 40 a second four attempts each are more than the 100 that it carries.
    let up = [(15.0, 40.0, 40.0), (10.0, 40.0, 140.0), (10.0, 140.0, 140.0)];
    let net = || chain(impatient(4, Attempts::Numbered), slow(), 40.0, 0.0);
    let down = |seconds: f64| {
        let mut profile = up.to_vec();
        profile.push((seconds, 40.0, 40.0));
        told(&net(), &profile)
    };
    let findings = down(60.0);
    let stays = only(&findings, FindingKind::Metastable);
    println!("{}\n  {}", stays.text, stays.action);
    assert!(stays.text.contains("does not recover by itself"), "{stays:?}");
    let findings = down(12.0);
    let short = only(&findings, FindingKind::RetryStorm);
    assert!(short.text.contains("is not known"), "{short:?}");
    let findings = told(&net(), &up);
    assert!(only(&findings, FindingKind::RetryStorm).text.contains("was not tested"), "{findings:#?}");
}

#[test]
fn retries_that_do_not_grow_with_the_load_are_no_storm() {
    let roomy = || Node { servers: 40, ..Node::service("stock") };
    for style in STYLES {
        let call = Call { attempts: 4, style, ..Call::plain(2) };
        let findings = told(&chain(call, roomy(), 10.0, 0.15), &UP);
        assert!(findings.is_empty(), "{style:?}: {findings:#?}");
    }
    // A full node without retries, and a loop of calls.
    for call in [Call::plain(2), Call { times: 3, ..Call::plain(2) }] {
        let findings = told(&chain(call, slow(), 40.0, 0.0), &UP);
        assert!(storm_of(&findings).is_empty(), "{findings:#?}");
    }
    // Second attempts beside the first grow with the load, and nothing fails.
    let hedged = Call { hedge_ms: Some(60.0), ..Call::plain(2) };
    let findings = told(&chain(hedged, slow(), 40.0, 0.0), &UP);
    assert!(storm_of(&findings).is_empty(), "{findings:#?}");
}

#[test]
fn attempts_beside_one_before_are_told_apart_from_those_after_it() {
    let of = |call: Call, fails: f64| {
        let stock = Node { servers: 40, spread: 0.5, ..Node::service("stock") };
        let net = chain(call, stock, 40.0, fails);
        let load = Load { profile: UP.to_vec(), ..Load::default() };
        let (logical, attempts) = run(&net, &load, 7).calls[&(1, 2)];
        let found = analysed(&net, &load).dependencies;
        let call = found.iter().find(|d| d.from == "order" && d.to == "stock").unwrap();
        (attempts as f64 / logical as f64, call.retry_amplification.unwrap(), call.hedges)
    };
    let (truth, attempts, hedges) = of(Call { hedge_ms: Some(50.0), ..Call::plain(2) }, 0.0);
    assert!(truth > 1.1 && (attempts - truth).abs() < 1e-9, "{truth} {attempts}");
    // Where the second goes off while the answer of the first is on its way, nobody can tell.
    assert!((0.0..0.01).contains(&(truth - 1.0 - hedges.unwrap())), "{truth} {hedges:?}");
    for style in STYLES {
        let (truth, attempts, hedges) = of(Call { attempts: 3, style, ..Call::plain(2) }, 0.3);
        assert!(truth > 1.3 && (attempts / truth - 1.0).abs() < 0.03, "{style:?} {truth} {attempts}");
        assert_eq!(hedges, None, "{style:?}");
    }
}

#[test]
fn attempts_that_were_given_up_are_counted_whatever_runs_beside_them() {
    for style in STYLES {
        let net = chain(impatient(4, style), slow(), 40.0, 0.0);
        let load = Load { profile: UP.to_vec(), ..Load::default() };
        let (logical, attempts) = run(&net, &load, 7).calls[&(1, 2)];
        let truth = attempts as f64 / logical as f64;
        let found = analysed(&net, &load).dependencies;
        let call = found.iter().find(|d| d.from == "order" && d.to == "stock").unwrap();
        let told = call.retry_amplification.unwrap();
        println!("{style:?} {truth} {told} {:?}", call.hedges);
        assert!(truth > 2.0 && (told / truth - 1.0).abs() < 0.03, "{style:?} {truth} {told}");
        // Under one client's span it is seen that the called side goes on.
        let beside = call.hedges.unwrap_or(0.0);
        assert!(
            if style == Attempts::OneClient { beside > 0.5 } else { beside == 0.0 },
            "{style:?} {beside}"
        );
        assert!(beside < told - 0.99, "the first of a call is beside none: {style:?} {beside}");
    }
}

#[test]
fn a_limit_that_refuses_is_told_from_a_slow_resource() {
    for (kind, retried) in
        [(NodeKind::Service, false), (NodeKind::External, false), (NodeKind::Service, true)]
    {
        let stock = Node { servers: 40, refuses: Some(Refuses::Above(60.0)), ..Node::of(kind, "stock") };
        let attempts = if retried { 3 } else { 1 };
        let call = Call { attempts, style: Attempts::Numbered, ..Call::plain(2) };
        let findings = told(&chain(call, stock, 20.0, 0.0), &UP);
        let limit = only(&findings, FindingKind::LimitBinds);
        println!("{kind:?} {retried}: {}\n  {}", limit.text, limit.action);
        assert_eq!(limit.node, "stock", "not its callers, whose errors are as fast");
        assert!(limit.text.contains("100 % of these say so themselves"), "{limit:?}");
        assert_eq!(storm_of(&findings).len(), usize::from(retried), "{findings:#?}");
        if !retried {
            let good: f64 = limit.text.split(' ').nth(2).unwrap().trim_end_matches("/s").parse().unwrap();
            assert!((good / 60.0 - 1.0).abs() < 0.05, "{limit:?}");
        }
    }
}

#[test]
fn what_is_sold_out_is_told() {
    let stock = Node { servers: 40, refuses: Some(Refuses::After(1_500)), ..Node::service("stock") };
    let findings = told(&chain(Call::plain(2), stock, 20.0, 0.0), &UP);
    let limit = only(&findings, FindingKind::LimitBinds);
    println!("{}\n  {}", limit.text, limit.action);
    assert!(
        limit.text.contains("before that at a lower load") && limit.action.contains("sold out"),
        "{limit:?}"
    );
}

#[test]
fn errors_that_are_no_limit_are_not_called_one() {
    let roomy = || Node { servers: 40, ..Node::service("stock") };
    // A part fails fast at any rate, and a full node times out.
    let mut fails_fast = chain(Call::plain(2), roomy(), 20.0, 0.0);
    fails_fast.ops[1].fails = 0.3;
    let times_out = chain(Call { timeout_ms: Some(500.0), ..Call::plain(2) }, slow(), 40.0, 0.0);
    // A limit that is above the load.
    let open = Node { refuses: Some(Refuses::Above(400.0)), ..roomy() };
    for net in [fails_fast, times_out, chain(Call::plain(2), open, 20.0, 0.0)] {
        let findings = told(&net, &UP);
        assert!(of(&findings, FindingKind::LimitBinds).is_empty(), "{findings:#?}");
    }
}

/// gateway → search → its database, gateway → cart → its database; `shared`: both have one.
pub(crate) fn pair(shared: bool) -> Network {
    let roomy = |name: &str| Node { servers: 50, spread: 0.2, ..Node::service(name) };
    let db = |name: &str, servers| Node { servers, spread: 0.3, ..Node::of(NodeKind::Database, name) };
    let calls = |to| Step::Calls(vec![Call::plain(to)]);
    Network {
        nodes: vec![roomy("gateway"), roomy("search"), roomy("cart"), db("db", 4), db("other-db", 40)],
        ops: vec![
            Op::new(0, "GET /search", vec![Step::Work(1.0), calls(2)]),
            Op::new(0, "GET /cart", vec![Step::Work(1.0), calls(3)]),
            Op::new(1, "GET /search", vec![Step::Work(2.0), calls(4)]),
            Op::new(2, "GET /cart", vec![Step::Work(2.0), calls(if shared { 4 } else { 5 })]),
            Op::new(3, "SELECT", vec![Step::Work(40.0)]),
            Op::new(4, "SELECT", vec![Step::Work(40.0)]),
        ],
        journeys: vec![(0, 0.6), (1, 0.4)],
        hop_ms: 0.2,
        ..Network::default()
    }
}

#[test]
fn what_several_callers_wait_for_is_named_once() {
    let findings = told(&pair(true), &UP);
    let shared = only(&findings, FindingKind::SharedDependency);
    println!("{}\n  {}", shared.text, shared.action);
    assert_eq!(shared.node, "db");
    assert!(
        shared.text.starts_with("2 callers wait for db at once")
            && shared.text.contains("search (")
            && shared.text.contains("cart (")
    );
    // One of two databases is full: its caller waits alone.
    let profile: Profile = UP.map(|(s, from, to)| (s, 1.5 * from, 1.5 * to)).to_vec();
    let analysis = analysed(&pair(false), &Load { profile, ..Load::default() });
    assert_eq!(analysis.bottlenecks[0].node, "db");
    assert!(of(&analysis.findings, FindingKind::SharedDependency).is_empty(), "{:#?}", analysis.findings);
}

#[test]
fn what_was_not_exercised_is_told() {
    // Live users come to the other database, the drill to none of it.
    let mut net = pair(false);
    net.nodes[3].servers = 40;
    net.journeys = vec![(0, 1.0)];
    let load = |live_mix: Vec<(usize, f64)>| Load {
        profile: UP.to_vec(),
        live_per_s: 5.0,
        live_mix,
        ..Load::default()
    };
    let findings = analysed(&net, &load(vec![(0, 0.5), (1, 0.5)])).findings;
    let nodes: Vec<&str> = findings.iter().map(|found| found.node.as_str()).collect();
    assert_eq!(nodes, ["cart", "other-db"], "{findings:#?}");
    assert!(findings.iter().all(|found| found.kind == FindingKind::NotExercised));
    println!("{}\n  {}", findings[0].text, findings[0].action);
    let findings = analysed(&net, &load(vec![(0, 1.0)])).findings;
    assert!(findings.is_empty(), "{findings:#?}");
    // The shop's drill meets a stub of the bank.
    let findings = run_shop(&Setup::new(None, 3)).1.findings;
    let bank = only(&findings, FindingKind::NotExercised);
    println!("{}\n  {}", bank.text, bank.action);
    assert!(bank.node == "bank" && bank.text.contains("a stub answered all"), "{bank:?}");
}

#[test]
fn live_users_that_suffer_are_told_of_first() {
    for node in ["stock", "order-db"] {
        let findings = run_shop(&Setup::new(Some(node), 3)).1.findings;
        let hurt = only(&findings, FindingKind::LiveUsersHurt);
        println!("{}\n  {}", hurt.text, hurt.action);
        assert_eq!(findings[0].kind, FindingKind::LiveUsersHurt, "said first");
        assert_eq!(hurt.node, node);
    }
    // Their requests fail, and fast.
    let stock =
        Node { servers: 40, refuses: Some(Refuses::Above(60.0)), ..Node::of(NodeKind::External, "stock") };
    let net = chain(Call::plain(2), stock, 20.0, 0.0);
    let findings =
        analysed(&net, &Load { profile: UP.to_vec(), live_per_s: 5.0, ..Load::default() }).findings;
    let hurt = only(&findings, FindingKind::LiveUsersHurt);
    println!("{}\n  {}", hurt.text, hurt.action);
    assert!(hurt.node == "stock" && hurt.text.contains("failed in"), "{hurt:?}");
    // The bank that only the drill's stub replaces is not slow for them.
    for (planted, live) in [(None, (4.0, 0.5)), (Some("stock"), (0.0, 0.5))] {
        let findings = run_shop(&Setup { live, ..Setup::new(planted, 3) }).1.findings;
        assert!(of(&findings, FindingKind::LiveUsersHurt).is_empty(), "{findings:#?}");
    }
}

#[test]
fn a_hot_partition_is_told_from_an_even_one() {
    let queue = |hot| {
        let orders =
            Node { servers: 8, accept: true, shards: Some((8, hot)), ..Node::of(NodeKind::Queue, "orders") };
        let mut net = chain(Call::plain(2), orders, 30.0, 0.0);
        net.ops[1].steps[1] = Step::Publish(2);
        told(&net, &UP)
    };
    let findings = queue(0.6);
    let hot = only(&findings, FindingKind::HotPartition);
    println!("{}\n  {}", hot.text, hot.action);
    assert!(hot.node == "orders" && hot.text.starts_with("partition 0 of orders got 6"), "{hot:?}");
    assert!(of(&queue(0.0), FindingKind::HotPartition).is_empty());
    // Uneven, but not by so much.
    assert!(of(&queue(0.2), FindingKind::HotPartition).is_empty());
}

#[test]
fn of_what_is_not_all_there_no_storm_and_no_limit_is_told() {
    let stock = Node { servers: 40, refuses: Some(Refuses::Above(60.0)), ..Node::service("stock") };
    let call = Call { attempts: 3, style: Attempts::Numbered, ..Call::plain(2) };
    let load = Load { profile: UP.to_vec(), ..Load::default() };
    let mut traces = run(&chain(call, stock, 20.0, 0.0), &load, 7).traces;
    let kinds = |traces: &[Trace]| -> Vec<FindingKind> {
        let input = AnalysisInput { load_seconds: 42, ..AnalysisInput::default() };
        analyse(&cells_of(traces), &input).findings.iter().map(|found| found.kind).collect()
    };
    assert_eq!(kinds(&traces), [FindingKind::RetryStorm, FindingKind::LimitBinds]);
    let every_other = traces.iter_mut().step_by(2);
    every_other.for_each(|trace| trace.spans.retain(|span| &*span.service != "stock"));
    assert_eq!(kinds(&traces), []);
}
