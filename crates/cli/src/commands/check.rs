//! `peakdrill check`.

use peakdrill_drill_model::exit::Exit;

use super::Failure;
use crate::args::{Check, DiagnosticFormat};
use crate::files::{diagnostics, scenario};
use crate::show::{note, out};

pub(super) fn run(args: &Check) -> Result<Exit, Failure> {
    let parsed = scenario(&args.scenario.file, &args.scenario.sets)?;
    let text = diagnostics(&parsed, args.format);
    match args.format {
        DiagnosticFormat::Human => note(&text),
        DiagnosticFormat::Json | DiagnosticFormat::Github => out(&text),
    }
    let Some(plan) = parsed.plan else { return Ok(Exit::Scenario) };
    if args.format == DiagnosticFormat::Human {
        let (phases, steps) = (plan.load.phases.len(), plan.steps.len());
        out(&format!(
            "{}: ok: {} journeys, {steps} steps, {phases} phases, {}; `peakdrill plan` draws it\n",
            args.scenario.file.display(),
            plan.journeys.len(),
            peakdrill_scenarios::planned_length(&plan),
        ));
    }
    Ok(Exit::Ok)
}
