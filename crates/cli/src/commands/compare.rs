//! `peakdrill compare`.

use std::path::Path;

use peakdrill_drill_control::record;
use peakdrill_drill_model::exit::Exit;
use peakdrill_drill_model::verdict::Judgement;
use peakdrill_reports::{
    Side, Terms, compare, comparison_card, comparison_json, comparison_junit, comparison_markdown,
};

use super::Failure;
use crate::args::{Compare, ComparisonFormat};
use crate::show::{out, terminal, unicode};

pub(super) fn run(args: &Compare) -> Result<Exit, Failure> {
    let run = side(&args.run)?;
    let baselines = args.baselines.iter().map(|folder| side(folder)).collect::<Result<Vec<_>, _>>()?;
    let terms = Terms { tolerance: args.tolerance, mismatched: args.mismatched };
    let found = compare(&run, &baselines, &terms)
        .map_err(|repeated| Failure::new(Exit::Usage, repeated.to_string()))?;
    out(&match args.format {
        ComparisonFormat::Human => {
            let (width, color) = terminal();
            comparison_card(&found, width, color, unicode())
        }
        ComparisonFormat::Json => comparison_json(&found),
        ComparisonFormat::Junit => comparison_junit(&found),
        ComparisonFormat::Markdown => comparison_markdown(&found),
    });
    Ok(match found.verdict {
        Judgement::Pass => Exit::Ok,
        Judgement::Fail => Exit::GateFailed,
        Judgement::Inconclusive => Exit::Inconclusive,
    })
}

/// A folder that is no record is a wrong command line.
fn side(folder: &Path) -> Result<Side, Failure> {
    record::side(folder).map_err(|error| Failure::new(Exit::Usage, error.to_string()))
}
