//! Names that senders choose: how many are kept over all traces. What is over is filed under [`OTHER`].
//!
//! A name is kept while its hash begins with so many zeros. When more names are kept than may be, one zero more is asked
//! for, and cells of names that do not have it are moved to [`OTHER`]; cells are sums, so nothing is lost but the name.
//! How many zeros are asked for in the end depends on the set of names alone, and so do the cells: neither the order of
//! traces, nor when they were folded, nor what was taken back, makes a difference. See the decision record 010.
//!
//! First the calls into each node are bounded, then nodes: one service with ids in the names of its operations costs
//! its own operations and no others. The drill's own traces are counted apart from those of live users.

mod filing;

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::{HashMap, HashSet};
use serde::{Deserialize, Serialize};

use crate::key::{EdgeKey, LOAD, OTHER, TraceClass, UNKNOWN, USERS};
pub(crate) use filing::Filing;

/// How many names are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameLimits {
    /// Nodes of a class of traces; where this is reached, each has as many calls into it as leave room for all.
    pub nodes: usize,
    /// Callers with operations, into one node.
    pub calls: usize,
    /// The same over all nodes of a class.
    pub edges: usize,
    /// Operations by which requests of no drill entered the system.
    pub entries: usize,
    /// The same times the nodes.
    pub paths: usize,
    /// Services, and pairs of a peer's name and the service that it is.
    pub services: usize,
}

impl Default for NameLimits {
    fn default() -> Self {
        let (nodes, edges, paths) = (4_096, 65_536, 262_144);
        Self { nodes, calls: 2_048, edges, entries: 1_024, paths, services: 8_192 }
    }
}

/// A name of a trace, by its hash: what may be filed under it must not depend on what else of the trace is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Note {
    Node(TraceClass, u64),
    Call(TraceClass, u64, u64),
    Entry(u64),
    Service(u64),
    Alias(u64),
}

/// A hash that is the same everywhere and for ever: FNV-1a over the parts, each with an end, and the last mixing of
/// `MurmurHash3`, since of FNV the first bits hardly differ.
fn hash<'a>(parts: impl IntoIterator<Item = &'a str>) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
        }
    }
    hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}

pub(crate) fn name_hash(name: &str) -> u64 {
    hash([name])
}

/// A call into a node. Callers that are no nodes are one: which of them it is may not be known yet.
pub(crate) fn call_hash(from: &str, op: &str) -> u64 {
    hash([if [LOAD, USERS, UNKNOWN].contains(&from) { "" } else { from }, op])
}

/// As the text of an [`Entry`] has it.
pub(crate) fn entry_hash(service: &str, op: &str) -> u64 {
    name_hash(&format!("{service} {op}"))
}

pub(crate) fn alias_hash(peer: &str, service: &str) -> u64 {
    hash([peer, service])
}

/// Names of one kind that are kept.
#[derive(Debug, Clone, Default)]
struct Kept {
    /// Zeros that a hash begins with.
    zeros: u32,
    hashes: HashSet<u64>,
    /// The most that were kept at once: as many as there are, up to the limit.
    most: usize,
}

impl Kept {
    fn has(&self, hash: u64) -> bool {
        hash.leading_zeros() >= self.zeros
    }

    /// True when names that were kept are not any more.
    fn note(&mut self, hash: u64, max: usize) -> bool {
        self.has(hash) && self.hashes.insert(hash) && self.trim(max)
    }

    fn trim(&mut self, max: usize) -> bool {
        self.most = self.most.max(self.hashes.len()).min(max);
        let before = self.zeros;
        while self.hashes.len() > max && self.zeros < u64::BITS {
            self.zeros += 1;
            self.hashes.retain(|hash| hash.leading_zeros() >= self.zeros);
        }
        self.zeros > before
    }

