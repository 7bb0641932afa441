//! A network in the making.

use peakdrill_drill_model::verdict::NodeKind;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::model::{Call, Network, Node, Op, Step};

/// Work of an operation until the nodes are sized: by that of the others of its node.
const UNSIZED: f64 = 1.0;
/// By which factor the parts of a mix vary.
const MIX_VARIES: f64 = 1.4;

/// A network in the making, and the chance that it is made by.
pub(crate) struct Draft {
    pub(crate) net: Network,
    /// Nodes of which one may be planted; empty: any.
    pub(crate) suspects: Vec<usize>,
    /// Nodes that add little to what is behind them, and carry it easily.
    pub(crate) light: Vec<usize>,
    /// Nodes that others offer over the internet: far away.
    pub(crate) remote: Vec<usize>,
    /// Nodes that others offer over the internet, or that stand on slow machines, and that take long also where they are what
    /// limits: a quota of calls at a time.
    pub(crate) outside: Vec<usize>,
    /// Groups of nodes that run the same program: only the number of their servers differs.
    pub(crate) twins: Vec<Vec<usize>>,
    rng: ChaCha8Rng,
}

impl Draft {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            net: Network::default(),
            suspects: Vec::new(),
            light: Vec::new(),
            remote: Vec::new(),
            outside: Vec::new(),
            twins: Vec::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Evenly between two values.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.rng.random::<f64>()
    }

    /// A whole number from `low` up to and with `high`.
    pub(crate) fn whole(&mut self, low: u32, high: u32) -> u32 {
        self.rng.random_range(low..=high)
    }

    /// Of the normal distribution.
    pub(crate) fn normal(&mut self) -> f64 {
        let (a, b) = (1.0 - self.rng.random::<f64>(), self.rng.random::<f64>());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }

    /// Whether something with this chance is so.
    pub(crate) fn is(&mut self, chance: f64) -> bool {
        self.rng.random::<f64>() < chance
    }

    /// A value whose logarithm is evenly between those of two others.
    pub(crate) fn around(&mut self, low: f64, high: f64) -> f64 {
        self.between(low.ln(), high.ln()).exp()
    }

    /// An operation of a new node.
    pub(crate) fn add(&mut self, kind: NodeKind, name: impl Into<String>) -> usize {
        let name = name.into();
        let op = format!("op of {name}");
        self.net.nodes.push(Node::of(kind, name));
        self.op(self.net.nodes.len() - 1, op)
    }

    pub(crate) fn service(&mut self, name: impl Into<String>) -> usize {
        self.add(NodeKind::Service, name)
    }

    /// A further operation of a node.
    pub(crate) fn op(&mut self, node: usize, name: impl Into<String>) -> usize {
        self.net.ops.push(Op::new(node, name, vec![Step::Work(UNSIZED)]));
        self.net.ops.len() - 1
    }

    /// Calls at once.
    pub(crate) fn together(&mut self, op: usize, calls: Vec<Call>) {
        self.net.ops[op].steps.push(Step::Calls(calls));
    }

    /// One call after what is there.
    pub(crate) fn then(&mut self, op: usize, call: Call) {
        self.together(op, vec![call]);
    }

    /// An operation works so many times as much as others of its node.
    pub(crate) fn weigh(&mut self, op: usize, weight: f64) {
        self.net.ops[op].steps[0] = Step::Work(UNSIZED * weight);
    }

    /// The pool whose connections operations of this node keep.
    pub(crate) fn holds(&self, node: usize) -> Option<usize> {
        let ops = self.net.ops.iter().filter(|op| op.node == node);
        ops.flat_map(|op| &op.steps)
            .find_map(|step| if let Step::Hold(pool) = step { Some(*pool) } else { None })
    }

    pub(crate) fn node_of(&mut self, op: usize) -> &mut Node {
        let node = self.net.ops[op].node;
        &mut self.net.nodes[node]
    }

    /// The node of an operation adds little and carries it easily.
    pub(crate) fn light(&mut self, op: usize) {
        let node = self.net.ops[op].node;
        self.light.push(node);
    }

    /// A cache: what it does is light.
    pub(crate) fn cache(&mut self, name: &str) -> usize {
        let op = self.add(NodeKind::Cache, name);
        self.light(op);
        op
    }

    /// Something of another company's.
    pub(crate) fn outside(&mut self, name: &str) -> usize {
        let op = self.add(NodeKind::External, name);
        let node = self.net.ops[op].node;
        self.outside.push(node);
        op
    }

    /// Journeys with about these parts: no two days have the same mix.
    pub(crate) fn mix(&mut self, parts: &[(usize, f64)]) {
        let drawn: Vec<f64> =
            parts.iter().map(|(_, part)| part * self.around(1.0 / MIX_VARIES, MIX_VARIES)).collect();
        let sum: f64 = drawn.iter().sum();
        self.net.journeys = parts.iter().zip(drawn).map(|((op, _), part)| (*op, part / sum)).collect();
    }

    /// A database, a cache, or something external.
    pub(crate) fn leaf(&mut self, name: &str) -> usize {
        let (kind, what) = match self.whole(0, 4) {
            0 | 1 => (NodeKind::Database, "db"),
            2 => (NodeKind::Cache, "cache"),
            3 => (NodeKind::External, "api"),
            _ => (NodeKind::Service, "leaf"),
        };
        self.add(kind, format!("{name}-{what}"))
    }
}
