//! Callee's spans of the trace, call by call: which of several attempts came first, and which one carries the time
//! between the caller and the callee.

use crate::contribute::Root;
use crate::path::pair;
use crate::tree::{Role, Tree};

/// A callee's span among the attempts of its call.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Attempt {
    /// Whether it came before the others of its call.
    pub(super) first: bool,
    /// The call's time that no attempt took, nanoseconds, where this is the one that carries it.
    pub(super) gap_ns: Option<u64>,
}

/// Per span, how it stands among the attempts of its call. Once per trace: a call may have any number of them.
pub(super) struct Attempts(Vec<Attempt>);

impl Attempts {
    pub(super) fn new(tree: &Tree<'_>, root: Option<&Root>) -> Self {
        let mut out = Self(vec![Attempt { first: true, gap_ns: None }; tree.nodes.len()]);
        for (call, place) in tree.nodes.iter().enumerate().filter(|(_, place)| place.role == Role::Call) {
            let servers: Vec<usize> = tree.served_by(call).collect();
            out.mark(tree, place.end - place.start, &servers, true);
        }
        if let Some(root) = root {
            let entries: Vec<usize> =
                tree.tops.iter().copied().filter(|at| root.is_entry_by_row(tree, *at)).collect();
            // Each is a call of the generator's: it knows its attempts.
            out.mark(tree, root.end - root.start, &entries, false);
        }
        out
    }

    fn mark(&mut self, tree: &Tree<'_>, call_ns: i64, servers: &[usize], one_call: bool) {
        let Some(pair) = pair(tree, call_ns, servers) else { return };
        self.0[pair.carrier].gap_ns = Some(pair.gap_ns.unsigned_abs());
        if one_call {
            servers.iter().for_each(|at| self.0[*at].first = *at == pair.earliest);
        }
    }

    pub(super) fn of(&self, at: usize) -> Attempt {
        self.0.get(at).copied().unwrap_or_default()
    }
}
