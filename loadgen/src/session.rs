//! A journey in progress: a small state in a slab, not a task.

use peakdrill_drill_model::plan::StepId;
use peakdrill_timebase::{MonoNs, UnixNs};

use crate::cookies::Jar;
use crate::draw::{self, Purpose};
use crate::driver::{ExchangeId, Owner};
use crate::feeder::{Row, Rows};
use crate::kept::Kept;
use crate::program::{JourneyCode, Op, Program};
use crate::tagging::Ids;
use crate::template::{Lets, Values};

/// Nothing is computed before a request is written.
static NO_LETS: Lets = Lets::new();

/// Memory of journeys that ended, kept for the next ones, at most.
const SPARE_MAX: usize = 4096;
/// Largest memory of values that is kept, in bytes.
const SPARE_MAX_BYTES: usize = 8 * 1024;

/// A journey in progress.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) index: u64,
    pub(crate) journey: usize,
    pub(crate) phase: u16,
    pub(crate) intended: MonoNs,
    /// Actual less intended start.
    pub(crate) lateness_ns: u64,
    /// Place in [`JourneyCode::ops`].
    pub(crate) pc: usize,
    /// Turns of loops begun so far, but for the first of each.
    pub(crate) turn: u32,
    pub(crate) memory: Memory,
    /// The closed-loop user whose journey this is: place of its phase in the list of such phases.
    pub(crate) user: Option<usize>,
    /// Whether its first request was sent, or tried to be.
    pub(crate) started: bool,
    /// The request under way.
    pub(crate) current: Option<Current>,
    /// Tells it from others that had the same place.
    pub(crate) birth: u32,
    /// Connections of its own that are open, a bit each.
    pub(crate) connections: u8,
    /// When the step was to start that one of them was opened for, and when it did.
    pub(crate) opened_for: Option<(MonoNs, MonoNs)>,
}

/// What a journey takes along.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Row per feeder of the plan.
    pub(crate) rows: Vec<u32>,
    pub(crate) kept: Kept,
    /// Turns that each loop has left.
    pub(crate) loops: Vec<u32>,
    pub(crate) jar: Jar,
}

/// Memory of journeys that ended: in full swing, a journey allocates none.
#[derive(Debug, Default)]
pub(crate) struct Spare(Vec<Memory>);

impl Spare {
    pub(crate) fn take(&mut self) -> Memory {
        self.0.pop().unwrap_or_default()
    }

    pub(crate) fn give(&mut self, mut memory: Memory) {
        if self.0.len() < SPARE_MAX && memory.kept.capacity() <= SPARE_MAX_BYTES {
            memory.jar.clear();
            self.0.push(memory);
        }
    }
}

/// The request under way of a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Current {
    pub(crate) id: ExchangeId,
    /// Index into [`Program::requests`].
    pub(crate) request: usize,
    pub(crate) step: StepId,
    pub(crate) ids: Ids,
    pub(crate) intended: MonoNs,
    pub(crate) submitted: MonoNs,
    pub(crate) sent: Option<MonoNs>,
}

/// What a session does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Send this request.
    Request(usize),
    /// Go on after so many nanoseconds.
    Think(u64),
    /// Nothing: the journey is over.
    End,
}

