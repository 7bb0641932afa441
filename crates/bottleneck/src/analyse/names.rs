//! One name per node: a caller may know a service by an address, and sees it as external while the service's
//! own spans are missing. Learnt over all traces, and applied when the cells are read, never while folding.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use peakdrill_drill_model::verdict::NodeKind;

use crate::cells::Cells;
use crate::key::{NodeKey, OTHER};

/// Each peer's name with the service that it was seen to be most often.
fn known_as(seen: &BTreeMap<(Arc<str>, Arc<str>), i64>) -> BTreeMap<Arc<str>, Arc<str>> {
    let mut best: BTreeMap<Arc<str>, (i64, Arc<str>)> = BTreeMap::new();
    for ((peer, service), count) in seen {
        let known = best.entry(Arc::clone(peer)).or_insert_with(|| (0, Arc::clone(service)));
        if *count > known.0 {
            *known = (*count, Arc::clone(service));
        }
    }
    best.into_iter().map(|(peer, (_, service))| (peer, service)).collect()
}

/// Node names as they are shown.
pub(crate) struct Names {
    services: BTreeSet<Arc<str>>,
    alias: BTreeMap<Arc<str>, Arc<str>>,
    /// Names were left out for want of room: [`OTHER`] is none.
    some_left_out: bool,
}

impl Names {
    pub(crate) fn new(cells: &Cells) -> Self {
        let services = cells
            .nodes
            .keys()
            .filter(|(n, _)| n.kind == NodeKind::Service && !cells.stands_for_many(&n.name))
            .map(|(n, _)| Arc::clone(&n.name))
            .collect();
        // What live users call a service is asked only where the drill says nothing: it may be left out, and must not
        // rename what the drill came to.
        let mut alias = known_as(&cells.aliases_of_others);
        alias.extend(known_as(&cells.aliases));
        let some_left_out = cells.stands_for_many(OTHER);
        alias.retain(|peer, service| !some_left_out || [peer, service].iter().all(|name| &***name != OTHER));
        Self { services, alias, some_left_out }
    }

    /// Whether a name stands for all for which there was no room: nothing is said of it.
    pub(crate) fn stands_for_many(&self, name: &str) -> bool {
        self.some_left_out && name == OTHER
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
