//! Cells of which only as many are kept as there is room for.

use std::collections::BTreeMap;

use crate::cells::{Cell, Seconds, add_second};

/// Cells by key, of as many keys as there is room for: the first, in order. A key for which there once was no room gets
/// none any more, so that it makes no difference which keys come first.
pub(crate) struct Room<'a, K, C> {
    /// What is kept.
    pub(crate) kept: &'a mut BTreeMap<K, Seconds<C>>,
    /// Keys from this one on are left out.
    pub(crate) left_out_from: &'a mut Option<K>,
    /// How much is left out.
    pub(crate) left_out: &'a mut i64,
    /// How many keys there is room for.
    pub(crate) max: usize,
    /// How much a cell counts for when it is left out.
    pub(crate) count: fn(&C) -> i64,
}

impl<K: Ord + Clone, C: Cell> Room<'_, K, C> {
    pub(crate) fn add(&mut self, key: &K, second: i64, cell: &C) {
        if self.left_out_from.as_ref().is_some_and(|from| key >= from) {
            *self.left_out = self.left_out.wrapping_add((self.count)(cell));
            return;
        }
        add_second(self.kept, key, second, cell);
        while self.kept.len() > self.max
            && let Some((last, _)) = self.kept.last_key_value()
        {
            let from = last.clone();
            self.leave_out(&from);
        }
    }

    /// Leaves out all keys from this one on.
    fn leave_out(&mut self, from: &K) {
        for cell in self.kept.split_off(from).values().flat_map(BTreeMap::values) {
            *self.left_out = self.left_out.wrapping_add((self.count)(cell));
        }
        if self.left_out_from.as_ref().is_none_or(|known| from < known) {
            *self.left_out_from = Some(from.clone());
        }
    }

    /// Adds what another has: its cells, from which key on it left any out, and how much.
    pub(crate) fn merge(&mut self, kept: &BTreeMap<K, Seconds<C>>, from: Option<&K>, left_out: i64) {
        *self.left_out = self.left_out.wrapping_add(left_out);
        if let Some(from) = from {
            self.leave_out(from);
        }
        for (key, seconds) in kept {
            seconds.iter().for_each(|(second, cell)| self.add(key, *second, cell));
        }
    }
}
