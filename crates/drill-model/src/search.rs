//! The search for the highest rate that holds: which rate is tried next, and what is known at the end.
//!
//! Bisection between a rate that held and one that failed, made robust against an unlucky probe: both ends of the last
//! interval are tried again, until each has held (or failed) twice more often than not. A rate that held and failed
//! alike is tried once more. What was once contradicted widens the interval that is reported. A probe whose objective could
//! not be measured says nothing, neither for nor against its rate: it is made again, and after some of them the search ends.

use peakdrill_timebase::format_rate;
use serde::{Deserialize, Serialize};

/// Key of a [`Probe`] in the data of an event.
pub const PROBE_KEY: &str = "probe";
/// Key of [`Ended`] in the data of an event.
pub const ENDED_KEY: &str = "search_ended";
/// Probes of one rate after which the majority counts, however narrow.
const TRIES_MAX: u32 = 5;
/// Probes of one rate, one after the other, whose objective could not be measured, after which the search gives up.
pub const UNMEASURED_MAX: u32 = 3;
/// Probes beyond the halvings of the interval and their confirmation.
const PROBES_SPARE: u32 = 10;

/// Between what rates (journeys a second) is searched, and how finely.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// Lowest rate; above 0.
    pub low: f64,
    /// Highest rate; above `low`.
    pub high: f64,
    /// The search ends when the failed rate is at most so much above the one that held, 0..1.
    pub tolerance: f64,
}

impl Range {
    /// Most probes of a search that are judged: three for each halving of the range, and some.
    #[must_use]
    pub fn probes_max(&self) -> u32 {
        let steps = ((self.high - self.low) / (self.low * self.tolerance)).max(1.0);
        3 * (steps.log2().ceil() as u32 + 1) + PROBES_SPARE
    }
}

/// One probe of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Its place in the search: 1, 2, …
    pub number: u32,
    /// Index of the phase.
    pub phase: u16,
    /// Journeys a second that were intended.
    pub rate: f64,
    /// When its rate began, nanoseconds from the start of the load.
    pub from_ns: u64,
    /// When it was judged.
    pub to_ns: u64,
    /// Whether the objective held; `None`: it could not be measured, from too few answers.
    pub held: Option<bool>,
    /// Why, in words.
    pub because: String,
}

/// Why a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The interval is as narrow as was asked for, and both of its ends are confirmed.
    Found,
    /// The highest rate still holds.
    AtLeastHigh,
    /// The lowest rate fails already.
    BelowLow,
    /// Probes contradicted each other until there were no more.
    OutOfProbes,
    /// At some rate the objective could not be measured, however often it was tried.
    Unmeasured,
    /// Its time was over.
    OutOfTime,
    /// The run was stopped.
    Stopped,
}

/// What is known of a capacity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CapacityFound {
    /// Name of the phase that searched.
    pub phase: String,
    /// Why it ended.
    pub ended: Ended,
    /// Highest rate that held, by the majority of its probes, and below the lowest that failed.
    pub held_per_s: Option<f64>,
    /// Lowest rate that failed, by the majority of its probes.
    pub failed_per_s: Option<f64>,
    /// The interval with every contradiction in it: no rate up to its lower end ever failed, none from its upper end on
    /// ever held.
    pub low_per_s: Option<f64>,
    /// Its upper end.
    pub high_per_s: Option<f64>,
    /// Probes that were judged.
    pub probes: u32,
    /// Of these, those that the majority at their rate contradicts.
    pub contradicted: u32,
    /// Probes besides these whose objective could not be measured.
    #[serde(default)]
    pub unmeasured: u32,
    /// The probes, in order.
    pub tried: Vec<Probe>,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Next {
    /// Try a rate.
    Probe(f64),
    /// Nothing: it is known.
    Done(Ended),
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Tried {
    rate: f64,
    held: u32,
    failed: u32,
}

impl Tried {
    /// By the majority; `None` for a tie.
    fn holds(&self) -> Option<bool> {
        (self.held != self.failed).then_some(self.held > self.failed)
    }

    /// Twice more often than not, or as often as it was worth to try.
    fn is_sure(&self) -> bool {
        self.held.abs_diff(self.failed) >= 2 || self.held + self.failed >= TRIES_MAX
    }
}

/// A search, without a clock: results of probes in, the next rate out.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    range: Range,
    /// Ascending by rate.
    tried: Vec<Tried>,
    /// That were judged.
    probes: u32,
    /// The rate that could not be judged, and how often that was so since one was.
    blind: Option<(f64, u32)>,
}