impl Session {
    /// Moves to the next thing to do. Draws depend on the seed, the journey's index and the place alone.
    pub(crate) fn step(&mut self, program: &Program) -> Next {
        let code = program.journeys.get(self.journey).map_or(&[][..], |code| code.ops.as_slice());
        loop {
            let place = Purpose::Node(self.pc as u32);
            match code.get(self.pc) {
                None => return Next::End,
                Some(Op::Jump(to)) => self.pc = *to,
                Some(Op::Choose { sums, places }) => {
                    let branch = draw::pick(sums, draw::to_unit(self.draw(program, place)));
                    self.pc = places.get(branch).copied().unwrap_or(usize::MAX);
                }
                Some(Op::Think { min_ns, max_ns }) => {
                    self.pc += 1;
                    let extra = draw::scale(self.draw(program, place), max_ns - min_ns + 1);
                    return Next::Think(min_ns + extra);
                }
                Some(Op::ThinkLognormal { mu, sigma, max_ns }) => {
                    let second = Purpose::Second(self.pc as u32);
                    self.pc += 1;
                    let one = draw::to_unit(self.draw(program, place));
                    let two = draw::to_unit(self.draw(program, second));
                    let pause = (mu + sigma * draw::normal(one, two)).exp();
                    return Next::Think((pause.round() as u64).min(*max_ns));
                }
                Some(Op::Begin { counter, min, max, behind }) => {
                    let range = u64::from(max - min) + 1;
                    let turns = min + draw::scale(self.draw(program, place), range) as u32;
                    if let Some(left) = self.memory.loops.get_mut(*counter) {
                        *left = turns;
                    }
                    self.pc = if turns == 0 { *behind } else { self.pc + 1 };
                }
                Some(Op::Again { counter, first, when }) => {
                    let holds =
                        when.as_ref().is_none_or(|(value, test)| test.holds(self.memory.kept.get(*value)));
                    let left = self.memory.loops.get_mut(*counter);
                    match left.filter(|left| **left > 1 && holds) {
                        Some(left) => {
                            *left -= 1;
                            self.turn = self.turn.wrapping_add(1);
                            self.pc = *first;
                        }
                        None => self.pc += 1,
                    }
                }
                Some(Op::Request(request)) => {
                    self.pc += 1;
                    return Next::Request(*request);
                }
                Some(Op::Open { request, connection }) => {
                    self.pc += 1;
                    if self.connections >> connection & 1 == 0 {
                        return Next::Request(*request);
                    }
                }
            }
        }
    }

    /// The name of a connection of its own; `key` is its place.
    pub(crate) fn owner(&self, key: usize, connection: u8) -> Owner {
        Owner { key: key as u32, birth: self.birth, connection }
    }

    fn draw(&self, program: &Program, purpose: Purpose) -> u64 {
        draw::bits_in(program.seed, purpose, self.index, self.turn)
    }

    /// What it inserts into requests, and its cookies.
    pub(crate) fn values<'a>(&'a mut self, program: &'a Program, now: UnixNs) -> (Values<'a>, &'a mut Jar) {
        let values = Values {
            feeders: &program.feeders,
            rows: &self.memory.rows,
            extracted: &self.memory.kept,
            index: self.index,
            turn: self.turn,
            uuid_seed: program.uuid_seed,
            seed: program.seed,
            now_ns: now.0,
            lets: &NO_LETS,
        };
        (values, &mut self.memory.jar)
    }
}

/// Makes a memory ready for a journey: its rows, or what stands against it.
pub(crate) fn prepare(
    memory: &mut Memory,
    feeders: &[Rows],
    code: &JourneyCode,
    index: u64,
) -> Result<(), Exhausted> {
    memory.kept.reset(code.extracted);
    memory.loops.clear();
    memory.loops.resize(code.loops, 0);
    let rows = &mut memory.rows;
    rows.clear();
    if code.feeders.is_empty() {
        return Ok(());
    }
    rows.resize(feeders.len(), 0);
    for id in &code.feeders {
        let (Some(feeder), Some(slot)) = (feeders.get(usize::from(*id)), rows.get_mut(usize::from(*id)))
        else {
            continue;
        };
        match feeder.row(index) {
            Row::At(row) => *slot = row,
            Row::StopJourney => return Err(Exhausted::StopJourney),
            Row::Fail => return Err(Exhausted::Fail(feeder.name.clone())),
        }
    }
    Ok(())
}

/// A feeder has no row for a journey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Exhausted {
    /// The journey does not start.
    StopJourney,
    /// The run ends as failed, for want of rows of this feeder.
    Fail(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_small() {
        // 100,000 of them wait in pauses: with a few values, a row and a timer each takes about a KiB.
        assert!(size_of::<Session>() <= 512, "{} bytes", size_of::<Session>());
    }
}
