//! One journey, once: to see that a plan works, and that the tag arrives, before any load.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::{Plan, Sharing, StepId, Target, WS_PER_JOURNEY_MAX};
use peakdrill_sockets::{Kind, Sockets};
use peakdrill_timebase::{Clock as _, MonoNs, OsClock};
use peakdrill_wire_ws::key_of;
use rand::Rng as _;

use crate::answer::Answer;
use crate::connections::{Connections, PoolConfig, WS_LEAVE_MAX_MS};
use crate::dial::{Dialer, Resolver, Route};
use crate::driver::{Completion, Driver as _, ExchangeId, Submission};
use crate::engine::os_random;
use crate::error::StartError;
use crate::extract::Fault;
use crate::grpc::{self, Schemas, Types};
use crate::json::Found;
use crate::message::Message;
use crate::program::{Op, Program, Scratch, Unwritten};
use crate::sample;
use crate::secrets::Secrets;
use crate::session::{Current, Memory, Session, prepare};
use crate::shard::{TICK_MS, judge, opened};
use crate::tagging::{Ids, Stamper, Tagging};
use crate::target::Address;

/// How a probe is done.
#[derive(Debug, Clone)]
pub struct ProbeOptions {
    /// The run's id: for templates, and the run of the token.
    pub run: String,
    /// Limit of each exchange, connecting included; a step's own limit is kept where it is shorter.
    pub timeout_ns: u64,
    /// Send only `GET` and `HEAD`, and leave all other steps out. Steps that need a value of one that was left out then
    /// fail with `extract_failed`.
    pub safe_methods_only: bool,
    /// Index of the journey, which picks its rows.
    pub index: u64,
    /// Values of the secrets that requests carry.
    pub secrets: Secrets,
    /// The message types of this plan's targets, from [`types`](crate::types); without them servers that have to tell
    /// theirs are asked first.
    pub types: Option<Types>,
}

/// What became of one request of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeOutcome {
    /// The step.
    pub step: StepId,
    /// Trace id sent; 0: nothing was sent.
    pub trace: u128,
    /// Span id sent.
    pub span: u64,
    /// HTTP status; 0: none.
    pub status: u16,
    /// How it failed.
    pub error: Option<ErrorClass>,
    /// More about that, redacted.
    pub detail: String,
    /// Whether the answer acknowledged the tag; `None` without tag or without answer.
    pub acked: Option<bool>,
    /// Time from before connecting to the end of the answer, in nanoseconds.
    pub elapsed_ns: u64,
}

/// Runs one journey once: all its request steps in order, every branch of a choice once, without pauses. A step that
/// fails does not end it. Blocks; it runs on a thread of its own.
///
/// # Errors
/// [`StartError`] when the plan, a target or the machine do not allow it, or the journey is not there.
pub fn probe(
    plan: &Plan,
    journey: usize,
    tagging: &Tagging,
    options: &ProbeOptions,
) -> Result<Vec<ProbeOutcome>, StartError> {
    let known = options.types.as_ref();
    let schemas = grpc::schemas(known, plan, &options.run, tagging, &Resolver::default())?;
    let run = || -> Result<Vec<ProbeOutcome>, StartError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StartError::os("a runtime"))?;
        runtime.block_on(async { Probe::new(plan, journey, tagging, options, schemas)?.run().await })
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("pd-probe".into()).spawn_scoped(scope, run);
        let thread = thread.map_err(StartError::os("a thread"))?;
        thread.join().unwrap_or_else(|_| Err(StartError::Plan("the probe broke down".into())))
    })
}

struct Probe<'a> {
    options: &'a ProbeOptions,
    clock: OsClock,
    program: Program,
    driver: Connections,
    stamper: Stamper,
    session: Session,
    found: Found,
}

