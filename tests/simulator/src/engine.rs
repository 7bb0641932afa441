//! The discrete-event simulation: time goes from event to event, all chance comes from one seed.

mod calls;
mod door;
mod gate;
mod tasks;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use peakdrill_bottleneck::TraceClass;
use peakdrill_drill_model::frame::RootRow;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::model::{Load, Network, Node};
use crate::trace::{Names, ORIGIN_NS, Run, Seen, Trace};
use calls::LiveCall;
use door::Door;
use gate::Gate;
use tasks::{Parent, Task};

/// The generator gives a request up after so long, nanoseconds.
const GIVE_UP_NS: i64 = 10_000_000_000;

/// Status of what went well, of what failed, and of what was refused.
const OK: u16 = 200;
/// See [`OK`].
const FAILED: u16 = 500;
/// See [`OK`].
const REFUSED: u16 = 429;

/// Milliseconds as nanoseconds.
fn ns(ms: f64) -> i64 {
    (ms * 1e6) as i64
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A request comes: journey, and whether it is a live user's.
    Request(usize, bool),
    /// An operation's request reaches its node.
    Arrive(usize),
    /// A server is done with a task.
    Served(usize),
    /// The machine has let a task go on.
    Worked(usize),
    /// An answer is back at its caller: call, generation, task.
    Answer(usize, u32, usize),
    /// A caller looks whether it gives up, or sends a second attempt beside.
    Timeout(usize, u32),
    Hedge(usize, u32),
    /// The pause before the next attempt is over.
    Again(usize),
    /// The generator has its answer.
    Done(usize),
}

/// Nanoseconds by node.
#[derive(Debug, Clone, Default)]
struct Path(smallvec::SmallVec<[(usize, i64); 4]>);

impl Path {
    fn add(&mut self, node: usize, ns: i64) {
        match self.0.iter_mut().find(|(at, _)| *at == node) {
            Some((_, sum)) => *sum += ns,
            None => self.0.push((node, ns)),
        }
    }

    fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(node, ns)| self.add(*node, *ns));
    }

    fn sum(&self) -> i64 {
        self.0.iter().map(|(_, ns)| ns).sum()
    }
}

struct Engine<'a> {
    net: &'a Network,
    load: &'a Load,
    names: Names,
    rng: ChaCha8Rng,
    now: i64,
    seq: u64,
    events: BinaryHeap<Reverse<(i64, u64, Event)>>,
    tasks: Vec<Task>,
    calls: Vec<LiveCall>,
    /// By node: its servers, in shards.
    stations: Vec<Vec<Gate>>,
    workers: Vec<Option<Gate>>,
    pools: Vec<Gate>,
    /// Who waits here is a task, at [`Engine::pools`] a call.
    held: Vec<Gate>,
    doors: Vec<Option<Door>>,
    run: Run,
}

/// Simulates a load on a network until the last request has ended. The same arguments give the same run.
#[must_use]
pub fn run(net: &Network, load: &Load, seed: u64) -> Run {
    let mut engine = Engine {
        net,
        load,
        names: Names::new(net),
        rng: ChaCha8Rng::seed_from_u64(seed),
        now: 0,
        seq: 0,
        events: BinaryHeap::new(),
        tasks: Vec::new(),
        calls: Vec::new(),
        stations: net.nodes.iter().map(stations).collect(),
        workers: net.nodes.iter().map(|node| node.workers.map(Gate::new)).collect(),
        pools: net.pools.iter().map(|size| Gate::new(*size)).collect(),
        held: net.held.iter().map(|size| Gate::new(*size)).collect(),
        doors: net.nodes.iter().map(|node| node.refuses.map(Door::new)).collect(),
        run: Run { seen: vec![Seen::default(); net.nodes.len()], ..Run::default() },
    };
    engine.arrivals();
    while let Some(Reverse((at, _, event))) = engine.events.pop() {
        engine.now = at;
        engine.step(event);
    }
    engine.run
}

fn stations(node: &Node) -> Vec<Gate> {
    let shards = node.shards.map_or(1, |(shards, _)| shards.max(1));
    (0..shards).map(|_| Gate::new((node.servers / shards).max(1))).collect()
}

