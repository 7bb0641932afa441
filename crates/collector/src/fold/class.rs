//! Which traces follow which: a consumer often starts a new trace with a link to the producer's.

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

/// Linked trace → traces that link to it. Only of traces whose class may still rise.
#[derive(Debug)]
pub(super) struct Links {
    followers: FxHashMap<u128, SmallVec<[u128; 1]>>,
    /// Linked trace and follower: a trace may have very many followers.
    known: FxHashSet<(u128, u128)>,
    max: usize,
}

impl Links {
    pub(super) fn new(max: usize) -> Self {
        Self { followers: FxHashMap::default(), known: FxHashSet::default(), max }
    }

    /// Notes a link; false when too many are held.
    pub(super) fn add(&mut self, linked: u128, follower: u128) -> bool {
        if self.known.contains(&(linked, follower)) {
            return true;
        }
        if self.known.len() >= self.max {
            return false;
        }
        self.known.insert((linked, follower));
        self.followers.entry(linked).or_default().push(follower);
        true
    }

    pub(super) fn followers(&self, linked: u128) -> impl Iterator<Item = u128> + use<'_> {
        self.followers.get(&linked).into_iter().flatten().copied()
    }
}
