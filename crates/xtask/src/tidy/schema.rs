//! Generated files are what their generators print.

use std::path::Path;
use std::process::Command;

use super::Finding;
use crate::shell::{cargo, output, root};

const SCHEMA: &str = "scenarios/drill.v1.schema.json";

/// `program`: a `peakdrill` that is built already.
pub fn check(bless: bool, program: Option<&Path>) -> Result<Vec<Finding>, String> {
    let fresh = match program {
        Some(program) => output(Command::new(program).arg("schema"))?,
        None => output(cargo().args(["run", "--quiet", "--package", "peakdrill", "--", "schema"]))?,
    };
    let path = root().join(SCHEMA);
    if bless {
        std::fs::write(&path, &fresh).map_err(|error| format!("{SCHEMA}: {error}"))?;
        return Ok(Vec::new());
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let same = kept == fresh;
    Ok((!same)
        .then(|| format!("{SCHEMA} is not what `peakdrill schema` prints: run `cargo xtask tidy --bless`"))
        .into_iter()
        .collect())
}
