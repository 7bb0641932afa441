//! The verdict: a function of the record.

use std::collections::BTreeMap;

use peakdrill_drill_model::event::first_break;
use peakdrill_drill_model::exit::Exit;
use peakdrill_drill_model::ledger::{Ledger, leaks, live_writes, tag_lost};
use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::owners::Owner;
use peakdrill_drill_model::plan::{Plan, StepId, StepInfo};
use peakdrill_drill_model::shape::Shape;
use peakdrill_drill_model::verdict::{
    AnalysisState, AnalysisSummary, Finding, GateResult, Generator, Isolation, Judgement, Load, Step, Told,
    VERDICT_VERSION, Verdict,
};

use crate::Record;
use crate::capacity::searches;
use crate::exercised;
use crate::fold::{Folded, fold};
use crate::gates;
use crate::numbers::{plural, rfc3339};
use crate::validity::{
    Counts, Validity, guard_fired, person_stopped, preflight_refused, stopped_by, validity,
};

/// The verdict of a record. The same record gives the same verdict.
///
/// Counts of the load are over the whole load; latency, service time and lateness over the phases that are
/// measured. A figure that was not measured is `None`.
#[must_use]
pub fn verdict(record: &Record) -> Verdict {
    judge(record, &fold(record))
}

/// The verdict, from a load that is folded already.
fn judge(record: &Record, load: &Folded) -> Verdict {
    let trust = trust(record, load);
    let gates = gates::evaluate(record, load, trust.invalid.is_empty());
    let part = record.analysis.as_ref();
    let warnings = warnings(record, load, &trust, &gates);
    let findings = findings(record);
    Verdict {
        v: VERDICT_VERSION,
        run: record.environment.run.clone(),
        drill: record.plan.name.clone(),
        started: rfc3339(record.environment.started_unix_ns).unwrap_or_default(),
        seconds: load.load_s,
        seed: record.plan.load.seed,
        verdict: overall(record, &trust, &gates),
        valid: trust.invalid.is_empty(),
        invalid_because: trust.invalid,
        warnings,
        stopped_by: stopped_by(record),
        load: totals(record, load),
        latency_ms: load
            .select(|phase, step| step.is_some() && load.measured(phase))
            .latency
            .quantiles()
            .into(),
        service_ms: load
            .select(|phase, step| step.is_some() && load.measured(phase))
            .service
            .quantiles()
            .into(),
        lateness_ms: load.lateness(|phase| load.measured(phase)).into(),
        steps: steps(record, load),
        generator: generator(record, load),
        gates,
        bottlenecks: part.map(|part| part.bottlenecks.clone()).unwrap_or_default(),
        analysis: part.map_or_else(no_analysis, |part| part.summary.clone()),
        dependencies: part.map(|part| part.dependencies.clone()).unwrap_or_default(),
        isolation: isolation(record),
        completeness: part.map(|part| part.completeness.clone()).unwrap_or_default(),
        resources: part.map(|part| part.resources.clone()).unwrap_or_default(),
        live_view: record.environment.live_view,
        owners: owners(record, &findings),
        findings,
    }
}

/// The findings, each with the owner of its node.
fn findings(record: &Record) -> Vec<Told> {
    let analysed = record.analysis.iter().flat_map(|part| &part.findings).cloned();
    let mut all: Vec<Finding> = analysed.chain(exercised::findings(record)).collect();
    all.sort_by_key(|found| found.kind);
    let owner = |found: &Finding| record.owners.nodes.get(&found.node).cloned();
    all.into_iter().map(|finding| Told { owner: owner(&finding), finding }).collect()
}

