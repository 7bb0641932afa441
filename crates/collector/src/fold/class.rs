//! Which traces follow which: a consumer often starts a new trace with a link to the producer's.

use std::collections::BTreeSet;

/// Links of traces whose class may still rise.
#[derive(Debug)]
pub(super) struct Links {
    /// Linked trace and follower: a trace may have very many followers, and they lie together.
    known: BTreeSet<(u128, u128)>,
    max: usize,
}

impl Links {
    pub(super) fn new(max: usize) -> Self {
        Self { known: BTreeSet::new(), max }
    }

    /// Notes a link; false when too many are held.
    pub(super) fn add(&mut self, linked: u128, follower: u128) -> bool {
        let link = (linked, follower);
        if self.known.len() >= self.max && !self.known.contains(&link) {
            return false;
        }
        self.known.insert(link);
        true
    }

    pub(super) fn followers(&self, linked: u128) -> impl Iterator<Item = u128> + use<'_> {
        self.known.range((linked, 0)..=(linked, u128::MAX)).map(|(_, follower)| *follower)
    }
}
