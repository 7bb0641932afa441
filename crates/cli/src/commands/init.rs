//! `peakdrill init`.

use peakdrill_drill_model::exit::Exit;
use peakdrill_scenarios::{LIBRARY, LIBRARY_FILES, scaffold};

use super::Failure;
use crate::args::Init;
use crate::show::{note, out};

pub(super) fn run(args: &Init) -> Result<Exit, Failure> {
    if args.list {
        for (name, text) in LIBRARY {
            let first = text.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or("");
            out(&format!("{name:<28} {first}\n"));
        }
        return Ok(Exit::Ok);
    }
    let Some(wanted) = &args.from else {
        out(scaffold());
        return Ok(Exit::Ok);
    };
    let found = LIBRARY.iter().find(|(name, _)| name == wanted);
    let (_, text) = found.ok_or_else(|| {
        let names: Vec<&str> = LIBRARY.iter().map(|(name, _)| *name).collect();
        Failure::new(Exit::Usage, format!("the library has no `{wanted}`; it has: {}", names.join(", ")))
    })?;
    out(text);
    for (path, data) in LIBRARY_FILES.iter().filter(|(path, _)| text.contains(path)) {
        data_file(path, data)?;
    }
    Ok(Exit::Ok)
}

/// A data file that a ready drill names, put beside it; one that is there stays as it is.
fn data_file(path: &str, data: &str) -> Result<(), Failure> {
    if std::path::Path::new(path).exists() {
        return Ok(());
    }
    peakdrill_drill_control::record::files::write_atomic(std::path::Path::new(path), data.as_bytes(), 0o644)?;
    note(&format!("wrote {path}, which this drill reads\n"));
    Ok(())
}
