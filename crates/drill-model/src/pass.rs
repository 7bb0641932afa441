//! The most that one pass through a journey does.

use crate::plan::Node;

/// The most of one pass through some steps: loops with all of their turns, of choices the most of any branch. Each figure
/// is the most by itself, so that they may be of different branches. What does not fit is the highest number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pass {
    /// Requests.
    pub requests: u64,
    /// Requests, pauses and choices, and turns of loops in which nothing stands.
    pub steps: u64,
    /// Pauses together, in nanoseconds. Of lognormal ones the mean counts: their longest is a matter of luck.
    pub pause_ns: u64,
}

impl Pass {
    /// The most of one pass through these steps.
    #[must_use]
    pub fn of(nodes: &[Node]) -> Self {
        nodes.iter().map(Self::of_one).fold(Self::default(), Self::then)
    }

    fn of_one(node: &Node) -> Self {
        let pause = |pause_ns| Self { requests: 0, steps: 1, pause_ns };
        match node {
            Node::Request(_) => Self { requests: 1, steps: 1, pause_ns: 0 },
            Node::Think { min_ns, max_ns } => pause((*max_ns).max(*min_ns)),
            Node::ThinkLognormal { median_ns, sigma, max_ns } => {
                // Mean of a lognormal distribution: median * exp(sigma^2 / 2). It saturates.
                let mean_ns = *median_ns as f64 * (sigma * sigma / 2.0).exp();
                pause((mean_ns as u64).min(*max_ns))
            }
            Node::Choose(branches) => {
                let most = branches.iter().map(|branch| Self::of(&branch.steps));
                pause(0).then(most.fold(Self::default(), Self::or))
            }
            Node::Loop(turns) => {
                let turn = Self::of(&turns.steps);
                let times = |most: u64| most.saturating_mul(u64::from(turns.max));
                Self {
                    requests: times(turn.requests),
                    steps: times(turn.steps.max(1)),
                    pause_ns: times(turn.pause_ns),
                }
            }
        }
    }

    fn then(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            steps: self.steps.saturating_add(other.steps),
            pause_ns: self.pause_ns.saturating_add(other.pause_ns),
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            requests: self.requests.max(other.requests),
            steps: self.steps.max(other.steps),
            pause_ns: self.pause_ns.max(other.pause_ns),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Branch, Loop};

    fn turns(max: u32, steps: Vec<Node>) -> Node {
        Node::Loop(Loop { min: 0, max, again: None, steps })
    }

    #[test]
    fn loops_multiply_and_choices_take_the_most() {
        let think = |max_ns| Node::Think { min_ns: 1, max_ns };
        let branch = |steps| Branch { weight: 1.0, steps };
        let choose = Node::Choose(vec![branch(vec![think(5), think(5)]), branch(vec![think(9)])]);
        let lognormal = |max_ns| Node::ThinkLognormal { median_ns: 1_000, sigma: 1.0, max_ns };
        let pass =
            Pass::of(&[turns(3, vec![choose, turns(2, vec![think(1)])]), lognormal(5_000), lognormal(7)]);
        assert_eq!(pass, Pass { requests: 0, steps: 3 * (3 + 2) + 2, pause_ns: 3 * (10 + 2) + 1_648 + 7 });
    }

    #[test]
    fn nothing_overflows() {
        let deep = (0..10).fold(turns(u32::MAX, vec![]), |inner, _| turns(u32::MAX, vec![inner]));
        assert_eq!(Pass::of(&[deep.clone(), deep]).steps, u64::MAX);
    }
}