impl<'a> Probe<'a> {
    fn new(
        plan: &Plan,
        journey: usize,
        tagging: &Tagging,
        options: &'a ProbeOptions,
        schemas: Schemas,
    ) -> Result<Self, StartError> {
        let mut program = Program::compile(plan, &options.run, &options.secrets, schemas)?;
        // The load uses the same indices, and what a probe has sent must not come again: no key is sent twice.
        program.uuid_seed = os_random()?.next_u64();
        let clock = OsClock::new();
        let pools = plan.targets.iter().zip(&program.addresses);
        let pools = pools.map(|(target, address)| single(target, address, Resolver::default(), clock));
        let pools = pools.collect::<Result<Vec<_>, _>>()?;
        let stamper = Stamper::new(tagging, &options.run, os_random()?)?;
        let Some(code) = program.journeys.get(journey) else {
            return Err(StartError::Plan(format!("there is no journey {journey}")));
        };
        let mut memory = Memory::default();
        prepare(&mut memory, &program.feeders, code, options.index)
            .map_err(|_| StartError::Plan("a feeder has no row for the probe".into()))?;
        let session = Session {
            index: options.index,
            journey,
            phase: 0,
            intended: MonoNs(0),
            lateness_ns: 0,
            pc: 0,
            turn: 0,
            memory,
            user: None,
            started: true,
            current: None,
            birth: 0,
            connections: 0,
            opened_for: None,
        };
        let sockets = Sockets::new(Kind::Epoll).map_err(StartError::os("sockets"))?;
        let (driver, found) = (Connections::new(pools, sockets, clock)?, Found::default());
        Ok(Self { options, clock, program, driver, stamper, session, found })
    }

    async fn run(mut self) -> Result<Vec<ProbeOutcome>, StartError> {
        let code = self.program.journeys.get(self.session.journey).map(|code| code.ops.clone());
        let mut outcomes = Vec::new();
        for op in code.unwrap_or_default() {
            let request = match op {
                Op::Request(request) => request,
                Op::Open { request, connection } if self.session.connections >> connection & 1 == 0 => {
                    request
                }
                _ => continue,
            };
            outcomes.extend(self.request(request).await);
        }
        self.leave().await;
        Ok(outcomes)
    }

    /// Takes leave of the peers of its own connections, and waits until they have closed or taken too long.
    async fn leave(&mut self) {
        let Session { birth, connections, .. } = self.session;
        self.driver.leave(0, birth, connections);
        let mut left_ms = WS_LEAVE_MAX_MS;
        while self.driver.is_leaving() && left_ms > 0 {
            let pause = Duration::from_millis(TICK_MS);
            let idly = poll_fn(|cx| {
                self.driver.turn(cx);
                if self.driver.is_leaving() { Poll::Pending } else { Poll::Ready(()) }
            });
            let _ = tokio::time::timeout(pause, idly).await;
            left_ms = left_ms.saturating_sub(TICK_MS);
        }
    }

    /// One request; `None` when it is left out.
    async fn request(&mut self, index: usize) -> Option<ProbeOutcome> {
        let code = self.program.requests.get(index)?;
        if self.options.safe_methods_only && !code.is_safe {
            return None;
        }
        let step = code.step;
        let limit = Duration::from_nanos(code.timeout_ns.min(self.options.timeout_ns));
        let id = ExchangeId { key: 0, seq: index as u32 };
        let begun = self.clock.mono();
        let (job, ids) = match self.prepare(index, id, begun) {
            Ok(prepared) => prepared,
            Err(fault) => return Some(self.unanswered(step, Ids::NONE, &fault)),
        };
        let result = match tokio::time::timeout(limit, exchange(&mut self.driver, id, job)).await {
            Ok(result) => result,
            Err(_) => {
                self.driver.cancel(id);
                Err(Fault { class: ErrorClass::Timeout, detail: "no full answer in time".into() })
            }
        };
        let elapsed_ns = self.clock.mono().since(begun);
        let answer = match result {
            Ok(answer) => answer,
            Err(fault) => return Some(ProbeOutcome { elapsed_ns, ..self.unanswered(step, ids, &fault) }),
        };
        let current =
            Current { id, request: index, step, ids, intended: begun, submitted: begun, sent: Some(begun) };
        opened(&self.program, &mut self.session, &current, answer.status);
        let now_unix_s = self.clock.unix_of(begun).seconds();
        let judged = judge(&self.program, &mut self.session, &current, &answer, &mut self.found, now_unix_s);
        let fault = judged.err();
        Some(ProbeOutcome {
            step,
            trace: ids.trace,
            span: ids.span,
            status: answer.status,
            error: fault.as_ref().map(|fault| fault.class),
            detail: fault.map(|fault| self.detail(&fault)).unwrap_or_default(),
            acked: self.stamper.acked(answer.heads(), ids.trace).filter(|_| ids.trace != 0),
            elapsed_ns,
        })
    }

