//! Callee's spans of the trace, call by call: which of several attempts came first, and which one carries the time
//! between the caller and the callee.

use smallvec::SmallVec;

use crate::contribute::Root;
use crate::path::{overlap_tolerance, pair};
use crate::tree::{Place, Role, Tree};

/// A callee's span among the attempts of its call.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Attempt {
    /// Whether it came before the others of its call.
    pub(super) first: bool,
    /// The call's time that no attempt took, nanoseconds, where this is the one that carries it.
    pub(super) gap_ns: Option<u64>,
    /// Whether it is the only one of its call, so that the call's span tells how it ended.
    pub(super) alone: bool,
    /// Of a call: whether it is the first attempt of its logical call, as far as its own span, its frame, and those
    /// beside it say.
    pub(super) leads: bool,
    /// Whether an attempt before it of the same call was still under way when it began.
    pub(super) beside: bool,
}

/// Per span, how it stands among the attempts of its call. Once per trace: a call may have any number of them.
pub(super) struct Attempts(Vec<Attempt>);

impl Attempts {
    pub(super) fn new(tree: &Tree<'_>, root: Option<&Root>) -> Self {
        let every = Attempt { first: true, gap_ns: None, alone: true, leads: true, beside: false };
        let mut out = Self(vec![every; tree.nodes.len()]);
        for (call, place) in tree.nodes.iter().enumerate().filter(|(_, place)| place.role == Role::Call) {
            let servers: SmallVec<[usize; 4]> = tree.served_by(call).collect();
            let caller = place.parent.filter(|p| tree.nodes[*p].span.service == place.span.service);
            out.mark(tree, place.end - place.start, &servers, true, caller.is_some());
        }
        out.mark_led(tree);
        out.mark_repeated(tree);
        if let Some(root) = root {
            let entries: Vec<usize> =
                tree.tops.iter().copied().filter(|at| root.is_entry_by_row(tree, *at)).collect();
            // Each is a call of the generator's: it knows its attempts.
            out.mark(tree, root.end - root.start, &entries, false, false);
        }
        out
    }

    /// `caller_known`: pauses between attempts are the caller's then, as on the critical path.
    fn mark(&mut self, tree: &Tree<'_>, call_ns: i64, servers: &[usize], one_call: bool, caller_known: bool) {
        let Some(pair) = pair(tree, call_ns, servers) else { return };
        let pause_ns = if caller_known { 0 } else { pair.pause_ns };
        self.0[pair.carrier].gap_ns = Some((pair.gap_ns + pause_ns).unsigned_abs());
        if one_call {
            for at in servers {
                self.0[*at].first = *at == pair.earliest;
                self.0[*at].alone = servers.len() == 1;
            }
            self.mark_beside(tree, servers, Some(call_ns));
        }
    }

    /// Attempts of one call, those marked that began while one before was under way. `call_ns`: of the called side's spans,
    /// how long the call took. Two instances may have two clocks: there what fits into the call one after the other is.
    fn mark_beside(&mut self, tree: &Tree<'_>, attempts: &[usize], call_ns: Option<i64>) {
        if attempts.len() < 2 {
            return;
        }
        let mut sorted: SmallVec<[usize; 4]> = attempts.iter().copied().collect();
        sorted.sort_unstable_by_key(|at| (tree.nodes[*at].start, *at));
        let long = sorted.iter().map(|at| tree.nodes[*at].end - tree.nodes[*at].start);
        let fits = call_ns.is_some_and(|call_ns| long.fold(0, i64::saturating_add) <= call_ns);
        let mut before: Option<usize> = None;
        for at in sorted {
            let place = &tree.nodes[at];
            if let Some(before) = before.map(|before| &tree.nodes[before]) {
                let clocks_agree = before.span.instance == place.span.instance;
                // That it failed is known a moment before its span is closed.
                let moment = if before.span.error { overlap_tolerance(before.end - before.start) } else { 0 };
                self.0[at].beside = place.start < before.end - moment && (clocks_agree || !fits);
            }
            before = before.filter(|before| tree.nodes[*before].end > place.end).or(Some(at));
        }
    }

    /// A call that says it is a resend leads nothing; within the frame of a logical call, the first by start does.
    fn mark_led(&mut self, tree: &Tree<'_>) {
        for (at, place) in tree.nodes.iter().enumerate().filter(|(_, place)| place.role == Role::Call) {
            self.0[at].leads &= place.span.resend == 0;
            if place.kids.len() < 2 {
                continue;
            }
            let within = || place.kids.iter().copied().filter(|k| tree.nodes[*k].role == Role::Call);
            let first = within().min_by_key(|k| (tree.nodes[*k].start, *k));
            within().filter(|k| Some(*k) != first).for_each(|k| self.0[k].leads = false);
            let attempts: SmallVec<[usize; 4]> = within().collect();
            self.mark_beside(tree, &attempts, None);
        }
    }

    /// Calls of the same thing beside each other, one after the other, of which all but the last failed: attempts of
    /// one call. Where one went well before the last it is a loop, and none of it is a retry.
    fn mark_repeated(&mut self, tree: &Tree<'_>) {
        let is_call = |at: &usize| tree.nodes[*at].role == Role::Call;
        // Where none failed and none says that it is made again, there is no attempt: of most operations.
        let may_be = |at: &usize| {
            let span = tree.nodes[*at].span;
            is_call(at) && (span.error || span.resend > 0)
        };
        let several = |p: &&Place<'_>| p.role != Role::Call && p.kids.len() > 1 && p.kids.iter().any(may_be);
        for place in tree.nodes.iter().filter(several) {
            let mut calls: Vec<usize> = place.kids.iter().copied().filter(is_call).collect();
            let key = |at: usize| {
                let span = tree.nodes[at].span;
                (&span.peer, &span.op)
            };
            calls.sort_by(|a, b| key(*a).cmp(&key(*b)).then(tree.nodes[*a].start.cmp(&tree.nodes[*b].start)));
            for same in calls.chunk_by(|a, b| key(*a) == key(*b)) {
                let follows = |(a, b): (&Place<'_>, &Place<'_>)| a.span.error && a.end <= b.start;
                let chain = same.windows(2).all(|w| follows((&tree.nodes[w[0]], &tree.nodes[w[1]])));
                same.iter().skip(1).filter(|_| chain).for_each(|at| self.0[*at].leads = false);
                // All but one say that they are made again: they are of that one.
                if same.iter().filter(|at| tree.nodes[**at].span.resend == 0).count() == 1 {
                    self.mark_beside(tree, same, None);
                }
            }
        }
    }

    pub(super) fn of(&self, at: usize) -> Attempt {
        self.0.get(at).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
