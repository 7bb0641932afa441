//! Before any load: targets answer, the tag goes all the way, shadow tables are there.
//!
//! For each step a tagged probe is sent, and an untagged twin where the method is safe. A twin of a write would
//! be a live write, so for writes a trace of live traffic with the same entry operation is the twin; see
//! `docs/adr-001-twins.md`.

pub mod stores;
pub mod trees;

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use peakdrill_collector::Collector;
use peakdrill_drill_model::ledger::Outcome;
use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::{MessageTypes, Plan, SqlStore, Target};
use peakdrill_loadgen::{ProbeOptions, ProbeOutcome, Resolver, Secrets, StartError, Tagging, Types};
use peakdrill_trace_model::Span;

use crate::error::ControlError;
use crate::machine::{Facts, Finding, Level, Need, examine_plan};

/// How long spans of a probe are awaited: exporters hold them back for five seconds by default.
const SPANS_WAIT: Duration = Duration::from_secs(8);
/// No further span of a failed probe for so long: there are no more.
const LATE_SPANS_WAIT: Duration = Duration::from_millis(1_500);
/// How long a live trace with the same entry is awaited.
const TWIN_WAIT: Duration = Duration::from_secs(3);
/// How long a hop may take to learn of the run.
const RUN_KNOWN_WAIT: Duration = Duration::from_secs(8);
/// Between two requests to a hop that does not know the run yet.
const RUN_KNOWN_PAUSE: Duration = Duration::from_millis(250);
/// How long a target may take to accept a connection.
const CONNECT_WAIT: Duration = Duration::from_secs(3);
/// How long one probe may take.
const PROBE_WAIT: Duration = Duration::from_secs(10);

/// How a hop refuses a run that it does not know.
const RUN_UNKNOWN: &str = "run_unknown";

/// What preflight found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Each of these refuses the drill.
    pub problems: Vec<String>,
    /// What a reader should know.
    pub warnings: Vec<String>,
    /// What was looked at and is well.
    pub passed: Vec<String>,
    /// Stores that nobody looked at.
    pub unobserved: Vec<String>,
    /// Per service, live tables with rows whose shadows have none.
    pub empty_shadows: std::collections::BTreeMap<String, Vec<String>>,
    /// The services that take in the drill's requests, as the probes' spans tell.
    pub entry_services: std::collections::BTreeSet<String>,
    /// Whether a step enters by a service that sends no spans: what first hops took in is then not known.
    pub unknown_entry: bool,
    /// Tagged requests that were sent, questions for message types included.
    pub probes_sent: u64,
    /// The message types of the targets, for the load: no server is asked twice.
    pub types: Option<Types>,
}

/// The machine that generates the load.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    /// What is known of it.
    pub facts: Facts,
    /// What the drill wants of it.
    pub need: Need,
}

/// What preflight works with.
pub struct Preflight<'a> {
    /// The drill.
    pub plan: &'a Plan,
    /// How probes are tagged.
    pub tagging: &'a Tagging,
    /// Receives the spans; `None`: hops cannot be looked at.
    pub collector: Option<&'a Collector>,
    /// The machine that generates the load, and what the drill wants of it.
    pub machine: Machine,
    /// The run's id, as the ledger has it.
    pub run: &'a str,
    /// Looks up a secret that `dsn` names, or that requests carry.
    pub secret: &'a dyn Fn(&str) -> Option<String>,
    /// Called between two waits with what is being done: shows it, keeps the lease fresh, and ends preflight when
    /// a person wants that.
    pub pulse: &'a dyn Fn(&str) -> Result<(), ControlError>,
}

