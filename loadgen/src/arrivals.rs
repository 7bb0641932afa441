//! The arrival process: one for the whole drill, pure and seeded.
//!
//! Each phase is a unit process seen through the integral of its rate: its arrival k lies where the integral reaches
//! `u_k`. *Even* arrivals have `u_k = k + 1/2`, so that a phase holds the integral rounded, and its first request does
//! not fall on the very edge. *Poisson* arrivals have sums of unit exponentials, which makes the process exact for any
//! rate curve (time rescaling), ramps included. Phases start anew, each with a random stream of its own. A shard walks
//! the whole process and takes the indices that are its own: any number of shards sends the same instants.

use std::sync::Arc;

use peakdrill_drill_model::plan::{Arrivals, Load};
use peakdrill_drill_model::shape::{Piece, Shape};
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
    phases: Vec<Span>,
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

fn slopes(shape: &Shape) -> Vec<Slope> {
    let (mut start_ns, mut before) = (0, 0.0);
    let build = |piece: Piece| {
        let area = (piece.from + piece.to) / 2.0 * (piece.len_ns as f64 / 1e9);
        let slope = Slope { start_ns, piece, before, area };
        start_ns += piece.len_ns;
        before += area;
        slope
    };
    shape.pieces().into_iter().map(build).collect()
}

impl Schedule {
    /// The schedule of a load; nothing is intended at or after `limit_ns`.
    #[must_use]
    pub fn new(load: &Load, limit_ns: Option<u64>) -> Self {
        let limit = limit_ns.unwrap_or(u64::MAX);
        let mut start_ns = 0;
        let mut phases = Vec::with_capacity(load.phases.len());
        for phase in &load.phases {
            let end = start_ns + phase.shape.duration_ns();
            let users = if let Shape::Users { count, .. } = phase.shape { Some(count) } else { None };
            let pieces = slopes(&phase.shape);
            phases.push(Span { start_ns, end_ns: end.min(limit), arrivals: phase.arrivals, users, pieces });
            start_ns = end;
        }
        Self { seed: load.seed, phases }
    }

    /// The end of the schedule, in nanoseconds from the start of the load.
    #[must_use]
    pub fn end_ns(&self) -> u64 {
        self.phases.iter().map(|span| span.end_ns).max().unwrap_or(0)
    }

    /// The closed-loop phases, in order.
    #[must_use]
    pub fn user_phases(&self) -> Vec<UserPhase> {
        let of = |(phase, span): (usize, &Span)| {
            let users = span.users?;
            Some(UserPhase { phase: phase as u16, users, start_ns: span.start_ns, end_ns: span.end_ns })
        };
        self.phases.iter().enumerate().filter_map(of).filter(|phase| phase.start_ns < phase.end_ns).collect()
    }

    /// The arrivals whose index is `shard` modulo `shards`, in order of time.
    #[must_use]
    pub fn shard(self: &Arc<Self>, shard: usize, shards: usize) -> Stream {
        Stream {
            schedule: Arc::clone(self),
            shard: shard as u64,
            shards: (shards as u64).max(1),
            next_index: 0,
            phase: 0,
            piece: 0,
            place: Place::new(self, 0),
        }
    }
}

/// Where the unit process of a phase stands.
#[derive(Debug, Clone)]
struct Place {
    unit: f64,
    random: ChaCha8Rng,
}

impl Place {
    fn new(schedule: &Schedule, phase: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(schedule.seed);
        random.set_stream(phase as u64);
        let first = match schedule.phases.get(phase).map(|span| span.arrivals) {
            Some(Arrivals::Even) | None => 0.5,
            Some(Arrivals::Poisson) => exponential(&mut random),
        };
        Self { unit: first, random }
    }

    fn advance(&mut self, arrivals: Arrivals) {
        self.unit += match arrivals {
            Arrivals::Even => 1.0,
            Arrivals::Poisson => exponential(&mut self.random),
        };
    }
}

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
    next_index: u64,
    phase: usize,
    piece: usize,
    place: Place,
}

impl Stream {
    /// The next arrival of the whole process.
    fn next_of_all(&mut self) -> Option<Arrival> {
        loop {
            let span = self.schedule.phases.get(self.phase)?;
            let Some(slope) = span.pieces.get(self.piece) else {
                self.enter_next_phase();
                continue;
            };
            let within = self.place.unit - slope.before;
            if within >= slope.area {
                self.piece += 1;
                continue;
            }
            let at_ns = span.start_ns + slope.start_ns + slope.inverse_ns(within.max(0.0));
            if at_ns >= span.end_ns {
                self.enter_next_phase();
                continue;
            }
            self.place.advance(span.arrivals);
            self.next_index += 1;
            return Some(Arrival { index: self.next_index - 1, phase: self.phase as u16, at_ns });
        }
    }

    fn enter_next_phase(&mut self) {
        self.phase += 1;
        self.piece = 0;
        self.place = Place::new(&self.schedule, self.phase);
    }
}

impl Iterator for Stream {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        loop {
            let arrival = self.next_of_all()?;
            if arrival.index % self.shards == self.shard {
                return Some(arrival);
            }
        }
    }
}

#[cfg(test)]
mod tests;
