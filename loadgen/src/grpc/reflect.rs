//! Asking servers for the message types of their services, before anything else is sent.

use std::collections::BTreeSet;
use std::time::Duration;

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::{MessageTypes, Node, Plan, Request, Template};
use peakdrill_sockets::{Kind, Sockets};
use peakdrill_timebase::{Clock as _, OsClock};
use peakdrill_wire_grpc::{Collector, Schema, Wanted, reflection_body};

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
use crate::program::{RequestCode, Scratch, Unwritten, Written};
use crate::tagging::{Stamper, Tagging};
use crate::target::Address;
use crate::template::{Lets, Names, Values};

/// How long a server may take for each answer about its types, in milliseconds.
pub const REFLECTION_TIMEOUT_MS: u64 = 10_000;

/// The service, and its name before it was final.
const SERVICES: [&str; 2] =
    ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

/// The message types of all targets: those that the plan carries, and those that servers are asked for. Nothing is asked
/// when the plan needs no server to tell.
pub(crate) async fn ask(
    plan: &Plan,
    run: &str,
    tagging: &Tagging,
    resolver: &Resolver,
) -> Result<Schemas, StartError> {
    let mut schemas = of_files(plan)?;
    for (at, (target, slot)) in plan.targets.iter().zip(&mut schemas).enumerate() {
        if target.types != Some(MessageTypes::Reflection) {
            continue;
        }
        let services = services(plan, at);
        if services.is_empty() {
            continue;
        }
        let wrong = |because: String| StartError::Types { target: target.name.clone(), because };
        let mut asker = Asker::new(plan, at, (run, tagging), resolver.clone())?;
        *slot = Some(asker.collect(services).await.map_err(wrong)?);
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
    clock: OsClock,
    driver: Connections,
    stamper: Stamper,
    /// A request to each of [`SERVICES`].
    codes: Vec<RequestCode>,
    seq: u32,
}

impl Asker {
    fn new(
        plan: &Plan,
        at: usize,
        (run, tagging): (&str, &Tagging),
        resolver: Resolver,
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
        Ok(Self { clock, driver, stamper: Stamper::new(tagging, run, os_random()?)?, codes, seq: 0 })
    }

    /// Asks until everything is there; a server that does not know the service is asked by its older name.
    async fn collect(&mut self, services: BTreeSet<String>) -> Result<Schema, String> {
        let mut collector = Collector::new(services);
        loop {
            let wanted = collector.wanted();
            if wanted.is_empty() {
                return collector.finish().map_err(|error| error.to_string());
            }
            let body = match self.call(&wanted).await {
                Err(fault) if fault.class == ErrorClass::Grpc(UNIMPLEMENTED) && self.codes.len() > 1 => {
                    self.codes.remove(0);
                    continue;
                }
                answer => answer.map_err(|fault| format!("it was asked by reflection: {}", fault.detail))?,
            };
            collector.take(&wanted, &body).map_err(|error| error.to_string())?;
        }
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
        let Written { not_after_unix_s, head_bytes, .. } = written.map_err(|why| match why {
            Unwritten::Unfilled(detail) => fault(ErrorClass::ExtractFailed, detail),
            Unwritten::NoToken => fault(ErrorClass::Cancelled, "there is no valid token: not sent".into()),
        })?;
        self.seq += 1;
        let id = ExchangeId { key: 0, seq: self.seq };
        let (method, wanted) = (code.method, code.wanted());
        let opening = None;
        let submission = Submission {
            id,
            target: 0,
            wire,
            head_bytes,
            method,
            wanted,
            not_after_unix_s,
            opening,
            returned: 0,
        };
        let limit = Duration::from_millis(REFLECTION_TIMEOUT_MS);
        let answer =
            tokio::time::timeout(limit, exchange(&mut self.driver, id, Job::Request(submission))).await;
        let answer = answer.unwrap_or_else(|_| {
            self.driver.cancel(id);
            Err(fault(ErrorClass::Timeout, "no full answer in time".into()))
        })?;
        match called(&answer)?.status {
            0 => Ok(answer.content().to_vec()),
            status => Err(fault(ErrorClass::Grpc(status), status_text(&answer, status))),
        }
    }
}

/// Of gRPC's statuses, that of a service which is not there.
const UNIMPLEMENTED: u16 = 12;
