//! The simulator against closed forms.

use peakdrill_simulator::{Attempts, Call, Load, Network, Node, Op, Step, capacities, run};

fn op(node: usize, steps: Vec<Step>, fails: f64) -> Op {
    Op { fails, ..Op::new(node, format!("op {node}"), steps) }
}

fn steady(rate: f64, seconds: f64) -> Load {
    Load { profile: vec![(seconds, rate, rate)], ..Load::default() }
}

#[test]
fn one_server_waits_as_the_formula_of_pollaczek_and_khinchine_says() {
    for spread in [0.0, 0.5, 1.0] {
        let node = Node { spread, ..Node::service("a") };
        let net = Network {
            nodes: vec![node],
            ops: vec![op(0, vec![Step::Work(10.0)], 0.0)],
            journeys: vec![(0, 1.0)],
            ..Network::default()
        };
        let traces = run(&net, &steady(60.0, 2_000.0), 5).traces;
        let took = |t: &peakdrill_simulator::Trace| t.row.map_or(0, |row| row.done_ns - row.sent_ns);
        let mean_ms = traces.iter().map(|t| took(t) as f64).sum::<f64>() / traces.len() as f64 / 1e6;
        let rho = 0.6;
        let expected = 10.0 + 10.0 * rho / (1.0 - rho) * (1.0 + spread * spread) / 2.0;
        assert!((mean_ms / expected - 1.0).abs() < 0.04, "{spread}: {mean_ms} {expected}");
    }
}

#[test]
fn a_full_node_gets_its_capacity_done() {
    let node = Node { servers: 4, usl: (0.05, 0.0), stall: Some((2.0, 100.0)), ..Node::service("a") };
    let net = Network {
        nodes: vec![node],
        ops: vec![op(0, vec![Step::Work(40.0)], 0.0)],
        journeys: vec![(0, 1.0)],
        ..Network::default()
    };
    let capacity = capacities(&net)[0];
    let traces = run(&net, &steady(2.0 * capacity, 60.0), 5).traces;
    let within = |from: f64, to: f64| {
        let ends = traces
            .iter()
            .flat_map(|t| &t.spans)
            .map(|s| (s.end_ns - peakdrill_simulator::ORIGIN_NS) as f64 / 1e9);
        ends.filter(|end| (from..to).contains(end)).count() as f64
    };
    assert!((within(10.0, 60.0) / 50.0 / capacity - 1.0).abs() < 0.03, "{capacity}");
}

#[test]
fn attempts_pools_and_hedges_do_what_they_say() {
    let net = |call: Call, fails: f64| Network {
        nodes: vec![
            Node { servers: 50, ..Node::service("a") },
            Node { servers: 50, spread: 0.0, ..Node::service("b") },
        ],
        ops: vec![
            op(0, vec![Step::Work(1.0), Step::Calls(vec![call])], 0.0),
            op(1, vec![Step::Work(20.0)], fails),
        ],
        pools: vec![1],
        journeys: vec![(0, 1.0)],
        ..Network::default()
    };
    let counts = |call: Call, fails: f64| -> (u64, u64) {
        run(&net(call, fails), &steady(20.0, 100.0), 3).calls[&(0, 1)]
    };
    let (logical, attempts) = counts(Call { attempts: 3, style: Attempts::Numbered, ..Call::plain(1) }, 0.5);
    assert!((attempts as f64 / logical as f64 / 1.75 - 1.0).abs() < 0.03, "{attempts} {logical}");
    // One connection carries 50 a second: with 60 asked of it, what waits grows.
    let pooled = run(&net(Call { pool: Some(0), ..Call::plain(1) }, 0.0), &steady(60.0, 20.0), 3);
    let last = pooled.traces.last().and_then(|t| t.row).map_or(0, |row| row.done_ns - row.sent_ns);
    assert!((2_000_000_000..6_000_000_000).contains(&last), "{last}");
    // A caller that gives up after 5 ms of 20 fails, and the work goes on.
    let timed = run(&net(Call { timeout_ms: Some(5.0), ..Call::plain(1) }, 0.0), &steady(20.0, 5.0), 3);
    assert!(timed.traces.iter().all(|t| t.row.is_some_and(|row| row.error.is_some()) && t.path.is_none()));
    assert!(timed.traces.iter().flat_map(|t| &t.spans).any(|s| s.duration_ns() == 20_000_000));
    let hedged = run(&net(Call { hedge_ms: Some(10.0), ..Call::plain(1) }, 0.0), &steady(20.0, 5.0), 3);
    assert!(hedged.traces.iter().all(|t| t.spans.len() == 4), "a second attempt beside the first");
}

