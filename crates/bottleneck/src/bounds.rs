//! Names that senders choose: how many are kept over all traces. What is over is filed under [`OTHER`].
//!
//! A name is kept while its hash begins with so many zeros. When more names are kept than may be, one zero more is asked
//! for, and cells of names that do not have it are moved to [`OTHER`]; cells are sums, so nothing is lost but the name.
//! How many zeros are asked for in the end depends on the set of names alone, and so do the cells: neither the order of
//! traces, nor when they were folded, nor what was taken back, makes a difference. See the decision record 011.
//!
//! First the calls into each node are bounded, then nodes: one service with ids in the names of its operations costs
//! its own operations and no others. A name of a trace counts for its class and for all that the trace may have been
//! taken for before: so the drill's own are never crowded out by those of live users, and when a class came makes no
//! difference either.

mod filing;
mod kept;
mod of_class;

use std::collections::BTreeMap;
use std::sync::Arc;

use peakdrill_trace_model::{Span, stable_hash};
use serde::{Deserialize, Serialize};

use crate::key::{EdgeKey, LOAD, OTHER, TraceClass, UNKNOWN, USERS};
pub(crate) use filing::Filing;
pub(crate) use of_class::OfClass;
use of_class::Stored;

/// How many names are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameLimits {
    /// Nodes of a class of traces; where this is reached, each has as many calls into it as leave room for all.
    pub nodes: usize,
    /// Callers with operations, into one node.
    pub calls: usize,
    /// The same over all nodes of a class. As many callers with called nodes, whatever the operation.
    pub edges: usize,
    /// Operations of one service by which requests without a step of the plan entered the system.
    pub entries_each: usize,
    /// The same of all services of a class.
    pub entries: usize,
    /// The same times the nodes.
    pub paths: usize,
    /// Services of a class, and pairs of a peer's name and the service that it is.
    pub services: usize,
    /// Instances of one service.
    pub instances_each: usize,
    /// The same of all services of a class.
    pub instances: usize,
    /// Spans that sent or took a message, of messages that are looked at to learn how long they waited where a consumer's
    /// trace links to the sender's.
    pub messages: usize,
}

impl Default for NameLimits {
    fn default() -> Self {
        let (nodes, edges, paths) = (4_096, 65_536, 524_288);
        Self {
            nodes,
            calls: 2_048,
            edges,
            entries_each: 256,
            entries: 2_048,
            paths,
            services: 8_192,
            instances_each: 64,
            instances: 8_192,
            messages: 65_536,
        }
    }
}

/// A name of a trace, by its hash: what may be filed under it must not depend on what else of the trace is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Note {
    Node(u64),
    /// The node that is called, which was noted before, and [`call_hash`].
    Call(u64, u64),
    /// [`caller_hash`].
    Caller(u64),
    /// [`entry_hashes`].
    Entry(u64, u64),
    Service(u64),
    Alias(u64),
    /// The service, and an instance of it.
    Instance(u64, u64),
}

/// Of parts that do not run into each other: no text has the byte behind each.
fn hash<'a>(parts: impl IntoIterator<Item = &'a str>) -> u64 {
    stable_hash(parts.into_iter().flat_map(|part| part.bytes().chain([0xff])))
}

/// Of a span's ids.
pub(crate) fn ids_hash(trace: u128, span: u64) -> u64 {
    stable_hash(trace.to_be_bytes().into_iter().chain(span.to_be_bytes()))
}

/// Of what makes a span another one than all others: some libraries give the spans of both sides of a call the same ids.
pub(crate) fn span_hash(span: &Span) -> u64 {
    let ids = span.trace.to_be_bytes().into_iter().chain(span.id.to_be_bytes());
    stable_hash(ids.chain([span.kind as u8]).chain(span.service.bytes()))
}

/// Whether a caller is none of the nodes, whose names are bounded: there are three such names.
fn is_no_node(from: &str) -> bool {
    [LOAD, USERS, UNKNOWN].contains(&from)
}

pub(crate) fn name_hash(name: &str) -> u64 {
    hash([name])
}

/// A call into a node. Callers that are no nodes are one: which of them it is may not be known yet.
pub(crate) fn call_hash(from: &str, op: &str) -> u64 {
    hash([if is_no_node(from) { "" } else { from }, op])
}

/// A caller of a node.
pub(crate) fn caller_hash(from: &str, to: &str) -> u64 {
    hash([from, to])
}

/// By the text of an [`Entry`](crate::Entry): its first word, which is the service or the beginning of its name, and all of it.
pub(crate) fn entry_hashes(entry: &str) -> (u64, u64) {
    let word = entry.split(' ').next().unwrap_or_default();
    (name_hash(word), name_hash(entry))
}

