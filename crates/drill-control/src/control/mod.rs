//! A drill's life: preflight, run, guards, stop, drain, verdict.

mod finish;
mod lease;
mod running;
mod scrapes;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use peakdrill_drill_model::event::EventKind;
use peakdrill_drill_model::exit::Exit;
use peakdrill_drill_model::owners::Owners;
use peakdrill_drill_model::plan::Plan;
use peakdrill_drill_model::snapshot::Snapshot;
use peakdrill_drill_model::timeline::Timeline;
use peakdrill_drill_model::verdict::Verdict;
use peakdrill_reports::{ENVIRONMENT_VERSION, Environment};
use peakdrill_scenarios::at_start;
use peakdrill_timebase::Clock;

use crate::environment::machine;
use crate::error::ControlError;
use crate::machine::Need;
use crate::preflight::{Findings, Machine, Preflight};
use crate::record::RecordWriter;
use crate::snapshot::Board;
use crate::stage::Stage;

/// What a person, a signal or a screen asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// No new arrivals; answers are awaited, up to the drain time.
    Stop {
        /// Who: `key X`, `SIGINT`, …
        by: String,
    },
    /// Connections are cut now.
    Cut,
}

/// The drill's two sides towards people.
pub struct Hooks {
    /// What they ask for.
    pub commands: Receiver<Command>,
    /// What they see, four times a second.
    pub publish: Box<dyn Fn(Arc<Snapshot>) + Send>,
}

/// What a run is made with besides its plan.
#[derive(Debug, Clone)]
pub struct Options {
    /// The record's folder.
    pub out: PathBuf,
    /// Load threads.
    pub shards: usize,
    /// How its sockets are moved.
    pub transport: peakdrill_loadgen::Transport,
    /// The command that started it, secrets left out.
    pub command: Option<String>,
    /// Version of peakdrill.
    pub version: String,
    /// Who owns the nodes of the system.
    pub owners: Owners,
    /// Values of secrets by name: those that requests carry, and those for preflight's look at stores.
    pub secrets: std::collections::BTreeMap<String, String>,
    /// What else the reader of the record is to be warned of.
    pub warnings: Vec<String>,
}

/// A drill that came to its end.
#[derive(Debug)]
pub struct Finished {
    /// Its verdict.
    pub verdict: Verdict,
    /// How the command ends.
    pub exit: Exit,
    /// The record.
    pub folder: PathBuf,
    /// What preflight found, when it refused.
    pub refused: Vec<String>,
}

/// Runs a drill from preflight to verdict. Blocks.
///
/// # Errors
/// When the record cannot be written, or the engine or collector fails. The record is then still readable.
pub fn run(stage: Stage, plan: Plan, options: &Options, hooks: Hooks) -> Result<Finished, ControlError> {
    // A folder that holds another run's record is not touched.
    let writer = RecordWriter::create(&options.out, &plan)?;
    let reports = plan.reports.clone();
    let ended = drill(stage, plan, options, hooks, writer);
    match ended {
        Ok(finished) => {
            crate::record::publish(&finished.folder, &reports)?;
            Ok(finished)
        }
        Err(error) => {
            // What is there is rendered, so that pipelines find a verdict; the error is what matters.
            let _ = crate::record::failed(&options.out, &error.to_string());
            let _ = crate::record::rerender(&options.out);
            Err(error)
        }
    }
}

