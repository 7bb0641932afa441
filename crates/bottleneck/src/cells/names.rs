//! Cells of names that are kept, and of those that are not.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Cell, Cells, Seconds, add_second, add_to, count_to};
use crate::bounds::{Bounds, Filing, NameLimits, Note, is_other};
use crate::key::TraceClass;

impl Cells {
    /// No cells, which keep so many names.
    #[must_use]
    pub fn with_names(limits: NameLimits) -> Self {
        Self { bounds: Arc::new(Bounds::new(limits)), ..Self::default() }
    }

    /// Takes names in; true when that moved anything.
    pub(crate) fn note(&mut self, notes: &[Note]) -> bool {
        let is_moved = !notes.is_empty() && Arc::make_mut(&mut self.bounds).note(notes);
        if is_moved {
            self.move_names();
        }
        is_moved
    }

    /// Moves what is filed under names that are not kept any more.
    pub(super) fn move_names(&mut self) {
        let bounds = Arc::clone(&self.bounds);
        move_seconds(&mut self.edges, &bounds);
        move_seconds(&mut self.nodes, &bounds);
        move_seconds(&mut self.paths, &bounds);
        move_seconds(&mut self.roots, &bounds);
        move_to(&mut self.visits, &bounds, add_to);
        move_to(&mut self.aliases, &bounds, |map, key, count| count_to(map, key, *count));
        move_to(&mut self.entries, &bounds, |map, key, count| count_to(map, key, *count));
        move_to(&mut self.telemetry, &bounds, add_to);
        move_to(&mut self.partitions, &bounds, add_to);
    }

    /// What is filed under [`OTHER`](crate::OTHER) for want of room, in words: calls by whose they are.
    #[must_use]
    pub fn left_out_names(&self) -> Vec<String> {
        if Bounds::is_unused(&self.bounds) {
            return Vec::new();
        }
        let whose = [
            (TraceClass::Mine, "of the drill"),
            (TraceClass::OtherRun, "of other drills"),
            (TraceClass::Live, "of live users"),
        ];
        let calls = |class: TraceClass| -> i64 {
            let edges = self.edges.iter().filter(|((edge, of), _)| *of == class && is_other(edge));
            edges.flat_map(|(_, seconds)| seconds.values()).map(|cell| cell.calls).sum()
        };
        let counted = whose.into_iter().map(|(class, whose)| (calls(class), whose));
        let mut said: Vec<String> = counted
            .filter(|(count, _)| *count > 0)
            .map(|(count, whose)| {
                format!("{count} calls {whose} stand under `other`: there are more names of nodes and operations than are kept")
            })
            .collect();
        if said.is_empty() {
            said.push(
                "there are more names of services and entries than are kept: some stand under `other`"
                    .to_owned(),
            );
        }
        said
    }
}

/// Hands on the key that something is filed under: another one, where a name of it is not kept.
pub(super) fn placed<K>(bounds: Option<&Bounds>, key: &K, file: impl FnOnce(&K))
where
    Bounds: Filing<K>,
{
    match bounds.and_then(|bounds| bounds.moved(key)) {
        Some(moved) => file(&moved),
        None => file(key),
    }
}

fn move_to<K: Ord + Clone, V>(
    map: &mut BTreeMap<K, V>,
    bounds: &Bounds,
    file: impl Fn(&mut BTreeMap<K, V>, &K, &V),
) where
    Bounds: Filing<K>,
{
    let moved = map.keys().filter_map(|key| Some((key.clone(), bounds.moved(key)?)));
    for (from, to) in moved.collect::<Vec<(K, K)>>() {
        if let Some(value) = map.remove(&from) {
            file(map, &to, &value);
        }
    }
}

fn move_seconds<K: Ord + Clone, C: Cell>(map: &mut BTreeMap<K, Seconds<C>>, bounds: &Bounds)
where
    Bounds: Filing<K>,
{
    move_to(map, bounds, |map, key, seconds| {
        seconds.iter().for_each(|(second, cell)| add_second(map, key, *second, cell));
    });
}
