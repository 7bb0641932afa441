//! What each node can carry: the truth that a drill is to find.

use serde::Serialize;

use crate::config::{Bottleneck, Node};

const NS_PER_MS: u64 = 1_000_000;

/// The capacity of one node: so many servers, each busy for the mean service time with one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Servers.
    pub slots: usize,
    /// Mean service time in nanoseconds.
    pub mean_ns: u64,
}

impl Capacity {
    const fn new(slots: usize, mean_ms: u64) -> Self {
        Self { slots, mean_ns: mean_ms * NS_PER_MS }
    }

    /// Operations a second when all servers are always busy.
    #[must_use]
    pub fn ops_per_s(self) -> f64 {
        self.slots as f64 * 1e9 / self.mean_ns as f64
    }

    /// The capacity of a node: 500 operations a second and more, or 100 when it is the bottleneck.
    #[must_use]
    pub const fn of(node: Node, bottleneck: Bottleneck) -> Self {
        match (node, bottleneck) {
            (Node::Stock, Bottleneck::Stock) | (Node::Payment, Bottleneck::Payment) => Self::new(5, 50),
            (Node::OrderDb, Bottleneck::OrderDb) => Self::new(4, 40),
            (Node::Bank, Bottleneck::Bank) => Self::new(8, 80),
            (Node::Queue, Bottleneck::Queue) => Self::new(3, 30),
            (Node::Gateway, _) => Self::new(16, 1),
            (Node::Order | Node::OrderDb, _) => Self::new(6, 10),
            (Node::Stock | Node::Payment, _) => Self::new(8, 16),
            (Node::Bank, _) => Self::new(10, 20),
            (Node::Queue, _) => Self::new(5, 10),
        }
    }
}

/// How many operations of a node one placed order, one look at the items and one look at an order need.
const fn operations(node: Node) -> [u32; 3] {
    match node {
        Node::Gateway => [1, 1, 1],
        Node::Order | Node::OrderDb => [1, 0, 1],
        Node::Stock => [1, 1, 0],
        Node::Payment | Node::Bank | Node::Queue => [1, 0, 0],
    }
}

/// One node of `truth.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeTruth {
    /// Operations a second that it can carry.
    pub ops_per_s: f64,
    /// Its servers.
    pub slots: usize,
    /// Mean service time in milliseconds.
    pub service_ms: f64,
    /// Operations that one placed order needs.
    pub ops_per_order: u32,
    /// Operations that one look at the items needs.
    pub ops_per_browse: u32,
    /// Operations that one look at an order needs.
    pub ops_per_order_read: u32,
}

/// `truth.json`: what was planted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Truth {
    /// The planted bottleneck's word.
    pub bottleneck: &'static str,
    /// Per node.
    pub nodes: std::collections::BTreeMap<&'static str, NodeTruth>,
}

impl Truth {
    /// What is true with this bottleneck planted.
    #[must_use]
    pub fn of(bottleneck: Bottleneck) -> Self {
        let nodes = Node::ALL.iter().map(|node| {
            let capacity = Capacity::of(*node, bottleneck);
            let [ops_per_order, ops_per_browse, ops_per_order_read] = operations(*node);
            let truth = NodeTruth {
                ops_per_s: capacity.ops_per_s(),
                slots: capacity.slots,
                service_ms: capacity.mean_ns as f64 / NS_PER_MS as f64,
                ops_per_order,
                ops_per_browse,
                ops_per_order_read,
            };
            (node.as_str(), truth)
        });
        Self { bottleneck: bottleneck.as_str(), nodes: nodes.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bottleneck, Truth};

    #[test]
    fn only_the_planted_node_is_slow() {
        for bottleneck in Bottleneck::ALL {
            let truth = Truth::of(*bottleneck);
            for (name, node) in &truth.nodes {
                if *name == bottleneck.as_str() {
                    assert!((node.ops_per_s - 100.0).abs() < 1e-9, "{name}: {}", node.ops_per_s);
                } else {
                    assert!(node.ops_per_s >= 500.0, "{name}: {}", node.ops_per_s);
                }
            }
        }
    }
}