    /// What is told of a fault. Also one without an answer may hold what was to be sent.
    fn detail(&self, fault: &Fault) -> String {
        self.program.secrets.hide(sample::detail(&fault.detail))
    }

    /// A request without an answer.
    fn unanswered(&self, step: StepId, ids: Ids, fault: &Fault) -> ProbeOutcome {
        ProbeOutcome {
            step,
            trace: ids.trace,
            span: ids.span,
            status: 0,
            error: Some(fault.class),
            detail: self.detail(fault),
            acked: None,
            elapsed_ns: 0,
        }
    }

    fn prepare(&mut self, index: usize, id: ExchangeId, now: MonoNs) -> Result<(Job, Ids), Fault> {
        let fault = |class, detail: &str| Fault { class, detail: detail.to_owned() };
        let unwritten = |why| match why {
            Unwritten::Unfilled(detail) => fault(ErrorClass::ExtractFailed, &detail),
            Unwritten::NoToken => fault(ErrorClass::Cancelled, "there is no valid token: not sent"),
        };
        let code = self.program.requests.get(index);
        let code = code.ok_or_else(|| fault(ErrorClass::Cancelled, "no such request"))?;
        let mut wire = self.driver.buffer();
        let owner = code.ws.as_ref().map(|ws| self.session.owner(0, ws.connection));
        let nonce = code.ws.as_ref().map(|_| key_of(self.stamper.nonce()));
        let unix = self.clock.unix_of(now);
        let (values, jar) = self.session.values(&self.program, unix);
        let mut scratch = Scratch::default();
        if let Some(owner) = owner.filter(|_| code.is_message()) {
            self.stamper.may_send(unix.seconds().max(0).unsigned_abs()).map_err(|no| unwritten(no.into()))?;
            let message = code.message((id, owner), &values, wire, &mut scratch).map_err(unwritten)?;
            let message = message.ok_or_else(|| fault(ErrorClass::Cancelled, "no such message"))?;
            return Ok((Job::Message(message), Ids::NONE));
        }
        let written = code.write((&values, jar), &mut self.stamper, &mut wire, &mut scratch, nonce.as_ref());
        let written = written.map_err(unwritten)?;
        let request = code.submission(id, &written, wire, owner.zip(nonce.as_ref()));
        Ok((Job::Request(request), written.ids))
    }
}

/// Connections to a target for one journey: one for requests, and one for each WebSocket that it may have.
pub(crate) fn single(
    target: &Target,
    address: &Address,
    resolver: Resolver,
    clock: OsClock,
) -> Result<PoolConfig, StartError> {
    let tls = crate::tls::client(target, address)?;
    let route = Route::new(target, address, resolver, clock)?;
    Ok(PoolConfig {
        dialer: Dialer::new(target, address, route, tls),
        max_connections: 1 + usize::from(WS_PER_JOURNEY_MAX),
        exact: false,
        protocol: target.protocol,
        sharing: Sharing::Pool,
        lifetime: None,
    })
}

/// Sends one request or message, and waits for its answer.
pub(crate) async fn exchange(driver: &mut Connections, id: ExchangeId, job: Job) -> Result<Answer, Fault> {
    let _ = match job {
        Job::Request(request) => driver.submit(request),
        Job::Message(message) => driver.say(message),
    };
    poll_fn(|cx| {
        driver.turn(cx);
        while let Some(completion) = driver.next() {
            match completion {
                Completion::Done { id: ended, result, .. } if ended == id => return Poll::Ready(result),
                Completion::NotSent { id: ended, why, .. } if ended == id => {
                    let detail = format!("not sent: {why:?}");
                    return Poll::Ready(Err(Fault { class: ErrorClass::Cancelled, detail }));
                }
                // Of a request before this one, that was given up.
                _ => {}
            }
        }
        Poll::Pending
    })
    .await
}

/// What is sent for a step.
pub(crate) enum Job {
    Request(Submission),
    Message(Message),
}
