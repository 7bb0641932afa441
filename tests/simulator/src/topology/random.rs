//! Random shapes after what is known of large systems: most nodes are leaves or in the middle, a few call many.

use crate::model::Call;
use crate::topology::Draft;

/// Nodes of a tree at most.
const TREE_MAX: usize = 24;

/// A tree with a heavy tail: each node calls few, some call many.
pub(super) fn tree(draft: &mut Draft) {
    let root = draft.service("gateway");
    draft.net.journeys.push((root, 1.0));
    let wanted = (draft.around(6.0, TREE_MAX as f64)) as usize;
    let mut open = std::collections::VecDeque::from([(root, 0)]);
    while let Some((parent, depth)) = open.pop_front() {
        let tail = draft.between(0.0, 1.0).max(1e-3).powf(-0.6);
        let kids = (tail as usize).clamp(1, 6).min(wanted.saturating_sub(draft.net.nodes.len()));
        let mut calls = Vec::new();
        for _ in 0..kids {
            let name = format!("n{}", draft.net.nodes.len());
            let inner = depth < 4 && draft.is(0.6);
            let kid = if inner { draft.service(name) } else { draft.leaf(&name) };
            if inner {
                open.push_back((kid, depth + 1));
            }
            let chance = if draft.is(0.25) { draft.between(0.3, 1.0) } else { 1.0 };
            let times = if draft.is(0.1) { draft.whole(2, 4) } else { 1 };
            calls.push(Call { chance, times, ..Call::plain(kid) });
        }
        if draft.is(0.4) {
            draft.together(parent, calls);
        } else {
            calls.into_iter().for_each(|call| draft.then(parent, call));
        }
    }
}

/// Services in layers, each calling some of the next; two journeys through them.
pub(super) fn layers(draft: &mut Draft) {
    let entries = [draft.service("shop"), draft.service("account")];
    let part = draft.between(0.4, 0.6);
    draft.net.journeys = vec![(entries[0], part), (entries[1], 1.0 - part)];
    let mut above = entries.to_vec();
    for layer in 0..3 {
        let width = draft.whole(3, 6);
        let here: Vec<usize> = (0..width)
            .map(|i| {
                let name = format!("l{layer}-{i}");
                if layer == 2 { draft.leaf(&name) } else { draft.service(name) }
            })
            .collect();
        for caller in above {
            let first = draft.whole(0, width - 1) as usize;
            let count = draft.whole(1, 3).min(width) as usize;
            let called: Vec<Call> = (0..count).map(|i| Call::plain(here[(first + i) % here.len()])).collect();
            if draft.is(0.5) {
                draft.together(caller, called);
            } else {
                called.into_iter().for_each(|call| draft.then(caller, call));
            }
        }
        above = here;
    }
}