    fn merge(&mut self, other: &Self, max: usize) -> bool {
        let before = self.zeros;
        if other.zeros > self.zeros {
            self.zeros = other.zeros;
            self.hashes.retain(|hash| hash.leading_zeros() >= other.zeros);
        }
        self.most = self.most.max(other.most);
        self.hashes.extend(other.hashes.iter().filter(|hash| hash.leading_zeros() >= self.zeros));
        self.trim(max);
        self.zeros > before
    }
}

/// The names of the traces of one class.
#[derive(Debug, Clone)]
struct OfClass {
    nodes: Kept,
    /// By the hash of the node that is called.
    calls: HashMap<u64, Kept>,
    calls_max: usize,
    /// Over all nodes, [`Kept::most`].
    calls_most: usize,
}

impl OfClass {
    fn new(limits: &NameLimits) -> Self {
        let (nodes, calls) = (Kept::default(), HashMap::default());
        Self { nodes, calls, calls_max: limits.calls, calls_most: 0 }
    }

    fn node(&mut self, node: u64, limits: &NameLimits) -> bool {
        if !self.nodes.note(node, limits.nodes) {
            return false;
        }
        self.flooded(limits);
        true
    }

    /// There are more nodes than may be: calls into those that were left out were counted or not, as they came, so the
    /// limit of calls must not follow from their count.
    fn flooded(&mut self, limits: &NameLimits) {
        self.calls.retain(|node, _| self.nodes.has(*node));
        self.limit_calls(least_calls(limits));
    }

    fn call(&mut self, node: u64, call: u64, limits: &NameLimits) -> bool {
        if !self.nodes.has(node) {
            return false;
        }
        let calls = self.calls.entry(node).or_default();
        let before = calls.most;
        let lowered = calls.note(call, self.calls_max);
        self.calls_most += calls.most - before;
        lowered | self.fit(limits)
    }

    /// Lowers the limit of calls into one node until those into all of them have room.
    fn fit(&mut self, limits: &NameLimits) -> bool {
        let before = self.calls_max;
        while self.calls_most > limits.edges && self.calls_max > least_calls(limits) {
            self.limit_calls((self.calls_max / 2).max(least_calls(limits)));
        }
        self.calls_max < before
    }

    fn limit_calls(&mut self, max: usize) {
        self.calls_max = self.calls_max.min(max);
        for calls in self.calls.values_mut() {
            calls.trim(self.calls_max);
        }
        self.calls_most = self.calls.values().map(|calls| calls.most).sum();
    }

    fn merge(&mut self, other: &Self, limits: &NameLimits) -> bool {
        let mut lowered = self.nodes.merge(&other.nodes, limits.nodes);
        self.calls_max = self.calls_max.min(other.calls_max);
        for (node, calls) in &other.calls {
            self.calls.entry(*node).or_default().merge(calls, self.calls_max);
        }
        if self.nodes.zeros > 0 {
            self.flooded(limits);
        }
        self.limit_calls(self.calls_max);
        lowered |= self.fit(limits);
        lowered |= self.calls.values().any(|calls| calls.zeros > 0);
        lowered
    }

    fn has_call(&self, node: u64, call: u64) -> bool {
        self.calls.get(&node).is_none_or(|calls| calls.has(call))
    }
}

/// The calls into one node, where there are as many nodes as may be.
fn least_calls(limits: &NameLimits) -> usize {
    (limits.edges / limits.nodes.max(1)).clamp(1, limits.calls.max(1))
}

/// What is kept, and what was asked of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bounds {
    limits: NameLimits,
    classes: BTreeMap<TraceClass, OfClass>,
    entries: Kept,
    services: Kept,
    aliases: Kept,
    /// Something was left out.
    used: bool,
}

/// What is stored of it: how many zeros are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stored {
    /// By class: nodes; the limit of calls into one.
    classes: BTreeMap<TraceClass, (u32, usize)>,
    entries: u32,
    services: u32,
    aliases: u32,
}