impl Search {
    /// A search that has not begun.
    #[must_use]
    pub fn new(range: Range) -> Self {
        Self { range, tried: Vec::new(), probes: 0, blind: None }
    }

    /// Takes the result of a probe; `None`: it could not be judged.
    pub fn tell(&mut self, rate: f64, held: Option<bool>) {
        let Some(held) = held else {
            let before = self.blind.map_or(0, |(_, times)| times);
            self.blind = Some((rate, before + 1));
            return;
        };
        self.blind = None;
        self.probes += 1;
        let at = self.tried.partition_point(|tried| tried.rate < rate);
        if self.tried.get(at).is_none_or(|tried| tried.rate != rate) {
            self.tried.insert(at, Tried { rate, held: 0, failed: 0 });
        }
        if let Some(tried) = self.tried.get_mut(at) {
            tried.held += u32::from(held);
            tried.failed += u32::from(!held);
        }
    }

    fn of(&self, rate: f64) -> Option<&Tried> {
        self.tried.iter().find(|tried| tried.rate == rate)
    }

    /// The lowest rate that failed.
    fn failed(&self) -> Option<&Tried> {
        self.tried.iter().find(|tried| tried.holds() == Some(false))
    }

    /// The highest rate that held, below the lowest that failed.
    fn held(&self) -> Option<&Tried> {
        let top = self.failed().map_or(f64::INFINITY, |failed| failed.rate);
        self.tried.iter().rev().find(|tried| tried.holds() == Some(true) && tried.rate < top)
    }

    /// What comes next.
    #[must_use]
    pub fn next(&self) -> Next {
        let Range { low, high, tolerance } = self.range;
        match self.blind {
            Some((_, UNMEASURED_MAX..)) => return Next::Done(Ended::Unmeasured),
            Some((rate, _)) => return Next::Probe(rate),
            None => {}
        }
        if self.of(low).is_none() {
            return Next::Probe(low);
        }
        if self.probes >= self.range.probes_max() {
            return Next::Done(Ended::OutOfProbes);
        }
        if let Some(tie) = self.tried.iter().find(|tried| tried.holds().is_none()) {
            return Next::Probe(tie.rate);
        }
        let Some(held) = self.held() else {
            let sure = self.of(low).is_some_and(Tried::is_sure);
            return if sure { Next::Done(Ended::BelowLow) } else { Next::Probe(low) };
        };
        let Some(failed) = self.failed() else {
            return match self.of(high) {
                Some(top) if top.is_sure() => Next::Done(Ended::AtLeastHigh),
                _ => Next::Probe(high),
            };
        };
        if failed.rate > held.rate * (1.0 + tolerance) {
            return Next::Probe((held.rate + failed.rate) / 2.0);
        }
        match (held.is_sure(), failed.is_sure()) {
            (true, true) => Next::Done(Ended::Found),
            (true, false) => Next::Probe(failed.rate),
            (false, _) => Next::Probe(held.rate),
        }
    }

    /// Highest rate that held by now.
    #[must_use]
    pub fn held_per_s(&self) -> Option<f64> {
        self.held().map(|tried| tried.rate)
    }

    /// Lowest rate that failed by now.
    #[must_use]
    pub fn failed_per_s(&self) -> Option<f64> {
        self.failed().map(|tried| tried.rate)
    }

