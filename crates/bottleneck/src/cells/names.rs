//! Cells of names that are kept, and of those that are not.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::add::{add_second, add_to, count_to};
use super::{Cell, Cells, Seconds};
use crate::bounds::{Bounds, Filing, NameLimits, Note, OfClass};
use crate::key::{Entry, OTHER, TraceClass};

impl Cells {
    /// No cells, which keep so many names.
    #[must_use]
    pub fn with_names(limits: NameLimits) -> Self {
        Self { bounds: Arc::new(Bounds::new(limits)), ..Self::default() }
    }

    /// Takes names in; true when that moved anything.
    pub(crate) fn note(&mut self, notes: &[(TraceClass, Note)]) -> bool {
        let is_moved = !notes.is_empty() && Arc::make_mut(&mut self.bounds).note(notes);
        if is_moved {
            self.move_names();
        }
        is_moved
    }

    /// Moves what is filed under names that are not kept any more.
    pub(super) fn move_names(&mut self) {
        let bounds = Arc::clone(&self.bounds);
        move_seconds(&mut self.edges, &*bounds);
        move_seconds(&mut self.nodes, &*bounds);
        move_seconds(&mut self.paths, &*bounds);
        move_seconds(&mut self.roots, &*bounds);
        move_seconds(&mut self.instances, &*bounds);
        move_to(&mut self.visits, &*bounds, add_to);
        move_to(&mut self.entries, &*bounds, |map, key, count| count_to(map, key, *count));
        move_to(&mut self.partitions, &*bounds, add_to);
        move_to(&mut self.loops, &*bounds, add_to);
        move_to(&mut self.messages, &*bounds, add_to);
        move_to(&mut self.links, &*bounds, add_to);
        if let Some(names) = bounds.of(TraceClass::Mine) {
            move_to(&mut self.aliases, names, |map, key, count| count_to(map, key, *count));
            move_to(&mut self.telemetry, names, add_to);
        }
        if let Some(names) = bounds.of(TraceClass::Live) {
            move_to(&mut self.aliases_of_others, names, |map, key, count| count_to(map, key, *count));
            move_to(&mut self.telemetry_of_others, names, add_to);
        }
    }

    /// Under the names that are kept of these and others together, so that a node is called the same in both.
    pub(crate) fn named_as<'a>(&'a self, both: &Self) -> Cow<'a, Self> {
        if Bounds::is_unused(&both.bounds) {
            return Cow::Borrowed(self);
        }
        let mut moved = Self { bounds: Arc::clone(&both.bounds), ..self.clone() };
        moved.move_names();
        Cow::Owned(moved)
    }

    /// Whether a name stands for all for which there was no room. Where there was room for all, it is a name as any other.
    pub(crate) fn stands_for_many(&self, name: &str) -> bool {
        name == OTHER && !Bounds::is_unused(&self.bounds)
    }

    /// What is kept of the names of a class, where some were left out.
    pub(crate) fn thinned(&self, class: TraceClass) -> Option<&OfClass> {
        self.bounds.of(class)
    }

    /// Whether all that traces say of a node is under its name, whosever they are.
    pub(crate) fn is_whole(&self, node: &str) -> bool {
        let classes = [TraceClass::Mine, TraceClass::OtherRun, TraceClass::Live];
        let is_kept = |class| self.thinned(class).is_none_or(|names| names.keeps_node(node));
        !self.stands_for_many(node) && classes.into_iter().all(is_kept)
    }

    /// What is filed under [`OTHER`] for want of room, in words. `mine`: whose the traces of [`TraceClass::Mine`] are, as
    /// `of the drill`.
    #[must_use]
    pub fn left_out_names(&self, mine: &str) -> Vec<String> {
        let whose = [
            (TraceClass::Mine, mine),
            (TraceClass::OtherRun, "of other drills"),
            (TraceClass::Live, "of live users"),
        ];
        let mut said = Vec::new();
        for (class, whose) in whose {
            let Some(names) = self.bounds.of(class) else { continue };
            let mut say = |count: i64, what: &str, why: &str| {
                if count > 0 {
                    said.push(format!(
                        "{count} {what} {whose} stand under `other`: there are more {why} than are kept"
                    ));
                }
            };
            say(self.calls_of_many(class, names), "calls", "names of nodes and operations");
            say(self.requests_of_many(class, names), "requests", "operations by which they came");
            let (telemetry, aliases) = match class {
                TraceClass::Mine => (&self.telemetry, &self.aliases),
                // Those of other drills are among them.
                TraceClass::Live => (&self.telemetry_of_others, &self.aliases_of_others),
                TraceClass::OtherRun => continue,
            };
            let lost = telemetry.get(OTHER).map_or(0, |cell| cell.expected + cell.orphans);
            let is_lost = names.thins_services();
            say(if is_lost { lost } else { 0 }, "counts of expected spans", "names of services");
            let other: Arc<str> = OTHER.into();
            let called = aliases.get(&(Arc::clone(&other), other)).copied().unwrap_or_default();
            say(if is_lost { called } else { 0 }, "calls by another name", "other names of services");
        }
        said
    }

    fn calls_of_many(&self, of: TraceClass, names: &OfClass) -> i64 {
        let edges = self.edges.iter().filter(|((edge, class), _)| *class == of && names.is_of_many(edge));
        edges.flat_map(|(_, seconds)| seconds.values()).map(|cell| cell.calls).sum()
    }

    fn requests_of_many(&self, class: TraceClass, names: &OfClass) -> i64 {
        let roots = self.roots.get(&(Entry::Op(OTHER.into()), class)).filter(|_| names.thins_entries());
        roots.into_iter().flat_map(|seconds| seconds.values()).map(|cell| cell.count).sum()
    }
}

/// Hands on the key that something is filed under: another one, where a name of it is not kept.
pub(super) fn placed<K, N: Filing<K>>(names: Option<&N>, key: &K, file: impl FnOnce(&K)) {
    match names.and_then(|names| names.moved(key)) {
        Some(moved) => file(&moved),
        None => file(key),
    }
}

fn move_to<K: Ord + Clone, V>(
    map: &mut BTreeMap<K, V>,
    names: &impl Filing<K>,
    file: impl Fn(&mut BTreeMap<K, V>, &K, &V),
) {
    let moved = map.keys().filter_map(|key| Some((key.clone(), names.moved(key)?)));
    for (from, to) in moved.collect::<Vec<(K, K)>>() {
        if let Some(value) = map.remove(&from) {
            file(map, &to, &value);
        }
    }
}

fn move_seconds<K: Ord + Clone, C: Cell>(map: &mut BTreeMap<K, Seconds<C>>, names: &impl Filing<K>) {
    move_to(map, names, |map, key, seconds| {
        seconds.iter().for_each(|(second, cell)| add_second(map, key, *second, cell));
    });
}