/// Owners of the nodes of the ranking, and of those that findings are about.
fn owners(record: &Record, findings: &[Told]) -> BTreeMap<String, Owner> {
    let ranked = record.analysis.iter().flat_map(|part| part.bottlenecks.iter().map(|node| &node.node));
    let found = findings.iter().map(|told| &told.finding.node);
    ranked
        .chain(found)
        .filter_map(|node| record.owners.nodes.get_key_value(node))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

fn no_analysis() -> AnalysisSummary {
    let because = vec!["no spans of the system under test were received".to_owned()];
    AnalysisSummary { state: AnalysisState::Withheld, tested_to_per_s: None, because, knees: Vec::new() }
}

fn trust(record: &Record, load: &Folded) -> Validity {
    // What a search tries above the capacity piles up at the target: it is judged by the search, not held against the
    // generator.
    let searches = |phase: u16| {
        let phase = record.plan.load.phases.get(usize::from(phase));
        phase.is_some_and(|phase| matches!(phase.shape, Shape::Search { .. }))
    };
    let arrivals = load.select(|_, step| step.is_none());
    let held_against = load.select(|phase, step| step.is_none() && !searches(phase));
    let mut trust = validity(&Counts {
        intended: arrivals.intended,
        missed: held_against.missed,
        lateness_p99_ns: load.lateness(|_| true).map(|late| late.p99),
        cpu_share: cpu_share(record, load),
        unseen_s: load.unseen_s,
        unreadable: load.unreadable.saturating_add(record.torn_frames),
    });
    if !record.ended {
        trust.invalid.push("the end of the run is not in the record".to_owned());
    }
    trust.invalid.extend(engine_failures(record));
    if record.environment.run.is_empty() {
        trust.invalid.push("the record does not name its run".to_owned());
    }
    let (_, unfit) = crate::phases::timeline(record);
    if unfit > 0 {
        trust
            .invalid
            .push(format!("{} of the event log do not fit the plan", plural(unfit, "change", "changes")));
    }
    if let Some(line) = first_break(&record.events) {
        trust.invalid.push(format!(
            "the event log was changed after the run: its chain of hashes breaks at line {}",
            line + 1
        ));
    }
    if let Some(ledger) = &record.ledger {
        trust.invalid.extend(not_taken_in(&record.plan, ledger, load));
        let silent = |service: &String| {
            format!(
                "the isolation ledger of \"{service}\" fell silent before the end: what it did last is not known"
            )
        };
        trust.invalid.extend(ledger.silent.iter().map(silent));
    } else if load.load_s.is_some() && lacks_ledger(record) {
        trust.invalid.push(
            "the isolation ledger is not in the record: what reached live data is not known".to_owned(),
        );
    }
    trust
}

/// Whether a ledger was written and is gone, or cannot be read. Tagged drills in production and those with declared stores
/// always have one: preflight refuses them where nothing receives it.
fn lacks_ledger(record: &Record) -> bool {
    let plan = &record.plan;
    let always = plan.shadow.is_some() && (plan.is_production() || !plan.isolation.stores.is_empty());
    record.torn_ledger || (record.ledger.is_none() && always)
}

/// Whether a request that ended so was worked on behind the first router. A proxy before it may shed or time out; a
/// request whose text could not be made was never sent; a hop that does not know the run counts it for no run.
fn proves_a_hop(class: ErrorClass) -> bool {
    class.answered()
        && !matches!(
            class,
            ErrorClass::Status(429 | 502 | 503 | 504)
                // Cancelled, unknown, deadline exceeded, resource exhausted, unavailable.
                | ErrorClass::Grpc(1 | 2 | 4 | 8 | 14)
                | ErrorClass::IsolationRefused
                | ErrorClass::ExtractFailed
        )
}

/// Tagged requests that got an answer although no first hop counted them: somebody answered past the router, and
/// nobody knows where those wrote.
fn not_taken_in(plan: &Plan, ledger: &Ledger, load: &Folded) -> Option<String> {
    // A message goes over what a tagged request opened: no hop counts it.
    let requests = load.select(|_, step| step.is_some_and(|step| plan.is_tagged(step)));
    let probes = ledger.sent?.saturating_sub(requests.sent);
    let doubtful: u64 = requests
        .errors
        .iter()
        .filter(|(class, _)| !proves_a_hop(**class))
        .map(|(_, n)| *n)
        .fold(0, u64::saturating_add);
    // Those without acknowledgement are judged by the share of them that the plan allows.
    let answered = requests.completed.saturating_sub(doubtful).saturating_sub(requests.ack_missing);
    let past = answered.saturating_add(probes).saturating_sub(ledger.handled?);
    let said = plural(past, "tagged request was", "tagged requests were");
    (past > 0).then(|| {
        format!("{said} answered that no first hop's ledger knows: another hop may have taken them as live")
    })
}

/// What the engine said of its own failure.
fn engine_failures(record: &Record) -> impl Iterator<Item = String> + '_ {
    record.events.iter().filter(|event| event.data["engine_failed"] == true).map(|event| event.text.clone())
}

/// Of the busiest load thread; the mean over the load threads when that was not kept.
fn cpu_share(record: &Record, load: &Folded) -> Option<f64> {
    let environment = &record.environment;
    environment.busiest_thread_share.or_else(|| {
        let threads = f64::from(environment.shards) * load.load_s? * 1e9;
        (threads > 0.0).then_some(environment.load_thread_cpu_ns? as f64 / threads)
    })
}

fn overall(record: &Record, trust: &Validity, gates: &[GateResult]) -> Judgement {
    // A leak that the ledger told of after the guards had ended is still a leak.
    let leaked =
        record.ledger.as_ref().is_some_and(|ledger| leaks(&ledger.rows, &record.environment.run) > 0);
    let stopped = guard_fired(record).is_some() || (record.plan.isolation.on_leak_stop && leaked);
    if stopped || binding(record, gates, Judgement::Fail) {
        return Judgement::Fail;
    }
    let unknown = person_stopped(record).is_some()
        || preflight_refused(record).is_some()
        || !trust.invalid.is_empty()
        || binding(record, gates, Judgement::Inconclusive);
    if unknown { Judgement::Inconclusive } else { Judgement::Pass }
}

/// Whether a gate that does more than warn came out so.
fn binding(record: &Record, gates: &[GateResult], verdict: Judgement) -> bool {
    record.plan.gates.iter().zip(gates).any(|(gate, found)| !gate.warn_only && found.verdict == verdict)
}

