//! Where the phases lie on the time axis of the load, from the plan and from what was changed while it ran.
//!
//! Everything that has to know when a phase runs, or what rate is planned at a time, asks this: the arrival process, the
//! guards, the screens, and the reports. A change is data with an instant: whoever applies the same changes to the same
//! plan has the same timeline.

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::plan::Load;
use crate::shape::{Piece, Shape, rate_at};

/// Longest load, in nanoseconds: 24 hours.
pub const LOAD_MAX_NS: u64 = 24 * 3_600 * 1_000_000_000;

/// Key of a [`Change`] in the data of an event.
pub const CHANGE_KEY: &str = "change";

/// A change of the schedule while it runs. Times are nanoseconds from the start of the load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A phase ends at a time; the ones behind it begin so much earlier.
    End {
        /// Index of the phase.
        phase: u16,
        /// Nothing of it is intended at or after this.
        at_ns: u64,
    },
    /// The rate of a search is another one from a time on.
    Rate {
        /// Index of the phase.
        phase: u16,
        /// From then on; after the change before it.
        from_ns: u64,
        /// Journeys a second.
        rate: f64,
    },
}

impl Change {
    /// Index of the phase that changes; those before it stay as they are.
    #[must_use]
    pub fn phase(&self) -> u16 {
        match *self {
            Self::End { phase, .. } | Self::Rate { phase, .. } => phase,
        }
    }

    /// The first time at which the schedule is another one.
    #[must_use]
    pub fn at_ns(&self) -> u64 {
        match *self {
            Self::End { at_ns, .. } => at_ns,
            Self::Rate { from_ns, .. } => from_ns,
        }
    }
}

/// Why a timeline cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimelineError {
    /// A phase is to last until an instant that is over when it begins.
    #[error("phase `{phase}` is to last until an instant that is over by the time it begins")]
    Past {
        /// Its name.
        phase: String,
    },
    /// An instant makes the load too long.
    #[error("phase `{phase}` is to last until an instant more than 24 hours after the start of the load")]
    TooLong {
        /// Its name.
        phase: String,
    },
    /// A change speaks of a phase that is not there, or of a time outside of it.
    #[error("a change of phase {phase} at {at_ns} ns does not fit the schedule")]
    Unfit {
        /// Index of the phase.
        phase: u16,
        /// Its time.
        at_ns: u64,
    },
}

/// A phase on the time axis. Times are nanoseconds from the start of the load.
#[derive(Debug, Clone, PartialEq)]
pub struct Laid {
    /// Its first instant.
    pub start_ns: u64,
    /// The first instant behind it.
    pub end_ns: u64,
    /// The rate, from its start on, maybe beyond its end. Empty for a closed loop.
    pub pieces: Vec<Piece>,
    /// Users of a closed loop.
    pub users: Option<u32>,
    /// Its end is an instant, and does not move with its start; and its rate.
    until: Option<f64>,
    /// Its rate may change.
    searches: bool,
}

/// The phases of a load, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    phases: Vec<Laid>,
}

impl Timeline {
    /// The timeline of a load that starts at a wall-clock time (Unix nanoseconds).
    ///
    /// # Errors
    /// When a phase lasts until an instant that is over by then, or too far away.
    pub fn new(load: &Load, start_unix_ns: i64) -> Result<Self, TimelineError> {
        Self::lay(load, |phase, start_ns, until_unix_ns| {
            let name = || load.phases.get(phase).map_or_else(String::new, |phase| phase.name.clone());
            let end_ns = u64::try_from(i128::from(until_unix_ns) - i128::from(start_unix_ns)).unwrap_or(0);
            if end_ns <= start_ns {
                return Err(TimelineError::Past { phase: name() });
            }
            if end_ns > LOAD_MAX_NS {
                return Err(TimelineError::TooLong { phase: name() });
            }
            Ok(end_ns)
        })
    }

    /// The timeline as far as it is known without a start: what ends at an instant takes no time.
    #[must_use]
    pub fn planned(load: &Load) -> Self {
        let laid = Self::lay(load, |_, start_ns, _| Ok::<u64, TimelineError>(start_ns));
        laid.unwrap_or(Self { phases: Vec::new() })
    }

    /// The timeline that a run had at its end, from its record: the start of the load (Unix nanoseconds; 0: it never
    /// started) and the changes in its event log, under [`CHANGE_KEY`]. And the changes that do not fit, of which there
    /// are none in a record that was not tampered with.
    #[must_use]
    pub fn of_record(load: &Load, start_unix_ns: i64, events: &[Event]) -> (Self, u64) {
        let mut timeline = match start_unix_ns {
            0 => Self::planned(load),
            start => Self::new(load, start).unwrap_or_else(|_| Self::planned(load)),
        };
        let mut unfit = 0;
        for data in events.iter().filter_map(|event| event.data.get(CHANGE_KEY)) {
            let change = serde_json::from_value::<Change>(data.clone()).ok();
            unfit += u64::from(change.is_none_or(|change| timeline.apply(&change).is_err()));
        }
        (timeline, unfit)
    }

