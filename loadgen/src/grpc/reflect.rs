//! Asking servers for the message types of their services, before anything else is sent.

use std::collections::BTreeSet;
use std::time::Duration;

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::{MessageTypes, Node, Plan, Request, Template};
use peakdrill_sockets::{Kind, Sockets};
use peakdrill_timebase::{Clock as _, OsClock};
use peakdrill_wire_grpc::{Collector, Schema, Wanted, reflection_body};
use tokio::time::{Instant, timeout_at};

use super::{Schemas, called, of_files, status_text};
use crate::connections::Connections;
use crate::cookies::Jar;
use crate::dial::Resolver;
use crate::driver::{Driver as _, ExchangeId, Submission};
use crate::engine::os_random;
use crate::error::StartError;
use crate::extract::Fault;
use crate::kept::Kept;
use crate::probe::{Job, exchange, single};
use crate::program::{RequestCode, Scratch, Unwritten};
use crate::tagging::{Stamper, Tagging, refusal};
use crate::target::Address;
use crate::template::{Lets, Names, Values};

/// How long it may take to ask all servers for their message types, in milliseconds.
pub const REFLECTION_TIMEOUT_MS: u64 = 10_000;

/// The service, and its name before it was final.
const SERVICES: [&str; 2] =
    ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

/// The message types of a plan's targets, to be handed to all that runs this plan, so that no server is asked twice.
#[derive(Debug, Clone)]
pub struct Types(Schemas);

/// What came of asking for message types.
#[derive(Debug)]
pub struct Asked {
    /// The message types, or why they are not known: after an error nothing more was sent.
    pub types: Result<Types, StartError>,
    /// Requests that were sent to ask.
    pub sent: u64,
}

/// The message types of all targets: those that the plan carries, and those that servers are asked for, tagged as any
/// request. Nothing is asked when the plan needs no server to tell. Blocks; it runs on a thread of its own.
pub fn types(plan: &Plan, run: &str, tagging: &Tagging, resolver: &Resolver) -> Asked {
    let mut sent = 0;
    if !plan.targets.iter().any(|target| target.types == Some(MessageTypes::Reflection)) {
        return Asked { types: of_files(plan).map(Types), sent };
    }
    let asking = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(StartError::os("a runtime"))?.block_on(ask(plan, run, tagging, resolver, &mut sent))
    };
    let types = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("pd-types".into()).spawn_scoped(scope, asking);
        let thread = thread.map_err(StartError::os("a thread"))?;
        thread.join().unwrap_or_else(|_| Err(StartError::Plan("asking for message types broke down".into())))
    });
    Asked { types: types.map(Types), sent }
}

/// The message types that are known, or else what servers tell.
pub(crate) fn schemas(
    known: Option<&Types>,
    plan: &Plan,
    run: &str,
    tagging: &Tagging,
    resolver: &Resolver,
) -> Result<Schemas, StartError> {
    let types = known.cloned().map_or_else(|| types(plan, run, tagging, resolver).types, Ok);
    types.map(|Types(schemas)| schemas)
}

async fn ask(
    plan: &Plan,
    run: &str,
    tagging: &Tagging,
    resolver: &Resolver,
    sent: &mut u64,
) -> Result<Schemas, StartError> {
    let deadline = Instant::now() + Duration::from_millis(REFLECTION_TIMEOUT_MS);
    let mut schemas = of_files(plan)?;
    for (at, (target, slot)) in plan.targets.iter().zip(&mut schemas).enumerate() {
        if target.types != Some(MessageTypes::Reflection) {
            continue;
        }
        let services = services(plan, at);
        if services.is_empty() {
            continue;
        }
        let mut asker = Asker::new(plan, at, (run, tagging), resolver.clone(), deadline)?;
        let told = asker.collect(services).await;
        *sent += u64::from(asker.seq);
        *slot = Some(told?);
    }
    Ok(schemas)
}

/// The services that steps call at a target.
fn services(plan: &Plan, target: usize) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for journey in &plan.journeys {
        Node::requests(&journey.steps, &mut |request| {
            let called = request.grpc.as_ref().filter(|_| usize::from(request.target) == target);
            out.extend(called.and_then(|name| name.split_once('/')).map(|(service, _)| service.to_owned()));
        });
    }
    out
}

/// One connection to a server that is asked.
struct Asker {
    /// The target's name.
    target: String,
    /// When it must have told all.
    deadline: Instant,
    clock: OsClock,
    driver: Connections,
    stamper: Stamper,
    /// A request to each of [`SERVICES`].
    codes: Vec<RequestCode>,
    /// Calls so far.
    seq: u32,
}