impl Preflight<'_> {
    /// Runs all checks.
    ///
    /// # Errors
    /// When a probe cannot be made at all.
    pub fn run(&self) -> Result<Findings, ControlError> {
        let mut findings = Findings::default();
        for name in self.plan.request_secrets() {
            if (self.secret)(name).is_none() {
                findings.problems.push(format!("requests carry the secret {name}, which is not set"));
            }
        }
        (self.pulse)("looking at this machine")?;
        machine(&examine_plan(&self.machine.facts, &self.machine.need), &mut findings);
        (self.pulse)("reaching the targets")?;
        for target in &self.plan.targets {
            reach(target, &mut findings);
        }
        if findings.problems.is_empty() {
            self.types(&mut findings)?;
        }
        if self.plan.shadow.is_none() || !findings.problems.is_empty() {
            return Ok(findings);
        }
        (self.pulse)("comparing shadow tables with live ones")?;
        self.stores(&mut findings);
        for journey in 0..self.plan.journeys.len() {
            self.journey(journey, &mut findings)?;
        }
        (self.pulse)("asking the services' ledgers")?;
        self.services(&mut findings);
        Ok(findings)
    }

    /// The message types, once for all that follows. Servers are asked with the tag: a hop that does not know the run
    /// yet is asked again for a while.
    fn types(&self, findings: &mut Findings) -> Result<(), ControlError> {
        let deadline = std::time::Instant::now() + RUN_KNOWN_WAIT;
        let asks = self.plan.targets.iter().any(|target| target.types == Some(MessageTypes::Reflection));
        loop {
            if asks {
                (self.pulse)("asking servers for their message types")?;
            }
            let asked = peakdrill_loadgen::types(self.plan, self.run, self.tagging, &Resolver::default());
            findings.probes_sent += asked.sent;
            match asked.types {
                Ok(types) => {
                    findings.types = Some(types);
                    if asks {
                        findings.passed.push("servers told their message types".into());
                    }
                    return Ok(());
                }
                Err(error) if is_run_unknown(&error) && std::time::Instant::now() < deadline => {
                    // The last was refused by a hop that counts it for no run.
                    findings.probes_sent = findings.probes_sent.saturating_sub(1);
                }
                Err(error) => {
                    findings.problems.push(error.to_string());
                    return Ok(());
                }
            }
            std::thread::sleep(RUN_KNOWN_PAUSE);
        }
    }

    fn stores(&self, findings: &mut Findings) {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
            findings.problems.push("no runtime for the check of the stores".into());
            return;
        };
        let dsn_of = |store: &SqlStore| store.dsn.as_deref().and_then(|name| (self.secret)(name));
        let refused = stores::refused(&self.plan.isolation.stores);
        findings.problems.extend(refused.values().cloned());
        let read = |store: &&SqlStore| !refused.contains_key(store.service.as_str());
        for store in self.plan.isolation.stores.iter().filter(read) {
            let dsn = dsn_of(store);
            if let (Some(name), None) = (&store.dsn, &dsn) {
                findings.problems.push(format!(
                    "the data source name of `{}` is to be in {name}, which is not set",
                    store.service
                ));
                continue;
            }
            let others = self.plan.isolation.stores.iter().filter(|other| *other != store);
            let beside: Vec<&SqlStore> =
                others.filter(|other| dsn.is_some() && dsn_of(other) == dsn).collect();
            let checked = runtime.block_on(stores::check(store, dsn.as_deref(), &beside));
            if checked.problems.is_empty() && checked.unobserved.is_none() {
                findings
                    .passed
                    .push(format!("shadow tables of `{}` are there and like the live ones", store.service));
            }
            findings.problems.extend(checked.problems);
            findings.unobserved.extend(checked.unobserved);
            if !checked.empty.is_empty() {
                findings.empty_shadows.entry(store.service.clone()).or_default().extend(checked.empty);
            }
        }
    }

    fn journey(&self, journey: usize, findings: &mut Findings) -> Result<(), ControlError> {
        let name = &self.plan.journeys[journey].name;
        (self.pulse)(&format!("probing journey `{name}`"))?;
        let twins =
            peakdrill_loadgen::probe(self.plan, journey, &Tagging::Plain, &self.options(true, 0, findings))
                .map_err(|error| ControlError::Engine(error.to_string()))?;
        let tagged = self.tagged(journey, findings)?;
        for outcome in &tagged {
            let step = &self.plan.steps[usize::from(outcome.step)].step;
            if !self.plan.is_tagged(outcome.step) {
                message(step, outcome, findings);
                continue;
            }
            let twin = twins.iter().find(|twin| twin.step == outcome.step);
            (self.pulse)(&format!("following the tag of `{name}` / `{step}`"))?;
            if self.step(step, outcome, twin, findings) {
                findings.passed.push(format!("the tag goes all the way on `{name}` / `{step}`"));
            }
        }
        Ok(())
    }

    /// The tagged probe. Hops learn of runs about once a second: one that does not know this run yet is asked
    /// again for a while.
    fn tagged(&self, journey: usize, findings: &mut Findings) -> Result<Vec<ProbeOutcome>, ControlError> {
        let deadline = std::time::Instant::now() + RUN_KNOWN_WAIT;
        for attempt in 0.. {
            (self.pulse)("probing with the tag")?;
            let outcomes = peakdrill_loadgen::probe(
                self.plan,
                journey,
                self.tagging,
                &self.options(false, attempt, findings),
            )
            .map_err(|error| ControlError::Engine(error.to_string()))?;
            // A hop that does not know the run yet counts it for no run.
            let sent = outcomes.iter().filter(|outcome| outcome.trace != 0 && !not_known_yet(outcome));
            findings.probes_sent += sent.count() as u64;
            let unknown = outcomes.iter().any(not_known_yet);
            if !unknown || std::time::Instant::now() >= deadline {
                return Ok(outcomes);
            }
            std::thread::sleep(RUN_KNOWN_PAUSE);
        }
        Ok(Vec::new())
    }

    fn options(&self, safe_methods_only: bool, index: u64, findings: &Findings) -> ProbeOptions {
        let timeout_ns = u64::try_from(PROBE_WAIT.as_nanos()).unwrap_or(u64::MAX);
        let names = self.plan.request_secrets().into_iter();
        let values = names.filter_map(|name| Some((name.to_owned(), (self.secret)(name)?))).collect();
        let secrets = Secrets::new(values);
        let (run, types) = (self.run.to_owned(), findings.types.clone());
        ProbeOptions { run, timeout_ns, safe_methods_only, index, secrets, types }
    }

    /// Follows the tag of one probe. Whether it was proven to go all the way.
    fn step(
        &self,
        step: &str,
        outcome: &ProbeOutcome,
        twin: Option<&ProbeOutcome>,
        findings: &mut Findings,
    ) -> bool {
        let before = findings.problems.len();
        let probe = self.spans(outcome, None);
        if let Some(error) = outcome.error {
            let at = deepest_failure(&self.all_spans(outcome, probe.len()))
                .map_or_else(String::new, |service| format!(" at `{service}`"));
            findings
                .problems
                .push(format!("step `{step}`: the tagged probe failed{at}: {error}: {}", outcome.detail));
        }
        if outcome.acked == Some(false) {
            findings.problems.push(format!(
                "step `{step}`: load → first hop: the answer does not acknowledge the tag: put the router or the \
                 sidecar in front of it"
            ));
        }
        let Some(collector) = self.collector else {
            self.doubt(
                format!("step `{step}`: no collector: hops behind the first were not looked at"),
                findings,
            );
            return false;
        };
        let Some(entry) = trees::entry(&probe, outcome.span) else {
            findings.unknown_entry = true;
            let text = format!(
                "step `{step}`: no spans of the probe arrived within {} s: hops cannot be proven",
                SPANS_WAIT.as_secs()
            );
            self.doubt(text, findings);
            return false;
        };
        findings.entry_services.insert(entry.service.to_string());
        let twin_spans = match twin {
            Some(twin) if twin.error.is_none() => {
                self.whole(twin, None).or_else(|| live_twin(collector, entry))
            }
            _ => live_twin(collector, entry),
        };
        if twin_spans.is_none() {
            findings.warnings.push(format!(
                "step `{step}`: no untagged twin was seen: hops that no probe reaches are not found"
            ));
        }
        let probe = self.spans(outcome, twin_spans.as_deref());
        for lost in trees::compare(&probe, twin_spans.as_deref()) {
            findings.problems.push(format!("step `{step}`: {lost}"));
        }
        if !trees::is_whole(&probe, None, outcome.span) {
            let text = format!(
                "step `{step}`: parts of the probe's trace did not arrive within {} s (a service without telemetry, or one \
                 that drops spans): hops behind them cannot be proven",
                SPANS_WAIT.as_secs()
            );
            self.doubt(text, findings);
            return false;
        }
        findings.problems.len() == before
    }

    /// What cannot be proven refuses the drill where writes are to be kept apart, or in production.
    fn doubt(&self, text: String, findings: &mut Findings) {
        let strict = self.plan.is_production() || !self.plan.isolation.stores.is_empty();
        if strict { findings.problems.push(text) } else { findings.warnings.push(text) }
    }

    /// The spans of a probe, as soon as they are whole, or what is there when the time is over.
    fn spans(&self, outcome: &ProbeOutcome, twin: Option<&[Span]>) -> Vec<Span> {
        let there = || self.collector.map(|collector| collector.trace(outcome.trace)).unwrap_or_default();
        self.whole(outcome, twin).unwrap_or_else(there)
    }

    /// The spans of a probe, once they are whole; `None` when the time is over before.
    fn whole(&self, outcome: &ProbeOutcome, twin: Option<&[Span]>) -> Option<Vec<Span>> {
        let whole = |spans: &[Span]| trees::is_whole(spans, twin, outcome.span);
        self.collector?.wait_for(outcome.trace, whole, SPANS_WAIT)
    }

    /// The spans of a probe that failed, until no more come: a service further in may tell of itself last, and it is
    /// the one to name.
    fn all_spans(&self, outcome: &ProbeOutcome, known: usize) -> Vec<Span> {
        let Some(collector) = self.collector else { return Vec::new() };
        let mut spans = known;
        while let Some(more) =
            collector.wait_for(outcome.trace, |now: &[Span]| now.len() > spans, LATE_SPANS_WAIT)
        {
            spans = more.len();
        }
        collector.trace(outcome.trace)
    }

    /// Every service with declared stores must have seen the run, by its own ledger.
    fn services(&self, findings: &mut Findings) {
        let Some(collector) = self.collector else { return };
        let services: std::collections::BTreeSet<&str> =
            self.plan.isolation.stores.iter().map(|store| store.service.as_str()).collect();
        let silent = || {
            let view = collector.view();
            let seen = |service: &&str| {
                view.ledger.iter().any(|row| {
                    row.service == *service && row.run == self.run && row.outcome == Outcome::ShadowIn
                })
            };
            services.iter().filter(|service| !seen(service)).copied().collect::<Vec<&str>>()
        };
        let all_seen = collector.wait_until(SPANS_WAIT, |_| silent().is_empty().then_some(()));
        let silent = if all_seen.is_some() { Vec::new() } else { silent() };
        for service in silent {
            findings.problems.push(format!(
                "service `{service}` is declared in `isolation` but its ledger has not seen the run: its rules are not \
                 loaded, or no router or sidecar stands in front of it"
            ));
        }
    }
}

