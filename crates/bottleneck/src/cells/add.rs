//! Adding to cells, and taking back.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::names::placed;
use super::{Cell, Cells, Contribution, Seconds};
use crate::bounds::{Bounds, Filing, OfClass};
use crate::key::TraceClass;

pub(super) fn add_to<K: Ord + Clone, C: Cell>(map: &mut BTreeMap<K, C>, key: &K, cell: &C) {
    if let Some(there) = map.get_mut(key) {
        there.add(cell);
        if *there == C::default() {
            map.remove(key);
        }
    } else {
        map.insert(key.clone(), cell.clone());
    }
}

pub(crate) fn add_second<K: Ord + Clone, C: Cell>(
    map: &mut BTreeMap<K, Seconds<C>>,
    key: &K,
    second: i64,
    cell: &C,
) {
    if !map.contains_key(key) {
        map.insert(key.clone(), Seconds::new());
    }
    let Some(seconds) = map.get_mut(key) else { return };
    let there = seconds.entry(second).or_default();
    Arc::make_mut(there).add(cell);
    if **there == C::default() {
        seconds.remove(&second);
    }
    if seconds.is_empty() {
        map.remove(key);
    }
}

pub(super) fn count_to<K: Ord + Clone>(map: &mut BTreeMap<K, i64>, key: &K, count: i64) {
    let entry = map.entry(key.clone()).or_insert(0);
    *entry = entry.wrapping_add(count);
    if *entry == 0 {
        map.remove(key);
    }
}

impl Cells {
    /// Adds what traces add, or take back.
    pub fn apply(&mut self, c: &Contribution) {
        self.note(&c.notes);
        self.file(c);
        self.hand(&c.handed);
    }

    /// Adds cells.
    pub(crate) fn file(&mut self, c: &Contribution) {
        let bounds = Arc::clone(&self.bounds);
        let b = (!Bounds::is_unused(&bounds)).then_some(&*bounds);
        c.edges.iter().for_each(|(k, s, cell)| placed(b, k, |k| add_second(&mut self.edges, k, *s, cell)));
        c.nodes.iter().for_each(|(k, s, cell)| placed(b, k, |k| add_second(&mut self.nodes, k, *s, cell)));
        c.paths.iter().for_each(|(k, s, cell)| placed(b, k, |k| add_second(&mut self.paths, k, *s, cell)));
        c.roots.iter().for_each(|(k, s, cell)| placed(b, k, |k| add_second(&mut self.roots, k, *s, cell)));
        c.visits.iter().for_each(|(k, cell)| placed(b, k, |k| add_to(&mut self.visits, k, cell)));
        let (mine, others) = (bounds.of(TraceClass::Mine), bounds.of(TraceClass::Live));
        for ((peer, service, is_mine), count) in &c.aliases {
            let (names, map) =
                if *is_mine { (mine, &mut self.aliases) } else { (others, &mut self.aliases_of_others) };
            let key = (Arc::clone(peer), Arc::clone(service));
            placed(names, &key, |k| count_to(map, k, *count));
        }
        c.entries.iter().for_each(|(k, count)| placed(b, k, |k| count_to(&mut self.entries, k, *count)));
        for ((service, is_mine), cell) in &c.telemetry {
            let (names, map) =
                if *is_mine { (mine, &mut self.telemetry) } else { (others, &mut self.telemetry_of_others) };
            placed(names, service, |k| add_to(map, k, cell));
        }
        c.clocks.iter().for_each(|(key, second, cell)| self.clocks.add(key, *second, cell));
        c.partitions.iter().for_each(|(k, cell)| placed(b, k, |k| add_to(&mut self.partitions, k, cell)));
        c.loops.iter().for_each(|(k, cell)| placed(b, k, |k| add_to(&mut self.loops, k, cell)));
        c.messages.iter().for_each(|(k, cell)| placed(b, k, |k| add_to(&mut self.messages, k, cell)));
        c.instances
            .iter()
            .for_each(|(k, s, cell)| placed(b, k, |k| add_second(&mut self.instances, k, *s, cell)));
        c.links.iter().for_each(|(k, cell)| placed(b, k, |k| add_to(&mut self.links, k, cell)));
        c.keys.iter().for_each(|(slot, bucket, cell)| add_second(&mut self.keys, slot, *bucket, cell));
    }

    /// Adds the cells of other traces. Of cells that were read from a file nobody knows which names there were: beyond the
    /// limits of names what they are added to is not what the traces of both would have made together.
    pub fn merge(&mut self, other: &Self) {
        if Arc::make_mut(&mut self.bounds).merge(&other.bounds) {
            self.move_names();
        }
        let bounds = Arc::clone(&self.bounds);
        let b = (!Bounds::is_unused(&bounds)).then_some(&*bounds);
        merge_seconds(&mut self.edges, &other.edges, b);
        merge_seconds(&mut self.nodes, &other.nodes, b);
        merge_seconds(&mut self.paths, &other.paths, b);
        merge_seconds(&mut self.roots, &other.roots, b);
        other.visits.iter().for_each(|(k, cell)| placed(b, k, |k| add_to(&mut self.visits, k, cell)));
        let (mine, others) = (bounds.of(TraceClass::Mine), bounds.of(TraceClass::Live));
        count_all(&mut self.aliases, &other.aliases, mine);
        count_all(&mut self.aliases_of_others, &other.aliases_of_others, others);
        other.entries.iter().for_each(|(k, count)| placed(b, k, |k| count_to(&mut self.entries, k, *count)));
        add_all(&mut self.telemetry, &other.telemetry, mine);
        add_all(&mut self.telemetry_of_others, &other.telemetry_of_others, others);
        self.clocks.merge(&other.clocks);
        other.partitions.iter().for_each(|(k, cell)| placed(b, k, |k| add_to(&mut self.partitions, k, cell)));
        other.loops.iter().for_each(|(k, cell)| placed(b, k, |k| add_to(&mut self.loops, k, cell)));
        other.messages.iter().for_each(|(k, cell)| placed(b, k, |k| add_to(&mut self.messages, k, cell)));
        merge_seconds(&mut self.instances, &other.instances, b);
        other.links.iter().for_each(|(k, cell)| placed(b, k, |k| add_to(&mut self.links, k, cell)));
        for (slot, buckets) in &other.keys {
            buckets.iter().for_each(|(bucket, cell)| add_second(&mut self.keys, slot, *bucket, cell));
        }
        self.resources.merge(&other.resources);
        self.hand_all(&other.handed);
    }
}

fn count_all<K: Ord + Clone>(into: &mut BTreeMap<K, i64>, from: &BTreeMap<K, i64>, names: Option<&OfClass>)
where
    OfClass: Filing<K>,
{
    from.iter().for_each(|(key, count)| placed(names, key, |key| count_to(into, key, *count)));
}

fn add_all<K: Ord + Clone, C: Cell>(into: &mut BTreeMap<K, C>, from: &BTreeMap<K, C>, names: Option<&OfClass>)
where
    OfClass: Filing<K>,
{
    from.iter().for_each(|(key, cell)| placed(names, key, |key| add_to(into, key, cell)));
}

fn merge_seconds<K: Ord + Clone, C: Cell>(
    into: &mut BTreeMap<K, Seconds<C>>,
    from: &BTreeMap<K, Seconds<C>>,
    bounds: Option<&Bounds>,
) where
    Bounds: Filing<K>,
{
    for (key, seconds) in from {
        placed(bounds, key, |key| {
            seconds.iter().for_each(|(second, cell)| add_second(into, key, *second, cell));
        });
    }
}
