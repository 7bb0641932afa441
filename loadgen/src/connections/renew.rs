//! Connections that take nothing more: they are old, or lead to an address that the target does not have any more. They
//! are closed as soon as no request is on them. A WebSocket ends with its journey.

use std::sync::Arc;

use peakdrill_drill_model::plan::LIFETIME_SPREAD;
use peakdrill_timebase::{Clock as _, MonoNs, NS_PER_MS};

use super::Connections;
use super::connection::{Connection, OVER};
use crate::dial::Route;
use crate::draw::{Purpose, unit};

/// How often idle connections are looked at, in milliseconds.
const RENEW_EVERY_MS: u64 = 250;

/// How long connections live.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetime {
    pub(crate) ns: u64,
    /// Of how long each of them does: opened together, they are not to end together.
    pub(crate) seed: u64,
}

impl Lifetime {
    /// How long the connection of this number lives, in nanoseconds.
    fn of(self, number: u64) -> u64 {
        let spread = LIFETIME_SPREAD * (2.0 * unit(self.seed, Purpose::Lifetime, number) - 1.0);
        (self.ns as f64 * (1.0 + spread)) as u64
    }
}

/// What ends the connections of one pool.
pub(super) struct Renewal {
    lifetime: Option<Lifetime>,
    route: Arc<Route>,
    /// Times that addresses had gone, as far as it was followed.
    gone: u64,
    next: MonoNs,
}

impl Renewal {
    pub(super) fn new(lifetime: Option<Lifetime>, route: &Arc<Route>) -> Self {
        Self { lifetime, route: Arc::clone(route), gone: route.gone(), next: MonoNs(0) }
    }

    /// Until when a connection of this number takes requests.
    pub(super) fn until(&self, number: u64, opened_at: MonoNs) -> MonoNs {
        self.lifetime.map_or(MonoNs(u64::MAX), |lifetime| opened_at.plus(lifetime.of(number)))
    }
}

impl Connections {
    /// Looks after the connections of a pool, now and then.
    pub(super) fn renew(&mut self, place: usize, now: MonoNs) {
        let Some(pool) = self.pools.get_mut(place) else { return };
        let renewal = &mut pool.renewal;
        if now < renewal.next {
            return;
        }
        renewal.next = now.plus(RENEW_EVERY_MS * NS_PER_MS);
        renewal.route.refresh(now);
        let gone = renewal.route.gone();
        if gone == renewal.gone && renewal.lifetime.is_none() {
            return;
        }
        let follows = gone != renewal.gone && renewal.route.is_followed();
        let route = follows.then(|| Arc::clone(&renewal.route));
        renewal.gone = gone;
        let mut over = Vec::new();
        let renewed = |known: &Connection| known.pool == place && !known.talk.is_owned();
        for (key, connection) in self.connections.iter_mut().filter(|(_, known)| renewed(known)) {
            let gone = route.as_ref().is_some_and(|route| !route.leads_to(connection.peer));
            if gone || connection.until != OVER && connection.until <= now {
                over.push(key);
            }
        }
        over.into_iter().for_each(|key| self.end(key));
    }

    /// A connection takes nothing more from now on: it is closed when no request is on it.
    fn end(&mut self, key: usize) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.until = OVER;
        if connection.talk.is_idle() {
            return self.close(key);
        }
        let shared = connection.talk.is_shared();
        if std::mem::replace(&mut connection.listed, false) {
            let (place, user) = (connection.pool, connection.user);
            if let Some(pool) = self.pools.get_mut(place) {
                pool.unlist(key, user);
            }
        }
        // What others would have shared is replaced now: they are not to wait for its last answer.
        if shared {
            self.retire(key);
        }
    }

    /// Whether a connection takes nothing more. One on which no request is is closed then.
    pub(super) fn is_over(&mut self, key: usize) -> bool {
        let Some(connection) = self.connections.get(key) else { return true };
        // The clock is asked only where connections end at all.
        let ends = connection.until != MonoNs(u64::MAX) && !connection.talk.is_owned();
        let over = ends && connection.until <= self.clock.mono();
        if over {
            self.end(key);
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_spread_and_drawn_by_the_seed() {
        let one = Lifetime { ns: 1_000_000, seed: 7 };
        let lives: Vec<u64> = (0..1_000).map(|number| one.of(number)).collect();
        assert!(lives.iter().all(|life| (900_000..=1_100_000).contains(life)));
        let tenths = |low: u64| lives.iter().filter(|life| (low..low + 20_000).contains(life)).count();
        assert!((0..10).all(|k| (50..150).contains(&tenths(900_000 + k * 20_000))), "even");
        assert_eq!(one.of(3), Lifetime { ns: 1_000_000, seed: 7 }.of(3));
        assert_ne!(one.of(3), Lifetime { ns: 1_000_000, seed: 8 }.of(3));
    }
}
