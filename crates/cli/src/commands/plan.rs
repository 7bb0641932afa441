//! `peakdrill plan`.

use peakdrill_drill_model::exit::Exit;

use super::Failure;
use crate::args::{Format, Plan};
use crate::show::out;

pub(super) fn run(args: &Plan) -> Result<Exit, Failure> {
    let plan = crate::files::plan(&args.scenario.file, &args.scenario.sets)?;
    match args.format {
        Format::Human => out(&peakdrill_scenarios::describe(&plan)),
        Format::Json => {
            let json = serde_json::to_string_pretty(&plan)
                .map_err(|error| Failure::new(Exit::Bug, format!("the plan does not serialise: {error}")))?;
            out(&(json + "\n"));
        }
    }
    Ok(Exit::Ok)
}