impl Engine<'_> {
    /// Above 0, up to 1.
    fn chance(&mut self) -> f64 {
        1.0 - self.rng.random::<f64>()
    }

    /// What the machine adds to something that ends now, nanoseconds.
    fn noise(&mut self) -> i64 {
        let (mean_ms, crowding) = self.net.noise;
        if mean_ms <= 0.0 {
            return 0;
        }
        let crowd = 1.0 + crowding * self.load.rate_at(self.now as f64 / 1e9);
        ns(-self.chance().ln() * mean_ms * crowd)
    }

    fn at(&mut self, at: i64, event: Event) {
        self.seq += 1;
        self.events.push(Reverse((at, self.seq, event)));
    }

    fn arrivals(&mut self) {
        let load = self.load;
        let mut start = 0.0;
        for (seconds, from, to) in &load.profile {
            let mut t = 0.0;
            loop {
                t += -self.chance().ln() / (from + (to - from) * t / seconds).max(1e-3);
                if t >= *seconds {
                    break;
                }
                let journey = self.journey(&self.net.journeys);
                self.at(((start + t) * 1e9) as i64, Event::Request(journey, false));
            }
            start += seconds;
        }
        if load.live_per_s <= 0.0 {
            return;
        }
        let mix = if load.live_mix.is_empty() { &self.net.journeys } else { &load.live_mix };
        let mut t = -self.chance().ln() / load.live_per_s;
        while t < start {
            let journey = self.journey(mix);
            self.at((t * 1e9) as i64, Event::Request(journey, true));
            t += -self.chance().ln() / load.live_per_s;
        }
    }

    fn journey(&mut self, mix: &[(usize, f64)]) -> usize {
        self.one_of(mix.iter().map(|(_, part)| *part)).unwrap_or(0)
    }

    /// Position of one of these parts, each as likely as it is large; none for what they leave.
    fn one_of(&mut self, mut parts: impl Iterator<Item = f64>) -> Option<usize> {
        let mut left = self.chance();
        parts.position(|part| {
            left -= part;
            left <= 0.0
        })
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Request(journey, live) => self.request(journey, live),
            Event::Arrive(task) => self.arrive(task),
            Event::Served(task) => self.served(task),
            Event::Worked(task) => self.worked(task),
            Event::Answer(call, generation, task) => self.answer(call, generation, task),
            Event::Timeout(call, generation) => self.give_up(call, generation),
            Event::Hedge(call, generation) => self.hedge(call, generation),
            Event::Again(call) => self.attempt(call),
            Event::Done(task) => self.done(task),
        }
    }

    fn request(&mut self, journey: usize, live: bool) {
        let (high, low) = (self.rng.random::<u64>(), self.rng.random::<u64>());
        let start = ORIGIN_NS + self.now;
        let id = (u128::from(high) << 64) | u128::from(low);
        let row = (!live).then(|| RootRow {
            trace: id,
            span: self.rng.random::<u64>() | 1,
            step: u16::try_from(journey).unwrap_or(u16::MAX),
            phase: 0,
            intended_ns: start,
            sent_ns: start,
            done_ns: start,
            error: None,
            status: 200,
            sampled: true,
        });
        let class = if live { TraceClass::Live } else { TraceClass::Mine };
        self.run.traces.push(Trace { id, spans: Vec::new(), row, class, path: None });
        let trace = self.run.traces.len() - 1;
        let mix = match self.load.live_mix.as_slice() {
            [_, ..] if live => self.load.live_mix.as_slice(),
            _ => self.net.journeys.as_slice(),
        };
        let op = mix[journey].0;
        let parent_span = row.map_or(0, |row| row.span);
        self.send(trace, op, Parent::Generator(self.now), parent_span);
    }

    /// The generator's row, and the true path of the request.
    fn done(&mut self, task: usize) {
        let Parent::Generator(began) = self.tasks[task].parent else { return };
        let (node, status) = (self.net.ops[self.tasks[task].op].node, self.tasks[task].status());
        let took = self.now - began;
        let mut path = std::mem::take(&mut self.tasks[task].path);
        path.add(node, took - path.sum());
        let trace = &mut self.run.traces[self.tasks[task].trace];
        let given_up = took > GIVE_UP_NS;
        if let Some(row) = &mut trace.row {
            use peakdrill_drill_model::outcome::ErrorClass;
            row.done_ns = row.intended_ns + took.min(GIVE_UP_NS);
            row.error = match (given_up, status) {
                (true, _) => Some(ErrorClass::Timeout),
                (false, OK) => None,
                (false, status) => Some(ErrorClass::Status(status)),
            };
            row.status = if given_up { 0 } else { status };
        }
        trace.path = (self.tasks[task].whole && !given_up).then(|| path.0.to_vec());
    }
}
