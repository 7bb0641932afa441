//! The arrival process: one for the whole drill, pure and seeded.
//!
//! Each phase is a unit process seen through the integral of its rate: its arrival k lies where the integral reaches
//! `u_k`. *Even* arrivals have `u_k = k + 1/2`, so that a phase holds the integral rounded, and its first request does
//! not fall on the very edge. *Poisson* arrivals have sums of unit exponentials, which makes the process exact for any
//! rate curve (time rescaling), ramps included. Phases start anew, each with a random stream of its own. A shard walks
//! the whole process and takes the indices that are its own: any number of shards sends the same instants.
//!
//! The schedule may change while it runs: a [`Change`] names a future instant, and the process up to there is what it was.
//! A stream that has looked further goes back to behind the last arrival that was begun (see
//! `docs/adr-004-changes-of-the-schedule.md`).

use std::sync::Arc;

use peakdrill_drill_model::plan::{Arrivals, Load, Phase};
use peakdrill_drill_model::shape::Piece;
use peakdrill_drill_model::timeline::{Change, Timeline, TimelineError};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::draw::to_unit;

/// Journeys of closed-loop phase p have indices from `(p + 1) << USERS_INDEX_BITS`, apart from those of arrivals.
pub const USERS_INDEX_BITS: u32 = 40;

/// One arrival of the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its place in the whole drill, counted over all open phases.
    pub index: u64,
    /// Index of its phase.
    pub phase: u16,
    /// Its intended time, in nanoseconds from the start of the load.
    pub at_ns: u64,
}

/// A closed-loop phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserPhase {
    /// Index of the phase.
    pub phase: u16,
    /// Users over all shards.
    pub users: u32,
    /// Start, in nanoseconds from the start of the load.
    pub start_ns: u64,
    /// End; no journey starts from then on.
    pub end_ns: u64,
}

/// The load of a plan, ready to be walked.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    seed: u64,
    timeline: Timeline,
    limit_ns: u64,
    phases: Vec<Span>,
}

/// Why a stream cannot follow a change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// It does not fit the schedule.
    #[error(transparent)]
    Unfit(#[from] TimelineError),
    /// An arrival at or after its instant was begun already.
    #[error(
        "a change of the schedule at {at_ns} ns was heard of too late: an arrival at {begun_ns} ns was begun"
    )]
    Late {
        /// Its instant.
        at_ns: u64,
        /// The arrival's.
        begun_ns: u64,
    },
}

#[derive(Debug, Clone, PartialEq)]
struct Span {
    start_ns: u64,
    end_ns: u64,
    arrivals: Arrivals,
    users: Option<u32>,
    pieces: Vec<Slope>,
}

/// A piece of the rate, with the integral before it and over it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Slope {
    start_ns: u64,
    piece: Piece,
    before: f64,
    area: f64,
}

impl Slope {
    /// Nanoseconds from the piece's start to where its own integral reaches `area`: the root of
    /// `from·t + (to - from)/(2·len)·t² = area`, in the form that loses no digits for either sign of the slope.
    fn inverse_ns(&self, area: f64) -> u64 {
        let Piece { len_ns, from, to } = self.piece;
        let slope = (to - from) / (len_ns as f64 / 1e9);
        let root = slope.mul_add(2.0 * area, from * from).max(0.0).sqrt();
        let denominator = from + root;
        if denominator <= 0.0 {
            return len_ns;
        }
        ((2.0 * area / denominator * 1e9).round() as u64).min(len_ns)
    }
}

fn slopes(pieces: &[Piece]) -> Vec<Slope> {
    let (mut start_ns, mut before) = (0, 0.0);
    let build = |piece: &Piece| {
        let slope = Slope { start_ns, piece: *piece, before, area: piece.area() };
        start_ns += piece.len_ns;
        before += slope.area;
        slope
    };
    pieces.iter().map(build).collect()
}

impl Schedule {
    /// The schedule of a load whose phases lie so in time; nothing is intended at or after `limit_ns`.
    #[must_use]
    pub fn new(load: &Load, timeline: Timeline, limit_ns: Option<u64>) -> Self {
        let limit_ns = limit_ns.unwrap_or(u64::MAX);
        let span = |phase: &Phase| Span {
            start_ns: 0,
            end_ns: 0,
            arrivals: phase.arrivals,
            users: None,
            pieces: Vec::new(),
        };
        let phases = load.phases.iter().map(span).collect();
        let mut schedule = Self { seed: load.seed, timeline, limit_ns, phases };
        schedule.lay(0);
        schedule
    }

    /// Takes over where the phases from an index on lie now.
    fn lay(&mut self, from: usize) {
        for (span, laid) in self.phases.iter_mut().zip(self.timeline.phases()).skip(from) {
            span.start_ns = laid.start_ns;
            span.end_ns = laid.end_ns.min(self.limit_ns);
            span.users = laid.users;
            span.pieces = slopes(&laid.pieces);
        }
    }

    /// Applies a change. What is intended before its instant stays exactly what it was: slopes are never cut,
    /// since a cut one would be computed with other roundings: a phase only ends earlier. What a search cuts is flat, which
    /// gives the same instants whatever its length.
    fn change(&mut self, change: &Change) -> Result<(), TimelineError> {
        self.timeline.apply(change)?;
        self.lay(usize::from(change.phase()));
        Ok(())
    }

    /// The end of the schedule, in nanoseconds from the start of the load.
    #[must_use]
    pub fn end_ns(&self) -> u64 {
        self.phases.iter().map(|span| span.end_ns).max().unwrap_or(0)
    }

