//! How a shard waits for what it has to start: by itself, to within microseconds, or together with what else is due
//! within a quantum (see `docs/adr-001-pacing.md`). Pure: times and shares of processor time are passed in.

use peakdrill_drill_model::plan::Pacing;
use peakdrill_timebase::{NS_PER_MS, NS_PER_US};

/// With economy pacing, the shortest time from one waking for arrivals to the next, in nanoseconds.
pub const ECONOMY_QUANTUM_NS: u64 = NS_PER_MS;
/// The most that a shard wakes early to poll until an arrival is due, in nanoseconds. Sleeping on a virtual machine
/// ends some 50 µs late, rarely 100.
pub const LEAD_MAX_NS: u64 = 100 * NS_PER_US;
/// Share of an idle core that may be spent on polling for arrivals that are not due yet.
pub const POLLING_MAX_SHARE: f64 = 0.03;
/// The most that an arrival may be late by intention with precise pacing, in nanoseconds: what else wakes the shard
/// meanwhile starts it too.
pub(crate) const SLACK_MAX_NS: u64 = 30 * NS_PER_US;
/// From this share of its core on a shard polls less and takes some slack; from the second on it does not poll, and
/// takes all of it.
pub(crate) const EASED_SHARES: (f64, f64) = (0.1, 0.3);
/// Of its core a shard uses at most this much before its pacing becomes coarser.
pub const ROOM_SHARE: f64 = 0.7;

/// What the automatic pacing goes through as the core fills up: quanta in nanoseconds; 0 is precise pacing.
const QUANTA_NS: [u64; 3] = [0, 250 * NS_PER_US, ECONOMY_QUANTUM_NS];
/// It goes back when the rate is below this part of that at which it became coarser.
const BACK_AT: f64 = 0.6;
/// Answers may come so much of a quantum late, as its part.
const PATIENCE_PART: u64 = 20;
/// Steps in which the lead grows, in nanoseconds; it shrinks by a part of itself.
const LEAD_STEP_NS: u64 = NS_PER_US;

/// A shard's pacing.
#[derive(Debug, Clone)]
pub(crate) struct Pacer {
    auto: bool,
    /// Place in [`QUANTA_NS`].
    level: usize,
    /// The rates at which each level was left for a coarser one, a second.
    left_at: [f64; QUANTA_NS.len()],
    lead_ns: u64,
    /// From waking early and polling, 0, to waking with what else there is, 1.
    ease: f64,
    /// Spent on polling since the lead was looked at.
    polled_ns: u64,
}

impl Pacer {
    pub(crate) fn new(pacing: Pacing) -> Self {
        let level = if pacing == Pacing::Economy { QUANTA_NS.len() - 1 } else { 0 };
        let auto = pacing == Pacing::Auto;
        Self { auto, level, left_at: [0.0; QUANTA_NS.len()], lead_ns: LEAD_MAX_NS, ease: 0.0, polled_ns: 0 }
    }

    /// The shortest time from one waking to the next, in nanoseconds.
    pub(crate) fn quantum_ns(&self) -> u64 {
        QUANTA_NS.get(self.level).copied().unwrap_or(ECONOMY_QUANTUM_NS)
    }

    /// How long before an arrival is due it is polled for, in nanoseconds.
    pub(crate) fn lead_ns(&self) -> u64 {
        if self.quantum_ns() == 0 { self.lead_ns } else { 0 }
    }

    /// How long after an arrival is due it may start by intention, in nanoseconds. It starts with the first thing that
    /// wakes the shard by then.
    pub(crate) fn slack_ns(&self) -> u64 {
        if self.quantum_ns() == 0 { (SLACK_MAX_NS as f64 * self.ease) as u64 } else { 0 }
    }

    /// How long answers may be waited for to come together, in nanoseconds: a small part of the quantum.
    pub(crate) fn patience_ns(&self) -> u64 {
        self.quantum_ns() / PATIENCE_PART
    }

    /// So long was polled for an arrival.
    pub(crate) fn has_polled(&mut self, ns: u64) {
        self.polled_ns += ns;
    }

    /// Fits the lead to what may be spent on polling. It is to be called every few milliseconds; `ns` is the time since
    /// it was.
    pub(crate) fn fit_lead(&mut self, ns: u64) {
        let polled = std::mem::take(&mut self.polled_ns) as f64;
        if polled > ns as f64 * POLLING_MAX_SHARE * (1.0 - self.ease) {
            self.lead_ns -= self.lead_ns / 8;
        } else {
            self.lead_ns = (self.lead_ns + LEAD_STEP_NS).min(LEAD_MAX_NS);
        }
    }

