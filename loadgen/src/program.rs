//! A plan compiled for running: every text to literals and holes, every journey to a list of instructions.

mod head;
mod request;
mod websocket;
mod written;

use std::sync::Arc;

use peakdrill_drill_model::pass::Pass;
use peakdrill_drill_model::plan::{Journey, Loop, Node, Plan};

use crate::check::Text;
use crate::draw;
use crate::error::StartError;
use crate::feeder::Rows;
use crate::grpc::Schemas;
use crate::kept::EXTRACTED_MAX;
use crate::secrets::Secrets;
use crate::target::Address;
use crate::template::Names;
pub(crate) use request::{RequestCode, Scratch, is_json};
pub(crate) use websocket::WsCode;
pub(crate) use written::Unwritten;

/// Most instructions of one journey.
pub const JOURNEY_NODES_MAX: usize = 10_000;
/// Most turns of one loop.
pub const LOOP_TURNS_MAX: u32 = 10_000;
/// Most steps of one pass through a journey, all turns of its loops included.
pub(crate) const PASS_STEPS_MAX: u64 = 200_000;

/// A compiled plan.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) seed: u64,
    /// Seed of UUIDs, which are those of this run alone.
    pub(crate) uuid_seed: u64,
    pub(crate) addresses: Vec<Address>,
    /// Message types per target.
    schemas: Schemas,
    pub(crate) requests: Vec<RequestCode>,
    pub(crate) journeys: Vec<JourneyCode>,
    /// What is taken out of everything that is shown.
    pub(crate) secrets: Secrets,
    pub(crate) feeders: Vec<Rows>,
    /// Running sums of the journeys' shares, per phase.
    pub(crate) mixes: Vec<Vec<f64>>,
}

/// A journey as instructions.
#[derive(Debug)]
pub(crate) struct JourneyCode {
    pub(crate) ops: Vec<Op>,
    pub(crate) extracted: usize,
    pub(crate) loops: usize,
    pub(crate) feeders: Vec<u16>,
}

/// An instruction. Targets of jumps are places in the list; behind its end the journey is over.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// Send a request: index into [`Program::requests`].
    Request(usize),
    /// The same for one that opens a connection of the journey, unless that is open.
    Open { request: usize, connection: u8 },
    /// Pause.
    Think { min_ns: u64, max_ns: u64 },
    /// Jump to the place that a draw from running sums picks.
    Choose { sums: Vec<f64>, places: Vec<usize> },
    /// Go on elsewhere.
    Jump(usize),
    /// Pause, lognormal, with the logarithm of the median.
    ThinkLognormal { mu: f64, sigma: f64, max_ns: u64 },
    /// Draw how many turns a loop has; without one, go on behind it.
    Begin { counter: usize, min: u32, max: u32, behind: usize },
    /// After a turn: another one, or go on.
    Again { counter: usize, first: usize, when: Option<(u16, Text)> },
}

impl Program {
    /// `schemas` are those of the targets: see [`crate::grpc`].
    pub(crate) fn compile(
        plan: &Plan,
        run: &str,
        secrets: &Secrets,
        schemas: Schemas,
    ) -> Result<Self, StartError> {
        check_plan(plan)?;
        let addresses = plan.targets.iter().map(Address::parse).collect::<Result<Vec<_>, _>>()?;
        let seed = plan.load.seed;
        let feeders = plan.feeders.iter().enumerate().map(|(k, f)| Rows::new(f, k as u16, seed));
        let mut program = Self {
            seed,
            uuid_seed: run.bytes().fold(seed, |sum, byte| draw::chain(sum, u64::from(byte))),
            feeders: feeders.collect::<Result<_, _>>()?,
            addresses,
            schemas,
            requests: Vec::new(),
            journeys: Vec::new(),
            secrets: secrets.clone(),
            mixes: mixes(plan)?,
        };
        for journey in &plan.journeys {
            let code = program.compile_journey(plan, journey, run, secrets);
            let code = code.map_err(|error| error.hide(secrets))?;
            program.journeys.push(code);
        }
        Ok(program)
    }

    fn compile_journey(
        &mut self,
        plan: &Plan,
        journey: &Journey,
        run: &str,
        secrets: &Secrets,
    ) -> Result<JourneyCode, StartError> {
        let bad = |what: String| StartError::Plan(format!("journey `{}` {what}", journey.name));
        if Pass::of(&journey.steps).steps > PASS_STEPS_MAX {
            return Err(bad(format!("does more than {PASS_STEPS_MAX} steps with all turns of its loops")));
        }
        let files = plan.files.iter().map(|file| Arc::clone(&file.content)).collect();
        let mut names = Names { secrets: secrets.clone(), files, ..Names::default() };
        let mut ops = Vec::new();
        let first = self.requests.len();
        names.cookies = journey.cookies;
        self.compile_nodes(plan, &journey.steps, run, &mut names, &mut ops)?;
        if let Some(problem) = names.problems.pop() {
            return Err(StartError::Plan(format!("journey `{}`: {problem}", journey.name)));
        }
        let own = self.requests.get_mut(first..).unwrap_or_default();
        own.iter_mut().for_each(|request| request.name_extracted(&names.extracted));
        websocket::settle(own)
            .map_err(|problem| StartError::Plan(format!("journey `{}`: {problem}", journey.name)))?;
        if names.feeders.iter().any(|k| usize::from(*k) >= self.feeders.len()) {
            return Err(bad("uses a feeder that is not there".into()));
        }
        if names.extracted.len() > EXTRACTED_MAX {
            return Err(bad(format!("extracts more than {EXTRACTED_MAX} values")));
        }
        Ok(JourneyCode { ops, extracted: names.extracted.len(), loops: names.loops, feeders: names.feeders })
    }

