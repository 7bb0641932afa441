//! Where what is filed under a name belongs that is not kept.

use std::sync::Arc;

use super::{Bounds, alias_hash, call_hash, name_hash};
use crate::key::{EdgeKey, Entry, NodeKey, OTHER, TraceClass};

/// Where what is filed under a key belongs: under another key, if at all.
pub(crate) trait Filing<K> {
    fn moved(&self, key: &K) -> Option<K>;
}

fn other() -> Arc<str> {
    OTHER.into()
}

impl Filing<(NodeKey, TraceClass)> for Bounds {
    fn moved(&self, (node, class): &(NodeKey, TraceClass)) -> Option<(NodeKey, TraceClass)> {
        (!self.keeps_node(*class, &node.name)).then(|| (NodeKey { name: other(), kind: node.kind }, *class))
    }
}

impl Filing<(EdgeKey, TraceClass)> for Bounds {
    fn moved(&self, (edge, class): &(EdgeKey, TraceClass)) -> Option<(EdgeKey, TraceClass)> {
        if &*edge.from == OTHER && &*edge.op == OTHER && self.keeps_node(*class, &edge.to.name) {
            return None;
        }
        let names = self.classes.get(class)?;
        let to = NodeKey { name: Arc::clone(&edge.to.name), kind: edge.to.kind };
        if !self.keeps_node(*class, &to.name) {
            let to = NodeKey { name: other(), ..to };
            return Some((EdgeKey { from: other(), to, op: other() }, *class));
        }
        let is_kept = names.has_call(name_hash(&to.name), call_hash(&edge.from, &edge.op))
            && self.keeps_caller(*class, &edge.from);
        (!is_kept).then(|| (EdgeKey { from: other(), to, op: other() }, *class))
    }
}

impl Filing<Entry> for Bounds {
    fn moved(&self, entry: &Entry) -> Option<Entry> {
        match entry {
            Entry::Op(op) if &**op != OTHER && !self.entries.has(name_hash(op)) => Some(Entry::Op(other())),
            _ => None,
        }
    }
}

impl Filing<(Entry, TraceClass)> for Bounds {
    fn moved(&self, (entry, class): &(Entry, TraceClass)) -> Option<(Entry, TraceClass)> {
        Some((self.moved(entry)?, *class))
    }
}

impl Filing<(Entry, TraceClass, NodeKey)> for Bounds {
    fn moved(
        &self,
        (entry, class, node): &(Entry, TraceClass, NodeKey),
    ) -> Option<(Entry, TraceClass, NodeKey)> {
        let (by, at) = (self.moved(entry), self.moved(&(node.clone(), *class)));
        let is_moved = by.is_some() || at.is_some();
        let node = at.map_or_else(|| node.clone(), |(node, _)| node);
        is_moved.then(|| (by.unwrap_or_else(|| entry.clone()), *class, node))
    }
}

impl Filing<(NodeKey, TraceClass, u16)> for Bounds {
    fn moved(&self, (node, class, at): &(NodeKey, TraceClass, u16)) -> Option<(NodeKey, TraceClass, u16)> {
        self.moved(&(node.clone(), *class)).map(|(node, class)| (node, class, *at))
    }
}

impl Filing<Arc<str>> for Bounds {
    fn moved(&self, service: &Arc<str>) -> Option<Arc<str>> {
        (&**service != OTHER && !self.services.has(name_hash(service))).then(other)
    }
}

impl Filing<(Entry, Arc<str>)> for Bounds {
    fn moved(&self, (entry, service): &(Entry, Arc<str>)) -> Option<(Entry, Arc<str>)> {
        let (by, at) = (self.moved(entry), self.moved(service));
        let is_moved = by.is_some() || at.is_some();
        is_moved.then(|| (by.unwrap_or_else(|| entry.clone()), at.unwrap_or_else(|| Arc::clone(service))))
    }
}

impl Filing<(Arc<str>, Arc<str>)> for Bounds {
    fn moved(&self, (peer, service): &(Arc<str>, Arc<str>)) -> Option<(Arc<str>, Arc<str>)> {
        let is_other = &**peer == OTHER && &**service == OTHER;
        (!is_other && !self.aliases.has(alias_hash(peer, service))).then(|| (other(), other()))
    }
}
