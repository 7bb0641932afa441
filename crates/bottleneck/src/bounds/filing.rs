//! Where what is filed under a name belongs that is not kept.
//!
//! Where it belongs in the end must not depend on where it lay in between: what lost a part of its name for good is moved
//! to where all is that may have lost it.

use std::sync::Arc;

use super::{Bounds, OfClass, alias_hash, call_hash, is_no_node, name_hash};
use crate::key::{EdgeKey, Entry, NodeKey, OTHER, TraceClass};

/// Where what is filed under a key belongs: under another key, if at all.
pub(crate) trait Filing<K> {
    fn moved(&self, key: &K) -> Option<K>;
}

fn other() -> Arc<str> {
    OTHER.into()
}

/// Both, when one of them is moved.
fn either<A: Clone, B: Clone>(moved: (Option<A>, Option<B>), from: (&A, &B)) -> Option<(A, B)> {
    let is_moved = moved.0.is_some() || moved.1.is_some();
    is_moved.then(|| (moved.0.unwrap_or_else(|| from.0.clone()), moved.1.unwrap_or_else(|| from.1.clone())))
}

impl Filing<NodeKey> for OfClass {
    fn moved(&self, node: &NodeKey) -> Option<NodeKey> {
        (!self.keeps_node(&node.name)).then(|| NodeKey { name: other(), kind: node.kind })
    }
}

impl Filing<EdgeKey> for OfClass {
    fn moved(&self, edge: &EdgeKey) -> Option<EdgeKey> {
        if !self.keeps_called(&edge.to.name) {
            return self.among_many(edge);
        }
        if !self.keeps_caller(&edge.from, &edge.to.name) {
            let moved = EdgeKey { from: other(), op: other(), ..edge.clone() };
            return self.among_many(&moved).or(Some(moved)).filter(|moved| moved != edge);
        }
        let is_kept =
            &*edge.op == OTHER || self.calls.has(name_hash(&edge.to.name), call_hash(&edge.from, &edge.op));
        let moved = (!is_kept).then(|| EdgeKey { op: other(), ..edge.clone() });
        self.among_many(moved.as_ref().unwrap_or(edge)).or(moved)
    }
}

impl OfClass {
    /// A call into one of the nodes that are not kept, or into those that stand for them. The caller keeps its name as long as
    /// none lost it for want of room for callers.
    fn among_many(&self, edge: &EdgeKey) -> Option<EdgeKey> {
        let is_many = &*edge.to.name == OTHER && &*edge.op == OTHER;
        if !is_many && self.keeps_called(&edge.to.name) {
            return None;
        }
        let keeps = is_no_node(&edge.from) || !self.callers.is_thinned() && self.keeps_node(&edge.from);
        let from = if keeps { Arc::clone(&edge.from) } else { other() };
        let moved = EdgeKey { from, to: NodeKey { name: other(), kind: edge.to.kind }, op: other() };
        (moved != *edge).then_some(moved)
    }
}

impl Filing<Entry> for OfClass {
    fn moved(&self, entry: &Entry) -> Option<Entry> {
        match entry {
            Entry::Op(op) if !self.keeps_entry(op) => Some(Entry::Op(other())),
            _ => None,
        }
    }
}

impl Filing<Arc<str>> for OfClass {
    fn moved(&self, service: &Arc<str>) -> Option<Arc<str>> {
        (&**service != OTHER && !self.services.has(name_hash(service))).then(other)
    }
}

impl Filing<(Arc<str>, Arc<str>)> for OfClass {
    fn moved(&self, (peer, service): &(Arc<str>, Arc<str>)) -> Option<(Arc<str>, Arc<str>)> {
        let is_other = &**peer == OTHER && &**service == OTHER;
        (!is_other && !self.aliases.has(alias_hash(peer, service))).then(|| (other(), other()))
    }
}

/// A name with whose it is: kept or not as those of that class are.
impl<K> Filing<(K, TraceClass)> for Bounds
where
    OfClass: Filing<K>,
{
    fn moved(&self, (name, class): &(K, TraceClass)) -> Option<(K, TraceClass)> {
        Some((self.of(*class)?.moved(name)?, *class))
    }
}

impl Filing<(Entry, TraceClass, NodeKey)> for Bounds {
    fn moved(&self, key: &(Entry, TraceClass, NodeKey)) -> Option<(Entry, TraceClass, NodeKey)> {
        let (entry, class, node) = key;
        let names = self.of(*class)?;
        let (entry, node) = either((names.moved(entry), names.moved(node)), (entry, node))?;
        Some((entry, *class, node))
    }
}

impl Filing<(NodeKey, TraceClass, u16)> for Bounds {
    fn moved(&self, (node, class, at): &(NodeKey, TraceClass, u16)) -> Option<(NodeKey, TraceClass, u16)> {
        Some((self.of(*class)?.moved(node)?, *class, *at))
    }
}

/// Steps are the drill's. Of others it is not known here whose they are: those that may be anybody's are asked.
impl Filing<(Entry, Arc<str>)> for Bounds {
    fn moved(&self, (entry, service): &(Entry, Arc<str>)) -> Option<(Entry, Arc<str>)> {
        let whose = if matches!(entry, Entry::Step(_)) { TraceClass::Mine } else { TraceClass::Live };
        let names = self.of(whose)?;
        either((names.moved(entry), names.moved(service)), (entry, service))
    }
}