#[test]
fn of_calls_of_which_one_is_made_never_two_are() {
    let one = [0.6, 0.3].into_iter().zip(1..).map(|(chance, to)| Call { chance, ..Call::plain(to) });
    let net = Network {
        nodes: ["a", "b", "c"].map(|name| Node { servers: 50, ..Node::service(name) }).into(),
        ops: vec![
            op(0, vec![Step::Work(1.0), Step::OneOf(one.collect())], 0.0),
            op(1, vec![Step::Work(5.0)], 0.0),
            op(2, vec![Step::Work(5.0)], 0.0),
        ],
        journeys: vec![(0, 1.0)],
        ..Network::default()
    };
    let run = run(&net, &steady(50.0, 100.0), 3);
    let called = |trace: &peakdrill_simulator::Trace| (trace.spans.len() - 1) / 2;
    assert!(
        run.traces.iter().all(|trace| called(trace) <= 1 && trace.row.is_some_and(|r| r.error.is_none()))
    );
    let part = |n: u64| n as f64 / run.traces.len() as f64;
    let none = part(run.traces.iter().filter(|trace| called(trace) == 0).count() as u64);
    let (b, c) = (part(run.calls[&(0, 1)].0), part(run.calls[&(0, 2)].0));
    assert!((b - 0.6).abs() < 0.03 && (c - 0.3).abs() < 0.03 && (none - 0.1).abs() < 0.02, "{b} {c} {none}");
}

#[test]
fn a_kept_connection_is_held_over_the_calls_of_its_operation() {
    let of = |connections: u32| Network {
        nodes: ["a", "db", "far"]
            .map(|name| Node { servers: 50, spread: 0.0, ..Node::service(name) })
            .into_iter()
            .collect(),
        ops: vec![
            op(
                0,
                vec![
                    Step::Work(1.0),
                    Step::Hold(0),
                    Step::Calls(vec![Call::plain(1)]),
                    Step::Calls(vec![Call::plain(2)]),
                ],
                0.0,
            ),
            // One in two fails: its connection is given back all the same, and it asks nobody else.
            op(1, vec![Step::Work(10.0)], 0.5),
            op(2, vec![Step::Work(20.0)], 0.0),
        ],
        held: vec![connections],
        journeys: vec![(0, 1.0)],
        ..Network::default()
    };
    // Kept for 10 ms or for 30 ms: two connections carry 100 a second. With 150 asked of them what waits grows.
    let run_of = |connections| run(&of(connections), &steady(150.0, 20.0), 3);
    let last_s = |run: &peakdrill_simulator::Run| {
        let row = run.traces.last().and_then(|t| t.row);
        row.map_or(0.0, |row| (row.done_ns - row.sent_ns) as f64 / 1e9)
    };
    let (few, enough) = (run_of(2), run_of(20));
    assert!((8.0..=10.0).contains(&last_s(&few)), "{}", last_s(&few));
    assert!(last_s(&enough) < 0.05, "{}", last_s(&enough));
    // The wait is the holder's: nobody waits behind it.
    let waited = few.traces.iter().filter_map(|t| t.path.as_ref()).filter_map(|path| {
        let at = |node| path.iter().find(|(at, _)| *at == node).map(|(_, ns)| *ns);
        Some((at(0)?, at(1)?))
    });
    let (mut most, mut behind) = (0, 0);
    waited.for_each(|(own, db)| (most, behind) = (most.max(own), behind.max(db)));
    assert!(most > 8_000_000_000 && behind <= 10_000_001, "{most} {behind}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let scenario = |seed| {
        peakdrill_simulator::Scenario::new(
            peakdrill_simulator::Topology::Tree,
            peakdrill_simulator::Kind::Single,
            seed,
        )
    };
    let spans = |seed| scenario(seed).run().traces.into_iter().flat_map(|t| t.spans).collect::<Vec<_>>();
    assert_eq!(spans(3), spans(3));
    assert_ne!(spans(3), spans(4));
}
