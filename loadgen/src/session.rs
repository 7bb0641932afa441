//! A journey in progress: a small state in a slab, not a task.

use peakdrill_drill_model::plan::StepId;
use peakdrill_timebase::MonoNs;

use crate::draw::{self, Purpose};
use crate::driver::ExchangeId;
use crate::feeder::{Row, Rows};
use crate::program::{JourneyCode, Op, Program};
use crate::tagging::Ids;
use crate::template::{UUID_BYTES, Values};

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
    /// Row per feeder of the plan.
    pub(crate) rows: Vec<u32>,
    pub(crate) extracted: Vec<Option<String>>,
    pub(crate) uuids: Vec<[u8; UUID_BYTES]>,
    /// The closed-loop user whose journey this is: place of its phase in the list of such phases.
    pub(crate) user: Option<usize>,
    /// Whether its first request was sent, or tried to be.
    pub(crate) started: bool,
    /// The request under way.
    pub(crate) current: Option<Current>,
    /// Tells it from others that had the same place.
    pub(crate) birth: u32,
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
                    let branch = draw::pick(sums, draw::unit(program.seed, place, self.index));
                    self.pc = places.get(branch).copied().unwrap_or(usize::MAX);
                }
                Some(Op::Think { min_ns, max_ns }) => {
                    self.pc += 1;
                    let extra = draw::below(program.seed, place, self.index, max_ns - min_ns + 1);
                    return Next::Think(min_ns + extra);
                }
                Some(Op::Request(request)) => {
                    self.pc += 1;
                    return Next::Request(*request);
                }
            }
        }
    }

    /// What it inserts into requests.
    pub(crate) fn values<'a>(&'a self, program: &'a Program) -> Values<'a> {
        Values {
            feeders: &program.feeders,
            rows: &self.rows,
            extracted: &self.extracted,
            uuids: &self.uuids,
            index: self.index,
        }
    }
}

/// The rows of a journey, or what stands against it.
pub(crate) fn rows_of(feeders: &[Rows], code: &JourneyCode, index: u64) -> Result<Vec<u32>, Exhausted> {
    if code.feeders.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows = vec![0; feeders.len()];
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
    Ok(rows)
}

/// A feeder has no row for a journey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Exhausted {
    /// The journey does not start.
    StopJourney,
    /// The run ends as failed, for want of rows of this feeder.
    Fail(String),
}
