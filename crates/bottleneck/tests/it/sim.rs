//! A discrete-event simulator of a shop that emits spans and the generator's rows.
//!
//! gateway → order → {stock, payment → bank}, order-db, a queue with a consumer. Every node has slots that
//! serve first come, first served; the capacity of each is slots by service time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;

use peakdrill_bottleneck::TraceClass;
use peakdrill_drill_model::frame::RootRow;
use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_trace_model::{Messaging, Peer, PeerKind, Span, SpanKind};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Start of the load, Unix nanoseconds.
pub(crate) const ORIGIN_NS: i64 = 1_700_000_000_000_000_000;
const TIMEOUT_NS: i64 = 10_000_000_000;
/// Part of the drill's journeys that order; the others look at the stock.
pub(crate) const CHECKOUT: f64 = 0.8;
pub(crate) const BROWSE_STEP: u16 = 0;
pub(crate) const CHECKOUT_STEP: u16 = 1;

const NODES: [&str; 8] = ["gateway", "order", "stock", "payment", "bank", "order-db", "queue", "real-bank"];

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

    fn rate_at(&self, mut at: f64) -> f64 {
        for (seconds, from, to) in &self.profile {
            if at < *seconds {
                return from + (to - from) * at / seconds;
            }
            at -= seconds;
        }
        0.0
    }

    /// When work of so many nanoseconds ends that begins now.
    fn ends(&self, now: i64, work_ns: i64) -> i64 {
        let Some((from, seconds)) = self.stall_s else { return now + work_ns };
        let (from, length) = (ORIGIN_NS + (from * 1e9) as i64, (seconds * 1e9) as i64);
        match now {
            _ if now >= from + length || now + work_ns <= from => now + work_ns,
            _ if now < from => now + work_ns + length,
            _ => from + length + work_ns,
        }
    }

    pub(crate) fn seconds(&self) -> i64 {
        self.profile.iter().map(|(s, _, _)| *s).sum::<f64>() as i64
    }
}

/// One trace.
pub(crate) struct Trace {
    pub id: u128,
    pub spans: Vec<Span>,
    pub row: Option<RootRow>,
    pub class: TraceClass,
}