    /// What is known of the capacity.
    fn found(&self, phase: String, ended: Ended, tried: Vec<Probe>) -> CapacityFound {
        let once_failed = self.tried.iter().find(|tried| tried.failed > 0).map(|tried| tried.rate);
        let once_held = self.tried.iter().rev().find(|tried| tried.held > 0).map(|tried| tried.rate);
        let below = |rate: f64| once_failed.is_none_or(|failed| rate < failed);
        let above = |rate: f64| once_held.is_none_or(|held| rate > held);
        CapacityFound {
            phase,
            ended,
            held_per_s: self.held_per_s(),
            failed_per_s: self.failed_per_s(),
            low_per_s: self.tried.iter().rev().map(|tried| tried.rate).find(|rate| below(*rate)),
            high_per_s: self.tried.iter().map(|tried| tried.rate).find(|rate| above(*rate)),
            probes: self.probes,
            contradicted: self.tried.iter().map(|tried| tried.held.min(tried.failed)).sum(),
            unmeasured: tried.iter().map(|probe| u32::from(probe.held.is_none())).sum(),
            tried,
        }
    }
}

impl std::fmt::Display for CapacityFound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rate = |rate: Option<f64>| rate.map_or_else(|| "none".to_owned(), format_rate);
        let (held, failed) = (rate(self.held_per_s), rate(self.failed_per_s));
        match self.ended {
            Ended::BelowLow => write!(f, "capacity < {failed}: the lowest rate fails already")?,
            Ended::AtLeastHigh => write!(f, "capacity >= {held}: the highest rate still holds")?,
            Ended::Found => write!(f, "capacity {held}: that held, {failed} failed")?,
            Ended::OutOfProbes => {
                write!(
                    f,
                    "capacity not certain: {held} held, {failed} failed, but probes contradict each other"
                )?;
            }
            Ended::Unmeasured => {
                let last = self.tried.last();
                let at = rate(last.map(|probe| probe.rate));
                let why = last.map_or("", |probe| &probe.because);
                write!(f, "capacity not known: at {at} the objective could not be measured: {why}; ")?;
                write!(f, "{held} held, {failed} failed")?;
            }
            Ended::OutOfTime => write!(f, "search out of time: {held} held, {failed} failed")?,
            Ended::Stopped => write!(f, "search stopped: {held} held, {failed} failed")?,
        }
        write!(f, " ({} probes", self.probes)?;
        if self.contradicted > 0 {
            let (low, high) = (rate(self.low_per_s), rate(self.high_per_s));
            write!(f, ", {} contradicted: certain is only {low} to {high}", self.contradicted)?;
        }
        if self.unmeasured > 0 {
            write!(f, ", {} not measured", self.unmeasured)?;
        }
        f.write_str(")")
    }
}

