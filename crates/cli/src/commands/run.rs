//! `peakdrill run`.

use std::io::{BufRead, IsTerminal, Write};

use peakdrill_drill_control::registry::RunsFile;
use peakdrill_drill_control::{CollectorMode, Stage, StageSettings};
use peakdrill_drill_model::exit::Exit;
use peakdrill_drill_model::plan::{Arrivals, Plan, Target};
use peakdrill_scenarios::{QuickRun, is_loopback_target, quick, render_human};

use super::Failure;
use crate::args::{Run, Spacing};
use crate::drill::{self, Drill};
use crate::keys;

pub(super) fn run(args: &Run) -> Result<Exit, Failure> {
    drill::can_draw(args.tui)?;
    let mut plan = match &args.file {
        Some(file) => crate::files::plan(file, &args.sets)?,
        None => quick_plan(args)?,
    };
    if let Some(pacing) = args.pacing {
        plan.load.pacing = pacing.into();
    }
    if let Some(seed) = args.seed {
        plan.load.seed = seed;
    }
    let metrics_to = args.listen.metrics_to.receiver()?;
    let owners = crate::owners::read(&args.owned.files)?;
    ask(args, &plan)?;
    let run = keys::run_id()?;
    let out = args.out.clone().unwrap_or_else(|| std::path::Path::new("drills").join(&run));
    drill::is_free(&out)?;
    let tagged = plan.shadow.is_some();
    let variable = plan.shadow.as_ref().and_then(|shadow| shadow.key_secret.clone());
    let secrets =
        if tagged { keys::from_environment(variable.as_deref().unwrap_or(keys::SIGNING_KEY))? } else { None };
    let environment = plan
        .environment
        .parse()
        .map_err(|error| Failure::new(Exit::Scenario, format!("environment: {error}")))?;
    let stage = Stage::open(StageSettings {
        run: run.parse().map_err(|error| Failure::new(Exit::Bug, format!("run id: {error}")))?,
        env: environment,
        secrets,
        runs_file: tagged.then(|| RunsFile(args.listen.runs_file.clone())),
        registry: args.listen.registry,
        otlp_grpc: args.listen.otlp_grpc,
        otlp_http: args.listen.otlp_http,
        collector: collector_mode(args, tagged),
        journal: Some(out.join(peakdrill_drill_control::record::JOURNAL)),
        journal_bytes_max: Some(args.listen.journal_max.0),
    })?;
    let secrets = dsns(&plan);
    drill::run(
        stage,
        plan,
        Drill {
            out,
            shards: shards(args.shards),
            transport: args.transport.into(),
            tui: args.tui,
            format: args.format,
            secrets,
            metrics: args.listen.metrics,
            metrics_to,
            owners,
            keep: None,
        },
    )
}

fn collector_mode(args: &Run, tagged: bool) -> CollectorMode {
    match (args.listen.no_collector, tagged) {
        (true, _) => CollectorMode::Off,
        (false, true) => CollectorMode::Required,
        (false, false) => CollectorMode::WhenFree,
    }
}

/// Load threads: one per core, at most four.
pub(super) fn shards(wanted: Option<u16>) -> usize {
    const MOST: usize = 4;
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    wanted.map_or_else(|| cores().min(MOST), usize::from)
}

/// The values of secrets that requests carry, and the data source names that preflight may look at stores with, from the
/// environment.
pub(crate) fn dsns(plan: &Plan) -> std::collections::BTreeMap<String, String> {
    let stores = plan.isolation.stores.iter().filter_map(|store| store.dsn.clone());
    let names = stores.chain(plan.request_secrets().into_iter().map(str::to_owned));
    names.filter_map(|name| Some((name.clone(), std::env::var(&name).ok()?))).collect()
}

fn quick_plan(args: &Run) -> Result<Plan, Failure> {
    let usage = |text: &str| Failure::new(Exit::Usage, text.to_owned());
    let (Some(target), Some(duration)) = (&args.target, &args.duration) else {
        return Err(usage("--target wants --for DURATION, e.g. --for 30s"));
    };
    if args.rate.is_none() && args.users.is_none() {
        return Err(usage("--target wants --rate N/s (open loop) or --users N (closed loop)"));
    }
    let body = args.data.as_ref().map(|data| body(data)).transpose()?;
    let quick_run = QuickRun {
        target: target.clone(),
        method: args.method.clone(),
        headers: args.headers.iter().map(|text| header(text)).collect::<Result<_, _>>()?,
        body,
        rate: args.rate.clone(),
        users: args.users,
        arrivals: args.arrivals.map(|spacing| match spacing {
            Spacing::Even => Arrivals::Even,
            Spacing::Poisson => Arrivals::Poisson,
        }),
        duration: duration.clone(),
        connections: args.connections,
        http2: args.http2,
        streams: args.streams,
        seed: args.seed,
    };
    quick(&quick_run).map_err(|found| Failure::new(Exit::Usage, render_human(&found, false)))
}

/// `Name: value`, as curl has it.
fn header(text: &str) -> Result<(String, String), Failure> {
    let (name, value) = text
        .split_once(':')
        .ok_or_else(|| Failure::new(Exit::Usage, format!("-H `{text}`: expected `Name: value`")))?;
    Ok((name.to_owned(), value.to_owned()))
}

fn body(data: &str) -> Result<String, Failure> {
    match data.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| Failure::new(Exit::Usage, format!("{path}: {error}"))),
        None => Ok(data.to_owned()),
    }
}

/// Where a target's load goes.
fn place(target: &Target) -> String {
    let addresses: Vec<String> = target.resolve.addresses.iter().map(ToString::to_string).collect();
    match addresses.as_slice() {
        [] => target.base_url.clone(),
        addresses => format!("{} at {}", target.base_url, addresses.join(" and ")),
    }
}

/// A target that is not on this machine is somebody's: a person says yes, or `--yes` does.
fn ask(args: &Run, plan: &Plan) -> Result<(), Failure> {
    let away: Vec<String> =
        plan.targets.iter().filter(|target| !is_loopback_target(target)).map(place).collect();
    if away.is_empty() || args.yes {
        return Ok(());
    }
    let what = format!("this drill sends load to {}, which is not on this machine", away.join(", "));
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new(Exit::Preflight, format!("{what}: add --yes when that is meant")));
    }
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "{what}. Type yes to go on: ").and_then(|()| err.flush());
    let mut answer = String::new();
    let _ = std::io::stdin().lock().read_line(&mut answer);
    if answer.trim() == "yes" { Ok(()) } else { Err(Failure::new(Exit::Preflight, "not started")) }
}