    /// Fits lead and slack, and chooses the quantum where it is not fixed: from the share of its core that the shard used,
    /// 0..=1, and the rate of arrivals a second meanwhile.
    pub(crate) fn review(&mut self, share: f64, rate: f64) {
        let (from, to) = EASED_SHARES;
        self.ease = ((share - from) / (to - from)).clamp(0.0, 1.0);
        if !self.auto || rate <= 0.0 {
            return;
        }
        let before = self.level.checked_sub(1);
        if share > ROOM_SHARE && self.level + 1 < QUANTA_NS.len() {
            self.left_at[self.level] = rate;
            self.level += 1;
        } else if let Some(before) = before
            && rate < self.left_at[before] * BACK_AT
        {
            self.level = before;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_fixed_stays() {
        for (pacing, quantum) in [(Pacing::Precise, 0), (Pacing::Economy, ECONOMY_QUANTUM_NS)] {
            let mut pacer = Pacer::new(pacing);
            (0..100).for_each(|k| pacer.review(f64::from(k % 2), 1e5));
            assert_eq!(pacer.quantum_ns(), quantum);
        }
    }

    #[test]
    fn a_full_core_makes_it_coarser_and_a_lower_rate_finer_again() {
        let mut pacer = Pacer::new(Pacing::Auto);
        let mut seen = vec![pacer.quantum_ns()];
        for (share, rate) in
            [(0.5, 1e4), (0.8, 4e4), (0.8, 5e4), (0.9, 6e4), (0.3, 4e4), (0.3, 2e4), (0.1, 1e3)]
        {
            pacer.review(share, rate);
            seen.push(pacer.quantum_ns() / 1_000);
        }
        assert_eq!(seen, [0, 0, 250, 1000, 1000, 1000, 250, 0]);
    }

    #[test]
    fn the_busier_the_core_the_less_is_polled_and_the_more_slack_there_is() {
        let mut pacer = Pacer::new(Pacing::Precise);
        let mut seen = vec![pacer.slack_ns()];
        for share in [0.05, 0.2, 0.5, 0.05] {
            pacer.review(share, 1e4);
            seen.push(pacer.slack_ns());
        }
        assert_eq!(seen, [0, 0, SLACK_MAX_NS / 2, SLACK_MAX_NS, 0]);
        let before = pacer.lead_ns();
        pacer.review(0.5, 1e4);
        pacer.has_polled(1);
        pacer.fit_lead(10 * NS_PER_MS);
        assert!(pacer.lead_ns() < before, "a busy core does not poll");
        let mut economy = Pacer::new(Pacing::Economy);
        economy.review(0.5, 1e4);
        assert_eq!(economy.slack_ns(), 0, "its quantum is slack enough");
    }

    proptest! {
        /// With the same rate, whatever it costs at each quantum, the quantum changes at most twice.
        #[test]
        fn it_comes_to_rest(costs in prop::array::uniform3(0.0..1.0_f64), rate in 1.0..1e6_f64) {
            let mut pacer = Pacer::new(Pacing::Auto);
            let mut changes = 0;
            for _ in 0..50 {
                let before = pacer.level;
                pacer.review(costs[before], rate);
                changes += usize::from(pacer.level != before);
            }
            prop_assert!(changes <= 2, "{changes}");
        }

        /// Polling that takes what there is of the lead settles near its share.
        #[test]
        fn polling_keeps_to_its_share(rate in 100.0..20_000.0_f64, wakes_late_ns in 0_u64..80_000) {
            let mut pacer = Pacer::new(Pacing::Precise);
            let (mut polled, mut rounds) = (0.0, 0.0);
            for round in 0..2_000 {
                let ns = 10.0 * NS_PER_MS as f64;
                let spent = rate * 0.01 * pacer.lead_ns().saturating_sub(wakes_late_ns) as f64;
                pacer.has_polled(spent as u64);
                pacer.fit_lead(ns as u64);
                if round >= 200 {
                    polled += spent / ns;
                    rounds += 1.0;
                }
            }
            prop_assert!(polled / rounds <= POLLING_MAX_SHARE * 2.0, "{}", polled / rounds);
        }
    }
}