fn drill(
    mut stage: Stage,
    plan: Plan,
    options: &Options,
    hooks: Hooks,
    mut writer: RecordWriter,
) -> Result<Finished, ControlError> {
    let plan = Arc::new(plan);
    let mut environment = Environment {
        v: ENVIRONMENT_VERSION,
        version: options.version.clone(),
        run: stage.run.to_string(),
        machine: machine(),
        agents: 1,
        shards: u32::try_from(options.shards).unwrap_or(0),
        transport: "in-process".to_owned(),
        command: options.command.clone(),
        ..Environment::default()
    };
    writer.environment(&environment)?;
    if !options.owners.nodes.is_empty() {
        crate::record::keep_owners(&options.out, &options.owners)?;
    }
    let mut board = Board::new(Arc::clone(&plan), stage.run.as_ref(), &options.out, hooks.publish);
    board.own(options.owners.teams());
    let unix = stage.clock.unix().0;
    writer.event(
        unix,
        0,
        EventKind::Run,
        format!("run {} of `{}`", stage.run, plan.name),
        serde_json::Value::Null,
    )?;
    let mut lease = lease::Leases::new(&stage, &plan)?;
    let looked = preflight(&stage, &plan, &mut lease, options, &mut writer, &mut board, &hooks.commands);
    let findings = match looked {
        Err(ControlError::Stopped(by)) => return finish::stopped(stage, writer, &by),
        other => other?,
    };
    if !findings.problems.is_empty() {
        return finish::refused(stage, writer, findings.problems);
    }
    if let Some(collector) = &mut stage.collector {
        let scraped = collector.scrape(&plan.telemetry.scrape);
        scraped.map_err(|error| ControlError::Collector(error.to_string()))?;
    }
    let mut drill =
        running::Running::start(stage, plan, options, writer, board, &mut lease, findings, &mut environment)?;
    drill.tell_transport()?;
    let ended = drill.until_done(&hooks.commands, &mut lease)?;
    finish::done(ended, environment)
}

fn preflight(
    stage: &Stage,
    plan: &Plan,
    lease: &mut lease::Leases,
    options: &Options,
    writer: &mut RecordWriter,
    board: &mut Board,
    commands: &Receiver<Command>,
) -> Result<Findings, ControlError> {
    let tagging = lease.tagging();
    let kept = std::cell::RefCell::new((board, lease));
    let pulse = |text: &str| {
        let (board, lease) = &mut *kept.borrow_mut();
        board.preflight(stage.clock.unix().0, text);
        match commands.try_recv() {
            Ok(Command::Stop { by }) => return Err(ControlError::Stopped(by)),
            Ok(Command::Cut) => return Err(ControlError::Stopped("a cut".to_owned())),
            Err(_) => {}
        }
        lease.renew(crate::registry::unix_s(&stage.clock))
    };
    let run = stage.run.to_string();
    let mut findings = Preflight {
        plan,
        tagging: &tagging,
        collector: stage.collector.as_ref(),
        machine: Machine {
            facts: crate::machine::read(&crate::machine::Roots::default()),
            need: Need::of(plan, options.shards),
        },
        run: &run,
        secret: &|name| options.secrets.get(name).cloned(),
        pulse: &pulse,
    }
    .run()?;
    scrapes::check(plan, stage.collector.is_some(), &mut findings, &pulse)?;
    findings.warnings.extend(options.warnings.iter().cloned());
    // Asked for while the last check ran.
    pulse("preflight is done")?;
    let now = || stage.clock.unix().0;
    // What ends at an instant must not be over before it begins; and how long it lasts is known only now.
    match Timeline::new(&plan.load, now()) {
        Ok(timeline) => {
            let found = at_start(plan, &timeline);
            findings.problems.extend(found.problems);
            findings.warnings.extend(found.warnings);
        }
        Err(error) => findings.problems.push(error.to_string()),
    }
    if let Some(why) = &stage.collector_off {
        let text = format!("no spans are received: {why}");
        writer.event(now(), 0, EventKind::Preflight, text, serde_json::json!({ "warning": true }))?;
    }
    for text in &findings.passed {
        writer.event(now(), 0, EventKind::Preflight, format!("✓ {text}"), serde_json::Value::Null)?;
    }
    for text in &findings.warnings {
        writer.event(
            now(),
            0,
            EventKind::Preflight,
            format!("▲ {text}"),
            serde_json::json!({ "warning": true }),
        )?;
    }
    for text in &findings.problems {
        writer.event(
            now(),
            0,
            EventKind::Preflight,
            format!("✗ {text}"),
            serde_json::json!({ "refused": true }),
        )?;
    }
    Ok(findings)
}