/// What the probes of a search tell, in the order in which they were made. `ended` is `None` when nobody said: the run
/// was stopped before.
#[must_use]
pub fn capacity(phase: String, range: Range, probes: Vec<Probe>, ended: Option<Ended>) -> CapacityFound {
    let mut search = Search::new(range);
    probes.iter().for_each(|probe| search.tell(probe.rate, probe.held));
    search.found(phase, ended.unwrap_or(Ended::Stopped), probes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Searches a target that says whether a rate holds. The rates that were tried, and how it ended.
    fn search(range: Range, mut holds: impl FnMut(u32, f64) -> bool) -> (Search, Ended) {
        let mut search = Search::new(range);
        loop {
            match search.next() {
                Next::Probe(rate) => {
                    assert!(rate >= range.low && rate <= range.high);
                    let held = holds(search.probes, rate);
                    search.tell(rate, Some(held));
                }
                Next::Done(ended) => return (search, ended),
            }
        }
    }

    const RANGE: Range = Range { low: 100.0, high: 1000.0, tolerance: 0.02 };

    #[test]
    fn outside_of_the_range_is_said_plainly() {
        let (low, ended) = search(RANGE, |_, _| false);
        assert_eq!((ended, low.probes, low.held_per_s()), (Ended::BelowLow, 2, None));
        let (high, ended) = search(RANGE, |_, _| true);
        assert_eq!((ended, high.probes, high.failed_per_s()), (Ended::AtLeastHigh, 3, None));
    }

    #[test]
    fn what_cannot_be_measured_is_tried_again_and_given_up() {
        let mut search = Search::new(RANGE);
        search.tell(100.0, Some(true));
        // A rate that is measured at last is judged as if nothing had been.
        for _ in 1..UNMEASURED_MAX {
            search.tell(1000.0, None);
            assert_eq!(search.next(), Next::Probe(1000.0));
        }
        search.tell(1000.0, Some(false));
        assert_eq!(search.next(), Next::Probe(550.0));
        let because = "p99 < 1s (from 3 samples of the 100 it needs)".to_owned();
        let probe = |(k, (rate, held)): (usize, (f64, Option<bool>))| Probe {
            number: k as u32 + 1,
            phase: 0,
            rate,
            from_ns: 0,
            to_ns: 1,
            held,
            because: because.clone(),
        };
        let told = [(100.0, Some(true)), (1000.0, None), (1000.0, Some(false)), (550.0, None), (550.0, None)];
        let mut told = told.to_vec();
        told.push((550.0, None));
        told[3..].iter().for_each(|(rate, held)| search.tell(*rate, *held));
        assert_eq!(search.next(), Next::Done(Ended::Unmeasured));
        let tried: Vec<Probe> = told.into_iter().enumerate().map(probe).collect();
        let found = capacity("p".into(), RANGE, tried, Some(Ended::Unmeasured));
        assert_eq!((found.probes, found.unmeasured, found.contradicted), (2, 4, 0));
        assert_eq!((found.held_per_s, found.failed_per_s), (Some(100.0), Some(1000.0)));
        assert!(found.to_string().contains("from 3 samples of the 100 it needs"), "{found}");
    }

    #[test]
    fn a_coin_ends_too() {
        let mut n = 7_u64;
        let (coin, _) = search(RANGE, |_, _| {
            n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            n >> 63 == 1
        });
        assert!(coin.probes <= RANGE.probes_max());
    }

    proptest! {
        #[test]
        fn a_clean_target_is_found(truth in 100.0..999.9_f64, tolerance in 0.005..0.2_f64) {
            let range = Range { tolerance, ..RANGE };
            let (search, ended) = search(range, |_, rate| rate <= truth);
            prop_assert_eq!(ended, Ended::Found);
            let (held, failed) = (search.held_per_s().unwrap(), search.failed_per_s().unwrap());
            prop_assert!(held <= truth && truth < failed && failed <= held * (1.0 + tolerance));
            let found = search.found("p".into(), ended, Vec::new());
            prop_assert_eq!((found.low_per_s, found.high_per_s, found.contradicted), (Some(held), Some(failed), 0));
        }

        #[test]
        fn one_unlucky_probe_changes_nothing(truth in 105.0..950.0_f64, unlucky in 0..14_u32) {
            let (search, ended) = search(RANGE, |n, rate| (rate <= truth) != (n == unlucky));
            let (held, failed) = (search.held_per_s().unwrap_or(0.0), search.failed_per_s().unwrap_or(f64::INFINITY));
            prop_assert_eq!(ended, Ended::Found, "{} {}", held, failed);
            prop_assert!(held <= truth && truth < failed, "{held} {truth} {failed}");
            let found = search.found("p".into(), ended, Vec::new());
            let (low, high) = (found.low_per_s.unwrap_or(0.0), found.high_per_s.unwrap_or(f64::INFINITY));
            prop_assert!(low <= held && failed <= high);
        }
    }
}