pub(crate) fn alias_hash(peer: &str, service: &str) -> u64 {
    hash([peer, service])
}

/// What is kept, and what was asked of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bounds {
    limits: NameLimits,
    classes: BTreeMap<TraceClass, OfClass>,
}

impl Bounds {
    pub(crate) fn new(limits: NameLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    pub(crate) fn limits(&self) -> &NameLimits {
        &self.limits
    }

    /// Whether all names are kept.
    pub(crate) fn is_unused(bounds: &Arc<Self>) -> bool {
        !bounds.is_used()
    }

    fn is_used(&self) -> bool {
        self.classes.values().any(|names| names.is_used)
    }

    /// Takes names in; true when some that were kept are not any more.
    pub(crate) fn note(&mut self, notes: &[(TraceClass, Note)]) -> bool {
        let mut lowered = false;
        for (class, note) in notes {
            // A class is raised, never lowered: what is the drill's may have been taken for another's.
            for of in [TraceClass::Mine, TraceClass::OtherRun, TraceClass::Live] {
                if of >= *class {
                    let limits = self.limits;
                    lowered |= self.of_class(of).note(*note, &limits);
                }
            }
        }
        lowered
    }

    /// Takes in the names of other traces; as [`Self::note`].
    pub(crate) fn merge(&mut self, other: &Self) -> bool {
        let limits = self.limits;
        let mut lowered = false;
        for (class, names) in &other.classes {
            lowered |= self.of_class(*class).merge(names, &limits);
        }
        lowered
    }

    fn of_class(&mut self, class: TraceClass) -> &mut OfClass {
        self.classes.entry(class).or_insert_with(|| OfClass::new(&self.limits))
    }

    /// The names of a class; `None` when there are none, or nothing was left out.
    pub(crate) fn of(&self, class: TraceClass) -> Option<&OfClass> {
        self.classes.get(&class).filter(|names| names.is_used)
    }
}

impl OfClass {
    /// Whether what is filed under a node's name stays there.
    pub(crate) fn keeps_node(&self, name: &str) -> bool {
        name == OTHER || self.keeps_called(name)
    }

    /// Whether calls into a node are kept apart. One that is really called [`OTHER`] is a node as any other: once it is left
    /// out its calls are not counted, so nothing would bound them.
    fn keeps_called(&self, name: &str) -> bool {
        self.calls.firsts.has(name_hash(name))
    }

    /// Whether an instance of a service is kept, which is kept itself.
    fn keeps_instance(&self, service: &str, instance: &str) -> bool {
        let service = name_hash(service);
        self.instances.firsts.has(service) && self.instances.has(service, name_hash(instance))
    }

    fn keeps_entry(&self, entry: &str) -> bool {
        let (word, whole) = entry_hashes(entry);
        entry == OTHER || self.entries.firsts.has(word) && self.entries.has(word, whole)
    }

    /// Whether a caller of a node is kept, which is kept itself.
    fn keeps_caller(&self, from: &str, to: &str) -> bool {
        is_no_node(from) || self.keeps_node(from) && self.callers.has(caller_hash(from, to))
    }

    /// Whether services were left out, or what else they are called.
    pub(crate) fn thins_services(&self) -> bool {
        self.services.is_thinned() || self.aliases.is_thinned()
    }

    /// Whether an edge stands for many for want of room. An operation of that name may also stand for many of one trace, or
    /// for itself.
    pub(crate) fn is_of_many(&self, edge: &EdgeKey) -> bool {
        let to = || self.calls.seconds.get(&name_hash(&edge.to.name));
        let is_bounded = || {
            let ends = [&*edge.from, &*edge.to.name].contains(&OTHER);
            ends || to().is_some_and(|calls| calls.is_thinned())
        };
        &*edge.op == OTHER && is_bounded()
    }

    /// Whether entries were left out.
    pub(crate) fn thins_entries(&self) -> bool {
        self.entries.firsts.is_thinned() || self.entries.seconds.values().any(|names| names.is_thinned())
    }
}

// How much is asked of names is what cells are equal by, and what is stored of them; which names there were is no result.
impl Bounds {
    fn stored(&self) -> BTreeMap<TraceClass, Stored> {
        let used = self.classes.iter().filter(|(_, names)| names.is_used);
        used.map(|(class, names)| (*class, names.stored())).collect()
    }
}

impl PartialEq for Bounds {
    fn eq(&self, other: &Self) -> bool {
        self.stored() == other.stored()
    }
}

impl Serialize for Bounds {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.stored().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Bounds {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = BTreeMap::<TraceClass, Stored>::deserialize(deserializer)?;
        let classes = stored.iter().map(|(class, stored)| (*class, OfClass::read(stored))).collect();
        Ok(Self { classes, ..Self::default() })
    }
}

#[cfg(test)]
mod tests;