    /// `end_of` tells the end of a phase that lasts until an instant, from its index, its start and the instant.
    fn lay<E>(load: &Load, end_of: impl Fn(usize, u64, i64) -> Result<u64, E>) -> Result<Self, E> {
        let mut phases = Vec::with_capacity(load.phases.len());
        let mut start_ns = 0_u64;
        for (index, phase) in load.phases.iter().enumerate() {
            let users = if let Shape::Users { count, .. } = phase.shape { Some(count) } else { None };
            let searches = matches!(phase.shape, Shape::Search { .. });
            let mut laid = Laid {
                start_ns,
                end_ns: start_ns,
                pieces: phase.shape.pieces(),
                users,
                until: None,
                searches,
            };
            if let Shape::HoldUntil { rate, until_unix_ns } = phase.shape {
                laid.until = Some(rate);
                laid.end_ns = end_of(index, start_ns, until_unix_ns)?;
                laid.pieces = vec![Piece::flat(laid.end_ns - start_ns, rate)];
            } else {
                laid.end_ns = start_ns.saturating_add(phase.shape.duration_ns());
            }
            start_ns = laid.end_ns;
            phases.push(laid);
        }
        Ok(Self { phases })
    }

    /// The phases, in order.
    #[must_use]
    pub fn phases(&self) -> &[Laid] {
        &self.phases
    }

    /// The end of the load.
    #[must_use]
    pub fn end_ns(&self) -> u64 {
        self.phases.last().map_or(0, |laid| laid.end_ns)
    }

    /// The planned rate at a time and the index of its phase; `None` after the end. In a closed loop no rate is planned:
    /// users set the pace.
    #[must_use]
    pub fn rate_at(&self, t_ns: u64) -> Option<(Option<f64>, usize)> {
        // A phase of no length holds no time.
        let index = self.phases.iter().position(|laid| laid.start_ns <= t_ns && t_ns < laid.end_ns)?;
        let laid = self.phases.get(index)?;
        let rate = laid.users.is_none().then(|| rate_at(&laid.pieces, t_ns - laid.start_ns));
        Some((rate, index))
    }

    /// Applies a change. The same changes in the same order give the same timeline.
    ///
    /// # Errors
    /// [`TimelineError::Unfit`], with nothing changed.
    pub fn apply(&mut self, change: &Change) -> Result<(), TimelineError> {
        match *change {
            Change::End { phase, at_ns } => {
                let unfit = TimelineError::Unfit { phase, at_ns };
                let laid = self.phases.get_mut(usize::from(phase)).ok_or(unfit.clone())?;
                if at_ns < laid.start_ns || at_ns >= laid.end_ns {
                    return Err(unfit);
                }
                laid.end_ns = at_ns;
                self.close_up(usize::from(phase) + 1, at_ns);
            }
            Change::Rate { phase, from_ns, rate } => {
                let unfit = TimelineError::Unfit { phase, at_ns: from_ns };
                let laid = self.phases.get_mut(usize::from(phase)).ok_or(unfit.clone())?;
                let whole: u64 = laid.pieces.iter().map(|piece| piece.len_ns).sum();
                let Some(last) = laid.pieces.last_mut().filter(|_| laid.searches) else { return Err(unfit) };
                let last_start_ns = laid.start_ns + (whole - last.len_ns);
                let fits =
                    rate.is_finite() && rate >= 0.0 && from_ns > last_start_ns && from_ns < laid.end_ns;
                if !fits {
                    return Err(unfit);
                }
                let left_ns = laid.start_ns + whole - from_ns;
                // Flat, so that its beginning is computed as before.
                last.len_ns -= left_ns;
                laid.pieces.push(Piece::flat(left_ns, rate));
            }
        }
        Ok(())
    }

