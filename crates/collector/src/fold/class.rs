//! Which traces follow which: a consumer often starts a new trace with a link to the producer's.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// Linked trace → traces that link to it. Only of traces whose class may still rise.
#[derive(Debug)]
pub(super) struct Links {
    followers: FxHashMap<u128, SmallVec<[u128; 1]>>,
    count: usize,
    max: usize,
}

impl Links {
    pub(super) fn new(max: usize) -> Self {
        Self { followers: FxHashMap::default(), count: 0, max }
    }

    /// Notes a link; false when too many are held.
    pub(super) fn add(&mut self, linked: u128, follower: u128) -> bool {
        let known = self.followers.get(&linked).is_some_and(|list| list.contains(&follower));
        if known {
            return true;
        }
        if self.count >= self.max {
            return false;
        }
        self.count += 1;
        self.followers.entry(linked).or_default().push(follower);
        true
    }

    pub(super) fn followers(&self, linked: u128) -> impl Iterator<Item = u128> + use<'_> {
        self.followers.get(&linked).into_iter().flatten().copied()
    }
}