/// A message over a connection that was opened before has no trace to follow: that it was answered is all there is.
fn message(step: &str, outcome: &ProbeOutcome, findings: &mut Findings) {
    match outcome.error {
        Some(error) => findings
            .problems
            .push(format!("step `{step}`: the message of the probe failed: {error}: {}", outcome.detail)),
        None => findings.passed.push(format!(
            "the message of `{step}` is answered; it carries no trace, so the tag was followed on the opening alone"
        )),
    }
}

/// A trace of live traffic with the same entry. Where live traffic is thin it may take a moment.
fn live_twin(collector: &Collector, entry: &Span) -> Option<Vec<Span>> {
    collector.wait_until(TWIN_WAIT, |collector| {
        collector.recent_live(&entry.service, &entry.op).filter(|spans| trees::is_closed(spans, entry))
    })
}

/// A hop that has not read the new table of runs yet.
fn not_known_yet(outcome: &ProbeOutcome) -> bool {
    outcome.error == Some(ErrorClass::IsolationRefused) && outcome.detail.contains(RUN_UNKNOWN)
}

/// The same of a server that was asked for its message types.
fn is_run_unknown(error: &StartError) -> bool {
    matches!(error, StartError::Isolation { why, .. } if why.contains(RUN_UNKNOWN))
}