    /// The closed-loop phases, in order.
    #[must_use]
    pub fn user_phases(&self) -> Vec<UserPhase> {
        (0..self.phases.len() as u16).filter_map(|phase| self.user_phase(phase)).collect()
    }

    /// A closed-loop phase; one that lasts no time begins nothing.
    fn user_phase(&self, phase: u16) -> Option<UserPhase> {
        let span = self.phases.get(usize::from(phase))?;
        Some(UserPhase { phase, users: span.users?, start_ns: span.start_ns, end_ns: span.end_ns })
    }

    /// The arrivals whose index is `shard` modulo `shards`, in order of time.
    #[must_use]
    pub fn shard(self: &Arc<Self>, shard: usize, shards: usize) -> Stream {
        Stream {
            shard: shard as u64,
            shards: (shards as u64).max(1),
            place: Place::new(self, Spot::default()),
            schedule: Arc::clone(self),
            before: Spot::default(),
            pending_ns: None,
            begun_ns: None,
        }
    }
}

/// Where the whole process stands: small, so that every step of it can be gone back.
#[derive(Debug, Clone, Copy, Default)]
struct Spot {
    next_index: u64,
    phase: usize,
    piece: usize,
    /// Where the unit process of the phase stands: its next arrival.
    unit: f64,
    /// Random numbers of the phase that were used.
    drawn: u64,
}

/// A spot, and the random numbers that follow.
#[derive(Debug, Clone)]
struct Place {
    spot: Spot,
    random: ChaCha8Rng,
}

impl Place {
    fn new(schedule: &Schedule, spot: Spot) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(schedule.seed);
        random.set_stream(spot.phase as u64);
        random.set_word_pos(u128::from(spot.drawn) * WORDS_A_DRAW);
        let mut place = Self { spot, random };
        match schedule.phases.get(spot.phase).map(|span| span.arrivals) {
            Some(Arrivals::Even) | None => place.spot.unit = spot.unit.max(0.5),
            Some(Arrivals::Poisson) if spot.drawn == 0 => place.advance(Arrivals::Poisson),
            Some(Arrivals::Poisson) => {}
        }
        place
    }

    fn advance(&mut self, arrivals: Arrivals) {
        self.spot.unit += match arrivals {
            Arrivals::Even => 1.0,
            Arrivals::Poisson => {
                self.spot.drawn += 1;
                exponential(&mut self.random)
            }
        };
    }
}

/// Words of the generator's stream that one random number takes.
const WORDS_A_DRAW: u128 = 2;

/// A unit exponential, by inversion.
fn exponential(random: &mut ChaCha8Rng) -> f64 {
    -(1.0 - to_unit(random.next_u64())).ln()
}

/// The arrivals of one shard.
#[derive(Debug, Clone)]
pub struct Stream {
    schedule: Arc<Schedule>,
    shard: u64,
    shards: u64,
    place: Place,
    /// Where the process stood before it was looked through for the arrival that was given last.
    before: Spot,
    /// The arrival that was given last, and the one before it.
    pending_ns: Option<u64>,
    begun_ns: Option<u64>,
}

impl Stream {
    /// Follows a change of the schedule. The arrival that was given last must not have been begun yet, and is void: ask
    /// for the next one anew.
    ///
    /// # Errors
    /// [`ChangeError`], when the process would not be that of every other shard.
    pub fn change(&mut self, change: &Change) -> Result<(), ChangeError> {
        let at_ns = change.at_ns();
        if let Some(begun_ns) = self.begun_ns.filter(|begun_ns| *begun_ns >= at_ns) {
            return Err(ChangeError::Late { at_ns, begun_ns });
        }
        Arc::make_mut(&mut self.schedule).change(change)?;
        self.place = Place::new(&self.schedule, self.before);
        self.pending_ns = self.begun_ns;
        Ok(())
    }

    /// Where a closed-loop phase lies now.
    pub(crate) fn user_phase(&self, phase: u16) -> Option<UserPhase> {
        self.schedule.user_phase(phase)
    }

    /// The next arrival of the whole process.
    fn next_of_all(&mut self) -> Option<Arrival> {
        loop {
            let Spot { phase, piece, unit, .. } = self.place.spot;
            let span = self.schedule.phases.get(phase)?;
            let Some(slope) = span.pieces.get(piece) else {
                self.enter_next_phase();
                continue;
            };
            let within = unit - slope.before;
            if within >= slope.area {
                self.place.spot.piece += 1;
                continue;
            }
            let at_ns = span.start_ns + slope.start_ns + slope.inverse_ns(within.max(0.0));
            if at_ns >= span.end_ns {
                self.enter_next_phase();
                continue;
            }
            self.place.advance(span.arrivals);
            self.place.spot.next_index += 1;
            return Some(Arrival { index: self.place.spot.next_index - 1, phase: phase as u16, at_ns });
        }
    }

    fn enter_next_phase(&mut self) {
        let Spot { next_index, phase, .. } = self.place.spot;
        self.place = Place::new(&self.schedule, Spot { next_index, phase: phase + 1, ..Spot::default() });
    }
}

impl Iterator for Stream {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        self.before = self.place.spot;
        self.begun_ns = self.pending_ns;
        loop {
            let arrival = self.next_of_all()?;
            if arrival.index % self.shards == self.shard {
                self.pending_ns = Some(arrival.at_ns);
                return Some(arrival);
            }
        }
    }
}

#[cfg(test)]
mod tests;