impl Bounds {
    pub(crate) fn new(limits: NameLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Whether all names are kept.
    pub(crate) fn is_unused(bounds: &Arc<Self>) -> bool {
        !bounds.used
    }

    /// Takes names in; true when some that were kept are not any more.
    pub(crate) fn note(&mut self, notes: &[Note]) -> bool {
        let limits = self.limits;
        let mut lowered = false;
        for note in notes {
            lowered |= match *note {
                Note::Node(class, node) => {
                    let before = self.widest();
                    let lowered = self.of_class(class).node(node, &limits);
                    lowered | (self.widest() > before && self.entries.trim(self.entries_max()))
                }
                Note::Call(class, node, call) => self.of_class(class).call(node, call, &limits),
                Note::Entry(entry) => self.entries.note(entry, self.entries_max()),
                Note::Service(service) => self.services.note(service, limits.services),
                Note::Alias(alias) => self.aliases.note(alias, limits.services),
            };
        }
        self.used |= lowered;
        lowered
    }

    /// Takes in the names of other traces; as [`Self::note`].
    pub(crate) fn merge(&mut self, other: &Self) -> bool {
        let limits = self.limits;
        let mut lowered = other.used;
        for (class, names) in &other.classes {
            lowered |= self.of_class(*class).merge(names, &limits);
        }
        lowered |= self.entries.merge(&other.entries, self.entries_max());
        lowered |= self.services.merge(&other.services, limits.services);
        lowered |= self.aliases.merge(&other.aliases, limits.services);
        self.used |= lowered;
        lowered
    }

    fn of_class(&mut self, class: TraceClass) -> &mut OfClass {
        self.classes.entry(class).or_insert_with(|| OfClass::new(&self.limits))
    }

    /// Nodes of the class that has most.
    fn widest(&self) -> usize {
        self.classes.values().map(|names| names.nodes.most).max().unwrap_or(0)
    }

    fn entries_max(&self) -> usize {
        let nodes = self.widest().max(1).next_power_of_two();
        (self.limits.paths / nodes).clamp(1, self.limits.entries.max(1))
    }

    fn keeps_node(&self, class: TraceClass, name: &str) -> bool {
        name == OTHER || self.classes.get(&class).is_none_or(|names| names.nodes.has(name_hash(name)))
    }

    fn keeps_caller(&self, class: TraceClass, name: &str) -> bool {
        [LOAD, USERS, UNKNOWN].contains(&name) || self.keeps_node(class, name)
    }
}

/// Whether a call is filed under a name that stands for many.
pub(crate) fn is_other(edge: &EdgeKey) -> bool {
    &*edge.op == OTHER
}

// How much is asked of names is what cells are equal by, and what is stored of them; which names there were is no result.
impl Bounds {
    fn stored(&self) -> Stored {
        let of = |names: &OfClass| (names.nodes.zeros, names.calls_max);
        Stored {
            classes: self.classes.iter().map(|(class, names)| (*class, of(names))).collect(),
            entries: self.entries.zeros,
            services: self.services.zeros,
            aliases: self.aliases.zeros,
        }
    }
}

impl PartialEq for Bounds {
    fn eq(&self, other: &Self) -> bool {
        match (self.used, other.used) {
            (false, false) => true,
            (true, true) => self.stored() == other.stored(),
            _ => false,
        }
    }
}

impl Serialize for Bounds {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.stored().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Bounds {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        let kept = |zeros| Kept { zeros, ..Kept::default() };
        let mut bounds = Self { used: true, ..Self::default() };
        for (class, (zeros, calls_max)) in stored.classes {
            let names = OfClass { nodes: kept(zeros), calls_max, ..OfClass::new(&bounds.limits) };
            bounds.classes.insert(class, names);
        }
        bounds.entries = kept(stored.entries);
        bounds.services = kept(stored.services);
        bounds.aliases = kept(stored.aliases);
        Ok(bounds)
    }
}

#[cfg(test)]
mod tests;
