//! One name per node: a caller may know a service by an address, and sees it as external while the service's
//! own spans are missing. Learnt over all traces, and applied when the cells are read, never while folding.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use peakdrill_drill_model::verdict::NodeKind;

use crate::cells::Cells;
use crate::key::NodeKey;

/// Node names as they are shown.
pub(crate) struct Names {
    services: BTreeSet<Arc<str>>,
    alias: BTreeMap<Arc<str>, Arc<str>>,
}

impl Names {
    pub(crate) fn new(cells: &Cells) -> Self {
        let services = cells
            .nodes
            .keys()
            .filter(|(n, _)| n.kind == NodeKind::Service)
            .map(|(n, _)| Arc::clone(&n.name))
            .collect();
        let mut best: BTreeMap<Arc<str>, (i64, Arc<str>)> = BTreeMap::new();
        for ((peer, service), count) in &cells.aliases {
            let seen = best.entry(Arc::clone(peer)).or_insert_with(|| (0, Arc::clone(service)));
            if *count > seen.0 {
                *seen = (*count, Arc::clone(service));
            }
        }
        Self { services, alias: best.into_iter().map(|(peer, (_, service))| (peer, service)).collect() }
    }

    /// The service that a peer's name stands for, if it is one.
    pub(crate) fn service(&self, name: &Arc<str>) -> Option<Arc<str>> {
        if self.services.contains(name) {
            return Some(Arc::clone(name));
        }
        self.alias.get(name).cloned()
    }

    /// The node that a key stands for.
    pub(crate) fn of(&self, key: &NodeKey) -> NodeKey {
        if key.kind != NodeKind::External {
            return key.clone();
        }
        match self.service(&key.name) {
            Some(name) => NodeKey { name, kind: NodeKind::Service },
            None => key.clone(),
        }
    }
}