    fn compile_nodes(
        &mut self,
        plan: &Plan,
        nodes: &[Node],
        run: &str,
        names: &mut Names,
        ops: &mut Vec<Op>,
    ) -> Result<(), StartError> {
        for node in nodes {
            if ops.len() >= JOURNEY_NODES_MAX {
                return Err(StartError::Plan(format!("a journey has more than {JOURNEY_NODES_MAX} nodes")));
            }
            match node {
                Node::Request(request) => {
                    let schema = self.schemas.get(usize::from(request.target)).and_then(Option::as_ref);
                    let code = RequestCode::compile(plan, request, (&self.addresses, schema), run, names)?;
                    let at = self.requests.len();
                    ops.push(match code.opens() {
                        Some(connection) => Op::Open { request: at, connection },
                        None => Op::Request(at),
                    });
                    self.requests.push(code);
                }
                Node::Think { min_ns, max_ns } => {
                    ops.push(Op::Think { min_ns: *min_ns, max_ns: (*max_ns).max(*min_ns) });
                }
                Node::ThinkLognormal { median_ns, sigma, max_ns } => {
                    let mu = (*median_ns as f64).max(1.0).ln();
                    ops.push(Op::ThinkLognormal { mu, sigma: *sigma, max_ns: *max_ns });
                }
                Node::Loop(turns) => self.compile_loop(plan, turns, run, names, ops)?,
                Node::Choose(branches) => {
                    let at = ops.len();
                    ops.push(Op::Jump(at + 1));
                    let (mut places, mut ends) = (Vec::new(), Vec::new());
                    for branch in branches {
                        places.push(ops.len());
                        self.compile_nodes(plan, &branch.steps, run, names, ops)?;
                        ends.push(ops.len());
                        ops.push(Op::Jump(0));
                    }
                    let behind = ops.len();
                    ends.into_iter().for_each(|end| set(ops, end, Op::Jump(behind)));
                    if !places.is_empty() {
                        let sums = draw::sums(branches.iter().map(|branch| branch.weight));
                        set(ops, at, Op::Choose { sums, places });
                    }
                }
            }
        }
        Ok(())
    }

    fn compile_loop(
        &mut self,
        plan: &Plan,
        turns: &Loop,
        run: &str,
        names: &mut Names,
        ops: &mut Vec<Op>,
    ) -> Result<(), StartError> {
        if turns.max > LOOP_TURNS_MAX || turns.min > turns.max {
            return Err(StartError::Plan(format!("a loop has at most {LOOP_TURNS_MAX} turns")));
        }
        let (counter, begin) = (names.loops, ops.len());
        names.loops += 1;
        ops.push(Op::Jump(begin + 1));
        self.compile_nodes(plan, &turns.steps, run, names, ops)?;
        let when = match &turns.again {
            Some(again) => Some((names.extracted(&again.value), Text::compile(&again.test)?)),
            None => None,
        };
        ops.push(Op::Again { counter, first: begin + 1, when });
        let behind = ops.len();
        set(ops, begin, Op::Begin { counter, min: turns.min, max: turns.max, behind });
        Ok(())
    }

    /// The journey that an arrival is.
    pub(crate) fn journey_of(&self, phase: u16, index: u64) -> usize {
        let sums = self.mixes.get(usize::from(phase)).map_or(&[][..], Vec::as_slice);
        draw::pick(sums, draw::unit(self.seed, draw::Purpose::Mix, index))
    }
}

fn set(ops: &mut [Op], place: usize, op: Op) {
    if let Some(slot) = ops.get_mut(place) {
        *slot = op;
    }
}

fn check_plan(plan: &Plan) -> Result<(), StartError> {
    let bad = |text: String| Err(StartError::Plan(text));
    if plan.journeys.is_empty() || plan.targets.is_empty() || plan.load.phases.is_empty() {
        return bad("it needs a target, a journey and a phase".into());
    }
    for phase in &plan.load.phases {
        if let Some(limit) = plan.guards.limit_rate
            && phase.shape.peak() > limit
        {
            let (name, peak) = (&phase.name, phase.shape.peak());
            return bad(format!("phase `{name}` reaches {peak}/s, over the limit of {limit}/s"));
        }
    }
    Ok(())
}

fn mixes(plan: &Plan) -> Result<Vec<Vec<f64>>, StartError> {
    let own: Vec<f64> = plan.journeys.iter().map(|journey| journey.share).collect();
    let of = |phase: &peakdrill_drill_model::plan::Phase| {
        let shares = phase.mix.as_ref().unwrap_or(&own);
        let usable = shares.len() == own.len() && shares.iter().all(|s| s.is_finite() && *s >= 0.0);
        if usable && shares.iter().sum::<f64>() > 0.0 {
            Ok(draw::sums(shares.iter().copied()))
        } else {
            Err(StartError::Plan(format!("phase `{}`: the shares of its journeys are no mix", phase.name)))
        }
    };
    plan.load.phases.iter().map(of).collect()
}

#[cfg(test)]
pub(crate) mod tests;