impl Asker {
    fn new(
        plan: &Plan,
        at: usize,
        (run, tagging): (&str, &Tagging),
        resolver: Resolver,
        deadline: Instant,
    ) -> Result<Self, StartError> {
        let addresses = plan.targets.iter().map(Address::parse).collect::<Result<Vec<_>, _>>()?;
        let (Some(target), Some(address)) = (plan.targets.get(at), addresses.get(at)) else {
            return Err(StartError::Plan(format!("there is no target {at}")));
        };
        let clock = OsClock::new();
        let sockets = Sockets::new(Kind::Epoll).map_err(StartError::os("sockets"))?;
        let driver = Connections::new(vec![single(target, address, resolver, clock)?], sockets, clock)?;
        let code = |service: &&str| {
            let method = format!("{service}/ServerReflectionInfo");
            let request = Request {
                target: at as u16,
                method: "POST".into(),
                path: Template::literal(&format!("/{method}")),
                grpc: Some(method),
                timeout_ns: Some(REFLECTION_TIMEOUT_MS * 1_000_000),
                ..Request::default()
            };
            RequestCode::compile(plan, &request, (&addresses, None), run, &mut Names::default())
        };
        let codes = SERVICES.iter().map(code).collect::<Result<Vec<_>, _>>()?;
        let (target, stamper) = (target.name.clone(), Stamper::new(tagging, run, os_random()?)?);
        Ok(Self { target, deadline, clock, driver, stamper, codes, seq: 0 })
    }

    /// Asks until everything is there; a server that does not know the service is asked by its older name.
    async fn collect(&mut self, services: BTreeSet<String>) -> Result<Schema, StartError> {
        let mut collector = Collector::new(services);
        loop {
            let wanted = collector.wanted();
            if wanted.is_empty() {
                return collector.finish().map_err(|error| self.untold(error.to_string()));
            }
            let body = match self.call(&wanted).await {
                Err(fault) if fault.class == ErrorClass::Grpc(UNIMPLEMENTED) && self.codes.len() > 1 => {
                    self.codes.remove(0);
                    continue;
                }
                answer => answer.map_err(|fault| self.failed(fault))?,
            };
            collector.take(&wanted, &body).map_err(|error| self.untold(error.to_string()))?;
        }
    }

    fn failed(&self, fault: Fault) -> StartError {
        match fault.class {
            ErrorClass::IsolationRefused => {
                StartError::Isolation { target: self.target.clone(), why: fault.detail }
            }
            _ => self.untold(format!("it was asked by reflection: {}", fault.detail)),
        }
    }

    fn untold(&self, because: String) -> StartError {
        StartError::Types { target: self.target.clone(), because }
    }

    async fn call(&mut self, wanted: &[Wanted]) -> Result<Vec<u8>, Fault> {
        let fault = |class, detail: String| Fault { class, detail };
        let Some(code) = self.codes.first_mut() else {
            return Err(fault(ErrorClass::Cancelled, "there is nothing to ask".into()));
        };
        code.set_body(reflection_body(wanted));
        let values = Values {
            feeders: &[],
            rows: &[],
            extracted: &Kept::default(),
            index: 0,
            turn: 0,
            uuid_seed: 0,
            seed: 0,
            now_ns: self.clock.unix_of(self.clock.mono()).0,
            lets: &Lets::new(),
        };
        let mut wire = self.driver.buffer();
        let (jar, room) = (&mut Jar::default(), &mut Scratch::default());
        let written = code.write((&values, jar), &mut self.stamper, &mut wire, room, None);
        let written = written.map_err(|why| match why {
            Unwritten::Unfilled(detail) => fault(ErrorClass::ExtractFailed, detail),
            Unwritten::NoToken => fault(ErrorClass::Cancelled, "there is no valid token: not sent".into()),
        })?;
        self.seq += 1;
        let id = ExchangeId { key: 0, seq: self.seq };
        // The one target that this driver knows.
        let job = Job::Request(Submission { target: 0, ..code.submission(id, &written, wire, None) });
        let exchanged = exchange(&mut self.driver, id, job);
        let answer = timeout_at(self.deadline, exchanged).await.unwrap_or_else(|_| {
            self.driver.cancel(id);
            let limit = REFLECTION_TIMEOUT_MS / 1_000;
            Err(fault(ErrorClass::Timeout, format!("not all was told within {limit} s")))
        })?;
        if let Some(refused) = refusal(answer.heads()) {
            return Err(refused);
        }
        match called(&answer)?.status {
            0 => Ok(answer.content().to_vec()),
            status => Err(fault(ErrorClass::Grpc(status), status_text(&answer, status))),
        }
    }
}

/// Of gRPC's statuses, that of a service which is not there.
const UNIMPLEMENTED: u16 = 12;