fn warnings(record: &Record, load: &Folded, trust: &Validity, gates: &[GateResult]) -> Vec<String> {
    let mut out = trust.suspect.clone();
    for (gate, found) in record.plan.gates.iter().zip(gates) {
        if gate.warn_only && found.verdict != Judgement::Pass {
            out.push(format!("gate \"{}\" (warns only): {}", gate.name, found.because));
        }
    }
    if let Some(ledger) = &record.ledger {
        let run = &record.environment.run;
        let leaked = live_writes(&ledger.rows, run);
        if leaked > 0 {
            out.push(format!("{} of this run reached live data", plural(leaked, "operation", "operations")));
        }
        let lost = tag_lost(&ledger.rows, run);
        if lost > 0 {
            out.push(format!("the tag was lost {}", plural(lost, "time", "times")));
        }
        out.extend(ledger.unreconciled.iter().map(|text| format!("isolation does not add up: {text}")));
    }
    if load.load_s.is_some() && !load.spans.iter().any(|span| span.measure) {
        out.push("no phase is measured, so there are no latency figures".to_owned());
    }
    out.extend(unverified(&record.plan));
    let told =
        record.events.iter().filter(|event| event.data["lost"] == true || event.data["warning"] == true);
    out.extend(told.map(|event| event.text.trim_start_matches("▲ ").to_owned()));
    out.extend(record.missing.iter().map(|text| format!("not in the record: {text}")));
    out
}

/// Whose certificates were taken as they came.
fn unverified(plan: &Plan) -> Vec<String> {
    let targets = plan.targets.iter().filter(|target| target.tls_insecure);
    let targets =
        targets.map(|target| format!("the certificate of target \"{}\" was not verified", target.name));
    let scrapes = plan.telemetry.scrape.iter();
    let scrapes = scrapes.filter(|scrape| scrape.tls.as_ref().is_some_and(|tls| tls.insecure));
    let scrapes =
        scrapes.map(|scrape| format!("metrics of {}: the certificate is not verified", scrape.place()));
    targets.chain(scrapes).collect()
}

fn totals(record: &Record, load: &Folded) -> Load {
    let arrivals = load.select(|_, step| step.is_none());
    let requests = load.select(|_, step| step.is_some());
    let rate = load.load_s.filter(|s| *s > 0.0).map(|s| (arrivals.sent as f64 / s * 1e3).round() / 1e3);
    Load {
        intended: arrivals.intended,
        sent: arrivals.sent,
        missed: arrivals.missed,
        completed: requests.completed,
        errors: requests.error_count(),
        rate_per_s: rate,
        capacity: searches(record).into_iter().map(|(_, found)| found).collect(),
        errors_by_class: requests.errors.iter().map(|(class, n)| (class.to_string(), *n)).collect(),
    }
}

fn steps(record: &Record, load: &Folded) -> Vec<Step> {
    let row = |(id, info): (usize, &StepInfo)| {
        let id = StepId::try_from(id).ok();
        let all = load.select(|_, step| step.is_some() && step == id);
        let measured = load.select(|phase, step| step.is_some() && step == id && load.measured(phase));
        Step {
            journey: info.journey.clone(),
            step: info.step.clone(),
            completed: all.completed,
            errors: all.error_count(),
            outcomes: outcomes(info, &all.outcomes),
            passed_over: all.passed_over,
            dropped: all.dropped,
            latency_ms: measured.latency.quantiles().into(),
        }
    };
    record.plan.steps.iter().enumerate().map(row).collect()
}

/// The classes that a step declares, those without an answer included, and no others.
fn outcomes(info: &StepInfo, counted: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let count = |name: &String| (name.clone(), counted.get(name).copied().unwrap_or(0));
    info.outcomes.iter().map(count).collect()
}

fn generator(record: &Record, load: &Folded) -> Generator {
    let completed = load.select(|_, step| step.is_some()).completed;
    let cpu_ns = record.environment.load_thread_cpu_ns.filter(|_| completed > 0);
    Generator {
        cpu_us_per_request: cpu_ns.map(|ns| (ns as f64 / completed as f64).round() / 1e3),
        max_rss_mib: record.environment.max_rss_mib,
        agents: record.environment.agents,
    }
}

fn isolation(record: &Record) -> Isolation {
    let Some(ledger) = &record.ledger else { return Isolation::default() };
    Isolation::of(&ledger.rows, &record.environment.run, ledger.unobserved.clone())
}

/// How the command that ran this drill ends: the first of refused, failure of the engine, guard, person, failed gate,
/// inconclusive.
#[must_use]
pub fn exit(verdict: &Verdict, record: &Record) -> Exit {
    let gate_failed = verdict.verdict == Judgement::Fail;
    let found = [
        (preflight_refused(record).is_some(), Exit::Preflight),
        (engine_failures(record).next().is_some(), Exit::Engine),
        (guard_fired(record).is_some(), Exit::Guard),
        (person_stopped(record).is_some(), Exit::Person),
        (gate_failed, Exit::GateFailed),
        (verdict.verdict == Judgement::Inconclusive, Exit::Inconclusive),
    ];
    found.into_iter().find(|(holds, _)| *holds).map_or(Exit::Ok, |(_, exit)| exit)
}
