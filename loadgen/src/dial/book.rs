//! Which addresses a target has, and which of them is next. Pure: what was found, and when, is told to it.

use std::net::SocketAddr;

use peakdrill_timebase::{MonoNs, NS_PER_S};

/// Most addresses of a name that are used.
pub const ADDRESSES_MAX: usize = 256;
/// Most addresses that are tried for one connection.
pub const TRIES_MAX: usize = 3;
/// How long an address that could not be reached comes behind the others, in seconds.
pub const AVOIDED_S: u64 = 10;

/// The addresses of one target.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// In the order of their turns.
    entries: Vec<Entry>,
    /// Whose turn it is.
    next: usize,
    learned_at: Option<MonoNs>,
    /// Somebody is looking the name up since then, and has not told yet.
    asked_at: Option<MonoNs>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    address: SocketAddr,
    avoided_until: MonoNs,
}

impl Book {
    /// Addresses that are given.
    pub(super) fn fixed(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        let mut book = Self::default();
        book.learn(addresses, MonoNs(u64::MAX));
        book
    }

    /// Takes in what a name resolves to now; whether some that were known are gone. Those that stay keep their turns.
    /// Nothing at all is taken for a fault of the name service: what was known stays.
    pub(super) fn learn(&mut self, found: impl IntoIterator<Item = SocketAddr>, now: MonoNs) -> bool {
        let mut fresh: Vec<SocketAddr> = Vec::new();
        for address in found {
            if fresh.len() < ADDRESSES_MAX && !fresh.contains(&address) {
                fresh.push(address);
            }
        }
        (self.learned_at, self.asked_at) = (Some(now), None);
        if fresh.is_empty() {
            return false;
        }
        let before = self.entries.len();
        let ahead =
            self.entries.iter().take(self.next).filter(|entry| fresh.contains(&entry.address)).count();
        self.entries.retain(|entry| fresh.contains(&entry.address));
        let gone = self.entries.len() < before;
        self.next = ahead;
        for address in fresh {
            if !self.holds(address) {
                self.entries.push(Entry { address, avoided_until: MonoNs(0) });
            }
        }
        gone
    }

    pub(super) fn holds(&self, address: SocketAddr) -> bool {
        self.entries.iter().any(|entry| entry.address == address)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the name is to be looked up, by whoever asks: what is known is as old as that, and nobody else does.
    pub(super) fn asks(&mut self, now: MonoNs, after_ns: u64) -> bool {
        let old = self.learned_at.is_none_or(|at| now.since(at) >= after_ns);
        let asks = old && self.asked_at.is_none();
        if asks {
            self.asked_at = Some(now);
        }
        asks
    }

    /// The name could not be looked up. What is known is used as if it were new.
    pub(super) fn learned_nothing(&mut self, now: MonoNs) {
        (self.learned_at, self.asked_at) = (Some(now), None);
    }

    /// The addresses to try for one connection, at most [`TRIES_MAX`]: round robin, those that could not be reached
    /// lately behind the others.
    pub(super) fn turn(&mut self, now: MonoNs) -> Vec<SocketAddr> {
        let count = self.entries.len();
        if count == 0 {
            return Vec::new();
        }
        let first = self.next % count;
        let in_turn = || (0..count).filter_map(|k| self.entries.get((first + k) % count));
        let good = in_turn().filter(|entry| entry.avoided_until <= now);
        let avoided = in_turn().filter(|entry| entry.avoided_until > now);
        let order: Vec<SocketAddr> = good.chain(avoided).map(|entry| entry.address).take(TRIES_MAX).collect();
        // The one behind the one that is used is next: one that is avoided takes nobody's turn.
        let used = self.entries.iter().position(|entry| order.first() == Some(&entry.address));
        self.next = used.map_or(0, |used| (used + 1) % count);
        order
    }

    /// An address could not be reached.
    pub(super) fn avoid(&mut self, address: SocketAddr, now: MonoNs) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.address == address) {
            entry.avoided_until = now.plus(AVOIDED_S * NS_PER_S);
        }
    }
}

#[cfg(test)]
mod tests;
