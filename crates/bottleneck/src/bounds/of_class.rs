//! The names of the traces of one class, and of those before it.

use serde::{Deserialize, Serialize};

use super::kept::{Kept, PairLimits, Pairs};
use super::{NameLimits, Note};

impl NameLimits {
    fn of_calls(&self) -> PairLimits {
        PairLimits { firsts: self.nodes, each: self.calls, all: self.edges }
    }

    fn of_instances(&self) -> PairLimits {
        PairLimits { firsts: self.nodes, each: self.instances_each, all: self.instances }
    }

    /// The more nodes there are, the fewer entries: paths are kept of each node and entry.
    fn of_entries(&self, nodes: usize) -> PairLimits {
        let all = (self.paths / nodes.max(1).next_power_of_two()).clamp(1, self.entries.max(1));
        PairLimits { firsts: all, each: self.entries_each, all }
    }
}

/// Names by kind.
#[derive(Debug, Clone)]
pub(crate) struct OfClass {
    /// Nodes, and the calls into them: caller and operation.
    pub(super) calls: Pairs,
    /// Caller and called node.
    pub(super) callers: Kept,
    /// By the first word of the service.
    pub(super) entries: Pairs,
    pub(super) services: Kept,
    pub(super) aliases: Kept,
    /// By service.
    pub(super) instances: Pairs,
    /// Something was left out.
    pub(super) is_used: bool,
}

/// What is stored of it: how many zeros are asked for, and the limits that were lowered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Stored {
    nodes: u32,
    calls_max: usize,
    callers: u32,
    entry_services: u32,
    entries_max: usize,
    services: u32,
    aliases: u32,
    instance_services: u32,
    instances_max: usize,
}

impl OfClass {
    pub(super) fn new(limits: &NameLimits) -> Self {
        Self {
            calls: Pairs::new(limits.calls),
            callers: Kept::default(),
            entries: Pairs::new(limits.entries_each),
            services: Kept::default(),
            aliases: Kept::default(),
            instances: Pairs::new(limits.instances_each),
            is_used: false,
        }
    }

    /// True when names that were kept are not any more.
    pub(super) fn note(&mut self, note: Note, limits: &NameLimits) -> bool {
        let lowered = match note {
            Note::Node(node) => {
                let before = self.calls.firsts.most;
                let lowered = self.calls.first(node, &limits.of_calls());
                let nodes = self.calls.firsts.most;
                lowered | (nodes > before && self.entries.narrow(&limits.of_entries(nodes)))
            }
            Note::Call(node, call) => self.calls.second(node, call, &limits.of_calls()),
            Note::Caller(pair) => self.callers.note(pair, limits.edges),
            Note::Entry(service, entry) => {
                let limits = limits.of_entries(self.calls.firsts.most);
                self.entries.first(service, &limits) | self.entries.second(service, entry, &limits)
            }
            Note::Service(service) => self.services.note(service, limits.services),
            Note::Alias(alias) => self.aliases.note(alias, limits.services),
            Note::Instance(service, instance) => {
                let limits = limits.of_instances();
                self.instances.first(service, &limits) | self.instances.second(service, instance, &limits)
            }
        };
        self.is_used |= lowered;
        lowered
    }

    pub(super) fn merge(&mut self, other: &Self, limits: &NameLimits) -> bool {
        let mut lowered = other.is_used;
        lowered |= self.calls.merge(&other.calls, &limits.of_calls());
        lowered |= self.callers.merge(&other.callers, limits.edges);
        let of_entries = limits.of_entries(self.calls.firsts.most);
        lowered |= self.entries.merge(&other.entries, &of_entries);
        lowered |= self.services.merge(&other.services, limits.services);
        lowered |= self.aliases.merge(&other.aliases, limits.services);
        lowered |= self.instances.merge(&other.instances, &limits.of_instances());
        self.is_used |= lowered;
        lowered
    }

    pub(super) fn stored(&self) -> Stored {
        Stored {
            nodes: self.calls.firsts.zeros,
            calls_max: self.calls.each_max,
            callers: self.callers.zeros,
            entry_services: self.entries.firsts.zeros,
            entries_max: self.entries.each_max,
            services: self.services.zeros,
            aliases: self.aliases.zeros,
            instance_services: self.instances.firsts.zeros,
            instances_max: self.instances.each_max,
        }
    }

    /// As it was stored: which names there were is not known any more.
    pub(super) fn read(stored: &Stored) -> Self {
        let pairs = |zeros, each_max| {
            let mut pairs = Pairs::new(each_max);
            pairs.firsts = Kept::with_zeros(zeros);
            pairs
        };
        Self {
            calls: pairs(stored.nodes, stored.calls_max),
            callers: Kept::with_zeros(stored.callers),
            entries: pairs(stored.entry_services, stored.entries_max),
            services: Kept::with_zeros(stored.services),
            aliases: Kept::with_zeros(stored.aliases),
            instances: pairs(stored.instance_services, stored.instances_max),
            is_used: true,
        }
    }
}
