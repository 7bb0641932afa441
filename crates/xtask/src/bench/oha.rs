//! oha, which Debian does not have: built once, beside what this workspace builds.

use std::path::PathBuf;

use crate::shell::{cargo, step, target_dir};

/// The version that the figures are compared with.
const VERSION: &str = "1.16.0";

fn folder() -> Result<PathBuf, String> {
    Ok(target_dir()?.join(format!("oha-{VERSION}")))
}

/// Where it is, or is going to be.
pub fn program() -> Result<PathBuf, String> {
    Ok(folder()?.join("bin/oha"))
}

/// Name and version.
pub fn version() -> String {
    format!("oha {VERSION}")
}

/// Builds it, if it is missing.
pub fn install() -> Result<(), String> {
    if program()?.is_file() {
        return Ok(());
    }
    let mut install = cargo();
    install.args(["install", "oha", "--locked", "--version", VERSION, "--root"]).arg(folder()?);
    step("build oha", &mut install)
}
