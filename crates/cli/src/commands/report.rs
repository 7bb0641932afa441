//! `peakdrill report`.

use peakdrill_drill_control::record::{self, Rendered};
use peakdrill_drill_model::exit::Exit;

use super::Failure;
use crate::args::{Report, ReportFormat};
use crate::show::{card, note, out};

pub(super) fn run(args: &Report) -> Result<Exit, Failure> {
    if !args.owned.files.is_empty() {
        let owners = crate::owners::read(&args.owned.files)?;
        // A folder without a record is told first, and gets no file.
        record::plan(&args.folder)?;
        record::keep_owners(&args.folder, &owners)?;
    }
    let Rendered { verdict, missing, .. } = record::rerender(&args.folder)?;
    for one in &missing {
        note(&format!("missing: {one}\n"));
    }
    if let Some(into) = &args.parquet {
        for path in record::write_parquet(&args.folder, into)? {
            note(&format!("written: {}\n", path.display()));
        }
    }
    let file = |name: &str| {
        let path = args.folder.join(name);
        std::fs::read_to_string(&path)
            .map_err(|error| Failure::new(Exit::Engine, format!("{}: {error}", path.display())))
    };
    match args.format {
        ReportFormat::Human => card(&verdict, Some(&args.folder)),
        ReportFormat::Json => out(&file("verdict.json")?),
        ReportFormat::Html => out(&file("report.html")?),
        ReportFormat::Junit => out(&file("junit.xml")?),
        ReportFormat::Markdown => out(&file("summary.md")?),
    }
    Ok(Exit::Ok)
}