/// The deepest service whose span failed, or that refused: a 4xx is no error of a server, but of this probe.
fn deepest_failure(spans: &[Span]) -> Option<String> {
    let failed = spans.iter().filter(|span| {
        span.kind == peakdrill_trace_model::SpanKind::Server && (span.error || span.status >= 400)
    });
    failed.max_by_key(|span| span.start_ns).map(|span| span.service.to_string())
}

/// In the words of `peakdrill doctor`.
fn machine(found: &[Finding], findings: &mut Findings) {
    for finding in found {
        match finding.level {
            Level::Ok => {}
            Level::Warning => findings.warnings.push(finding.sentence()),
            Level::Problem => findings.problems.push(finding.sentence()),
        }
    }
}

fn reach(target: &Target, findings: &mut Findings) {
    let found = url::Url::parse(&target.web_url()).ok().and_then(|url| {
        Some((url.host_str()?.trim_matches(['[', ']']).to_owned(), url.port_or_known_default()?))
    });
    let Some((host, port)) = found else {
        findings.problems.push(format!("target `{}`: `{}` is no URL", target.name, target.base_url));
        return;
    };
    let mut addresses = target.resolve.addresses.clone();
    if addresses.is_empty() {
        match (host.as_str(), port).to_socket_addrs() {
            Ok(found) => addresses.extend(found),
            Err(error) => {
                let text = format!("target `{}`: `{host}` does not resolve: {error}", target.name);
                return findings.problems.push(text);
            }
        }
    }
    let mut last = String::from("no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT_WAIT) {
            Ok(_) => {
                findings.passed.push(format!("target `{}` is reachable at {address}", target.name));
                return;
            }
            Err(error) => last = format!("{address}: {error}"),
        }
    }
    findings.problems.push(format!("target `{}` is not reachable: {last}", target.name));
}

#[cfg(test)]
mod tests;
