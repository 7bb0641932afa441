//! One run of `peakdrill run`, whole: what it took and what its record says.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::measure::{CLIENT_CORE, Measured, measure, pinned};

/// Exit codes of a run that went as planned; without a gate it is neither passed nor failed.
const AS_PLANNED: [i32; 2] = [0, 81];

/// Runs it on the client's core. `folder` is empty and its own; `args` come behind `run`.
pub fn run(bin: &Path, folder: &Path, args: &[OsString]) -> Result<(Measured, Value), String> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut command = pinned(CLIENT_CORE, &bin.join("peakdrill"));
    command.arg("run").args(args).args(["--tui", "never", "--out"]).arg(folder.join("record"));
    let measured = measure(&mut command, &folder.join("log"), &AS_PLANNED)?;
    let path = folder.join("record/verdict.json");
    let verdict = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let verdict: Value =
        serde_json::from_str(&verdict).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok((measured, verdict))
}

/// An error where requests failed: a journey that breaks off costs something else.
pub fn without_errors(verdict: &Value) -> Result<(), String> {
    match number(verdict, "/load/errors")? {
        0.0 => Ok(()),
        _ => Err(format!("there are errors: {}", verdict["load"])),
    }
}

/// The same for a scenario.
pub fn run_scenario(bin: &Path, folder: &Path, scenario: &str) -> Result<(Measured, Value), String> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let path = folder.join("drill.yaml");
    fs::write(&path, scenario).map_err(|error| format!("{}: {error}", path.display()))?;
    run(bin, folder, &[path.into_os_string(), "--yes".into()])
}

/// A number of the verdict by its JSON pointer.
pub fn number(verdict: &Value, pointer: &str) -> Result<f64, String> {
    let found = verdict.pointer(pointer).and_then(Value::as_f64);
    found.ok_or_else(|| format!("the verdict has no number at {pointer}"))
}
