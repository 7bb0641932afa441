//! Places for the nodes of a call graph: layers from left to right.

use std::collections::{BTreeMap, BTreeSet};

/// A graph laid out: layers from left to right, each from top to bottom, as indices of nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layers {
    /// Names, in the order of first mention.
    pub(crate) nodes: Vec<String>,
    /// Nodes of each layer. Indices beyond `nodes` keep a place free for a call that passes through.
    pub(crate) layers: Vec<Vec<usize>>,
    /// The places that a call passes through on its way, for calls that skip layers.
    pub(crate) through: BTreeMap<(usize, usize), Vec<usize>>,
}

/// Lays out a graph of calls. A node lies to the right of all its callers; calls that close a circle are
/// ignored for that.
pub(crate) fn layers(edges: &[(&str, &str)], first: &str) -> Layers {
    let mut index: BTreeMap<&str, usize> = BTreeMap::new();
    let mut nodes: Vec<String> = Vec::new();
    for name in edges.iter().flat_map(|(from, to)| [*from, *to]) {
        index.entry(name).or_insert_with(|| {
            nodes.push(name.to_owned());
            nodes.len() - 1
        });
    }
    let mut calls: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); nodes.len()];
    for (from, to) in edges {
        if let (Some(from), Some(to)) = (index.get(from), index.get(to)) {
            calls[*from].insert(*to);
        }
    }
    let mut starts: Vec<usize> = index.get(first).copied().into_iter().collect();
    let called: BTreeSet<usize> = calls.iter().flatten().copied().collect();
    starts.extend((0..nodes.len()).filter(|node| !called.contains(node)));
    starts.extend(0..nodes.len());
    let order = forward_order(&calls, &starts);
    let mut depth = vec![0_usize; nodes.len()];
    for (place, node) in order.iter().enumerate() {
        for next in calls[*node].iter().filter(|next| order[place + 1..].contains(next)) {
            depth[*next] = depth[*next].max(depth[*node] + 1);
        }
    }
    let mut layers: Vec<Vec<usize>> = vec![Vec::new(); depth.iter().max().map_or(0, |max| max + 1)];
    order.iter().for_each(|node| layers[depth[*node]].push(*node));
    let through = pass_through(&mut layers, &mut calls, &depth);
    settle(&mut layers, &calls);
    Layers { nodes, layers, through }
}

/// Gives calls that skip layers a place in each layer between, so that they are drawn around nodes.
fn pass_through(
    layers: &mut [Vec<usize>],
    calls: &mut Vec<BTreeSet<usize>>,
    depth: &[usize],
) -> BTreeMap<(usize, usize), Vec<usize>> {
    let mut through = BTreeMap::new();
    for from in 0..depth.len() {
        for to in calls[from].clone() {
            let places: Vec<usize> =
                (depth[from] + 1..depth[to]).map(|layer| stand_in(layers, calls, layer)).collect();
            let way: Vec<usize> = [from].into_iter().chain(places.iter().copied()).chain([to]).collect();
            way.windows(2).for_each(|pair| {
                calls[pair[0]].insert(pair[1]);
            });
            if !places.is_empty() {
                calls[from].remove(&to);
                through.insert((from, to), places);
            }
        }
    }
    through
}

fn stand_in(layers: &mut [Vec<usize>], calls: &mut Vec<BTreeSet<usize>>, layer: usize) -> usize {
    calls.push(BTreeSet::new());
    layers[layer].push(calls.len() - 1);
    calls.len() - 1
}

/// Every node once, callers before the called wherever there is no circle: depth first, without recursion.
fn forward_order(calls: &[BTreeSet<usize>], starts: &[usize]) -> Vec<usize> {
    let mut seen = vec![false; calls.len()];
    let mut order = Vec::new();
    for start in starts {
        let mut stack = vec![(*start, false)];
        while let Some((node, done)) = stack.pop() {
            if done {
                order.push(node);
            } else if !seen[node] {
                seen[node] = true;
                stack.push((node, true));
                stack
                    .extend(calls[node].iter().rev().filter(|next| !seen[**next]).map(|next| (*next, false)));
            }
        }
    }
    order.reverse();
    order
}

/// Orders each layer by the mean place of its callers, so that fewer calls cross.
fn settle(layers: &mut [Vec<usize>], calls: &[BTreeSet<usize>]) {
    let mut place: BTreeMap<usize, f64> = BTreeMap::new();
    for layer in layers {
        let mean = |node: &usize| {
            let above: Vec<f64> =
                place.iter().filter(|(from, _)| calls[**from].contains(node)).map(|(_, y)| *y).collect();
            if above.is_empty() { 0.5 } else { above.iter().sum::<f64>() / above.len() as f64 }
        };
        let mut keyed: Vec<(f64, usize)> = layer.iter().map(|node| (mean(node), *node)).collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let size = keyed.len() as f64;
        for (index, (_, node)) in keyed.iter().enumerate() {
            place.insert(*node, (index as f64 + 0.5) / size);
        }
        *layer = keyed.into_iter().map(|(_, node)| node).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_lie_left_of_the_called() {
        let found = layers(
            &[("load", "gateway"), ("gateway", "order"), ("gateway", "stock"), ("order", "stock")],
            "load",
        );
        let name = |node: &usize| found.nodes.get(*node).map_or("-", String::as_str);
        let names: Vec<Vec<&str>> =
            found.layers.iter().map(|layer| layer.iter().map(name).collect()).collect();
        assert_eq!(names, [vec!["load"], vec!["gateway"], vec!["order", "-"], vec!["stock"]]);
        assert_eq!(found.through.get(&(1, 3)), Some(&vec![4]), "gateway to stock passes beside order");
    }

    #[test]
    fn a_circle_ends() {
        let found = layers(&[("load", "a"), ("a", "b"), ("b", "a"), ("c", "c")], "load");
        assert_eq!(found.layers.iter().map(Vec::len).sum::<usize>(), 4);
    }
}
