//! What is simulated: nodes with servers, operations that work and call, and the load.

use peakdrill_bottleneck::LOOP_CALLS;
use peakdrill_drill_model::verdict::NodeKind;

/// A node: a service, a database, or a queue with its consumers.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name; a queue's consumers send spans as `NAME-worker`.
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
    /// Operations that are worked on at a time, first come first served.
    pub servers: u32,
    /// Standard deviation of the work by its mean; the distribution is lognormal, 0: constant.
    pub spread: f64,
    /// Contention and coherence: with n in work each takes `1 + σ(n−1) + κn(n−1)` times as long.
    pub usl: (f64, f64),
    /// Operations at a time, calls behind included: threads. `None`: any number.
    pub workers: Option<u32>,
    /// Who waits is not in its span yet: it stands in the accept queue.
    pub accept: bool,
    /// Every so many seconds nothing moves for so many milliseconds.
    pub stall: Option<(f64, f64)>,
    /// The servers are divided among so many shards, and this part of the work belongs to the first of them. Those of
    /// a queue are its partitions.
    pub shards: Option<(u32, f64)>,
    /// What it refuses at once; of nodes without threads.
    pub refuses: Option<Refuses>,
}

/// Which operations a node refuses at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Refuses {
    /// More than so many a second.
    Above(f64),
    /// All after so many: sold out.
    After(u32),
}

impl Node {
    /// A service with one server and nothing special.
    #[must_use]
    pub fn service(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: NodeKind::Service,
            servers: 1,
            spread: 0.5,
            usl: (0.0, 0.0),
            workers: None,
            accept: false,
            stall: None,
            shards: None,
            refuses: None,
        }
    }

    /// A node of another kind, otherwise like [`Self::service`].
    #[must_use]
    pub fn of(kind: NodeKind, name: impl Into<String>) -> Self {
        Self { kind, ..Self::service(name) }
    }

    /// Whether it sends spans of its own.
    #[must_use]
    pub fn sends_spans(&self) -> bool {
        matches!(self.kind, NodeKind::Service | NodeKind::Queue)
    }
}

/// What an operation does.
#[derive(Debug, Clone)]
pub struct Op {
    /// At which node.
    pub node: usize,
    /// Its name.
    pub name: String,
    /// One after the other.
    pub steps: Vec<Step>,
    /// Part of the operations that fail once their work is done.
    pub fails: f64,
    /// Answered by a stub of the isolation layer, as its callers' spans say.
    pub mocked: bool,
}

impl Op {
    /// One that does not fail.
    #[must_use]
    pub fn new(node: usize, name: impl Into<String>, steps: Vec<Step>) -> Self {
        Self { node, name: name.into(), steps, fails: 0.0, mocked: false }
    }
}

/// A part of an operation.
#[derive(Debug, Clone)]
pub enum Step {
    /// Work at the operation's own node, mean in milliseconds of one server.
    Work(f64),
    /// Calls that go off at once; the step ends with the last of them.
    Calls(Vec<Call>),
    /// One of these calls, each with its chance, as a balancer picks a replica; none for what the chances leave.
    OneOf(Vec<Call>),
    /// A message for an operation of a queue.
    Publish(usize),
    /// A connection of this one of [`Network::held`]: kept until the operation ends, calls included.
    Hold(usize),
}

impl Step {
    /// The calls that it may make.
    #[must_use]
    pub fn calls(&self) -> &[Call] {
        match self {
            Self::Calls(calls) | Self::OneOf(calls) => calls,
            Self::Work(_) | Self::Publish(_) | Self::Hold(_) => &[],
        }
    }
}

/// A call of another operation.
#[derive(Debug, Clone)]
pub struct Call {
    /// The operation.
    pub to: usize,
    /// Part of the times that it is made at all.
    pub chance: f64,
    /// How many, one after the other, in a loop.
    pub times: u32,
    /// Through which pool of connections.
    pub pool: Option<usize>,
    /// The caller gives up after so many milliseconds; the work goes on.
    pub timeout_ms: Option<f64>,
    /// Attempts at most.
    pub attempts: u32,
    /// Pause before the next attempt, milliseconds.
    pub backoff_ms: f64,
    /// How attempts look in the trace.
    pub style: Attempts,
    /// A second attempt goes off beside the first after so many milliseconds.
    pub hedge_ms: Option<f64>,
}

impl Call {
    /// One attempt without a limit of time.
    #[must_use]
    pub fn plain(to: usize) -> Self {
        Self {
            to,
            chance: 1.0,
            times: 1,
            pool: None,
            timeout_ms: None,
            attempts: 1,
            backoff_ms: 20.0,
            style: Attempts::Bare,
            hedge_ms: None,
        }
    }
}

/// How the attempts of a call look in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempts {
    /// Client spans side by side; nothing says that they belong together.
    Bare,
    /// The same with `http.request.resend_count`.
    Numbered,
    /// Client spans within one of the logical call.
    Framed,
    /// One client span, several of the server.
    OneClient,
}

/// A system.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// Nodes.
    pub nodes: Vec<Node>,
    /// Operations.
    pub ops: Vec<Op>,
    /// Sizes of pools of connections.
    pub pools: Vec<u32>,
    /// Sizes of pools whose connections operations keep while they call others.
    pub held: Vec<u32>,
    /// Entry operations and their part of the journeys, which add up to 1. The position is the plan's step.
    pub journeys: Vec<(usize, f64)>,
    /// One way between two nodes, milliseconds.
    pub hop_ms: f64,
    /// What the machine adds to every piece of work and every answer: mean in milliseconds of an exponential, and by
    /// which part of it that grows with each journey a second.
    pub noise: (f64, f64),
}

impl Network {
    /// Whether an operation of this node may make one call so often, one after the other, that it is a loop.
    #[must_use]
    pub fn loops(&self, node: &str) -> bool {
        let here = |op: &&Op| self.nodes.get(op.node).is_some_and(|of| of.name == node);
        let made = |op: &Op, to: usize| -> u32 {
            let at_once = |step: &Step| match step {
                Step::Calls(calls) => calls.iter().filter(|c| c.to == to).map(|c| c.times).max().unwrap_or(0),
                _ => 0,
            };
            op.steps.iter().map(at_once).sum()
        };
        self.ops
            .iter()
            .filter(here)
            .any(|op| (0..self.ops.len()).any(|to| made(op, to) as usize >= LOOP_CALLS))
    }
}

/// The load on it.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// Seconds, and journeys a second at their start and end.
    pub profile: Vec<(f64, f64, f64)>,
    /// Journeys a second of live users.
    pub live_per_s: f64,
    /// Their entry operations and parts, which add up to 1. Empty: the mix of the drill.
    pub live_mix: Vec<(usize, f64)>,
    /// Second from which the whole machine stands still, and for how many seconds.
    pub stall: Option<(f64, f64)>,
}

impl Load {
    /// Its length, seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.profile.iter().map(|(seconds, _, _)| seconds).sum()
    }

    /// Journeys a second at a second of the load, without live users'.
    #[must_use]
    pub fn rate_at(&self, mut at: f64) -> f64 {
        for (seconds, from, to) in &self.profile {
            if at < *seconds {
                return from + (to - from) * at / seconds;
            }
            at -= seconds;
        }
        0.0
    }
}
