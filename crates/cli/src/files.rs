//! Scenario files and what they name.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use peakdrill_drill_model::exit::Exit;
use peakdrill_drill_model::plan::Plan;
use peakdrill_scenarios::{Files, Input, Parsed, parse, render_github, render_human, render_json};

use crate::args::DiagnosticFormat;
use crate::commands::Failure;

/// Largest file that a scenario may name.
const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;

/// The folder of a scenario. The language has made sure that paths stay inside by their text; links are looked
/// at here.
struct Folder(PathBuf);

impl Files for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let root = self.0.canonicalize().map_err(|error| error.to_string())?;
        let full = root.join(path).canonicalize().map_err(|error| error.to_string())?;
        if !full.starts_with(&root) {
            return Err("leads out of the scenario's folder".to_owned());
        }
        let size = std::fs::metadata(&full).map_err(|error| error.to_string())?.len();
        if size > MAX_FILE_BYTES {
            return Err(format!("is larger than {MAX_FILE_BYTES} bytes"));
        }
        std::fs::read(&full).map_err(|error| error.to_string())
    }
}

/// Reads and parses a scenario.
pub(crate) fn scenario(file: &Path, sets: &[(String, String)]) -> Result<Parsed, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::new(Exit::Scenario, format!("{}: {error}", file.display())))?;
    let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = file.display().to_string();
    Ok(parse(&Input {
        name: &name,
        text: &text,
        sets,
        env: &|name| std::env::var(name).ok(),
        files: &Folder(folder.to_path_buf()),
    }))
}

/// Writes diagnostics: results to stdout where they are the result, else to stderr.
pub(crate) fn diagnostics(parsed: &Parsed, format: DiagnosticFormat) -> String {
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    match format {
        DiagnosticFormat::Human => render_human(&parsed.diagnostics, color),
        DiagnosticFormat::Json => render_json(&parsed.diagnostics),
        DiagnosticFormat::Github => render_github(&parsed.diagnostics),
    }
}

/// A plan, or the diagnostics that say why there is none.
pub(crate) fn plan(file: &Path, sets: &[(String, String)]) -> Result<Plan, Failure> {
    let parsed = scenario(file, sets)?;
    let text = diagnostics(&parsed, DiagnosticFormat::Human);
    if let Some(plan) = parsed.plan {
        crate::show::note(&text);
        return Ok(plan);
    }
    Err(Failure::new(Exit::Scenario, text))
}
