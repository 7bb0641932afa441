//! Who is let in: a bucket of tokens, or what is left of a stock.

use crate::model::Refuses;

/// How many may come at once after a pause, as a part of a second's.
const BURST_S: f64 = 0.1;

/// The door of one node.
pub(super) struct Door {
    refuses: Refuses,
    tokens: f64,
    /// Simulated time of the last one, nanoseconds.
    since: i64,
}

impl Door {
    pub(super) fn new(refuses: Refuses) -> Self {
        let tokens = match refuses {
            Refuses::Above(rate) => (rate * BURST_S).max(1.0),
            Refuses::After(stock) => f64::from(stock),
        };
        Self { refuses, tokens, since: 0 }
    }

    /// Whether one more is let in.
    pub(super) fn enter(&mut self, now: i64) -> bool {
        if let Refuses::Above(rate) = self.refuses {
            let gained = (now - self.since) as f64 / 1e9 * rate;
            self.tokens = (self.tokens + gained).min((rate * BURST_S).max(1.0));
            self.since = now;
        }
        let open = self.tokens >= 1.0;
        self.tokens -= if open { 1.0 } else { 0.0 };
        open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_lets_in_what_it_may() {
        let let_in = |refuses: Refuses, per_s: i64| {
            let mut door = Door::new(refuses);
            (0..10 * per_s).filter(|n| door.enter(n * 1_000_000_000 / per_s)).count()
        };
        assert_eq!(let_in(Refuses::Above(50.0), 20), 200);
        assert!((500..=510).contains(&let_in(Refuses::Above(50.0), 200)));
        assert_eq!(let_in(Refuses::After(30), 200), 30);
    }
}