    /// Moves the phases from an index on so that they follow a time at once. What ends at an instant gets longer.
    fn close_up(&mut self, from: usize, mut at_ns: u64) {
        for laid in self.phases.iter_mut().skip(from) {
            let len_ns = laid.end_ns - laid.start_ns;
            laid.start_ns = at_ns;
            match laid.until {
                Some(rate) => laid.pieces = vec![Piece::flat(laid.end_ns - at_ns, rate)],
                None => laid.end_ns = at_ns + len_ns,
            }
            at_ns = laid.end_ns;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::{Arrivals, Phase};

    const S: u64 = 1_000_000_000;

    fn load(shapes: &[Shape]) -> Load {
        let phase =
            |(k, shape): (usize, &Shape)| Phase::measured(&format!("p{k}"), shape.clone(), Arrivals::Even);
        let phases = shapes.iter().enumerate().map(phase).collect();
        Load {
            arrivals: Arrivals::Even,
            pacing: crate::plan::Pacing::Auto,
            seed: 1,
            max_in_flight: 1,
            phases,
        }
    }

    fn hold(rate: f64, seconds: u64) -> Shape {
        Shape::Hold { rate, for_ns: seconds * S }
    }

    #[test]
    fn an_instant_ends_a_phase_wherever_it_begins() {
        let start = 1_700_000_000 * S as i64;
        let shapes = [
            hold(5.0, 10),
            Shape::HoldUntil { rate: 7.0, until_unix_ns: start + 30 * S as i64 },
            hold(9.0, 2),
        ];
        let mut line = Timeline::new(&load(&shapes), start).unwrap();
        assert_eq!(line.end_ns(), 32 * S);
        assert_eq!(line.rate_at(29 * S), Some((Some(7.0), 1)));
        line.apply(&Change::End { phase: 0, at_ns: 4 * S }).unwrap();
        assert_eq!(line.rate_at(4 * S), Some((Some(7.0), 1)));
        assert_eq!(line.rate_at(30 * S), Some((Some(9.0), 2)));
        assert_eq!(line.end_ns(), 32 * S);
        let late = Timeline::new(&load(&shapes), start + 21 * S as i64);
        assert_eq!(late, Err(TimelineError::Past { phase: "p1".into() }));
        let far = Timeline::new(&load(&shapes), start - 24 * 3600 * S as i64);
        assert_eq!(far, Err(TimelineError::TooLong { phase: "p1".into() }));
        assert_eq!(Timeline::planned(&load(&shapes)).end_ns(), 12 * S);
    }

    #[test]
    fn users_have_no_planned_rate() {
        let shapes =
            [hold(5.0, 10), Shape::Users { count: 8, for_ns: 10 * S }, Shape::Pause { for_ns: 10 * S }];
        let line = Timeline::planned(&load(&shapes));
        let at = |s: u64| line.rate_at(s * S);
        assert_eq!([at(9), at(10), at(19)], [Some((Some(5.0), 0)), Some((None, 1)), Some((None, 1))]);
        assert_eq!([at(20), at(30)], [Some((Some(0.0), 2)), None], "no load is a plan, too");
    }

    #[test]
    fn a_change_outside_of_its_phase_changes_nothing() {
        let mut line = Timeline::planned(&load(&[hold(5.0, 10), hold(6.0, 10)]));
        let before = line.clone();
        for (phase, at_ns) in [(0, 10 * S), (1, 9 * S), (1, 20 * S), (2, 5 * S)] {
            let change = Change::End { phase, at_ns };
            assert_eq!(line.apply(&change), Err(TimelineError::Unfit { phase, at_ns }));
        }
        assert_eq!(line, before);
    }

    #[test]
    fn a_search_gets_its_rates_while_it_runs() {
        let range = crate::search::Range { low: 10.0, high: 100.0, tolerance: 0.1 };
        let shape = Shape::Search { range, settle_ns: S, probe_ns: S, within_ns: 60 * S };
        let mut line = Timeline::planned(&load(&[hold(5.0, 10), shape, hold(6.0, 1)]));
        assert_eq!((line.end_ns(), line.rate_at(15 * S)), (71 * S, Some((Some(10.0), 1))));
        let rate = |from_ns, rate| Change::Rate { phase: 1, from_ns, rate };
        line.apply(&rate(20 * S, 100.0)).unwrap();
        line.apply(&rate(25 * S, 55.0)).unwrap();
        line.apply(&Change::End { phase: 1, at_ns: 30 * S }).unwrap();
        let at = |s: u64| line.rate_at(s * S).and_then(|(rate, _)| rate).unwrap();
        assert_eq!([at(19), at(20), at(24), at(25), at(29), at(30)], [10.0, 100.0, 100.0, 55.0, 55.0, 6.0]);
        for wrong in [rate(25 * S, 1.0), rate(30 * S, 1.0), rate(28 * S, f64::NAN)] {
            assert!(line.apply(&wrong).is_err());
        }
        assert!(line.apply(&Change::Rate { phase: 0, from_ns: 5 * S, rate: 1.0 }).is_err());
    }

    proptest! {
        #[test]
        fn phases_stay_in_a_row(
            lengths in proptest::collection::vec(1..50_u64, 1..6),
            cuts in proptest::collection::vec((0..6_u16, 0..300_u64), 0..6),
        ) {
            let shapes: Vec<Shape> = lengths.iter().map(|len| hold(*len as f64, *len)).collect();
            let mut line = Timeline::planned(&load(&shapes));
            for (phase, at) in cuts {
                let change = Change::End { phase, at_ns: at * S / 4 };
                let text = serde_json::to_string(&change).unwrap();
                prop_assert_eq!(serde_json::from_str::<Change>(&text).unwrap(), change);
                let _fits_or_not = line.apply(&change);
            }
            let mut at = 0;
            for (laid, len) in line.phases().iter().zip(&lengths) {
                prop_assert_eq!(laid.start_ns, at);
                prop_assert!(laid.end_ns >= at && laid.end_ns - at <= len * S);
                at = laid.end_ns;
            }
            prop_assert_eq!(line.end_ns(), at);
        }
    }
}
