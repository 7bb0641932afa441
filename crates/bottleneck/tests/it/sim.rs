//! A shop that is simulated: gateway → order → {stock, payment → bank}, order-db, a queue with a consumer. The capacity
//! of each node is its servers by its work.

use std::collections::BTreeMap;

use peakdrill_drill_model::verdict::NodeKind;
use peakdrill_simulator::{Call, Load, Network, Node, Op, Step, run};
pub(crate) use peakdrill_simulator::{ORIGIN_NS, Trace};

/// Part of the drill's journeys that order; the others look at the stock.
pub(crate) const CHECKOUT: f64 = 0.8;
pub(crate) const BROWSE_STEP: u16 = 0;
pub(crate) const CHECKOUT_STEP: u16 = 1;

/// What is simulated.
#[derive(Clone)]
pub(crate) struct Setup {
    pub seed: u64,
    /// The node with 100 operations a second.
    pub planted: Option<&'static str>,
    /// Rate of journeys: seconds, and journeys a second at their start and end.
    pub profile: Vec<(f64, f64, f64)>,
    /// Part of the operations that fail at a node, from light load on.
    pub failing: Option<(&'static str, f64)>,
    /// Mean of the delay that scheduling adds to every operation, nanoseconds.
    pub noise_ns: f64,
    /// By how much that mean grows with every journey a second: processors get crowded.
    pub(crate) crowding: f64,
    /// Second from which all stations stand still, and for how many seconds.
    pub(crate) stall_s: Option<(f64, f64)>,
    /// Live journeys a second, and which part of them order.
    pub(crate) live: (f64, f64),
    /// The consumer's span begins when the message is fetched, before it gets a slot.
    pub early_consumer: bool,
    /// Clock offset per service, nanoseconds.
    pub skew_ns: BTreeMap<&'static str, i64>,
}

impl Setup {
    pub(crate) fn new(planted: Option<&'static str>, seed: u64) -> Self {
        let profile = vec![(8.0, 20.0, 20.0), (8.0, 20.0, 160.0), (14.0, 160.0, 160.0), (10.0, 20.0, 20.0)];
        Self {
            seed,
            planted,
            profile,
            failing: None,
            noise_ns: 500_000.0,
            crowding: 0.0,
            stall_s: None,
            live: (4.0, 0.5),
            early_consumer: seed % 2 == 1,
            skew_ns: BTreeMap::new(),
        }
    }

    pub(crate) fn seconds(&self) -> i64 {
        self.profile.iter().map(|(s, _, _)| *s).sum::<f64>() as i64
    }

    /// Name, kind, servers and milliseconds of work of every node. The drill meets a stub of the bank.
    fn nodes(&self) -> Vec<(&'static str, NodeKind, u32, f64)> {
        let node = |name, kind| {
            let planted = self.planted == Some(name);
            let (servers, ms) = match (name, planted) {
                ("stock" | "payment", true) => (5, 50.0),
                ("order-db", true) => (4, 40.0),
                ("bank", true) => (8, 80.0),
                ("queue", true) => (3, 30.0),
                ("gateway", _) => (16, 1.0),
                ("order", _) => (6, 10.0),
                ("order-db", _) => (4, 20.0 / 3.0),
                ("bank", _) => (10, 20.0),
                _ => (8, 16.0),
            };
            (name, kind, servers, ms)
        };
        let mut nodes: Vec<_> =
            ["gateway", "order", "stock", "payment"].map(|n| node(n, NodeKind::Service)).into();
        nodes.extend([
            node("bank", NodeKind::External),
            node("order-db", NodeKind::Database),
            node("queue", NodeKind::Queue),
            ("bank", NodeKind::External, 10, 20.0),
        ]);
        nodes
    }

    fn network(&self) -> Network {
        let nodes = self.nodes();
        let mut net =
            Network { hop_ms: 0.15, noise: (self.noise_ns / 1e6, self.crowding), ..Network::default() };
        net.nodes = nodes
            .iter()
            .map(|(name, kind, servers, _)| Node {
                servers: *servers,
                spread: 0.2,
                accept: *kind == NodeKind::Queue && !self.early_consumer,
                ..Node::of(*kind, *name)
            })
            .collect();
        let call = |to| Step::Calls(vec![Call::plain(to)]);
        let mut op = |node: usize, name: &str, then: Vec<Step>| {
            let mut steps = vec![Step::Work(nodes[node].3)];
            steps.extend(then);
            let failing = self.failing.filter(|(failing, _)| *failing == nodes[node].0);
            let fails = failing.map_or(0.0, |(_, part)| part);
            net.ops.push(Op { fails, mocked: node == 4, ..Op::new(node, name, steps) });
        };
        // Callers stand before whom they call. The drill's ways first, then those of live users, by the real bank.
        op(0, "GET /items", vec![call(8)]);
        op(0, "POST /orders", vec![call(2)]);
        op(1, "POST /orders", vec![call(9), call(3), call(10), Step::Publish(11)]);
        op(3, "POST /charge", vec![call(6)]);
        op(0, "POST /orders", vec![call(5)]);
        op(1, "POST /orders", vec![call(9), call(7), call(10), Step::Publish(11)]);
        op(4, "pay", vec![]);
        op(3, "POST /charge", vec![call(12)]);
        op(2, "GET /items", vec![]);
        op(2, "POST /reserve", vec![]);
        op(5, "INSERT orders", vec![]);
        op(6, "order-placed", vec![]);
        op(7, "pay", vec![]);
        net.journeys = vec![(0, 1.0 - CHECKOUT), (1, CHECKOUT)];
        net
    }
}

/// Runs the shop to its end.
pub(crate) fn simulate(setup: &Setup) -> Vec<Trace> {
    let (live_per_s, orders) = setup.live;
    let load = Load {
        profile: setup.profile.clone(),
        live_per_s,
        live_mix: vec![(0, 1.0 - orders), (4, orders)],
        stall: setup.stall_s,
    };
    let mut traces = run(&setup.network(), &load, setup.seed).traces;
    for span in traces.iter_mut().flat_map(|t| &mut t.spans) {
        let skew = setup.skew_ns.get(&*span.service).copied().unwrap_or(0);
        span.start_ns += skew;
        span.end_ns += skew;
    }
    traces
}
