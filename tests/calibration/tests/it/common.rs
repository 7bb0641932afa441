//! Plans made by hand, and runs of them.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use peakdrill_drill_model::frame::{RootRow, Tally};
use peakdrill_drill_model::plan::{
    Arrivals, Guards, Isolation, Journey, Load, Node, PLAN_VERSION, Pacing, Phase, Plan, Request, StepInfo,
    Target, Template,
};
use peakdrill_drill_model::shape::Shape;
use peakdrill_loadgen::{Config, Engine, EngineReport, Sample, Transport, start};
use peakdrill_timebase::{Clock as _, OsClock};

pub(crate) const MS: u64 = 1_000_000;
pub(crate) const S: u64 = 1_000 * MS;
/// The run's id everywhere here.
pub(crate) const RUN: &str = "cal-1";

pub(crate) fn get(step: u16, path: &str) -> Request {
    Request { step, method: "GET".into(), path: Template::literal(path), ..Request::default() }
}

pub(crate) fn node(request: Request) -> Node {
    Node::Request(Box::new(request))
}

pub(crate) fn hold(rate: f64, for_ns: u64) -> Shape {
    Shape::Hold { rate, for_ns }
}

fn steps_of(nodes: &[Node]) -> usize {
    let count = |node: &Node| {
        usize::from(matches!(node, Node::Request(_))) + node.below().map(steps_of).sum::<usize>()
    };
    nodes.iter().map(count).sum()
}

/// A plan of one journey and one phase, even arrivals.
pub(crate) fn plan(url: &str, shape: Shape, steps: Vec<Node>) -> Plan {
    let info = |k: usize| StepInfo { journey: "j".into(), step: format!("s{k}"), ..StepInfo::default() };
    Plan {
        v: PLAN_VERSION,
        name: "calibration".into(),
        labels: BTreeMap::new(),
        environment: "local".into(),
        scenario_sha256: String::new(),
        targets: vec![Target {
            name: "server".into(),
            base_url: url.to_owned(),
            connect_timeout_ns: 5 * S,
            request_timeout_ns: 10 * S,
            max_connections: 64,
            exact_connections: false,
            ..Target::default()
        }],
        shadow: None,
        isolation: Isolation::default(),
        telemetry: peakdrill_drill_model::plan::Telemetry::default(),
        feeders: vec![],
        files: vec![],
        steps: (0..steps_of(&steps)).map(info).collect(),
        journeys: vec![Journey { name: "j".into(), share: 1.0, steps, ..Journey::default() }],
        load: Load {
            arrivals: Arrivals::Even,
            pacing: Pacing::Auto,
            seed: 1,
            max_in_flight: 10_000,
            phases: vec![Phase::measured("p", shape, Arrivals::Even)],
        },
        guards: Guards::default(),
        gates: vec![],
        reports: vec![],
    }
}

/// Everything a run told.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) journeys: Tally,
    pub(crate) steps: BTreeMap<u16, Tally>,
    pub(crate) roots: Vec<RootRow>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) report: EngineReport,
}

impl Told {
    pub(crate) fn step(&self, step: u16) -> Tally {
        self.steps.get(&step).cloned().unwrap_or_default()
    }

    /// What must hold for every run whose requests were all decided.
    pub(crate) fn assert_sums(&self) {
        let j = &self.journeys;
        assert_eq!(j.intended, j.sent + j.missed, "every arrival is started or missed");
        assert_eq!(j.sent, j.completed, "every journey ends");
        for (step, tally) in &self.steps {
            assert_eq!(tally.sent, tally.completed, "every request of step {step} ends");
            assert_eq!(tally.latency.count(), tally.completed);
        }
        let sent: u64 = self.steps.values().map(|tally| tally.sent).sum();
        assert_eq!((self.report.sent(), self.report.intended()), (sent, j.intended));
        assert_eq!(self.roots.len() as u64, sent);
    }
}

pub(crate) fn config(plan: Plan) -> Config {
    let clock = OsClock::new();
    Config::new(Arc::new(plan), RUN, clock, clock.mono().plus(100 * MS))
}

/// Held for reading by every run, and for writing by one whose figures the load of others would bend.
static MACHINE: RwLock<()> = RwLock::new(());

/// Runs what `make` configures to its end, while nothing else of these tests runs. `make` is called when all else has
/// ended, since a configuration says when the load starts.
pub(crate) fn run_alone(make: impl FnOnce() -> Config) -> Told {
    let _alone = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
    run_to_end(make(), |_| {})
}

/// Runs a plan to its end, beside others; `during` is called at every batch.
pub(crate) fn run_with(config: Config, during: impl FnMut(&Engine)) -> Told {
    let _beside = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
    // The wait for the machine is over only now.
    let start_at = config.clock.mono().plus(100 * MS);
    run_to_end(Config { start_at, ..config }, during)
}

fn run_to_end(config: Config, mut during: impl FnMut(&Engine)) -> Told {
    let (engine, batches) = start(config).unwrap();
    let mut told = Told::default();
    let mut lasts = 0;
    for batch in batches {
        during(&engine);
        lasts += usize::from(batch.last);
        for ((_, _, step), tally) in batch.tallies {
            match step {
                None => told.journeys.merge(&tally),
                Some(step) => told.steps.entry(step).or_default().merge(&tally),
            }
        }
        told.roots.extend(batch.roots);
        told.samples.extend(batch.samples);
    }
    told.report = engine.join();
    assert_eq!(lasts, told.report.shards.len(), "every shard tells that it has ended");
    told
}

pub(crate) fn run(plan: Plan) -> Told {
    run_with(config(plan), |_| {})
}

/// The same with sockets moved in one way.
pub(crate) fn run_over(transport: Transport, plan: Plan) -> Told {
    run_with(Config { transport, ..config(plan) }, |_| {})
}

/// Ways to move sockets that this system allows.
pub(crate) fn transports() -> impl Iterator<Item = Transport> {
    [Transport::Epoll, Transport::Uring].into_iter().filter(|transport| transport.choose().is_ok())
}

/// Waits for a condition that another thread brings about.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::yield_now();
    }
}

/// A peer that takes no connection: nobody accepts, the queue is full, and further ones hang.
pub(crate) struct Deaf {
    pub(crate) address: SocketAddr,
    _socket: TcpListener,
    _held: Vec<TcpStream>,
}

impl Deaf {
    pub(crate) fn new() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let mut held = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            held.push(stream);
            assert!(held.len() < 10_000, "the queue has no end");
        }
        Self { address, _socket: socket, _held: held }
    }
}