#[derive(Clone, Copy)]
enum Op {
    /// A span begins: kind, service, operation, peer, mocked.
    Begin(SpanKind, &'static str, &'static str, Option<(&'static str, PeerKind)>, bool),
    Serve(&'static str),
    /// A message goes off.
    Publish,
    End,
}

fn call(from: &'static str, to: &'static str, op: &'static str, inner: &[Op]) -> Vec<Op> {
    let mut out = vec![
        Op::Begin(SpanKind::Client, from, op, Some((to, PeerKind::Service)), false),
        Op::Begin(SpanKind::Server, to, op, None, false),
        Op::Serve(to),
    ];
    out.extend_from_slice(inner);
    out.extend([Op::End, Op::End]);
    out
}

fn leaf(
    from: &'static str,
    to: &'static str,
    kind: PeerKind,
    station: &'static str,
    mocked: bool,
) -> Vec<Op> {
    vec![Op::Begin(SpanKind::Client, from, to, Some((to, kind)), mocked), Op::Serve(station), Op::End]
}

fn program(checkout: bool, live: bool) -> Vec<Op> {
    let inner = if checkout {
        let bank = leaf("payment", "bank", PeerKind::Service, if live { "real-bank" } else { "bank" }, !live);
        let mut order = call("order", "stock", "POST /reserve", &[]);
        order.extend(call("order", "payment", "POST /charge", &bank));
        order.extend(leaf("order", "order-db", PeerKind::Database, "order-db", false));
        order.push(Op::Begin(
            SpanKind::Producer,
            "order",
            "order-placed",
            Some(("queue", PeerKind::Queue)),
            false,
        ));
        order.extend([Op::Publish, Op::End]);
        call("gateway", "order", "POST /orders", &order)
    } else {
        call("gateway", "stock", "GET /items", &[])
    };
    let op = if checkout { "POST /orders" } else { "GET /items" };
    let mut out = vec![Op::Begin(SpanKind::Server, "gateway", op, None, false), Op::Serve("gateway")];
    out.extend(inner);
    out.push(Op::End);
    out
}

fn consumer() -> Vec<Op> {
    vec![
        Op::Begin(SpanKind::Consumer, "fulfilment", "order-placed", Some(("queue", PeerKind::Queue)), false),
        Op::Serve("queue"),
        Op::End,
    ]
}

struct Job {
    trace: usize,
    program: Vec<Op>,
    at: usize,
    open: Vec<usize>,
    parent: u64,
    failed: bool,
}

struct Station {
    free: u32,
    service_ns: f64,
    waiting: VecDeque<usize>,
}

struct Sim {
    setup: Setup,
    rng: ChaCha8Rng,
    stations: BTreeMap<&'static str, Station>,
    jobs: Vec<Job>,
    traces: Vec<Trace>,
    events: BinaryHeap<Reverse<(i64, u64, usize, bool)>>,
    seq: u64,
    names: BTreeMap<&'static str, Arc<str>>,
}

fn station(node: &str, planted: bool) -> Station {
    let (slots, ms) = match (node, planted) {
        ("stock" | "payment", true) => (5, 50.0),
        ("order-db", true) => (4, 40.0),
        ("bank", true) => (8, 80.0),
        ("queue", true) => (3, 30.0),
        ("gateway", _) => (16, 1.0),
        ("order", _) => (6, 10.0),
        ("order-db", _) => (4, 20.0 / 3.0),
        ("bank" | "real-bank", _) => (10, 20.0),
        _ => (8, 16.0),
    };
    Station { free: slots, service_ns: ms * 1e6, waiting: VecDeque::new() }
}

/// Runs the shop to its end.
pub(crate) fn simulate(setup: &Setup) -> Vec<Trace> {
    let mut sim = Sim {
        rng: ChaCha8Rng::seed_from_u64(setup.seed),
        stations: NODES.iter().map(|n| (*n, station(n, setup.planted == Some(n)))).collect(),
        setup: setup.clone(),
        jobs: Vec::new(),
        traces: Vec::new(),
        events: BinaryHeap::new(),
        seq: 0,
        names: BTreeMap::new(),
    };
    sim.arrivals();
    while let Some(Reverse((now, _, job, served))) = sim.events.pop() {
        sim.step(job, now, served);
    }
    sim.traces.retain(|t| t.row.is_none_or(|row| row.done_ns > 0));
    sim.traces
}

impl Sim {
    fn uniform(&mut self) -> f64 {
        self.rng.random::<f64>().max(1e-12)
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -self.uniform().ln() * mean
    }

    fn at(&mut self, time: i64, job: usize, served: bool) {
        self.seq += 1;
        self.events.push(Reverse((time, self.seq, job, served)));
    }

    fn arrivals(&mut self) {
        let mut start = 0.0;
        for (seconds, from, to) in self.setup.profile.clone() {
            let mut t = 0.0;
            loop {
                let rate = from + (to - from) * t / seconds;
                t += self.exponential(1.0 / rate);
                if t >= seconds {
                    break;
                }
                let checkout = self.uniform() < CHECKOUT;
                self.request(((start + t) * 1e9) as i64, checkout, false);
            }
            start += seconds;
        }
        let (rate, checkout) = self.setup.live;
        for i in 0..(start * rate) as i64 {
            let orders = (i as f64 * checkout).fract() < checkout;
            self.request((i as f64 / rate * 1e9) as i64, orders, true);
        }
    }

    fn request(&mut self, t: i64, checkout: bool, live: bool) {
        let trace = self.traces.len();
        let id = (u128::from(self.rng.random::<u64>()) << 64) | u128::from(self.rng.random::<u64>());
        let start = ORIGIN_NS + t;
        let row = (!live).then(|| RootRow {
            trace: id,
            span: 1 + self.rng.random::<u64>() / 2,
            step: if checkout { CHECKOUT_STEP } else { BROWSE_STEP },
            phase: 0,
            intended_ns: start,
            sent_ns: start + 100_000,
            done_ns: 0,
            error: None,
            status: 0,
        });
        let parent = row.map_or(0, |r| r.span);
        let class = if live { TraceClass::Live } else { TraceClass::Mine };
        self.traces.push(Trace { id, spans: Vec::new(), row, class });
        self.jobs.push(Job {
            trace,
            program: program(checkout, live),
            at: 0,
            open: vec![],
            parent,
            failed: false,
        });
        let (job, delay) = (self.jobs.len() - 1, 200_000);
        self.at(start + delay, job, false);
    }

    fn name(&mut self, name: &'static str) -> Arc<str> {
        Arc::clone(self.names.entry(name).or_insert_with(|| name.into()))
    }

    fn step(&mut self, job: usize, mut now: i64, mut served: bool) {
        if served {
            self.leave(job, now);
        }
        loop {
            let Some(op) = self.jobs[job].program.get(self.jobs[job].at).copied() else { return };
            match op {
                Op::Begin(kind, service, op, peer, mocked) => {
                    self.begin(job, now, kind, service, op, peer, mocked)
                }
                Op::End => now = self.end(job, now),
                Op::Publish => self.publish(job, now),
                Op::Serve(node) => {
                    if !served {
                        self.enter(job, node, now);
                        return;
                    }
                    served = false;
                    if self.setup.failing.is_some_and(|(failing, _)| failing == node) {
                        let part = self.setup.failing.map_or(0.0, |(_, part)| part);
                        self.jobs[job].failed |= self.uniform() < part;
                    }
                }
            }
            self.jobs[job].at += 1;
        }
    }

    fn enter(&mut self, job: usize, node: &'static str, now: i64) {
        let Some(station) = self.stations.get_mut(node) else { return };
        if station.free == 0 {
            station.waiting.push_back(job);
            return;
        }
        station.free -= 1;
        self.start(job, node, now);
    }

    fn start(&mut self, job: usize, node: &'static str, now: i64) {
        if node == "queue"
            && !self.setup.early_consumer
            && let Some(span) = self.jobs[job].open.last().copied()
        {
            // The span was opened on arrival; a consumer that fetches late begins it now.
            self.traces[self.jobs[job].trace].spans[span].start_ns = now;
        }
        let (a, b) = (self.uniform(), self.uniform());
        let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
        let sigma: f64 = 0.2;
        let mean = self.stations[node].service_ns;
        let service = mean * (sigma * normal - sigma * sigma / 2.0).exp();
        let end = self.setup.ends(now, service as i64);
        self.at(end, job, true);
    }

    fn leave(&mut self, job: usize, now: i64) {
        let Some(Op::Serve(node)) = self.jobs[job].program.get(self.jobs[job].at).copied() else { return };
        let next = self.stations.get_mut(node).and_then(|s| {
            let next = s.waiting.pop_front();
            if next.is_none() {
                s.free += 1;
            }
            next
        });
        if let Some(next) = next {
            self.start(next, node, now);
        }
    }

    #[allow(clippy::too_many_arguments, reason = "a span's fields")]
    fn begin(
        &mut self,
        job: usize,
        now: i64,
        kind: SpanKind,
        service: &'static str,
        op: &'static str,
        peer: Option<(&'static str, PeerKind)>,
        mocked: bool,
    ) {
        let trace = self.jobs[job].trace;
        let id = self.rng.random::<u64>() | 1;
        let parent = match self.jobs[job].open.last() {
            Some(open) => self.traces[trace].spans[*open].id,
            None => self.jobs[job].parent,
        };
        let start_ns = now + if kind == SpanKind::Server { 150_000 } else { 0 };
        let (service, op) = (self.name(service), self.name(op));
        let span = Span {
            trace: self.traces[trace].id,
            id,
            parent,
            kind,
            instance: Arc::clone(&service),
            service,
            op,
            start_ns,
            end_ns: start_ns,
            error: false,
            status: 200,
            peer: peer.map(|(node, kind)| Peer { node: node.into(), kind }),
            messaging: match kind {
                SpanKind::Producer => Some(Messaging::Send),
                SpanKind::Consumer => Some(Messaging::Process),
                _ => None,
            },
            resend: 0,
            synthetic: false,
            mocked,
            links: Default::default(),
        };
        let spans = &mut self.traces[trace].spans;
        spans.push(span);
        self.jobs[job].open.push(spans.len() - 1);
    }

    fn end(&mut self, job: usize, now: i64) -> i64 {
        let trace = self.jobs[job].trace;
        let Some(open) = self.jobs[job].open.pop() else { return now };
        let crowd = 1.0 + self.setup.crowding * self.setup.rate_at((now - ORIGIN_NS) as f64 / 1e9);
        let noise = self.exponential(self.setup.noise_ns * crowd) as i64;
        let now = now + noise;
        let failed = self.jobs[job].failed;
        let span = &mut self.traces[trace].spans[open];
        span.end_ns = now.max(span.start_ns);
        span.error = failed && span.kind != SpanKind::Consumer;
        let skew = self.setup.skew_ns.get(&*span.service).copied().unwrap_or(0);
        span.start_ns += skew;
        span.end_ns += skew;
        if self.jobs[job].open.is_empty()
            && let Some(row) = self.traces[trace].row.as_mut().filter(|row| row.done_ns == 0)
        {
            let done = now + 100_000;
            row.done_ns = done.min(row.intended_ns + TIMEOUT_NS);
            row.error = (done > row.done_ns).then_some(ErrorClass::Timeout);
            if failed {
                row.error = Some(ErrorClass::Status(500));
            }
        }
        now
    }

    fn publish(&mut self, job: usize, now: i64) {
        let trace = self.jobs[job].trace;
        let parent = self.jobs[job].open.last().map_or(0, |open| self.traces[trace].spans[*open].id);
        self.jobs.push(Job { trace, program: consumer(), at: 0, open: vec![], parent, failed: false });
        let consumer = self.jobs.len() - 1;
        self.at(now + 1_000_000, consumer, false);
    }
}
